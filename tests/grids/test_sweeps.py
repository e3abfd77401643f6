"""Sweeps of simulations: cells, their journal, stopped and gone on with; and repeats of one simulation."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from headway.cli import app
from headway.grids.sweeps import AXES, Runs, sweep_cells
from headway.plan.operations import Words
from headway.plan.repeats import repeated
from headway.plan.simulated import asked_for, simulate
from headway.questions import Request

BASE = ["--on", "h100x1", "--prompt", "512", "--output", "64", "--requests", "200", "--seeds", "2"]
SWEEP = ["sweep", "llama-3.1-8b", *BASE, "--rate", "5/s,20/s", "--policy", "chunked,prefill-first"]
RUNS = Runs((("count", "200"),), 2, 0, Words(), None, None)


def run(capsys, *arguments):
    code = app.run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def cells(runs=RUNS, **axes):
    open_ = {
        "model": ["llama-3.1-8b"], "system": ["h100x1"], "traffic": ["poisson:1/s"], "policy": ["engine"], "router": ["round-robin"],
    }  # fmt: skip
    return sweep_cells({"prompt": 512, "output": 64}, open_ | axes, runs)


def test_every_combination_is_a_cell():
    found = cells(rate=["5/s", "20/s"], layout=["tp1", "dp1"], policy=["chunked", "engine"])
    assert len(found) == 8
    assert found[0].label == "tp1, 5/s, chunked"
    assert len({c.key for c in found}) == 8
    assert found[0].at[AXES.index("rate")] == "5/s"


def test_the_key_names_everything_asked(tmp_path):
    """Another seed, window, limit or length, and an edited file of traffic, are other questions."""
    base = cells()[0].key
    assert cells()[0].key == base
    for change in (
        {"seeds": 3}, {"seed": 1}, {"words": Words(max_sequences=8)}, {"words": Words(swap=True)},
        {"ttft": 1.0}, {"tpot": 1.0}, {"window": (("count", "201"),)},
    ):  # fmt: skip
        assert cells(Runs(**{**vars(RUNS), **change}))[0].key != base
    file = tmp_path / "log.csv"
    keys = set()
    for text in ("arrival,prompt,output\n0,5,2\n1,5,2\n", "arrival,prompt,output\n0,5,2\n1,6,2\n"):
        file.write_text(text)
        keys.add(cells(traffic=[str(file)])[0].key)
    assert len(keys) == 2
    assert not keys & {base}


def test_a_cell_is_what_simulate_says(capsys):
    _, out, _ = run(capsys, *SWEEP, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(r["rate"], r["policy"]) for r in rows] == [
        ("5/s", "chunked"), ("5/s", "prefill-first"), ("20/s", "chunked"), ("20/s", "prefill-first"),
    ]  # fmt: skip
    _, out, _ = run(capsys, "simulate", "llama-3.1-8b", *BASE, "--rate", "20/s", "--policy", "chunked", "--json")
    one = json.loads(out)
    assert float(rows[2]["ttft_p99_s"]) == pytest.approx(one["ttft_s"]["p99"]["value"])
    assert float(rows[2]["tpot_p50_s_low"]) == pytest.approx(one["tpot_s"]["p50"]["low"])
    single = []
    for seed in ("0", "1"):
        asked = [*BASE[:-2], "--rate", "20/s", "--policy", "chunked", "--seed", seed, "--json"]
        single.append(json.loads(run(capsys, "simulate", "llama-3.1-8b", *asked)[1])["ttft_s"]["p99"]["value"])
    assert one["ttft_s"]["p99"]["value"] == pytest.approx(sum(single) / 2)


def test_repeats_are_the_runs_of_their_seeds():
    request = Request("llama-3.1-8b", "h100x1", prompt=512, output=64)
    found = repeated(request, "poisson:20/s", seeds=2, seed=4, window={"count": "100"})
    for n, one in enumerate(found.runs):
        asked, drawn = asked_for(request, "poisson:20/s", seed=4 + n, count="100")
        assert one.log.end.tolist() == simulate(asked, drawn).log.end.tolist()
    assert "2 repeats of 100 requests" in found.text()
    assert found.to_dict()["repeats"] == 2


def test_a_trace_is_run_once_in_a_sweep_and_refused_alone(capsys):
    code, _, err = run(
        capsys,
        "simulate",
        "llama-3.1-8b",
        "--on",
        "h100x1",
        "--traffic",
        "azure-code",
        "--requests",
        "50",
        "--seeds",
        "3",
    )
    assert code == 2
    assert "the same run" in err
    _, out, _ = run(
        capsys, "sweep", "llama-3.1-8b", "--on", "h100x1", "--traffic", "azure-code", "--requests", "50", "--json"
    )
    assert json.loads(out)["cells"][0]["answer"]["repeats"] == 1


def test_limits_and_refusals_have_their_columns(capsys):
    code, out, _ = run(capsys, *SWEEP, "--layout", "tp1,tp3", "--ttft", "500ms", "--tpot", "50ms")
    assert code == 0
    assert "within" in out
    assert "100 %" in out
    assert out.count("! tp3") == 4
    code, _, err = run(capsys, *SWEEP, "--layout", "tp3")
    assert code == 3
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--policy", "chunkd"], "chunked"),
        (["--router", "random"], "round-robin"),
        (["--seeds", "0"], "--seeds"),
        (["--workers", "0"], "--workers"),
        (["--workers", "2", "--ray", "auto"], "--workers"),
        (["--ttft", "3"], "no unit"),
        (["--rate", "fast"], "fast"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, says):
    code, out, err = run(capsys, "sweep", "llama-3.1-8b", *BASE, *arguments)
    assert (code in (2, 3), out) == (True, "")
    assert err.count("\n") == 1
    assert says in err


def test_a_rerun_goes_on_from_the_journal(capsys, tmp_path):
    """Nothing runs twice; another question does; a search's journal is not taken for a sweep's."""
    journal = tmp_path / "s.jsonl"
    kept = [*SWEEP, "--results", str(journal), "--json"]
    _, out, _ = run(capsys, *kept, "--workers", "1")
    first = json.loads(out)
    assert (first["computed"], first["from_journal"]) == (4, 0)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:3]) + lines[3][:20])  # as a kill inside a write would leave it
    _, out, _ = run(capsys, *kept)
    again = json.loads(out)
    assert (again["computed"], again["from_journal"]) == (1, 3)
    assert again["cells"] == first["cells"]
    _, out, _ = run(capsys, *kept)
    assert (json.loads(out)["computed"], json.loads(out)["unfinished"]) == (0, 0)
    _, out, _ = run(capsys, *kept[:-1], "--seed", "7", "--json")
    assert json.loads(out)["computed"] == 4
    other = tmp_path / "g.jsonl"
    other.write_text('{"key": "a", "label": "a", "answer": {"best": {}, "fleets": []}, "refused": null}\n')
    code, _, err = run(capsys, *SWEEP, "--results", str(other))
    assert code == 2
    assert "is not a result" in err


def test_processes_give_what_this_process_gives(capsys):
    found = [json.loads(run(capsys, *SWEEP, "--json", "--workers", n)[1])["cells"] for n in ("1", "2")]
    assert found[0] == found[1]


def test_ray_gives_the_same(capsys):
    pytest.importorskip("ray")
    here = json.loads(run(capsys, *SWEEP, "--json", "--workers", "1")[1])["cells"]
    done = subprocess.run([sys.executable, "-m", "headway", *SWEEP, "--json", "--ray", "auto"], capture_output=True, text=True, check=True,
                          timeout=300, env={**os.environ, "RAY_AUTH_MODE": "disabled"})  # fmt: skip
    assert json.loads(done.stdout)["cells"] == here


# Undoes what a job in the background hands down: ignored and blocked signals.
FROM_A_TERMINAL = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.pthread_sigmask(signal.SIG_SETMASK, set())
from headway.cli.app import main
main()
"""


