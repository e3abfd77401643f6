"""Every equation by its id against the lecture's worked numbers, and the verb around it. Tolerance 1e-3 unless the row says."""

from __future__ import annotations

import importlib
import json
import math
import pkgutil
import types

import pytest

import headway as hw
from headway import economics, equations, lecture
from headway.cli.app import run
from headway.errors import InputError, PhysicsError
from headway.figures import asked_figure


def near(value, relative=1e-3):
    return pytest.approx(value, rel=relative)


# id, given, results that the lecture's specification works out
WORKED = [
    # lecture E1 to E3, SYS-A1: exact mode on 64 GB200
    ("A1", {}, {"compute": 0.2775e-3, "weights": 0.68359e-3, "kv": 0.07864e-3, "step": 0.76224e-3, "bound": "memory"}),
    ("E2", {"B": 20000}, {"step": 2.3125e-3, "bound": "compute", "mfu": 1.0}),
    ("E1-lecture", {"batch": 2400, "active": 1e11, "total": 8e11, "kv_bytes": 0}, {"mfu": 1.0}),
     # lecture E5: they meet
    # lecture E4, SYS-A5
    ("A5", {}, {"cost": 0.40}), ("E4", {"batch": 1}, {"cost": 800.0}),
    # DeepSeek, February 2025: 226.75 nodes of 8 at $2 for a day
    ("E4", {"chips": 226.75 * 8, "price": 2}, {"a_day": 87_072}),
    # lecture E5, SYS-A3, drill a and DIS-2
    ("E5", {}, {"sparsity": 8, "balance": 2400, "run_from": 4800, "run_to": 7200}),
    ("E5", {"H": 295, "N_total": 671e9, "active": "37B"}, {"balance": 5350}),
    ("A3", {"active": 37e9, "total": 671e9}, {"balance": 5441}), ("E5", {"active": 8}, {"balance": 9600}),
    # lecture E6, SYS-A4
    ("E6", {"flops": "989.5T", "bandwidth": "3.35TB/s", "w": 2}, {"ratio": 295.4}),
    ("A4", {"flops": "1979TFLOP/s", "bandwidth": "3.35TB/s", "w": 1, "capacity": "80GB"}, {"ratio": 295.4,
    "drain": 23.88e-3}),
    ("A4", {}, {"ratio": 312.5, "drain": 24.0e-3, "rack_memory": 13.824e12, "rack_bandwidth": 576e12}),
    ("A4", {"capacity": "288GB", "bandwidth": "20TB/s"}, {"drain": 14.4e-3}),
    ("E6", {"flops": "35P", "bandwidth": "22TB/s"}, {"ratio": 397.7}), ("E6", {"flops": "9P"}, {"ratio": 281.3}),
    # lecture E7
    ("E7", {}, {"balance_with_kv": 4800}), ("E7", {"context": "200k"}, {"balance_with_kv": math.inf}),
    # lecture E8, 1.4, drill h
    ("E8", {}, {"worst": 0.040, "mean": 0.030}), ("A7", {"interval": "15ms"}, {"worst": 0.030}),
    ("E8", {"tokens": 5}, {"answer_from": 0.1, "answer_to": 0.12}),
    ("E9", {}, {"drain": 14.4e-3}), ("E9", {"bandwidth": "22TB/s"}, {"drain": 13.1e-3}),
    # lecture E10, SYS-A8
    ("A8", {}, {"rate": 128e3, "share": 1 / 1000, "racks": 3907}), ("E10", {"T": "20ms"}, {"rate": 100e3}),
    ("E10", {"T": "15ms"}, {"rate": 133_333}), ("E10", {"traffic": "500M"}, {"share": 1 / 3906.25}),
    # lecture SYS-A6
    ("A6", {}, {"cost_over_floor": 2400}), ("A6", {"B": 1200}, {"cost_over_floor": 2}), ("A6", {"B": 9600},
    {"cost_over_floor": 1}),
    # lecture SYS-A9: 6x and 2.5x cut the batch 15x; past the balance batch a slow tier saves nothing
    ("A9", {}, {"batch_cut": 15, "step": 0.925e-3}), ("A9", {"speed_ratio": 0.5}, {"cost_multiple": 1.0,
    "batch": 40_000}),
    # lecture SYS-A10
    ("A10", {"batch": 1}, {"share": 0.03125, "touched": 8}), ("A10", {}, {"share": 0.958}),
    # lecture SYS-A11
    ("A11", {}, {"dense_parameters": 1.3686e9, "multiple": 3.70}), ("A11", {"experts": 1}, {"dense_parameters": 370e6}),
    ("A11", {"router": "hash"}, {"dense_parameters": 1116e6}), ("A11", {"router": "RL-R"}, {"dense_parameters": 998e6}),
    # lecture E11, SYS-B1; 7.2 [D], drill b
    ("B1", {}, {"goldilocks": 200_000, "mfu": 0.5}), ("E11", {"k": 2048}, {"goldilocks": 162_760}),
    ("E11", {"active": "37B", "k": 70272}, {"goldilocks": 1755}), ("E11", {"context": "50k"}, {"mfu": 1.0}),
    # lecture 2.2, SYS-B4
    ("B4", {}, {"entries": 1e4, "read": 20.48e6, "dense_over_read": 1e4, "kept": 204.8e9}),
    ("B4", {"context": "200k"}, {"dense_over_read": 447.2}), ("B4", {"law": "dense"}, {"read": 204.8e9}),
    ("B4", {"law": "top-k", "context": 1000}, {"entries": 1000}), ("B4", {"law": "fraction", "context": 8000},
    {"entries": 1000}),
    # lecture 2.3, SYS-B5
    ("B5", {}, {"crossover": 7.5e6}), ("B5", {"context": 7.5e6}, {"flops_per_token": 2e11}),
    # lecture E23, SYS-B3
    ("B3", {}, {"kv_bytes": 2048}), ("E23", {"layers": 8, "kv_heads": 1}, {"kv_bytes": 2048, "sequence": 409.6e6}),
    ("E23", {"layers": 61, "head_dim": 288, "kv_heads": 1, "element_bytes": 2}, {"kv_bytes": 70_272}),
    # lecture 3.2 to 3.4
    ("C2", {}, {"used": 64, "idle": 8, "idle_share": 1 / 9, "experts_per_chip": 4}),
    ("C4", {}, {"crossing": 0.5, "slowdown": 4, "hops_in_a_rack": 2, "hops_across_racks": 4}),
    ("C4", {"racks": 4}, {"slowdown": 6}), ("C4", {"R": 8}, {"slowdown": 7}),
    ("C5", {"chips": 8, "capacity": "80GB", "bandwidth": "3.35TB/s"}, {"memory": 640e9, "bandwidth": 26.8e12}),
    ("C5", {}, {"memory": 13.8e12 * 1.00174, "bandwidth": 576e12}), ("C5", {"chips": 144}, {"cables": 2 * 5184}),
    # lecture E12, SYS-D1, drill c
    ("E12", {}, {"ratio": 8, "feasible": "yes"}), ("D1", {"active_experts": 2}, {"ratio": 0.5, "feasible": "no",
    "fewest_layers": 2}),
    ("E12", {"n_act": 8}, {"ratio": 2, "without_the_2": 1}), ("E12", {"n_act": 1}, {"fewest_layers": 4}),
    # lecture E13, SYS-D2; 4.3
    ("E13", {}, {"idle": 0.75, "token_time": 4}), ("D2", {"M": 3}, {"idle": 0.25}), ("D2", {"M": 5}, {"idle": 0,
    "token_time": 5}),
    ("D3", {}, {"bubble": 0.1579, "held_gpipe": 16, "held_1f1b": 4}), ("D3", {"M": 8}, {"bubble": 0.2727}),
    # lecture E14 to E17, SYS-D4
    ("E17", {}, {"weights": 3.90625e9, "kv": 7.5e9, "global_batch": 9600, "all_chips": 2.92e12}), ("E16", {"P": 1}, {"weights": 15.625e9,
    "kv": 7.5e9}),
    # lecture E18, SYS-D5
    ("E18", {"chips": 8, "bandwidth": "3.35TB/s"}, {"read": 37.3e-3}), ("E18", {}, {"read": 1.736e-3}),
    ("D5", {}, {"step": 0.030, "longer_by": 0.5}), ("D5", {"hop": "25ms"}, {"step": 0.120}),
    # lecture 6.1, SYS-E1
    ("SYS-E1", {}, {"x": 1.5, "falling": 6, "rising": 6, "equal_costs": "yes"}),
    ("SYS-E1", {"a": 1, "b": 1, "q": 2}, {"falling_over_rising": 2, "equal_costs": "no"}),
    # lecture E19 to E21, SYS-E2
    ("E19", {}, {"flops": 1.2e26}), ("E20", {}, {"flops": 1.2e26}), ("E21", {}, {"flops": 1.2e26}),
    ("SYS-E2", {}, {"pretraining": 1.2e26, "reinforcement": 1.2e26, "inference": 1.2e26, "share_inference": 1 / 3}),
    # lecture 6.2, SYS-E3, drill e
    ("SYS-E3", {}, {"pre_over_rl": 1.5, "pre_over_inf": 1.0}), ("SYS-E3", {"e": 0.3}, {"pre_over_rl": 1.667,
    "pre_over_inf": 1.111}),
    ("SYS-E3", {"inf": 2}, {"inf_over_pre": 2}), ("SYS-E3", {"e": 0.25, "f": 6}, {"pre_over_rl": 4,
    "pre_over_inf": 1.333}),
    # lecture 6.3, SYS-E4, E5, E7
    ("SYS-E4", {}, {"family": 2.592e15, "one_model": 2.592e14}), ("SYS-E4", {"used": "50%"}, {"one_model": 1.296e14}),
    ("SYS-E5", {}, {"chinchilla": 2e12, "over_training": 100}), ("SYS-E5", {"D": 150e12}, {"over_training": 75}),
    ("SYS-E7", {}, {"low": 12.96, "high": 777.6}),
    # lecture E22, SYS-F1
    ("F1", {}, {"kv_bytes": 1666.7, "sequence": 333.3e6}), ("E22", {"w": 0.5}, {"kv_bytes": 833.3}), ("E22",
    {"w": 2}, {"kv_bytes": 3333}),
    # lecture E24, SYS-F3, drill g
    ("F3", {}, {"memory_over_compute": 5, "decode_mfu": 0.2, "crossover": 5}), ("F3", {"output_price": 15},
    {"decode_mfu": 1 / 3}),
    ("E24", {}, {"over_compute": 5, "crossover": 5}), ("E24", {"p": 5}, {"over_compute": 1}), ("E24", {"p": 10},
    {"over_compute": 1}),
    # lecture 7.1, SYS-F2
    ("F2", {}, {"covered": 300e3, "mean_cost": 1.5, "cost": 5, "loses": "yes"}), ("F2", {"context": "250k"},
    {"loses": "no"}), ("F2", {"context": "250k", "margin": "20%"}, {"price": 1.2, "covered": 240e3, "loses": "yes"}),
    # lecture 7.4: E25, SYS-F4; E26, SYS-F5
    ("F4", {}, {"place": "flash", "hbm_until": 3750, "recompute": 0.02222}), ("F4", {"held": "1ms"}, {"place": "HBM"}),
    ("E25", {"held": "1s"}, {"place": "DDR"}), ("E25", {"held": 1e4}, {"place": "disk"}), ("E25", {"held": 1e9},
    {"place": "recompute"}),
    ("F5", {"ttl": "20ms"}, {"tier": "HBM"}), ("F5", {"ttl": "5s"}, {"tier": "DDR"}), ("F5", {"ttl": "1h"},
    {"tier": "disk"}),
    ("E26", {}, {"tier": "flash", "off_by": 5}), ("E26", {"C": "20TB", "BW": "0.25GB/s"}, {"drain": 80_000}),
    # lecture SYS-F7, F8
    ("F7", {"input": 0, "output": 0, "hit": "1M"}, {"total": 0.5}), ("F7", {"speed": 6}, {"total": 180}),
    ("F7", {"input": "201k", "output": 1000, "input_price": 2, "output_price": 12, "threshold": "200k",
    "input_above": 4, "output_above": 18},
     {"for_input": 0.804, "for_output": 0.018}),
    ("F8", {}, {"short": 0.0041667, "long": 0.0013889, "short_over_long": 3, "hits_short": 1, "hits_long": 2}),
    # lecture 8, 9
    ("G1", {}, {"z": 14, "kept": 3, "x_again": 3, "y_again": 5}), ("G4", {}, {"stored": 2, "flops_per_parameter": 8}),
    ("G4", {"reversible": "no"}, {"stored": 100, "flops_per_parameter": 6}), ("recompute", {"n": 9}, {"factor": 5}),
    ("H4", {}, {"tokens": 3.3616}), ("H5", {}, {"energy": 1001}), ("H5", {"batch": 1000}, {"energy": 2}),
    ("H5", {"batch": 256}, {"energy": 4.90625}), ("H5", {"multiply": 3, "move": 10}, {"energy": 13}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "given", "wanted"), WORKED, ids=[f"{n}-{len(w)}-{i}" for i, (n, _, w) in enumerate(WORKED)]
)
def test_worked_numbers(name, given, wanted):
    found = hw.ask(name, given).results
    for key, value in wanted.items():
        assert found[key] == (value if isinstance(value, str) else near(value)), key


