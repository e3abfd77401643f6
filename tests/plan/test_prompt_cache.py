"""`headway cache`: the curve on a model and a machine, its memories, what hits save, and every way to see it."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math

import numpy as np
import pytest

import headway as hw
from headway.cli import app
from headway.figures import cache_figure, write_figure
from headway.parallel import kv_per_chip
from headway.plan.simulated import simulate
from headway.simulation.deployment import Operation
from headway.simulation.prefixes import Prefix
from headway.simulation.traffic import traffic

ASK = hw.Request("llama-3.1-70b", "h200x8", layout="tp4")
STORES = "host,flash:30TB@10GB/s"


@pytest.fixture(scope="module")
def come():
    return traffic("mooncake-conv", count=3000)


@pytest.fixture(scope="module")
def found(come):
    return hw.prompt_cache(come, ASK, below=STORES)


def test_a_replica_has_its_part_of_the_traffic(come, found):
    s = found.served
    assert s.plan.replicas == s.own.caches == 2
    parts = []
    for i in range(2):
        kept = np.arange(i, len(come), 2)
        first = np.concatenate([[0], np.cumsum(np.diff(come.first_hash)[kept])])
        parts.append(dataclasses.replace(
            come, arrival=come.arrival[kept], prompt=come.prompt[kept], output=come.output[kept], line=come.line[:0],
            hashes=np.concatenate([come.blocks_of(k) for k in kept]), first_hash=first,
        ))  # fmt: skip
    for size in (1e5, 1e6, 3e6, math.inf):
        assert s.own.found(size) == sum(hw.hit_rates(p).found(size) for p in parts)
    assert s.own.share() < found.rates.share()


def test_memories_are_the_plans_and_the_catalogues(found):
    s, p = found.served, found.served.plan
    assert p.prompt == pytest.approx(float(found.traffic.prompt.mean()))
    assert s.token_bytes == pytest.approx(
        hw.kv_bytes_stored(p.model, 1.0)
    )  # four chips hold two of eight KV heads each
    free, pool, host, flash = s.levels
    assert pool.tokens == p.pool.tokens
    assert free.tokens == pytest.approx(p.pool.tokens - p.point.batch * p.context)
    assert (pool.size, flash.size, flash.rate) == pytest.approx((p.pool.bytes * 4, 30e12, 10e9))
    assert host.tokens == pytest.approx(free.tokens + host.size / s.token_bytes)
    assert flash.tokens == pytest.approx(host.tokens + 30e12 / s.token_bytes)
    assert s.back(flash) == pytest.approx(s.token_bytes / 10e9)
    assert s.back(flash) / s.token_seconds == pytest.approx(s.break_even / 10e9)
    fewer = hw.prompt_cache(found.traffic, dataclasses.replace(ASK, batch=8)).served
    assert fewer.levels[0].tokens > 3 * free.tokens
    assert [x.name for x in fewer.levels] == ["free", "pool", "host"]


def test_groups_hold_a_token_once():
    """Attention data parallelism: a token lies on its group's chips only, and all groups' hosts and links are the replica's."""
    few = traffic("mooncake-conv", count=200)
    one = hw.prompt_cache(few, hw.Request("llama-3.1-8b", "h100x8", layout="tp1")).served
    many = hw.prompt_cache(few, hw.Request("llama-3.1-8b", "h100x8", layout="dp8")).served
    assert (
        many.token_bytes == pytest.approx(one.token_bytes) == float(kv_per_chip(one.plan.model, one.plan.layout, 1.0))
    )
    assert many.levels[2].size == pytest.approx(8 * one.levels[2].size)
    assert many.levels[2].rate == pytest.approx(8 * one.levels[2].rate)
    assert many.levels[2].tokens - many.levels[0].tokens == pytest.approx(
        8 * (one.levels[2].tokens - one.levels[0].tokens)
    )


def test_money_and_time_are_the_plans(found):
    s, p = found.served, found.served.plan
    rent = p.system.price * p.system.chips / p.replicas
    assert s.dollars_per_mtok(0.0) == p.prefill_dollars_per_mtok == pytest.approx(1e6 * rent * s.token_seconds)
    assert s.dollars_per_mtok(1.0) == p.cached[1]
    assert s.dollars_per_mtok(0.25) == pytest.approx(0.75 * p.prefill_dollars_per_mtok + 0.25 * p.cached[1])
    assert s.saved(0.5) == pytest.approx(0.5 * float(found.traffic.prompt.mean()) * s.token_seconds)
    staged = hw.prompt_cache(found.traffic, hw.Request("llama-3.1-70b", "h200x8", layout="tp4pp2")).served
    rent = staged.plan.system.price * 8
    assert staged.dollars_per_mtok(0.0) == pytest.approx(1e6 * rent * staged.token_seconds)


def test_simulated_replicas_find_about_as_much():
    """Mooncake's requests one after another through two real replicas: every token; with a small pool and a host a little less."""
    come = traffic("mooncake-conv", count=1500)
    slow = dataclasses.replace(come, arrival=np.arange(len(come)) * 60.0)
    seen = hw.prompt_cache(slow, dataclasses.replace(ASK, prompt=12000, output=300))
    asked = dataclasses.replace(ASK, prompt=12000, output=300)
    ran = simulate(asked, slow, Operation(prefix=Prefix()))
    assert ran.replicas == 2
    pool = seen.served.levels[1].tokens
    assert seen.own.found(0.95 * pool) <= int(ran.log.cached.sum()) <= seen.own.found(pool)


