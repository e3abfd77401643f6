"""`predict`, `validate` and `calibrate` end to end: tables in any shape, refusals, files, and the accuracy ratchet."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headway.catalog import SHIPPED
from headway.cli import app
from headway.evidence import read_rows
from headway.predictions import ADDED

ROOT = Path(__file__).parents[2]
HEAD = "system,chips,model,weights_dtype,engine,tp,load,batch_or_concurrency,isl,osl\n"
GOOD = "H200-SXM,8,DeepSeek-R1-0528,fp8,sglang,8,closed_loop,16,1024,1024\n"


def run(capsys, *arguments):
    code = app.run(list(arguments))
    got = capsys.readouterr()
    assert "Traceback" not in got.err + got.out
    return code, got.out, got.err


def alone(*arguments):
    """Run in a process of its own, without the tests' run-time type checks."""
    code = f"import sys; from headway.cli import app; sys.exit(app.run({[str(a) for a in arguments]!r}))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def predicted(capsys, tmp_path, text, *options):
    (tmp_path / "in.csv").write_text(text, encoding="utf-8")
    out = tmp_path / "out.csv"
    code, said, error = run(capsys, "predict", str(tmp_path / "in.csv"), "-o", str(out), *options)
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8")))) if out.exists() else []
    return code, said, error, rows


def test_columns_are_added_in_any_order_and_others_pass_through(capsys, tmp_path):
    text = "osl,my note,isl,model,batch_or_concurrency,system\n1024,keep me,1024,openai/gpt-oss-120b,64,MI455X\n"
    code, said, _, rows = predicted(capsys, tmp_path, text)
    assert code == 0
    assert "1 of 1 rows answered" in said
    found = rows[0]
    assert list(found) == ["osl", "my note", "isl", "model", "batch_or_concurrency", "system", *ADDED]
    assert found["my note"] == "keep me"
    low, tpot, high, floor = (
        float(found[k]) for k in ("tpot_ms_low", "predicted_tpot_ms", "tpot_ms_high", "floor_tpot_ms")
    )
    assert floor <= low < tpot < high
    assert float(found["ttft_ms_low"]) < float(found["predicted_ttft_ms"]) < float(found["ttft_ms_high"])
    assert 0 < float(found["predicted_output_tok_s"]) <= 64 / tpot * 1e3
    assert (found["profile"], found["refused"]) == ("modern", "")
    assert found["bound"] in ("compute", "memory", "network", "overhead")
    assert found["outside_evidence"] == "generation"


BAD = [
    ("H200-SXM,8,DeepSeek-R1-0528,fp8,sglang,8,closed_loop,nan,1024,1024", "batch_or_concurrency"),
    ("H200-SXM,8,DeepSeek-R1-0528,fp8,sglang,8,closed_loop,16,-1024,1024", "isl"),
    ("H200-SXM,8,DeepSeek-R1-0528,fp8,sglang,8,closed_loop,16,1024,", "osl"),
    ("H200-SXM,8,DeepSeek-R9,fp8,sglang,8,closed_loop,16,1024,1024", "DeepSeek-R9"),
    ("H900,8,DeepSeek-R1-0528,fp8,sglang,8,closed_loop,16,1024,1024", "H900"),
    ("H200-SXM,8,DeepSeek-R1-0528,fp8,sgling,8,closed_loop,16,1024,1024", "sgling"),
    ("H200-SXM,8,DeepSeek-R1-0528,fp9,sglang,8,closed_loop,16,1024,1024", "fp9"),
    ("H200-SXM,1,DeepSeek-R1-0528,fp8,sglang,1,closed_loop,16,1024,1024", "does not fit"),
    ("H200-SXM,4,DeepSeek-R1-0528,fp8,sglang,8,closed_loop,16,1024,1024", "4 chips"),
    ("H200-SXM,8,DeepSeek-R1-0528,fp8,sglang,8,closed_loop,16,1024,1024,surplus", "more cells"),
    ("H200-SXM,8,,fp8,sglang,8,closed_loop,16,1024,1024", "model"),
    ("Apple M1,2,llama-3-8b,q4_k_m,llama.cpp,2,closed_loop,1,128,128", "link"),
    ('"H200\nSXM",8,DeepSeek-R1-0528,fp8,sglang,8,closed,16,1024,1024', "load"),
    ("H200-SXM,8,DeepSeek-R1-0528,fp8", "osl is empty"),
]


