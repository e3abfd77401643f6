"""Calibration: fitting to measurements, predictions with intervals, validation against evidence."""
