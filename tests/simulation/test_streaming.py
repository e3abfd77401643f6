"""Runs in bounded memory: the same requests, the same passes, the same sums as with everything held."""

import csv
import dataclasses
import json
import math

import numpy as np
import pytest

from headway.cli import app
from headway.errors import InputError
from headway.plan.simulated import placed
from headway.questions import Request
from headway.simulation import Requests
from headway.simulation.autoscaling import Autoscale
from headway.simulation.deployment import Operation, deployment
from headway.simulation.policies import Chunked, DecodeFirst, Departures, PrefillFirst, Static
from headway.simulation.results import SHARES, Simulated
from headway.simulation.routers import LeastLoaded
from headway.simulation.sketches import Sketch
from headway.simulation.streamed import streamed
from headway.simulation.streaming import stream
from headway.simulation.tiers import Tier, dealt
from headway.simulation.traffic import traffic
from headway.simulation.traffic.flows import flow

PLACE = placed(Request("llama-3.1-8b", "h100x2", layout="tp1", prompt=600, output=80))
TIERS = (Tier("fast", 0.3), Tier("slow", 0.7, seats=0.5, patience=5.0))
OPERATIONS = {
    "chunked": Operation(policy=Chunked()),
    "least loaded": Operation(policy=Chunked(), router=LeastLoaded()),
    "prefill first": Operation(policy=PrefillFirst()),
    "decode first": Operation(policy=DecodeFirst(), sequences=20),
    "trains": Operation(policy=Departures(0.03)),
    "padded": Operation(policy=Static(8, 0.5)),
    "tiers": Operation(policy=Chunked(), sequences=24, tiers=TIERS, router=LeastLoaded()),
    "full queue": Operation(policy=Chunked(), sequences=8, queue=3),
    "scaled": Operation(policy=Chunked(), autoscale=Autoscale(1, 8.0, 1.0, 2.0, 3.0)),
}


def cut(r, size):
    for i in range(0, len(r), size):
        tier = r.tier[i : i + size] if len(r.tier) else r.tier
        yield Requests(
            r.arrival[i : i + size], r.prompt[i : i + size], r.output[i : i + size], tier=tier, tiers=r.tiers
        )


def drawn(seed, count=400, rate=40):
    rng = np.random.default_rng(seed)
    return Requests(
        np.cumsum(rng.exponential(1 / rate, count)), rng.integers(1, 1500, count), rng.integers(1, 200, count)
    )


def both(operation, seed=0, size=37):
    d = deployment(PLACE.setting, PLACE.layout, operation)
    r = drawn(seed)
    r = dealt(r, operation.tiers, 1) if operation.tiers else r
    engine = dataclasses.replace(d.engine, replicas=2, router=operation.router)
    pieces = list(stream(engine, cut(r, size), d.delay, autoscale=operation.autoscale))
    return d, r, d.run(r, replicas=2), pieces


def joined(pieces, name):
    order = np.argsort(np.concatenate([p.number for p in pieces]))
    return np.concatenate([getattr(p.log, name) for p in pieces])[order]


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("size", [1, 37, 1000])
def test_pieces_are_the_whole(name, size):
    _, r, log, pieces = both(OPERATIONS[name], size=size)
    assert np.concatenate([p.number for p in pieces]).size == len(r)
    for column in ("arrival", "start", "first", "end"):
        np.testing.assert_allclose(joined(pieces, column), getattr(log, column), rtol=1e-9, atol=1e-9)
    for column in ("replica", "preempted", "rejected", "turned_away"):
        assert joined(pieces, column).tolist() == getattr(log, column).tolist()
    for i, whole in enumerate(log.passes):
        some = [p.log.passes[i] for p in pieces]
        assert sum(x.seconds.sum() for x in some) == pytest.approx(whole.seconds.sum(), rel=1e-9)
        assert sum(x.made.sum() for x in some) == whole.made.sum()
        assert sum(x.count.sum() for x in some) == whole.count.sum()
    np.testing.assert_allclose(pieces[-1].log.rented, log.rented, rtol=0.2 if name == "scaled" else 1e-9)


def test_pre_emptions_are_counted_once():
    d = deployment(PLACE.setting, PLACE.layout, Operation(policy=Chunked()))
    limits = dataclasses.replace(d.engine.limits, blocks=200)
    engine = dataclasses.replace(d.engine, limits=limits)
    r = drawn(3)
    whole = dataclasses.replace(d, engine=engine).run(r)
    pieces = list(stream(engine, cut(r, 50), d.delay))
    assert whole.preempted.sum() > 10
    assert joined(pieces, "preempted").tolist() == whole.preempted.tolist()


def test_places_are_taken_again():
    d = deployment(PLACE.setting, PLACE.layout, Operation(policy=Chunked()))
    r = drawn(1, 6000, 20)
    tops = [p.left for p in stream(d.engine, cut(r, 100), d.delay)]
    assert max(tops) < 300
    numbers = [n for p in stream(d.engine, cut(r, 100), d.delay) for n in p.number.tolist()]
    assert sorted(numbers) == list(range(len(r)))