def test_each_bad_row_says_why_and_loses_no_other(capsys, tmp_path):
    text = HEAD + GOOD + "".join(f"{bad}\n{GOOD}" for bad, _ in BAD)
    code, said, _, rows = predicted(capsys, tmp_path, text)
    assert code == 0
    assert f"{len(BAD) + 1} of {2 * len(BAD) + 1} rows answered" in said
    assert len(rows) == 2 * len(BAD) + 1
    for i, (bad, why) in enumerate(BAD):
        found = rows[2 * i + 1]
        assert why in found["refused"], (bad, found["refused"])
        assert found["predicted_tpot_ms"] == found["profile"] == ""
    assert {r["predicted_tpot_ms"] for r in rows[::2]} == {rows[0]["predicted_tpot_ms"]} != {""}


@pytest.mark.parametrize(("text", "says"), [
    ("", "is empty"), ("\n\n", "is empty"), (HEAD, "no row"), ("a,b\n1,2\n", "missing"), ("system;model\n1;2\n", "commas"),
    (HEAD.replace("isl", "system"), "missing"),
    ("system,model,batch_or_concurrency,isl,osl,osl\n1,2,3,4,5,6\n", "twice"), ("\x00\x01\x02", "missing"),
])  # fmt: skip
def test_unusable_files_are_one_clear_line_and_keep_what_was_there(capsys, tmp_path, text, says):
    (tmp_path / "out.csv").write_text("precious\n")
    code, _, error, _ = predicted(capsys, tmp_path, text)
    assert code == 2
    assert says in error
    assert error.count("\n") == 1
    assert (tmp_path / "out.csv").read_text() == "precious\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv", "out.csv"]


@pytest.mark.parametrize(("arguments", "says"), [
    (["predict", "nowhere.csv", "-o", "x.csv"], "No such file"),
    (["predict", "{in}", "-o", "{dir}/no/x.csv"], "cannot be written"),
    (["predict", "{in}", "-o", "{dir}"], "folder"), (["predict", "{in}", "--engine", "vlm"], "vllm"),
    (["validate", "--by", "colour"], "colour"), (["validate", "-o", "report.doc"], "ending"),
    (["validate", "-o", "{dir}/no/r.html"], "folder"), (["calibrate", "{in}"], "--name"),
    (["calibrate", "{in}", "--name", "sglang"], "ships"), (["calibrate", "{in}", "--name", "mine"], "no row can be used"),
    (["calibrate", "--show", "sglong"], "sglang"), (["calibrate", "nowhere.csv", "--name", "mine"], "cannot be read"),
])  # fmt: skip
def test_malformed_questions(capsys, tmp_path, arguments, says):
    (tmp_path / "in.csv").write_text(HEAD + GOOD)
    filled = [a.replace("{in}", str(tmp_path / "in.csv")).replace("{dir}", str(tmp_path)) for a in arguments]
    code, _, error = run(capsys, *filled)
    assert code == 2
    assert says in error
    assert error.count("\n") == 1


