"""`headway machine`: amounts are what is moved, runs keep their spread, the row is a chip, and the datasheet stands beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from headway.catalog import use
from headway.cli import app
from headway.errors import InputError
from headway.hardware import chip, probes
from headway.measure import machine as room
from headway.measure.machine import Machine, Rate, listed, measure_machine
from headway.measure.machine_file import write_chip
from headway.measure.machine_load import Others


def test_amounts_are_stream_s():
    found = probes.streams(8_000_000, 2, 0.01)
    assert {k: t.amount / 8e6 for k, t in found.items()} == {"read": 1, "copy": 2, "triad": 3}
    timed = probes.Timed(6.0, (3.0, 2.0, 4.0), 1)
    assert timed.rate == 3.0
    one = probes.product("float32", 1, 0.01)
    assert one.amount == 2 * one.size**3
    assert one.size == 512 or min(one.seconds) > 0.002  # a product that takes a while, or the smallest


def test_every_part_of_an_array_is_worked_on(monkeypatch):
    """Three threads over a length that they do not divide, and blocks that do not fill it."""
    made = []
    ones = np.ones
    monkeypatch.setattr(probes.np, "ones", lambda n: made.append(ones(n)) or made[-1])
    monkeypatch.setattr(probes, "_BLOCK", 1000)
    probes.streams(8 * 10_001, 3, 0.0)
    a, b, c = made
    assert np.array_equal(b, ones(10_001))  # copied
    assert np.array_equal(a, b * 3 + c)


def test_the_array_is_beyond_the_last_cache(monkeypatch):
    monkeypatch.setattr(probes, "memory_bytes", lambda: 1e12)
    monkeypatch.setattr(probes, "last_cache", lambda: 1_000_000_000)
    assert probes.array_bytes() == 4_000_000_000
    monkeypatch.setattr(probes, "memory_bytes", lambda: 12e9)
    assert probes.array_bytes() == 1_000_000_000


def test_others_are_counted_and_the_own_work_is_not():
    with Others() as quiet:
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            pass
    spins = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"  # a server whose engine spins
    other = subprocess.Popen([sys.executable, "-c", spins], start_new_session=True)
    time.sleep(0.2)
    try:
        with Others() as crowd, Others(other.pid) as beside:
            time.sleep(0.5)
    finally:
        os.killpg(other.pid, signal.SIGKILL)
        other.wait()
    assert crowd.cores is not None
    assert quiet.cores is not None
    assert crowd.cores > 0.5  # a child that has not ended counts as somebody else's
    assert beside.cores is not None
    assert beside.cores < crowd.cores - 0.15  # unless it is the one that is measured, with what it has started
    assert crowd.cores + 0.1 > quiet.cores or quiet.cores < probes.cores()


def test_a_whole_run_in_the_terminal(capsys, tmp_path):
    assert (
        app.run(["machine", "--runs", "1", "--spend", "10ms", "-o", str(tmp_path / "own"), "--name", "box", "--json"])
        == 0
    )
    found = json.loads(capsys.readouterr().out)[0]
    described = (Path(__file__).parents[2] / "docs" / "json.md").read_text().split("## `headway machine --json`")[1]
    assert {n for n in [*found, *found["rates"][0]] if f"`{n}`" not in described} == set()
    assert found["device"] == "cpu"
    assert {(r["what"], r["kind"], r["by"]) for r in found["rates"]} >= {
        ("read", "float64", "numpy"), ("copy", "float64", "numpy"), ("triad", "float64", "numpy"),
        ("product", "float32", "numpy"), ("product", "float64", "numpy"), ("product", "bfloat16", "jax"), ("product", "int8", "jax"),
    }  # fmt: skip
    assert found["array_bytes"] >= min(4 * (found["cache_bytes"] or 0), found["memory_bytes"] / 12.01)
    use(tmp_path / "own")
    own = chip("box")
    assert own.bandwidth == pytest.approx(found["bandwidth_bytes_per_s"], rel=1e-3)
    assert own.bf16 == pytest.approx(found["wide_flop_per_s"], rel=1e-3)
    assert app.run(["plan", "llama-3.2-1b", "--on", "box", "--catalog", str(tmp_path / "own")]) == 0


def test_a_probe_that_breaks_off_loses_nothing_else(monkeypatch):
    """JAX missing, PyTorch killed in the middle: said, with what it had measured."""
    line = {"device": "cpu", "kind": "float32", "threads": 1, "size": 8, "memory": 0.0}

    def run(words, **_):
        if words[3] == "torch":
            out = (
                json.dumps(line | {"by": "torch", "what": "product", "amount": 8.0, "seconds": [4.0, 2.0]})
                + '\n{"by": "tor'
            )
            return subprocess.CompletedProcess(words, -9, out, "warning\nout of memory\n")
        lines = [line | {"by": "numpy", "what": w, "amount": 12.0, "seconds": [3.0, 4.0]} for w in ("read", "product")]
        return subprocess.CompletedProcess(words, 0, "".join(json.dumps(x) + "\n" for x in lines), "")

    monkeypatch.setattr(room.subprocess, "run", run)
    monkeypatch.setattr(room.importlib.util, "find_spec", lambda name: None if name == "jax" else object())
    (found,) = measure_machine(2)
    assert found.missing == ("jax is not installed", "torch broke off: out of memory")
    assert {(r.by, r.what): r.runs for r in found.rates} == {
        ("numpy", "read"): (4.0, 4.0), ("numpy", "product"): (4.0, 4.0), ("torch", "product"): (4.0, 4.0),
    }  # fmt: skip


def device(*rates, others=(0.0, 0.0), sheet=None):
    return Machine("gpu", "a card", 4, 80e9, 0, 8, rates, others, sheet, (), "2026-11-28")


READ = Rate("gpu", "read", "float32", "torch", 0, (2.0e12, 2.5e12, 3.0e12), 8)
WIDE = Rate("gpu", "product", "bfloat16", "torch", 0, (7e14, 8e14), 4096)


def test_beside_the_datasheet():
    found = device(READ, WIDE, sheet=chip("h100"))
    assert [(b.what, round(b.share, 4), b.short) for b in found.beside] == [
        ("memory bandwidth", round(3.0e12 / 3.35e12, 4), True),
        ("16-bit products", round(8e14 / 989e12, 4), True),
    ]
    assert READ.spread == pytest.approx(0.4)
    assert not READ.steady
    text = found.text()
    assert "H100 SXM" in text
    assert "runs lie more than 10 % apart: read" in text
    assert "! other processes took 0.10, 1.50 cores" in device(READ, WIDE, others=(0.1, 1.5)).text()


@pytest.mark.parametrize(("said", "name"), [
    ("NVIDIA H100 80GB HBM3", "H100 SXM"), ("AMD EPYC 9654 96-Core Processor", "EPYC 9654"), ("NVIDIA H200", "H200 SXM"),
    ("Intel(R) Xeon(R) Platinum 8480+", "Xeon Platinum 8480+"), ("AMD Ryzen 9 7950X 16-Core Processor", "Ryzen 9 7950X"),
    ("NVIDIA A100-SXM4-80GB", "A100 SXM 80GB"), ("AMD EPYC", None), ("", None),
])  # fmt: skip
def test_names_that_systems_give(said, name):
    found = listed(said)
    assert (found.name if found else None) == name


def test_a_row_takes_the_place_of_its_own_only(tmp_path):
    file = tmp_path / "chips.csv"
    file.write_text(
        "name,memory_GB,memory_GBps,bf16_TFLOPS,source,date,price_usd_h\nother,80,2000,300,mine,2026-01-01,2.5\n"
    )
    for factor in (1, 2):
        write_chip(
            device(READ, Rate("gpu", "product", "bfloat16", "torch", 0, (factor * 4e14,), 1)).row("Mine"), tmp_path
        )
    use(tmp_path)
    assert chip("mine").bf16 == 8e14
    assert chip("other").price == pytest.approx(2.5 / 3600)
    before = file.read_bytes()
    with pytest.raises(InputError, match="FLOP per byte"):  # what no machine has is not kept
        write_chip(device(READ, Rate("gpu", "product", "bfloat16", "torch", 0, (4e17,), 1)).row("mine"), tmp_path)
    assert file.read_bytes() == before


@pytest.mark.parametrize(("words", "said"), [
    (["--runs", "0"], "--runs: 0 must be 1 to 1,000"), (["--spend", "soon"], "--spend"), (["--as", "h1000"], "h1000"),
    (["-o", "/nowhere/at/all"], "-o /nowhere/at/all: is no folder"),
])  # fmt: skip
def test_bad_words(capsys, words, said):
    assert app.run(["machine", *words]) == 2
    assert said in capsys.readouterr().err
