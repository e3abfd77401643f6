"""Prompts that a prefix cache holds in part: what is computed, what is read, and the loop that runs them."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from headway.errors import InputError
from headway.parallel import Layout
from headway.questions import Query, Request
from headway.roofline import Load
from headway.search import search_layouts
from headway.serving import answer, case, setting
from headway.simulation.deployment import deployment
from headway.simulation.traffic.sessions import ClosedLoop

MODELS = [("llama-3.1-8b", "h100x1", "tp1"), ("deepseek-v3", "h200x8", "tp8"), ("gpt-oss-20b", "h100x1", "tp1")]


def loaded(model, system, layout, hits, batch=16, **more):
    s = setting(Request(model=model, system=system, layout=layout, prompt=4096, output=256, hits=hits, **more))
    return answer(case(s, s.only, batch=batch))


@pytest.mark.parametrize(("model", "system", "layout"), MODELS)
def test_what_is_found_is_read_not_computed(model, system, layout):
    s = setting(Request(model=model, system=system, layout=layout, prompt=2048, output=256, hits=0.75))
    found = case(s, s.only, batch=1)
    whole = s.passes_of(s.only).seconds(Load.prefill(1.0, 512.0, cached=1536.0))
    assert answer(found).seconds["prefill"] == pytest.approx(float(whole), rel=1e-12)
    bare = s.passes_of(s.only).seconds(Load.prefill(1.0, 512.0))
    assert float(whole) > float(bare)  # reading what was found is not free


@pytest.mark.parametrize(("model", "system", "layout"), MODELS)
def test_more_hits_are_never_slower(model, system, layout):
    runs = [loaded(model, system, layout, h) for h in (0.0, 0.25, 0.5, 0.75, 0.95)]
    for less, more in pairwise(runs):
        assert more.ttft < less.ttft
        assert more.tpot < less.tpot
        assert more.output_rate > less.output_rate
        # a decode step reads the whole context, found or not; fewer wait for their prompt, so that more decode
        assert less.tpot_floor <= more.tpot_floor < 1.02 * less.tpot_floor
    assert all(r.ttft >= float(r.floors.ttft) for r in runs)


def test_one_token_is_always_computed():
    s = setting(Request(model="llama-3.1-8b", system="h100", layout="tp1", prompt=10, output=4, hits=0.9999))
    assert case(s, s.only, batch=1).workload.fresh == 1


def test_evidence_has_no_cached_prompts():
    plain, hit = (loaded("llama-3.1-8b", "h100x1", "tp1", h) for h in (0.0, 0.5))
    assert "hits" in hit.outside
    assert "hits" not in plain.outside
    assert hit.tpot_interval[1] / hit.tpot > plain.tpot_interval[1] / plain.tpot


@pytest.mark.parametrize("hits", [-0.1, 1.0, 3])
def test_shares_are_below_one(hits):
    with pytest.raises(InputError, match="hits"):
        Request(model="llama-3.1-8b", system="h100", hits=hits)


def test_search_counts_them_too():
    none, most = (
        search_layouts(Query(model="llama-3.1-8b", systems=("h100x1",), prompt=8192, output=256, hits=h)).best
        for h in (0.0, 0.9)
    )
    assert most.per_mtok[1] < 0.6 * none.per_mtok[1]


@pytest.mark.parametrize("users", [4, 32])
@pytest.mark.parametrize("hits", [0.0, 0.5, 0.875])
def test_the_loop_that_runs_them_agrees(users, hits):
    """The mean field of hits is that of the loop whose prompts all begin alike, within 5 %."""
    request = Request("llama-3.1-70b", "h100x4", prompt=4096, output=256, hits=hits, length_spread=0.111, layout="tp4")
    s = setting(request)
    s = dataclasses.replace(s, numbers=dataclasses.replace(s.numbers, cold_seconds=0.0))
    field = answer(case(s, Layout(tp=4), concurrency=users, copies=1))
    rng, count = np.random.default_rng(1), 10 * users
    prompt, output = (np.rint(n * (1 + 0.111 * (2 * rng.random(count) - 1))).astype(int) for n in (4096, 256))
    shared = ClosedLoop(users, 10, shared=int(hits * 4096)).draw(Given(prompt, output), rng)
    log = deployment(s, Layout(tp=4)).run(shared)
    assert log.cached[users:].mean() == pytest.approx(hits * 4096, abs=16)
    assert field.tpot == pytest.approx(float(np.nanmean(log.tpot)), rel=0.05)
    took = field.ttft + 255 * field.tpot
    assert took == pytest.approx(float((log.end - log.arrival).mean()), rel=0.06)


class Given:
    def __init__(self, prompt, output):
        self.lengths = prompt, output

    def draw(self, count, rng):
        return self.lengths
