"""Prompt cache: prefixes computed before, found again by the identities of their blocks, kept until somebody needs the room."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from headway.errors import InputError
from headway.simulation.blocks import Blocks


@dataclass(frozen=True, slots=True)
class Store:
    """Memory below the chips' that takes what they give up: a host's, a flash drive's, a pool's over the network.

    Attributes
    ----------
    name : str
    tokens : float
        Of cache that it holds for one replica; infinite without end. [tokens]
    token_seconds : float
        To bring the cache of one token back onto the replica's chips. [s/token]
    latency : float
        Of each time. [s]
    """

    name: str
    tokens: float
    token_seconds: float
    latency: float = 0.0


@dataclass(frozen=True, slots=True)
class Prefix:
    """How a replica keeps prefixes.

    Attributes
    ----------
    ttl : float
        After which one that nobody has used is forgotten. [s]
    stores : tuple of Store
        Where blocks go that the chips' memory gives up, and from there, one after the other.
    """

    ttl: float = math.inf
    stores: tuple[Store, ...] = ()

    def __post_init__(self) -> None:
        if not self.ttl > 0:
            raise InputError(f"prompt cache: a time to live of {self.ttl:g} s; it must be above 0")


@dataclass(slots=True)
class Found:
    """What of a prompt is somewhere already.

    Attributes
    ----------
    here : int
        Leading units in the chips' memory. [units]
    below : int
        Units after them that lie in stores. [units]
    seconds : float
        To bring those up. [s]
    idle : int
        Those of `here` that nobody else uses. [units]
    """

    here: int = 0
    below: int = 0
    seconds: float = 0.0
    idle: int = 0


class Prefixes:
    """The prefixes on one replica. Units are the blocks that the traffic tells apart, of one or more KV blocks.

    Parameters
    ----------
    rules : Prefix
    blocks : Blocks
        The pool that they lie in.
    hashes, first : sequence of int
        Identities of all requests' units one after another, and where each request's begin. [1]
    tokens : int
        Of a unit. [tokens]
    """

    def __init__(self, rules: Prefix, blocks: Blocks, hashes: Sequence[int], first: Sequence[int], tokens: int) -> None:
        self.rules, self.blocks, self.tokens = rules, blocks, tokens
        self.unit = blocks.of(tokens)
        self._hashes, self._first = hashes, first
        self._users: dict[int, int] = {}  # unit -> requests that use it now
        self._idle: OrderedDict[int, float] = OrderedDict()  # unit -> when it was used last, the longest ago first
        self._below: list[OrderedDict[int, float]] = [OrderedDict() for _ in rules.stores]
        self._room = [int(min(s.tokens // tokens, 1 << 40)) for s in rules.stores]
        self.owned: dict[int, list[int]] = {}  # request -> the units that it uses

    def units_of(self, who: int) -> Sequence[int]:
        """Return the identities of a request's units.

        Parameters
        ----------
        who : int
            The request. [1]
        """
        return self._hashes[self._first[who] : self._first[who + 1]]

    def look(self, who: int, known: int, now: float) -> Found:
        """Return what of a prompt is there; its last token is always computed.

        Parameters
        ----------
        who, known, now : int, int, float
            The request; tokens that must be in its cache; the moment. [1, tokens, s]
        """
        found, units, most = Found(), self.units_of(who), (known - 1) // self.tokens
        self._forget(now)
        for unit in units[:most]:
            if unit not in self._users:
                if unit not in self._idle:
                    break
                found.idle += 1
            found.here += 1
        if not self._below:
            return found
        touched: set[int] = set()
        for unit in units[found.here : most]:
            level = self._level_of(unit, now)
            if level is None:
                break
            store = self.rules.stores[level]
            found.seconds += self.tokens * store.token_seconds + (0.0 if level in touched else store.latency)
            touched.add(level)
            found.below += 1
        return found

    def take(self, who: int, found: Found, now: float, below: bool) -> None:
        """Let a request use what was found for it.

        Parameters
        ----------
        who : int
            The request. [1]
        found : Found
        now : float
            [s]
        below : bool
            What lies in stores is brought up; the blocks for it are the request's own until it is there.
        """
        units = self.units_of(who)
        mine = self.owned[who] = list(units[: found.here])
        for unit in mine:
            self._users[unit] = self._users.get(unit, 0) + 1
            if self._idle.pop(unit, None) is not None:
                self.blocks.spare -= self.unit
        if not below:
            return
        for unit in units[found.here : found.here + found.below]:
            level = self._level_of(unit, now)
            if level is not None:
                self._below[level][unit] = now
                self._below[level].move_to_end(unit)

    def _level_of(self, unit: int, now: float) -> int | None:
        """The first store that has a unit which is not too old."""
        for i, level in enumerate(self._below):
            used = level.get(unit)
            if used is not None and now - used <= self.rules.ttl:
                return i
        return None

    def computed(self, who: int, tokens: int) -> None:
        """Let others find what a request has computed; of what two compute at once, one copy is found and the other stays its own.

        Parameters
        ----------
        who, tokens : int
            The request; tokens of its cache. [1, tokens]
        """
        mine, units = self.owned[who], self.units_of(who)
        for unit in units[len(mine) : tokens // self.tokens]:
            if unit in self._users:
                break  # a copy: what comes after it is not found either, for it lies behind the other's
            if self._idle.pop(unit, None) is not None:  # found in its place: the request's own block is given up
                self.blocks.spare -= self.unit
                self.blocks.free += self.unit
            self._users[unit] = 1
            mine.append(unit)

    def release(self, who: int, now: float) -> int:
        """Let a request use its units no longer; returns the blocks of them, which stay as long as nobody needs the room.

        Parameters
        ----------
        who, now : int, float
            The request; the moment. [1, s]
        """
        mine = self.owned.pop(who)
        for unit in reversed(mine):  # the end of a prefix is given up before its beginning
            left = self._users[unit] - 1
            if left:
                self._users[unit] = left
            else:
                del self._users[unit]
                self._idle[unit] = now
                self.blocks.spare += self.unit
        return len(mine) * self.unit

    def answered(self, who: int, follower: int, tokens: int) -> None:
        """Let a follower find the answer that its prompt goes on from.

        Parameters
        ----------
        who, follower, tokens : int
            The request that ends; the one whose prompt begins with all of it; tokens in the cache. [1, 1, tokens]
        """
        mine, units = self.owned[who], self.units_of(follower)
        if list(units[: len(mine)]) != mine:
            return
        for unit in units[len(mine) : tokens // self.tokens]:
            if unit in self._users or unit in self._idle:
                break
            self._users[unit] = 1
            mine.append(unit)

    def make_room(self) -> None:
        """Give up what was used the longest ago until no block is missing."""
        while self.blocks.free < 0 and self._idle:
            unit, used = self._idle.popitem(last=False)
            self.blocks.spare -= self.unit
            self.blocks.free += self.unit
            self._demote(0, unit, used)

    def _demote(self, level: int, unit: int, used: float) -> None:
        if level >= len(self._below) or self._room[level] < 1:
            return
        store = self._below[level]
        store[unit] = used
        store.move_to_end(unit)
        if len(store) > self._room[level]:
            self._demote(level + 1, *store.popitem(last=False))

    def _forget(self, now: float) -> None:
        """Drop what was not used for too long; of what lies in stores `_level_of` says so."""
        while self._idle and now - next(iter(self._idle.values())) > self.rules.ttl:
            self._idle.popitem(last=False)
            self.blocks.spare -= self.unit
            self.blocks.free += self.unit
