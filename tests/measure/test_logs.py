"""`headway logs`: results that real tools wrote, against what those tools say of them; and the way from there to the other verbs."""

from __future__ import annotations

import csv
import json
import math
import random
from pathlib import Path

import pytest

from headway.cli import app
from headway.errors import InputError
from headway.measure.logs import read_benches
from headway.measure.logs_summaries import summary
from headway.records.logs import bench_record
from headway.report.logs import benches_text

HERE = Path(__file__).parent / "recorded"
GUIDELLM, VLLM = HERE / "guidellm-0.8.1.json", HERE / "vllm-bench-serve-0.32.0.json"
SGLANG, AIPERF = HERE / "sglang-bench-serving-0.5.23.jsonl", HERE / "aiperf"
LLAMA = HERE / "llama-bench-b11434.json"


def only(file):
    (found,) = read_benches([file])
    return found


def agrees(row, **stated):
    for column, value in stated.items():
        assert row[column] == pytest.approx(value, rel=1e-3), column


def test_vllm_as_it_says_itself():
    told = json.loads(VLLM.read_text())
    found = only(VLLM)
    assert found.tool == "vllm bench serve"
    assert (found.row["model"], found.row["batch_or_concurrency"], found.row["rounds"]) == ("llama-3.1-8b", 4, 3)
    agrees(
        found.row, isl=told["total_input_tokens"] / 12, osl=16, ttft_ms_mean=told["mean_ttft_ms"], ttft_ms_median=told["median_ttft_ms"],
        tpot_ms_mean=told["mean_tpot_ms"], tpot_ms_median=told["median_tpot_ms"], output_tok_s=told["output_throughput"],
    )  # fmt: skip
    assert found.lacks() == ["system"]


def test_sglang_as_it_says_itself():
    told = json.loads(SGLANG.read_text())
    found = only(SGLANG)
    assert found.tool == "SGLang bench_serving"
    agrees(
        found.row, batch_or_concurrency=4, isl=64, osl=16, ttft_ms_mean=told["mean_ttft_ms"], ttft_ms_median=told["median_ttft_ms"],
        e2e_ms_mean=told["mean_e2e_latency_ms"],
    )  # fmt: skip
    assert found.row["tpot_ms_mean"] == pytest.approx(told["mean_tpot_ms"], rel=0.005)  # of gaps between chunks
    assert found.row["output_tok_s"] == pytest.approx(
        told["output_throughput"], rel=0.01
    )  # its moments of arrival are rebuilt
    assert any("rebuilt" in n for n in found.notes)
    assert found.lacks() == ["system", "model"]


def test_guidellm_as_it_says_itself():
    told = json.loads(GUIDELLM.read_text())["benchmarks"][0]["metrics"]
    found = only(GUIDELLM)
    assert found.tool == "GuideLLM 0.8.1"
    mean = {k: v["successful"]["mean"] for k, v in told.items()}
    agrees(
        found.row, batch_or_concurrency=4, isl=82, osl=16, ttft_ms_mean=mean["time_to_first_token_ms"],
        tpot_ms_mean=mean["inter_token_latency_ms"], e2e_ms_mean=1e3 * mean["request_latency"],
    )  # fmt: skip
    median = told["time_to_first_token_ms"]["successful"]["median"]  # one of the two in the middle, not between them
    assert found.row["ttft_ms_median"] == pytest.approx(median, rel=0.01)
    assert found.row["tpot_ms_mean"] < 0.9 * mean["time_per_output_token_ms"]  # which counts the first token, too
    assert len(found.run) == 12


def test_aiperf_by_its_requests_and_by_its_summary():
    whole, short = only(AIPERF), only(AIPERF / "profile_export_aiperf.json")
    assert whole.tool == short.tool == "AIPerf 0.13.0"
    assert (whole.row["model"], whole.row["batch_or_concurrency"]) == ("llama-3.1-8b", 4)
    assert short.run is None
    for column in (
        "isl",
        "osl",
        "ttft_ms_mean",
        "ttft_ms_median",
        "tpot_ms_mean",
        "e2e_ms_mean",
        "batch_or_concurrency",
    ):
        assert whole.row[column] == pytest.approx(short.row[column], rel=1e-3), column
    assert whole.row["output_tok_s"] == pytest.approx(short.row["output_tok_s"], rel=0.02)


