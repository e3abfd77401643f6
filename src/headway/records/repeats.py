"""Repeats of a simulation as plain data."""

from __future__ import annotations

import math
from typing import Any

from headway.numeric import finite
from headway.simulation.repeats import Over, Repeated, over
from headway.simulation.results import SHARES
from headway.simulation.steady import everyone


def over_record(o: Over) -> dict[str, Any]:
    """Return a number over repeats: ``value``, and its 80 % interval ``low`` to ``high``."""
    return {"value": finite(o.value), "low": finite(o.low), "high": finite(o.high)}


def repeated_record(r: Repeated, ttft: float | None = None, tpot: float | None = None) -> dict[str, Any]:
    """Return repeats as plain data for ``--json``: means over the repeats with their 80 % intervals, SI units.

    Parameters
    ----------
    r : Repeated
    ttft, tpot : float or None
        Limits of which the share of requests within them is told. [s]
    """
    one = r.runs[0]
    d, log = one.deployment, one.log
    number = {
        "offered_requests_per_s": "offered", "carried_requests_per_s": "carried", "output_tokens_per_s": "output_rate",
        "dollars_per_mtok": "dollars_per_mtok", "busy": "busy", "decoding_sequences": "batch",
    }  # fmt: skip
    limits = (math.inf if ttft is None else ttft, math.inf if tpot is None else tpot)
    asked = ttft is not None or tpot is not None
    good = over([everyone(run.log).within(*limits) for run in r.runs]) if asked else None
    return {
        "model": d.setting.model.name, "system": d.setting.system.name, "layout": str(d.layout), "replicas": one.replicas,
        "engine": d.setting.engine.name, "policy": d.policy.name, "traffic": log.requests.name,
        "repeats": len(r.runs), "requests": sum(len(run.log.requests) for run in r.runs), "saturated_repeats": r.saturated,
        "rejected": sum(int(run.log.rejected.sum()) for run in r.runs),
        "preemptions": sum(int(run.log.preempted.sum()) for run in r.runs),
        **{name: over_record(r.number(of)) for name, of in number.items()},
        "within": None if good is None else over_record(good),
        **{
            f"{name}_s": {f"p{100 * q:g}": over_record(o) for q, o in zip(SHARES, found, strict=True)}
            for name, found in r.quantiles.items()
        },
    }  # fmt: skip
