"""A measured machine as text."""

from __future__ import annotations

from headway import units
from headway.measure.machine import Machine, Rate
from headway.tables import table_text

_HEADS = ["what", "of", "by", "threads", "best", "median", "apart"]
_ORDER = ("read", "copy", "triad", "product")


def machine_text(m: Machine) -> str:
    """Return what a device does, beside its datasheet where that is known, and what may have disturbed it."""
    cache = f", last cache {units.si(m.cache, 'B')}" if m.cache else ""
    memory = f", memory {units.si(m.memory, 'B')}" if m.memory else ""
    where = f", {units.some(m.cores, 'core')}" if m.device == "cpu" else ""
    rates = sorted(m.rates, key=lambda r: (_ORDER.index(r.what), r.kind, r.by, r.threads))
    runs = max(len(r.runs) for r in rates)
    lines = [
        f"{m.model}{where}{memory}{cache}",
        f"{units.some(runs, 'run')}; arrays of {units.si(m.array, 'B')}; best of each run, and how far the runs lie apart",
        "",
        table_text(_HEADS, [_row(r) for r in rates]),
        "",
        f"reads {units.si(m.bandwidth.best, 'B/s')}, multiplies {units.si(m.wide.best, 'FLOP/s')} ({m.wide.kind} in {m.wide.by}): "
        f"{m.wide.best / m.bandwidth.best:,.3g} FLOP per byte",
    ]  # fmt: skip
    return "\n".join([*lines, *_beside(m), *_remarks(m)])


def _row(r: Rate) -> list[str]:
    unit = "B/s" if r.what != "product" else "OP/s" if r.kind == "int8" else "FLOP/s"
    apart = f"{100 * r.spread:{'.2g' if r.spread < 0.1 else ',.0f'}} %" + ("" if r.steady else "  !")
    of = r.kind if r.what == "product" else f"array of {r.kind}"
    return [r.what, of, r.by, str(r.threads or "all"), units.si(r.best, unit), units.si(r.median, unit), apart]


def _beside(m: Machine) -> list[str]:
    if m.sheet is None:
        return [
            "",
            f"no row of the catalogue is called {m.model!r}: --as NAME compares with one (headway catalog chips)",
        ]
    rows = [
        [b.what, units.si(b.measured, "B/s" if "memory" in b.what else "OP/s"),
         units.si(b.stated, "B/s" if "memory" in b.what else "OP/s"), f"{100 * b.share:.3g} %" + ("  !" if b.short else "")]
        for b in m.beside
    ]  # fmt: skip
    said = ["", f"beside the datasheet: {m.sheet.name} ({m.sheet.source}, {m.sheet.date})", ""]
    table = table_text(["what", "measured", "datasheet", "of it"], rows)
    note = ["", "! a part of the chip's cores, other memory or a lower clock than the datasheet's"] if any(
        b.short for b in m.beside
    ) else []  # fmt: skip
    return [*said, table, *note]


def _remarks(m: Machine) -> list[str]:
    known = [x for x in m.others if x is not None]
    busy = [f"other processes took {', '.join(f'{x:.2f}' for x in known)} cores in the runs"] if known else []
    if m.disturbed:
        busy = [f"! {busy[0]}: the machine was not idle, so the figures may be low"]
    wild = [f"{r.what} of {r.kind} by {r.by}" for r in m.rates if not r.steady]
    apart = [f"! runs lie more than 10 % apart: {', '.join(dict.fromkeys(wild))}"] if wild else []
    return ["", *busy, *apart, *(f"left out: {why}" for why in m.missing)]
