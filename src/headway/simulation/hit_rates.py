"""Hit rates of a prompt cache of every size, by one look at the traffic: stack distances of the longest-unused-first rule."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from headway.errors import InputError
from headway.simulation.requests import Floats, Ints, Requests


@dataclass(frozen=True)
class HitRates:
    """What of the prompts a cache would have had, whatever its size and its time to live.

    Attributes
    ----------
    unit_tokens : int
        Of a block that the traffic tells apart; caches hold whole ones. [tokens]
    prompt_tokens : int
        Of all prompts. [tokens]
    requests : int
        [requests]
    distinct : int
        Different blocks that were ever kept, in all caches together. [blocks]
    caches : int
        That share the traffic, each for itself. [1]
    needs : array of int
        Of every block of a prompt that was computed before in the same cache: the smallest cache that still has it and all blocks
        before it. [blocks]
    ages : array
        Of the same: the longest time since it or a block before it was used. [s]
    gaps : array
        Of the same: the time since it was used itself. [s]
    waits : array
        Time from each use of a block to its next in the same cache, found or not, the shortest first. [s]
    seconds : float
        From the first request to the last. [s]
    """

    unit_tokens: int
    prompt_tokens: int
    requests: int
    distinct: int
    caches: int
    needs: Ints
    ages: Floats
    gaps: Floats
    waits: Floats
    seconds: float

    @functools.cached_property
    def _sorted(self) -> dict[float, Ints]:
        return {}

    def _within(self, ttl: float) -> Ints:
        """Needs of what is not too old, the smallest first."""
        if not ttl > 0:
            raise InputError(f"prompt cache: a time to live of {ttl:g} s; it must be above 0")
        if ttl not in self._sorted:
            self._sorted[ttl] = np.sort(self.needs[self.ages <= ttl])
        return self._sorted[ttl]

    def found(self, tokens: float = math.inf, ttl: float = math.inf) -> int:
        """Return the prompt tokens that are found. [tokens]

        Parameters
        ----------
        tokens : float
            Size of each cache; infinite: nothing is ever given up. [tokens]
        ttl : float
            After which a block that nobody has used is forgotten. [s]
        """
        if not tokens >= 0:
            raise InputError(f"prompt cache: a size of {tokens:g} tokens; it must be 0 or more")
        units = min(tokens // self.unit_tokens, float(2**62)) if math.isfinite(tokens) else float(2**62)
        return int(np.searchsorted(self._within(ttl), int(units), side="right")) * self.unit_tokens

    def share(self, tokens: float = math.inf, ttl: float = math.inf) -> float:
        """Return the hit rate: the share of all prompts' tokens that is found. [share]

        Parameters
        ----------
        tokens, ttl : float
            As of `found`. [tokens, s]
        """
        return self.found(tokens, ttl) / self.prompt_tokens

    def held(self, ttl: float) -> float:
        """Return what keeping every block for so long after its last use holds, whoever comes or does not. [tokens s]

        Parameters
        ----------
        ttl : float
            After which a block that nobody has used is forgotten. [s]
        """
        soon = int(np.searchsorted(self.waits, ttl, side="right"))
        late = (
            len(self.waits) - soon + self.distinct
        )  # uses after which the whole time passes, the last of each block among them
        return (float(self.waits[:soon].sum()) + late * ttl) * self.unit_tokens

    def stored(self, ttl: float) -> int:
        """Return the tokens that are written into the caches: uses of blocks that were not there any more. [tokens]

        Parameters
        ----------
        ttl : float
            As of `held`. [s]
        """
        late = len(self.waits) - int(np.searchsorted(self.waits, ttl, side="right"))
        return (late + self.distinct) * self.unit_tokens

    def size_for(self, part: float = 0.9, ttl: float = math.inf) -> float:
        """Return the smallest size of each cache that finds so much of what one without limit does; 0 where nothing is found. [tokens]

        Parameters
        ----------
        part : float
            Above 0, at most 1. [share]
        ttl : float
            As of `found`. [s]
        """
        if not 0 < part <= 1:
            raise InputError(
                f"prompt cache: {part:g} of the most that is found; a share above 0 and at most 1 is needed"
            )
        needs = self._within(ttl)
        return float(needs[math.ceil(part * len(needs)) - 1]) * self.unit_tokens if len(needs) else 0.0


def hit_rates(requests: Requests, caches: int = 1) -> HitRates:
    """Return the hit rates of a prompt cache for all sizes and times to live at once.

    Parameters
    ----------
    requests : Requests
        Whose prompts name their blocks.
    caches : int
        Separate ones; conversations go round robin and stay where they are. [1]

    Raises
    ------
    InputError
        When the traffic does not say what prompts share.

    Notes
    -----
    Requests are taken one after another as they come; each is computed and answered before the next (who asks again comes after its
    think time). What it has used is then the newest, a prefix's end older than its beginning, and the longest unused is given up first,
    as `headway.simulation.prefixes` does. Under that rule a cache holds all that a smaller one does, so that a block's place in the
    order of last use, its stack distance, says which sizes still have it (Mattson, Gecsei, Slutz and Traiger 1970, "Evaluation
    techniques for storage hierarchies"). Blocks count from the front: one is found where all before it are, and the last token of a
    prompt is always computed. What is too old stands at the end of the order, so that forgetting it changes no other block's place.
    """
    if not len(requests.first_hash) or not len(requests.hashes):
        raise InputError(
            f"traffic {requests.name or 'given'}: does not say what its prompts share; mooncake-conv, sessions:..., agents:... and "
            "files with hash_ids do"
        )
    if caches < 1:
        raise InputError(f"prompt caches: {caches}; at least 1 is needed")
    when = _moments(requests)
    order = np.argsort(when, kind="stable")
    where = _dealt(requests, order, caches)
    used = _Used.of(requests)
    parts = [_distances(requests, used, when, order[where[order] == c]) for c in range(caches)]
    return HitRates(
        requests.hash_tokens, int(requests.prompt.sum()), len(requests), sum(p.distinct for p in parts), caches,
        np.concatenate([p.needs for p in parts]), np.concatenate([p.ages for p in parts]), np.concatenate([p.gaps for p in parts]),
        np.sort(np.concatenate([p.waits for p in parts])), float(when.max() - when.min()),
    )  # fmt: skip


def _moments(r: Requests) -> Floats:
    """When each request comes if answers take no time."""
    if not r.closed:
        return r.arrival
    when, think = r.arrival.tolist(), r.think.tolist() if len(r.think) else [0.0] * len(r)
    for i, before in enumerate(r.after.tolist()):  # predecessors stand before their followers
        if before >= 0:
            when[i] = max(when[i], when[before] + think[i])
    return np.array(when)


def _dealt(r: Requests, order: Ints, caches: int) -> Ints:
    """Which cache each request goes to: in turns, and who asks again to the same."""
    where = np.zeros(len(r), dtype=np.int64)
    if caches == 1:
        return where
    free = order[r.after[order] < 0] if len(r.after) else order
    where[free] = np.arange(len(free)) % caches
    if r.closed:
        for i, before in enumerate(r.after.tolist()):
            if before >= 0:
                where[i] = where[before]
    return where


@dataclass(frozen=True)
class _Used:
    """Blocks that each request leaves behind: the full ones of its prompt, then those of its answer that a follower's prompt names."""

    units: Ints
    first: Ints

    @classmethod
    def of(cls, r: Requests) -> _Used:
        counts = np.minimum(np.diff(r.first_hash), r.prompt // r.hash_tokens)
        if not r.closed:
            return cls(*_leading(r.hashes, r.first_hash, counts))
        follower = r.listed().follower
        pieces: list[Ints] = []
        for i, count in enumerate(counts.tolist()):
            mine = r.blocks_of(i)[:count]
            after = r.blocks_of(follower[i]) if i in follower else mine
            reach = (int(r.prompt[i]) + int(r.output[i]) - 1) // r.hash_tokens  # the last token is not in the cache yet
            pieces.append(after[: max(reach, count)] if np.array_equal(after[:count], mine) else mine)
        first = np.concatenate([[0], np.cumsum([len(p) for p in pieces])]).astype(np.int64)
        return cls(np.concatenate(pieces), first)


def _leading(values: Ints, first: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """The first so many of each group's values."""
    begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return values[np.arange(begins[-1]) + np.repeat(first[:-1] - begins[:-1], counts)], begins


@dataclass(frozen=True)
class _Part:
    """Of one cache: smallest size, longest age and own gap of each block of a prompt that is found; of all uses the time to the next."""

    needs: Ints
    ages: Floats
    gaps: Floats
    waits: Floats
    distinct: int


def _distances(r: Requests, used: _Used, when: Floats, order: Ints) -> _Part:
    """Smallest cache and longest age at which each block of a prompt is found, and how many different blocks there are."""
    counts = np.diff(used.first)[order]
    begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)  # touches before each request
    number = np.arange(begins[-1]) - np.repeat(begins[:-1], counts)  # of the block in its prompt
    turned = np.repeat(used.first[order + 1] - 1, counts) - number  # a prefix's end is touched before its beginning
    before, distinct = _previous(used.units[turned])
    at = np.minimum(
        counts, np.minimum(np.diff(r.first_hash)[order], (r.prompt[order] - 1) // r.hash_tokens)
    )  # that may be found
    who = np.repeat(np.arange(len(order)), at)
    place = np.arange(len(who)) - np.repeat(np.cumsum(at) - at, at)
    start = begins[who]
    last = before[begins[who + 1] - 1 - place]  # touched before, where a prompt names a block twice by itself
    while len(inside := np.flatnonzero(last >= start)):
        last[inside] = before[last[inside]]
    seen = last >= 0
    never = int(begins[-1]) + 1
    need, age = np.full(len(who), never), np.full(len(who), math.inf)
    need[seen] = start[seen] - last[seen] - _greater(before, start[seen], last[seen])
    moment = np.repeat(when[order], counts)
    age[seen] = when[order][who[seen]] - moment[last[seen]]
    need = np.maximum.accumulate(need + who * (never + 1)) - who * (never + 1)  # of all blocks up to each
    kept, again = need < never, before >= 0
    return _Part(need[kept], _longest(age, at)[kept], age[kept], moment[again] - moment[before[again]], distinct)


def _previous(units: Ints) -> tuple[Ints, int]:
    """Index of the touch of the same block before each, -1 where there is none; and the number of different blocks."""
    order = np.argsort(units, kind="stable")
    same = units[order][1:] == units[order][:-1]
    before = np.full(len(units), -1, dtype=np.int64)
    before[order[1:][same]] = order[:-1][same]
    return before, len(units) - int(same.sum())


def _longest(values: Floats, counts: Ints) -> Floats:
    """Largest value of each group up to each place."""
    known, rank = np.unique(values, return_inverse=True)
    beyond = np.repeat(np.arange(len(counts)) * (len(known) + 1), counts)  # no group's ranks reach the next one's
    return known[np.maximum.accumulate(rank.reshape(-1) + beyond) - beyond]


def _greater(values: Ints, ends: Ints, limits: Ints) -> Ints:
    """How many of the first `ends` values are above a limit, for many questions at once.

    A wavelet matrix (Claude and Navarro 2012): values sorted bit by bit from the highest, each question following its limit's bits.
    """
    values, limits = values + 1, limits + 1  # -1 stands for none
    low, high, found = np.zeros_like(ends), ends.copy(), np.zeros_like(ends)
    for bit in reversed(range(int(values.max(initial=0)).bit_length())):
        ones = (values >> bit) & 1
        sums = np.concatenate([[0], np.cumsum(ones)])
        zeros = len(values) - int(sums[-1])
        below, above = sums[low], sums[high]
        up = (limits >> bit) & 1 == 1
        found += np.where(up, 0, above - below)
        low = np.where(up, zeros + below, low - below)
        high = np.where(up, zeros + above, high - above)
        values = np.concatenate([values[ones == 0], values[ones == 1]])
    return found