def test_what_is_not_a_plain_file_is_written_through(capsys, tmp_path):
    (tmp_path / "in.csv").write_text(HEAD.replace("\n", "\r") + GOOD.replace("\n", "\r"))  # old line ends too
    (tmp_path / "real.csv").write_text("old\n")
    (tmp_path / "real.csv").chmod(0o600)
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert run(capsys, "predict", str(tmp_path / "in.csv"), "-o", str(tmp_path / "link.csv"))[0] == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").stat().st_mode & 0o777 == 0o600
    assert "predicted_tpot_ms" in (tmp_path / "real.csv").read_text()
    assert run(capsys, "predict", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv.gz"))[0] == 0
    assert len(list(read_rows(tmp_path / "out.csv.gz"))) == 1
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert run(capsys, "predict", str(tmp_path / "in.csv"), "-o", str(tmp_path / "pipe"))[0] == 0
    assert b"predicted_tpot_ms" in os.read(reader, 10_000)
    os.close(reader)


def test_calibrate_leaves_out_what_cannot_be(capsys, tmp_path):
    head = HEAD.strip() + ",tpot_ms_mean\n"
    rows = "".join(
        f"{GOOD.strip().replace(',16,', f',{b},')},{v}\n"
        for b, v in ((16, 16), (4, 11), (8, "1e-9"), (32, "1e9"), (64, "abc"))
    )
    (tmp_path / "in.csv").write_text(head + rows)
    code, out, _ = run(capsys, "calibrate", str(tmp_path / "in.csv"), "--name", "mine", "-o", str(tmp_path))
    assert code == 0
    assert "2 rows on top of sglang" in out
    assert all(w in out for w in ("below the physical floor", "check the units", "no readable measurement"))


def test_bytes_that_are_not_text_are_refused(capsys, tmp_path):
    (tmp_path / "in.csv").write_bytes(b"\xff\xfe\x00system")
    code, _, error = run(capsys, "predict", str(tmp_path / "in.csv"))
    assert code == 2
    assert "UTF-8" in error


def test_random_cells_never_cost_another_row(capsys, tmp_path):
    rnd = random.Random(3)
    junk = [
        "",
        "nan",
        "inf",
        "-1",
        "0",
        "1e999",
        "é",
        "H200",
        "true",
        "☃",
        "99999999",
        '"',
        "a" * 300,
        "1e-9",
        "DROP",
        "=1+1",
        "vllm",
        "3.5",
    ]
    names = HEAD.strip().split(",")
    good = dict(zip(names, GOOD.strip().split(","), strict=True))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names)
    writer.writeheader()
    for _ in range(400):
        row = dict(good)
        for name in rnd.sample(names, rnd.randint(1, 4)):
            row[name] = rnd.choice(junk)
        writer.writerow(row)
        writer.writerow(good)
    code, _, _, rows = predicted(capsys, tmp_path, buffer.getvalue())
    assert code == 0
    assert len(rows) == 800
    assert all(r["refused"] == "" and r["predicted_tpot_ms"] for r in rows[1::2])
    for r in rows[::2]:
        assert bool(r["refused"]) != bool(r["profile"]), r


def test_without_a_file_the_table_is_printed(capsys, tmp_path):
    (tmp_path / "in.csv").write_text(HEAD + GOOD)
    _, out, _ = run(capsys, "predict", str(tmp_path / "in.csv"))
    assert next(csv.DictReader(io.StringIO(out)))["profile"] == "sglang"
    _, out, _ = run(capsys, "predict", str(tmp_path / "in.csv"), "--engine", "vllm", "--json")
    assert json.loads(out)[0]["profile"] == "vllm"
    _, out, _ = run(capsys, "predict", str(tmp_path / "in.csv"), "-o", str(tmp_path / "o.csv"), "--json")
    assert json.loads(out) == {
        "rows": 1,
        "answered": 1,
        "refused": 0,
        "reasons": {},
        "compared": [],
        "unread": {},
        "file": str(tmp_path / "o.csv"),
    }


def test_on_a_terminal_a_table_fits_it(capsys, tmp_path, monkeypatch):
    """Nobody reads CSV of 230 columns there; what was measured is compared as with -o."""
    head = HEAD.strip() + ",Mean TPOT (ms),note\n"
    rows = "".join(f"{GOOD.strip().replace(',16,', f',{b},')},{v},x\n" for b, v in ((16, 16), (4, 11), ("many", 1)))
    (tmp_path / "in.csv").write_text(head + rows)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, _ = run(capsys, "predict", str(tmp_path / "in.csv"))
    assert code == 0
    assert max(map(len, out.split("\n"))) <= 100
    assert "predicted against measured" in out
    assert "rows  refused because\n----" in out
    assert re.search(r"^1 +batch_or_concurrency is 'many'", out, re.M)
    (tmp_path / "in.csv").write_text(HEAD + GOOD * 120)
    assert "... and 20 more rows; -o FILE.csv writes them all" in run(capsys, "predict", str(tmp_path / "in.csv"))[1]


def test_refusals_are_counted_under_their_own_heads(capsys, tmp_path):
    _, said, _, _ = predicted(capsys, tmp_path, HEAD + GOOD.replace(",16,", ",many,") * 2)
    rows = said[said.index("rows  refused because") :].split("\n")
    assert rows[2].split("  ")[0] == "2"


def test_a_table_is_never_written_over_by_its_own_answer(capsys, tmp_path):
    (tmp_path / "in.csv").write_text(HEAD + GOOD)
    (tmp_path / "link.csv").symlink_to(tmp_path / "in.csv")
    for out in ("in.csv", "link.csv", "../" + tmp_path.name + "/in.csv"):
        code, _, error = run(capsys, "predict", str(tmp_path / "in.csv"), "-o", str(tmp_path / out))
        assert (code, "is the table itself" in error) == (2, True)
    assert (tmp_path / "in.csv").read_text() == HEAD + GOOD


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_is_ended_leaves_nothing_half_done(tmp_path, number):
    (tmp_path / "in.csv").write_text(HEAD + "".join(GOOD.replace(",16,", f",{1 + i},") for i in range(60_000)))
    (tmp_path / "out").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "headway", "predict", tmp_path / "in.csv", "-o", tmp_path / "out" / "o.csv"],
        stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509 - nohup ignores it, and its children do
    )  # fmt: skip
    while not list((tmp_path / "out").iterdir()) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (128 + number, "headway: stopped\n")
    assert list((tmp_path / "out").iterdir()) == []