def test_every_equation_is_worked_out_somewhere():
    worked = {equations.find(name).id for name, _, _ in WORKED}
    assert {e.id for e in equations.equations()} - worked == {"SYS-A2", "loss"}  # have tests of their own


def test_all_rows_of_the_checklist_answer():
    """Systems of lecture section 12 that no verb answered before, and all equations E1 to E26, with their ids."""
    systems = [
        "A4",
        "A5",
        "A6",
        "A8",
        "A9",
        "A10",
        "A11",
        "B1",
        "B4",
        "B5",
        "E1",
        "E2",
        "F1",
        "F2",
        "F3",
        "F4",
        "F5",
        "F7",
        "F8",
        "H5",
    ]
    for name in [f"SYS-{s}" for s in systems] + [f"E{n}" for n in range(1, 27)]:
        e = equations.find(name)
        assert name in (e.id, *e.aliases)
        assert hw.ask(name).results
    assert equations.find("E1") is not equations.find("SYS-E1")
    assert equations.namesake(equations.find("E5")) == "SYS-E5"
    assert equations.namesake(equations.find("SYS-A4")) == ""


def test_declarations_hold():
    every = equations.equations()
    names = [n for e in every for n in (e.id, *e.aliases)]
    assert len(names) == len(set(names))
    for e in every:
        inputs = [p.name for p in e.parameters]
        assert len(inputs) == len(set(inputs))
        assert all(p.about for p in e.parameters)
        assert all(p.source for p in e.parameters), e.id
        for f in e.functions:  # a name of the library that is there
            obj = hw
            for part in f.split("."):
                obj = _part(obj, part)
            assert callable(obj), f


