"""Roofline: Work, Load, Step, Calibration, and `step_time`, the only function that turns amounts into seconds."""

from headway.roofline.calibration import IDEAL, NUMBERS, Calibration
from headway.roofline.closed_form import Roofline, movement_energy, roofline, roofline_lecture_units
from headway.roofline.collectives import (
    ALGORITHMS,
    Traffic,
    Transfer,
    Wire,
    collective_seconds,
    fastest_algorithm,
    send_amounts,
    traffic,
    transfer,
    wire,
)
from headway.roofline.compiled import CompiledStep, PassParts, Sums, compiled
from headway.roofline.energy import Energy, Rates, energy_rates, pass_energy
from headway.roofline.join import CACHES, Resources, by_resource, largest, pass_seconds, split, together
from headway.roofline.kernels import Amounts, Kind, kernel_overhead, kernel_rates, kernel_time, pass_overhead
from headway.roofline.load import Group, Load
from headway.roofline.machine import Machine
from headway.roofline.pass_clock import PassClock
from headway.roofline.profiles import (
    DEFAULT,
    Profile,
    Spread,
    profile,
    profile_names,
    read_profile,
    years_since,
)
from headway.roofline.step import Row, Send, Step, dense_step
from headway.roofline.time import (
    CONVENTIONS,
    Convention,
    RowTime,
    StepTime,
    row_amounts,
    row_ways,
    row_work,
    step_time,
    unpacks,
    weights_once,
)
from headway.roofline.work import Work

__all__ = [
    "ALGORITHMS",
    "CACHES",
    "CONVENTIONS",
    "DEFAULT",
    "IDEAL",
    "NUMBERS",
    "Amounts",
    "Calibration",
    "CompiledStep",
    "Convention",
    "Energy",
    "Group",
    "Kind",
    "Load",
    "Machine",
    "PassClock",
    "PassParts",
    "Profile",
    "Rates",
    "Resources",
    "Roofline",
    "Row",
    "RowTime",
    "Send",
    "Spread",
    "Step",
    "StepTime",
    "Sums",
    "Traffic",
    "Transfer",
    "Wire",
    "Work",
    "by_resource",
    "collective_seconds",
    "compiled",
    "dense_step",
    "energy_rates",
    "fastest_algorithm",
    "kernel_overhead",
    "kernel_rates",
    "kernel_time",
    "largest",
    "movement_energy",
    "pass_energy",
    "pass_overhead",
    "pass_seconds",
    "profile",
    "profile_names",
    "read_profile",
    "roofline",
    "roofline_lecture_units",
    "row_amounts",
    "row_ways",
    "row_work",
    "send_amounts",
    "split",
    "step_time",
    "together",
    "traffic",
    "transfer",
    "unpacks",
    "weights_once",
    "wire",
    "years_since",
]