def test_packed_answers_are_the_same_every_time(capsys, tmp_path):
    """No name and no time in their header: a temporary file's name is nobody's business."""
    (tmp_path / "in.csv").write_text(HEAD + GOOD)
    packed: list[bytes] = []
    for name in ("a.csv.gz", "b.csv.gz"):
        run(capsys, "predict", str(tmp_path / "in.csv"), "-o", str(tmp_path / name))
        packed.append((tmp_path / name).read_bytes())
    assert packed[0] == packed[1]
    assert packed[0][3] == 0  # no name follows the header


def test_a_users_formulas_are_quoted_and_numbers_are_not(capsys, tmp_path):
    text = HEAD.replace("\n", ",=note,b,c\n") + GOOD.replace("\n", ",=1+2,-5.5,-x\n")
    _, _, _, (row,) = predicted(capsys, tmp_path, text)
    assert (row["'=note"], row["b"], row["c"]) == ("'=1+2", "-5.5", "'-x")


@pytest.mark.parametrize("verb", [
    "plan llama-3.1-8b --on h100", "curve llama-3.1-8b --on h100", "search llama-3.1-8b --on h100", "racks gpt-oss-120b --on h200x8",
    "predict {in}", "validate", "calibrate {in} --name mine",
])  # fmt: skip
def test_an_empty_name_is_refused_not_ignored(capsys, tmp_path, verb):
    (tmp_path / "in.csv").write_text(HEAD + GOOD)
    code, out, error = run(capsys, *verb.replace("{in}", str(tmp_path / "in.csv")).split(), "-o", "")
    assert (code, out) == (2, "")
    assert "-o" in error
    assert error.count("\n") == 1


