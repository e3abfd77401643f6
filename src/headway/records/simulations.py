"""A simulation as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headway.numeric import finite
from headway.records.departures import departures_record, promise_record
from headway.simulation.results import Quantile, Simulated, TierResult
from headway.simulation.timeline import Timeline, timeline, used_over_time


def simulation_record(s: Simulated, ttft: float | None = None, tpot: float | None = None) -> dict[str, Any]:
    """Return a simulation as plain data for ``--json``: SI units, names end in the unit where it is not a count.

    Parameters
    ----------
    s : Simulated
    ttft, tpot : float or None
        Limits whose keeping is told. [s]
    """
    log, d = s.log, s.deployment
    return {
        "model": d.setting.model.name, "system": d.setting.system.name, "layout": str(d.layout), "replicas": s.replicas,
        "engine": d.setting.engine.name, "policy": d.policy.name, "traffic": log.requests.name, "source": log.requests.source,
        "limits": {
            "tokens_per_pass": d.limits.tokens, "blocks": d.limits.blocks, "block_tokens": d.limits.block, "reserves_whole": d.limits.whole,
        },
        "prefill_layout": None if d.prompt_layout is None else str(d.prompt_layout),
        "prefill_replicas": d.prompt_replicas,
        "requests": len(log.requests), "ended": int(s.ended.sum()), "rejected": int(log.rejected.sum()), "interrupted": log.stopped,
        "turned_away": int(log.turned_away.sum()), "preemptions": int(log.preempted.sum()), "seconds": s.span,
        "offered_requests_per_s": finite(s.offered), "carried_requests_per_s": finite(s.carried), "saturated": s.saturated,
        "output_tokens_per_s": finite(s.output_rate), "dollars_per_mtok": s.dollars_per_mtok,
        "busy": s.busy, "decoding_sequences": s.batch, "mfu": finite(s.used[0]), "mbu": finite(s.used[1]),
        "kv_occupancy": finite(s.occupied), "joules_per_token": s.joules_per_token,
        "cached_share": finite(s.cached), "padding_share": finite(s.padding),
        "paid_chip_s": s.paid, "average_dollars_per_mtok": _prices(s),
        "tiers": [_tier(t) for t in s.by_tier],
        "promise": promise_record(s, ttft, tpot),
        **{f"{name}_s": quantiles_record(found) for name, found in {**s.quantiles, "itl": s.itl}.items()},
        "mean_ttft_s": finite(float(np.nanmean(log.ttft)) if s.ended.any() else float("nan")),
        "mean_tpot_s": finite(float(np.nanmean(log.tpot)) if np.isfinite(log.tpot).any() else float("nan")),
        "timeline": _over_time(timeline(log), s),
        "trains": departures_record(s),
    }  # fmt: skip


def _prices(s: Simulated) -> dict[str, Any] | None:
    """Average costs by kind of token; marginal ones leave out the time in which nothing ran."""
    if s.prices is None:
        return None
    names = ("input", "cached_input", "output")
    return {
        **{name: finite(x) for name, x in zip(names, s.prices, strict=True)},
        **{f"marginal_{name}": finite(x * min(s.busy, 1.0)) for name, x in zip(names, s.prices, strict=True)},
    }


def _tier(t: TierResult) -> dict[str, Any]:
    return {
        "name": t.tier.name, "share": t.tier.share, "promised_ttft_s": finite(t.tier.ttft), "promised_tpot_s": finite(t.tier.tpot),
        "requests": t.requests, "ended": t.ended, "turned_away": t.turned_away, "kept": t.good,
        "output_tokens_per_s": finite(t.output_rate),
        "paid_chip_s": finite(t.paid),
        "ttft_s": quantiles_record(t.ttft), "tpot_s": quantiles_record(t.tpot), "queued_s": quantiles_record(t.queued),
    }  # fmt: skip


def quantiles_record(found: Sequence[Quantile]) -> dict[str, Any]:
    """Return quantiles of a time as plain data: ``p50``: ``value``, ``low``, ``high`` and whether it is only the largest."""
    return {
        f"p{100 * q.share:g}": {
            "value": finite(q.value), "low": finite(q.low), "high": finite(q.high), "only_the_largest": not q.known,
        }
        for q in found
    }  # fmt: skip


def _over_time(found: Timeline, s: Simulated) -> dict[str, Any]:
    """What came, ended, ran and waited, a number for each bin."""
    return {
        "bin_s": found.bin, "start_s": found.edges[:-1].tolist(),
        "arrivals": found.arrivals.tolist(), "ends": found.ends.tolist(),
        "output_tokens_per_s": (found.tokens / found.bin if found.bin else found.tokens).tolist(),
        "busy": found.busy.tolist(), "waiting": found.waiting.tolist(), "prompting": found.prompting.tolist(),
        **{name: values.tolist() for name, values in found.levels.items()},
        **{name: values.tolist() for name, values in used_over_time(s, found.edges).items()},
    }  # fmt: skip