def test_the_command_line_and_the_library_agree(capsys, come, found):
    options = ["--requests", "3000", "--cache-below", STORES]
    assert app.run(["cache", "llama-3.1-70b", "--on", "h200x8", "--layout", "tp4", *options, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(json.dumps(found.to_dict()))
    assert [m["name"] for m in said["served"]["memories"]] == ["free", "pool", "host", "flash", "no limit"]
    assert said["served"]["memories"][-1]["hit_rate"] == said["hit_rate"] == found.own.share()
    assert app.run(["cache", "llama-3.1-70b", "--on", "h200x8", "--layout", "tp4", *options, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {r["ttl_s"] for r in rows} == {"", "300.0", "3600.0"}
    for r in rows[:: len(rows) // 20]:
        size, ttl = float(r["size_tokens"] or "inf"), float(r["ttl_s"] or "inf")
        assert float(r["hit_rate"]) == found.own.share(size, ttl)
        assert float(r["hit_rate_shared"]) == found.rates.share(2 * size, ttl)
    assert app.run(["cache", "llama-3.1-70b", "--on", "h200x8", "--layout", "tp4", *options]) == 0
    out = capsys.readouterr().out
    assert out.rstrip() == found.text()
    for words in (
        "one of all 2",
        "+ flash, 10 GB/s",
        "HBM, nothing running",
        "no limit",
        "working set",
        "quicker from",
    ):
        assert words in out


def test_without_a_model_sizes_are_tokens(capsys, come):
    assert app.run(["cache", "--requests", "3000", "--ttl", "1min"]) == 0
    out = capsys.readouterr().out
    assert out.rstrip() == hw.prompt_cache(come, ttls=[60.0]).text()
    assert "bytes" not in out
    assert "within 60 s" in out
    drawn = ["cache", "--traffic", "sessions:1/s,turns=4,new=200,think=20s", "--prompt", "1k", "--output", "300"]
    assert app.run([*drawn, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hit_rate"] > 0.5


def test_rows_cover_where_it_matters(found):
    sizes = found.sizes(2)
    assert sizes == sorted(sizes)
    assert found.own.share(sizes[-1]) == found.own.share()
    assert found.own.share(sizes[0]) < 0.2 * found.own.share()
    assert all(f"{x:.0e}"[0] in "13" for x in sizes)


def test_nothing_shared_is_said_plainly(capsys, tmp_path):
    file = tmp_path / "log.jsonl"
    lines = [
        {"timestamp": i, "input_length": 1000, "output_length": 10, "hash_ids": [2 * i, 2 * i + 1]} for i in range(5)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert app.run(["cache", "--traffic", str(file), "-o", str(tmp_path / "x.json")]) == 0
    out = capsys.readouterr().out
    assert "no limit" in out
    assert app.run(["cache", "llama-3.1-8b", "--on", "h100x1", "--traffic", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hit_rate"] == 0


def test_the_picture_has_lines_and_marks(tmp_path, found):
    spec = cache_figure(found)
    base, rest, rules = (layer["data"]["values"] for layer in spec["layer"][:3])
    assert {r["line"] for r in base} == {"no time to live"}
    assert {r["line"] for r in rest} == {
        "unused for at most 5 min",
        "unused for at most 60 min",
        "one cache of all 2 together",
    }
    assert [m["size"] for m in rules] == sorted(m["size"] for m in rules)
    sizes = {m["text"]: m["size"] for m in rules}
    assert sizes["+ flash"] == pytest.approx(found.served.levels[3].tokens * found.served.token_bytes)
    assert sizes["90 % of the most"] == pytest.approx(found.working_set * found.served.token_bytes)
    assert max(r["size"] for r in base) >= max(sizes.values())
    alone = cache_figure(hw.prompt_cache(found.traffic))
    assert "(tokens)" in alone["layer"][0]["encoding"]["x"]["title"]
    for name in ("a.svg", "a.png"):
        assert write_figure(spec, tmp_path / name).stat().st_size > 5000


@pytest.mark.parametrize(("options", "code", "says"), [
    (["--traffic", "azure-conv"], 2, "traffic azure-conv: does not say what its prompts share; mooncake-conv"),
    (["llama-3.1-8b", "--on", "h100x1", "--traffic", "azure-conv"], 2, "files with hash_ids do"),
    (["llama-3.1-8b"], 2, "MODEL llama-3.1-8b: needs --on SYSTEM, too"), (["--on", "h100"], 2, "--on: needs a MODEL, too"),
    (["--tp", "4", "--batch", "8"], 2, "--batch, --tp: needs a MODEL and --on SYSTEM"),
    (["--cache-below", "host"], 2, "--cache-below: needs a MODEL"),
    (["--ttl", "5"], 2, "--ttl: '5' has no unit"), (["--ttl", "0s"], 2, "--ttl: 0 s"), (["-o", "x.doc"], 2, "the ending must be one of"),
    (["llama-3.1-8b", "--on", "h100x1", "--cache-below", "foo"], 2, "host:1TB@50GB/s"),
    (["llama-3.1-70b", "--on", "h100x1"], 3, "does not fit"), (["--traffic", "nope"], 2, "unknown traffic"),
])  # fmt: skip
def test_refusals(capsys, options, code, says):
    assert app.run(["cache", *options]) == code
    out, err = capsys.readouterr()
    assert not out
    assert says in err
    assert err.count("\n") == 1


def test_machines_whose_memory_is_the_hosts_have_no_store_below():
    unified = hw.prompt_cache(traffic("mooncake-conv", count=200), hw.Request("llama-3.1-8b", "m3-ultra"))
    assert [x.name for x in unified.served.levels] == ["free", "pool"]
    assert unified.served.dollars_per_mtok(0.5) is None
    assert "input" not in unified.text()
    with pytest.raises(hw.InputError, match="host's own"):
        hw.prompt_cache(unified.traffic, hw.Request("llama-3.1-8b", "m3-ultra"), below="host")
