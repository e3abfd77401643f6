"""The validation report: tables as text, and one self-contained page with the chart of predicted against measured."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from headway import figures
from headway.errors import InputError
from headway.tables import table_text
from headway.validation.anchors import Anchor
from headway.validation.out_of_fold import GROUPS, LEFT_OUT, WHATS, By, Validation
from headway.writing import replacing

_HEADS = [
    "n", "median", "mean", "p90", "within 20 %", "bias", "rank corr.", "in 80 % interval", "cells", "mean of their medians",
    "in interval", "score",
]  # fmt: skip
_WHO = {
    "headway": "headway, out of fold", "constant": "roofline x a constant (+ time per layer), out of fold", "ideal": "ideal floor",
}  # fmt: skip


def cells(row: dict[str, Any]) -> list[str]:
    """Return the statistics of one row as text."""

    def per_cent(value: float | None) -> str:
        return "" if value is None else f"{100 * value:.1f} %"

    rank = "" if row["rank"] is None else f"{row['rank']:.3f}"
    return [
        f"{row['n']:,}", per_cent(row["median"]), per_cent(row["mean"]), per_cent(row["p90"]), per_cent(row["within"]),
        f"{100 * row['bias']:+.1f} %", rank, per_cent(row["coverage"]), f"{row['cells']:,}", per_cent(row["cell_median"]),
        per_cent(row["cell_coverage"]), "" if row["score"] is None else f"{row['score']:.2f}",
    ]  # fmt: skip


def tables(v: Validation, by: By | None) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return (title, heads, rows) of the report: one table per kind of row."""
    found: list[tuple[str, list[str], list[list[str]]]] = []
    for what in WHATS:
        rows = [r for r in v.table(by) if r["what"] == what]
        name = by or "model"
        body = [[r["group"] if by else _WHO[r["who"]], *cells(r)] for r in rows]
        found.append((what, [name if by else "", *_HEADS], body))
    return found


def anchor_rows(cases: Sequence[Anchor]) -> list[list[str]]:
    """Return the anchors as rows of text."""
    return [
        [a.name, a.what, f"{a.theirs:,.4g} {a.unit}", f"{a.ours:,.4g} {a.unit}",
         f"{a.interval[0]:,.4g} to {a.interval[1]:,.4g}", f"{a.floor:,.4g}"] for a in cases
    ]  # fmt: skip


ANCHOR_HEADS = ["public anchor", "figure", "published", "headway", "80 % interval", "ideal"]


def summary(v: Validation) -> str:
    """Say in one sentence what was done."""
    return (
        f"{len(v.data.rows):,} measurements; each {LEFT_OUT[v.left_out]} predicted by a fit that has never seen it; "
        f"{v.violations} predictions below their physical floor"
    )


def text(v: Validation, by: By | None, cases: Sequence[Anchor]) -> str:
    """Return the report as text."""
    out = [summary(v)]
    for title, heads, rows in tables(v, by):
        if rows:
            out += ["", title, table_text(heads, rows)]
    if by is None:
        out += ["", table_text(ANCHOR_HEADS, anchor_rows(cases), left=True)]
        out += ["", *(f"  {a.name}: {a.note}. {a.source}" for a in cases)]
    return "\n".join(out)


def figure(v: Validation) -> figures.Spec:
    """Return predicted against measured, one panel per kind of row, coloured by engine."""
    engines = v.labels("engine")
    chips, models = v.labels("chip"), v.labels("model")
    values: list[dict[str, Any]] = []
    quantity = v.data.truth.names
    panels = [w for w in WHATS if w != "static batch"] + [f"static: {t}" for t in _QUANTITIES.values()]
    for what in WHATS:
        rows, measured, log = v.rows_of(what), v.measured(what), v.log(what)
        unit = 1e3
        for i in rows.nonzero()[0]:
            if log[i] == log[i] and measured[i] == measured[i]:
                panel = f"static: {_QUANTITIES[str(quantity[i])]}" if what == "static batch" else what
                values.append({
                    "what": panel, "measured": _short(measured[i] * unit), "error": _short(float(log[i])),
                    "engine": engines[i], "chip": chips[i], "model": models[i],
                })  # fmt: skip
    return figures.against_measured(values, [p for p in panels if any(x["what"] == p for x in values)])


_QUANTITIES = {
    "tpot": "TPOT", "request": "end to end", "output": "time per output token", "input": "time per prompt token",
    "ttft": "TTFT",
}  # fmt: skip


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def write(v: Validation, cases: Sequence[Anchor], out: str) -> None:
    """Write the page (.html), or the chart alone (.svg, .png, .pdf, .json)."""
    spec = figure(v)
    path = figures.write_figure(spec, out)
    if path.suffix.lower() == ".html":
        chart = path.read_text(encoding="utf-8")
        place = '<div id="vega-chart">'
        if chart.count(place) != 1:
            raise InputError(f"-o {out}: this vl-convert writes pages that headway does not know; update it")
        with replacing(path, f"-o {out}") as half:
            half.write_text(chart.replace(place, page(v, cases) + place), encoding="utf-8")


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:.5em 0 1.5em}td,th{padding:.2em .8em;text-align:right;white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left}tr:nth-child(even){background:#f6f6f4}th{border-bottom:2px solid #888}"
    ".wide{overflow-x:auto}"
)


def page(v: Validation, cases: Sequence[Anchor]) -> str:
    """Return the report's words and tables as HTML."""
    parts = [
        f"<style>{_STYLE}</style><h1>headway: predicted against measured</h1><p>{html.escape(summary(v))}. "
        "The ideal floor and a roofline times one constant (fitted out of fold) stand beside it on the same rows.</p>"
    ]
    parts += [_html(title, heads, rows) for title, heads, rows in tables(v, None)]
    for by in GROUPS:
        parts += [_html(f"{title}, by {by}", heads, rows) for title, heads, rows in tables(v, by) if rows]
    parts.append(_html("Public anchors", ANCHOR_HEADS, anchor_rows(cases)))
    notes = "".join(f"<li>{html.escape(a.name)}: {html.escape(a.note)}. {html.escape(a.source)}</li>" for a in cases)
    return "".join(parts) + f"<ul>{notes}</ul><h2>Every row</h2>"


def _html(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(h)}</th>" for h in heads)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in r) + "</tr>" for r in rows)
    return f"<h2>{html.escape(title)}</h2><div class=wide><table><tr>{head}</tr>{body}</table></div>"
