"""Tiers, patience, prompt cache, static batches, departures: jumped, stepped, and beside a plain loop over sequences and blocks."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_loop import PlainLoop

from catalogued import load
from headway.hardware import chip
from headway.parallel import Layout, build_step
from headway.roofline import Load, PassClock, compiled, profile
from headway.roofline.load import Group
from headway.simulation import Requests
from headway.simulation.admission import Admission
from headway.simulation.habits import Habits
from headway.simulation.limits import Limits
from headway.simulation.policies import Chunked, DecodeFirst, Departures, PrefillFirst, Static
from headway.simulation.prefixes import Prefix
from headway.simulation.run import simulate

H100 = chip("H100 SXM")
STEPS = {
    "dense": compiled(build_step(load("llama-3.1-8b"), Layout()), H100, profile("vllm").on(H100)),
    "windows": compiled(build_step(load("gpt-oss-120b"), Layout(tp=2)), H100, profile("sglang").on(H100)),
    "groups": compiled(
        build_step(load("deepseek-ai/DeepSeek-V3"), Layout(dp=16, ep=16)), H100, profile("sglang").on(H100)
    ),
}
CLOCKS = {name: PassClock(step) for name, step in STEPS.items()}
POLICIES = [Chunked(), PrefillFirst(), DecodeFirst(), Static(4, 0.3), Departures(0.05)]


class Straight:
    """A clock whose passes take a + b tokens + c cache entries: the same in floating point and in fractions."""

    alone, quick, meters, growing = True, False, 2, (1,)

    def __init__(self, number=float):
        self.sequences = {}
        self.a, self.b, self.c = number(Fraction(1, 128)), number(Fraction(1, 65536)), number(Fraction(1, 1 << 24))

    def amounts_of(self, new, context, logits=1.0):
        return [float(new), float(context + new)]

    def decode_tables(self, longest, new=1.0):
        return [[c + new for c in range(longest + 1)]]

    def seconds(self, totals, tokens, singles=None):
        return self.a + self.b * totals[0] + self.c * totals[1]

    def run(self, count, totals, slopes, tokens, singles=None, steps=None):
        return count * self.seconds(totals, tokens) + self.c * slopes[1] * (count * (count - 1) // 2)

    def until(self, gap, most, first, totals, slopes, tokens, singles=None, steps=None):
        count, took = 1, first
        while count < most and took < gap:
            took += self.seconds([totals[0], totals[1] + count * slopes[1]], tokens)
            count += 1
        return count, took

    def of(self, groups):
        return self.a + self.b * sum(n for n, _ in groups) + self.c * sum(n + c for n, c in groups)


def timed(step):
    return lambda groups: float(step.seconds(Load(tuple(Group(1.0, float(n), float(c)) for n, c in groups))))


@st.composite
def scenarios(draw, policies=POLICIES):
    policy = draw(st.sampled_from(policies))
    count = draw(st.integers(1, 25))
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.exponential(draw(st.sampled_from([0.0, 0.05, 0.4])), count))
    prompt, output = rng.integers(1, 700, count), rng.integers(1, draw(st.sampled_from([2, 60, 400])), count)
    tiers = draw(st.integers(1, 3))
    block, unit = draw(st.sampled_from([(1, 16), (16, 16), (16, 32), (64, 64)]))
    names, first = [], [0]
    for i in range(count):
        family, shared = int(rng.integers(0, 3)), int(rng.integers(0, 20))
        many = -(-int(prompt[i]) // unit)
        names += [1000 * (family + 1) + k if k < shared else 100_000 + 1000 * i + k for k in range(many)]
        first.append(len(names))
    requests = Requests(
        arrival, prompt, output, tier=rng.integers(0, tiers, count), tiers=tuple("abc"[:tiers]),
        hashes=np.array(names, dtype=np.int64), first_hash=np.array(first), hash_tokens=unit,
    )  # fmt: skip
    least = -(-1110 // block)
    whole = policy.padded or draw(st.booleans())
    limits = Limits(
        tokens=draw(st.sampled_from([64, 300, 8192])), sequences=draw(st.integers(1, 30)), block=block,
        blocks=draw(st.integers(least, 5 * least)), whole=whole, reserve=draw(st.sampled_from([0, 0, 1110])),
        watermark=draw(st.sampled_from([0, 0, least // 10])),
    )  # fmt: skip
    seats = tuple(rng.integers(1, 8, tiers).tolist()) if draw(st.booleans()) else ()
    patience = tuple(rng.choice([0.05, 1.0, math.inf], tiers).tolist()) if draw(st.booleans()) else ()
    queue = draw(st.sampled_from([1 << 40, 1 << 40, 3, 0]))
    prefix = draw(st.sampled_from([None, Prefix(), Prefix(ttl=0.5)]))
    if limits.whole and prefix is not None and limits.reserve:
        prefix = None
    return policy, requests, limits, Habits(Admission(seats, patience, queue), prefix)


def same(found, plain, requests, tolerance):
    for what in ("start", "first", "end"):
        said = getattr(plain.out, what)
        wanted = np.array([float(said.get(i, math.nan)) for i in range(len(requests))])
        np.testing.assert_allclose(getattr(found, what), wanted, rtol=tolerance, atol=tolerance, err_msg=what)
    assert set(np.flatnonzero(found.turned_away).tolist()) == plain.out.away
    assert {i: n for i, n in enumerate(found.preempted.tolist()) if n} == plain.out.preempted
    assert {i: n for i, n in enumerate(found.cached.tolist()) if n} == plain.out.cached


@settings(max_examples=400, deadline=None)
@given(scenarios(), st.sampled_from(sorted(CLOCKS)))
def test_a_jump_is_what_stepping_gives(scene, name):
    policy, requests, limits, habits = scene
    runs = [
        simulate(CLOCKS[name], dataclasses.replace(limits, jump=jump), policy, requests, habits=habits)
        for jump in (True, False)
    ]
    for what in ("start", "first", "end"):
        np.testing.assert_allclose(getattr(runs[0], what), getattr(runs[1], what), rtol=1e-11, atol=0)
    for what in ("preempted", "cached", "turned_away", "replica"):
        assert (getattr(runs[0], what) == getattr(runs[1], what)).all()
    assert runs[0].passes[0].made.sum() == runs[1].passes[0].made.sum()


@settings(max_examples=200, deadline=None)
@given(scenarios(), st.sampled_from(sorted(CLOCKS)))
def test_a_plain_loop_gives_the_same(scene, name):
    policy, requests, limits, habits = scene
    found = simulate(CLOCKS[name], limits, policy, requests, habits=habits)
    plain = PlainLoop(timed(STEPS[name]), limits, policy, requests, admission=habits.admission, prefix=habits.prefix)
    plain.run()
    same(found, plain, requests, 1e-9)


@settings(max_examples=200, deadline=None)
@given(scenarios([p for p in POLICIES if not isinstance(p, Departures)]))
def test_fractions_give_the_same(scene):
    """The same stream through a copy of the queue in exact arithmetic agrees to rounding."""
    policy, requests, limits, habits = scene
    found = simulate(Straight(), limits, policy, requests, habits=habits)
    exact = Straight(Fraction)
    plain = PlainLoop(
        exact.of, limits, policy, requests, admission=habits.admission, prefix=habits.prefix, exact=Fraction
    )
    plain.run()
    assert all(isinstance(t, Fraction) for t in plain.out.end.values())
    same(found, plain, requests, 1e-12)


@settings(max_examples=200, deadline=None)
@given(scenarios())
def test_nothing_is_lost(scene):
    """Arrived = ended + turned away; tokens made are those asked for; within a tier first come, first boarded."""
    policy, requests, limits, habits = scene
    log = simulate(CLOCKS["dense"], limits, policy, requests, habits=habits)
    ended = np.isfinite(log.end)
    assert (ended ^ log.turned_away).all()
    (p,) = log.passes
    again = int(log.preempted.sum())  # a cache that is computed again makes a token in the pass that ends it
    assert 0 <= (requests.output - 1)[ended].sum() - p.made.sum() <= again
    assert (p.blocks <= limits.blocks).all()
    assert (p.blocks >= 0).all()
    for tier in range(len(requests.tiers)):
        starts = log.start[(requests.tier == tier) & ended]
        assert (np.diff(starts) >= 0).all()
    if isinstance(policy, Chunked) and limits.sequences < limits.tokens:
        assert (p.tokens / p.count <= limits.tokens).all()
    gaps = p.start[1:] - (p.start + p.seconds)[:-1]
    assert (gaps >= -1e-9).all()
    if not isinstance(policy, Static | Departures) and not habits.admission.seats and not limits.watermark:
        waits = (log.arrival[None, :] < p.start[1:, None] - 1e-9) & (
            np.nan_to_num(log.start, nan=-1)[None, :] > p.start[1:, None] - 1e-9
        )
        assert not (waits.any(axis=1) & (gaps > 1e-9)).any()  # work conservation: nobody waits while nothing runs


@pytest.mark.parametrize("policy", POLICIES)
def test_no_first_come_starves(policy):
    """With one tier everybody who fits is served, in order, however many come after."""
    rng = np.random.default_rng(3)
    requests = Requests(np.cumsum(rng.exponential(0.001, 400)), rng.integers(1, 900, 400), rng.integers(1, 50, 400))
    log = simulate(CLOCKS["dense"], Limits(512, 8, 200, whole=policy.padded), policy, requests)
    assert np.isfinite(log.end).all()
    assert (np.diff(log.start) >= 0).all()
