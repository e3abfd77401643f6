"""What the lab found as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from headway import units
from headway.catalog import catalogue
from headway.lab.findings import Audit, Demonstration, Line
from headway.records.lab import difference
from headway.tables import table_text

_HEADS = ["pass", "what", "of", "formula", "program", "explained by", ""]


def audit_text(a: Audit) -> str:
    """Return an audit line by line, and why what is explained is no disagreement."""
    chips = units.some(a.layout.chips, "host device")
    less = f", without its {a.mutation}" if a.mutation else ""
    lines = [
        f"{a.model.name} as {a.layout} on {chips}{less}: per chip",
        f"prefill of {a.batch} prompts of {a.prompt} tokens, a chunk behind them, one more token of each; 32-bit numbers throughout",
        "",
        table_text(_HEADS, [_row(x) for x in a.lines]),
        "",
        _verdict(a),
    ]
    if a.known:
        lines += ["", "explained", *(f"  {name}: {difference(name)['says']}" for name in a.known)]
    return "\n".join(lines)


def _verdict(a: Audit) -> str:
    if a.agrees:
        return f"agrees: {len(a.lines)} comparisons"
    return f"DISAGREES: {len(a.disagreements)} of {len(a.lines)} comparisons"


def _row(x: Line) -> list[str]:
    if x.kind == "outputs":
        told = [f"within {x.step:g}", f"{x.program:.1e}"]
    else:
        told = [_amount(x.step, x), _amount(x.program, x)]
    known = ", ".join(f"{name} {_signed(amount, x)}" for name, amount in x.known)
    within = "" if x.most <= 1.01 or x.kind == "outputs" else f"{x.program / x.step:.2g}x, at most {x.most:g}x"
    return [x.phase, x.kind, x.name, *told, known or within, "agrees" if x.agrees else "DISAGREES"]


def _amount(value: float, x: Line) -> str:
    if math.isnan(value):
        return "of another kind"
    return f"{value:,.0f}" if not x.unit else units.si(value, x.unit, digits=6)


def _signed(value: float, x: Line) -> str:
    return f"{'+' if value > 0 else '-'}{_amount(abs(value), x)}"


def audits_text(audits: Sequence[Audit]) -> str:
    """Return several audits as a table of models and layouts, with what disagrees and what is explained below."""
    layouts = list(dict.fromkeys(_cut(a) for a in audits))
    by = {(a.model.name, _cut(a)): a for a in audits}
    models = list(dict.fromkeys(a.model.name for a in audits))
    body = [[m, *(_cell(by.get((m, x))) for x in layouts)] for m in models]
    lines = [table_text(["model", *layouts], body, left=True), ""]
    count = sum(len(a.lines) for a in audits)
    wrong = [(a, x) for a in audits for x in a.disagreements]
    lines.append(f"{count:,} comparisons, {len(wrong):,} disagree" if wrong else f"{count:,} comparisons, all agree")
    for a, x in wrong:
        lines.append(f"! {a.model.name} as {a.layout}: {x.phase} {x.kind} of {x.name}")
    known = list(dict.fromkeys(name for a in audits for name in a.known))
    if known:
        lines += ["", "explained", *(f"  {name}: {difference(name)['says']}" for name in known)]
    return "\n".join(lines)


def _cut(a: Audit) -> str:
    return str(a.layout)


def _cell(a: Audit | None) -> str:
    return "—" if a is None else "agrees" if a.agrees else f"{len(a.disagreements)} disagree"


def demonstration_text(d: Demonstration) -> str:
    """Return a system's checks and its table."""
    checks = [[c.what, c.wanted, c.found, "passes" if c.passes else "FAILS"] for c in d.checks]
    heads = list(d.rows[0]) if d.rows else []
    body = [[_plain(r[h]) for h in heads] for r in d.rows]
    return "\n".join(
        [
            f"{f'{d.system}: ' if d.system else ''}{d.title}, run on {d.model}",
            "",
            table_text(["check", "wanted", "found", ""], checks, left=True),
            "",
            table_text([h.replace("_", " ") for h in heads], body),
            *(["", *d.notes] if d.notes else []),
        ]
    )


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if value and abs(value) < 0.01:
        return f"{value:.1e}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def list_text(rows: Sequence[tuple[str, str, str]]) -> str:
    """Return what the lab can run.

    Parameters
    ----------
    rows : sequence of (str, str, str)
        Name, id in the lecture's list, what it is.
    """
    return "\n".join(
        [table_text(["name", "id", "what"], rows, left=True), "", "headway lab NAME [MODEL] runs one; -o draws it"]
    )


def differences_page() -> str:
    """Return every known difference between programs and formulas, those that are the formulas' first, as Markdown."""
    rows = catalogue().table("lab_differences").rows
    lines = [
        "## What the lab found", "",
        "`headway lab audit` compiles networks of real families at tiny widths and compares what XLA counts with the step of the same",
        "architecture ([lab.md](lab.md)): FLOPs of every row, parameters, caches, entries read and the bytes of every collective agree",
        "exactly once these differences are taken off.", "",
    ]  # fmt: skip
    for whose, title in (
        ("mended", "Found wrong in the formulas, and mended"),
        ("formula", "The formulas leave out, or count otherwise"),
        ("program", "The programs do more"),
    ):
        lines += [
            f"{title}:",
            "",
            *(f"- **{r['name']}**: {r['says']} ({r['source']})" for r in rows if r["kind"] == whose),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"
