"""What a scheduler decides: which prompts the next pass carries, and whether sequences decode in it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

_ALL = 1 << 62  # requests: as many as there are


Chunk = tuple[int, int]
"""A piece of a prompt in a pass: the request, and its new tokens. A plain tuple: one is made for every prompt."""


class Scheduled(Protocol):
    """What a policy may see and do; `Replica` is one."""

    @property
    def now(self) -> float:
        """The moment. [s]"""
        ...

    @property
    def decode_tokens(self) -> int:
        """New tokens of all sequences that decode, in a pass. [tokens]"""
        ...

    @property
    def begun(self) -> list[int]:
        """Requests whose prompts are under way, in order of admission."""
        ...

    @property
    def queue(self) -> int:
        """Requests that wait. [requests]"""
        ...

    @property
    def since(self) -> float:
        """When the first of those came who wait and never ran; infinite without one. [s]"""
        ...

    @property
    def budget(self) -> int:
        """Most tokens of a pass. [tokens]"""
        ...

    @property
    def groups(self) -> int:
        """Data-parallel groups that have the budget in equal parts. [groups]"""
        ...

    def rest(self, who: int) -> int:
        """Return the tokens of its prompt that are not computed yet.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        ...

    def admit(self) -> int | None:
        """Take the first who waits, where there is a seat and room in the KV pool; None otherwise."""
        ...


class Policy(ABC):
    """A scheduler.

    Attributes
    ----------
    name, says : str
        What it is called, and what it does in a few words.
    mixes : bool
        Whether sequences decode in the passes that carry prompts.
    padded : bool
        All prompts of a pass count as long as the longest, and who has ended stays until all have.
    period : float
        Passes begin at its multiples only; 0: whenever the one before has ended. [s]
    """

    name: ClassVar[str]
    says: ClassVar[str]
    mixes: ClassVar[bool] = True

    @property
    def padded(self) -> bool:
        """Whether prompts count as long as the longest, and who has ended stays until all have."""
        return False

    @property
    def period(self) -> float:
        """Time between departures; 0: a pass begins when the one before has ended. [s]"""
        return 0.0

    @abstractmethod
    def prompts(self, r: Scheduled) -> list[Chunk]:
        """Return what of which prompts the next pass carries; empty: sequences decode, or nothing happens."""

    def wake(self, r: Scheduled) -> float:
        """Return when it may decide otherwise though nobody comes or ends; infinite: never. [s]"""
        return math.inf


def fill(r: Scheduled, room: int, most: int = _ALL) -> list[Chunk]:
    """Return chunks in order of admission, then of arrival, up to a number of tokens.

    Parameters
    ----------
    r : Scheduled
    room, most : int
        Tokens that they may have together; prompts at the most. [tokens, requests]

    Notes
    -----
    A prompt that is longer than its group's part is cut.
    """
    found: list[Chunk] = []
    part = room if r.groups == 1 else max(room // r.groups, 1)
    for who in r.begun:
        if room <= 0:
            return found
        new = min(r.rest(who), room, part)
        found.append((who, new))
        room -= new
    while room > 0 and len(found) < most:
        who = r.admit()
        if who is None:
            break
        new = min(r.rest(who), room, part)
        found.append((who, new))
        room -= new
    return found