def _part(owner, name):
    if isinstance(owner, types.ModuleType) and name in {
        m.name for m in pkgutil.iter_modules(getattr(owner, "__path__", []))
    }:
        inside = importlib.import_module(f"{owner.__name__}.{name}")
        return getattr(owner, name) if callable(getattr(owner, name, None)) else inside
    return getattr(owner, name)


def test_exponentials_meet_in_the_middle():
    found = hw.ask("SYS-E1", {"a": 1, "b": 1, "curves": "exponential"}).results  # lecture 6.1: e^-x + e^x
    assert found["x"] == pytest.approx(0, abs=1e-6)
    assert found["equal_costs"] == "yes"


def test_scaling_law_has_all_three_terms():
    """Hoffmann et al. 2022 at Chinchilla's size: 1.69 + 0.083 (finite model) + 0.163 (finite data)."""
    found = hw.ask("loss", {"law": "hoffmann2022"}).results
    assert found["endless_data"] - 1.69 == near(0.083, 1e-2)
    assert found["endless_model"] - 1.69 == near(0.163, 1e-2)
    assert found["loss"] == near(1.936)
    assert hw.ask("loss", {"tokens": 1.4e11}).results["loss"] > hw.ask("loss").results["loss"]
    assert hw.ask("loss", {"active": 67e9, "tokens": 5.76e23 / 6 / 67e9}).results[
        "optimal_tokens_per_parameter"
    ] == near(18.4, 5e-3)


