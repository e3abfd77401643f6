"""The search: contains the best of a brute force, never out of memory or saturated, a frontier without beaten points."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.batching import erlang_c, mean_queue_wait, waiting_chance
from headway.cli import app
from headway.errors import InputError, PhysicsError
from headway.hardware import system
from headway.models import model
from headway.parallel import Layout, LayoutColumns, build_step, check, weights_per_chip
from headway.parallel.sharding import stage_share
from headway.questions import Query
from headway.roofline import IDEAL, Load, profile, step_time
from headway.search import frontier, layouts, search_layouts, space, spent
from headway.search.find import _look as look
from headway.search.fleet import fewest
from headway.search.points import timed, together
from headway.serving import LOOPS, Workload, place

CLOSED = LOOPS["closed_loop"]
DEEPSEEK, LLAMA, OSS = "deepseek-v3", "llama-3.1-70b", "gpt-oss-120b"


def run(capsys, *arguments):
    code = app.run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


# --- the space -----------------------------------------------------------------------------------------------------


def every_layout(arch, chips):
    """Brute force: all products of dimensions up to `chips`, whatever divides and passes `check`."""
    found = set()
    for tp, cp, dp, pp in itertools.product(range(1, chips + 1), repeat=4):
        if tp * cp * dp * pp > chips:
            continue
        for ep in range(1, tp * cp * dp + 1):
            if (tp * cp * dp) % ep or (ep > 1 and arch.experts is None):
                continue
            redundant = -arch.experts.count % ep if arch.experts else 0
            try:
                layout = Layout(tp=tp, cp=cp, dp=dp, ep=ep, pp=pp, redundant=redundant if ep > 1 else 0)
                check(arch, layout)
            except InputError:
                continue
            if runs(arch, layout):
                found.add(layout)
    return found


def runs(arch, x):
    """What engines ask beyond `check`: whole KV heads, no expert sliced below 128 columns, groups of dense models are replicas."""
    heads = {a.ways for _, a in arch.attends() if a.ways > 1}
    if any(k % x.tp and x.tp % k for k in heads) or (arch.experts is None and x.dp > 1):
        return False
    inner = min((min(m.inputs, m.outputs) for k in arch.layers for m in k.linears if m.role == "expert"), default=0)
    return not arch.experts or x.slices == 1 or inner / x.slices >= 128


@pytest.mark.parametrize(("name", "chips"), [(LLAMA, 8), (OSS, 8), (DEEPSEEK, 8)])
def test_the_space_is_complete_inside_a_box(name, chips):
    """Every layout whose replicas fill the box without a remainder, however it is cut, is looked at."""
    arch = model(name)
    mine = {dataclasses.replace(x, shared_copies=False) for x in layouts(arch, chips, chips)}
    brute = {x for x in every_layout(arch, chips) if chips % x.chips == 0}
    assert brute <= mine
    for x in mine:
        check(arch, x)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([DEEPSEEK, OSS, LLAMA, "qwen3-30b-a3b"]),
    st.sampled_from([(8, 8), (72, 72), (32, 8), (16, 8), (24, 72)]),
)
def test_rule_6_every_layout_closes(name, sizes):
    arch, (chips, domain) = model(name), sizes
    for x in layouts(arch, chips, domain):
        check(arch, x)
        assert x.tp * x.cp * x.dp * x.pp == x.chips <= chips
        assert x.slices * x.ep == x.stage_chips
        assert x.tp * x.cp <= domain
        assert domain % x.stage_chips == 0 or x.stage_chips % domain == 0 or x.chips <= domain


@pytest.mark.parametrize("name", [DEEPSEEK, OSS, LLAMA])
def test_a_layouts_memory_sums_to_the_models(name):
    """Over the chips of one group and all stages: the model's bytes, plus what is replicated or copied on purpose."""
    arch = model(name).loaded(mtp=False)
    for x in layouts(arch, 16, 16):
        whole = weights_per_chip(arch, x, even=True) * x.chips
        assert whole >= arch.weight_bytes * (1 - 1e-9)
        if x.dp == x.cp == 1 and not x.redundant and not x.shared_copies:
            replicated = sum(
                k.count * m.bytes * (x.tp / min(x.tp, m.ways) - 1)
                for k in arch.layers
                for m in k.linears
                if m.ways and m.role != "expert"
            )
            vectors = sum(k.count * k.vector_parameters for k in arch.layers) + arch.final_parameters
            vectors *= arch.precision.base.bytes * (x.tp - 1)  # norms lie whole on every chip
            assert whole == pytest.approx(arch.weight_bytes + replicated + vectors, rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([DEEPSEEK, OSS, LLAMA]), st.floats(1, 512), st.floats(64, 32768))
