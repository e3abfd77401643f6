"""Equations and their answers as text."""

from __future__ import annotations

from typing import Any

from headway.equations import SAID, Asked, Equation, equations, namesake
from headway.equations.values import value_text
from headway.tables import table_text


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
        lines += ["", sweep_text(a)]
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


def sweep_text(a: Asked) -> str:
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