def test_drivers_are_shares_of_the_logarithmic_range():
    found = hw.ask("SYS-E7").results
    whole = math.log(5 * 4 * 3)
    for name, times in (("rate", 5), ("active", 4), ("days", 3)):
        assert found[f"due_to_{name}"] == near(math.log(times) / whole)


def test_tables_belong_to_answers():
    chips = {r["chip"]: r for r in hw.ask("A4").table}
    assert chips["H100 SXM"]["H_bf16"] == near(295.4, 2e-3)
    assert chips["H100 SXM"]["H_fp8"] == near(295.4)
    assert chips["H100 SXM"]["H_fp4"] is None
    assert chips["A100 SXM 80GB"]["H_bf16"] == near(153.0)
    assert chips["H100 SXM"]["drain_s"] == near(23.88e-3)
    assert [r["year"] or 9999 for r in chips.values()] == sorted(r["year"] or 9999 for r in chips.values())
    shapes = hw.ask("F1").table  # lecture E23
    assert any((r["layers"], r["head_dim"], r["kv_heads"]) == (1, 128, 8) for r in shapes)
    places = {r["place"]: r for r in hw.ask("F4").table}
    for place, seconds in (("HBM", 0.01913), ("DDR", 5.99), ("flash", 2738)):  # lecture SYS-F4
        assert places[place]["next_from_s"] == near(seconds)
    assert places["disk"]["next_from_s"] == near(3.9e8, 1e-2)
    best = min(places.values(), key=lambda r: r["total_dollars_per_mtok"])
    assert best["place"] == hw.ask("F4").results["place"]
    assert {r["tier"]: r["lecture_s"] for r in hw.ask("F5").table} == economics.LECTURE_DRAINS


