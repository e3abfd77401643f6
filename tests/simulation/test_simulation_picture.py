"""The picture of a simulation: what its panels hold, and that it stays small."""

from __future__ import annotations

import collections
import dataclasses
import json

import numpy as np
import pytest

import headway as hw
from headway.figures.over_time import batch_panel, requests_panel, strips
from headway.figures.simulations import simulation_figure
from headway.simulation import Requests
from headway.simulation.run import Log, Passes
from headway.simulation.timeline import timeline
from headway.simulation.traffic import traffic

ASK = hw.Request("llama-3.1-8b", "h100x1", prompt=512, output=128)


@pytest.fixture(scope="module")
def found():
    return hw.simulate(ASK, traffic("poisson:30/s", count="400", prompt=512, output=128))


def million(s):
    """A run of a million requests and three million runs of passes, made up: nobody waits for its simulation here."""
    rng = np.random.default_rng(0)
    size, runs = 1_000_000, 3_000_000
    arrival = np.cumsum(rng.exponential(0.01, size))
    start = arrival + rng.exponential(0.05, size)
    first = start + rng.exponential(0.1, size)
    end = first + rng.exponential(3.0, size)
    requests = Requests(arrival, rng.integers(1, 4000, size), rng.integers(1, 400, size), name="made up")
    began = np.linspace(arrival[0], end.max(), runs, endpoint=False)
    took = np.full(runs, began[1] - began[0])
    riders = rng.integers(0, 300, runs)
    passes = Passes(began, took, np.ones(runs, dtype=np.int64), *(5 * [riders]))
    whole = np.zeros(size, dtype=np.int64)
    return dataclasses.replace(
        s,
        log=Log(
            requests,
            arrival,
            start,
            first,
            end,
            *(3 * [whole]),
            *(2 * [whole > 0]),
            (passes,),
            np.ones(1),
            float(end.max()),
        ),
    )


def test_a_million_requests_make_no_larger_picture(found):
    many = million(found)
    text = json.dumps(simulation_figure(many))
    assert len(text) < 500_000
    assert "1,000,000 requests of made up" in text
    assert len(text) < 6 * len(json.dumps(simulation_figure(found)))


def test_shares_of_requests_are_quantiles(found):
    row = simulation_figure(found)["vconcat"][0]["hconcat"]
    for panel, values in zip(row, (found.log.ttft, found.log.tpot, found.request), strict=True):
        scale = 1e3 if panel["layer"][0]["encoding"]["x"]["title"].endswith("(ms)") else 1.0
        points = panel["layer"][0]["data"]["values"]
        assert [p["x"] for p in points] == sorted(p["x"] for p in points)
        for p in points[::10]:
            assert np.mean(scale * values <= p["x"] * (1 + 1e-12)) == pytest.approx(
                p["share"], abs=3 / 400
            )  # some are equal
        dots = {p["share"]: p["x"] for p in panel["layer"][1]["data"]["values"]}
        assert dots[0.99] == pytest.approx(scale * np.quantile(values, 0.99))
        low, high = panel["layer"][0]["encoding"]["x"]["scale"]["domain"]
        assert low < points[0]["x"] <= points[-1]["x"] < high


def test_tiers_have_lines_of_their_own(found):
    tier = np.arange(400) % 2
    mixed = dataclasses.replace(found.log.requests, tier=tier, tiers=("urgent", "batch", "nobody"))
    s = dataclasses.replace(found, log=dataclasses.replace(found.log, requests=mixed))
    panel = simulation_figure(s)["vconcat"][0]["hconcat"][0]
    dots = {(p["tier"], p["share"]): p["x"] for p in panel["layer"][1]["data"]["values"]}
    assert {name for name, _ in dots} == {"urgent", "batch"}
    assert dots["urgent", 0.5] == pytest.approx(1e3 * np.median(found.log.ttft[::2]))
    assert dots["batch", 0.5] == pytest.approx(1e3 * np.median(found.log.ttft[1::2]))


def test_requests_one_by_one(found):
    bars = requests_panel(found.log)["data"]["values"]
    spent, who = collections.Counter(), sorted({b["request"] for b in bars})
    assert who == list(range(170, 230))
    for b in bars:
        spent[b["request"], b["kind"]] += b["to"] - b["from"]
    log = found.log
    for i in who:
        assert spent[i, "queued"] == pytest.approx(log.queued[i])
        assert spent[i, "prompt"] == pytest.approx(log.first[i] - log.start[i])
        assert spent[i, "decode"] == pytest.approx(log.end[i] - log.first[i])


def test_requests_that_come_rarely_are_no_specks():
    s = hw.simulate(ASK, traffic("poisson:0.1/s", count="200", prompt=512, output=128))
    panel = requests_panel(s.log)
    assert len({b["request"] for b in panel["data"]["values"]}) == 8
    assert panel["title"]["text"].startswith("8 requests one by one")


def test_the_heat_map_holds_all_of_the_time(found):
    panel = batch_panel(found.log)
    column = collections.Counter()
    for cell in panel["data"]["values"]:
        column[cell["from"]] += cell["share"]
    busy = timeline(found.log, 95).busy
    assert list(column.values()) == pytest.approx(busy[busy > 0].tolist(), abs=0.02)
    assert max(c["high"] for c in panel["data"]["values"]) >= max(p.decoding.max() for p in found.log.passes)


def test_strips_are_the_timeline(found):
    names = [panel["encoding"]["y"]["title"] for panel in strips(found.log)["vconcat"]]
    assert names == ["requests/s", "tok/s", "decoding", "blocks", "waiting"]
    tokens = strips(found.log)["vconcat"][1]["data"]["values"]
    width = tokens[1]["at"] - tokens[0]["at"]
    assert sum(t["value"] for t in tokens[:-1]) * width == pytest.approx(400 * 128)


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_runs_of_all_sizes_can_be_drawn(tmp_path, found, ending):
    """Very few, answers of one token (no TPOT), none that fits, and one cut off before its first token."""
    one = Requests(np.zeros(1), np.array([512]), np.array([1]))
    huge = Requests(np.zeros(1), np.array([9_000_000]), np.array([1]))
    runs = [found, hw.simulate(ASK, one), hw.simulate(ASK, huge), hw.simulate(ASK, one, until=1e-3)]
    panels = [len(simulation_figure(s)["vconcat"]) for s in runs]
    assert panels[:2] == [4, 4]
    for i, s in enumerate(runs):
        file = hw.write_figure(simulation_figure(s), tmp_path / f"{i}.{ending}")
        assert file.stat().st_size > 1000