def test_calibrate_makes_no_folder_of_a_slip(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text(HEAD.strip() + ",tpot_ms_mean\n" + GOOD.strip() + ",16\n")
    for out in ("~nouser/x", "no/such/place"):
        code, _, error = run(capsys, "calibrate", "in.csv", "--name", "mine", "-o", out)
        assert (code, "there is no folder" in error) == (2, True)
    assert [p.name for p in tmp_path.iterdir()] == ["in.csv"]


def test_three_thousand_rows_take_less_than_twenty_cpu_seconds(tmp_path):
    rows = [r for _, r in read_rows(SHIPPED / "evidence" / "serving.csv.gz")]
    rows = (rows * 2)[:3000]
    for i, r in enumerate(rows):
        r["batch_or_concurrency"] = str(1 + i % 97)  # no two alike
    with (tmp_path / "in.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = alone("predict", tmp_path / "in.csv", "-o", tmp_path / "o.csv")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 20


# --- calibrate ---


def test_your_own_profile_from_your_own_rows(capsys, tmp_path):
    """Rows of one machine of the evidence, as a user would have them; used again by name from a catalogue folder."""
    rows = [
        r
        for _, r in read_rows(SHIPPED / "evidence" / "serving.csv.gz")
        if r["system"] == "MI300X" and r["tpot_ms_mean"]
    ]
    with (tmp_path / "mine.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows([*rows, {**rows[0], "isl": "many"}])
    folder = tmp_path / "facts"
    code, out, _ = run(capsys, "calibrate", str(tmp_path / "mine.csv"), "--name", "mycluster", "-o", str(folder))
    assert code == 0
    assert "not determined by these rows, so kept as in sglang" in out
    assert "isl is 'many'" in out
    again = ("calibrate", str(tmp_path / "mine.csv"), "--name", "mycluster", "-o", str(folder), "--json")
    code, _, said = run(capsys, *again)
    assert (code, "--replace" in said) == (2, True)  # nothing is written over without a word
    _, out, _ = run(capsys, *again, "--replace")
    found = json.loads(out)
    assert found["base"] == "sglang"
    assert found["after"]["median"] < found["before"]["median"]
    assert "draft_acceptance" in found["undetermined"]
    options = ["--catalog", str(tmp_path / "facts")]
    code, out, _ = run(capsys, "predict", str(tmp_path / "mine.csv"), "--engine", "mycluster", "--json", *options)
    assert {r["profile"] for r in json.loads(out)} == {"mycluster", ""}
    code, out, _ = run(
        capsys, "plan", "deepseek-r1", "--on", "mi300x-x8", "--engine", "mycluster", "--prompt", "1k", *options
    )
    assert code == 0
    assert "engine mycluster" in out


def test_a_curve_is_as_sure_at_each_point_as_its_evidence(capsys):
    """Long contexts lie outside the evidence: their rows say so and are wider; passes of many tokens take TTFT's spread."""
    base = ["curve", "deepseek-v3", "--on", "h200x8", "--tp", "8", "--batch", "4", "--points", "4", "--json"]
    rows = json.loads(run(capsys, *base, "--against", "context")[1])["curve"]
    width = [math.log(r["step_high_s"] / r["step_low_s"]) for r in rows]
    assert [r["outside"] for r in rows[:2]] == ["", ""]
    assert "prompt" in rows[-1]["outside"]
    assert width[-1] > 1.1 * width[0]
    passes = json.loads(run(capsys, *base, "--against", "tokens")[1])["curve"]
    assert math.log(passes[-1]["step_high_s"] / passes[-1]["step_low_s"]) > 1.5 * width[0]


def test_a_profile_shows_its_numbers(capsys):
    _, out, _ = run(capsys, "calibrate", "--show", "dynamo-trt")
    assert "trtllm: fitted on" in out
    assert "kernel_seconds" in out
    _, out, _ = run(capsys, "calibrate", "--show", "modern", "--json")
    found = json.loads(out)
    assert found["numbers"]["memory_efficiency"] < 1
    assert found["machines"]["AMD"]["kernel_seconds"] > 1


def test_the_evidence_is_in_the_catalogue(capsys):
    _, out, _ = run(capsys, "catalog", "evidence")
    assert "InferenceX" in out
    assert "Apache-2.0" in out
    _, out, _ = run(capsys, "catalog", "evidence", "mi300x sglang", "--json")
    rows = json.loads(out)
    assert {r["system"] for r in rows} == {"MI300X"}
    sources = {
        r["name"]: int(r["rows"]) for r in csv.DictReader(io.StringIO((SHIPPED / "evidence_sources.csv").read_text()))
    }
    counted = {}
    for _, r in read_rows(SHIPPED / "evidence" / "serving.csv.gz"):
        counted[r["source"]] = counted.get(r["source"], 0) + 1
    assert {k: v for k, v in sources.items() if k in counted} == counted


# --- the ratchet ---

# Out of fold, measured on the shipped evidence: accuracy may improve, never silently worsen. The issue asks for at most
# 13 % (p90 40 %), 30 % and 15 %; what is reached is held with a hundredth's room.
RATCHET = {
    "closed-loop TPOT": {"median": 0.082, "mean": 0.162, "p90": 0.32},
    "closed-loop TTFT": {"median": 0.225, "mean": 0.315, "p90": 0.68},
    "static batch": {"median": 0.12, "mean": 0.2, "p90": 0.46},
}


def test_out_of_fold_accuracy_does_not_worsen(tmp_path):
    done = alone("validate", "-o", tmp_path / "report.html", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    found = {(r["what"], r["who"]): r for r in result["accuracy"]}
    for what, most in RATCHET.items():
        ours = found[what, "headway"]
        for name, value in most.items():
            assert ours[name] <= value, (what, name, ours[name])
            assert ours[name] < found[what, "constant"][name]
        assert 0.75 <= ours["coverage"] <= 0.85
        assert ours["rank"] > 0.87
        assert found[what, "ideal"]["bias"] < 0
    assert result["floor_violations"] == 0
    shown = {(r["what"], r["who"]): r for r in json.loads((ROOT / "docs" / "accuracy.json").read_text())["accuracy"]}
    for key, row in found.items():  # what the README shows is what is measured
        for name in ("n", "median", "mean", "p90", "coverage"):
            assert shown[key][name] == pytest.approx(row[name], abs=0.01), (key, name)
    page = (tmp_path / "report.html").read_text()
    assert "cdn.jsdelivr" not in page  # works offline
    body = page[page.index("<body>\n") :]  # the bundled library has the word in its own strings
    assert all(text in body for text in ("closed-loop TPOT", "GB200 NVL72", "by chip", "MI300X"))