# --- what if


def test_what_if_is_the_roofline_and_the_money_of_the_lecture():
    given = {"kv_bytes": 2048, "price": 2, "chips": 64}
    found = hw.ask("what-if", given).results
    for key, wanted in (
        ("compute", 0.2775e-3),
        ("weights", 0.68359e-3),
        ("kv", 0.07864e-3),
        ("step", 0.76224e-3),
    ):  # lecture SYS-A1
        assert found[key] == near(wanted)
    assert found["balance"] == near(312.5 * 700 / 37)
    assert found["latency_limit"] == found["weights"]
    assert found["cost"] == near(0.76224e-3 / 2400 * 64 * 2 / 3600 * 1e6)
    assert found["cost_floor"] == near(max(0.2775e-3, 0.07864e-3) / 2400 * 64 * 2 / 3600 * 1e6)
    assert found["user_rate"] == near(1 / 0.76224e-3)
    assert found["rate"] == near(2400 / 0.76224e-3)
    assert found["sequences_that_fit"] == 711_560  # 64 x 192 GB less 350 GB, over 8,192 x 2,048 bytes
    heavy = hw.ask("what-if", {**given, "kv_bytes": 20480}).results  # KV binds: 0.7864 ms for 2,400 sequences
    assert heavy["cost_floor"] == near(0.78643e-3 / 2400 * 64 * 2 / 3600 * 1e6)
    share = 8192 / found["goldilocks"]
    assert found["balance_with_kv"] == near(found["balance"] / (1 - share))


def test_what_if_of_lecture_1_6():
    """A 20 ms step needs memory full of KV: 35,814 sequences of 200k tokens at 1,667 bytes."""
    found = hw.ask("A2", {"kv_bytes": 5000 / 3, "context": "200k"}).results
    assert found["sequences_that_fit"] == pytest.approx(35_814, abs=1)
    assert hw.ask("A2", {"kv_bytes": 5000 / 3, "context": "200k", "batch": 35814}).results["step"] == near(0.024, 1e-2)


