"""Trains for a model on a machine: the plan's own numbers, what holding saves, and every way to see them."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

import headway as hw
from headway.cli import app
from headway.figures import trains_figure
from headway.simulation import run_held

ASK = {"model": "llama-3.1-8b", "system": "h100", "prompt": 100, "output": 10, "batch": 64}
OPTIONS = ["llama-3.1-8b", "--on", "h100", "--prompt", "100", "--output", "10", "--batch", "64"]


@pytest.fixture(scope="module")
def found():
    return hw.trains(hw.Request(**ASK, arrivals="40/s"), hold=0.2)


def test_t_is_the_plans_step(found):
    """One step time in the house: the pass of a full train is the plan's, and full trains carry what the plan carries."""
    plan = hw.make_plan(hw.Request(**ASK))
    assert found.step == pytest.approx(plan.point.seconds)
    assert found.carries == pytest.approx(plan.capacity)
    assert found.seats == plan.point.batch == 64
    assert found.full == found.seconds[-1] >= found.step
    fixed = found.ways[0]
    assert fixed.wait == pytest.approx(found.full / 2, rel=1e-6)  # lecture 1.4: T/2 until one leaves, 1.5 T to a token
    assert fixed.token == pytest.approx(1.5 * found.full, rel=1e-6)


def test_busy_replicas_are_what_is_paid(found):
    """E4: seconds at work x rent over tokens; a timetable's empty seats are paid, too."""
    rent = found.plan.system.price * found.plan.system.chips
    for w in found.ways:
        assert w.dollars_per_mtok == pytest.approx(1e6 * rent * w.busy / (40 * 10))
    assert found.alone == pytest.approx(1e6 * rent * float(found.seconds[0]))
    assert [w.name for w in found.ways] == ["timetable", "held", "continuous"]
    held, going = found.ways[1:]
    assert held.dollars_per_mtok < going.dollars_per_mtok < found.alone
    assert found.saves == pytest.approx(1 - held.busy / going.busy)


def test_closed_forms_are_what_was_run(found):
    """20,000 requests, a quarter not counted: a mean wait is known to 1 / sqrt(15,000) of its spread, here below the mean."""
    for w in found.ways:
        assert w.simulated == pytest.approx(w.wait, rel=6 / math.sqrt(15_000))
        assert w.wait < w.p99 < 10 * w.wait
    assert not found.ways[1].crowded


def test_holding_saves_between_two_rates(found):
    low, high = found.useful
    shares = {c.rate: c.saves for c in found.compared}
    assert 40 in shares
    assert all(s >= found.slack - 0.01 for r, s in shares.items() if low * 1.1 <= r <= high / 1.1)
    assert all(s < found.slack + 0.01 for r, s in shares.items() if r < low / 1.1 or r > high * 1.1)
    again = hw.trains(hw.Request(**ASK, arrivals="40/s"), hold=found.enough)
    assert 1 - again.ways[1].busy / again.ways[2].busy == pytest.approx(found.slack, abs=0.01)


def test_a_long_ride_gathers_riders_by_itself():
    """Answers of 1,000 tokens ride for seconds: a hold of 200 ms saves nothing, and its trains wait for a replica."""
    long = hw.trains(hw.Request("llama-3.1-8b", "h100", prompt=100, output=1000, batch=64, arrivals="1/s"))
    assert long.hold == 0.2
    assert long.useful is None
    assert long.enough > float(long.seconds[0]) * 1000 / 2
    held = long.ways[1]
    assert held.crowded
    assert held.wait == held.simulated > 0.2
    assert "no rate" in long.text()
    rides = long.seconds * long.passes
    again = run_held(held.run.arrivals, rides, 0.2, machines=1)
    np.testing.assert_array_equal(again.boards, held.run.boards)


def test_saturated_is_said_in_one_line():
    full = hw.trains(hw.Request(**ASK, arrivals="100k/s"))
    assert full.saturated
    assert all(math.isinf(w.wait) and w.busy == full.plan.replicas and w.riders == 64 for w in full.ways)
    for w in full.ways:  # full trains: what `plan` says of every seat taken
        assert w.dollars_per_mtok == pytest.approx(full.plan.loaded.dollars_per_mtok)
    said = [line for line in full.text().splitlines() if line.startswith("! saturated")]
    assert len(said) == 1
    json.dumps(full.to_dict(), allow_nan=False)


