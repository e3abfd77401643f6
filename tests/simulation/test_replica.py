"""The loop of passes: a jump is what stepping gives, a plain loop over sequences gives the same, and the rules hold."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogued import load
from headway.hardware import chip
from headway.parallel import Layout, build_step
from headway.roofline import Load, PassClock, compiled, profile
from headway.roofline.load import Group
from headway.simulation import Requests
from headway.simulation.limits import Limits
from headway.simulation.policies import Chunked, DecodeFirst, PrefillFirst
from headway.simulation.routers import LeastLoaded
from headway.simulation.run import simulate

H100 = chip("H100 SXM")
POLICIES = [Chunked(), PrefillFirst(), DecodeFirst()]


def stepped(model, layout, engine):
    return compiled(build_step(load(model), layout), H100, profile(engine).on(H100))


STEPS = {
    "dense": stepped("llama-3.1-8b", Layout(), "vllm"),
    "windows": stepped("gpt-oss-120b", Layout(tp=2), "sglang"),
    "groups": stepped("deepseek-ai/DeepSeek-V3", Layout(dp=16, ep=16), "sglang"),
    "ideal": stepped("llama-3.1-8b", Layout(tp=2), "ideal"),
}
CLOCKS = {name: PassClock(step) for name, step in STEPS.items()}


@st.composite
def scenarios(draw):
    count = draw(st.integers(1, 25))
    gaps = draw(st.lists(st.floats(0, 0.5), min_size=count, max_size=count))
    lengths = st.lists(st.integers(1, 700), min_size=count, max_size=count)
    requests = Requests(np.cumsum(gaps), np.array(draw(lengths)), np.array(draw(lengths)))
    block = draw(st.sampled_from([1, 16, 64]))
    limits = Limits(
        tokens=draw(st.sampled_from([64, 300, 8192])),
        sequences=draw(st.integers(1, 30)),
        blocks=draw(st.integers(1400 // block + 1, 8000 // block)),
        block=block,
        whole=draw(st.booleans()),
    )
    return requests, limits


@settings(max_examples=1000, deadline=None)
@given(scenarios(), st.sampled_from(sorted(CLOCKS)), st.sampled_from(POLICIES))
def test_a_jump_is_what_stepping_gives(scene, name, policy):
    """To rounding, for each request, under every policy."""
    requests, limits = scene
    jumped = simulate(CLOCKS[name], limits, policy, requests)
    one_by_one = simulate(CLOCKS[name], dataclasses.replace(limits, jump=False), policy, requests)
    for what in ("start", "first", "end"):
        np.testing.assert_allclose(getattr(jumped, what), getattr(one_by_one, what), rtol=1e-11, atol=0)
    assert jumped.passes[0].count.sum() == one_by_one.passes[0].count.sum()
    assert (jumped.preempted == one_by_one.preempted).all()


def plain_loop(step, limits, policy, requests):  # noqa: C901, PLR0912 - the whole rule in one place, to be read beside the engine
    """A plain loop: every sequence by itself, its blocks counted one by one, every pass timed as a Load."""
    now, waiting, running, done, made = 0.0, [], [], {}, {}
    decoding, first, end, coming = set(), {}, {}, list(range(len(requests)))
    prompt, output = requests.prompt, requests.output

    def blocks(i, tokens):
        return -(-(prompt[i] + output[i] - 1 if limits.whole else tokens) // limits.block)

    def known(i):
        return prompt[i] + made[i]

    def held():
        return sum(blocks(i, done[i] if i in decoding else known(i)) for i in running)

    def next_blocks():
        return sum(blocks(i, done[i] + 1) - blocks(i, done[i]) for i in decoding)

    while coming or waiting or running:
        while coming and requests.arrival[coming[0]] <= now:
            i = coming.pop(0)
            waiting.append(i)
            made[i] = 0
        short = False
        while decoding and held() + next_blocks() > limits.blocks:
            i = running.pop()
            decoding.discard(i)
            waiting.insert(0, i)
            short = True
        room = limits.tokens - len(decoding) if policy.mixes else limits.tokens
        if isinstance(policy, DecodeFirst):
            room = 0 if decoding else 10**9
        chunks = []
        for i in [i for i in running if i not in decoding]:
            new = min(known(i) - done[i], room)
            if new > 0:
                chunks.append((i, new))
                room -= new
        while room > 0 and waiting and not short and len(running) < limits.sequences:
            i = waiting[0]
            if held() + blocks(i, known(i)) + next_blocks() > limits.blocks:
                break
            waiting.pop(0)
            running.append(i)
            done[i] = 0
            new = min(known(i), room)
            chunks.append((i, new))
            room -= new
        riders = sorted(decoding) if policy.mixes or not chunks else []
        if not riders and not chunks:
            now = max(now, requests.arrival[coming[0]])
            continue
        groups = [Group(1.0, 1.0, float(done[i])) for i in riders]
        groups += [Group(1.0, float(new), float(done[i])) for i, new in chunks]
        now += float(step.seconds(Load(tuple(groups))))
        for i in riders:
            done[i] += 1
            made[i] += 1
        for i, new in chunks:
            done[i] += new
            if done[i] == known(i):
                made[i] += 1
                decoding.add(i)
                first.setdefault(i, now)
        for i in [i for i in running if i in decoding and made[i] == output[i]]:
            running.remove(i)
            decoding.discard(i)
            end[i] = now
    order = range(len(requests))
    return np.array([first[i] for i in order]), np.array([end[i] for i in order])


@settings(max_examples=40, deadline=None)
@given(scenarios(), st.sampled_from(["dense", "windows", "groups"]), st.sampled_from(POLICIES))
def test_a_plain_loop_gives_the_same(scene, name, policy):
    requests, limits = scene
    found = simulate(CLOCKS[name], limits, policy, requests)
    first, end = plain_loop(STEPS[name], limits, policy, requests)
    np.testing.assert_allclose(found.first, first, rtol=1e-9)
    np.testing.assert_allclose(found.end, end, rtol=1e-9)


@given(scenarios(), st.sampled_from(POLICIES))
def test_nothing_is_lost(scene, policy):
    """Everybody ends, in order of boarding; tokens of passes are those of the requests and what was computed again."""
    requests, limits = scene
    log = simulate(CLOCKS["dense"], limits, policy, requests)
    assert not np.isnan(log.end).any()
    assert (log.arrival <= log.start).all()
    assert (log.start < log.first).all()
    assert (log.first <= log.end).all()
    assert (np.diff(log.start) >= 0).all()  # first come, first boarded
    (p,) = log.passes
    assert p.seconds.sum() <= log.now + 1e-9
    least = int((requests.prompt + requests.output - 1).sum())
    assert p.tokens.sum() >= least
    if not log.preempted.any():
        assert p.tokens.sum() == least
    if isinstance(policy, Chunked) and limits.sequences < limits.tokens:
        assert (p.tokens / p.count <= limits.tokens).all()
    busy = p.start[1:] - (p.start + p.seconds)[:-1]
    assert (busy >= -1e-9).all()


def test_alone_it_takes_what_its_passes_take():
    step, clock = STEPS["dense"], CLOCKS["dense"]
    log = simulate(
        clock, Limits(8192, 64, 10_000), Chunked(), Requests(np.array([3.0]), np.array([512]), np.array([128])), 0.05
    )
    prefill = float(step.seconds(Load.prefill(1, 512)))
    decodes = math.fsum(float(step.seconds(Load.decode(1, 512 + i))) for i in range(127))
    assert log.ttft[0] == pytest.approx(0.05 + prefill, rel=1e-12)
    assert log.tpot[0] == pytest.approx(decodes / 127, rel=1e-12)


def test_who_can_never_fit_is_rejected_as_such():
    requests = Requests(np.zeros(3), np.array([100, 5000, 100]), np.array([10, 10, 10]), after=np.array([-1, -1, 1]))
    log = simulate(CLOCKS["dense"], Limits(8192, 64, 100), Chunked(), requests)
    assert log.rejected.tolist() == [False, True, False]
    assert np.isnan(log.end[1])
    assert log.end[2] > 0  # who waited for it comes all the same


def test_turns_come_when_the_one_before_has_ended():
    requests = Requests(
        np.zeros(3), np.full(3, 100), np.full(3, 20), after=np.array([-1, 0, 1]), think=np.array([0, 2.0, 3.0])
    )
    log = simulate(CLOCKS["dense"], Limits(8192, 64, 1000), Chunked(), requests)
    assert log.arrival[1] == pytest.approx(log.end[0] + 2)
    assert log.arrival[2] == pytest.approx(log.end[1] + 3)


def test_littles_law():
    """Mean number in the system = rate x mean time in it, exactly over a run that begins and ends empty."""
    rng = np.random.default_rng(3)
    requests = Requests(np.cumsum(rng.exponential(0.03, 400)), rng.integers(20, 900, 400), rng.integers(2, 200, 400))
    log = simulate(CLOCKS["dense"], Limits(8192, 256, 20_000), Chunked(), requests)
    (p,) = log.passes
    decoding = float((p.decoding * p.seconds).sum())
    assert decoding == pytest.approx(float((log.end - log.first).sum()), rel=1e-9)


@given(scenarios(), st.integers(2, 4), st.sampled_from(POLICIES))
def test_round_robin_is_so_many_alone(scene, count, policy):
    requests, limits = scene
    log = simulate(CLOCKS["dense"], limits, policy, requests, replicas=count)
    for i in range(min(count, len(requests))):
        mine = np.arange(i, len(requests), count)
        alone = Requests(requests.arrival[mine], requests.prompt[mine], requests.output[mine])
        found = simulate(CLOCKS["dense"], limits, policy, alone)
        np.testing.assert_allclose(log.end[mine], found.end, rtol=1e-12)
        assert (log.replica[mine] == i).all()


def test_the_least_loaded_is_taken():
    """Who comes while one replica has a long answer under way goes to the others; all together are dealt out evenly."""
    limits = Limits(8192, 64, 10_000)
    burst = Requests(np.zeros(9), np.full(9, 100), np.full(9, 50))
    log = simulate(CLOCKS["dense"], limits, Chunked(), burst, replicas=3, router=LeastLoaded())
    assert np.bincount(log.replica).tolist() == [3, 3, 3]
    one_long = Requests(np.array([0.0, 5.0, 6.0, 7.0, 8.0]), np.full(5, 100), np.array([5000, 2, 2, 2, 2]))
    log = simulate(CLOCKS["dense"], limits, Chunked(), one_long, replicas=2, router=LeastLoaded())
    assert log.replica.tolist() == [0, 1, 1, 1, 1]
    assert log.end[0] > 8.1
    assert simulate(CLOCKS["dense"], limits, Chunked(), one_long, replicas=2).replica.tolist() == [0, 1, 0, 1, 0]


def test_a_full_replica_is_seen_as_it_is():
    """Two seats each, three long answers: who comes long before they end finds the free seat, not one that will be free."""
    requests = Requests(np.array([0.0, 0.1, 0.2, 5.0]), np.full(4, 100), np.array([2000, 5000, 2500, 10]))
    log = simulate(CLOCKS["dense"], Limits(8192, 2, 10_000), Chunked(), requests, replicas=2, router=LeastLoaded())
    assert log.replica.tolist() == [0, 1, 0, 1]
    assert log.end[:3].min() > 5.5


def test_a_user_stays_with_a_replica():
    users, rounds = 5, 4
    after = np.arange(users * rounds) - users
    requests = Requests(
        np.zeros(users * rounds), np.full(users * rounds, 50), np.full(users * rounds, 10), after=np.maximum(after, -1)
    )
    log = simulate(CLOCKS["dense"], Limits(8192, 64, 1000), Chunked(), requests, replicas=2)
    assert (log.replica.reshape(rounds, users) == log.replica[:users]).all()
