"""Roofline: Work, Load, Step, Calibration, and `step_time`, the only function that turns amounts into seconds."""

from headway.roofline.calibration import IDEAL, NUMBERS, Calibration
from headway.roofline.closed_form import Roofline, movement_energy, roofline, roofline_lecture_units
from headway.roofline.kernels import Amounts, Kind, Transfer, kernel_time, pass_overhead, transfer_time
from headway.roofline.load import Group, Load
from headway.roofline.overlap import two_batch_seconds
from headway.roofline.profiles import (
    DEFAULT,
    Profile,
    Spread,
    calibration,
    profile,
    profile_names,
    read_profile,
    years_since,
)
from headway.roofline.step import Row, Send, Step, dense_step
from headway.roofline.time import (
    CONVENTIONS,
    Convention,
    Machine,
    RowTime,
    StepTime,
    row_amounts,
    row_kind,
    row_work,
    send_amounts,
    step_time,
)
from headway.roofline.work import Work

__all__ = [
    "CONVENTIONS",
    "DEFAULT",
    "IDEAL",
    "NUMBERS",
    "Amounts",
    "Calibration",
    "Convention",
    "Group",
    "Kind",
    "Load",
    "Machine",
    "Profile",
    "Roofline",
    "Row",
    "RowTime",
    "Send",
    "Spread",
    "Step",
    "StepTime",
    "Transfer",
    "Work",
    "calibration",
    "dense_step",
    "kernel_time",
    "movement_energy",
    "pass_overhead",
    "profile",
    "profile_names",
    "read_profile",
    "roofline",
    "roofline_lecture_units",
    "row_amounts",
    "row_kind",
    "row_work",
    "send_amounts",
    "step_time",
    "transfer_time",
    "two_batch_seconds",
    "years_since",
]
