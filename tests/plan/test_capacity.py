"""Capacities with known answers, what they must be monotone in, and `headway capacity` as a user runs it."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

from headway.cli import app
from headway.errors import InputError
from headway.numeric import student
from headway.plan import benches
from headway.plan.benches import Window, bench
from headway.plan.bisect import largest
from headway.plan.capacity import find_capacity
from headway.plan.operations import Words
from headway.questions import Request
from headway.simulation import Requests
from headway.simulation.repeats import over
from headway.simulation.steady import steady

SMALL = Request("llama-3.1-8b", "h100x1", prompt=512, output=128)
BASE = ["capacity", "llama-3.1-8b", "--on", "h100x1", "--prompt", "512", "--output", "128"]


def waits_at_most(t, load):
    """Share of M/D/1 waits of at most t services (Erlang 1909; Franx 2001)."""
    return (1 - load) * sum(
        (-load * (t - k)) ** k / math.factorial(k) * math.exp(load * (t - k)) for k in range(math.floor(t) + 1)
    )


def load_of(t, share):
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if waits_at_most(t, middle) >= share else (low, middle)
    return low


@pytest.mark.parametrize(("t", "share"), [(1.5, 0.9), (4.0, 0.9), (4.0, 0.99), (8.0, 0.5)])
def test_one_seat_and_one_length_is_m_d_1(t, share):
    """The rate at which a share of Poisson arrivals waits at most t services of one length: a closed form."""
    one = Request("llama-3.1-8b", "h100x1", prompt=500, output=1)
    at_hand = bench(one, "poisson:1/s", Window(), Words(max_sequences=1), 0)
    whole = float(at_hand.alone.ttft[0])
    service = whole - at_hand.deployment.delay
    found = find_capacity(one, ttft=whole + t * service, within=share, words=Words(max_sequences=1), seeds=4, speeds=())
    wanted = load_of(t, share) / service
    assert found.most.value.value == pytest.approx(wanted, rel=0.03)
    assert found.most.binds == "TTFT"
    assert found.estimate != found.estimate  # the mean field knows no answers of one token


def test_no_limit_that_binds_is_saturation():
    """One seat, one length: what it carries is one per service, however long they may wait."""
    one = Request("llama-3.1-8b", "h100x1", prompt=500, output=1)
    found = find_capacity(one, ttft="1h", words=Words(max_sequences=1), seeds=3, speeds=())
    service = float(found.bench.alone.ttft[0]) - found.deployment.delay
    assert found.most.binds == "saturation"
    assert found.most.value.value == pytest.approx(1 / service, rel=0.02)


def rate(**asked):
    return find_capacity(SMALL, **{"ttft": 0.5, "tpot": 0.02, "seeds": 3, "speeds": (), **asked})


def test_harder_limits_carry_less():
    def at(**asked):
        return rate(window=Window(count="4000"), **asked).most

    base = at()
    assert base.binds == "TPOT"
    assert at(tpot=0.015).value.value < 0.9 * base.value.value
    assert at(within=0.99).value.value < base.value.value < at(within=0.5).value.value
    short = at(tpot=None, ttft=0.1)
    assert short.binds == "TTFT"
    assert short.value.value < at(tpot=None, ttft=0.3).value.value
    assert at(traffic="gamma:1/s,cv=4").value.value < 0.8 * base.value.value


def test_what_requests_see_there_is_the_limit():
    """At each seed's answer a little more than the share meets the limits, and the price is the rent over the tokens."""
    found = rate()
    for seen in found.at:
        assert 0.9 <= seen.within(0.5, 0.02) < 0.93
        assert not seen.growing
    system = found.setting.system
    wanted = system.chips * system.price / (found.most.value.value * 128) * 1e6
    assert found.dollars_per_mtok == pytest.approx(wanted, rel=0.02)
    low, high = found.most.value.low, found.most.value.high
    assert low < found.most.value.value < high < 1.1 * low


