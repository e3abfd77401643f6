"""What replicas can be run with, against what is known of it in closed form."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest

import headway as hw
from headway.errors import InputError
from headway.parallel import Layout
from headway.plan.operations import Words, autoscale, operation, policy, router, tiers
from headway.plan.simulated import placed
from headway.serving import answer, case
from headway.simulation import Requests
from headway.simulation.autoscaling import Autoscale
from headway.simulation.deployment import Operation, deployment
from headway.simulation.drafting import Drafts, accepted
from headway.simulation.limits import Limits
from headway.simulation.policies import Chunked, DecodeFirst, Departures, PrefillFirst, Static
from headway.simulation.prefixes import Prefix, Store
from headway.simulation.routers import LeastLoaded, PrefixAware, Tiered
from headway.simulation.run import simulate
from headway.simulation.tiers import Tier, dealt
from headway.simulation.traffic import traffic
from headway.simulation.utilisation import Prompts, token_gaps

BIG = hw.Request("llama-3.1-70b", "h200x8", prompt=1000, output=200, layout="tp2")
SMALL = hw.Request("llama-3.1-8b", "h100x1", prompt=512, output=128)


def poisson(rate, count, prompt=512, output=128, seed=1):
    rng = np.random.default_rng(seed)
    return Requests(np.cumsum(rng.exponential(1 / rate, count)), np.full(count, prompt), np.full(count, output))


# departures: lecture 1.4, SYS-A7
def test_a_train_every_20_ms_is_30_ms_on_average_and_40_at_worst():
    """Who comes at any moment waits half a headway on average and a whole one at worst, and rides for one."""
    d = deployment(placed(SMALL).setting, Layout())
    rng = np.random.default_rng(0)
    count, step = 20_000, float(d.clock.seconds(d.clock.amounts_of(64, 0), 64.0))
    requests = Requests(np.sort(rng.uniform(0, count * 0.5, count)), np.full(count, 64), np.ones(count, dtype=int))
    # the ride is made as long as the headway: 20 ms less what a prompt of 64 takes is the way through the server
    log = simulate(d.clock, d.limits, Departures(0.02), requests)
    waits = log.start - log.arrival
    alone = np.diff(log.arrival, prepend=-1) > 0.04
    assert waits[alone].mean() == pytest.approx(0.01, rel=0.02)
    assert 0.0195 < waits[alone].max() <= 0.02 + 1e-9
    assert step < 0.02
    ttft = waits[alone] + 0.02
    assert ttft.mean() == pytest.approx(0.03, rel=0.01)
    assert ttft.max() == pytest.approx(0.04, rel=0.02)
    at = log.start / 0.02
    np.testing.assert_allclose(at, np.rint(at), atol=1e-6)


def test_a_third_who_finds_two_seats_taken_waits_for_the_next_train():
    d = deployment(placed(SMALL).setting, Layout())
    limits = dataclasses.replace(d.limits, sequences=2)
    log = simulate(d.clock, limits, Departures(0.05), Requests(np.full(3, 0.01), np.full(3, 64), np.ones(3, dtype=int)))
    assert log.start.tolist() == pytest.approx([0.05, 0.05, 0.1])


# padding: SYS-I8
def test_padding_wastes_what_it_must():
    """Of equal lengths nothing; else a batch costs prompts as long as its longest, and passes until its longest answer ends."""
    d = deployment(placed(SMALL).setting, Layout(), Operation(policy=Static(4, 10.0)))
    even = Requests(np.zeros(4), np.full(4, 500), np.full(4, 100))
    padded, plain = d.run(even), simulate(d.clock, d.limits, DecodeFirst(), even, d.delay)
    np.testing.assert_allclose(padded.end, plain.end, rtol=1e-12)
    spread = Requests(np.zeros(4), np.array([100, 200, 300, 1400]), np.array([10, 50, 100, 400]))
    padded, plain = d.run(spread), simulate(d.clock, d.limits, DecodeFirst(), spread, d.delay)
    (p,) = padded.passes
    assert p.tokens[0] == 4 * 1400
    assert p.tokens[1:].sum() == 4 * 399  # four seats ride until the longest has ended
    assert p.made.sum() == (spread.output - 1).sum()
    assert plain.passes[0].tokens.sum() == (spread.prompt + spread.output - 1).sum()
    assert padded.end.max() > plain.end.max()
    assert (padded.first > plain.first.min()).all()


def test_a_contiguous_cache_holds_as_many_as_its_longest_allows():
    """Paged memory holds what requests need, contiguous what the longest might."""
    rng = np.random.default_rng(2)
    count = 600
    requests = Requests(np.zeros(count), rng.integers(10, 4000, count), rng.integers(10, 400, count))
    where = placed(hw.Request("llama-3.1-8b", "h100x1", prompt=2000, output=200, reserve=0.6))
    paged = where.run(requests, Operation(policy=DecodeFirst()))
    longest = int((requests.prompt + requests.output).max()) - 1
    whole = where.run(requests, Operation(policy=DecodeFirst(), contiguous=longest))
    limits = whole.deployment.limits
    seats = limits.blocks // -(-longest // limits.block)
    assert whole.log.passes[0].decoding.max() == seats
    assert paged.log.passes[0].decoding.max() > 1.5 * seats
    assert whole.span > paged.span


# tiers: SYS-I3
def test_a_more_urgent_tier_never_waits_longer_at_equal_load():
    d = deployment(placed(SMALL).setting, Layout())
    classes = (Tier("fast", 0.5), Tier("slow", 0.5))
    for rate in (10.0, 40.0, 80.0):
        requests = dealt(poisson(rate, 2000), classes, 1)
        log = simulate(d.clock, dataclasses.replace(d.limits, sequences=48), Chunked(), requests)
        fast, slow = (float(log.queued[requests.tier == i].mean()) for i in (0, 1))
        assert fast <= 1.05 * slow
    assert fast < 0.2 * slow  # under more than is carried all of the waiting is the slow tier's


def test_seats_bound_a_tier():
    d = deployment(
        placed(SMALL).setting,
        Layout(),
        Operation(sequences=10, tiers=(Tier("fast", 0.5, seats=0.3), Tier("slow", 0.5))),
    )
    requests = dealt(poisson(200.0, 400), d.operation.tiers, 1)
    log = d.run(requests)
    fast = np.flatnonzero(requests.tier == 0)
    moments = np.sort(log.start[fast])
    aboard = [int(((log.start[fast] <= t) & (log.end[fast] > t)).sum()) for t in moments]
    assert max(aboard) == 3


def test_patience_turns_away_and_the_rest_waits_no_longer():
    place = placed(SMALL)
    classes = (Tier("only", 1.0, patience=0.5),)
    found = place.run(poisson(200.0, 3000), Operation(sequences=16, tiers=classes))
    log = found.log
    assert 0 < log.turned_away.sum() < 3000
    assert (np.isfinite(log.end) ^ log.turned_away).all()
    assert np.nanmax(log.queued) <= 0.5 + found.deployment.delay + 1e-9
    (tier,) = found.by_tier
    assert tier.requests == 3000
    assert tier.ended + tier.turned_away == 3000


def test_a_full_queue_turns_away():
    found = placed(SMALL).run(poisson(500.0, 500), Operation(sequences=4, queue=2))
    assert found.log.turned_away.any()
    assert not found.saturated or "turned away" in found.text()


def test_users_stay_in_their_tier():
    chats = traffic("sessions:2/s,turns=4,prompt=300,new=100,output=50,think=1s", count=200)
    found = dealt(chats, (Tier("a", 0.5), Tier("b", 0.5)), 3)
    later = np.flatnonzero(found.after >= 0)
    assert (found.tier[later] == found.tier[found.after[later]]).all()
    assert 0.2 < found.tier.mean() < 0.8


# prompt cache: SYS-F6
def shared(turns, prefix_units, gap, unit=64, output=2):
    """Requests one at a time, each the same long prefix and one unit of its own."""
    names = [n for t in range(turns) for n in (*range(prefix_units), 10_000 + t)]
    size = (prefix_units + 1) * unit
    return Requests(
        gap * np.arange(turns), np.full(turns, size), np.full(turns, output), hashes=np.array(names),
        first_hash=(prefix_units + 1) * np.arange(turns + 1), hash_tokens=unit,
    )  # fmt: skip


def test_a_hit_costs_what_the_rest_of_the_prompt_does():
    d = deployment(placed(SMALL).setting, Layout())
    log = d.run(shared(4, 50, 5.0))
    assert log.cached.tolist() == [0, 3200, 3200, 3200]
    rest = float(d.clock.seconds(d.clock.amounts_of(64, 3200), 64.0))
    np.testing.assert_allclose(log.ttft[1:], d.delay + rest, rtol=1e-9)
    off = dataclasses.replace(d.operation, prefix=None)
    assert not deployment(d.setting, d.layout, off).run(shared(4, 50, 5.0)).cached.any()


def test_a_prefix_lives_for_its_ttl_and_a_hit_refreshes_it():
    place = placed(SMALL)
    for gap, hits in ((4.0, 9), (6.0, 0)):
        found = place.run(shared(10, 20, gap), Operation(prefix=Prefix(ttl=5.0)))
        assert (found.log.cached > 0).sum() == hits


def test_what_the_chips_give_up_comes_back_from_below_or_is_computed_again():
    d = deployment(placed(SMALL).setting, Layout())
    limits = dataclasses.replace(d.limits, blocks=-(-3 * 3300 // d.limits.block))  # room for three prompts
    five = [shared(1, 50, 1.0) for _ in range(5)]
    names = np.concatenate([r.hashes + 100_000 * i for i, r in enumerate(five)] * 2)
    ten = Requests(
        3.0 * np.arange(10),
        np.full(10, 51 * 64),
        np.full(10, 2),
        hashes=names,
        first_hash=51 * np.arange(11),
        hash_tokens=64,
    )
    token = 1e-6
    compute = float(d.clock.seconds(d.clock.amounts_of(50 * 64, 0), 50.0 * 64))

    def run(*stores):
        return simulate(d.clock, limits, Chunked(), ten, habits=d.engine.habits._replace(prefix=Prefix(stores=stores)))

    assert run().cached[5:].tolist() == [0] * 5  # all were given up before they came again
    found = run(Store("host", 1e6, token))
    assert found.cached[5:].tolist() == [3200] * 5
    rest = float(d.clock.seconds(d.clock.amounts_of(64, 3200), 64.0))
    np.testing.assert_allclose(found.ttft[5:], 3200 * token + rest, rtol=1e-6)
    slow = run(Store("tape", 1e6, 2 * compute / 3200))  # slower than computing
    assert slow.cached[5:].tolist() == [0] * 5
    small = run(Store("host", 1000.0, token), Store("flash", 1e6, 3 * token))  # what the host has no room for goes on
    assert small.cached[5:].tolist() == [3200] * 5
    assert (small.ttft[5:] > found.ttft[5:]).all()


def test_a_conversation_finds_its_own_answers():
    chats = traffic("sessions:0.2/s,turns=5,prompt=2000,new=100,output=300,think=2s", count=100, seed=4)
    log = deployment(placed(SMALL).setting, Layout()).run(chats)
    later = np.flatnonzero(chats.after >= 0)
    before = chats.after[later]
    there = chats.prompt[before] + chats.output[before] - 1
    assert (
        log.cached[later] > chats.prompt[before] - 64
    ).all()  # all of the turn before, answer included, in whole blocks
    assert (log.cached[later] <= there).all()
    assert (log.cached[later] > there - 64).mean() > 0.95


def test_prefix_aware_routing_finds_more():
    where = placed(BIG)
    agents = traffic("agents:1/s,shared=8k,turns=6,prompt=500,new=200,output=50,think=1s", count=400, seed=2)
    free = dataclasses.replace(
        agents, after=np.zeros(0, dtype=np.int64), think=np.zeros(0), arrival=np.sort(0.05 * np.arange(len(agents)))
    )
    plain = where.run(free, Operation(prefix=Prefix()))
    aware = where.run(free, Operation(prefix=Prefix(), router=PrefixAware()))
    assert aware.cached > plain.cached


# drafts
@pytest.mark.parametrize(("length", "chance"), [(1, 0.6), (3, 0.75), (4, 1.0), (2, 0.0)])
def test_drafts_are_accepted_as_often_as_said(length, chance):
    """(1 - a^(g+1))/(1 - a) tokens a pass (Leviathan et al. 2023, eq. 1)."""
    drawn = accepted(Drafts(length, chance))
    made = np.array([next(drawn) for _ in range(50_000)])
    mean = length + 1 if chance == 1 else (1 - chance ** (length + 1)) / (1 - chance)
    assert made.mean() == pytest.approx(mean, rel=0.01)
    assert made.min() >= 1
    assert made.max() <= length + 1


def test_drafts_end_sooner_and_make_the_same_tokens():
    requests = Requests(20.0 * np.arange(300), np.full(300, 512), np.full(300, 128))  # each alone
    plain, drafted = (placed(dataclasses.replace(SMALL, drafts=g)).run(requests) for g in (0, 3))
    passes = [sum(float(p.count[p.decoding > 0].sum()) for p in s.log.passes) for s in (plain, drafted)]
    each = drafted.deployment.engine.habits.drafts
    mean = (1 - each.acceptance**4) / (1 - each.acceptance)
    assert passes[0] == 300 * 127
    assert (
        passes[0] / mean <= passes[1] <= 1.03 * passes[0] / mean
    )  # the last pass of an answer may make more than it needs
    assert float(np.nanmedian(drafted.log.tpot)) < float(np.nanmedian(plain.log.tpot))
    assert sum(int(p.made.sum()) for p in drafted.log.passes) == int((requests.output - 1).sum())


# split pools
def test_split_pools_hand_over():
    place = placed(BIG)
    found = place.run(poisson(4.0, 400, 1000, 200), prefill="1")
    log, d = found.log, found.deployment
    assert np.isfinite(log.end).all()
    assert set(log.replica.tolist()) <= {1, 2, 3}
    assert len(log.passes) == 4
    front = log.passes[0]
    assert not front.decoding.any()
    assert front.tokens.sum() == log.requests.prompt.sum()
    assert all((p.tokens == p.decoding * p.count).all() for p in log.passes[1:])
    assert found.chips == 8
    alone = place.run(Requests(np.zeros(1), np.array([1000]), np.array([200])), prefill="1")
    clock, way = d.clock, d.engine.habits.transfer
    prefill = float(clock.seconds(clock.amounts_of(1000, 0), 1000.0))
    assert alone.log.ttft[0] == pytest.approx(
        2 * d.delay + prefill + way.latency + 1000 * way.token_seconds, rel=1e-6
    )  # two servers


def test_split_pools_with_users_who_come_back_are_the_open_ones_where_nobody_waits():
    """The order of events across pools: a closed loop of one user sees what open traffic far apart does."""
    place = placed(BIG)
    users = Requests(np.zeros(5), np.full(5, 1000), np.full(5, 50), after=np.arange(5) - 1, think=np.full(5, 1.0))
    closed = place.run(users, prefill="1").log
    apart = place.run(Requests(closed.arrival.copy(), np.full(5, 1000), np.full(5, 50)), prefill="1").log
    np.testing.assert_allclose(closed.end, apart.end, rtol=1e-12)
    many = traffic("closed:32,think=0.1s", prompt=1000, output=50, count=400)
    log = place.run(many, prefill="2").log
    later = np.flatnonzero(many.after >= 0)
    assert np.isfinite(log.end).all()
    np.testing.assert_allclose(log.arrival[later], log.end[many.after[later]] + many.think[later], rtol=1e-12)


def test_a_pool_without_end_of_prompts_costs_decodes_nothing():
    """With prompts elsewhere, decode passes carry no prompt: TPOT is that of decode alone."""
    place = placed(BIG)
    requests = poisson(6.0, 600, 1000, 200)
    split, mixed = place.run(requests, prefill="2"), place.run(requests)
    assert float(np.nanmax(split.log.tpot)) < float(np.nanquantile(mixed.log.tpot, 0.99))


# replicas
def test_each_tier_has_its_own_replicas():
    found = placed(BIG).run(
        poisson(10.0, 500, 1000, 100),
        operation(
            Words(router="tiered:1+3", tiers="fast:30%,slow:70%"),
            placed(BIG).setting,
            Layout(tp=2),
            poisson(10.0, 500, 1000, 100),
        ),
    )
    tier = found.log.requests.tier
    assert set(found.log.replica[tier == 0].tolist()) == {0}
    assert set(found.log.replica[tier == 1].tolist()) == {1, 2, 3}


def test_an_autoscaler_opens_with_the_load_and_only_that_is_paid():
    place = placed(BIG)
    rng = np.random.default_rng(1)
    calm, busy = np.cumsum(rng.exponential(2.0, 100)), np.cumsum(rng.exponential(0.05, 4000))
    arrival = np.concatenate([calm, calm[-1] + busy, calm[-1] + busy[-1] + calm])
    count = len(arrival)
    requests = Requests(arrival, np.full(count, 1000), np.full(count, 200))
    rules = autoscale("16,least=1,boot=30s,calm=1min,every=10s")
    fixed, scaled = place.run(requests), place.run(requests, Operation(autoscale=rules, router=LeastLoaded()))
    used = [
        np.unique(scaled.log.replica[(arrival > a) & (arrival <= b)])
        for a, b in ((0, calm[-1]), (calm[-1] + 100, calm[-1] + busy[-1]))
    ]
    assert len(used[0]) == 1
    assert len(used[1]) == 4
    assert scaled.paid < 0.9 * fixed.paid
    assert scaled.log.rented[0] == pytest.approx(scaled.span)
    assert np.isfinite(scaled.log.end).all()
    assert float(np.nanquantile(scaled.log.ttft, 0.99)) > float(np.nanquantile(fixed.log.ttft, 0.99))


@pytest.mark.parametrize("pp", [2, 4])
def test_a_pipeline_is_as_many_loops_with_a_part_of_the_memory(pp):
    place = placed(dataclasses.replace(BIG, layout=f"tp2pp{pp}"))
    found = place.run(poisson(4.0, 300, 1000, 100))
    assert len(found.log.passes) == found.replicas * pp
    whole = place.setting.pool(place.layout, place.setting.account(place.layout)).blocks
    assert found.deployment.limits.blocks * pp <= whole
    s = place.setting
    plan = answer(case(s, place.layout, concurrency=1, copies=1))
    one = place.run(Requests(np.zeros(1), np.array([1000]), np.array([200])))
    assert float(one.log.tpot[0]) == pytest.approx(plan.tpot, rel=0.02)


# who loses its place
def test_swapping_moves_what_recomputing_computes_again():
    d = deployment(placed(SMALL).setting, Layout())
    requests = Requests(np.zeros(30), np.full(30, 300), np.full(30, 400))
    limits = dataclasses.replace(d.limits, blocks=-(-6000 // d.limits.block), whole=False)
    again = simulate(d.clock, limits, Chunked(), requests)
    moved = simulate(d.clock, dataclasses.replace(limits, swap=1e-7), Chunked(), requests)
    assert again.preempted.any()
    assert moved.preempted.any()
    assert again.passes[0].tokens.sum() > (requests.prompt + requests.output - 1).sum()
    assert moved.passes[0].tokens.sum() == (requests.prompt + requests.output - 1).sum()
    slow = simulate(d.clock, dataclasses.replace(limits, swap=1e-4), Chunked(), requests)
    assert slow.end.max() > moved.end.max()


def test_words_are_what_they_say():
    assert policy("engine") is None
    assert policy("prefill-first") == PrefillFirst()
    assert policy("static:8,timeout=250ms") == Static(8, 0.25)
    assert policy("departures:20ms") == Departures(0.02)
    assert router("prefix-aware,ahead=8") == PrefixAware(8)
    assert router("tiered:2+6", [0, 1]) == Tiered([0, 1], (2, 6))
    assert tiers("fast:20%,seats=40%,ttft=500ms,batch:0.8,patience=1h") == (
        Tier("fast", 0.2, seats=0.4, ttft=0.5), Tier("batch", 0.8, patience=3600.0)
    )  # fmt: skip
    assert autoscale("8") == Autoscale(target=8)
    assert math.isinf(Tier("a", 1.0).ttft)


def test_tiers_pay_the_rent_together():
    place = placed(BIG)
    come = poisson(12.0, 800, 1000, 100)
    for words in (Words(tiers="fast:20%,slow:80%"), Words(tiers="fast:20%,slow:80%", router="tiered:2+2")):
        found = place.run(come, operation(words, place.setting, place.layout, come))
        assert sum(t.paid for t in found.by_tier) == pytest.approx(found.paid)
        costs = [t.paid / t.output_rate for t in found.by_tier]
    assert costs[0] > 2 * costs[1]  # machines of its own for a fifth of the traffic
    assert found.by_tier[0].paid == pytest.approx(found.paid / 2)


def test_times_between_tokens_are_those_of_every_request():
    """Summed over all tokens they are what requests took after their first token, under every policy."""
    place = placed(SMALL)
    for how in (Chunked(), PrefillFirst(), DecodeFirst(), Static(8, 0.5), Departures(0.03)):
        found = place.run(poisson(30.0, 400), Operation(policy=how))
        gaps, weights = (
            np.concatenate(x)
            for x in zip(*[token_gaps(p, found.log.first, found.log.end) for p in found.log.passes], strict=True)
        )
        assert (weights >= 0).all()
        assert weights.sum() == pytest.approx(400 * 127)
        assert (gaps * weights).sum() == pytest.approx(float((found.log.end - found.log.first).sum()), rel=1e-6)
        assert found.itl[0].value <= found.itl[3].value


def test_what_the_chips_did_is_below_what_they_can():
    for asked, prefill in ((SMALL, None), (BIG, "1"), (dataclasses.replace(BIG, layout="tp2pp2"), None)):
        found = placed(asked).run(poisson(8.0, 300, 1000, 200), prefill=prefill)
        mfu, mbu = found.used
        assert 0 < mfu < found.busy
        assert 0 < mbu < found.busy
        assert 0 < found.occupied < 1
        assert found.joules_per_token > 0


@pytest.mark.parametrize("layout", ["tp2", "dp4", "dp8"])
def test_mfu_is_what_all_requests_compute_over_what_all_chips_could(layout):
    """Data-parallel groups count each with its own sequences, none as the busiest of them."""
    place = placed(dataclasses.replace(SMALL, system="h100x8", layout=layout))
    come = poisson(200.0, 400, 512, 64)
    found = place.run(come)
    head = 128_256 * 4096  # of 8.03e9 parameters, as many again in the embedding; 32 layers of 32 heads of 128
    body = 2 * (8.03e9 - 2 * head) * 400 * (512 + 63) + 2 * head * 400 * 64
    attention = 4 * 32 * 4096 * 400 * (512**2 / 2 + 63 * 544)  # scores and values
    peak = 989.4e12 * 8  # bf16, of all replicas
    assert found.used[0] == pytest.approx((body + attention) / (peak * found.span), rel=0.02)


def test_times_between_tokens_have_intervals():
    found = placed(SMALL).run(poisson(30.0, 400))
    for q in found.itl:
        assert q.low <= q.value <= q.high
    assert found.itl[0].low < found.itl[3].high


def test_a_watermark_keeps_blocks_free_for_those_who_run():
    come = Requests(np.zeros(40), np.full(40, 300), np.full(40, 400))
    d = deployment(placed(SMALL).setting, Layout())
    limits = dataclasses.replace(d.limits, blocks=-(-8000 // d.limits.block), whole=False)
    kept = dataclasses.replace(limits, watermark=limits.blocks // 5)
    plain, careful = (simulate(d.clock, x, Chunked(), come) for x in (limits, kept))
    assert careful.preempted.sum() < plain.preempted.sum()
    assert np.isfinite(careful.end).all()
    with pytest.raises(InputError, match=r"20% or 0\.2"):
        operation(Words(watermark="2"), d.setting, Layout(), come)


@pytest.mark.parametrize("how", [Chunked(), PrefillFirst()])
def test_average_prices_times_volumes_are_the_rent(how):
    place = placed(SMALL)
    chats = traffic("sessions:2/s,turns=4,prompt=1500,new=100,output=100,think=1s", count=300, seed=4)
    for come in (poisson(20.0, 400), chats):
        found = place.run(come, Operation(policy=how, prefix=Prefix()))
        prices, who = found.prices, found.attribution
        paid = sum(p * t for p, t in zip(prices, who.tokens, strict=True) if t) / 1e6
        assert paid == pytest.approx(place.setting.system.price * found.paid)
        assert sum(who.tokens[:2]) == come.prompt.sum()
        assert who.tokens[2] == come.output.sum()
        assert prices[2] > prices[0]  # making a token costs more than reading one
    assert 0 < prices[1] < 0.2 * prices[0]  # and one that is found, less


def test_prompts_of_their_own_passes_pay_for_them():
    found = placed(SMALL).run(poisson(10.0, 300), Operation(policy=PrefillFirst()))
    (p,) = found.log.passes
    assert found.attribution.fresh == pytest.approx(float(p.seconds[p.decoding == 0].sum()))
    assert found.attribution.output == pytest.approx(float(p.seconds[p.decoding > 0].sum()))


def test_split_pools_are_paid_by_whom_they_serve():
    found = placed(BIG).run(poisson(4.0, 300, 1000, 200), prefill="1")
    assert found.attribution.shares == pytest.approx((2 / 8, 0.0, 6 / 8))
    volumes = found.attribution.tokens
    assert sum(p * t for p, t in zip(found.prices, volumes, strict=True) if t) / 1e6 == pytest.approx(
        found.deployment.setting.system.price * found.paid
    )


def test_prompts_of_a_pass_have_the_attention_and_cache_of_all():
    """Prompts of 100 after 300 found and of 300 after none: a token has (100^2 + 300^2)/400 beside it and 75 before, on average."""
    log = SimpleNamespace(
        start=np.array([0.0, 1.0, np.nan]),
        cached=np.array([300, 0, 0]),
        requests=SimpleNamespace(prompt=np.array([400, 300, 9999])),
    )
    both = Prompts.of(log)
    g = (both + both).among(np.array([500.0]))
    assert float(g.new) == pytest.approx(250)
    assert float(g.sequences[0]) == pytest.approx(2)
    assert float(g.context) == pytest.approx(75)


@pytest.mark.parametrize(("groups", "first"), [(1, 4096), (4, 1024)])
def test_a_prompts_chunk_is_at_most_its_groups_part(groups, first):
    limits = Limits(4096, 64, 10_000, groups=groups)
    clock = deployment(placed(SMALL).setting, Layout()).clock
    log = simulate(clock, limits, Chunked(), Requests(np.zeros(1), np.full(1, 6000), np.full(1, 4)))
    p = log.passes[0]
    assert p.tokens[0] / p.count[0] == first
