"""Hit rates of a prompt cache: exactly those of a plain cache at every size and time to live, and the simulator's."""

from __future__ import annotations

import dataclasses
import math
import time
from collections import OrderedDict

import numpy as np
import pytest

from headway.errors import InputError
from headway.plan.simulated import placed
from headway.questions import Request
from headway.simulation import Requests
from headway.simulation.deployment import Operation
from headway.simulation.hit_rates import hit_rates
from headway.simulation.prefixes import Prefix
from headway.simulation.traffic import traffic

UNIT = 16


def drawn(seed, count=300, chained=True, twice=False):
    """Prompts down a random tree of blocks: identities name the way to a block, or (not chained) any block anywhere."""
    rng = np.random.default_rng(seed)
    prompts, hashes = [], []
    names = {}
    for _ in range(count):
        way, own = (), []
        for _ in range(rng.integers(0, 9)):
            way = (*way, int(rng.geometric(0.5)))
            own.append(names.setdefault(way, len(names)) if chained else int(rng.integers(40)))
        if not twice:
            own = list(dict.fromkeys(own))
        hashes.append(own)
        prompts.append(max(len(own) * UNIT + int(rng.integers(-UNIT, UNIT)), 1))
    first = np.concatenate([[0], np.cumsum([len(h) for h in hashes])])
    return Requests(
        np.cumsum(rng.exponential(10.0, count)), np.array(prompts), np.ones(count, dtype=np.int64),
        hashes=np.array([x for h in hashes for x in h]), first_hash=first, hash_tokens=UNIT,
    )  # fmt: skip


