"""Two-batch overlap: half of the batch computes while the other half communicates (DeepSeek-V3 report, 3.1 and 3.4)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from headway.roofline.calibration import IDEAL, Calibration
from headway.roofline.load import Load, one
from headway.roofline.step import Step
from headway.roofline.time import Convention, Machine, step_time

Real = Any  # a float or a NumPy array; everything broadcasts


def two_batch_seconds(
    step: Step, load: Load, chip: Machine, calibration: Calibration = IDEAL, convention: Convention = "kernels"
) -> Real:
    """Return the time of a pass whose two halves take turns on the chip and on the network. [s]

    Parameters
    ----------
    step, load, chip, calibration, convention
        As of `step_time`.

    Notes
    -----
    Each half reads the weights and launches its kernels by itself, and its network time hides behind the other half's
    kernels: 2 max(busy(B/2), network(B/2)) plus the overheads of both, of which scheduling counts once. Groups of a
    single sequence have no halves: there the pass runs plain.
    """
    plain = step_time(step, load, chip, calibration, convention).seconds
    hidden = dataclasses.replace(calibration, network_overlap=1.0)
    half = step_time(step, load.halved(), chip, hidden, convention).seconds
    enough = load.busiest(step.groups, one) >= 2
    return np.where(enough, 2 * half - calibration.step_seconds, plain)