def test_what_if_on_heads_layers_sparsity_and_reach():
    base = hw.ask("what-if", {"layers": 60}).results
    assert hw.ask("what-if", {"layers": 30}).results["kv_bytes"] == base["kv_bytes"] / 2
    assert hw.ask("what-if", {"layers": 60, "kv_heads": 1}).results["kv"] == near(base["kv"] / 8)
    assert hw.ask("what-if", {"layers": 60, "sparsity": 2 * 700 / 37}).results["balance"] == near(2 * base["balance"])
    laws = {
        r["law"]: r for r in hw.ask("what-if", {"context": "128k"}, sweep="law=dense,sqrt,fraction,top-k,window").rows
    }
    k = laws["dense"]["kv_bytes"]
    wanted = {"dense": 128e3, "sqrt": math.sqrt(128e3), "fraction": 16e3, "top-k": 2048, "window": 2048}
    assert {n: r["kv_read"] / k for n, r in laws.items()} == pytest.approx(wanted)
    assert laws["window"]["sequences_that_fit"] > 60 * laws["top-k"]["sequences_that_fit"]  # top-k frees no memory
    assert laws["top-k"]["sequences_that_fit"] == laws["dense"]["sequences_that_fit"]


def test_models_by_counts_by_name_and_machines():
    counted = hw.ask("what-if", model="37B/700B", kv_bytes="70k", system="h200x8")
    assert (counted.values["active"], counted.values["total"], counted.values["kv_bytes"]) == (37e9, 700e9, 70e3)
    assert (counted.values["chips"], counted.values["bytes_per_parameter"]) == (8, 1.0)
    assert counted.values["flops"] == hw.chip("h200").fp8
    assert counted.results["weights"] == near(700e9 / (8 * hw.chip("h200").bandwidth))
    arch = hw.model("deepseek-v3")
    named = hw.ask("E5", model="deepseek-v3", system="gb200-nvl72", precision="fp4")
    assert named.results["sparsity"] == near(arch.sparsity)
    assert named.results["balance"] == near(312.5 * arch.sparsity)
    assert hw.ask("A10", model="deepseek-v3").values["per_token"] == 8
    assert hw.ask("E18", model="37B/1T", system="gb200-nvl72").values["chips"] == 72
    assert hw.ask("E18", model="37B/1T", system="h200x16").values["chips"] == 8  # of its scale-up domain
    assert hw.ask("A5", system="h200x16").values["chips"] == 16
    assert hw.ask("E11", model="deepseek-v3", given={"active": 1e9}).sources["active"] == "given"
    assert hw.ask("E6", system="h100", precision="bf16").results["ratio"] == near(295.2)


# --- sweeps, refusals, the verb


def test_sweeps():
    a = hw.ask("B1", {}, sweep="context=100k..400k:3")
    assert [r["context"] for r in a.rows] == [100e3, 200e3, 400e3]
    assert [r["mfu"] for r in a.rows] == near([1, 1, 0.5])
    assert len(hw.ask("A10", sweep="batch=1..1000").rows) == 13
    assert [r["used"] for r in hw.ask("C2", sweep="chips=8,72").rows] == [8, 64]
    whole = [r["chips"] for r in hw.ask("C2", sweep="chips=1..4:13").rows]
    assert whole == [1, 2, 3, 4]
    tiers = hw.ask("A9", sweep="speed_ratio=0.5..8:6").rows
    assert tiers[0]["note"] == ""
    assert tiers[-1]["batch"] is None
    assert "floor" in tiers[-1]["note"]
    with pytest.raises(PhysicsError, match="floor"):
        hw.ask("A9", sweep="speed_ratio=4,8")
    chart = asked_figure(hw.ask("B1", sweep="context=1k..1M"))
    assert [p["encoding"]["y"]["title"] for p in chart["vconcat"]] == ["mfu"]  # the goldilocks context does not move
    assert chart["vconcat"][0]["encoding"]["x"]["scale"]["type"] == "log"
    together = asked_figure(hw.ask("what-if", sweep="batch=1..1000"))["vconcat"]
    times = next(p for p in together if p["encoding"]["y"]["title"] == "[s]")
    assert {v["what"] for v in times["data"]["values"]} == {"weights", "kv", "compute", "step", "latency limit"}
    assert asked_figure(hw.ask("B4", sweep="law=dense,sqrt"))["vconcat"][0]["encoding"]["x"]["type"] == "nominal"
    with pytest.raises(InputError, match="--sweep"):
        asked_figure(hw.ask("B1"))


