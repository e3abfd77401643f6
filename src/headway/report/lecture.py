"""The lecture's headlines beside ours, as text."""

from __future__ import annotations

from collections.abc import Sequence

from headway import units
from headway.lecture import Headline
from headway.tables import table_text


def lecture_text(rows: Sequence[Headline], changed: bool = False) -> str:
    """Return the lecture's headlines beside ours; with `changed` inputs the last column is no verdict."""

    def shown(value: float | str, unit: str) -> str:
        if isinstance(value, str):
            return value
        if unit in ("s", "bytes", "tok/s"):
            return units.si(value, {"bytes": "B"}.get(unit, unit), digits=4)
        plain = f"{value:,.6g}" if 1e-3 <= abs(value) < 1e6 or value == 0 else f"{value:.4g}"
        return f"{plain} {unit.removesuffix('s') if plain == '1' and unit.isalpha() else unit}".strip()

    body: list[list[str]] = []
    for h in rows:
        d = h.relative_difference
        verdict = ("=" if h.holds else "differs") if d is None else "=" if abs(d) < 5e-4 else f"{100 * d:+.1f} %"
        who = {"T": "said", "D": "derived", "X": "beyond"}[h.said]
        body.append([h.chapter, h.id, h.what, who, shown(h.lecture, h.unit), shown(h.computed, h.unit), verdict])
    ours = "with your inputs" if changed else "computed"
    table = table_text(["chapter", "id", "what", "is", "lecture", ours, "difference"], body)
    notes = [f"  {h.what}: {h.note}" for h in rows if h.note]
    good, told = sum(h.holds for h in rows), {k: sum(h.said == k for h in rows) for k in "TDX"}
    legend = f"{told['T']} said in the lecture, {told['D']} derived from it, {told['X']} beyond it"
    legend += "; `headway ask ID` takes each with your numbers"
    if changed:
        return f"{table}\n\n{legend}\nthe lecture's column stands for the lecture's own inputs; {units.some(len(rows) - good, 'row')} moved"
    return (
        f"{table}\n\nwhere the lecture is loose\n"
        + "\n".join(notes)
        + f"\n\n{good} of {len(rows)} within rounding; {legend}"
    )
