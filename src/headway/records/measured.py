"""A measured endpoint as plain data."""

from __future__ import annotations

from typing import Any

from headway.measure.fitted import Line, Number
from headway.measure.measuring import Measured, Met
from headway.numeric import finite


def measured_record(m: Measured) -> dict[str, Any]:
    """Return what was measured and what it means. SI units."""
    s, b, who = m.swept, m.behaviour, m.swept.who
    roof = m.roof
    return {
        "url": s.url, "served": s.served, "listener": None if who is None else {"pid": who.pid, "name": who.name, "age_s": who.age},
        "roofline": None if roof is None else {
            "model": roof.setting.model.name, "system": roof.setting.system.name, "layout": str(roof.layout), "replicas": roof.copies,
            "engine": roof.setting.engine.name,
        },
        "read_bandwidth": [float(x) for x in s.reads],
        "seconds": s.seconds, "runs": len(s.runs), "foreign_cores": finite(m.foreign), "client_share": m.client,
        "steps": step_rows(m), "line": line_record(m.line), "floor": line_record(m.floor), "estimate": line_record(m.estimate),
        "prompts": {
            "rows": [{"prompt": n, "ttft_s": t, "best_s": best, "runs": runs} for n, t, best, runs in m.prompts.rows],
            "per_token_s": finite(m.prompts.each), "per_request_s": finite(m.prompts.rest),
        },
        "behaviour": {
            "batches": b.batches, "most_sequences": finite(b.most), "preempts_beyond": finite(b.preempts), "prefix_cache": b.cache,
            "cached_share": finite(b.cached), "repeated_over_new": finite(b.again), "chunk_low": finite(b.chunk[0]),
            "chunk_high": finite(b.chunk[1]), "longest_gap_s": finite(b.paused), "longest_over_usual_gap": finite(b.pause),
        },
        "loads": [met_record(x) for x in m.loads], "verdicts": [{"about": v.about, "text": v.text} for v in m.verdicts],
        "warnings": list(m.warnings), "stopped": s.stopped or None,
    }  # fmt: skip


def step_rows(m: Measured) -> list[dict[str, Any]]:
    """Return decode steps by place."""
    found: list[dict[str, Any]] = []
    for c in m.cells:
        told = c.context == c.context
        roof = m.roof if told else None
        found.append({
            "batch": c.batch, "context": finite(c.context), "step_s": finite(c.step), "best_s": finite(c.best), "spread": finite(c.spread),
            "runs": len(c.steps), "tok_s": finite(c.batch / c.step), "together": c.together, "stalled": c.stalled,
            "line_s": m.line.seconds(c.batch, c.context) if m.line is not None and told else None,
            "floor_s": None if roof is None else roof.floor(c.batch, c.context),
            "estimate_s": None if roof is None else roof.estimate(c.batch, c.context),
        })  # fmt: skip
    return found


def _number(n: Number) -> dict[str, Any]:
    return {"value": n.value, "low": n.low, "high": n.high}


def line_record(line: Line | None) -> dict[str, Any] | None:
    """Return a line's numbers."""
    if line is None:
        return None
    return {
        "a_s": _number(line.a), "b_s": _number(line.b), "c_s": _number(line.c) if line.contexts else None, "residual": line.residual,
        "context": line.context, "knee": finite(line.knee), "near_peak": finite(line.near_peak), "places": len(line.cells),
        "apart": [c.batch for c in line.apart],
    }  # fmt: skip


def met_record(x: Met) -> dict[str, Any]:
    """Return a load as its users met it."""
    found: dict[str, Any] = {"load": x.key, "requests": x.requests, "output_tok_s": x.output_rate}
    for name, values in (("ttft", x.ttft), ("tpot", x.tpot), ("request", x.request)):
        found |= {f"{name}_{p}_s": finite(v) for p, v in zip(("p50", "p90", "p99"), values, strict=True)}
    return found