@pytest.mark.parametrize(("words", "said"), [
    ("E99", "did you mean E9"), ("balance", "by their titles: E5, E7"), ("SYS-D6", "`headway racks"), ("G2",
    "`headway lab avalanche` answers it"), ("I9", "`headway lifetime"),
    ("E5 activ=3", "did you mean active"), ("E5 active", "name=value"), ("E5 active=big", "it reads like 64, 2k"),
    ("E5 active=-1", "positive"),
    ("E5 active=1 active=2", "given twice"), ("E5 active=1 N_active=2", "given twice"), ("E5 active=8 total=1", "37.5"),
    ("C2 chips=7.5", "whole number"), ("B4 law=sqr", "did you mean sqrt"), ("B4 width=3", "not looked at"),
    ("what-if kv_bytes=2k layers=3", "not looked at"), ("what-if sparsity=8 total=1T", "not looked at"),
    ("E8 --model 37B/700B", "takes nothing of a model"), ("E8 --on h200", "takes nothing of a machine"),
    ("E8 --precision fp8", "no size of a parameter"),
    ("E5 --model 700B/37B", "active parameters before the total"), ("E5 --model deepsek-v3", "deepseek-v3"),
    ("E5 --on h20000", "unknown system"),
    ("E5 --sweep total", "name=a..b"), ("E5 --sweep total=9..3", "first end"), ("E5 --sweep total=3..9:1", "2 to 1000"),
    ("B4 --sweep law=dense..sqrt", "is a word"), ("E5 --sweep total=64", "at least two"), ("E5 -o x.svg", "--sweep"),
    ("--sweep total=1..2", "needs an equation"),
    ("F2 margin=100%", "from 0 to below 1"), ("F2 margin=1.5", "from 0 to below 1"),
    ("E9 capacity=1GB/s", "size in bytes"), ("C2 experts=1e9", "no count that anything has"),
])  # fmt: skip
def test_refusals_are_one_line(capsys, words, said):
    assert run(["ask", *words.split()]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_plan_of_counts_is_told_where_they_go(capsys):
    assert run(["plan", "37B/700B", "--on", "h200x8"]) == 2
    assert "`headway ask what-if --model 37B/700B" in capsys.readouterr().err


def test_physics_refuses_with_three(capsys):
    assert run(["ask", "A9", "speed_ratio=5"]) == 3
    assert "at most 3.38x" in capsys.readouterr().err


def test_the_verb_lists_and_answers(capsys, tmp_path):
    assert run(["ask"]) == 0
    listed = capsys.readouterr().out
    assert all(e.title in listed for e in equations.equations())
    assert run(["ask", "E5", "active=37e9", "total=700e9"]) == 0
    text = capsys.readouterr().out
    for said in (
        "balance batch",
        "B* = H N_total / N_active",
        "5,676 sequences",
        "given",
        "headway.batching.balance_batch",
        "SYS-E5",
    ):
        assert said in text
    assert run(["ask", "--json"]) == 0
    assert {r["id"] for r in json.loads(capsys.readouterr().out)} == {e.id for e in equations.equations()}
    assert run(["ask", "E7", "context=200k", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["results"][0]["value"] is None  # memory bound at every batch
    assert {p["name"]: p["from"] for p in record["parameters"]}["context"] == "given"
    chart = tmp_path / "c.json"
    assert run(["ask", "B1", "--sweep", "context=1k..1M:4", "--csv", "-o", str(chart)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "context,goldilocks,mfu,note"
    assert len(lines) == 5
    assert "vega-lite" in chart.read_text()


def test_an_answer_shows_itself():
    a = hw.ask("E5")
    assert "E5, balance batch" in repr(a)
    assert a.to_dict()["results"][1] == {"name": "balance", "value": 2400.0, "unit": "sequences", "about": ""}
    assert "2,400 sequences" in a.text()


def test_headlines_of_the_lecture_can_be_asked():
    for row in lecture.headlines():
        assert equations.find(row.id), row.id