def test_replicas_share_the_requests():
    one = hw.trains(hw.Request("llama-3.1-8b", "h100", prompt=100, output=10, batch=64, arrivals="20/s"))
    four = hw.trains(
        hw.Request("llama-3.1-8b", "h100x4", prompt=100, output=10, batch=64, layout="tp1", arrivals="80/s")
    )
    assert four.carries == pytest.approx(4 * one.carries)
    for a, b in zip(one.ways[::2], four.ways[::2], strict=True):
        assert b.wait == pytest.approx(a.wait)
        assert b.busy == pytest.approx(4 * a.busy)
        assert b.dollars_per_mtok == pytest.approx(a.dollars_per_mtok)
    assert four.ways[1].riders > 2 * one.ways[1].riders  # held trains gather riders of the whole tier


def test_the_command_line_and_the_library_agree(capsys, found):
    assert app.run(["trains", *OPTIONS, "--rate", "40/s", "--hold", "200ms", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found.to_dict()))
    assert app.run(["trains", *OPTIONS, "--rate", "40/s", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [r["departs"] for r in rows] == ["timetable", "held", "continuous"]
    assert float(rows[1]["wait_s"]) == pytest.approx(found.ways[1].wait)
    assert app.run(["trains", *OPTIONS, "--rate", "40/s", "--why"]) == 0
    out = capsys.readouterr().out
    assert found.text() in out
    assert "Bailey 1954" in out
    assert "Cohen 1979" in out


@pytest.mark.parametrize(("options", "code", "says"), [
    (["--rate", "40/s", "--headway", "1us"], 3, "a full pass of 64 requests takes"),
    (["--rate", "40 trains"], 2, "--rate: '40 trains' is not a rate"),
    (["--rate", "40/s", "--hold", "0.2"], 2, "--hold: '0.2' has no unit"),
    (["--rate", "40/s", "-o", "x.doc"], 2, "the ending must be one of"),
    ([], 2, "--rate"),
])  # fmt: skip
def test_refusals(capsys, options, code, says):
    assert app.run(["trains", *OPTIONS, *options]) == code
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_what_the_library_refuses():
    with pytest.raises(hw.InputError, match="need a rate"):
        hw.trains(hw.Request(**ASK))
    with pytest.raises(hw.InputError, match="--hold"):
        hw.trains(hw.Request(**ASK, arrivals=1), hold=-1)
    with pytest.raises(hw.InputError, match="leave out pp"):
        hw.trains(hw.Request("llama-3.1-8b", "h100x2", layout="pp2", arrivals=1))


def test_a_longer_headway_is_a_slower_timetable(found):
    slow = hw.trains(hw.Request(**ASK, arrivals="40/s"), headway=0.1)
    assert slow.ways[0].wait == pytest.approx(0.05, rel=1e-3)  # 40 of 64 seats: hardly anybody is left behind
    assert slow.ways[1].wait == pytest.approx(found.ways[1].wait)
    late = hw.trains(hw.Request(**ASK, arrivals="40/s"), headway=0.2)
    assert math.isinf(late.ways[0].wait)
    assert not late.saturated
    assert "! the timetable is saturated" in late.text()
    rent = late.plan.system.price
    assert late.ways[0].dollars_per_mtok == pytest.approx(1e6 * rent * 0.2 / 64)  # E4: full trains


def test_the_picture_has_every_train_and_rider(tmp_path, found):
    spec = trains_figure(found)
    assert len(spec["vconcat"]) == 3
    for panel, w in zip(spec["vconcat"], found.ways, strict=True):
        bars, _, waits, numbers = panel["layer"]
        drawn = found.to_dict()["trains"][w.name]
        assert len(drawn) == len(numbers["data"]["values"]) == 12
        assert [n["riders"] for n in numbers["data"]["values"]] == [x["riders"] for x in drawn]
        assert (
            len(waits["data"]["values"]) == sum(x["boarded"] for x in drawn) == sum(len(x["arrivals_s"]) for x in drawn)
        )
        assert all(line["came"] <= line["leaves"] for line in waits["data"]["values"])
        for b in bars["data"]["values"]:
            if b["kind"] == "free seats":
                assert b["low"] - b["high"] == pytest.approx(0.8)
    hw.write_figure(spec, tmp_path / "trains.svg")
    assert "riders" in (tmp_path / "trains.svg").read_text()