def test_what_needs_all_requests_at_once_is_refused():
    d = deployment(PLACE.setting, PLACE.layout)
    for r in (
        traffic("closed:3", prompt=10, output=5),
        traffic("agents:1/s,shared=500,turns=2,prompt=90,new=9,output=9"),
    ):
        with pytest.raises(InputError, match="without --stream"):
            list(stream(d.engine, [r], d.delay))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("poisson:20/s,prompt=1k~0.8,output=200", {"count": 1000, "seed": 3}),
        ("gamma:20/s,cv=3,prompt=100,output=lognormal:100/cv=1", {"count": 777}),
        ("poisson:20/s,prompt=lognormal:median=500/p95=4k/most=8k,output=10-20", {"count": 300}),
        ("weibull:20/s,cv=2", {"prompt": "100-900", "output": 7, "duration": "40s"}),
        ("constant:9/s", {"prompt": 5, "output": 6, "count": 100}),
        ("diurnal:20/s,swing=0.6", {"prompt": 5, "output": 6, "count": 500}),
        ("poisson:20/s", {"lengths": "azure-conv", "count": 300}),
        ("azure-code", {"count": 900, "scale": 2}),
    ],
)
@pytest.mark.parametrize("size", [64, 10_000])
def test_drawn_piece_by_piece_is_drawn_at_once(text, options, size):
    whole, found = traffic(text, **options), flow(text, size, **options)
    pieces = list(found.pieces)
    assert max(map(len, pieces)) <= size
    np.testing.assert_allclose(np.concatenate([p.arrival for p in pieces]), whole.arrival, rtol=1e-9)
    if "lengths" not in options:
        assert np.concatenate([p.prompt for p in pieces]).tolist() == whole.prompt.tolist()
        assert np.concatenate([p.output for p in pieces]).tolist() == whole.output.tolist()
    assert found.count == pytest.approx(len(whole), rel=0.2)


def test_sums_are_those_of_the_whole():
    operation = Operation(policy=Chunked(), router=LeastLoaded())
    d, r, log, _ = both(operation, seed=5)
    whole = Simulated(d, 2, log)
    found = streamed(d, 2, cut(r, 61), lambda p: None, lambda t: False)
    for name in (
        "span",
        "offered",
        "carried",
        "output_rate",
        "paid",
        "busy",
        "batch",
        "dollars_per_mtok",
    ):
        assert getattr(found, name) == pytest.approx(getattr(whole, name), rel=1e-6), name
    for name in (
        "joules_per_token",
        "used",
    ):  # a piece's prompts count at the mean length of those that ended until then
        assert getattr(found, name) == pytest.approx(getattr(whole, name), rel=1e-3), name
    assert found.prices[0] == pytest.approx(whole.prices[0], rel=0.01)
    assert found.prices[1] == pytest.approx(whole.prices[2], rel=0.01)
    assert found.tally.prompt == r.prompt.sum()
    for name, quantiles in whole.quantiles.items():
        for a, b in zip(found.quantiles[name], quantiles, strict=True):
            if b.known and name != "queued":
                assert b.low * 0.998 <= a.value <= b.high * 1.002, (name, b.share)  # ranks against interpolation


def test_sketches_are_within_a_thousandth():
    values = np.random.default_rng(1).lognormal(-2, 1.5, 200_000)
    s = Sketch()
    for part in np.array_split(values, 7):
        s.add(part)
    s.add(np.array([math.nan]))
    assert s.count == 200_000
    assert s.mean == pytest.approx(values.mean())
    for q, share in zip(s.quantiles(), SHARES, strict=True):
        exact = np.sort(values)[math.ceil(share * len(values)) - 1]
        assert q.value == pytest.approx(exact, rel=5.1e-4)
        assert q.low < q.value < q.high
    assert s.value(1.0) == values.max()
    assert math.isnan(Sketch().value(0.5))


def run(capsys, *args):
    code = app.run(["simulate", "llama-3.1-8b", "--on", "h100x1", "--prompt", "300", "--output", "20", *args])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_the_file_has_every_request(capsys, tmp_path):
    file = tmp_path / "rows.csv"
    code, out, _ = run(capsys, "--requests", "500", "--traffic", "poisson:20/s", "--stream", str(file))
    assert code == 0
    assert "500 requests written to" in out
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert sorted(int(r["request"]) for r in rows) == list(range(500))
    _, whole, _ = run(capsys, "--requests", "500", "--traffic", "poisson:20/s", "--csv")
    there = {r["request"]: r for r in csv.DictReader(whole.splitlines())}
    for r in rows:
        for key, value in r.items():
            if key.endswith("_s"):
                assert float(value) == pytest.approx(float(there[r["request"]][key]), rel=1e-6)


def test_a_table_and_plain_data(capsys, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "rows.parquet"
    code, out, _ = run(capsys, "--requests", "300", "--stream", str(file), "--json")
    assert code == 0
    assert json.loads(out)["ended"] == 300
    assert pq.read_table(file).num_rows == 300


def test_an_interrupt_keeps_what_has_ended(capsys, tmp_path, monkeypatch):
    from headway.cli import streaming

    monkeypatch.setattr(streaming, "PIECE", 100)
    monkeypatch.setattr(streaming.Watching, "__call__", lambda self, share: share > 0.3)
    file = tmp_path / "rows.csv"
    code, out, err = run(capsys, "--requests", "2000", "--stream", str(file))
    assert code != 0
    assert "interrupted" in err
    assert "stopped with" in out
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert 500 < len(rows) < 1000
    assert all(r["end_s"] for r in rows)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--stream", "x.txt"], "ending must be .csv or .parquet"),
        (["--stream", "nowhere/x.csv"], "no folder"),
        (["--stream", "x.csv", "--csv"], "leave out --csv"),
        (["--stream", "x.csv", "--prefill", "1"], "--prefill"),
        (["--stream", "x.csv", "--traffic", "closed:4"], "without --stream"),
    ],
)
def test_what_cannot_be_streamed(capsys, tmp_path, monkeypatch, more, says):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, *more)
    assert code != 0
    assert says in err
    assert "Traceback" not in err


def test_nothing_is_written_over(capsys, tmp_path):
    file = tmp_path / "old.csv"
    file.write_text("mine")
    code, _, err = run(capsys, "--stream", str(file))
    assert code != 0
    assert "is there already" in err
    assert file.read_text() == "mine"