def test_twice_the_replicas_carry_twice_as_much():
    one, two = (
        find_capacity(
            Request("llama-3.1-8b", system, layout="tp1", prompt=512, output=128), tpot=0.02, ttft=0.5, seeds=3,
            words=Words(router="least-loaded"), speeds=(30,),
        )
        for system in ("h100x1", "h100x2")
    )  # fmt: skip
    assert (one.bench.replicas, two.bench.replicas) == (1, 2)
    assert two.most.value.value == pytest.approx(2 * one.most.value.value, rel=0.08)
    assert two.readers[0].most.value.value == pytest.approx(2 * one.readers[0].most.value.value, rel=0.05)


def test_users_of_a_closed_loop():
    """With long pauses users are the rate times the time of a round (Little's law); readers agree with the mean field."""
    found = rate(traffic="closed:1,think=10s,think-cv=0.5", tpot=0.012, speeds=(100,), seeds=2)
    users, seen = found.most.value.value, found.at
    asks = sum(s.came / s.seconds for s in seen) / len(seen)
    took = sum(s.flying for s in seen) / len(seen) / asks
    assert users == pytest.approx(asks * (10 + took), rel=0.05)
    assert asks == pytest.approx(rate(tpot=0.012, seeds=2).most.value.value, rel=0.1)
    reader = found.readers[0]
    assert reader.most.binds == "TPOT"
    assert reader.most.value.value == pytest.approx(reader.estimate, rel=0.1)


def test_memory_bounds_the_readers():
    """Where the longest batch is fast enough, memory says how many read."""
    found = rate(speeds=(1,), ttft=None, tpot=0.01, seeds=1)
    assert found.readers[0].most.binds == "memory"
    held = math.floor(found.setting.account(found.deployment.layout).holds)
    assert found.readers[0].most.value.value == held


def test_zero_says_which_limit_a_request_alone_breaks():
    found = rate(ttft=0.001, speeds=(10, 1000))
    assert (found.most.value.value, found.most.binds) == (0, "TTFT alone")
    assert "TTFT alone" in found.text()
    assert found.readers[1].most.binds == "TTFT and TPOT alone"
    assert rate(tpot=1e-4).most.binds == "TPOT alone"


def test_a_trace_is_one_run(capsys):
    code = app.run(["capacity", "llama-3.1-8b", "--on", "h100x1", "--traffic", "azure-code", "--requests", "1000", "--ttft", "500ms",
                    "--readers", "none", "--json"])  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["seeds"] == 1
    assert found["capacity"]["value"] > 0
    assert found["capacity"]["low"] is None


def test_the_bisection():
    for top in (0.013, 1.0, 7.3, 1e5):
        low, high = largest(lambda x, top=top: x <= top, 1.0, close=0.01)
        assert low <= top < high <= 1.01 * low * 1.0001
    for top in (1, 2, 17, 4096):
        low, high = largest(lambda x, top=top: x <= top, 20, close=0.0, least=1, most=1e6, whole=True)
        assert (low, high) == (top, top + 1)
    assert largest(lambda x: False, 20, close=0.01, least=1.0) == (0.0, 1.0)
    assert largest(lambda x: True, 20, close=0.01, most=500) == (500, math.inf)


def test_student_and_intervals_over_repeats():
    stats = pytest.importorskip("scipy.stats")
    for freedom in (1, 2, 3, 7, 40):
        assert student(0.9, freedom) == pytest.approx(stats.t.ppf(0.9, freedom), rel=1e-6)
    rng = np.random.default_rng(1)
    held = [o.low <= 5 <= o.high for o in (over(rng.normal(5, 1, 4).tolist()) for _ in range(2000))]
    assert np.mean(held) == pytest.approx(0.8, abs=0.03)
    assert math.isnan(over([3.0]).low)


