"""Fits recover what made their data, and folds know nothing of what they predict."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cases import measured, predict_cases, row
from headway.errors import InputError
from headway.evidence import case_of as case
from headway.evidence import measurements as evidence
from headway.fitting import own
from headway.fitting.data import usable
from headway.fitting.estimate import Batch, estimate, numbers_of
from headway.fitting.factors import priors
from headway.fitting.fit import fit
from headway.fitting.folds import out_of_fold
from headway.fitting.kernels import kernel_differences, kernel_fits
from headway.fitting.refits import Refits
from headway.front import calibration
from headway.roofline import (
    Calibration,
    Transfer,
    profile,
    step_time,
    wire,
)
from headway.serving import named_system


def test_flat_passes_are_step_time(data):
    """design.md section 1: the fit's arrays go through the same lines; a sample of every kind of row is compared."""
    flat = data.batch.flat
    numbers = numbers_of([c.profile.on(c.chip, r.release) for r, c in zip(data.rows, data.cases, strict=True)])
    seconds = flat.seconds(numbers)
    for i in range(0, len(data.cases), 61):
        c = data.cases[i]
        real = Calibration(**{n: float(v[i]) for n, v in numbers.items()})
        for name, load in c.passes.items():
            assert seconds[flat.names[name][i]] == pytest.approx(
                float(step_time(c.setting.step(c.layout_of(name)), load, c.chip, real).seconds)
            )


@pytest.mark.parametrize("name", sorted(priors()))
def test_pieces_kept_are_pieces_made_anew(data, name):
    """A derivative takes over what a number does not move: the passes are the same as with everything evaluated again."""
    flat = data.batch.flat
    now = {n: p.value for n, p in priors().items()}
    then = {**now, name: now[name] * 0.9}
    before = flat.pieces(now)
    kept = flat.pieces(then, before, name)
    anew, taken = flat.parts(then), flat.parts(then, kept)
    assert all(np.array_equal(taken[k], anew[k]) for k in anew)
    assert any(kept[k] is before[k] for k in kept)


def test_priors_are_what_kernels_measure():
    """Every prior that cites the kernel evidence's fits is their value, to a few per cent; GEMMs fit within 10 %."""
    found = {f.family: f for f in kernel_fits()}
    dense, low = found["GEMM bfloat16"], found["GEMM fp8"]
    assert dense.error < 0.1
    assert low.error < 0.11
    value = {n: p.value for n, p in priors().items()}
    for family, names in {
        "GEMM bfloat16": ("memory_efficiency", "compute_efficiency", "knee", "kernel_seconds"), "GEMM fp8": ("fp8_efficiency",),
        "GEMM nvfp4": ("fp4_efficiency",), "GEMM sq": ("int8_efficiency",), "decode attention over 20 MB": ("attention_memory_efficiency",),
        "prefill attention": ("attention_compute_efficiency",), "balanced MoE": ("expert_memory_efficiency", "expert_compute_efficiency"),
        "NVLink all-reduce": ("network_efficiency", "message_seconds", "message_bytes"),
    }.items():  # fmt: skip
        for name in names:
            assert value[name] == pytest.approx(found[family].numbers[name], rel=0.03), name
    for name, (seconds, rows) in kernel_differences(list(found.values())).items():
        assert rows >= 15
        assert value[name] == pytest.approx(seconds, rel=0.03), name


def test_collectives_of_the_kernel_evidence():
    """8 H200, custom all-reduce: 3.5 us at 4 kB, 17.8 at 512 kB, 30.5 at 2 MB, 563 at 128 MB (AIConfigurator database)."""
    c = calibration("modern", named_system("h200").chip)
    for size, micro in ((4e3, 3.5), (5.2e5, 17.8), (2.1e6, 30.5), (1.34e8, 563)):
        law = wire("all-reduce", Transfer(size, 1.0, 8.0, 450e9), c)
        assert (law.seconds() + law.latency) * 1e6 == pytest.approx(micro, rel=0.55)


