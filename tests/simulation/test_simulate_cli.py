"""`headway simulate` as a user runs it."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from headway.cli import app
from headway.plan.simulated import placed
from headway.questions import Request
from headway.simulation.traffic import traffic

BASE = ["simulate", "llama-3.1-8b", "--on", "h100x1", "--prompt", "512", "--output", "128"]


def run(capsys, *arguments):
    code = app.run([*BASE, *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_text_says_percentiles_rates_and_money(capsys):
    code, out, _ = run(capsys, "--traffic", "poisson:20/s")
    assert code == 0
    for said in (
        "1,000 requests of poisson:20/s",
        "TTFT",
        "TPOT",
        "in queue",
        "p99.9",
        "carried",
        "$",
        "80 % interval of p99",
    ):
        assert said in out


def test_json_and_csv_are_the_same_run(capsys):
    code, out, _ = run(capsys, "--traffic", "poisson:20/s", "--requests", "200", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["requests"] == found["ended"] == 200
    assert found["ttft_s"]["p50"]["value"] < found["ttft_s"]["p99"]["value"]
    _, out, _ = run(capsys, "--traffic", "poisson:20/s", "--requests", "200", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 200
    mean = sum(float(r["ttft_s"]) for r in rows) / 200
    assert mean == pytest.approx(found["mean_ttft_s"])
    _, again, _ = run(capsys, "--traffic", "poisson:20/s", "--requests", "200", "--csv")
    assert again == out  # the same seed, the same run
    _, other, _ = run(capsys, "--traffic", "poisson:20/s", "--requests", "200", "--csv", "--seed", "1")
    assert other != out


def test_policies_differ_as_they_should(capsys):
    """Prompts first: shorter first tokens and longer answers than decodes first, under the same traffic."""
    found = {}
    for policy in ("chunked", "prefill-first", "decode-first"):
        _, out, _ = run(capsys, "--traffic", "poisson:35/s", "--policy", policy, "--json")
        found[policy] = json.loads(out)
    ttft = {k: v["mean_ttft_s"] for k, v in found.items()}
    tpot = {k: v["mean_tpot_s"] for k, v in found.items()}
    assert ttft["prefill-first"] < ttft["chunked"] < ttft["decode-first"]
    assert tpot["decode-first"] < tpot["chunked"] < tpot["prefill-first"]


def test_a_trace_of_the_catalogue(capsys):
    code = app.run(
        [
            "simulate",
            "llama-3.1-70b",
            "--on",
            "h200x8",
            "--traffic",
            "azure-conv",
            "--requests",
            "500",
            "--router",
            "least-loaded",
            "--json",
        ]
    )
    out, _ = capsys.readouterr()
    assert code == 0
    found = json.loads(out)
    assert found["ended"] == 500
    assert found["replicas"] > 1
    assert "CC-BY" in found["source"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--traffic", "poison:20/s"], "poisson"),
        (["--traffic", "poisson:-1/s"], "-1"),
        (["--traffic", "no-such-file.csv"], "no-such-file.csv"),
        (["--max-sequences", "0"], "at least 1"),
        (["--cpu-layers", "3"], "host"),
        (["--tp", "2"], "one replica can span 1"),
        (["--prefill", "1xtp4"], "one replica can span 1"),
        (["--policy", "foo"], "prefill-first"),
        (["--policy", "static"], "static:32"),
        (["--policy", "static:0"], "at least 1"),
        (["--policy", "departures:20"], "no unit"),
        (["--policy", "chunked:3"], "takes no number"),
        (["--router", "tiered"], "tiered:2+6"),
        (["--router", "tiered:2+6"], "of which there are 1"),
        (["--router", "tiered:2"], "the deployment 1"),
        (["--tiers", "a:50%"], "add up to 1"),
        (["--tiers", "a:50%,b:50%,seats=3"], "20% or 0.2"),
        (["--tiers", "a:50%,b:50%,colour=red"], "colour"),
        (["--autoscale", "0"], "at least 1"),
        (["--autoscale", "8,least=4"], "of 1 that the system holds"),
        (["--prefill", "9"], "leave 0 of 1"),
        (["--max-queue", "-1"], "at least 0"),
        (["--no-cache", "--cache-ttl", "5min"], "--no-cache"),
        (["--cache-below", "foo"], "host:1TB@50GB/s"),
        (["--requests", "-5"], "-5"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, says):
    code, out, err = run(capsys, *arguments)
    assert code in (2, 3)
    assert not out
    assert err.count("\n") == 1
    assert says in err


def test_what_can_never_fit_is_said(capsys, tmp_path):
    file = tmp_path / "log.csv"
    file.write_text("arrival,prompt,output\n0,500,20\n1,900000,20\n2,500,20\n")
    code = app.run(["simulate", "llama-3.1-8b", "--on", "h100x1", "--traffic", str(file), "--context", "1k"])
    out, _ = capsys.readouterr()
    assert code == 0
    assert "1 request longer, prompt and answer, than the model's 131,072 tokens (line 3): rejected" in out
    app.run(["simulate", "llama-3.1-8b", "--on", "h100x1", "--traffic", str(file), "--context", "1k", "--json"])
    assert json.loads(capsys.readouterr()[0])["rejected"] == 1
    file.write_text("arrival,prompt,output\n0,500,20\n1,120000,20\n2,500,20\n")
    app.run(["simulate", "llama-3.1-8b", "--on", "h100x1", "--traffic", str(file), "--reserve", "0.6"])
    out, _ = capsys.readouterr()
    assert "1 request can never fit into the" in out
    assert "tokens of the KV pool (line 3): rejected" in out
    assert "3 requests" in out


def test_what_is_longer_than_the_model_allows_is_named_by_line(capsys, tmp_path):
    file = tmp_path / "log.csv"
    file.write_text("arrival,prompt,output\n0,500,20\n" + "".join(f"{i},140000,20\n" for i in range(1, 6)))
    on = ["simulate", "llama-3.1-8b", "--on", "h200x1", "--traffic", str(file)]
    assert app.run([*on, "--start", "2s"]) == 0
    out, _ = capsys.readouterr()
    said = "! 4 requests longer, prompt and answer, than the model's 131,072 tokens (line 4, line 5, line 6 and 1 more): rejected"
    assert said in out
    file.write_text("arrival,prompt,output\n3,500,20\n1,500,20\n")
    assert app.run(on) == 2
    assert "line 3: arrives 2 s before line 2" in capsys.readouterr().err


def test_an_interrupted_run_keeps_what_it_has(tmp_path):
    """The first interrupt ends it: what had happened by then is the answer, and that it is not all is said."""
    command = [sys.executable, "-m", "headway", *BASE, "--traffic", "poisson:30/s", "--requests", "2000000", "--csv"]
    with (
        (tmp_path / "out.csv").open("w") as out,
        subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True) as run,
    ):
        time.sleep(8)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=120)
    assert run.returncode == 130
    assert "interrupted: the answer is of what had happened by then" in err
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2_000_000
    ended = sum(bool(r["end_s"]) for r in rows)
    assert 1000 < ended < 2_000_000
    assert not rows[-1]["start_s"]


def test_a_watched_run_is_the_same(capsys):
    asked = Request("llama-3.1-8b", "h100x1", prompt=512, output=128)
    where, come = placed(asked), traffic("poisson:40/s", prompt=512, output=128, count=9000)
    shares = []
    plain, watched = where.run(come), where.run(come, watch=lambda share: shares.append(share) or False)
    np.testing.assert_allclose(plain.log.end, watched.log.end, rtol=1e-12)
    assert len(shares) > 3
    assert shares == sorted(shares)
    half = where.run(come, watch=lambda share: share > 0.4)
    assert half.log.stopped
    assert 0.4 < half.ended.mean() < 1
    assert "interrupted after" in half.text()


def test_padded_batches_with_drafts_end(capsys):
    """Who has ended keeps its seat and makes nothing more."""
    code, out, _ = run(capsys, "--policy", "static:4,timeout=1s", "--drafts", "2", "--requests", "40", "--json")
    assert code == 0
    assert json.loads(out)["ended"] == 40


def test_lengths_that_nobody_says_are_the_plans(capsys):
    assert app.run(["simulate", "llama-3.1-8b", "--on", "h100x1", "--requests", "30", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr()[0])))
    assert {(r["prompt"], r["output"]) for r in rows} == {("7680", "1024")}


def test_weights_that_do_not_fit_are_refused(capsys):
    assert app.run(["simulate", "deepseek-v3", "--on", "h100x1", "--requests", "30"]) == 3
    out, err = capsys.readouterr()
    assert "does not fit" in err
    assert not out
