"""A prediction as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from headway import units
from headway.predictions.compared import Compared
from headway.report.charts import log_chart
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


def rows_text(rows: Sequence[Mapping[str, str]]) -> str:
    """Return predicted rows as a table of what was asked and what is predicted.

    Parameters
    ----------
    rows : sequence of mapping
        With the columns that a prediction adds.
    """
    asked = [(h, k) for h, k in _ASKED if any(r.get(k) for r in rows)]
    heads = [*(h for h, _ in asked), "TPOT ms", "80 %", "TTFT ms", "80 %", "tok/s", "bound"]
    body = [
        [*(r.get(k, "") for _, k in asked), _short(r["predicted_tpot_ms"]), _from_to(r, "tpot"), _short(r["predicted_ttft_ms"]),
         _from_to(r, "ttft"), _short(r["predicted_output_tok_s"]), r["bound"] or "refused"]
        for r in rows
    ]  # fmt: skip
    return table_text(heads, body)


_ASKED = (("system", "system"), ("chips", "chips"), ("model", "model"), ("engine", "engine"), ("batch", "batch_or_concurrency"),
          ("in", "isl"), ("out", "osl"))  # fmt: skip


def _short(text: str) -> str:
    return "" if not text else f"{float(text):,.0f}" if float(text) >= 100 else f"{float(text):.3g}"


def _from_to(row: Mapping[str, str], what: str) -> str:
    low, high = row[f"{what}_ms_low"], row[f"{what}_ms_high"]
    return f"{_short(low)}–{_short(high)}" if low else ""


def compared_text(c: Compared) -> str:
    """Return predictions against a table's own measurements, with a chart of the first quantity; "" without any.

    Parameters
    ----------
    c : Compared
    """
    rows = c.record()
    if not rows:
        return ""
    body = [
        [r["what"], f"{r['rows']:,}", f"{100 * r['median_error']:.1f} %", f"{100 * r['p90_error']:.1f} %", f"{100 * r['bias']:+.1f} %",
         "" if r["inside_80"] is None else f"{100 * r['inside_80']:.0f} %"]
        for r in rows
    ]  # fmt: skip
    heads = ["predicted against measured", "rows", "median error", "p90", "bias", "in 80 % interval"]
    return "\n".join([table_text(heads, body), "", *_scatter(rows[0]["what"], c)])


def _scatter(what: str, c: Compared) -> list[str]:
    """Draw predicted over measured with characters, on log axes; the line is where they are equal."""
    measured, predicted = np.log10(np.array(c.pairs[what])[:, :2]).T
    low, high = float(min(measured.min(), predicted.min())) - 0.05, float(max(measured.max(), predicted.max())) + 0.05
    lines = log_chart(
        ([low, high], [low, high]), (measured.tolist(), predicted.tolist()), ((low, high), (low, high)), (56, 14),
        ("measured", "predicted"), (lambda value: f"{value:.3g}", lambda value: f"{value:>8.3g}"),
    )  # fmt: skip
    unit = "" if "tok" in what else " in ms"
    return [f"{what}{unit}, predicted over measured (log scales; the line is where they are equal)", *lines]
