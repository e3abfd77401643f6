"""Requests as columns: what arrives, when, and what of its prompt others had before."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headway.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Listed(NamedTuple):
    """The columns of `Requests` that a loop reads one by one, as lists, and two that it writes: tokens made, prompt tokens done."""

    prompt: list[int]
    output: list[int]
    tier: list[int]
    tiers: int
    hashes: list[int]
    first_hash: list[int]
    hash_tokens: int
    follower: dict[int, int]
    made: list[int]
    done: list[int]


def _none() -> Ints:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Requests:
    """Traffic: one entry per request in every column. Requests without a predecessor come first in order of arrival.

    Attributes
    ----------
    arrival : array
        When it comes; of a request with a predecessor, the earliest that it can (0: whenever that has ended). [s]
    prompt, output : array of int
        Its lengths; a prompt counts what it shares with earlier ones. [tokens]
    after : array of int
        Index of the request that must end first (the turn before, the same user's last question), or -1. Empty: none has.
    think : array
        From that one's end until this one comes. Empty: none. [s]
    tier : array of int
        Index into `tiers`. Empty: all of the first.
    tiers : tuple of str
        Names of tiers, the most urgent first.
    hashes : array of int
        Identities of the prompts' blocks, those of all requests one after another. Two prompts share what their first
        blocks have in common. Empty: nobody shares anything.
    first_hash : array of int
        Where each request's begin, and at the end how many there are: one entry more than requests. [1]
    hash_tokens : int
        Tokens of a block that one identity stands for. [tokens]
    name : str
        What the traffic is called in reports.
    source : str
        Where it comes from, with its licence where it is somebody's.
    line : array of int
        Where each stands in its file. Empty: in none.
    """

    arrival: Floats
    prompt: Ints
    output: Ints
    after: Ints = field(default_factory=_none)
    think: Floats = field(default_factory=lambda: np.zeros(0))
    tier: Ints = field(default_factory=_none)
    tiers: tuple[str, ...] = ("standard",)
    hashes: Ints = field(default_factory=_none)
    first_hash: Ints = field(default_factory=_none)
    hash_tokens: int = 512
    name: str = ""
    source: str = ""
    line: Ints = field(default_factory=_none)

    def __post_init__(self) -> None:
        size = len(self.arrival)
        for column in ("prompt", "output", "after", "think", "tier", "line"):
            given = len(getattr(self, column))
            if given != size and (given or column in ("prompt", "output")):
                raise InputError(f"requests: {given} entries of {column} for {size} arrivals")
        if len(self.first_hash) not in (0, size + 1):
            raise InputError(f"requests: first_hash has {len(self.first_hash)} entries; {size + 1} are needed")
        if size and not (np.isfinite(self.arrival).all() and self.arrival.min() >= 0):
            raise InputError("requests: arrivals must be finite and at least 0 s")
        if size and (self.prompt.min() < 1 or self.output.min() < 1):
            raise InputError("requests: prompts and outputs need at least 1 token each")
        free = self.arrival if not len(self.after) else self.arrival[self.after < 0]
        if np.any(np.diff(free) < 0):
            raise InputError("requests: arrivals must be in order")
        if len(self.after) and np.any(self.after >= np.arange(size)):
            raise InputError("requests: a predecessor must stand before its request")

    def __len__(self) -> int:
        return len(self.arrival)

    @property
    def closed(self) -> bool:
        """Whether some requests wait for others to end."""
        return bool(len(self.after) and (self.after >= 0).any())

    @property
    def rate(self) -> float:
        """Requests per second from the first arrival to the last; NaN of fewer than two, or where some wait for others."""
        if len(self) < 2 or self.closed or self.arrival[-1] <= self.arrival[0]:
            return float("nan")
        return (len(self) - 1) / float(self.arrival[-1] - self.arrival[0])

    def blocks_of(self, i: int) -> Ints:
        """Return the identities of a request's blocks.

        Parameters
        ----------
        i : int
            Its index. [1]
        """
        return self.hashes[self.first_hash[i] : self.first_hash[i + 1]] if len(self.first_hash) else self.hashes[:0]

    def listed(self) -> Listed:
        """Return the columns that a loop reads."""
        follower: dict[int, int] = {}
        if len(self.after) and len(self.first_hash):
            for i in np.flatnonzero(self.after >= 0).tolist():
                follower.setdefault(int(self.after[i]), i)
        return Listed(
            self.prompt.tolist(), self.output.tolist(), self.tier.tolist(), max(len(self.tiers), 1) if len(self.tier) else 1,
            self.hashes.tolist(), self.first_hash.tolist(), self.hash_tokens, follower, [0] * len(self), [0] * len(self),
        )  # fmt: skip

    def scaled(self, factor: float) -> Requests:
        """Return the same requests arriving `factor` times as fast; think times stay.

        Parameters
        ----------
        factor : float
            Above 0. [times]
        """
        if not (np.isfinite(factor) and factor > 0):
            raise InputError(f"a rate is scaled by a number above 0, not {factor:g}")
        return dataclasses.replace(self, arrival=self.arrival / factor)