@pytest.mark.parametrize("kept", [True, False])
def test_a_stopped_sweep_says_what_is_finished(tmp_path, kept):
    journal = tmp_path / "s.jsonl"
    rates = ",".join(f"{5 + n / 10}/s" for n in range(200))
    options = ["--results", str(journal)] if kept else []
    command = ["sweep", "llama-3.1-8b", *BASE[:-4], "--requests", "20000", "--rate", rates, "--workers", "2", *options]
    stopped = subprocess.Popen([sys.executable, "-c", FROM_A_TERMINAL, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, start_new_session=True)  # fmt: skip
    until = time.monotonic() + 120
    while kept and time.monotonic() < until and not (journal.exists() and journal.read_bytes().count(b"\n") >= 2):
        time.sleep(0.02)
    if not kept:
        time.sleep(8)
    os.killpg(stopped.pid, signal.SIGINT)
    out, err = stopped.communicate(timeout=120)
    assert stopped.returncode == 130
    assert len(err.strip().split("\n")) == 1
    assert "of 200 cells are finished" in err
    if kept:
        assert "a rerun goes on from them" in err
        finished = journal.read_bytes().count(b"\n")
        assert f"{finished} of 200" in err
    else:
        assert "--results FILE would keep them" in err
        assert "unfinished" in out or "0 of 200" in err
