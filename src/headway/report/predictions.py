"""A prediction as text."""

from __future__ import annotations

import math

from headway import units
from headway.serving import Answer
from headway.tables import table_text


def answer_text(a: Answer) -> str:
    """Return a prediction as text: what requests see, how sure it is, and what nothing beats.

    Parameters
    ----------
    a : Answer
    """
    rows = [
        ["TPOT", units.seconds(a.tpot), _ends(a.tpot_interval), units.seconds(a.tpot_floor)],
        ["TTFT", units.seconds(a.ttft), _ends(a.ttft_interval), units.seconds(float(a.floors.ttft))],
        ["request", units.seconds(float(a.served.request)), "", units.seconds(float(a.floors.request))],
    ]
    cost = "" if a.dollars_per_mtok is None else f", ${a.dollars_per_mtok:,.2f} per million, prompts included"
    last = f"{units.rate(a.output_rate)} output tokens/s{cost}; bound by {a.bound}"
    outside = [f"outside the evidence, so wider intervals: {', '.join(a.outside)}"] if a.outside else []
    return "\n".join([table_text(["", "mean", "80 %", "floor"], rows), last, *outside])


def _ends(ends: tuple[float, float]) -> str:
    return "" if math.isnan(ends[0]) else f"{units.seconds(ends[0])} to {units.seconds(ends[1])}"
