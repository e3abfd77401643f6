"""Inference from prices as plain data: for ``--json`` and ``--csv``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from headway.economics.hosted_steps import HostedStep
from headway.economics.joint import Belief
from headway.economics.leave_out import Calibration, Checked
from headway.numeric import finite
from headway.plan.infer import Inference

_UNITS = {
    "active": "active_parameters", "total": "total_parameters", "kv": "kv_bytes_per_token", "batch": "batch", "context": "context_tokens",
    "markup": "price_over_cost", "dollars": "dollars_per_chip_hour", "utilisation": "utilisation", "mfu_decode": "decode_mfu_of_prefill",
    "link": "link_bytes_per_s",
}  # fmt: skip


def _belief(b: Belief) -> dict[str, float]:
    return {"low": b.low, "median": b.median, "high": b.high, "width": b.width}


def _beliefs(found: dict[str, Belief]) -> dict[str, Any]:
    return {_UNITS[q]: _belief(b) for q, b in found.items()}


def inference_record(i: Inference) -> dict[str, Any]:
    """Return the answer as plain data."""
    p, f = i.prices, i.learned.fit
    return {
        "prices": {
            "name": p.name, "provider": p.provider, "sellers": p.sellers,
            "input_dollars_per_mtok": p.input, "output_dollars_per_mtok": p.output,
            "cached_dollars_per_mtok": p.cached, "write_5m_dollars_per_mtok": p.write_5m, "write_1h_dollars_per_mtok": p.write_1h,
            "tier_edges_tokens": list(p.edges),
            "tier_input_dollars_per_mtok": list(p.inputs), "tier_output_dollars_per_mtok": list(p.outputs),
            "fast_price": p.fast[0] if p.fast else None, "fast_speed": p.fast[1] if p.fast else None, "source": p.source,
        },
        "chip": i.on.name, "dollars_per_chip_hour": i.dollars, "lecture_active_parameters": i.n_active,
        "readings": [{k: finite(v) if isinstance(v, float) else v for k, v in asdict(r).items()} for r in i.readings],
        "prior": _beliefs(i.priors), "posterior": _beliefs(i.beliefs),
        "moved": [{"price": m.price, "power": m.power, "alone": _beliefs(m.alone), "without": _beliefs(m.without)} for m in i.moved],
        "samples": i.samples, "effective_samples": i.effective,
        "fitted": {
            "shapes": f.shapes, "batch": f.batch, "context_tokens": f.context, "cached_follows_kv": f.follows,
            "input_error": f.input_error, "output_error": f.output_error, "cached_error": f.cached.sd, "rate_error": f.rate.sd,
            "steps_error": None if f.step is None else f.step.sd, "powers": i.learned.powers,
        },
        "truth": {_UNITS[q]: v for q, v in i.truth.items()} or None,
        "baseline": {"nearest": i.near, **{_UNITS[q]: v for q, v in i.baseline.items()}},
        "warnings": i.warnings,
    }  # fmt: skip


def beliefs_rows(i: Inference) -> list[dict[str, Any]]:
    """Return a row per inferred quantity."""
    return [{"quantity": _UNITS[q], **_belief(b), "prior_low": i.priors[q].low if q in i.priors else None,
             "prior_high": i.priors[q].high if q in i.priors else None} for q, b in i.beliefs.items()]  # fmt: skip


def checked_rows(c: Calibration) -> list[dict[str, Any]]:
    """Return a row per price list and quantity whose truth is public."""
    return [
        {"prices": what, "name": r.prices.name, "shape": r.prices.shape, "quantity": _UNITS[q], "truth": r.truth[q], **_belief(b),
         "inside": b.holds(r.truth[q]), "baseline": r.baseline[q], "effective_samples": r.effective}
        for what, rows in (("models", c.models), ("hosted", c.hosted)) for r in rows for q, b in _of(r)
    ]  # fmt: skip


def _of(r: Checked) -> list[tuple[str, Belief]]:
    return list(r.beliefs.items())


def calibration_record(c: Calibration) -> dict[str, Any]:
    """Return coverage and every check as plain data."""
    scores = [
        {"prices": what, **asdict(s) | {"quantity": _UNITS[s.quantity]}}
        for what, rows in c.scores.items()
        for s in rows
    ]
    return {"samples": c.samples, "scores": scores, "checked": checked_rows(c)}


def steps_rows(found: list[HostedStep]) -> list[dict[str, Any]]:
    """Return a row per priced model with context steps: both estimators beside the truth. [bytes/token, tokens]"""
    return [
        {"name": h.prices.name, "provider": h.prices.provider, "tier_edges_tokens": "|".join(f"{e:g}" for e in h.prices.edges),
         "output_dollars_per_mtok": "|".join(f"{x:g}" for x in h.prices.outputs), "active_parameters": h.n_active,
         "kv_bytes_lecture": h.lecture, "kv_bytes_slope": "|".join(f"{k:.0f}" for k in h.slopes), "kv_bytes_true": h.truth,
         "true_over_lecture": h.truth / h.lecture if h.truth and h.lecture else None,
         "true_over_slope": "|".join(f"{h.truth / k:.3g}" for k in h.slopes) if h.truth else None,
         "attention_context_tokens": h.attention, "note": h.note}
        for h in found
    ]  # fmt: skip
