"""Grids: read, run on local processes and on a real Ray, killed in the middle and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headway.cli import app
from headway.errors import InputError
from headway.grids import Journal, read_grid, solve, summary

GRID = """
models = ["llama-3.1-8b", "gpt-oss-20b"]
systems = ["h100", "l40s", "h200x2"]
minimise = "cost"
prompt = "1k"

[[workloads]]
name = "chat"
output = 200
tpot = "40ms"
rate = "3/s"

[[workloads]]
name = "long"
prompt = "16k"
output = "500"
ttft = "1ms"
"""


@pytest.fixture
def grid(tmp_path):
    file = tmp_path / "grid.toml"
    file.write_text(GRID)
    return file


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "headway", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        **options,
    )


def lines(file):
    return [json.loads(x) for x in Path(file).read_text().splitlines()]


def test_a_grid_is_read_as_written(grid):
    cells = read_grid(grid)
    assert [c.number for c in cells] == list(range(12))
    assert cells[0].label == "llama-3.1-8b, h100, chat"
    q = cells[0].query
    assert (q.model, q.systems, q.prompt, q.output, q.tpot, q.rate) == (
        "llama-3.1-8b",
        ("h100",),
        1000.0,
        200.0,
        0.04,
        3.0,
    )
    assert (cells[1].query.prompt, cells[1].query.ttft) == (16000.0, 0.001)
    assert len({c.key for c in cells}) == 12
    assert read_grid(grid)[3].key == cells[3].key
    assert read_grid(grid, ["/somewhere"])[3].key != cells[3].key


@pytest.mark.parametrize(("text", "says"), [
    ("", "needs models"), ('models = ["a"]', "needs systems"), ("models = 3", "list of names"), ("models = [", "TOML"),
    ('models = ["a"]\nsystems = ["b"]\nfoo = 1', "foo"), ('models = ["a"]\nsystems = ["b"]\nttft = "2 parsecs"', "ttft"),
    ('models = ["a"]\nsystems = ["b"]\nttft = "2"', "no unit"), ('models = ["a"]\nsystems = ["b"]\ntpot = 30', "no unit"),
    ('models = ["a"]\nsystems = ["b"]\nreserve = 2', "below 1"), ('models = ["a"]\nsystems = ["b"]\ndrafts = "x"', "whole number"),
    ('models = ["a"]\nsystems = ["b"]\nsure = 1', "true or false"), ('models = ["a"]\nsystems = ["b"]\nworkloads = 3', "[[workloads]]"),
    ('models = ["a"]\nsystems = ["b"]\n[[workloads]]\nprmpt = 3', "prmpt"), ('models = ["a"]\nsystems = ["b"]\nskew = -1', "skew"),
    ('models = ["a"]\nsystems = ["b"]\nminimise = "fun"', "fun"), ('models = ["a"]\nsystems = ["b"]\nprompt = 0', "prompt"),
])  # fmt: skip
def test_a_bad_grid_is_one_line(tmp_path, capsys, text, says):
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=says.replace("[", r"\[").replace("]", r"\]")):
        read_grid(file)
    assert app.run(["search", "--grid", str(file)]) == 2
    assert len(capsys.readouterr().err.strip().split("\n")) == 1
    assert not (tmp_path / "bad.results.jsonl").exists()


def test_other_mistakes(tmp_path, grid, capsys):
    for arguments, says in (
        (["search", "--grid", str(tmp_path / "none.toml")], "cannot be read"),
        (["search", "llama-3.1-8b", "--grid", str(grid)], "leave out MODEL"),
        (["search", "--grid", str(grid), "--tpot", "3ms", "--why"], "leave out --tpot, --why"),
        (["search", "--grid", str(grid), "--workers", "0"], "--workers"),
        (["search", "--grid", str(grid), "--workers", "2", "--ray", "auto"], "--workers"),
        (["search", "--grid", str(grid), "--results", str(tmp_path)], "is no regular file"),
        (["search", "--grid", str(grid), "--results", str(grid)], "not a result"),
    ):
        assert app.run(arguments) == 2
        err = capsys.readouterr().err
        assert says in err
        assert len(err.strip().split("\n")) == 1
    assert grid.read_text() == GRID


def test_a_price_is_per_hour_and_an_edited_fact_is_a_new_question(tmp_path):
    file = tmp_path / "grid.toml"
    file.write_text('models = ["a"]\nsystems = ["b"]\nprice = 2')
    assert read_grid(file)[0].query.price == pytest.approx(2 / 3600)
    mine = tmp_path / "facts"
    mine.mkdir()
    (mine / "chips.csv").write_text("name\nx")
    before = read_grid(file, [str(mine)])[0].key
    (mine / "chips.csv").write_text("name\ny")
    assert read_grid(file, [str(mine)])[0].key != before


# Undoes what `nohup`, a job in the background or a runner hands down: ignored and blocked signals.
FROM_A_TERMINAL = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.pthread_sigmask(signal.SIG_SETMASK, set())
from headway.cli.app import main
main()
"""