def test_requests_in_flight_where_nobody_says(tmp_path):
    """AIPerf's records alone: the mean of the log."""
    alone = tmp_path / "profile_export.jsonl"
    alone.write_text((AIPERF / "profile_export.jsonl").read_text())
    found = only(alone)
    assert found.row["batch_or_concurrency"] == pytest.approx(3.8, abs=0.2)
    assert any("the mean of the log" in n for n in found.notes)


def test_llama_bench():
    told = json.loads(LLAMA.read_text())
    found = read_benches([LLAMA])
    assert [(b.row["isl"], b.row["osl"]) for b in found] == [(64, 0), (0, 16), (64, 16)]
    agrees(found[0].row, input_tok_s=told[0]["avg_ts"])
    agrees(found[1].row, output_tok_s=told[1]["avg_ts"])
    agrees(found[2].row, e2e_ms_mean=1e3 * 80 / told[2]["avg_ts"])
    assert found[2].row["e2e_ms_mean"] == pytest.approx(
        told[2]["avg_ns"] / 1e6, rel=0.1
    )  # a mean of rates is no rate of means
    assert {b.row["weights_dtype"] for b in found} == {"q4_1"}
    assert found[0].row["model"] == "SmolLM2-135M-Instruct.Q4_1"
    lines = read_benches([HERE / "llama-bench-b11434.jsonl"])
    assert [dict(b.row).get("isl") for b in lines] == [None, 128]
    assert "left out" in lines[0].notes[0]


def test_genai_perf_after_its_source():
    """No recording: its load generator is in no package. Fields of genai_perf/export_data/json_exporter.py, statistics in ms."""
    told = {
        "request_throughput": {"unit": "requests/sec", "avg": 2.0},
        "request_latency": {"unit": "ms", "avg": 900.0, "p50": 880.0}, "time_to_first_token": {"unit": "ms", "avg": 90.0, "p50": 85.0},
        "inter_token_latency": {"unit": "ms", "avg": 9.0, "p50": 8.9}, "output_token_throughput": {"unit": "tokens/sec", "avg": 180.0},
        "output_sequence_length": {"unit": "tokens", "avg": 91.0}, "input_sequence_length": {"unit": "tokens", "avg": 200.0},
        "input_config": {"model_names": ["llama-3.1-8b"], "perf_analyzer": {"stimulus": {"concurrency": 2}}},
    }  # fmt: skip
    tool, row, notes = summary(told)
    assert tool == "genai-perf"
    assert row["model"] == "llama-3.1-8b"
    agrees(
        row,
        batch_or_concurrency=2,
        isl=200,
        osl=91,
        ttft_ms_mean=90,
        ttft_ms_median=85,
        tpot_ms_mean=9,
        e2e_ms_mean=900,
        output_tok_s=180,
    )
    assert "no requests" in notes[0]


