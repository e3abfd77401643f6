"""Equations and their answers as text."""

from __future__ import annotations

import math
from typing import Any

from headway import units
from headway.equations import SAID, Asked, Equation, equations, namesake
from headway.tables import table_text

_SI = {"bytes": "B", "bytes/s": "B/s", "FLOP/s": "FLOP/s", "FLOP": "FLOP", "tok/s": "tok/s"}


def value_text(value: Any, unit: str) -> str:
    """Print a value of an equation with its unit.

    Parameters
    ----------
    value : float, str or None
        [`unit`]
    unit : str
    """
    if value is None:
        return "—"
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return "—"
    if math.isinf(value):
        return "none (no finite value)"
    if unit == "parameters":
        return f"{units.si(value, digits=4).replace('G', 'B')} {unit}"
    if unit == "bytes" and 0 < value < 1:
        return f"{value:g} B"
    if unit in _SI:
        return units.si(value, _SI[unit], digits=4)
    if unit == "s":
        return units.seconds(value) if value >= 300 else units.si(value, "s", digits=4)
    if unit.startswith("$"):
        return f"${value:.4g}{unit[1:]}" if value < 0.01 else f"{units.dollars(value)}{unit[1:]}"
    return f"{_plain(value)} {_one(unit, value)}".strip()


def _plain(value: float) -> str:
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return (
            f"{value:,.0f}"
            if value == int(value) or abs(value) >= 1e5
            else f"{value:,.4g}"
            if abs(value) < 1e4
            else f"{value:,.0f}"
        )
    return units.si(value, digits=4) if 1e7 <= abs(value) < 1e16 else f"{value:.4g}"


def _one(unit: str, value: float) -> str:
    return unit.removesuffix("s") if value == 1 and unit.isalpha() else unit


def list_text() -> str:
    """Return every equation that can be asked, by section."""
    lines: list[str] = []
    for section in dict.fromkeys(e.section for e in equations()):
        rows = [[e.id, ", ".join(e.aliases), e.title, e.formula] for e in equations() if e.section == section]
        lines += [section, table_text(["id", "also", "what", "formula"], rows, left=True), ""]
    return "\n".join(
        [*lines, "headway ask ID [name=value ...] [--sweep name=a..b]: with your numbers; A4 means SYS-A4"]
    )


def asked_text(a: Asked) -> str:
    """Return an answer: formula, numbers and where they come from, results, the table of a sweep, what answers better."""
    e = a.equation
    also = f" (also {', '.join(e.aliases)})" if e.aliases else ""
    lines = [f"{e.id}{also}: {e.title}", f"  {e.formula}", f"  {SAID[e.said]}{'; ' + e.note if e.note else ''}", ""]
    lines.append(table_text(["with", "", "", "from"], _parameters(a), left=True))
    if a.swept:
        lines += ["", _sweep(a)]
    else:
        lines += [
            "",
            table_text(
                ["result", "", ""],
                [[r.name, value_text(a.results[r.name], r.unit), r.about] for r in e.results],
                left=True,
            ),
        ]
    if a.table:
        lines += ["", _table(a.table)]
    lines += ["", f"computed by {', '.join('headway.' + f for f in e.functions)}"]
    if e.better:
        lines.append(f"with more around it: {e.better}")
    if other := namesake(e):
        lines.append(f"{other} is another: headway ask {other}")
    return "\n".join(lines)


def _parameters(a: Asked) -> list[list[str]]:
    rows: list[list[str]] = []
    for p in a.equation.parameters:
        if p.name in a.idle:
            continue
        name = f"{p.name} ({p.symbol})" if p.symbol else p.name
        shown = "swept" if p.name == a.swept else value_text(a.values[p.name], p.unit)
        source = a.sources[p.name]
        rows.append([name, shown, p.about, "" if source == "swept" else source])
    return rows


def _sweep(a: Asked) -> str:
    """The table of a sweep; what is the same in every row stands below it."""
    p, results = a.equation.parameter(a.swept), a.equation.results
    cells = {r.name: [value_text(row[r.name], r.unit) for row in a.rows] for r in results}
    moving = [r.name for r in results if len(set(cells[r.name])) > 1]
    first = [value_text(row[p.name], p.unit) for row in a.rows]
    lines = [table_text([p.name, *moving], list(zip(first, *(cells[n] for n in moving), strict=True)))]
    same = [f"{r.name} {cells[r.name][0]}" for r in results if r.name not in moving]
    if same:
        lines.append(f"the same throughout: {', '.join(same)}")
    notes = dict.fromkeys(r["note"] for r in a.rows if r["note"])
    return "\n".join([*lines, *(f"! {n}" for n in list(notes)[:3])])


def _table(rows: list[dict[str, Any]]) -> str:
    heads = list(rows[0])
    return table_text([h.removesuffix("_s") for h in heads], [[_cell(h, r[h]) for h in heads] for r in rows])


def _cell(head: str, value: Any) -> str:
    if head == "year" and value:
        return str(value)
    if head == "off_by" and value is not None:
        return f"{100 * value:+.0f} %"
    if "dollars" in head and value is not None:
        return f"${value:.3g}"
    return value_text(value, "s" if head.endswith("_s") else "")


def ask_page() -> str:
    """Return the list of equations as markdown: formula, parameters with defaults and their source, results, what computes it."""
    out: list[str] = []
    for section in dict.fromkeys(e.section for e in equations()):
        out += [f"### {section[0].upper()}{section[1:]}", ""]
        for e in equations():
            if e.section == section:
                out += _entry(e)
    return "\n".join(out).rstrip()


def _entry(e: Equation) -> list[str]:
    also = f" ({', '.join(e.aliases)})" if e.aliases else ""
    out = [
        f"**{e.id}**{also} — {e.title}: `{e.formula}`. {SAID[e.said].capitalize()}{'; ' + e.note if e.note else ''}.",
        "",
    ]
    out += ["| parameter | default | meaning | from |", "| --- | --- | --- | --- |"]
    for p in e.parameters:
        symbol = f" (`{p.symbol}`)" if p.symbol else ""
        out.append(f"| `{p.name}`{symbol} | {value_text(p.default, p.unit)} | {p.about} | {p.source} |")
    results = ", ".join(f"`{r.name}`{f' [{r.unit}]' if r.unit else ''}" for r in e.results)
    return [*out, "", f"Gives {results}; computed by {', '.join(f'`{f}`' for f in e.functions)}.", ""]
