"""The calibration record and its profiles: few numbers, each with a field, each with an effect."""

from __future__ import annotations

import ast
import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cases import measured
from headway.errors import InputError
from headway.evidence import case_of as case
from headway.fitting.data import prior_policy
from headway.fitting.estimate import Batch, estimate
from headway.fitting.factors import priors
from headway.roofline import (
    IDEAL,
    NUMBERS,
    Calibration,
    profile,
    profile_names,
    read_profile,
)
from headway.serving import named_system

ROOT = Path(__file__).parents[2]


def test_every_number_of_the_record_changes_some_prediction(data):
    """Nothing in the record is decoration. Those about overlap and imbalance need a layout that has them."""
    batch = data.batch
    base = {n: np.full(len(batch.cases), p.value) for n, p in priors().items()}
    before = estimate(batch, base).served
    beyond = {"memory_reserve", "chunk_tokens"}  # these shape cases and passes, before any is timed
    for name in base.keys() - beyond:
        f = next(f for f in NUMBERS if f.name == name)
        moved = {
            **base,
            name: base[name] * 0.8
            if f.metadata["high"] == 1.0 and base[name][0] > 0
            else base[name] * 1.25 + 0.05 * (base[name] == 0),
        }
        after = estimate(batch, moved).served
        assert not (np.array_equal(before.tpot, after.tpot) and np.array_equal(before.ttft, after.ttft)), name
    tight = dataclasses.replace(Calibration(), memory_reserve=0.5)
    r = measured(batch_or_concurrency=512)
    assert case(r, tight).workload.slots < case(r, Calibration()).workload.slots
    small = dataclasses.replace(prior_policy(), chunk_tokens=512.0)
    assert case(r, small).passes["burst"].tokens < case(r).passes["burst"].tokens


# Numbers in the code that predicts: counts, halves and tolerances. Everything else must be a field of the record.
# Every number in the modules that predict, how often, and why it is no departure from ideal. 0 and 1 are left out.
_NUMBERS_IN_CODE = {
    "roofline/kernels.py": {},
    "roofline/join.py": {1e-300: 1, 1e-3: 3},  # the knee below which a corner is sharp: numerical
    "roofline/collectives.py": {2: 10, 12: 1},  # reduce-scatter and all-gather; ranks of a hand-over; ties
    "roofline/compiled.py": {
        12: 1,
        4096: 1,
        8192: 1,
        2: 5,
        3: 1,
        1e-3: 1,
    },  # sizes of blocks and caches; two halves; the knee
    "roofline/time.py": {2: 3},  # second copies; 16-bit or wider weights
    "roofline/load.py": {2: 1},  # half of a batch
    "roofline/profiles.py": {
        0.5: 1,
        2: 2,
        3: 1,
        5: 1,
        7: 1,
        10: 1,
        12: 2,
        15: 1,
        30.4: 1,
        31: 1,
        64: 1,
        2026: 1,
    },  # dates, limits, caches
    "batching/speculative.py": {400: 1},  # batches looked at
    # halves (a step, a round, an answer), Schweitzer's solution, thirds of a triangle, 90 % of a normal, tolerances
    "serving/loops/workload.py": {0.5: 7, 2: 11, 3: 3, 4: 1, 8: 1, 0.1: 1, 1.2816: 1, 1e-9: 5, 1e-12: 3},
    "serving/loops/closed.py": {
        8: 1,
        2: 8,
        1e-9: 3,
        1e-12: 6,
        0.5: 1,
        0.5772: 1,
        3: 1,
    },  # iterations; harmonic numbers (Euler's constant)
    "serving/loops/static.py": {2: 1},
    "serving/loops/split.py": {2: 3, 1e-9: 1, 12: 1, 1e-12: 1},  # rounds of a fixed point; two servers
    "serving/loops/steps.py": {4: 1, 9: 1, 1e-9: 1},  # a grid of sizes
    "serving/handover.py": {},
    "serving/answer.py": {2: 1, 1e6: 1},  # dollars per million
    "serving/capacity.py": {
        2: 1,
        4.0: 1,
        5e7: 1,
        1e9: 5,
        1e-9: 4,
    },  # 32-bit logits; what a refusal prints
    "serving/case.py": {2: 1},  # half an answer
    "serving/setting.py": {2: 1, 1024: 1, 2048: 1},  # caches
    "serving/lengths.py": {2: 5, 0.5: 2},  # mean contexts
    "serving/kinds.py": {4.0: 1, 1024: 1},  # which interval a case has; a cache
    "serving/numbers.py": {4096: 1},  # a cache
    "serving/engine_memory.py": {1e9: 3},  # GB
    "serving/engines.py": {512: 1},  # a cache
    "serving/names.py": {2.0: 1, 512: 1, 1024: 1},  # widths of formats; caches
    "evidence/cases.py": {},
    "evidence/measurements.py": {8: 1, 16: 1, 200: 1, 1e3: 1},  # gpt-fast's 200 tokens; ms
    "evidence/cells.py": {1e12: 1, 2: 1, 40: 1},  # limits of cells; a quotation
    "evidence/layouts.py": {2: 1, 1_000_000: 1},
    "fitting/estimate.py": {},
    "fitting/flat.py": {2: 2, 3: 1},  # columns of a table
    "predictions/rows.py": {1e3: 1},  # ms
    "parallel/memory.py": {2: 1},
    "parallel/steps.py": {2: 3, 4: 1},  # states read and written
    "models/experts.py": {0.25: 1, 0.375: 1, 2: 1, 64: 1, 1024: 1},  # caches; Blom's order statistics
    "hardware/chips.py": {8: 1, 3600: 1, 1e6: 1, 1e9: 5, 1e12: 4, 2: 1, 30: 1},  # units
    "hardware/named.py": {8: 1, 3600: 1, 1e9: 2},
}