def test_the_steady_part_forgets_the_beginning():
    """Time-averages of a run in its steady part: Little's law, and the first quarter left out."""
    from headway.plan.simulated import simulate

    rng = np.random.default_rng(0)
    arrival = np.cumsum(rng.exponential(1 / 20, 4000))
    found = steady(simulate(SMALL, Requests(arrival, np.full(4000, 512), np.full(4000, 128))).log)
    assert found.seconds == pytest.approx(0.75 * (arrival[-1] - arrival[0]))
    assert found.came == pytest.approx(3000, rel=0.05)
    took = float((found.ttft + found.tpot * 127).mean())
    assert found.flying == pytest.approx(found.came / found.seconds * took, rel=0.01)


def run(capsys, *arguments):
    code = app.run([*BASE, *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_text_json_and_the_curve_say_the_same(capsys, tmp_path):
    options = ["--ttft", "500ms", "--tpot", "20ms", "--seeds", "2", "--requests", "2000"]
    code, out, err = run(capsys, *options, "--readers", "100")
    assert (code, err) == (0, "")
    for said in (
        "90 % of requests within TTFT 500 ms and TPOT 20 ms",
        "TPOT binds",
        "80 %:",
        "2 seeds",
        "/Mtok",
        "mean field",
        "100 tok/s",
    ):
        assert said in out
    _, out, _ = run(capsys, *options, "--json", "--readers", "none", "-o", str(tmp_path / "c.svg"))
    found = json.loads(out)
    assert found["readers"] == []
    assert 0.9 <= found["at_capacity"]["within"] < 0.93
    assert "requests within limits" in (tmp_path / "c.svg").read_text()
    _, out, _ = run(capsys, *options, "--csv")
    rows = [{k: float(v) for k, v in r.items() if k not in ("growing",)} for r in csv.DictReader(io.StringIO(out))]
    near = min(rows, key=lambda r: abs(r["requests_per_s"] - found["capacity"]["value"]))
    assert near["within"] == pytest.approx(0.9, abs=0.03)
    assert rows[0]["within"] == 1.0
    assert rows[-1]["within"] < 0.8


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--ttft"),
        (["--ttft", "5"], "no unit"),
        (["--ttft", "1s", "--within", "120%"], "--within"),
        (["--ttft", "1s", "--within", "most"], "--within"),
        (["--ttft", "1s", "--seeds", "0"], "--seeds"),
        (["--ttft", "1s", "--traffic", "poison:1/s"], "poisson"),
        (["--ttft", "1s", "--readers", "fast"], "--readers"),
        (["--ttft", "1s", "--requests", "20"], "at least 100"),
        (["--ttft", "1s", "--cpu-layers", "2"], "host"),
        (["--ttft", "1s", "--seed", "-1"], "seed"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, says):
    code, out, err = run(capsys, *arguments)
    assert code in (2, 3)
    assert not out
    assert err.count("\n") == 1
    assert says in err


def test_a_function_needs_a_limit_too():
    with pytest.raises(InputError, match="needs a limit"):
        find_capacity(SMALL)


@pytest.mark.parametrize("load", ["poisson:1/s", "closed:2"])
def test_many_replicas_alike_are_played_in_part(load, monkeypatch):
    """Two of eight machines with a quarter of the requests say what all eight say, of rates, users and requests in flight."""
    ask = Request("llama-3.1-8b", "h100x8", prompt=512, output=128, layout="tp1")
    how = {"tpot": 0.03, "seeds": 2, "speeds": (50.0,)}
    whole = find_capacity(ask, load, **how)
    assert whole.bench.times == 1
    monkeypatch.setattr(benches, "_PLAYED", 2)
    part = find_capacity(ask, load, **how)
    assert part.bench.times == 4
    assert part.most.value.value == pytest.approx(whole.most.value.value, rel=0.04)
    assert part.readers[0].most.value.value == pytest.approx(whole.readers[0].most.value.value, rel=0.04)
    assert part.at[0].flying == pytest.approx(whole.at[0].flying, rel=0.2)  # steep at the knee
    assert part.output_rate == pytest.approx(whole.output_rate, rel=0.05)
    assert part.at[0].batch == pytest.approx(whole.at[0].batch, rel=0.2)
    assert "2 of 8 replicas alike were played" in part.text()