def plain(r, size, ttl=math.inf, caches=1):
    """A cache of so many blocks, request by request; tokens found."""
    kept = [OrderedDict() for _ in range(caches)]  # block -> when it was used, the longest ago first
    found = 0
    for i in range(len(r)):
        cache, now, blocks = kept[i % caches], r.arrival[i], r.blocks_of(i).tolist()
        while cache and now - next(iter(cache.values())) > ttl:
            cache.popitem(last=False)
        for block in blocks[: (r.prompt[i] - 1) // r.hash_tokens]:
            if block not in cache:
                break
            found += r.hash_tokens
        for block in reversed(blocks[: r.prompt[i] // r.hash_tokens]):
            cache[block] = now
            cache.move_to_end(block)
        while len(cache) > size:
            cache.popitem(last=False)
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", [{}, {"chained": False}, {"chained": False, "twice": True}], ids=str)
def test_every_size_and_time_to_live_is_a_plain_caches(seed, kind):
    r = drawn(seed, **kind)
    one, three = hit_rates(r), hit_rates(r, caches=3)
    assert one.distinct == len({x for i in range(len(r)) for x in r.blocks_of(i)[: r.prompt[i] // UNIT].tolist()})
    assert plain(r, 10**9) > plain(r, 10) > 0
    for size in (0, 1, 2, 3, 5, 8, 13, 20, 40, 100, 10**9):
        assert one.found(size * UNIT) == one.found(size * UNIT + UNIT - 1) == plain(r, size)
        assert three.found(size * UNIT) == plain(r, size, caches=3)
        for ttl in (5.0, 50.0, 500.0):
            assert one.found(size * UNIT, ttl) == plain(r, size, ttl)
    for ttl in (1.0, 20.0, 200.0, 2000.0):
        assert one.found(ttl=ttl) == plain(r, 10**9, ttl)
    assert one.share() == plain(r, 10**9) / r.prompt.sum()


def kept_for(r, ttl):
    """Block by block: what is written, and how long each copy lies there, with a time to live that every use renews. [tokens, tokens s]"""
    used, stored, held = {}, 0, 0.0
    for i in range(len(r)):
        for block in r.blocks_of(i)[: r.prompt[i] // UNIT].tolist():
            age = r.arrival[i] - used.get(block, -math.inf)
            stored += age > ttl
            held += 0.0 if block not in used else min(age, ttl)
            used[block] = r.arrival[i]
    return stored * UNIT, (held + len(used) * ttl) * UNIT


@pytest.mark.parametrize("kind", [{}, {"chained": False, "twice": True}], ids=str)
def test_what_a_time_to_live_writes_and_holds(kind):
    r = drawn(3, **kind)
    h = hit_rates(r)
    for ttl in (1.0, 30.0, 300.0, 1e5):
        stored, held = kept_for(r, ttl)
        assert h.stored(ttl) == stored
        assert h.held(ttl) == pytest.approx(held, rel=1e-12)
    assert h.seconds == r.arrival[-1] - r.arrival[0]
    assert (h.gaps <= h.ages).all()
    if not kind:  # the beginning of a prompt is as young as its end
        assert (h.gaps == h.ages).all()


def test_the_size_for_a_part_is_the_smallest_that_does():
    r = drawn(7)
    h = hit_rates(r)
    for part in (0.1, 0.5, 0.9, 1.0):
        size = h.size_for(part)
        assert h.found(size) >= part * h.found() > h.found(size - UNIT)
    nothing = dataclasses.replace(r, hashes=np.arange(len(r.hashes)))
    assert hit_rates(nothing).found() == hit_rates(nothing).size_for() == 0


def test_by_hand():
    """A prompt of whole blocks has its last one computed again; a beginning outlives its end."""
    r = Requests(
        np.array([0.0, 10.0, 30.0, 40.0]), np.array([48, 48, 32, 49]), np.array([1, 1, 1, 1]),
        hashes=np.array([1, 2, 3, 1, 2, 3, 7, 8, 1, 2, 3]), first_hash=np.array([0, 3, 6, 8, 11]), hash_tokens=UNIT,
    )  # fmt: skip
    h = hit_rates(r)
    assert h.found() == UNIT * (2 + 3)  # 47 // 16 of the second, all of the fourth
    assert [h.found(UNIT * n) for n in range(6)] == [0, UNIT, 2 * UNIT, 3 * UNIT, 4 * UNIT, 5 * UNIT]
    assert h.found(ttl=10.0) == 2 * UNIT  # at 30 s old the fourth finds nothing
    assert h.found(ttl=30.0) == 5 * UNIT
    assert (h.distinct, h.prompt_tokens, h.requests) == (5, 177, 4)


@pytest.fixture(scope="module")
def place():
    return placed(Request("llama-3.1-8b", "h200x1", prompt="4k", output=64, layout="tp1", reserve=0.1))


def apart(r, seconds):
    """The same requests, each long after the one before: nobody runs beside another."""
    return dataclasses.replace(r, arrival=np.arange(len(r)) * float(seconds))


def run(place, r, blocks):
    """Tokens that the simulator finds on one replica of so many KV blocks."""
    from headway.simulation.deployment import deployment

    d = deployment(place.setting, place.layout, Operation(prefix=Prefix()))
    d = dataclasses.replace(
        d, engine=dataclasses.replace(d.engine, limits=dataclasses.replace(d.limits, blocks=blocks))
    )
    log = d.run(r)
    assert np.isfinite(log.end).all()
    return int(log.cached.sum())


def test_the_simulator_finds_the_same(place):
    """Mooncake's own prompts. Without limit to the token; in a small pool less by what the running request itself takes."""
    r = apart(traffic("mooncake-conv", count=1500), 600)
    h = hit_rates(r)
    assert run(place, r, 10**8) == h.found() > 0.1 * h.prompt_tokens
    for tokens in (1_000_000, 3_000_000):
        answers = 1 + int(r.output.max()) // 512 + 1  # blocks of an answer and of a prompt's end
        seen = run(place, r, tokens // 16)
        assert h.found(tokens - 512 * answers) <= seen <= h.found(tokens)
        assert 0 < seen < h.found()


def test_the_simulator_finds_the_same_in_conversations(place):
    """Turns go on from answers, which are found, too."""
    r = traffic("sessions:0.001/s,turns=4,prompt=1k,new=200,output=300,think=20s,count=200")
    h = hit_rates(r)
    assert run(place, r, 10**8) == h.found()
    alone = hit_rates(dataclasses.replace(r, output=np.ones_like(r.output)))
    assert h.found() > 1.2 * alone.found()  # answers are a good part of what is found
    fast = hit_rates(traffic("sessions:0.001/s,turns=4,prompt=1k,new=200,output=300,think=2s,count=200"))
    assert fast.found(ttl=30.0) > 1.2 * h.found(ttl=30.0)


def test_conversations_stay_with_their_cache():
    r = traffic("sessions:1/s,turns=4,prompt=1k,new=200,output=300,think=20s,count=400")
    assert hit_rates(r, 4).found() == hit_rates(r).found() > 0
    shared = traffic("agents:1/s,shared=4k,turns=4,prompt=1k,new=200,output=300,think=20s,count=400")
    lost = hit_rates(shared).found() - hit_rates(shared, 4).found()
    assert lost == 3 * (4000 // 64) * 64  # every further cache computes once what all share


def test_a_trace_takes_less_than_seconds():
    r = traffic("mooncake-conv")
    start = time.process_time()
    h = hit_rates(r)
    assert time.process_time() - start < 3
    assert h.distinct > 100_000


@pytest.mark.parametrize(("call", "says"), [
    (lambda h, r: hit_rates(traffic("azure-conv")), "traffic azure-conv: does not say what its prompts share; mooncake-conv"),
    (lambda h, r: hit_rates(r, 0), "prompt caches: 0"), (lambda h, r: h.found(-1), "a size of -1 tokens"),
    (lambda h, r: h.found(math.nan), "a size of nan"), (lambda h, r: h.share(ttl=0), "a time to live of 0 s"),
    (lambda h, r: h.size_for(0), "0 of the most"), (lambda h, r: h.size_for(1.1), "at most 1"),
])  # fmt: skip
def test_refusals(call, says):
    r = drawn(0)
    with pytest.raises(InputError, match=says):
        call(hit_rates(r), r)
