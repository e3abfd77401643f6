"""What `headway simulate` writes: traces, tables, rows; all read back."""

from __future__ import annotations

import collections
import csv
import gzip
import io
import itertools
import json
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

import headway as hw
from headway.cli import app
from headway.records import requests as rows_of
from headway.records.requests import request_columns, simulation_rows, write_parquet
from headway.records.traces import write_trace
from headway.simulation.traffic import traffic

BASE = ["simulate", "llama-3.1-8b", "--on", "h100x1", "--prompt", "512", "--output", "128"]
BASE += ["--traffic", "poisson:30/s", "--requests", "300"]


@pytest.fixture(scope="module")
def several():
    """Four replicas, calm."""
    ask = hw.Request("llama-3.1-8b", "h100x4", prompt=512, output=128, layout="tp1")
    return hw.simulate(ask, traffic("poisson:80/s", count="500", prompt=512, output=128))


@pytest.fixture(scope="module")
def rare():
    """Replicas that are mostly idle."""
    ask = hw.Request("llama-3.1-8b", "h100x2", prompt=512, output=128, layout="tp1")
    return hw.simulate(ask, traffic("poisson:0.5/s", count="100", prompt=512, output=128))


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """One replica that is cut off while requests wait, with caches given up and a prompt that never fits."""
    file = tmp_path_factory.mktemp("traffic") / "log.csv"
    lines = [f"{i / 120},512,128" for i in range(3000)]
    lines[100] = f"{100 / 120},9000000,10"
    file.write_text("\n".join(["arrival,prompt,output", *lines]) + "\n")
    ask = hw.Request("llama-3.1-8b", "h100x1", prompt=512, output=128)
    found = hw.simulate(ask, traffic(str(file)), until=40.0)
    assert found.log.rejected.sum() == 1
    assert found.log.preempted.any()
    assert not found.ended.all()
    return found


def slices(events, kind="X"):
    """Slices of a kind by their (process, track)."""
    found = collections.defaultdict(list)
    for e in events:
        if e["ph"] == kind:
            found[e["pid"], e.get("tid")].append(e)
    return found


@pytest.mark.parametrize("run", ["several", "rare", "crowded"])
def test_slices_of_a_trace_add_up(request, run, tmp_path):
    s = request.getfixturevalue(run)
    said = write_trace(s, tmp_path / "t.json")
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    assert (said.events, said.whole) == (len(events), True)
    tracks = slices(events)
    prompts = sum(e["args"]["prompt_tokens"] for e in events if e["ph"] == "X" and e["tid"] == 0)
    assert (
        prompts == s.log.requests.prompt.sum() or run == "crowded"
    )  # some of its prompts are computed again, some never
    for number, p in enumerate(s.log.passes, 1):
        passes = tracks.pop((number, 0))
        assert sum(e["dur"] for e in passes) == pytest.approx(1e6 * p.seconds.sum(), abs=1e-3 * len(passes))
        assert sum(e["args"]["passes"] for e in passes) == p.count.sum()
        assert sum(e["args"]["new_tokens"] for e in passes) == p.tokens.sum()
        assert all(
            (e["name"].startswith(f"decode x{e['args']['sequences']}")) == (e["args"]["sequences"] > 0) for e in passes
        )
        assert all(("prompts" in e["name"]) == (e["args"]["prompt_tokens"] > 0) for e in passes)
        in_order(passes)
    for seat in tracks.values():
        in_order(sorted(seat, key=lambda e: (e["ts"], e["dur"])))
    spent = collections.Counter()
    for e in (e for seat in tracks.values() for e in seat):
        spent[e["args"]["request"]] += e["dur"]
    begun = np.flatnonzero(np.isfinite(s.log.start))
    wanted = np.nan_to_num(s.log.end, nan=s.log.now) - s.log.start
    assert sorted(spent) == begun.tolist()
    assert [spent[i] for i in begun.tolist()] == pytest.approx((1e6 * wanted[begun]).tolist(), abs=2e-3)


def in_order(track):
    """No slice of a track begins before the one before it has ended."""
    ends = [round(1e3 * (e["ts"] + e["dur"])) for e in track]
    starts = [round(1e3 * e["ts"]) for e in track]
    assert all(a <= b for a, b in zip(ends, starts[1:], strict=False))


