"""An option opened: every chip has its place, every byte and every chip-second its part."""

from __future__ import annotations

from collections import Counter

import pytest

import headway as hw
from headway.figures.layouts import opened
from headway.parallel import Layout
from headway.records.searches import search_record
from headway.search.placement import memory_parts, name_of, places, ranks


@pytest.fixture(scope="module")
def answer():
    return hw.search_layouts(hw.Query("deepseek-v3", systems=("h200x32",), prompt=2000, output=500))


def test_ranks_fill_every_dimension():
    layout = Layout(tp=2, cp=2, dp=4, ep=8, pp=3)
    found = ranks(layout)
    assert len(found) == layout.chips == 48
    assert len(set(found)) == 48  # no two do the same
    for field, count in (("tensor", 2), ("context", 2), ("data", 4), ("expert", 8), ("stage", 3)):
        assert Counter(getattr(p, field) for p in found) == {i + 1: 48 // count for i in range(count)}
    for p in found:  # chips of an expert group slice it: they are neighbours of one stage
        mates = [i for i, q in enumerate(found) if (q.stage, q.expert) == (p.stage, p.expert)]
        assert len(mates) == layout.slices
        assert mates == list(range(mates[0], mates[0] + layout.slices))


def test_every_chip_has_a_place_and_every_byte_a_part(answer):
    options = opened(answer)
    assert options[0] is answer.best
    assert len({name_of(o) for o in options}) == len(options) > 10
    assert any(o.deployment.prefill for o in options)
    for o in options:
        found = places(o)
        assert len(found) == o.chips
        assert sum(p.pool == "idle" for p in found) == o.idle
        assert sum(p.pool == "prompts" for p in found) == (o.deployment.prefill.chips if o.deployment.prefill else 0)
        parts = memory_parts(o)
        assert min(parts.values()) >= 0
        assert sum(parts.values()) == pytest.approx(o.account.capacity)
        assert o.memory == pytest.approx(sum(parts[k] for k in ("weights", "KV cache", "activations", "engine")))


def test_the_record_says_why_an_option_is_not_the_best(answer):
    record = search_record(answer)
    for o in [*record["frontier_by_cost"], *record["frontier"], *record["runners_up"]]:
        assert (o["reason"] == "") == (o["name"] == record["best"]["name"])
        assert sum(p["chips"] for p in o["pools"]) == o["chips"] - o["idle_chips"]
        for p in o["pools"]:
            assert p["chips"] == p["replicas"] * p["tp"] * p["cp"] * p["dp"] * p["pp"]
        assert sum(o["chip_seconds_per_token"].values()) == pytest.approx(1 / o["tok_s_per_chip"])


def test_the_chart_opens_what_its_line_names(answer):
    spec = hw.search_figure(answer)
    rack, bars = spec["vconcat"][1]["hconcat"]
    named = {v["option"] for v in rack["data"]["values"]}
    assert spec["params"][0] == {"name": "shown", "value": name_of(answer.best)}
    for panel in spec["vconcat"][0]["hconcat"]:
        line = panel["layer"][3]["data"]["values"]
        assert {v["option"] for v in line} <= named  # every point of the line can be opened
    assert all({v["option"] for v in b["layer"][0]["data"]["values"]} == named for b in bars["vconcat"])
    best = next(v for v in rack["data"]["values"] if v["option"] == name_of(answer.best))
    assert len(best["tensor"]) == len(best["pool"]) == answer.best.chips
