"""Odd and hostile input at the command line: one line each, nothing that was there is lost, nothing runs on alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from cases import TINY_LLAMA
from headway.cli.app import run


def headway(*arguments, **more):
    return subprocess.Popen([sys.executable, "-m", "headway", *map(str, arguments)], text=True, **more)


def line(capsys, *arguments):
    """Exit status and the one line that the error is."""
    code = run([str(a) for a in arguments])
    said = capsys.readouterr().err.strip().splitlines()
    return code, said[-1] if said else ""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(TINY_LLAMA))
    return tmp_path / "config.json"


@pytest.fixture
def grid(tmp_path):
    (tmp_path / "g.toml").write_text('models = ["qwen3-8b"]\nsystems = ["h200x8"]\nsplit = false\n')
    return tmp_path / "g.toml"


@pytest.mark.parametrize("text", ["hello", "hello\n", "a,b\n1,2\n", '{"key": 3}\n', "[]\n"])
def test_a_file_that_is_no_journal_stays(tmp_path, capsys, grid, text):
    (tmp_path / "notes").write_text(text)
    code, said = line(capsys, "search", "--grid", grid, "--results", tmp_path / "notes")
    assert (code, "is not a result of a grid" in said) == (2, True)
    assert (tmp_path / "notes").read_text() == text


@pytest.mark.parametrize("place", ["/dev/null", "/dev/full"])
def test_results_are_kept_in_a_file(capsys, grid, place):
    code, said = line(capsys, "search", "--grid", grid, "--results", place)
    assert (code, "no regular file" in said) == (2, True)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '{"key": "x"}',
        "[1]",
        '{"key": "x", "label": "y", "answer": {}, "refused": null}',
        '{"key": "x", "label": "y", "answer": {"best": 3, "fleets": []}}',
    ],
)
def test_a_line_that_is_json_and_no_result_is_computed_again(tmp_path, capsys, grid, text):
    journal = tmp_path / "j.jsonl"
    assert run(["search", "--grid", str(grid), "--results", str(journal), "--json"]) == 0
    first = capsys.readouterr().out
    journal.write_bytes(text.encode() + b"\n" + journal.read_bytes())
    assert run(["search", "--grid", str(grid), "--results", str(journal), "--json"]) == 0
    out, err = capsys.readouterr()
    assert "no results on line 1: computed again" in err
    assert json.loads(out)["cells"] == json.loads(first)["cells"]
    assert journal.read_text().startswith(text)


def test_a_chart_never_takes_the_place_of_a_config(config, capsys):
    before = config.read_bytes()
    code, said = line(capsys, "curve", config, "--on", "h100x1", "-o", config)
    assert (code, "is there and is no chart" in said) == (2, True)
    assert config.read_bytes() == before
    chart = config.with_name("chart.json")
    for _ in range(2):  # a chart may be written over
        assert run(["curve", str(config), "--on", "h100x1", "-o", str(chart)]) == 0
    assert not [f for f in config.parent.iterdir() if f.name.startswith(".")]


@pytest.mark.parametrize(
    ("name", "says"),
    [("x.docx", "the ending must be one of"), ("x", "the ending must be one of"), ("no/x.svg", "there is no folder")],
)
def test_endings_that_cannot_be_written(config, capsys, tmp_path, name, says):
    code, said = line(capsys, "curve", config, "--on", "h100x1", "-o", tmp_path / name)
    assert (code, says in said) == (2, True)
    table = tmp_path / "t.csv"
    table.write_text("system,model,batch_or_concurrency,isl,osl\nh200x8,qwen3-8b,8,1000,100\n")
    assert line(capsys, "predict", table, "-o", tmp_path / "x.docx")[0] == 2


def test_an_existing_picture_survives_a_full_disk(tmp_path, monkeypatch, capsys, config):
    from pathlib import Path

    picture = tmp_path / "c.svg"
    picture.write_text("old")

    def full(self, *_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    code, said = line(capsys, "curve", config, "--on", "h100x1", "-o", picture)
    assert (code, "No space left on device" in said) == (2, True)
    assert picture.read_text() == "old"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--price", "4,49/h"], "'4.49/h' is how headway reads a decimal"),
        (["--context", "1,5k"], "'1.5k' is how"),
        (["--context", "1,00,000"], "a comma stands before each three digits"),
        (["--price", "1e308/h"], "no price per chip-hour that anything has"),
        (["--skew", "nan"], "--skew is nan"),
        (["--reserve", "-1"], "--reserve"),
        (["--memory-share", "1.5"], "--memory-share"),
        (["--memory-share", "0"], "--memory-share"),
        (["--reserve", "0.1", "--gpu-memory-utilization", "0.9"], "give one of them"),
    ],
)
def test_quantities_that_are_not_what_they_seem(capsys, config, arguments, says):
    code, said = line(capsys, "plan", config, "--on", "h100x1", *arguments)
    assert (code, says in said) == (2, True), said


def test_a_comma_in_its_place_separates_thousands(config, capsys):
    for text in ("32,768", "32_768", "32768"):
        assert run(["plan", str(config), "--on", "h100x1", "--context", text, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["memory"]["kv_pool"]["counted_tokens"] == 32_768


@pytest.mark.parametrize("name", ["~nouser/x", "x" * 300, "a\x1b[2Jb", "\x00"])
def test_names_that_nobody_has(capsys, name):
    code, said = line(capsys, "plan", name, "--on", "h100x1")
    assert code == 2
    assert len(said) < 400
    assert not set(said) & set("\x1b\x00")


def test_a_table_by_path_stays_inside_the_catalogue(tmp_path, capsys):
    (tmp_path / "secret.csv").write_text("name,value\na,b\n")
    for name in (tmp_path / "secret", "../secret", "./chips"):
        assert line(capsys, "catalog", name)[0] == 2


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"memory_GBps": "4.8"}, "memory_GBps"),
        ({"bf16_TFLOPS": "989e12"}, "bf16_TFLOPS"),
        ({"memory_GB": "141e9"}, "memory_GB"),
        ({"scaleup_GBps": "450e9"}, "scaleup_GBps"),
        ({"price_usd_h": "1e9"}, "price_usd_h"),
        ({"year": "20"}, "year"),
    ],
)
def test_chips_in_other_units_are_refused(tmp_path, capsys, columns, says):
    row = {
        "name": "mine",
        "memory_GB": "141",
        "memory_GBps": "4800",
        "bf16_TFLOPS": "989",
        "source": "me",
        "date": "2025",
    } | columns
    (tmp_path / "chips.csv").write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    code, said = line(capsys, "plan", "llama-3.1-8b", "--on", "mine", "--catalog", tmp_path)
    assert (code, says in said, "must lie between" in said) == (2, True, True), said


def test_columns_that_mean_nothing_are_named(tmp_path, capsys):
    table = tmp_path / "t.csv"
    table.write_text(
        "system,model,batch_or_concurrency,isl,osl,weights_dtyp,tpot_ms_mean\n"
        + "h200x8,qwen3-8b,8,1000,100,fp8,6\n" * 3
    )
    for arguments in (
        ["predict", table, "--json"],
        ["predict", table, "-o", tmp_path / "o.csv", "--json"],
        ["calibrate", table, "--name", "mine", "-o", tmp_path],
    ):
        assert run([str(a) for a in arguments]) == 0
        assert "column 'weights_dtyp' is not read; did you mean 'weights_dtype'?" in capsys.readouterr().err


def test_rows_without_a_prompt_or_a_second_token(tmp_path, capsys):
    table = tmp_path / "t.csv"
    table.write_text("system,model,batch_or_concurrency,isl,osl\nh200x8,qwen3-8b,8,0,1\nh200x8,qwen3-8b,8,1000,1\n")
    assert run(["predict", str(table), "--json"]) == 0
    nothing, single = json.loads(capsys.readouterr().out)
    assert "leave nothing to time" in nothing["refused"]
    assert (single["predicted_tpot_ms"], single["tpot_ms_low"], single["floor_tpot_ms"]) == ("", "", "")
    assert float(single["predicted_ttft_ms"]) > 0


def test_a_full_disk_and_a_closed_output_are_one_line(config):
    with open("/dev/full", "w") as full:
        done = headway("plan", config, "--on", "h100x1", "--json", stdout=full, stderr=subprocess.PIPE)
        said = done.communicate()[1]
    assert (done.returncode, said) == (1, "headway: the answer cannot be written (No space left on device)\n")
    done = headway("plan", config, "--on", "h100x1", stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1))
    said = done.communicate()[1]
    assert (done.returncode, said) == (1, "headway: the standard output is closed: there is no place for the answer\n")


def test_a_page_is_not_ended_by_a_name(tmp_path, capsys):
    name = "a</script><script>alert(1)</script>"
    folder = tmp_path / "cat"
    folder.mkdir()
    (folder / "models.csv").write_text(f'id,file,source,date\n"{name}",m.json,me,2025\n')
    (folder / "m.json").write_text(json.dumps(TINY_LLAMA))
    page = tmp_path / "c.html"
    assert run(["curve", name, "--on", "h100x1", "--catalog", str(folder), "-o", str(page)]) == 0
    capsys.readouterr()
    text = page.read_text()
    assert "<script>alert(1)" not in text
    assert "alert(1)" in text


def test_cells_that_start_a_formula_are_quoted(capsys):
    from headway.cli.output import emit_csv

    emit_csv([{"system": "=cmd|calc!A0", "x": -1.5, "y": "-", "z": "@a", "w": "plain"}])
    assert capsys.readouterr().out.splitlines()[1] == "'=cmd|calc!A0,-1.5,'-,'@a,plain"


def test_control_characters_in_a_catalogue_are_refused(tmp_path, capsys):
    (tmp_path / "chips.csv").write_text("name,memory_GB,memory_GBps,source,date\nx\x1b[2J,141,4800,me,2025\n")
    code, said = line(capsys, "catalog", "chips", "--catalog", tmp_path)
    assert (code, "control character" in said) == (2, True)


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="processes are looked up in /proc")
def test_workers_of_a_fit_end_with_it():
    """kill -9 of `validate` leaves no worker behind."""
    running = headway("validate", "--json", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children: list[int] = []
    until = time.monotonic() + 60
    while time.monotonic() < until and len(children) < 1:
        time.sleep(0.5)
        try:
            with open(f"/proc/{running.pid}/task/{running.pid}/children") as listed:
                children = [int(p) for p in listed.read().split()]
        except OSError:
            break
    running.send_signal(signal.SIGKILL)
    running.wait()
    if (os.cpu_count() or 1) < 2:
        return
    assert children
    until = time.monotonic() + 20
    while time.monotonic() < until and any(os.path.exists(f"/proc/{p}") for p in children):
        time.sleep(0.2)
    assert not [p for p in children if os.path.exists(f"/proc/{p}")]


LONG = "a" * 300


@pytest.mark.parametrize("text", [
    "catalog {}", "catalog chips {}", "plan llama-3.1-8b --on h100 --catalog {}",
    "plan llama-3.1-8b --on h100 -o {}", "predict {}",
    "predict {file} -o {}", "calibrate {file} --name {}", "plan llama-3.1-8b --on h100 --context {}",
    "search --grid {}",
    "plan llama-3.1-8b --{}", "plan llama-3.1-8b --on h100 --convention {}", "{}",
    "plan llama-3.1-8b --on h100 --layout {}",
    "plan llama-3.1-8b --on h100 --layout tp8+{}", "racks gpt-oss-120b --on h200x8 --racks {}", "lecture --set {}",
    "fit {} --on h100",
    "search llama-3.1-8b --on h100 --chips {}", "plan ./{}.json --on h100", "plan ./{}/config.json --on h100",
    "search --grid x.toml --ray {}", "ask {}", "ask E5 {}=3", "ask E5 total={}", "ask E5 --model {}",
    "ask E5 --sweep {}", "ask B4 law={}",
])  # fmt: skip
def test_a_line_quotes_little_of_what_is_long(tmp_path, capsys, text):
    """A name that no file can have is malformed, too: one line that names it, status 2."""
    file = tmp_path / "my.csv"
    file.write_text("system,model,batch_or_concurrency,isl,osl,tpot_ms_mean\nh200,qwen3-8b,1,10,10,5\n")
    code, said = line(capsys, *text.replace("{file}", str(file)).replace("{}", LONG).split())
    assert code == 2
    assert "a" * 81 not in said
    assert "cannot be written (" not in said or LONG[:30] in said
    assert len(said) < 1200


@pytest.mark.parametrize("wide", ["0", "-1", "five", "1000000"])
def test_a_terminal_of_no_width_is_one_of_the_usual(wide):
    done = headway(
        "plan", "--help", stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "COLUMNS": wide}
    )
    out, error = done.communicate()
    assert (done.returncode, error) == (0, "")
    assert max(map(len, out.splitlines())) <= 1000


def test_a_closed_error_stream_changes_no_status():
    for redirect in ("2>&-", "2>&- >&-", "2>/dev/full"):
        command = f"{sys.executable} -m headway plan nomodel --on h100 {redirect}"
        expected = 1 if redirect.endswith(">&- >&-") else 2
        assert subprocess.run(["bash", "-c", command], check=False).returncode == expected, redirect
