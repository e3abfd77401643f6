"""What a scheduler decides: which prompts the next pass carries, and whether sequences decode in it."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Chunk(NamedTuple):
    """A piece of a prompt in a pass.

    Attributes
    ----------
    who : int
        The request. [1]
    new : int
        Tokens of it in this pass. [tokens]
    """

    who: int
    new: int


class Scheduled(Protocol):
    """What a policy may see and do; `Replica` is one."""

    @property
    def decoding_count(self) -> int:
        """Sequences that decode. [sequences]"""
        ...

    @property
    def begun(self) -> list[int]:
        """Requests whose prompts are under way, in order of admission."""
        ...

    @property
    def budget(self) -> int:
        """Most tokens of a pass. [tokens]"""
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


class Policy(Protocol):
    """A scheduler.

    Attributes
    ----------
    mixes : bool
        Whether sequences decode in the passes that carry prompts.
    """

    @property
    def mixes(self) -> bool:
        """Whether sequences decode in the passes that carry prompts."""
        ...

    def prompts(self, r: Scheduled) -> list[Chunk]:
        """Return what of which prompts the next pass carries; empty: sequences decode, or nothing happens."""
        ...


def fill(r: Scheduled, room: int) -> list[Chunk]:
    """Return chunks in order of admission, then of arrival, up to a number of tokens.

    Parameters
    ----------
    r : Scheduled
    room : int
        Tokens that they may have together; a longer prompt is cut. [tokens]
    """
    found: list[Chunk] = []
    for who in r.begun:
        if room <= 0:
            return found
        new = min(r.rest(who), room)
        found.append(Chunk(who, new))
        room -= new
    while room > 0:
        who = r.admit()
        if who is None:
            break
        new = min(r.rest(who), room)
        found.append(Chunk(who, new))
        room -= new
    return found
