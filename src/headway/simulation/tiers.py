"""Tiers: who of the traffic pays for what, and what each is promised."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headway.errors import InputError
from headway.simulation.admission import ENDLESS, Admission
from headway.simulation.requests import Requests


@dataclass(frozen=True, slots=True)
class Tier:
    """A class of requests; the first named is the most urgent.

    Attributes
    ----------
    name : str
    share : float
        Of the traffic. [share]
    seats : float
        Of a replica's seats that it may take at the most. [share]
    patience : float
        After which one that has not boarded is turned away. [s]
    ttft, tpot : float
        What it is promised: most time to the first token, and per token after it. [s]
    """

    name: str
    share: float
    seats: float = 1.0
    patience: float = math.inf
    ttft: float = math.inf
    tpot: float = math.inf

    def __post_init__(self) -> None:
        if not self.name:
            raise InputError("tiers: each needs a name")
        for what in ("share", "seats"):
            if not 0 < getattr(self, what) <= 1:
                raise InputError(
                    f"tier {self.name}: {what} is {getattr(self, what):g}; it must be above 0 and at most 1"
                )
        for what in ("patience", "ttft", "tpot"):
            if not getattr(self, what) > 0:
                raise InputError(f"tier {self.name}: {what} is {getattr(self, what):g} s; it must be above 0")


def checked(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    """Return tiers whose names differ and whose shares add up to 1.

    Parameters
    ----------
    tiers : sequence of Tier

    Raises
    ------
    InputError
        Otherwise.
    """
    names = [t.name for t in tiers]
    if len(set(names)) < len(names):
        raise InputError(f"tiers {', '.join(names)}: a name stands twice")
    total = sum(t.share for t in tiers)
    if tiers and abs(total - 1) > 1e-6:
        raise InputError(f"tiers {', '.join(names)}: their shares add up to {total:.4g}; they must add up to 1")
    return tuple(tiers)


def dealt(requests: Requests, tiers: Sequence[Tier], seed: int = 0) -> Requests:
    """Return traffic in which each user is of a tier, drawn by the shares; who asks again stays in it.

    Parameters
    ----------
    requests : Requests
    tiers : sequence of Tier
    seed : int
        [1]
    """
    found = checked(tiers)
    if not found:
        return requests
    rng = np.random.default_rng([seed, len(found)])
    tier = rng.choice(
        len(found), size=len(requests), p=np.array([t.share for t in found]) / sum(t.share for t in found)
    )
    after = requests.after
    if len(after):  # predecessors stand before their followers
        for i in np.flatnonzero(after >= 0).tolist():
            tier[i] = tier[after[i]]
    return dataclasses.replace(requests, tier=tier.astype(np.int64), tiers=tuple(t.name for t in found))


def admission(tiers: Sequence[Tier], sequences: int, queue: int = ENDLESS) -> Admission:
    """Return what tiers mean at a replica's door.

    Parameters
    ----------
    tiers : sequence of Tier
    sequences : int
        Seats of a replica. [sequences]
    queue : int
        Most that wait. [requests]
    """
    if not tiers:
        return Admission(queue=queue)
    seats = tuple(max(int(t.seats * sequences), 1) if t.seats < 1 else ENDLESS for t in tiers)
    patience = tuple(t.patience for t in tiers)
    return Admission(
        seats if any(t.seats < 1 for t in tiers) else (),
        patience if any(math.isfinite(p) for p in patience) else (),
        queue,
    )
