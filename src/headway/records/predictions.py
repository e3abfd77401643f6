"""A prediction as plain data: stable names, SI units."""

from __future__ import annotations

from typing import Any

from headway.numeric import finite
from headway.serving import Answer


def answer_record(a: Answer) -> dict[str, Any]:
    """Return what requests see, as plain data.

    Parameters
    ----------
    a : Answer
    """
    ends = {"tpot": a.tpot_interval, "ttft": a.ttft_interval}
    return {
        "load": a.case.setting.kind, "in_flight": a.case.in_flight, "tpot_s": finite(a.tpot), "ttft_s": finite(a.ttft),
        "ttft_median_s": finite(a.ttft_median),
        "request_s": finite(float(a.served.request)), "output_tok_s": finite(a.output_rate),
        "tok_s_per_user": finite(1 / a.tpot) if a.tpot else None, "dollars_per_mtok": a.dollars_per_mtok,
        "tpot_floor_s": finite(a.tpot_floor), "bound": a.bound,
        **{f"{k}_{end}_s": finite(v[i]) for k, v in ends.items() for i, end in enumerate(("low", "high"))},
        "outside_evidence": list(a.outside),
    }  # fmt: skip


def prediction_record(a: Answer) -> dict[str, Any]:
    """Return a prediction with what it is of, as plain data.

    Parameters
    ----------
    a : Answer
    """
    c, s = a.case, a.case.setting
    return {
        "model": s.model.name, "system": s.system.name, "chips": s.system.chips, "layout": str(c.layout), "replicas": c.copies,
        "engine": s.engine.name, "profile": s.profile.name, "prompt": s.prompt, "output": s.output,
        "max_batch": finite(c.account.holds), **answer_record(a),
    }  # fmt: skip
