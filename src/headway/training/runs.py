"""A long run: failures, checkpoints, what is lost to both, dollars and energy from end to end."""

from __future__ import annotations

import math
from dataclasses import dataclass

from headway.catalog import default
from headway.errors import InputError, PhysicsError

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Reliability:
    """What breaks, and what a run does about it.

    Attributes
    ----------
    mtbf : float
        Mean time between failures that stop the run, of one chip with its share of everything around it. [s]
    restart : float
        From a failure to the first step again: notice, replace, load. [s]
    checkpoint : float
        That the run waits for each checkpoint. [s]
    interval : float
        From one checkpoint to the next. [s]
    """

    mtbf: float
    restart: float
    checkpoint: float
    interval: float


@dataclass(frozen=True, slots=True)
class Goodput:
    """What of a run's time goes where.

    Attributes
    ----------
    between : float
        Mean time between failures of all chips together. [s]
    checkpoints, lost, restarts : float
        Shares of the time: waiting for checkpoints; work done again since the last one; restarts. [share]
    """

    between: float
    checkpoints: float
    lost: float
    restarts: float

    @property
    def share(self) -> float:
        """Of the time that makes progress. [share]"""
        return 1.0 - self.checkpoints - self.lost - self.restarts


def best_interval(checkpoint: float, between: float) -> float:
    """Return the time between checkpoints that loses least: sqrt(2 C M) (Young 1974), Daly's first order. [s]

    Parameters
    ----------
    checkpoint, between : float
        C, time of one; M, mean time between failures of the whole run. [s]
    """
    return math.sqrt(2 * checkpoint * between)


def goodput(chips: int, r: Reliability) -> Goodput:
    """Return which share of a run's time makes progress.

    Parameters
    ----------
    chips : int
        [chips]
    r : Reliability

    Raises
    ------
    PhysicsError
        When failures come faster than the run restarts and catches up.

    Notes
    -----
    C/(C + T) waits for checkpoints; a failure every M loses half an interval and the restart (Young 1974; Daly 2006, first order).
    """
    between = r.mtbf / chips
    found = Goodput(between, r.checkpoint / (r.checkpoint + r.interval), r.interval / 2 / between, r.restart / between)
    if found.share <= 0:
        shares = f"checkpoints take {found.checkpoints:.0%} of the time, work done again {found.lost:.0%} and restarts {found.restarts:.0%}"
        raise PhysicsError(
            f"{chips:,} chips, a failure every {between / 60:,.3g} minutes: {shares}, which leave no time for progress"
        )
    return found


def reliability(
    chips: int, state_bytes: float, *, mtbf: float | None = None, restart: float | None = None, checkpoint: float | None = None,
    interval: float | None = None,
) -> Reliability:  # fmt: skip
    """Return what a run meets, from the catalogue's `defaults` where nothing is said.

    Parameters
    ----------
    chips : int
        [chips]
    state_bytes : float
        Of a checkpoint: weights and optimizer states of all parameters. [bytes]
    mtbf, restart, checkpoint, interval : float or None
        As of `Reliability`; None: Llama 3's failures and storage, and the interval that loses least. [s]

    Raises
    ------
    InputError
        For times that are not positive.
    """
    for name, value in (("mtbf", mtbf), ("restart", restart), ("checkpoint", checkpoint), ("interval", interval)):
        if value is not None and value <= 0:
            raise InputError(f"--{name}: {value:g} s must be positive")
    each = mtbf if mtbf is not None else default("training_mtbf") * _HOUR
    write = checkpoint if checkpoint is not None else state_bytes / (chips * default("checkpoint_rate"))
    return Reliability(
        each, restart if restart is not None else default("training_restart"), write,
        interval if interval is not None else best_interval(write, each / chips),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """A run from its first step to its last.

    Attributes
    ----------
    steps : float
        [1]
    busy, seconds : float
        Of steps alone; with what failures and checkpoints take. [s]
    failures : float
        Expected. [1]
    dollars : float or None
        Rent of all chips; None without a price. [$]
    joules : float or None
        Of the chips at their rated power; None where that is not known. [J]
    checkpoint_bytes : float
        Of one. [bytes]
    """

    steps: float
    busy: float
    seconds: float
    failures: float
    dollars: float | None
    joules: float | None
    checkpoint_bytes: float


def run(
    tokens: float, step_tokens: float, step_seconds: float, chips: int, g: Goodput, state_bytes: float, *,
    price: float | None, power: float | None,
) -> Run:  # fmt: skip
    """Return a run of so many tokens.

    Parameters
    ----------
    tokens, step_tokens : float
        Of the run and of a step. [tokens]
    step_seconds : float
        [s]
    chips : int
        [chips]
    g : Goodput
    state_bytes : float
        Of a checkpoint. [bytes]
    price : float or None
        Of a chip. [$/s]
    power : float or None
        Of a chip. [W]

    Raises
    ------
    InputError
        For no tokens.
    """
    if not tokens > 0:
        raise InputError(f"--tokens: {tokens:g} must be positive")
    steps = tokens / step_tokens
    busy = steps * step_seconds
    seconds = busy / g.share
    return Run(
        steps, busy, seconds, seconds / g.between, None if price is None else price * chips * seconds,
        None if power is None else power * chips * seconds, state_bytes,
    )  # fmt: skip
