"""A reading of a running server as plain data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from headway.measure.exported import QUANTILES
from headway.measure.scrapes import Histogram
from headway.measure.watching import Reading
from headway.numeric import finite


def reading_record(r: Reading) -> dict[str, Any]:
    """Return a reading."""
    m, at = r.met, r.at
    return {
        "time": datetime.fromtimestamp(r.when, UTC).isoformat(timespec="milliseconds"), "metrics": r.family, "model": r.model,
        "system": r.system, "layout": r.layout, "seconds": m.seconds, "batch": finite(m.batch), "running": finite(m.running),
        "waiting": finite(m.waiting), "output_tokens_per_s": finite(m.output_rate), "prompt_tokens_per_s": finite(m.prompt_rate),
        "found_tokens_per_s": finite(m.found_rate), "requests_per_s": finite(m.requests), "gaps": m.gaps, "pass_s": finite(m.pass_seconds),
        "passes_per_s": finite(m.passes), "busy": finite(m.busy), "context_tokens": finite(m.context),
        "context_from": m.context_from or None,
        "kv_usage": finite(m.kv_usage), "preempted_per_s": finite(m.preempted),
        "over_floor": finite(r.over_floor),
        "over_estimate": finite(r.over_estimate),
        "roofline": None if at is None else {
            "sequences": at.riders, "prompt_tokens": at.prompts, "floor_s": at.floor, "estimate_s": at.estimate, "low_s": finite(at.low),
            "high_s": finite(at.high), "bound": at.bound, "mfu": at.mfu, "mbu": at.mbu, "outside": list(at.outside),
        },
        "ttft": _times(r.ttft, r.limits[0], r.within[0]), "gap": _times(r.gap, r.limits[1], r.within[1]),
        "room_sequences": None if at is None else finite(at.room),
        "saved_chip_share": None if at is None else at.saved, "saved_dollars_per_s": finite(r.saved_dollars_rate),
        "rent_dollars_per_s": finite(r.rent), "allocation_dollars_per_mtok": finite(r.allocation),
        "usage_dollars_per_mtok": finite(r.usage),
        "input_dollars_per_mtok": finite(r.split[0]), "output_dollars_per_mtok": finite(r.split[1]),
        "drift": None if r.drift is None else {
            "ratio": r.drift.ratio, "now": r.drift.now, "before": r.drift.before, "spread": r.drift.spread, "readings": r.drift.readings,
            "drifted": r.drift.drifted,
        },
        "remarks": list(r.remarks),
    }  # fmt: skip


def _times(h: Histogram | None, limit: float, within: float) -> dict[str, Any] | None:
    if h is None:
        return None
    quantiles = {f"p{q * 100:g}_s": finite(h.quantile(q)) for q in QUANTILES}
    return {"count": h.count, "mean_s": finite(h.mean), **quantiles, "limit_s": finite(limit), "within": finite(within)}
