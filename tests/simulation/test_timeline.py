"""A simulation over time: what its bins add up to, and a run small enough to do by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import headway as hw
from headway.simulation import Requests
from headway.simulation.run import Log, Passes
from headway.simulation.timeline import timeline, under_way, used_over_time
from headway.simulation.traffic import traffic

ASK = hw.Request("llama-3.1-8b", "h100x1", prompt=512, output=128)


@pytest.fixture(scope="module")
def calm():
    return hw.simulate(
        hw.Request("llama-3.1-8b", "h100x4", prompt=512, output=128, layout="tp1"),
        traffic("poisson:80/s", count="1500", prompt=512, output=128),
    )


@pytest.fixture(scope="module")
def crowded():
    return hw.simulate(ASK, traffic("poisson:120/s", count="3000", prompt=512, output=128))


def by_hand():
    """Two requests on a replica: a prompt for a second, then decodes for two, with a pause of a second between them."""
    requests = Requests(np.array([0.0, 3.0]), np.array([10, 20]), np.array([3, 5]))
    counts = [1, 2, 1, 4], [0, 1, 0, 1], [10, 2, 20, 4], [0, 10, 0, 20], [1, 1, 2, 2], [0, 2, 0, 4]
    start, seconds = np.array([0.0, 1.0, 4.0, 5.0]), np.array([1.0, 2.0, 1.0, 2.0])
    passes = Passes(start, seconds, *(np.array(c) for c in counts))
    times = [np.array(v) for v in ([0.0, 3.0], [0.0, 4.0], [1.0, 5.0], [3.0, 7.0])]
    whole = np.zeros(2, dtype=np.int64)
    no = np.zeros(2, dtype=np.bool_)
    return Log(requests, *times, whole, whole, whole, no, no, (passes,), np.array([7.0]), 7.0)


def test_by_hand():
    found = timeline(by_hand(), 7)
    assert found.bin == 1.0
    assert found.arrivals.tolist() == [1, 0, 0, 1, 0, 0, 0]
    assert found.ends.tolist() == [0, 0, 0, 1, 0, 0, 1]
    assert found.tokens.tolist() == pytest.approx([0, 2, 1, 0, 0, 3, 2])  # a first token counts where it comes
    assert found.busy.tolist() == pytest.approx([1, 1, 1, 0, 1, 1, 1])
    assert found.waiting.tolist() == pytest.approx([0, 0, 0, 1, 0, 0, 0])
    assert found.prompting.tolist() == pytest.approx([1, 0, 0, 0, 1, 0, 0])
    assert found.levels["decoding"].tolist() == pytest.approx([0, 1, 1, 0, 0, 1, 1])
    assert found.levels["blocks"].tolist() == pytest.approx([1, 1, 1, 0, 2, 2, 2])
    half = timeline(by_hand(), 2)
    assert half.tokens.tolist() == pytest.approx([3, 5])
    assert half.busy.tolist() == pytest.approx([3 / 3.5, 3 / 3.5])


@pytest.mark.parametrize("run", ["calm", "crowded"])
def test_bins_add_up_to_the_log(request, run):
    s = request.getfixturevalue(run)
    log, found = s.log, timeline(s.log)
    assert len(found.arrivals) == 60
    assert (found.edges[0], found.edges[-1]) == (log.arrival.min(), log.now)
    assert found.arrivals.sum() == len(log.requests)
    assert found.ends.sum() == s.ended.sum()
    lost = log.requests.output.sum() - found.tokens.sum()
    assert -1e-6 <= lost <= log.preempted.sum() + 1e-6
    assert (run == "calm") == (not log.preempted.any())
    assert found.busy.mean() == pytest.approx(s.busy)
    assert found.busy.max() <= 1 + 1e-9
    assert found.waiting.mean() * s.span == pytest.approx(log.queued.sum())
    assert found.prompting.mean() * s.span == pytest.approx(log.ttft.sum() - log.queued.sum())
    decoding = sum(float((p.seconds * p.decoding).sum()) for p in log.passes)
    assert found.levels["decoding"].mean() * s.span == pytest.approx(decoding)
    more = timeline(log, 240)  # finer bins say the same of the coarse ones
    assert more.tokens.reshape(60, 4).sum(axis=1) == pytest.approx(found.tokens, rel=1e-6, abs=1e-6)


def test_json_says_the_same(calm):
    found, told = timeline(calm.log), calm.to_dict()["timeline"]
    assert sum(told["arrivals"]) == sum(told["ends"]) == 1500
    assert sum(told["output_tokens_per_s"]) * told["bin_s"] == pytest.approx(1500 * 128)
    assert told["decoding"] == found.levels["decoding"].tolist()
    assert {len(v) for k, v in told.items() if k != "bin_s"} == {60}


def test_who_is_still_under_way_counts_to_the_end():
    log = dataclasses.replace(by_hand(), first=np.array([1.0, np.nan]), end=np.array([3.0, np.nan]))
    assert timeline(log, 7).prompting.tolist() == pytest.approx([1, 0, 0, 0, 1, 1, 1])
    cut = hw.simulate(ASK, traffic("poisson:120/s", count="1000", prompt=512, output=128), until=4.0)
    found = timeline(cut.log)
    assert found.arrivals.sum() == np.isfinite(cut.log.arrival).sum() < 1000
    waits = under_way(cut.log.arrival, cut.log.start, cut.log)
    assert waits.values.min() == 0
    assert found.waiting[-1] > 0


def test_where_no_time_passed_there_are_no_bins():
    nobody = np.zeros(0)
    whole = np.zeros(0, dtype=np.int64)
    empty = Log(Requests(nobody, whole, whole), *(4 * [nobody]), *(3 * [whole]), *(2 * [whole > 0]), (), nobody, 0.0)
    found = timeline(empty)
    assert found.bin == 0
    assert not any(
        len(v) for v in (found.arrivals, found.ends, found.tokens, found.busy, found.waiting, found.levels["decoding"])
    )


def test_what_the_chips_did_over_time_is_what_they_did(calm):
    edges = timeline(calm.log, 40).edges
    found = used_over_time(calm, edges)
    for name, whole in zip(("mfu", "mbu"), calm.used, strict=True):
        assert (found[name] >= 0).all()
        assert (found[name] <= 1).all()
        mean = float((found[name] * np.diff(edges)).sum() / (edges[-1] - edges[0]))
        assert mean == pytest.approx(whole, rel=0.01)