def test_splitting_never_lowers_total_work(name, batch, context):
    """FLOPs and weight bytes over all chips of a stage are at least those of one chip that does everything."""
    arch = model(name)
    load = Load.decode(batch, context)
    chip = system("h200x8").chip

    def total(layout):
        rows = step_time(build_step(arch, layout), load, chip).rows
        work = [r.work for r in rows if r.kind != "collective"]
        return sum(float(w.flops) for w in work) * layout.stage_chips, sum(
            float(w.bytes) for w in work
        ) * layout.stage_chips

    flops, moved = total(Layout())
    for x in random.Random(1).sample(list(layouts(arch, 8, 8)), 12):
        f, b = total(x)
        assert f >= flops * (1 - 1e-9)
        assert b >= moved * (1 - 1e-9)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([DEEPSEEK, OSS, LLAMA]), st.floats(1.01, 8), st.integers(1, 256), st.booleans())
def test_more_link_bandwidth_never_slows(name, factor, batch, scale_out):
    arch, box = model(name), system("h200x32")
    field = "scale_out" if scale_out else "link"
    faster = dataclasses.replace(box.chip, **{field: getattr(box.chip, field) * factor})
    numbers = profile("modern").on(box.chip)
    for x in random.Random(batch).sample(list(layouts(arch, 32, 8)), 10):
        step, load = build_step(arch, x), Load.decode(batch, 4096.0)
        assert step_time(step, load, faster, numbers).seconds <= step_time(step, load, box.chip, numbers).seconds * (
            1 + 1e-12
        )


@pytest.mark.parametrize(
    ("name", "on"), [(DEEPSEEK, "gb200-nvl72"), (DEEPSEEK, "h200x32"), (LLAMA, "h200x16"), (OSS, "mi300x-x8")]
)
def test_columns_of_layouts_are_the_layouts(name, on):
    """One Step with columns for coefficients times every layout as a Step of its own does, to the last bit."""
    arch, box = model(name), system(on)
    numbers = profile("modern").on(box.chip)
    batch = np.geomspace(1, 4096, 7)[None, :]
    load = Load.decode(batch, 8192.0) + Load.prefill(2, 2048.0)
    alike = {}
    for x in layouts(arch, box.chips, box.domain):
        alike.setdefault(x.dimensions, []).append(x)
    assert len(alike) > 5
    for group in alike.values():
        for c in (IDEAL, numbers):
            together = step_time(build_step(arch, LayoutColumns.of(group)), load, box.chip, c).seconds
            together = np.broadcast_to(together, (len(group), batch.size))
            for i in random.Random(0).sample(range(len(group)), min(3, len(group))):
                alone = step_time(build_step(arch, group[i]), load, box.chip, c).seconds[0]
                np.testing.assert_allclose(together[i], alone, rtol=1e-13)
    with pytest.raises(InputError, match="same dimensions"):
        LayoutColumns.of([Layout(), Layout(tp=2)])


# --- the points ----------------------------------------------------------------------------------------------------


