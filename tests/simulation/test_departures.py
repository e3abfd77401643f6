"""Trains told one by one: who rides is who the requests' own times say rides."""

from __future__ import annotations

import numpy as np
import pytest

import headway as hw
from headway.records.departures import departures_record, promise_record
from headway.simulation.traffic import traffic

ASK = hw.Request("llama-3.1-8b", "h100x1", prompt=512, output=128)


@pytest.fixture(scope="module")
def found():
    return hw.simulate(ASK, traffic("poisson:30/s", count="400", prompt=512, output=128))


def test_trains_carry_who_rides(found):
    told = departures_record(found)
    leaves, rides = np.array(told["departs_s"]), np.array(told["rides_s"])
    assert 0 < len(leaves) <= 120
    assert (rides > 0).all()
    assert (leaves[1:] >= leaves[:-1] + rides[:-1] - 1e-9).all()  # one after another
    r = told["requests"]
    start, first, end = (
        np.array([np.inf if x is None else x for x in r[k]]) for k in ("start_s", "first_token_s", "end_s")
    )
    assert told["more_requests"] == 0
    for at, ride, decoding, tokens in zip(leaves, rides, told["decoding"], told["tokens"], strict=True):
        middle = at + ride / 2
        assert ((first <= middle) & (end > middle)).sum() == decoding
        reading = int(((start <= middle) & (first > middle)).sum())
        assert (tokens > decoding) == (reading > 0)
    assert told["seats"] == max(told["decoding"])


def test_a_run_without_passes_has_no_trains():
    never = hw.simulate(ASK, traffic("poisson:30/s", count="1", prompt=10_000_000, output=2))
    assert departures_record(never) is None


def test_the_promise_is_counted_over_all_requests(found):
    limit = float(np.median(found.log.ttft))
    told = promise_record(found, limit, None)
    assert told["kept"] == pytest.approx(np.mean(found.log.ttft <= limit))
    assert promise_record(found, limit, 0.0)["kept"] == 0
    assert promise_record(found, None, None)["kept"] is None


def test_limits_are_lines_of_the_picture(found):
    limit = float(np.quantile(found.log.ttft, 0.9))
    panel, other = hw.simulation_figure(found, ttft=limit)["vconcat"][0]["hconcat"][:2]
    rules = [x for x in panel["layer"] if x["mark"].get("type") == "rule"]
    assert [r["data"]["values"][0]["x"] for r in rules] == [pytest.approx(1e3 * limit)]
    assert rules[0]["data"]["values"][0]["said"] == "90 % within"
    assert not [x for x in other["layer"] if x["mark"].get("type") == "rule"]
    low, high = panel["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert low < 1e3 * limit < high


def test_limits_are_of_one_run(capsys):
    from headway.cli import app

    base = ["simulate", "llama-3.1-8b", "--on", "h100x1", "--requests", "20", "--ttft", "1s"]
    assert app.run(base) == 0
    assert "within TTFT 1 s: 100 % of the requests" in capsys.readouterr().out
    assert app.run([*base, "--seeds", "2"]) == 2
    assert "of one run" in capsys.readouterr().err
    assert app.run([*base, "--stream", "rows.csv"]) == 2
    assert "--ttft" in capsys.readouterr().err