def synthetic(changes, batches=(1, 4, 16, 64, 128), osl=512):
    """Rows whose measurements are the sglang profile's own predictions with some numbers changed."""
    cells = [
        row(batch_or_concurrency=b, isl=isl, osl=osl, model=m, tp=tp, chips=tp, weights_dtype="fp8", date="2026-05-20")
        for b in batches for isl in (512, 4096) for m, tp in (("llama-3.1-70b", 1), ("llama-3.1-70b", 8), ("llama-3.1-8b", 1))
    ]  # fmt: skip
    rows = [evidence.measurement(f"line {i}", c) for i, c in enumerate(cells)]
    data, _ = usable(rows)
    used = [c.profile.on(c.chip, r.release) for r, c in zip(data.rows, data.cases, strict=True)]
    real = [dataclasses.replace(u, **{n: getattr(u, n) * f for n, f in changes.items()}) for u in used]
    s = estimate(data.batch, numbers_of(real)).served
    for i, r in enumerate(rows):
        object.__setattr__(
            r,
            "measured",
            {
                "tpot_mean": float(s.tpot[i]),
                "ttft_mean": float(s.ttft[i]),
                "ttft_median": float(s.ttft_median[i]),
            },
        )
    return rows


@pytest.mark.parametrize(
    ("name", "factor"), [("kernel_seconds", 1.6), ("memory_efficiency", 0.8), ("request_seconds", 2.0)]
)
def test_a_fit_recovers_what_made_its_data(name, factor):
    found = own.own_profile("mine", synthetic({name: factor}), "sglang")
    change = {n: np.log(after / before) for n, (before, after) in found.determined.items()}
    # Several numbers can explain part of a change; this one must explain most of it, and the predictions all of it.
    assert np.sign(change[name]) == np.sign(np.log(factor))
    assert abs(change[name]) >= 0.6 * abs(np.log(factor))
    assert found.after.median < 0.02
    assert found.profile["spreads"]["closed_loop"]["tpot"]["rows"] == 30
    more = found.profile["more"]["closed_loop"]["tpot"]
    assert more["NVIDIA"] == 0  # what all rows are is in their spread already
    assert more["vendor"] == profile("sglang").more["closed_loop"]["tpot"]["vendor"]


def test_a_fit_says_what_it_could_not_determine_and_keeps_it():
    """One batch size of one dense model says nothing of experts, drafts or exchanges, and little of the rest."""
    rows = [r for r in synthetic({"kernel_seconds": 1.5}, batches=(16,)) if r.model == "llama-3.1-8b"]
    found = own.own_profile("few", rows, "sglang")
    kept = {
        "expert_memory_efficiency",
        "expert_dequantise_seconds",
        "exchange_seconds",
        "draft_acceptance",
        "fp4_efficiency",
    }
    assert kept <= set(found.undetermined)
    base = profile("sglang").numbers
    assert all(n not in found.profile["numbers"] or found.profile["numbers"][n] == base[n] for n in found.undetermined)
    for what, s in found.profile["spreads"]["closed_loop"].items():  # two rows can only widen an interval
        wider = profile("sglang").spread("closed_loop", what)
        assert s["low"] <= wider.low + 1e-4
        assert s["high"] >= wider.high - 1e-4
    assert found.profile["in_sample"]


@pytest.mark.parametrize(
    ("name", "says"), [("sglang", "ships"), ("a/b", "letters"), ("", "letters"), ("modern", "ships")]
)
def test_names_of_own_profiles(name, says):
    with pytest.raises(InputError, match=says):
        own.own_profile(name, [measured(tpot_ms_mean=12)])


def test_a_fit_without_measurements_is_refused():
    with pytest.raises(InputError, match=r"no row can be used.*no readable measurement"):
        own.own_profile("mine", [measured()])