def begun(folder, every, done):
    """Start a grid of 8000 / `every` cells on two workers and wait until some are `done`."""
    file, journal = folder / "grid.toml", folder / "grid.results.jsonl"
    prompts = "\n".join(f"[[workloads]]\nprompt = {p}\n" for p in range(1000, 9000, every))
    file.write_text(f'models = ["gpt-oss-120b"]\nsystems = ["h200x8"]\noutput = 300\n{prompts}')
    run = subprocess.Popen([sys.executable, "-c", FROM_A_TERMINAL, "search", "--grid", str(file), "--workers", "2"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)  # fmt: skip
    until = time.monotonic() + 120
    while time.monotonic() < until and not (journal.exists() and journal.read_bytes().count(b"\n") >= done):
        time.sleep(0.02)
    return run, file, journal


def test_ctrl_c_is_one_line(tmp_path):
    """Workers do not answer an interrupt with tracebacks; what had finished is kept."""
    run, _, _ = begun(tmp_path, every=20, done=1)
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 130
    assert err.startswith("headway: stopped; ")
    assert err.count("\n") == 1
    assert "kept in" in err


def test_refusals_are_results(grid):
    """A cell that physics refuses says so in its row; the others are answered."""
    cells = read_grid(grid)
    results = {c.key: solve(c) for c in cells[:4]}
    rows = summary(cells, results)
    assert len(rows) == 4
    assert "nearest feasible is --ttft" in rows[1]["refused"]
    assert rows[0]["refused"] == ""
    assert rows[0]["fleet_chips"] >= 1


QUIET = {**os.environ, "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_AUTH_MODE": "disabled"}


@pytest.fixture
def cluster():
    """A real Ray of two workers, in a process of its own."""
    pytest.importorskip("ray")
    code = (
        "import ray, sys\n"
        "ray.init(num_cpus=2, include_dashboard=False, logging_level='ERROR', log_to_driver=False)\n"
        "print(ray.get_runtime_context().gcs_address, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, env=QUIET) as process:  # fmt: skip
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait(timeout=60)


def test_ray_and_local_processes_give_the_same_answer(grid, tmp_path, cluster):
    """Item 6: a run on a Ray that this test started; every line is what local processes, and this process, write."""
    assert ":" in cluster
    found = {}
    ways = {
        "here": ["--workers", "1"],
        "local": ["--workers", "2"],
        "ray": ["--ray", cluster],
        "auto": ["--ray", "auto"],
    }
    for name, options in ways.items():
        done = command("search", "--grid", grid, "--results", tmp_path / f"{name}.jsonl", "--json", *options, env=QUIET)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        found[name] = json.loads(done.stdout)
        assert found[name]["computed"] == 12
    assert all(f["cells"] == found["here"]["cells"] for f in found.values())
    ends = {n: sorted((tmp_path / f"{n}.jsonl").read_text().splitlines()) for n in found}
    assert all(e == ends["here"] for e in ends.values())


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere", "127.0.0.1:99999999"])
def test_a_cluster_that_is_not_there(grid, capsys, address):
    pytest.importorskip("ray")
    assert app.run(["search", "--grid", str(grid), "--ray", address]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"headway: --ray {address}")
    assert len(err.strip().split("\n")) == 1


def test_a_kill_in_the_middle_loses_no_finished_result(tmp_path):
    """Item 6: kill -9 while cells run; what had finished is there, byte for byte, and a rerun computes only the rest."""
    run, file, journal = begun(tmp_path, every=200, done=4)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    kept = journal.read_bytes()
    whole = kept[: kept.rfind(b"\n") + 1]
    finished = whole.count(b"\n")
    assert 4 <= finished < 40
    journal.write_bytes(whole + b'{"key": "half a li')  # as a kill inside a write would leave it
    done = command("search", "--grid", file, "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["computed"], answer["from_journal"]) == (40 - finished, finished)
    assert journal.read_bytes().startswith(whole)
    assert len(lines(journal)) == 40
    assert len({x["key"] for x in lines(journal)}) == 40
    again = json.loads(command("search", "--grid", file, "--json").stdout)
    assert again["computed"] == 0
    assert again["cells"] == answer["cells"]


def test_a_lost_worker_is_one_line_and_keeps_the_rest(tmp_path):
    """One local process is killed, as the system does when memory runs out."""
    run, _, journal = begun(tmp_path, every=100, done=3)
    children = [int(p) for p in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()]
    workers = [p for p in children if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]
    os.kill(workers[0], signal.SIGKILL)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 1
    assert "a worker was killed" in err
    assert len(err.strip().split("\n")) == 1
    assert len(lines(journal)) >= 3


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(tmp_path, how):
    """Nothing goes on computing for a run that was ended, however hard."""
    run, _, _ = begun(tmp_path, every=20, done=1)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    assert len(children) >= 2
    os.kill(run.pid, how)
    run.communicate(timeout=60)
    until = time.monotonic() + 30
    while time.monotonic() < until and any(alive(p) for p in children):
        time.sleep(0.05)
    assert not [p for p in children if alive(p)]


def alive(pid):
    """Say whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_two_runs_do_not_write_into_one_journal(tmp_path):
    file = tmp_path / "j.jsonl"
    with Journal(file) as first:
        first.add({"key": "a", "label": "a", "answer": None, "refused": "no"})
        with pytest.raises(InputError, match="another run"), Journal(file):
            pass
    with Journal(file) as second:
        assert list(second.results) == ["a"]
