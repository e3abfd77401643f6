"""`headway cache --hold`: the lecture's fixture through the verb, a model's own costs by hand, and what caching is worth on traffic."""

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
from headway.economics import Device
from headway.figures import holding_figure, write_figure
from headway.hardware import with_host
from headway.models import kv_bytes_stored
from headway.simulation.traffic import traffic

FIXTURE = """name,kind,capacity_GB,bandwidth_GBps,usd_per_h,seconds_per_token
HBM,hbm,192,8000,2,
DDR,ddr,480,512,0.10,
flash,flash,4000,7,0.01,
disk,disk,20000,0.25,0.002,
remat,recompute,,,2,4e-5
"""
ASK = hw.Request("llama-3.1-70b", "h200x8", layout="tp4", context=8000.0)
MODEL = ["cache", "llama-3.1-70b", "--on", "h200x8", "--layout", "tp4", "--context", "8k"]


@pytest.fixture(scope="module")
def fixture(tmp_path_factory):
    file = tmp_path_factory.mktemp("tiers") / "lecture.csv"
    file.write_text(FIXTURE)
    return file


@pytest.fixture(scope="module")
def found():
    return hw.hold_cache(ASK)


def asked(capsys, *options):
    assert app.run(["cache", *options, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_hits_at_the_last_moment_pay_later(tmp_path):
    """Holding for 100 s costs 0.8 of computing: hits at once pay with the first, hits after 100 s each save 0.2 and pay with the fourth."""
    file = tmp_path / "dear.csv"
    head = "name,kind,capacity_GB,bandwidth_GBps,usd_per_h,seconds_per_token"
    file.write_text(f"{head}\nDDR,ddr,1,1e9,28.8,\nagain,recompute,,,3.6,1e-3\n")
    offer = hw.hold_cache(holds=[100.0], tiers=file, kv_bytes=1000.0).offers[0]
    assert offer.place.name == "DDR"
    assert (offer.at_once, offer.at_last) == (1, 4)


def test_sys_f4_through_the_verb(capsys, fixture):
    said = asked(capsys, "--hold", "1ms,1s,100s,3h,200000d", "--kv-bytes", "2048B", "--tiers", str(fixture))
    places = {p["name"]: p for p in said["places"]}
    assert [p["next_from_s"] for p in said["places"]][:3] == pytest.approx([0.01913, 5.99, 2738], rel=1e-3)
    assert places["disk"]["next_from_s"] == pytest.approx(3.9e8, rel=2e-3)
    assert places["HBM"]["pays_until_s"] == pytest.approx(3750)
    assert [c["place"] for c in said["cheapest"]] == ["HBM", "DDR", "flash", "disk", "remat"]
    assert [c["from_s"] for c in said["cheapest"]] == pytest.approx([0, 0.01913, 5.99, 2738, 3.9e8], rel=2e-3)
    assert [o["place"] for o in said["offers"]] == ["HBM", "DDR", "flash", "disk", "remat"]
    assert [places[n]["drain_s"] for n in ("HBM", "DDR", "flash", "disk")] == pytest.approx(
        [0.024, 0.9375, 571.4, 80000], rel=1e-3
    )
    assert said["computing_dollars_per_mtok"] == pytest.approx(4e-5 * 2 / 3600 * 1e6)


def test_sys_f5_through_the_verb(capsys, fixture):
    said = asked(capsys, "--hold", "20ms,5s,300s,3600s", "--kv-bytes", "2048B", "--tiers", str(fixture))
    assert [o["place_in_lecture"] for o in said["offers"]] == ["HBM", "DDR", "flash", "disk"]
    assert [o["place_by_drain"] for o in said["offers"]] == ["HBM", "DDR", "flash", "flash"]
    assert [p["drain_in_lecture_s"] for p in said["places"]] == [0.02, 5, 60, 3600, None]


def test_sys_f7_and_f8_through_the_verb(capsys, fixture):
    said = asked(capsys, "--hold", "5min", "--kv-bytes", "2048B", "--tiers", str(fixture))
    five, hour = (m for m in said["market"] if m["provider"] == "Anthropic")
    assert (five["premium_dollars_per_mtok_s"], hour["premium_dollars_per_mtok_s"]) == pytest.approx(
        (0.0041667, 0.0013889), abs=1e-7
    )
    assert (five["hits"], hour["hits"]) == (1, 2)
    assert app.run(["cache", "--hold", "5min", "--kv-bytes", "2048B", "--tiers", str(fixture)]) == 0
    out = capsys.readouterr().out
    assert "Anthropic: a second costs 3x as much for 5 min as for 1 h" in out
    assert "flash drains in 9.52 min, 9.52x slower than the lecture's 60 s" in out
    assert "by cost a cache lies elsewhere" not in out  # five minutes lie in flash, as the lecture says
    assert app.run(["cache", "--hold", "20ms", "--kv-bytes", "2048B", "--tiers", str(fixture)]) == 0
    assert "lecture's drain times: 20 ms in DDR, not HBM" in capsys.readouterr().out


def test_a_models_own_costs_by_hand(found):
    p = found.plan
    assert found.kv_bytes == pytest.approx(float(kv_bytes_stored(p.model, p.context)) / p.context)
    chip, rent, k = p.system.chip, p.system.price, found.kv_bytes
    by = {d.name: d for d in found.devices}
    assert list(by) == ["HBM", "DDR", "flash", "disk", "recompute"]
    assert float(by["HBM"].option().hold(k)) == pytest.approx(k / chip.memory * rent)
    assert float(by["recompute"].option().retrieve(k)) == pytest.approx(p.prefill_dollars_per_mtok / 1e6)
    host = with_host(p.system).chip
    assert (by["DDR"].capacity, by["DDR"].bandwidth) == (host.cpu.memory, min(host.cpu.bandwidth, host.cpu_link))
    assert by["DDR"].dollars == pytest.approx(32 * host.cpu.memory / 1e9 / (5 * 365.25 * 86400))
    five = found.offers[0]
    assert (five.place.name, five.hit * 1e6) == (p.cached[0], pytest.approx(p.cached[1]))  # what `plan` says
    assert five.hit == pytest.approx(float(five.place.retrieve(k)) + 300 * float(five.place.hold(k)))
    assert five.write == pytest.approx(
        p.prefill_dollars_per_mtok / 1e6 + float(five.place.store(k)) + 300 * float(five.place.hold(k))
    )


def test_prices_follow_the_prompt_the_price_and_the_margin(found):
    longer = hw.hold_cache(dataclasses.replace(ASK, context=64_000.0))
    assert longer.recompute.dollars_per_token > 1.02 * found.recompute.dollars_per_token  # attention
    dear = hw.hold_cache(dataclasses.replace(ASK, price="8.9/h"))
    assert dear.recompute.dollars_per_token == pytest.approx(2 * found.recompute.dollars_per_token)
    sold = hw.hold_cache(ASK, margin=0.75)
    for o in sold.offers:
        assert (o.price, o.write_price, o.hit_price) == pytest.approx(
            (4 * sold.recompute.dollars_per_token, 4 * o.write, 4 * o.hit)
        )
        assert o.hit_price >= o.hit >= o.ttl * float(o.place.hold(sold.kv_bytes))  # never below what it holds
        assert o.hold == float(o.place.hold(sold.kv_bytes))
    assert sold.to_dict()["offers"][0]["hold_price_dollars_per_mtok_h"] == pytest.approx(
        4 * 3.6e9 * sold.offers[0].hold
    )
    assert "input price" in sold.text()
    assert "input price" not in found.text()


def test_own_devices_stand_as_they_are(tmp_path, fixture):
    mine = hw.hold_cache(ASK, tiers=fixture)
    assert [d.name for d in mine.devices] == ["HBM", "DDR", "flash", "disk", "remat"]
    assert mine.recompute.dollars_per_token == pytest.approx(4e-5 * 2 / 3600)
    file = tmp_path / "one.csv"
    file.write_text("name,kind,capacity_GB,bandwidth_GBps,usd_per_h\nnas,share,100000,1,0.5\n")
    few = hw.hold_cache(ASK, tiers=file, holds=[3600])
    assert [d.name for d in few.devices] == ["HBM", "nas", "recompute"]
    assert few.offers[0].place.name == "nas"
    alone = hw.hold_cache(tiers=file, kv_bytes=1e5)
    assert alone.recompute is None
    assert alone.offers[0].place.name == "nas"
    assert math.isnan(alone.offers[0].buyer)
    assert "pays from" not in alone.text()
    assert alone.to_dict()["offers"][0]["write_dollars_per_mtok"] is None


def test_nothing_is_kept_where_computing_is_cheaper(tmp_path):
    file = tmp_path / "dear.csv"
    file.write_text("name,kind,capacity_GB,bandwidth_GBps,usd_per_h\ngold,ddr,1,1,100\n")
    none = hw.hold_cache(ASK, tiers=file, holds=[86400])
    offer = none.offers[0]
    assert offer.place.name == "recompute"
    assert offer.write == offer.hit == none.recompute.dollars_per_token
    assert (offer.at_once, offer.buyer) == (math.inf, math.inf)
    assert "never" in none.text()


def test_every_way_to_see_it(capsys, tmp_path, found):
    assert app.run([*MODEL, "--hold", "5min,1h", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found.to_dict()))
    assert app.run([*MODEL, "--hold", "5min,1h", "--csv"]) == 0
    assert [r["name"] for r in csv.DictReader(io.StringIO(capsys.readouterr().out))] == [d.name for d in found.devices]
    file = tmp_path / "held.svg"
    assert app.run([*MODEL, "--hold", "5min,1h", "-o", str(file)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(found.text().rstrip())
    assert "<svg" in file.read_text()
    spec = holding_figure(found)
    least, lines = (spec["layer"][i]["data"]["values"] for i in (0, 1))
    for point in least[::10]:
        same = [r["cost"] for r in lines if r["held"] == point["held"]]
        assert point["cost"] <= min(same)
    write_figure(holding_figure(hw.hold_cache(kv_bytes=1e5)), tmp_path / "alone.svg")
    assert "5 min in flash" in repr(found)


@pytest.mark.parametrize(("options", "code", "says"), [
    (["--hold", "5min"], 2, "--kv-bytes 70kB"), (["llama-3.1-8b", "--hold", "5min"], 2, "needs --on SYSTEM"),
    (["llama-3.1-8b", "--on", "h100x1", "--hold", "5min", "--kv-bytes", "2kB"], 2, "one of the two"),
    (["--hold", "5min", "--kv-bytes", "2kB", "--tiers", "nowhere.csv"], 2, "nowhere.csv: cannot be read"),
    (["--hold", "5", "--kv-bytes", "2kB"], 2, "--hold: '5' has no unit"), (["--hold", "", "--kv-bytes", "2kB"], 2, "times above 0"),
    (["--hold", "5min", "--kv-bytes", "2kB", "--margin", "100%"], 2, "--margin"),
    (["--margin", "50%"], 2, "--margin: says nothing without --hold"),
    (["--kv-bytes", "2kB"], 2, "--kv-bytes: says nothing without --hold"), (["--tiers", "x.csv"], 2, "--tiers: needs a MODEL"),
    (["--hold", "5min", "--kv-bytes", "2kB", "--traffic", "mooncake-conv", "--requests", "5"], 2,
     "--traffic, --requests: --hold looks at no traffic"),
    (["llama-3.1-70b", "--on", "h100x1", "--hold", "5min"], 3, "does not fit"),
    (["llama-3.1-8b", "--on", "m3-ultra", "--hold", "5min"], 2, "no price"),
])  # fmt: skip
def test_refusals(capsys, options, code, says):
    assert app.run(["cache", *options]) == code
    out, err = capsys.readouterr()
    assert not out
    assert says in err
    assert err.count("\n") == 1


@pytest.fixture(scope="module")
def worth():
    return hw.prompt_cache(traffic("mooncake-conv", count=2000), ASK).served.worth


def test_a_time_to_live_on_traffic_by_hand(worth):
    """Every block's uses one by one: found within the time to live, held until the next use or until it is forgotten."""
    come, k, ttl = traffic("mooncake-conv", count=2000), worth.kv_bytes, 120.0
    found = stored = held = 0.0
    used = [{}, {}]
    for i in range(len(come)):
        cache, now, missed = used[i % 2], come.arrival[i], False
        for n, block in enumerate(come.blocks_of(i)[: come.prompt[i] // 512].tolist()):
            age = now - cache.get(block, -math.inf)
            missed = missed or age > ttl
            found += 512 * (not missed and n < (come.prompt[i] - 1) // 512)
            stored += 512 * (age > ttl)
            held += 512 * (min(age, ttl) if block in cache else 0.0)
            cache[block] = now
    held += sum(len(c) for c in used) * ttl * 512
    flash = next(d for d in worth.devices if d.kind == "flash").option()
    rule = worth.kept(ttl, flash)
    assert (rule.found, rule.computing) == pytest.approx((found, found * worth.computing))
    assert rule.storing == pytest.approx(stored * float(flash.store(k)))
    assert rule.holding == pytest.approx(held * float(flash.hold(k)))
    assert rule.retrieving == pytest.approx(found * float(flash.retrieve(k)))
    assert rule.saves == pytest.approx(rule.computing - rule.storing - rule.holding - rule.retrieving)


def test_no_rule_beats_the_oracle(worth):
    best = worth.oracle()
    tiers = [d.option() for d in worth.devices if d.kind != "recompute"]
    saves = [worth.kept(ttl, t).saves for ttl in (1.0, 10.0, 60.0, 300.0, 600.0) for t in tiers]
    assert max(saves) < best.saves <= worth.own.found() * worth.computing
    assert best.found == worth.own.found()  # at these rents all that comes again within minutes is worth keeping
    gaps, k = worth.own.gaps, worth.kv_bytes
    each = [min(float(t.retrieve(k)) + g * float(t.hold(k)) for t in tiers) for g in gaps.tolist()]
    assert best.saves == pytest.approx(512 * float(np.maximum(worth.computing - np.array(each), 0).sum()))
    cheapest = [min(tiers, key=lambda t: float(t.retrieve(k)) + g * float(t.hold(k))) for g in gaps.tolist()]
    assert best.retrieving == pytest.approx(512 * sum(float(t.retrieve(k)) for t in cheapest))
    assert best.holding == pytest.approx(512 * sum(g * float(t.hold(k)) for t, g in zip(cheapest, gaps, strict=True)))
    assert worth.rule(300.0).saves == max(worth.kept(300.0, t).saves for t in tiers)


def test_the_oracle_keeps_nothing_that_does_not_pay(worth):
    """In a memory so dear that a gap of 100 s costs as much as computing, only what comes again sooner is kept."""
    k, again = worth.kv_bytes, worth.devices[-1]
    dear = Device("dear", "ddr", 1e12, 1e30, worth.computing / 100 / k * 1e12)
    found = dataclasses.replace(worth, devices=(dear, again)).oracle()
    soon = worth.own.gaps[worth.own.gaps < 100]
    assert 0 < len(soon) < len(worth.own.gaps)
    assert found.found == 512 * len(soon)
    assert found.saves == pytest.approx(512 * worth.computing * float((1 - soon / 100).sum()))


def test_cached_input_is_computed_where_every_memory_is_dearer(tmp_path):
    lines = (f"{n},{n.lower()},1,1,,1e6,1" for n in ("DDR", "flash", "disk"))
    head = "name,kind,capacity_GB,bandwidth_GBps,usd_per_h,usd_per_GB,years"
    (tmp_path / "memory_devices.csv").write_text("\n".join([head, *lines]))
    with hw.using(tmp_path):
        p = hw.make_plan(ASK)
    assert p.cached == ("recompute", pytest.approx(p.prefill_dollars_per_mtok))


def test_a_gigabyte_of_each_memory(worth):
    seen = hw.prompt_cache(traffic("mooncake-conv", count=2000), ASK)
    levels = [(x.name, x.tokens, x.size) for x in seen.served.levels]
    free, pool, host = worth.rooms(levels)
    own, hours = worth.own, worth.own.seconds / 3600
    assert (
        free.costs
        == pool.costs
        == pytest.approx(worth.plan.system.price * 3600 / (worth.plan.system.chip.memory / 1e9))
    )
    assert pool.saves == pytest.approx(own.found(levels[1][1]) * worth.computing / 2 / hours / (levels[1][2] / 1e9))
    back = float(next(d for d in worth.devices if d.kind == "ddr").option().retrieve(worth.kv_bytes))
    more = own.found(levels[2][1]) - own.found(levels[0][1])
    assert host.saves == pytest.approx(more * (worth.computing - back) / 2 / hours / (levels[2][2] / 1e9))
    text, said = seen.text(), seen.to_dict()["served"]["worth"]
    assert "as it comes again" in text
    assert "a GB more saves" in text
    assert [r["ttl_s"] for r in said["rules"]] == [300.0, 3600.0, None]
    assert "! kept for 60 min: the traffic ends after" in text
    assert said["rules"][-1]["saves_dollars"] == worth.oracle().saves
