"""Some passes of a simulation one by one, with who waits, boards, rides and gets off: trains and their riders."""

from __future__ import annotations

from typing import Any

import numpy as np

from headway.numeric import finite
from headway.simulation.results import Simulated

_TRAINS, _REQUESTS = 120, 300  # that are told, at the most


def departures_record(s: Simulated) -> dict[str, Any] | None:
    """Return the passes of the first replica that answers, from the middle of the run on; None where none ran.

    Columns: a number for each pass, and for each request that waits or rides in their time. Passes of a run share its time evenly.

    Parameters
    ----------
    s : Simulated
    """
    log, replica = s.log, s.deployment.fronts
    p = log.passes[replica]
    if not len(p.start):
        return None
    each = p.seconds / np.maximum(p.count, 1)
    middle = float(np.median(log.arrival[np.isfinite(log.arrival)]))
    first = int(np.clip(np.searchsorted(p.start, middle, "right") - 1, 0, len(p.start) - 1))
    last = int(np.searchsorted(np.cumsum(p.count[first:]), _TRAINS)) + first + 1
    runs = np.repeat(np.arange(first, min(last, len(p.start))), p.count[first:last])[:_TRAINS]
    inside = np.arange(len(runs)) - np.searchsorted(runs, runs)  # which of its run
    leaves, rides = p.start[runs] + inside * each[runs], each[runs]
    begin, end = float(leaves[0]), float(leaves[-1] + rides[-1])
    ends = np.nan_to_num(log.end, nan=log.now)
    there = np.flatnonzero((log.replica == replica) & ~log.rejected & (log.arrival <= end) & (ends >= begin))
    told = there[np.argsort(np.nan_to_num(log.start[there], nan=np.inf), kind="stable")][:_REQUESTS]
    r = log.requests
    return {
        "replica": replica, "seats": int(p.decoding[first:last].max()), "more_requests": len(there) - len(told),
        "departs_s": leaves.tolist(), "rides_s": rides.tolist(), "decoding": p.decoding[runs].tolist(),
        "tokens": (p.tokens // np.maximum(p.count, 1))[runs].tolist(),
        "requests": {
            "request": told.tolist(), "prompt": r.prompt[told].tolist(), "output": r.output[told].tolist(),
            **{
                f"{name}_s": [finite(float(x)) for x in times[told]]
                for name, times in (("arrival", log.arrival), ("start", log.start), ("first_token", log.first), ("end", log.end))
            },
        },
    }  # fmt: skip


def promise_record(s: Simulated, ttft: float | None, tpot: float | None) -> dict[str, Any]:
    """Return the limits that were asked for, and which share of all requests ended within both.

    Parameters
    ----------
    s : Simulated
    ttft, tpot : float or None
        Longest time to the first token, and per token after it; None: no limit. [s]
    """
    ends = {k: v for k, v in (("ttft", ttft), ("tpot", tpot)) if v is not None}
    return {
        "ttft_s": ttft,
        "tpot_s": tpot,
        "kept": float(s.good(**ends).mean()) if ends else None,
    }
