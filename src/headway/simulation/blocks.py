"""Paged KV cache by counts: which block belongs to whom does not matter, how many are taken at each pass does."""

from __future__ import annotations

from dataclasses import dataclass, field

from headway.errors import InputError


@dataclass(slots=True)
class Blocks:
    """The KV pool of a replica.

    A decoding sequence takes a block whenever its last one is full: every `size` passes. Sequences are counted by the pass
    (modulo `size`) at which that happens, so that a pass costs one look-up and a run of passes a division.

    Attributes
    ----------
    total : int
        Blocks of the pool. [blocks]
    size : int
        Tokens of a block. [tokens]
    free : int
        Blocks that hold nothing; below 0 until as many of the spare ones are given up. [blocks]
    spare : int
        Blocks that hold a prefix which nobody uses now: given up for whoever needs them. [blocks]
    turn : list of int
        Sequences that take a block at each pass, modulo `size`. [sequences]
    """

    total: int
    size: int
    free: int = field(init=False)
    spare: int = field(init=False, default=0)
    turn: list[int] = field(init=False)
    _growing: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.total < 1 or self.size < 1:
            raise InputError(f"a KV pool needs blocks of at least 1 token, not {self.total:,} of {self.size:,}")
        self.free, self.turn = self.total, [0] * self.size

    @property
    def used(self) -> int:
        """Blocks that somebody uses. [blocks]"""
        return self.total - self.free - self.spare

    def of(self, tokens: int) -> int:
        """Return the blocks that so many tokens of one sequence take.

        Parameters
        ----------
        tokens : int
            [tokens]
        """
        return -(-tokens // self.size)

    def join(self, cached: int, passed: int) -> None:
        """Count a sequence among those that grow by a token a pass.

        Parameters
        ----------
        cached : int
            Tokens in its cache, whose blocks are taken already. [tokens]
        passed : int
            Decode passes done so far. [passes]
        """
        self.turn[(passed - cached) % self.size] += 1
        self._growing += 1

    def leave(self, cached: int, passed: int) -> None:
        """Count it no more; its blocks stay taken.

        Parameters
        ----------
        cached : int
            Tokens in its cache by now. [tokens]
        passed : int
            Decode passes done by now. [passes]
        """
        self.turn[(passed - cached) % self.size] -= 1
        self._growing -= 1

    def needed(self, passed: int) -> int:
        """Return the blocks that the next pass takes.

        Parameters
        ----------
        passed : int
            Decode passes done so far. [passes]
        """
        return self.turn[passed % self.size]

    def lasting(self, passed: int, most: int) -> int:
        """Return how many passes the blocks that nobody uses last, up to `most`.

        Parameters
        ----------
        passed, most : int
            Decode passes done so far; passes asked for. [passes]
        """
        free = self.free + self.spare
        if self._growing * (most // self.size + 1) <= free:
            return most
        whole = free // self._growing
        left, done = free - whole * self._growing, min(whole * self.size, most)
        while done < most and self.turn[(passed + done) % self.size] <= left:
            left -= self.turn[(passed + done) % self.size]
            done += 1
        return done

    def grow(self, passed: int, count: int) -> None:
        """Take the blocks of `count` passes.

        Parameters
        ----------
        passed, count : int
            Decode passes done before them; passes. [passes]
        """
        first = passed % self.size
        if count == 1:
            self.free -= self.turn[first]
            return
        whole, rest = divmod(count, self.size)
        last = first + rest
        taken = sum(self.turn[first:last]) + sum(self.turn[: max(last - self.size, 0)])
        self.free -= whole * self._growing + taken