@pytest.mark.parametrize("file", _NUMBERS_IN_CODE)
def test_no_constant_outside_the_record_changes_a_prediction(file):
    tree = ast.parse((ROOT / "src" / "headway" / file).read_text())
    # `between` refuses a unit mistaken in a catalogue: no prediction depends on it
    limits = {
        id(c) for n in ast.walk(tree) if isinstance(n, ast.keyword) and n.arg == "between" for c in ast.walk(n.value)
    }
    values = [
        n.value
        for n in ast.walk(tree)
        if id(n) not in limits and isinstance(n, ast.Constant) and isinstance(n.value, int | float)
    ]
    found = Counter(v for v in values if not isinstance(v, bool) and v not in (0, 1))
    assert found == _NUMBERS_IN_CODE[file], "a new number: put it into the calibration record or the catalogue"


def test_an_ideal_record_leaves_nothing_but_amounts_over_rates():
    """The converse: with every departure at ideal, a prediction is what a hand calculation gives."""
    c = case(measured(model="llama-3.1-70b", weights_dtype="fp8", kv_dtype="bf16", engine="vllm", tp=8, load="static_batch",
                      batch_or_concurrency=4, isl=1000, osl=2))  # fmt: skip
    batch = Batch.of([c])
    found = estimate(batch, IDEAL.numbers()).served
    weights, kv = 69.5e9 / 8, 4 * 1001 * 2 * 80 * 8 * 128 * 2 / 8
    head = 8192 * 128_256 * 2 / 8  # 16-bit, and the embedding is only looked up
    assert float(found.tpot[0]) == pytest.approx((weights - 2 * 8192 * 128_256 / 8 + head + kv) / 4.8e12, rel=0.02)
    flops = 4 * (1000 * 2 * 68.45e9 + 80 * 64 * 128 * 4 * 1000 * 1001 / 2 / 2 * 2) / 8
    attention = 4 * 80 * 64 * 128 * 4 * 1000 * 1001 / 2 / 8 / 989e12
    assert float(found.ttft[0]) == pytest.approx(4 * 1000 * 2 * 68.45e9 / 8 / 1979e12 + attention, rel=0.05)
    assert flops > 0


def test_profiles_are_complete_and_named_for_people():
    assert {"ideal", "modern", "sglang", "trtllm", "vllm", "llama.cpp", "transformers"} <= set(profile_names())
    names = {f.name for f in NUMBERS}
    for name in profile_names():
        if name == "ideal":
            assert profile(name).on() == Calibration()
            continue
        found = profile(name)
        assert set(found.numbers) == names
        assert {"closed_loop", "static_batch"} <= set(found.spreads)
        assert found.more["closed_loop"]["tpot"]["chip"] <= found.more["closed_loop"]["tpot"]["vendor"]
        assert found.about["date"]
        for chip in ("h200", "mi355x", "gaudi3", "rtx 4090"):
            assert isinstance(found.on(named_system(chip).chip), Calibration)


def test_a_chip_without_evidence_takes_its_generation_then_its_vendor():
    found = profile("modern")
    chip = {n: named_system(n).chip for n in ("h200", "h20", "gaudi3", "mi455x", "groq-lpu")}
    assert found.uncovered(chip["h200"]) == ()
    assert found.uncovered(chip["h20"]) == ("chip",)
    assert found.uncovered(chip["gaudi3"]) == ("chip",)
    assert found.uncovered(chip["mi455x"]) == ("generation",)
    assert found.uncovered(chip["groq-lpu"]) == ("vendor",)
    hopper = found.machines["Hopper"]["memory_efficiency"] * found.machines["NVIDIA"]["memory_efficiency"]
    assert found.on(chip["h20"]).memory_efficiency == pytest.approx(found.numbers["memory_efficiency"] * hopper)
    amd = found.machines["AMD"]["kernel_seconds"]
    pooled = found.on(chip["groq-lpu"]).kernel_seconds
    assert found.on(chip["mi455x"]).kernel_seconds == pytest.approx(pooled * amd)


def test_releases_stay_inside_the_evidences_dates():
    found = profile("sglang")
    new, old, older, now = (found.on(None, d).kernel_seconds for d in ("2030-01", "2025-12", "2019", ""))
    assert now == new < old <= older


@pytest.mark.parametrize(("text", "says"), [
    ("numbers = 3", r"\[numbers\]"), ("[numbers]\nmemory_efficiency = 1.4", "at most 1"), ("[numbers]\nspeed = 1", "speed"),
    ("[numbers]\nkernel_seconds = 'fast'", "number"), ("not toml at all [", "TOML"), ("base = 'modem'", "modern"),
    ("[spreads.closed_loop]\ntpot = 3", "low, high"), ("[machines.X]\nspeed = 2", "speed"),
])  # fmt: skip
def test_malformed_profiles_are_refused_in_one_line(tmp_path, text, says):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=says):
        read_profile(file)
