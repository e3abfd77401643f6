"""A simulation as plain data."""

from __future__ import annotations

from typing import Any

import numpy as np

from headway.numeric import finite
from headway.simulation.results import Quantile, Simulated


def simulation_record(s: Simulated) -> dict[str, Any]:
    """Return a simulation as plain data for ``--json``: SI units, names end in the unit where it is not a count."""
    log, d = s.log, s.deployment
    return {
        "model": d.setting.model.name, "system": d.setting.system.name, "layout": str(d.layout), "replicas": s.replicas,
        "engine": d.setting.engine.name, "policy": type(d.policy).__name__, "traffic": log.requests.name, "source": log.requests.source,
        "limits": {
            "tokens_per_pass": d.limits.tokens, "blocks": d.limits.blocks, "block_tokens": d.limits.block, "reserves_whole": d.limits.whole,
        },
        "requests": len(log.requests), "ended": int(s.ended.sum()), "rejected": int(log.rejected.sum()),
        "preemptions": int(log.preempted.sum()), "seconds": s.span,
        "offered_requests_per_s": finite(s.offered), "carried_requests_per_s": finite(s.carried), "saturated": s.saturated,
        "output_tokens_per_s": finite(s.output_rate), "dollars_per_mtok": s.dollars_per_mtok,
        "busy": s.busy, "decoding_sequences": s.batch,
        **{f"{name}_s": _quantiles(found) for name, found in s.quantiles.items()},
        "mean_ttft_s": finite(float(np.nanmean(log.ttft)) if s.ended.any() else float("nan")),
        "mean_tpot_s": finite(float(np.nanmean(log.tpot)) if np.isfinite(log.tpot).any() else float("nan")),
    }  # fmt: skip


def _quantiles(found: list[Quantile]) -> dict[str, Any]:
    return {
        f"p{100 * q.share:g}": {
            "value": finite(q.value), "low": finite(q.low), "high": finite(q.high), "only_the_largest": not q.known,
        }
        for q in found
    }  # fmt: skip


def simulation_rows(s: Simulated) -> list[dict[str, Any]]:
    """Return what happened to every request, for ``--csv``: seconds from the start of the traffic."""
    log, r = s.log, s.log.requests
    columns = {
        "arrival_s": log.arrival, "start_s": log.start, "first_token_s": log.first, "end_s": log.end,
        "ttft_s": log.ttft, "tpot_s": log.tpot,
    }  # fmt: skip
    numbers = {k: [finite(x) for x in v.tolist()] for k, v in columns.items()}
    whole = {
        "prompt": r.prompt.tolist(), "output": r.output.tolist(), "replica": log.replica.tolist(),
        "preemptions": log.preempted.tolist(), "rejected": log.rejected.tolist(),
    }  # fmt: skip
    return [
        {"request": i, **{k: v[i] for k, v in whole.items()}, **{k: v[i] for k, v in numbers.items()}}
        for i in range(len(r))
    ]