def test_the_search_contains_the_best_of_a_brute_force():
    """Layout by layout and batch by batch with scalars: nothing within the limits is cheaper than what the search finds."""
    query = Query(OSS, ("h100x4",), prompt=2000.0, output=400.0, ttft=2.0, tpot=0.03, split=False)
    where = place(query, "h100x4")
    best = math.inf
    for x in every_layout(where.model, 4):
        held = where.account(x)
        step = build_step(where.model, x)
        for batch in np.unique(np.floor(np.geomspace(1, max(held.fits / x.pp, 1), 40))):
            if held.fits < x.pp or 4 % x.chips:
                continue
            w = Workload("closed_loop", float(batch), 2000.0, 400.0, groups=float(x.dp), spread=where.length_spread)
            seconds = {
                k: float(step_time(step, load, where.system.chip, where.numbers).seconds)
                for k, load in CLOSED.passes(w, where.chunk).items()
            }
            beat = stage_share(where.model, x) * x.pp
            found = CLOSED.served(
                w, {k: v * (1 if k == "prefill" else beat) for k, v in seconds.items()}, where.numbers, 0.0
            )
            if found.ttft <= 2.0 and found.tpot <= 0.03:
                rate = float(found.output_rate) * x.pp * (4 // x.chips)
                best = min(best, 4 * where.system.price / rate * 1e6)
    mine = search_layouts(query).best
    assert mine.per_mtok[1] <= best * 1.04  # batches lie 1.2x apart in either
    assert mine.ttft[1] <= 2.0
    assert mine.tpot[1] <= 0.03


def test_points_are_what_a_scalar_closed_loop_says():
    query = Query(DEEPSEEK, ("h200x8",), prompt=3000.0, output=200.0)
    where = place(query, "h200x8")
    found = space(where)
    points = together(where, found, timed(where, found))
    for i in random.Random(3).sample(range(len(points)), 40):
        x, b = found.layouts[points.layout[i]], points.batch[i] / found.layouts[points.layout[i]].pp
        w = Workload("closed_loop", b, 3000.0, 200.0, groups=float(x.dp), spread=where.length_spread)
        step = build_step(where.model, x)
        seconds = {
            k: float(step_time(step, load, where.system.chip, where.numbers).seconds)
            for k, load in CLOSED.passes(w, where.chunk).items()
        }
        beat = stage_share(where.model, x) * x.pp  # of a pipeline's slowest stage
        one = CLOSED.served(w, {k: v * (1 if k == "prefill" else beat) for k, v in seconds.items()}, where.numbers, 0.0)
        assert points.tpot[i] == pytest.approx(float(one.tpot))
        assert points.ttft[i] == pytest.approx(float(one.ttft))
        assert points.rate[i] == pytest.approx(float(one.output_rate) * x.pp * (8 // x.chips))


@settings(max_examples=8, deadline=None)
@given(st.sampled_from([DEEPSEEK, LLAMA, OSS]), st.sampled_from(["h200x8", "b200x8", "h200x16", "mi300x-x8"]),
       st.sampled_from([512.0, 4096.0, 32768.0]), st.sampled_from([32.0, 512.0, 4096.0]), st.booleans())  # fmt: skip
def test_nothing_that_does_not_fit_or_beats_its_floor(name, on, prompt, output, split):
    """Rule 1 and 6 over every point of a search; pools of prompts are never saturated."""
    query = Query(name, (on,), prompt=prompt, output=output, split=split)
    f = look(query, place(query, on), on)
    p, ends = f.points, f.ends
    assert (p.tpot >= p.tpot_floor * (1 - 1e-9)).all()
    assert (p.ttft >= p.ttft_floor * (1 - 1e-9)).all()
    assert (ends["tpot"].low >= p.tpot_floor * (1 - 1e-9)).all()
    assert (ends["tpot"].low <= ends["tpot"].value).all()
    assert (ends["tpot"].value <= ends["tpot"].high).all()
    assert p.per_user * p.tpot == pytest.approx(1)
    held = np.array([x.holds for x in f.space.accounts])
    assert (p.batch <= held[p.layout] * (1 + 1e-9)).all()
    for i in range(0, len(p), max(len(p) // 20, 1)):
        x, held_here = f.space.layouts[p.layout[i]], f.space.accounts[p.layout[i]]
        used = held_here.weights + held_here.activations + held_here.reserve
        used += held_here.per_sequence * math.ceil(p.batch[i] / x.dp - 1e-9)
        assert used <= held_here.capacity * (1 + 1e-9)
        assert f.deployment(i).chips <= f.where.system.chips
    apart = p.prompt_layout >= 0
    assert np.isfinite(p.ttft[apart]).all()
    if apart.any():
        d, pool = f.pools[1], f.pools[0]
        speed = {(int(a), float(b)): r for a, b, r in zip(d.layout, d.batch, d.rate, strict=True)}
        busy = dict(zip(pool.layout.tolist(), pool.busy.tolist(), strict=True))
        for i in np.flatnonzero(apart)[:200]:
            requests = speed[int(p.layout[i]), float(p.batch[i])] * p.replicas[i]
            assert requests * busy[int(p.prompt_layout[i])] < p.prompt_replicas[i]
            assert p.rate[i] == pytest.approx(requests * output)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=60))
def test_no_frontier_point_is_beaten(points):
    x, y = (np.array(c, dtype=float) for c in zip(*points, strict=True))
    chosen = frontier(x, y)
    for i in range(len(x)):
        beaten = ((x >= x[i]) & (y >= y[i]) & ((x > x[i]) | (y > y[i]))).any()
        assert not (beaten and i in chosen)
        if not beaten:  # it, or its equal, is there
            assert any(x[j] == x[i] and y[j] == y[i] for j in chosen)
    assert list(x[chosen]) == sorted(x[chosen], reverse=True)


def test_the_frontier_of_a_search_is_not_beaten_by_any_point():
    answer = search_layouts(Query(DEEPSEEK, ("h200x8", "b200x8"), prompt=2000.0, output=500.0, ttft=2.0))
    every = [f for f, _ in answer.layouts]
    for o in answer.frontier:
        for f in every:
            p = f.points
            better = f.ok & (p.per_user >= o.per_user) & (p.per_chip >= o.per_chip)
            better &= (p.per_user > o.per_user * (1 + 1e-12)) | (p.per_chip > o.per_chip * (1 + 1e-12))
            assert not better.any()
    assert answer.best.per_mtok[1] == pytest.approx(min(o.per_mtok[1] for o in answer.by_cost))


def test_where_the_chip_seconds_go_adds_up():
    """Rule 7: parts sum to the cost of a token."""
    answer = search_layouts(Query(DEEPSEEK, ("gb200-nvl72",), ttft=2.0, tpot=0.03))
    for o in (answer.best, *(x for x in answer.losers)):
        parts = spent(o)
        assert sum(parts.values()) == pytest.approx(o.chips / o.rate, rel=1e-6)
        assert min(parts.values()) >= 0
    for x in answer.losers:
        assert "the cost" in x.reason or "over" in x.reason


def test_sure_limits_are_met_by_the_upper_ends():
    plain = search_layouts(Query(LLAMA, ("h200x8",), prompt=1000.0, output=200.0, tpot=0.03, ttft=2.0)).best
    sure = search_layouts(Query(LLAMA, ("h200x8",), prompt=1000.0, output=200.0, tpot=0.03, ttft=2.0, sure=True)).best
    assert sure.tpot[2] <= 0.03
    assert sure.ttft[2] <= 2.0
    # batches of a pool lie 1.2x apart: a stricter limit can land on one that uses whole replicas better
    assert sure.per_mtok[1] >= plain.per_mtok[1] * 0.93


def test_goals():
    query = Query(DEEPSEEK, ("h200x16",), prompt=2000.0, output=500.0, ttft=2.0, tpot=0.05)
    cost, chips, latency = (
        search_layouts(dataclasses.replace(query, minimise=g)).best for g in ("cost", "chips", "latency")
    )
    assert cost.per_mtok[1] <= min(chips.per_mtok[1], latency.per_mtok[1])
    assert latency.request[1] <= min(cost.request[1], chips.request[1])
    assert chips.layout.chips <= min(cost.layout.chips, latency.layout.chips)


def test_chips_at_most_are_paid_only_when_used():
    every = search_layouts(Query(DEEPSEEK, ("gb200-nvl72",), layout="dp32ep32")).best
    used = search_layouts(Query(DEEPSEEK, ("gb200-nvl72",), layout="dp32ep32", chips=72, at_most=True)).best
    assert (every.chips, used.chips) == (72, 64)
    assert used.per_mtok[1] == pytest.approx(every.per_mtok[1] * 64 / 72)


def test_replicas_over_several_boxes_use_the_network_between_them():
    """DeepSeek's decode layout on 18 boxes of 8; a link twice as fast outside helps it."""
    query = Query(DEEPSEEK, ("h800x8",), chips=144, layout="dp144ep144r32", prompt=4000.0, output=1000.0, split=False)
    slow = search_layouts(query).best
    assert slow.deployment.chips == 144
    with pytest.raises(PhysicsError, match="144"):
        search_layouts(dataclasses.replace(query, chips=72))


def test_pools_on_two_systems():
    """Prompts on another system: both are paid, the cache moves over the slower network."""
    query = Query(DEEPSEEK, ("gb200-nvl72",), prompt=4000.0, output=500.0, prefill_on="h200x8", ttft=3.0)
    best = search_layouts(query).best
    assert best.deployment.prefill is not None
    assert best.chips == 72 + 8
    assert "h200x8" in best.system


def test_two_batch_overlap_is_never_worse():
    plain = search_layouts(Query(DEEPSEEK, ("h800x8",), chips=32, tpot=0.1, split=False)).best
    hidden = search_layouts(Query(DEEPSEEK, ("h800x8",), chips=32, tpot=0.1, split=False, overlap=True)).best
    assert hidden.per_mtok[1] < plain.per_mtok[1]


# --- fleets --------------------------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.floats(0.01, 0.99))
def test_erlang_on_arrays_is_erlang(servers, share):
    load = servers * share
    assert float(waiting_chance(servers, load)) == pytest.approx(erlang_c(servers, load), rel=1e-6)


@pytest.mark.parametrize("servers", [65, 200, 2000])
def test_the_limit_law_for_many_servers(servers):
    for share in (0.5, 0.8, 0.9, 0.95, 0.99):
        assert float(waiting_chance(servers, servers * share)) == pytest.approx(
            erlang_c(servers, servers * share), abs=0.02
        )
    assert erlang_c(1, 0.5) == pytest.approx(0.5)  # M/M/1: the chance that it is busy
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert erlang_c(4, 5.0) == 1.0


def test_a_queue_played_out_waits_as_long():
    """Ten seats, exponential service, 85 % taken: a plain event loop against the closed form."""
    rng = np.random.default_rng(4)
    free = np.zeros(10)
    clock, waits = 0.0, []
    for _ in range(200_000):
        clock += rng.exponential(1 / 8.5)
        seat = int(np.argmin(free))
        start = max(clock, free[seat])
        waits.append(start - clock)
        free[seat] = start + rng.exponential(1.0)
    chance = erlang_c(10, 8.5)
    assert np.mean(np.array(waits) > 0) == pytest.approx(chance, rel=0.05)
    assert np.mean(waits) == pytest.approx(float(mean_queue_wait(chance, 10, 8.5, 1.0)), rel=0.08)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 500), st.floats(0.1, 2000), st.floats(0.01, 0.5))
def test_the_fewest_replicas(seats, load, limit):
    one = np.array([float(seats)])
    n = fewest(one, np.array([load]), np.array([10.0]), np.array([np.inf]), limit)[0]
    assert n * seats * 0.9 >= load * (1 - 1e-12)  # never near saturation
    assert float(waiting_chance(n * seats, load)) <= limit
    if n > 1:
        assert float(waiting_chance((n - 1) * seats, load)) > limit or load > 0.9 * (n - 1) * seats


@pytest.mark.parametrize("rate", [1.0, 20.0, 300.0])
@pytest.mark.parametrize("goal", ["cost", "chips"])
def test_fleets_carry_their_rate(rate, goal):
    answer = search_layouts(Query(DEEPSEEK, ("gb200-nvl72", "h200x8"), ttft=2.0, tpot=0.04, rate=rate, minimise=goal))
    assert answer.fleets
    for one in answer.fleets:
        f = one.fleet
        assert f.utilisation < 1
        assert f.most > rate
        assert f.ttft <= 2.0
        assert f.tpot <= 0.04
        assert f.waiting <= 0.05 + 1e-9
        assert one.deployment.chips <= f.chips + 1e-6
    costs = [x.fleet.dollars if goal == "cost" else x.fleet.chips for x in answer.fleets]
    assert costs == sorted(costs)


def test_a_larger_rate_never_takes_a_smaller_fleet():
    chips = [search_layouts(Query(OSS, ("h100x8",), prompt=2000.0, output=300.0, rate=r, tpot=0.03, ttft=2.0)).fleets[0].fleet.dollars
             for r in (0.5, 2.0, 8.0, 32.0, 128.0)]  # fmt: skip
    assert chips == sorted(chips)


def test_what_a_review_found():
    """Unlimited engines cut long prompts; pools without room are refused, not a fault; prices do not mix with chips."""
    found = look(
        Query(LLAMA, ("h200x8",), engine="ideal", prompt=64_000.0),
        place(Query(LLAMA, ("h200x8",), engine="ideal", prompt=64_000.0), "h200x8"),
        "h200x8",
    )
    assert (found.points.ttft >= found.points.ttft_floor * (1 - 1e-9)).all()
    with pytest.raises(PhysicsError, match="no split of pools"):
        search_layouts(Query(LLAMA, ("h200x8",), prefill_on="l40sx8"))
    mixed = search_layouts(Query(OSS, ("tpu-v7-64", "h200x8"), prompt=1000.0, output=200.0))
    assert [o.per_mtok is None for o in mixed.systems] == [False, True]
    own = search_layouts(Query(OSS, ("h200x8",), prompt=1000.0, output=200.0, prefill_on="h200x8", price=1 / 3600)).best
    assert own.chips == 8
    for x in layouts(model(DEEPSEEK), 144, 72):  # no tensor group straddles a domain
        assert x.stage_chips <= 72 or 72 % (x.tp * x.cp) == 0


@pytest.mark.parametrize("name", [DEEPSEEK, LLAMA, OSS])
def test_more_memory_never_costs_more(name):
    """The best under a limit does not depend on where the batches looked at fall: each layout is timed at its limit, too."""
    costs = [
        search_layouts(Query(name, ("h200x8",), tpot=0.05, split=False, reserve=r)).best.per_mtok[1]
        for r in (0.2, 0.16, 0.12, 0.08, 0.04)
    ]
    for more, less in itertools.pairwise(costs[::-1]):
        assert more <= less * 1.01


def test_lengths_beyond_the_model_are_warned_of():
    answer = search_layouts(Query(DEEPSEEK, ("h200x16",), prompt=300_000.0))
    assert any("beyond the model's limit of 163,840" in w for w in answer.warnings)


def test_a_bar_shows_how_far_it_is():
    said = []
    search_layouts(Query(LLAMA, ("h200x8", "b200x8"), prompt=1000.0, output=100.0), said.append)
    assert len(said) == 8
    assert said[0] == "h200x8: layouts"
    assert said[-1] == "b200x8: pools"


def test_pools_have_room():
    """Nowhere are prompts' replicas more than nine tenths busy, or waits longer than the prompt itself."""
    f = look(Query(DEEPSEEK, ("h200x32",)), place(Query(DEEPSEEK, ("h200x32",)), "h200x32"), "h200x32")
    apart = np.flatnonzero(f.points.prompt_layout >= 0)
    busy = dict(zip(f.pools[0].layout.tolist(), f.pools[0].busy.tolist(), strict=True))
    for i in apart:
        requests = f.points.rate[i] / f.where.output
        assert requests * busy[int(f.points.prompt_layout[i])] <= 0.9 * f.points.prompt_replicas[i] * (1 + 1e-9)


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command_in_all_its_forms(capsys, tmp_path):
    base = [
        "search",
        DEEPSEEK,
        "--on",
        "gb200-nvl72",
        "--prompt",
        "8k",
        "--output",
        "1k",
        "--ttft",
        "2s",
        "--tpot",
        "30ms",
    ]
    code, out, _ = run(capsys, *base, "--rate", "50/s", "--why")
    assert code == 0
    for word in (
        "best",
        "fleet for 50",
        "frontier",
        "runners-up",
        "lost because",
        "the cost",
        "80 %",
        "Erlang",
        "do not fit",
    ):
        assert word in out
    _, out, _ = run(capsys, *base, "--json")
    data = json.loads(out)
    assert data["evaluated"]["layouts"] > 3000
    assert data["best"]["tpot_s"] <= 0.03
    assert data["best"]["tpot_low_s"] <= data["best"]["tpot_s"] <= data["best"]["tpot_high_s"]
    users = [o["tok_s_per_user"] for o in data["frontier"]]
    assert users == sorted(users, reverse=True)
    box = ["search", DEEPSEEK, "--on", "h200x8"]
    data = json.loads(run(capsys, *box, "--json")[1])
    rows = list(csv.DictReader(io.StringIO(run(capsys, *box, "--csv")[1])))
    assert len(rows) > 100
    assert sum(r["frontier"] == "True" for r in rows) == len(data["frontier"])
    code, out, _ = run(capsys, "search", LLAMA, "--on", "h200x8,b200x8", "-o", str(tmp_path / "s.json"))
    assert "systems" in out
    spec = json.loads((tmp_path / "s.json").read_text())
    frontier, opened = spec["vconcat"]
    assert len(frontier["hconcat"]) == 2
    assert len(frontier["hconcat"][0]["layer"]) == 6  # dots, line, intervals, points, the best, what is open
    assert len(opened["hconcat"]) == 2


@pytest.mark.parametrize(("code", "arguments", "says"), [
    (3, ["--tpot", "1ms"], "nearest feasible is --tpot"),
    (3, ["--ttft", "1ms"], "nearest feasible is --ttft"),
    (3, ["--ttft", "350ms", "--tpot", "13ms", "--prompt", "64k", "--output", "64"], "nearest feasible"),
    (3, ["--layout", "tp16"], "16 chips"),
    (2, ["--layout", "tp3"], "tp4"),
    (2, ["--layout", "ep3"], "divide"),
    (2, ["--layout", "tq8"], "not understood"),
    (2, ["--chips", "many"], "--chips"),
    (2, ["--chips", "0"], "--chips"),
    (2, ["--ttft", "2"], "--ttft"),
    (2, ["--rate", "0"], "--rate"),
    (2, ["--drafts", "-1"], "--drafts"),
    (2, ["--minimise", "beauty"], "beauty"),
    (2, ["--prefill-on", "h20000"], "h20000"),
    (2, ["--workers", "2"], "--grid"),
    (2, ["--engine", "vlllm"], "did you mean"),
    (3, ["--rate", "50/s", "--ttft", "230ms"], "nearest feasible"),
])  # fmt: skip
def test_bad_input_is_one_line(capsys, code, arguments, says):
    """Item 7: one line with the nearest feasible value; exit 3 where physics says no."""
    found, out, err = run(capsys, "search", DEEPSEEK, "--on", "h200x8", *arguments)
    assert found == code, err
    assert not out
    assert says in err
    assert len(err.strip().split("\n")) == 1


def test_what_does_not_fit_is_refused_with_its_shortfall(capsys):
    code, _, err = run(capsys, "search", DEEPSEEK, "--on", "h100x8")
    assert code == 3
    assert "GB per chip" in err
    assert run(capsys, "search", DEEPSEEK, "--on", "h200x8,nope")[0] == 2
    code, out, _ = run(capsys, "search", DEEPSEEK, "--on", "h100x8,h200x8")
    assert code == 0
    assert "! h100x8:" in out  # the others are answered


def test_the_nearest_feasible_value_is_feasible(capsys):
    _, _, err = run(capsys, "search", DEEPSEEK, "--on", "h200x8", "--tpot", "2ms")
    nearest = err.strip().split("--tpot ")[-1]
    assert run(capsys, "search", DEEPSEEK, "--on", "h200x8", "--tpot", nearest)[0] == 0
    for on in ("h200x32", "mi300x-x8"):
        _, _, err = run(capsys, "search", DEEPSEEK, "--on", on, "--ttft", "1ms")
        assert run(capsys, "search", DEEPSEEK, "--on", on, "--ttft", err.strip().split("--ttft ")[-1])[0] == 0


def test_split_pools_have_intervals_of_their_own():
    """As `predict` has them: a split point's interval is that of the evidence on split pools."""
    query = Query("llama-3.1-70b", ("h200x8",), split=True)
    f = look(query, place(query, "h200x8"), "h200x8")
    apart = f.points.prompt_layout >= 0
    assert apart.any()
    assert (~apart).any()
    for what in ("tpot", "ttft"):
        ends = f.ends[what]
        for split in (True, False):
            kinds = ("disaggregated",) if split else ()
            spread = f.where.spread(what, (*f.where.outside(), *kinds))
            inside = f.points.within & (apart == split)
            assert inside.any()
            np.testing.assert_allclose(np.log(ends.high / ends.value)[inside], spread.high, rtol=1e-9)
        assert (
            np.log(ends.high / ends.value)[apart].min() > np.log(ends.high / ends.value)[f.points.within & ~apart].max()
        )
