"""`make fuzz`: mutated configs and tables, grids killed at random times, hostile questions to the page. Prints what went wrong; exit 1 if anything did.

A config must be read or refused in one line within two seconds, and a key that is only misspelt must never change the
weights or the cache. A row of a table must be answered or refused, never end in a fault of headway's own. A grid that is
killed and resumed must end with the same bytes, and leave no process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from page import calls  # the file beside this one

from headway.catalog import SHIPPED, catalogue
from headway.errors import InputError
from headway.models import build, kv_bytes_stored
from headway.models.config import stated_precision
from headway.predictions import predicted_rows

SLOW = 2.0  # seconds
ODD = [
    None, 0, -1, 1, 2, 3, 1.5, 1e300, float("inf"), float("nan"), 10**18, 10**400, "", "x", "4096", "false", True, False, [], {}, [1], [0] * 10_001,
    {"a": 1}, "\x1b[2J", "a" * 10_000, [[[]]], "re:(", "re:(a+)+$", "bf16", "fp8",
]  # fmt: skip


def _paths(value, prefix=()):
    """Every place in a nested config."""
    if isinstance(value, dict):
        for k, v in value.items():
            yield (*prefix, k)
            yield from _paths(v, (*prefix, k))


def _at(config, path):
    for k in path[:-1]:
        config = config[k]
    return config


def _misspelt(name, rng):
    if len(name) < 3:
        return name + "x"
    i = rng.randrange(1, len(name) - 1)
    return rng.choice(
        [name[:i] + name[i + 1 :], name[:i] + "z" + name[i:], name[: i - 1] + name[i] + name[i - 1] + name[i + 1 :]]
    )


def _mutated(config, rng):
    """Return (config, whether only a key was misspelt)."""
    found = json.loads(json.dumps(config))
    path = rng.choice(list(_paths(found)))
    place = _at(found, path)
    kind = rng.random()
    if kind < 0.3:
        name = _misspelt(path[-1], rng)
        if name in place:
            return found, True
        place[name] = place.pop(path[-1])
        return found, True
    if kind < 0.4:
        del place[path[-1]]
    elif kind < 0.55 and isinstance(place[path[-1]], int | float) and not isinstance(place[path[-1]], bool):
        place[path[-1]] = place[path[-1]] * rng.choice([2, 3, -1, 1000, 10**9, 0.5, 0])
    elif kind < 0.65 and isinstance(place[path[-1]], list):
        place[path[-1]] = rng.choice(
            [place[path[-1]][:-1], place[path[-1]] * 2, place[path[-1]][::-1], [rng.choice(ODD)]]
        )
    elif kind < 0.75:
        place["".join(rng.choice("abcdefgh_") for _ in range(8))] = rng.choice(ODD)
    else:
        place[path[-1]] = rng.choice(ODD)
    return found, False


def _amounts(config):
    arch = build(config, "x", stated_precision(config, "c"), where="c")
    said = any("no matrix of the model matches" in n or "tower" in n for n in arch.notes)
    return arch.loaded_bytes, float(kv_bytes_stored(arch, 10_000.0)), said


def configs(count, rng):
    """Mutate shipped configs: read or refused at once, and a misspelt key changes nothing."""
    files = sorted((SHIPPED / "models").glob("*.json"))
    files = [f for f in files if not f.name.endswith("hf_quant_config.json")]
    whole = {f: json.loads(f.read_text()) for f in files}
    plain = {f: _amounts(c) for f, c in whole.items()}
    wrong, seen = [], Counter()
    for _ in range(count):
        file = rng.choice(files)
        config, misspelt = _mutated(whole[file], rng)
        begin = time.process_time()
        try:
            found = _amounts(config)
            seen["read"] += 1
            if misspelt and not found[2] and found[:2] != plain[file][:2]:
                wrong.append((file.name, "a misspelt key changed the weights or the cache", config))
        except InputError as error:
            seen["refused"] += 1
            if "\n" in str(error) or len(str(error)) > 5000:
                wrong.append((file.name, f"not one line: {str(error)[:200]!r}", config))
        except Exception as error:
            wrong.append((file.name, f"{type(error).__name__}: {error}"[:300], config))
        if time.process_time() - begin > SLOW:
            wrong.append((file.name, f"took {time.process_time() - begin:.1f} s", config))
    return wrong, seen


def tables(count, rng):
    """Mutate rows of cases: answered or refused."""
    names = [r["id"] for r in catalogue().table("models").rows]
    systems = ["h200x8", "b200x8", "rtx4090", "gb200-nvl72", "8xMI355X", "a100x8", "m4-max", "nonesuch"]
    cells = [
        "",
        "0",
        "1",
        "-1",
        "8",
        "64",
        "1e9",
        "1e300",
        "nan",
        "inf",
        "x",
        "1,000",
        "4,5",
        "fp8",
        "\x00",
        "=1+1",
        "8192",
        "true",
        "2026-01-01",
    ]
    columns = ["system", "model", "batch_or_concurrency", "isl", "osl", "tp", "ep", "chips", "engine", "weights_dtype", "kv_dtype", "load", "date",
               "attention_dp", "pp", "disaggregated", "mtp"]  # fmt: skip
    wrong, seen = [], Counter()
    for i in range(count):
        row = {"system": rng.choice(systems), "model": rng.choice(names), "batch_or_concurrency": rng.choice(["1", "16", "256"]),
               "isl": rng.choice(["128", "1024", "8192"]), "osl": rng.choice(["1", "128", "1024"]), "tp": rng.choice(["1", "2", "8"])}  # fmt: skip
        for _ in range(rng.randrange(4)):
            row[rng.choice(columns)] = rng.choice(cells)
        begin = time.process_time()
        (found,) = predicted_rows([(f"row {i}", row)])
        if "a fault in headway itself" in found["refused"]:
            wrong.append((str(row), found["refused"], row))
        if (
            not found["refused"]
            and found["predicted_tpot_ms"]
            and float(found["floor_tpot_ms"]) > float(found["predicted_tpot_ms"]) * (1 + 1e-9)
        ):
            wrong.append((str(row), "below its floor", row))
        if time.process_time() - begin > SLOW:
            wrong.append((str(row), f"took {time.process_time() - begin:.1f} s", row))
        seen["refused" if found["refused"] else "answered"] += 1
    return wrong, seen


def _alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def kills(count, rng, folder):
    """Kill a grid at random times and resume it: the same cells, no process left."""
    grid = folder / "g.toml"
    grid.write_text(
        'models = ["qwen3-8b", "gpt-oss-20b"]\nsystems = ["h200x8", "rtx4090x2", "b200x8"]\nsplit = false\n[[workloads]]\nprompt = "1k"\noutput = 128\n[[workloads]]\nprompt = "8k"\noutput = "1k"\n'
    )

    def run(journal, limit=None, sign=signal.SIGKILL):
        command = [sys.executable, "-m", "headway", "search", "--grid", grid, "--results", journal, "--json"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        ) as done:
            try:
                out = done.communicate(timeout=limit)[0]
            except subprocess.TimeoutExpired:
                done.send_signal(sign)
                out = done.communicate()[0]
            until = time.monotonic() + 10
            while time.monotonic() < until and _alive(done.pid):
                time.sleep(0.05)
            left = _alive(done.pid)
            if left:
                os.killpg(done.pid, signal.SIGKILL)
            return out, left

    whole, _ = run(folder / "whole.jsonl")
    wanted = json.loads(whole)["cells"]
    wrong = []
    for i in range(count):
        journal = folder / f"{i}.jsonl"
        sign = rng.choice([signal.SIGKILL, signal.SIGTERM])
        _, left = run(journal, rng.uniform(0.2, 6.0), sign)
        if left:
            wrong.append((f"kill {i}", f"processes left after {sign.name}", None))
        out, _ = run(journal)
        if json.loads(out)["cells"] != wanted:
            wrong.append((f"kill {i}", "other results after resuming", None))
    return wrong, Counter({"kills": count})


def main():
    """Run all four."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--configs", type=int, default=20_000)
    options.add_argument("--tables", type=int, default=3_000)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--calls", type=int, default=5_000)
    options.add_argument("--seed", type=int, default=None)
    given = options.parse_args()
    seed = random.randrange(10**9) if given.seed is None else given.seed
    print(f"seed {seed}")
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for name, run in (
            ("configs", lambda r: configs(given.configs, r)), ("tables", lambda r: tables(given.tables, r)),
            ("kills", lambda r: kills(given.kills, r, Path(folder))), ("page", lambda r: calls(given.calls, r)),
        ):  # fmt: skip
            found, seen = run(random.Random(f"{seed} {name}"))
            print(f"{name}: {dict(seen)}, {len(found)} wrong")
            wrong += found
    for where, what, config in wrong[:30]:
        print(f"! {where}: {what}")
        if config is not None and os.environ.get("FUZZ_SHOW"):
            print("   ", json.dumps(config, default=str)[:2000])
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
