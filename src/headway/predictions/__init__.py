"""Predictions: TTFT, TPOT and throughput for every row of a table, each with its 80 % interval and its floor."""

from headway.predictions.files import Tally, opened, predict_file, write_predictions
from headway.predictions.rows import ADDED, cells, predict_row, predicted_rows

__all__ = ["ADDED", "Tally", "cells", "opened", "predict_file", "predict_row", "predicted_rows", "write_predictions"]