def test_repeats_share_a_vote(data):
    weights = data.weights
    assert weights.max() == 1
    assert weights.min() < 0.5
    found = fit(usable([measured(tpot_ms_mean=12, batch_or_concurrency=b) for b in (4, 16)] * 3)[0])
    assert np.isfinite(found.values).all()


def test_a_ttft_that_is_no_first_token_is_predicted_but_not_fitted(data):
    """Rows of the evidence whose TTFT is that of a 20th token, or has a wait for a slot in it, say so."""
    odd = np.array([bool(r.ttft_not_fitted) for r in data.rows])
    assert 200 < odd.sum() < 250
    assert {c.engine.profile for c, o in zip(data.cases, odd, strict=True) if o} == {"trtllm"}
    _, first, both = data.measured
    assert not odd[first].any()
    assert not odd[both].any()
    assert odd[data.truth.ttft[0]].any()  # counted
    rows = [measured(tpot_ms_mean=12, ttft_ms_mean=m, batch_or_concurrency=b, ttft_not_fitted=why)
            for m, why in ((90, ""), (900, "of its 20th token")) for b in (4, 16)]  # fmt: skip
    alone = fit(usable(rows[:2] * 4)[0], evaluations=6)
    assert fit(
        usable((rows[:2] + [measured(tpot_ms_mean=12, batch_or_concurrency=b) for b in (4, 16)]) * 4)[0], evaluations=6
    ).values == pytest.approx(fit(usable(rows * 4)[0], evaluations=6).values, abs=1e-9)
    assert len(alone.values)


def test_a_fold_knows_nothing_of_what_it_predicts(data):
    """Held rows' measurements times three: the fit without them, and so every prediction, stays the same."""
    chosen = [i for i, name in enumerate(data.pairs) if name.endswith(("H100 SXM", "MI300X"))][::3]
    rows = [data.rows[i] for i in chosen]
    wrong = [
        dataclasses.replace(r, measured={k: 3 * v for k, v in r.measured.items()}) if r.system == "MI300X" else r
        for r in rows
    ]
    predicted = []
    for some in (rows, wrong):
        found, _ = usable(some)
        out = out_of_fold(Refits(found), found.pairs)
        predicted.append(
            found.truth.values * np.exp(np.where(np.isin(found.truth.names, ("output", "input")), -1, 1) * out.own)
        )
    held = np.array([r.system == "MI300X" for r in rows])
    assert held.sum() > 20
    np.testing.assert_allclose(
        predicted[0][held], predicted[1][held], rtol=1e-3
    )  # steps end where none gains a thousandth
    assert not np.allclose(predicted[0][~held], predicted[1][~held], rtol=1e-3)  # the others learn from them


def test_models_of_one_shape_are_one_fold(data):
    """Llama-3-70B and Llama-3.1-70B differ in name only: neither may teach the other's fold."""
    pairs = {(r.model, c.chip.name): p for r, c, p in zip(data.rows, data.cases, data.pairs, strict=True)}
    named = {m: p for (m, chip), p in pairs.items() if chip == "H100 SXM"}
    assert named["meta-llama/Llama-3.1-70B"] == "Llama-3-70B on H100 SXM"
    assert len(set(data.pairs)) < len(pairs)


def test_a_batch_of_cases_is_the_cases_one_by_one():
    rows = [
        measured(),
        measured(load="static_batch"),
        measured(engine="vllm", model="gpt-oss-120b", weights_dtype="fp4"),
    ]
    cases = [case(r) for r in rows]
    together = predict_cases(cases)
    for c, p in zip(cases, together, strict=True):
        alone = predict_cases([c])[0]
        assert (alone.bound, alone.outside) == (p.bound, p.outside)
        for name in (
            "ttft",
            "tpot",
            "output_rate",
            "tpot_interval",
            "ttft_interval",
            "tpot_floor",
        ):  # sums in another order
            assert getattr(alone, name) == pytest.approx(getattr(p, name), rel=1e-12)
    assert Batch.of(cases).shares.tolist() == [1, 1, 1]
