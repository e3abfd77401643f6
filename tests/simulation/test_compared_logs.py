"""`headway simulate --compare`: a log that a simulation wrote has errors of 0 in every format; what cannot be read is said by line."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

from headway.cli import app
from headway.errors import InputError
from headway.plan.replayed import replayed
from headway.plan.simulated import simulate
from headway.questions import Request
from headway.records.requests import simulation_rows
from headway.simulation.measured import read_log, read_logs
from headway.simulation.traffic import traffic

BASE = ["simulate", "llama-3.1-8b", "--on", "h100x1", "--prompt", "512", "--output", "128"]
REQUEST = Request("llama-3.1-8b", "h100x1", prompt=512, output=128)
EPOCH = 1_759_813_207


def run(capsys, *arguments):
    code = app.run([*BASE, *arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(scope="module")
def rows():
    """Every request of a simulation, with lengths of all kinds: some of one token."""
    drawn = traffic("poisson:15/s", prompt="512~0.8", output="1-128", count=150, seed=3)
    found = list(simulation_rows(simulate(REQUEST, drawn)))
    for row in found:
        row["e2e"] = row["end_s"] - row["arrival_s"]
        row["tpot"] = row["tpot_s"] or 0.0
    assert min(r["output"] for r in found) == 1
    return found


def own(rows, f=1.0):
    """`simulate --csv`."""
    out = io.StringIO()
    names = [n for n in rows[0] if n not in ("e2e", "tpot")]
    writer = csv.DictWriter(out, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for r in rows:
        end = r["arrival_s"] + f * r["e2e"]
        first = r["arrival_s"] + f * r["ttft_s"]
        writer.writerow({**r, "ttft_s": f * r["ttft_s"], "tpot_s": f * r["tpot"], "first_token_s": first, "end_s": end})
    return out.getvalue()


def lines(records):
    return "".join(json.dumps(r) + "\n" for r in records)


def plain_lines(rows, f=1.0):
    return lines(
        {"prompt": "some text", "timestamp": EPOCH + r["arrival_s"], "prompt_tokens": r["prompt"], "completion_tokens": r["output"],
         "ttft_ms": 1e3 * f * r["ttft_s"], "tpot_ms": 1e3 * f * r["tpot"], "request_latency": f * r["e2e"]}
        for r in rows
    )  # fmt: skip


def moments(rows, f=1.0):
    return lines(
        {"request_start_time": round(1e9 * r["arrival_s"]), "input_len": r["prompt"], "output_len": r["output"],
         "first_token": round(1e9 * (r["arrival_s"] + f * r["ttft_s"])), "end": round(1e9 * (r["arrival_s"] + f * r["e2e"]))}
        for r in rows
    ).replace("request_start_time", "request_start_time_ns")  # fmt: skip


def bench(rows, f=1.0, **more):
    found = {
        "date": "20261127", "request_rate": "inf", "max_concurrency": None, "input_lens": [r["prompt"] for r in rows],
        "output_lens": [r["output"] for r in rows], "ttfts": [f * r["ttft_s"] for r in rows],
        "itls": [[f * r["tpot"]] * (r["output"] - 1) for r in rows], "errors": ["" for _ in rows], "generated_texts": ["…" for _ in rows],
        "start_times": [EPOCH + r["arrival_s"] for r in rows], "mean_ttft_ms": 1.0, "completed": len(rows),
    }  # fmt: skip
    return found | more


def vllm(rows, f=1.0):
    return json.dumps(bench(rows, f))


def vllm_pretty(rows, f=1.0):
    return json.dumps(bench(rows, f), indent=2)


def sglang(rows, f=1.0):
    """Its JSON lines know no moments of arrival: added, as `start_times`."""
    return json.dumps(bench(rows, f, request_rate=math.inf)) + "\n"


def since_1970(seconds):
    return round(1e9 * (EPOCH + seconds))


def aiperf(rows, f=1.0):
    """In order of completion, one failed."""

    def metric(value, unit):
        return {"value": value, "unit": unit}

    found = [
        {"metadata": {"request_start_ns": since_1970(r["arrival_s"]), "request_end_ns": since_1970(r["arrival_s"] + f * r["e2e"]),
                      "benchmark_phase": "profiling", "was_cancelled": False},
         "metrics": {"input_sequence_length": metric(r["prompt"], "tokens"), "output_sequence_length": metric(r["output"], "tokens"),
                     "time_to_first_token": metric(1e3 * f * r["ttft_s"], "ms"), "request_latency": metric(1e3 * f * r["e2e"], "ms"),
                     "inter_chunk_latency": metric([1e3 * f * r["tpot"]] * (r["output"] - 1), "ms"),
                     **({"inter_token_latency": metric(1e3 * f * r["tpot"], "ms")} if r["output"] > 1 else {})},
         "error": None}
        for r in sorted(rows, key=lambda r: -r["arrival_s"])
    ]  # fmt: skip
    failed = {
        "metadata": {"request_start_ns": 1, "was_cancelled": True},
        "metrics": {"error_isl": metric(550, "tokens")},
        "error": {"code": 499},
    }
    return lines([failed, *found, failed])


def table(rows, f=1.0):
    head = "t;isl;osl;TTFT (ms);E2E [s]\n"
    return head + "".join(
        f"{r['arrival_s']!r};{r['prompt']};{r['output']};{1e3 * f * r['ttft_s']!r};{f * r['e2e']!r}\n" for r in rows
    )


def whole_list(rows, f=1.0):
    return json.dumps({"requests": [json.loads(line) for line in plain_lines(rows, f).splitlines()]}, indent=1)


FORMATS = [own, plain_lines, moments, vllm, vllm_pretty, sglang, aiperf, table, whole_list]


@pytest.mark.parametrize("written", FORMATS)
def test_a_log_of_the_simulation_is_predicted_exactly(tmp_path, capsys, rows, written):
    path = tmp_path / "log"
    path.write_text(written(rows))
    code, out, err = run(capsys, "--compare", str(path), "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [(x["what"], x["statistic"]) for x in found["compared"][:4]] == [
        ("ttft", s) for s in ("mean", "p50", "p90", "p99")
    ]
    assert len(found["compared"]) == 14
    for line in found["compared"]:  # times since 1970 are rounded: a request may board a pass earlier
        assert line["error"] == pytest.approx(0, abs=1e-3 if written in (own, table, moments) else 0.02), line
    assert found["runs"][0]["requests"] == len(rows)
    assert found["runs"][0]["failed"] == (2 if written is aiperf else 0)


@pytest.mark.parametrize("written", FORMATS)
def test_a_slower_log_is_underestimated_by_as_much(tmp_path, rows, written):
    path = tmp_path / "log"
    path.write_text(written(rows, 1.1))
    found = replayed(REQUEST, path, simulate)
    for line in found.lines:
        if line.statistic != "rate":
            assert line.error == pytest.approx(1 / 1.1 - 1, abs=1e-3 if written in (own, table, moments) else 0.02), (
                line
            )
            assert math.isnan(line.low)
    far = found.worst[0]
    assert found.pairs[0].run.request[far.request] == found.pairs[0].run.request.max()  # 10 % of the longest is most


def test_table_text_and_rows(tmp_path, capsys, rows):
    path = tmp_path / "log.csv"
    path.write_text(table(rows, 1.25))
    code, out, _ = run(capsys, "--compare", str(path))
    assert code == 0
    for said in (
        "150 requests of log.csv",
        "TTFT mean",
        "TPOT p99",
        "request p90",
        "requests/s",
        "-20 %",
        "furthest off",
        "line ",
    ):
        assert said in out
    assert "run by run" not in out
    _, out, _ = run(capsys, "--compare", str(path), "--csv")
    told = list(csv.DictReader(io.StringIO(out)))
    assert len(told) == len(rows)
    assert [int(t["prompt"]) for t in told] == [r["prompt"] for r in rows]
    assert told[0]["where"] == "line 2"
    ratios = [float(t["predicted_ttft_s"]) / float(t["measured_ttft_s"]) for t in told]
    assert np.median(ratios) == pytest.approx(0.8, rel=1e-6)
    assert all(t["measured_tpot_s"] == "" for t in told if t["output"] == "1")


def test_repeats_of_several_files_and_of_a_column(tmp_path, capsys, rows):
    factors = (1.0, 1.1, 1.2)
    names = [str(tmp_path / f"r{i}.csv") for i in range(3)]
    for name, f in zip(names, factors, strict=True):
        with open(name, "w", encoding="utf-8") as file:
            file.write(table(rows, f))
    one = tmp_path / "all.csv"
    parts = [table(rows, f).splitlines() for f in factors]
    one.write_text("\n".join([parts[0][0] + ";run", *(f"{line};r{i}" for i, p in enumerate(parts) for line in p[1:])]))
    found = [json.loads(run(capsys, "--compare", file, "--json")[1]) for file in (",".join(names), str(one))]
    assert found[0]["compared"] == found[1]["compared"]
    assert found[0]["repeats"] is True
    line = found[0]["compared"][0]
    mean = sum(r["ttft_s"] for r in rows) / len(rows)
    assert line["measured_s"] == pytest.approx(1.1 * mean)
    assert line["measured_low_s"] == pytest.approx(mean)
    assert line["measured_high_s"] == pytest.approx(1.2 * mean)
    assert line["measured_deviation_s"] == pytest.approx(0.1 * mean)
    assert line["error"] == pytest.approx(1 / 1.1 - 1, abs=1e-6)
    _, out, _ = run(capsys, "--compare", str(one))
    assert "all.csv: run r2" in out
    assert "run by run" in out
    half = tmp_path / "half.csv"
    half.write_text("\n".join(parts[0][:60]))
    assert "not that of repeats" not in out
    other = tmp_path / "slow.csv"
    other.write_text("t,prompt,output,ttft_s\n0,5,5,1\n9,5,5,1\n")
    assert "their spread is not that of repeats" in run(capsys, "--compare", f"{names[0]},{other}")[1]


def test_a_result_without_moments_of_arrival(tmp_path, rows):
    path = tmp_path / "bench.json"
    some = bench(rows, max_concurrency=4, errors=["" if i else "Timeout" for i in range(len(rows))])
    del some["start_times"]
    path.write_text(json.dumps(some))
    (found,) = read_log(path)
    assert (len(found), found.failed) == (len(rows) - 1, 1)
    lasted = found.arrival + found.request
    aboard = [(found.arrival <= t + 1e-12).sum() - (lasted <= t + 1e-12).sum() for t in found.arrival]
    assert max(aboard) == 4
    ends = np.sort(np.concatenate([[rows[0]["e2e"]], lasted]))  # the fifth begins when the first of four has ended, ...
    assert found.arrival[3:] == pytest.approx(ends[: len(found.arrival) - 3])
    assert found.arrival[2] == 0
    assert found.arrival[3] > 0
    assert "rebuilt: the next whenever one of 4 had ended" in found.notes[0]
    some["max_concurrency"] = None
    path.write_text(json.dumps(some))
    assert not read_log(path)[0].arrival.any()
    some["request_rate"] = 3.5
    path.write_text(json.dumps(some))
    with pytest.raises(InputError, match=r"bench\.json line 1: has no start_times, and a request_rate of 3\.5"):
        read_log(path)


def test_several_results_in_one_file(tmp_path, rows):
    path = tmp_path / "sglang.jsonl"
    path.write_text(sglang(rows) + sglang(rows, 2))
    first, second = read_log(path)
    assert (first.name, second.name) == ("sglang.jsonl", "sglang.jsonl line 2")
    assert second.ttft == pytest.approx(2 * first.ttft)


def test_who_failed_or_never_ended_is_left_out_and_counted(tmp_path, capsys):
    path = tmp_path / "log.jsonl"
    good = {"arrival": 1, "prompt": 10, "output": 5, "ttft": 0.1, "latency": 0.5, "error": ""}
    path.write_text(lines([
        {"arrival": 0, "error": "HTTP 503"}, good, {**good, "error": True}, {**good, "ttft": None, "latency": None}, {**good, "output": 0},
        {**good, "success": False}, {**good, "success": True},
    ]))  # fmt: skip
    (found,) = read_log(path)
    assert (len(found), found.failed, found.unfinished) == (2, 3, 2)
    assert found.where == ("line 2", "line 7")
    _, out, _ = run(capsys, "--compare", str(path))
    assert "! 3 requests failed and left out" in out
    assert "! 2 requests without an answer left out" in out
    assert "ttft, latency: no unit in the title, read as seconds" in out


def test_units_and_order_are_said(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(
        '{"timestamp": 2000, "isl": 9, "osl": 3, "ttft_us": 5e5}\n{"timestamp": 1000, "isl": 8, "osl": 3, "ttft_us": 6e5}\n'
    )
    (found,) = read_log(path)
    assert found.arrival.tolist() == [0, 1]
    assert found.ttft.tolist() == [0.6, 0.5]
    assert found.where == ("line 2", "line 1")
    assert found.notes == ("timestamp has no unit: read as ms", "requests do not stand in order of arrival: sorted")
    dates = tmp_path / "dates.csv"
    dates.write_text(
        "created_at,finished_at,prompt,output\n2026-11-27 10:00:00.5,2026-11-27 10:00:02,9,3\n2026-11-27 10:00:01,2026-11-27 10:00:02,9,3\n"
    )
    assert read_log(dates)[0].request.tolist() == [1.5, 1.0]
    assert read_log(dates)[0].arrival.tolist() == [0, 0.5]


def test_what_does_not_agree_with_itself_is_said(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(
        lines(
            [
                {
                    "arrival": 0,
                    "prompt": 9,
                    "output": 11,
                    "ttft_s": 1,
                    "itl_ms": [20] * 5,
                    "tpot_ms": 20,
                    "latency_s": 1.1,
                }
            ]
        )
    )
    (found,) = read_log(path)
    assert found.tpot[0] == pytest.approx(0.02)
    assert "hold 5 gaps for 10 tokens" in found.notes[0]
    assert "TPOT is 2 times" in found.notes[1]


HEAD = "arrival,prompt,output,ttft_s,latency_s\n"
BAD = [
    (HEAD + "0,9,9,1,2\n0,9,9,3,2\n", "log line 3: ends 1 s before its first token"),
    (HEAD + "0,9,9,-1,2\n", "line 2: TTFT is '-1'; a number of 0 to"),
    (HEAD + "0,9,9,nan,2\n", "line 2: TTFT is 'nan'"),
    (HEAD + "0,9,9,1e300,2\n", "line 2: TTFT is '1e300'"),
    (HEAD + "0,-9,9,1,2\n", "line 2: prompt is '-9'"),
    (HEAD + "0,9,9.5,1,2\n", "line 2: output is '9.5'"),
    (HEAD + "-3,9,9,1,2\n", "line 2: time of arrival is '-3'"),
    (HEAD + "0,9,9,1,2\n1e300,9,9,1,2\n", "log: line 3 arrives 1e+300 s after line 2; at most 1,000,000,000 s"),
    (HEAD + "0,9,9,1\n", "line 2: 4 cells, 5 in the header"),
    (HEAD, "log: has no request that was answered; a request per line is needed"),
    (HEAD + "0,9,9,,\n", "log: has no request that was answered; 1 failed or have no answer"),
    ("", "log: is empty"),
    ("arrival,prompt,output\n0,1,1\n", "log line 1: no measured time; a time of arrival and a measured time (ttft, "),
    ("prompt,output,ttft\n1,1,1\n", "log line 1: no time of arrival"),
    ("arrival,output,ttft\n1,1,1\n", "log line 1: no column of prompt lengths"),
    ("arrival,prompt,output,first_token\n5,1,1,4\n", "line 2: first token comes 1 s before it arrives"),
    ("arrival,prompt,output,first_token,end\n5,1,1,6,yesterday\n", "line 2: time of end is 'yesterday'"),
    ('{"arrival": 0, "prompt": 1, "output": 1, "ttft": 1}\n{"arrival": 0, "prompt": 1, "output": 1}\n', "line 2: has no ttft; the first"),
    ('{"arrival": 0, "prompt": 1, "output": 1, "ttft": [1]}\n', "line 1: TTFT is [1]"),
    ('{"arrival": 0, "prompt": 1, "output": 1, "ttft": true}\n', "line 1: TTFT is True"),
    ('{"arrival": 0, "prompt": 1, "output": 3, "itl": [0.1, "x"]}\n', "line 1: ITL is 'x'"),
    ('{"arrival": 0, "prompt": 1, "output": 1, "ttft": 1}\n{"arrival": 0, "pro', "line 2: not JSON"),
    ('{"arrival": 0, "prompt": 1,\n "output": ', "line 2: not JSON: Expecting value at character 12"),
    ("[1, 2]", "line 1: 1 is no JSON object"),
    ("[]", "log: has no requests"),
    ('{"a": 1}', "log line 1: no column of prompt and output lengths"),
    ('{"input_lens": [1], "output_lens": [1]}', "has no lists ttfts; write details: vllm bench serve --save-result --save-detailed"),
    ('{"mean_ttft_ms": 1, "completed": 5}', "has no lists input_lens, output_lens, ttfts"),
    ('{"input_lens": [1, 2], "output_lens": [1], "ttfts": [1, 1]}', "output_lens has 1 entries, input_lens 2"),
    ('{"input_lens": [1, 2], "output_lens": [1, 3], "ttfts": [1, -1]}', "line 1: request 1: TTFT is -1"),
    ('{"input_lens": [1], "output_lens": [1], "ttfts": [1], "max_concurrency": 0}', "max_concurrency is 0"),
    ('{"experiments": []}', "holds texts, no numbers of tokens; AIPerf's profile_export.jsonl"),
    ('{"input_config": {}, "request_latency": {"avg": 1}}', "AIPerf writes a record per request to profile_export.jsonl"),
    ("\x00\x01", "holds bytes that are no text"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "says"), BAD)
def test_bad_logs_are_one_line(tmp_path, capsys, content, says):
    path = tmp_path / "log"
    path.write_text(content)
    code, out, err = run(capsys, "--compare", str(path))
    assert code == 2
    assert not out
    assert err.count("\n") == 1
    assert says in err


def test_every_cut_of_a_log_is_read_or_refused(tmp_path, rows):
    """Truncated anywhere, or with a byte changed: a run or one line, nothing else."""
    rng, said = np.random.default_rng(5), []
    path = tmp_path / "log"
    for written in FORMATS:
        whole = written(rows[:6])
        for _ in range(60):
            at = int(rng.integers(len(whole)))
            text = (
                whole[:at]
                if rng.random() < 0.5
                else whole[:at] + rng.choice(list('x0-,"[]{}\n\x00é')) + whole[at + 1 :]
            )
            path.write_text(text)
            try:
                found = read_log(path)
            except InputError as error:
                said.append(str(error))
            else:
                assert all(len(f) and np.isfinite(f.arrival).all() for f in found)
    assert len(said) > 100
    assert not any("\n" in text for text in said)


def test_what_the_simulation_rejects_is_named(tmp_path, capsys):
    path = tmp_path / "log.csv"
    path.write_text("arrival,prompt,output,ttft_s,latency_s\n0,500,20,0.1,0.5\n1,900000,20,1,2\n2,500,20,0.1,0.5\n")
    code, out, _ = run(capsys, "--compare", str(path))
    assert code == 0
    assert "rejected in the simulation, left out of both sides: line 3" in out
    found = json.loads(run(capsys, "--compare", str(path), "--json")[1])
    assert found["compared"][0]["measured_s"] == pytest.approx(0.1)
    path.write_text("arrival,prompt,output,ttft_s,latency_s\n0,900000,20,1,2\n10,500,20,0.1,0.5\n11.5,500,20,0.1,0.5\n")
    found = {x["what"]: x for x in json.loads(run(capsys, "--compare", str(path), "--json")[1])["compared"]}
    assert found["requests"]["measured_per_s"] == pytest.approx(
        2 / 2
    )  # from the first that is compared to its last token
    assert found["output"]["measured_per_s"] == pytest.approx(40 / 2)


def test_options_that_the_log_says_are_refused(tmp_path, capsys, rows):
    path = tmp_path / "log.csv"
    path.write_text(table(rows[:5]))
    for option in (["--traffic", "azure-conv"], ["--rate", "5/s"], ["--requests", "5"]):
        code, _, err = run(capsys, "--compare", str(path), *option)
        assert code == 2
        assert f"{option[0]}: a log is replayed as it was" in err
    assert "no log is named" in run(capsys, "--compare", " ")[2]
    with pytest.raises(InputError, match="101 runs; at most 100"):
        read_logs([path] * 101)


def test_mean_lengths_of_the_log_choose_the_layout(tmp_path, rows):
    path = tmp_path / "log.csv"
    path.write_text(table(rows))
    asked = []

    def play(request, arriving):
        asked.append(request)
        return simulate(request, arriving)

    found = replayed(Request("llama-3.1-8b", "h100x1"), path, play)
    assert asked[0].prompt == pytest.approx(sum(r["prompt"] for r in rows) / len(rows))
    assert asked[0].output == pytest.approx(sum(r["output"] for r in rows) / len(rows))
    replayed(REQUEST, path, play)
    assert asked[1] is REQUEST
    assert "predicted against measured: mean TTFT" in repr(found)