def test_the_whole_way(capsys, tmp_path):
    """One command each to tables for `predict` and `calibrate`, and to requests for `simulate --compare`."""
    table, requests = tmp_path / "rows.csv", tmp_path / "requests.jsonl"
    words = [
        str(VLLM),
        str(GUIDELLM),
        str(AIPERF),
        str(SGLANG),
        "--on",
        "h100",
        "--model",
        "llama-3.1-8b",
        "--engine",
        "vllm",
    ]
    assert app.run(["logs", *words, "-o", str(table), "--requests", str(requests)]) == 0
    said = capsys.readouterr().out
    assert "4 rows written" in said
    assert "48 requests written" in said
    assert app.run(["predict", str(table), "-o", str(tmp_path / "out.csv")]) == 0
    assert "4 of 4 rows answered" in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert {r["refused"] for r in rows} == {""}
    assert all(float(r["predicted_tpot_ms"]) > 0 for r in rows)
    assert app.run(["simulate", "llama-3.1-8b", "--on", "h100x1", "--compare", str(requests), "--json"]) == 0
    through = json.loads(capsys.readouterr().out)
    names = [VLLM.name, GUIDELLM.name, "profile_export.jsonl", SGLANG.name]
    assert [r["log"].split("run ")[-1] for r in through["runs"]] == names
    assert app.run(["simulate", "llama-3.1-8b", "--on", "h100x1", "--compare", str(GUIDELLM), "--json"]) == 0
    direct = json.loads(capsys.readouterr().out)["runs"][0]
    for one, other in zip(direct["means"], through["runs"][1]["means"], strict=True):
        assert one["measured_s"] == pytest.approx(other["measured_s"])
        assert one["predicted_s"] == pytest.approx(other["predicted_s"])
    assert app.run(["logs", str(LLAMA), "--on", "apple m4", "--model", "llama-3.2-1b", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found[0]["lacks"] == []
    described = (Path(__file__).parents[2] / "docs" / "json.md").read_text().split("## `headway logs --json`")[1]
    assert {n for n in found[0] if f"`{n}`" not in described} == set()


@pytest.mark.parametrize(("text", "said"), [
    ("", "is empty"), ("[]", "has no requests"), ('{"a": 1}', "no prompt|prompt"), ("a,b\n1,2\n", "prompt"),
    ('[{"n_prompt": 64, "n_gen": 0, "avg_ts": 0}]', "test 1 has n_prompt 64"),
    ('[{"n_prompt": -1, "n_gen": 0, "avg_ts": 5}]', "n_prompt -1"),
    ('{"benchmarks": [{"metrics": {}, "requests": {"successful": []}}]}', "has no requests that were answered"),
    ('{"model_id": "x", "mean_ttft_ms": 1, "completed": 1}', "--save-detailed"),
])  # fmt: skip
def test_what_cannot_be_read_is_said(tmp_path, text, said):
    file = tmp_path / "result.json"
    file.write_text(text)
    with pytest.raises(InputError, match=said) as told:
        read_benches([file])
    assert "result.json" in str(told.value)


def test_bad_words(capsys, tmp_path):
    for words, said in (
        ([], "needs at least one FILE"), ([str(tmp_path / "no.json")], "no.json"), ([str(tmp_path)], "a folder without AIPerf's"),
        ([str(LLAMA), "--requests", str(tmp_path / "r.jsonl")], "these files hold no requests"),
        ([str(VLLM), "-o", "/nowhere/x.csv"], "cannot be written"),
    ):  # fmt: skip
        assert app.run(["logs", *words]) == 2, words
        assert said in capsys.readouterr().err
    assert not (tmp_path / "r.jsonl").exists()


def test_results_changed_at_random_are_read_or_refused(tmp_path):
    """150 mutations of the recorded files: a value replaced or taken out, never anything but an answer or one line."""
    rng = random.Random(0)
    junk = [None, "abc", "", -1, 0, 1e400, math.nan, 10**30, [], {}, [1, 2], True, {"x": 1}, 1.5, "4"]
    whole = {}
    for file in (GUIDELLM, VLLM, SGLANG, LLAMA, AIPERF / "profile_export_aiperf.json", AIPERF / "profile_export.jsonl"):
        text = file.read_text()
        whole[file.name] = [json.loads(x) for x in text.splitlines()] if file.suffix == ".jsonl" else json.loads(text)
    read = 0
    for _ in range(150):
        name = rng.choice(sorted(whole))
        found = json.loads(json.dumps(whole[name]))
        for _ in range(rng.randint(1, 3)):
            inside = found
            while isinstance(inside, dict | list) and inside:
                key = rng.choice(list(inside)) if isinstance(inside, dict) else rng.randrange(len(inside))
                if rng.random() < 0.3 or not isinstance(inside[key], dict | list) or not inside[key]:
                    if rng.random() < 0.3:
                        inside.pop(key)
                    else:
                        inside[key] = rng.choice(junk)
                    break
                inside = inside[key]
        file = tmp_path / name
        file.write_text(
            "\n".join(map(json.dumps, found))
            if name.endswith(".jsonl") and isinstance(found, list)
            else json.dumps(found)
        )
        try:
            benches = read_benches([file])
        except InputError:
            continue
        assert benches_text(benches)
        assert json.dumps([bench_record(b) for b in benches])
        read += 1
    assert 50 < read < 150
