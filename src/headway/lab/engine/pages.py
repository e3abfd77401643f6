"""The KV pool of the lab engine: real blocks, by number, with prompts' blocks that are found again by what they hold."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field


def identities(tokens: Sequence[int], size: int) -> list[int]:
    """Return the identity of each full block of a prompt: of its tokens and all before them.

    Parameters
    ----------
    tokens : sequence of int
        [1]
    size : int
        Of a block. [tokens]
    """
    found: list[int] = []
    before = b""
    for at in range(0, len(tokens) - size + 1, size):
        before = hashlib.blake2b(before + repr(tuple(tokens[at : at + size])).encode(), digest_size=7).digest()
        found.append(int.from_bytes(before, "big"))
    return found


@dataclass(slots=True, eq=False)
class Seat:
    """A request in the engine.

    Attributes
    ----------
    who, tier : int
        Its number; its tier, 0 the most urgent. [1]
    prompt : list of int
        [1]
    most : int
        Tokens that it wants at the most. [tokens]
    made : list of int
        Tokens of its answer so far. [1]
    done : int
        Tokens in its cache. [tokens]
    blocks, units : list of int
        Numbers of its blocks in order; identities of its prompt's. [1]
    own : int
        Leading blocks that others may find. [blocks]
    cached : int
        Tokens of its prompt that were found when it first boarded. [tokens]
    preempted : int
        How often it lost its place. [1]
    ended : bool
        It has all its tokens, and keeps its seat until all of a padded batch have.
    """

    who: int
    prompt: list[int]
    most: int
    tier: int = 0
    made: list[int] = field(default_factory=list[int])
    done: int = 0
    blocks: list[int] = field(default_factory=list[int])
    units: list[int] = field(default_factory=list[int])
    own: int = 0
    cached: int = 0
    preempted: int = 0
    ended: bool = False

    @property
    def known(self) -> int:
        """Tokens that must be in its cache before it makes another. [tokens]"""
        return len(self.prompt) + len(self.made)

    def tokens(self, new: int) -> list[int]:
        """Return the next tokens that its cache takes.

        Parameters
        ----------
        new : int
            [tokens]
        """
        return (self.prompt + self.made)[self.done : self.done + new]


class Pages:
    """Blocks of a pool. Which one belongs to whom is known here; the simulator counts them.

    Parameters
    ----------
    total, size : int
        Blocks; tokens of each. [blocks, tokens]
    keeps : bool
        Prompts' blocks stay until somebody needs the room, and are found by whoever begins alike.
    reserve : int
        Tokens that every request takes room for; 0: its own. [tokens]
    """

    def __init__(self, total: int, size: int, keeps: bool, reserve: int = 0) -> None:
        self.total, self.size, self.keeps, self.reserve = total, size, keeps, reserve
        self._free = list(range(total - 1, -1, -1))
        self._users: dict[int, int] = {}  # identity -> requests that use it now
        self._where: dict[int, int] = {}  # identity -> block
        self._idle: OrderedDict[int, None] = OrderedDict()  # identities that nobody uses, the longest unused first

    @property
    def unused(self) -> int:
        """Blocks that nobody uses. [blocks]"""
        return len(self._free) + len(self._idle)

    @property
    def used(self) -> int:
        """Blocks that somebody uses. [blocks]"""
        return self.total - self.unused

    def board(self, seat: Seat, growth: int) -> bool:
        """Give a request the blocks of all that must be in its cache, those found again first; False where there is no room.

        Parameters
        ----------
        seat : Seat
        growth : int
            Blocks that those who decode take next. [blocks]
        """
        here = idle = 0
        if self.keeps:
            for unit in seat.units[: (seat.known - 1) // self.size]:  # the last token is always computed
                if unit not in self._where:
                    break
                idle += unit in self._idle
                here += 1
        claim = -(-(self.reserve or seat.known) // self.size) - here
        if claim > self.unused - growth - idle:
            return False
        for unit in seat.units[:here]:
            self._users[unit] = self._users.get(unit, 0) + 1
            self._idle.pop(unit, None)
        seat.blocks = [self._where[unit] for unit in seat.units[:here]] + [self._one() for _ in range(claim)]
        seat.own, seat.done = here, here * self.size
        return True

    def grows(self, seat: Seat) -> bool:
        """Whether a request's next token needs a block that it does not have.

        Parameters
        ----------
        seat : Seat
        """
        return not self.reserve and seat.done == len(seat.blocks) * self.size

    def grow(self, seat: Seat) -> None:
        """Give a request one more block.

        Parameters
        ----------
        seat : Seat
        """
        seat.blocks.append(self._one())

    def _one(self) -> int:
        """A block, of prompts that nobody uses the longest unused where all others are taken."""
        if self._free:
            return self._free.pop()
        unit, _ = self._idle.popitem(last=False)
        return self._where.pop(unit)

    def computed(self, seat: Seat) -> None:
        """Let others find what a request has computed of its prompt; of what two compute at once, one copy is found.

        Parameters
        ----------
        seat : Seat
        """
        if not self.keeps:
            return
        for unit in seat.units[seat.own : seat.done // self.size]:
            if unit in self._users:
                break  # a copy: what comes after it lies behind the other's
            if unit in self._idle:  # its own block takes the place of the one that nobody uses
                del self._idle[unit]
                self._free.append(self._where[unit])
            self._users[unit], self._where[unit] = 1, seat.blocks[seat.own]
            seat.own += 1

    def leave(self, seat: Seat) -> None:
        """Take a request's blocks back; those that others may find stay as long as nobody needs the room.

        Parameters
        ----------
        seat : Seat
        """
        for unit in reversed(seat.units[: seat.own]):  # the end of a prefix is given up before its beginning
            left = self._users[unit] - 1
            if left:
                self._users[unit] = left
            else:
                del self._users[unit]
                self._idle[unit] = None
        self._free += reversed(seat.blocks[seat.own :])
        seat.blocks, seat.own, seat.done = [], 0, 0