@pytest.mark.parametrize("run", ["several", "rare", "crowded"])
def test_waits_and_counters_of_a_trace(request, run, tmp_path):
    s = request.getfixturevalue(run)
    write_trace(s, tmp_path / "t.json")
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    begin = {e["id"]: e["ts"] for e in events if e["ph"] == "b"}
    end = {e["id"]: e["ts"] for e in events if e["ph"] == "e"}
    came = np.flatnonzero(np.isfinite(s.log.arrival) & ~s.log.rejected)
    assert sorted(begin, key=int) == sorted(end, key=int) == [str(i) for i in came]
    waited = np.nan_to_num(s.log.start, nan=s.log.now)[came] - s.log.arrival[came]
    assert sum(end.values()) - sum(begin.values()) == pytest.approx(1e6 * waited.sum(), abs=1e-3 * len(came))
    counted = collections.defaultdict(list)
    for e in events:
        if e["ph"] == "C":
            counted[e["pid"], e["name"]].append((e["ts"], *e["args"].values()))
    for number, p in enumerate(s.log.passes, 1):
        assert max(v for _, v in counted[number, "decoding"]) == p.decoding.max()
        assert max(v for _, v in counted[number, "new tokens"]) == (p.tokens // p.count).max()
        for name in ("decoding", "new tokens", "waiting"):
            times, values = zip(*counted[number, name], strict=True)
            assert list(times) == sorted(times)
            assert min(values) == values[-1] == 0
        seconds = area(counted[number, "decoding"])
        assert seconds == pytest.approx(1e6 * float((p.seconds * p.decoding).sum()), rel=1e-6)
    waiting = sum(area(counted[number, "waiting"]) for number in range(1, len(s.log.passes) + 1))
    assert waiting == pytest.approx(1e6 * waited.sum(), rel=1e-6)


def area(counter):
    """What a counter amounts to over time."""
    return sum(v * (b - a) for (a, v), (b, _) in itertools.pairwise(counter))


def test_a_compressed_trace_is_the_same(several, tmp_path):
    for name in ("a.json", "a.json.gz", "b.json.gz"):
        write_trace(several, tmp_path / name)
    plain = (tmp_path / "a.json").read_bytes()
    assert gzip.decompress((tmp_path / "a.json.gz").read_bytes()) == plain
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()
    assert len(plain) > 4 * (tmp_path / "a.json.gz").stat().st_size
    assert len(list(tmp_path.iterdir())) == 3  # nothing half-written stays


def test_a_trace_that_is_too_long_is_cut_and_says_so(several, tmp_path):
    whole = write_trace(several, tmp_path / "all.json")
    cut = write_trace(several, tmp_path / "cut.json", most=2000)
    assert not cut.whole
    assert 1000 < cut.events <= 2000 < whole.events
    events = json.loads((tmp_path / "cut.json").read_text())["traceEvents"]
    starts = [e["ts"] for e in events if e["ph"] == "X" and e["tid"] == 0]
    assert max(starts) < 1e6 * cut.until
    every = [
        e["ts"]
        for e in json.loads((tmp_path / "all.json").read_text())["traceEvents"]
        if e["ph"] == "X" and e["tid"] == 0
    ]
    assert sorted(starts) == sorted(
        t for t in every if t < 1e6 * cut.until - 1e-3
    )  # times are written in whole nanoseconds


@pytest.mark.parametrize("run", ["several", "crowded"])
def test_parquet_is_the_csv(request, run, tmp_path, monkeypatch):
    s = request.getfixturevalue(run)
    monkeypatch.setattr(rows_of, "_PIECE", 128)
    write_parquet(s, tmp_path / "r.parquet")
    read = pq.ParquetFile(tmp_path / "r.parquet")
    assert read.num_row_groups == -(-len(s.log.requests) // 128)
    table = read.read().to_pylist()
    assert table == list(simulation_rows(s))
    assert {f.name: str(f.type) for f in read.schema_arrow} == {
        name: {"i": "int64", "b": "bool", "f": "double"}[v.dtype.kind] for name, v in request_columns(s).items()
    }
    ttft = [r["ttft_s"] for r in table]
    assert sum(x is None for x in ttft) == np.isnan(s.log.ttft).sum()
    assert [x for x in ttft if x is not None] == s.log.ttft[np.isfinite(s.log.ttft)].tolist()


def test_everything_at_once(capsys, tmp_path):
    files = [tmp_path / name for name in ("c.svg", "t.json.gz", "r.parquet")]
    ask = [*BASE, "-o", str(files[0]), "--perfetto", str(files[1]), "--parquet", str(files[2])]
    assert app.run(ask) == 0
    out, err = capsys.readouterr()
    assert not err
    events = json.loads(gzip.decompress(files[1].read_bytes()))["traceEvents"]
    assert out.splitlines()[-3:] == [
        f"chart written to {files[0]}", f"trace of {len(events):,} events for https://ui.perfetto.dev written to {files[1]}",
        f"300 requests written to {files[2]}",
    ]  # fmt: skip
    assert "TTFT" in files[0].read_text()
    table = pq.read_table(files[2]).to_pylist()
    assert app.run([*ask, "--csv"]) == 0
    out, err = capsys.readouterr()
    assert err.count("\n") == 3
    printed = list(csv.DictReader(io.StringIO(out)))
    assert [list(r) for r in printed] == [list(r) for r in table]
    for a, b in zip(printed, table, strict=True):
        assert a == {k: "" if v is None else str(v) for k, v in b.items()}
    assert app.run([*ask, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 300


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--perfetto", "t.txt"], "--perfetto t.txt: the ending must be .json or .json.gz"),
        (["--perfetto", "no/t.json"], "there is no folder no"),
        (["--perfetto", "config.json"], "is there and is no trace"),
        (["--parquet", "r.csv"], "--parquet r.csv: the ending must be .parquet"),
        (["--parquet", "no/r.parquet"], "there is no folder no"),
        (["--parquet", ""], "an empty name"),
        (["-o", "c.gif"], "the ending must be one of"),
        (["-o", "x.json", "--perfetto", "./x.json"], "name two files"),
    ],
)
def test_files_that_cannot_be_written_are_refused_before_anything_runs(capsys, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text('{"hidden_size": 8}')
    monkeypatch.setattr("headway.simulation.deployment.simulate", None)  # is not reached
    code = app.run([*BASE, *arguments])
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err
    assert [f.name for f in tmp_path.iterdir()] == ["config.json"]


def test_a_missing_extra_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code = app.run([*BASE, "--parquet", str(tmp_path / "r.parquet")])
    _, err = capsys.readouterr()
    assert (code, err.count("\n")) == (2, 1)
    assert "pip install 'headway[parquet]'" in err


def test_a_full_disk_leaves_what_was_there(several, tmp_path, monkeypatch):
    for name, write in (("t.json.gz", write_trace), ("r.parquet", write_parquet)):
        old = tmp_path / name
        old.write_text("old")

        def full(self, target):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("pathlib.Path.replace", full)
        with pytest.raises(hw.InputError, match="No space left on device"):
            write(several, old)
        assert old.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
