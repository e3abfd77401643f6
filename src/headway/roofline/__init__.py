"""Roofline: Work, Load, Step, Calibration, and `step_time`, the only function that turns amounts into seconds."""

from headway.roofline.calibration import Calibration, calibration
from headway.roofline.closed_form import Roofline, movement_energy, roofline, roofline_lecture_units
from headway.roofline.load import Group, Load
from headway.roofline.step import Row, Send, Step, dense_step
from headway.roofline.time import CONVENTIONS, Convention, RowTime, StepTime, row_work, step_time
from headway.roofline.work import Work

__all__ = [
    "CONVENTIONS",
    "Calibration",
    "Convention",
    "Group",
    "Load",
    "Roofline",
    "Row",
    "RowTime",
    "Send",
    "Step",
    "StepTime",
    "Work",
    "calibration",
    "dense_step",
    "movement_energy",
    "roofline",
    "roofline_lecture_units",
    "row_work",
    "step_time",
]
