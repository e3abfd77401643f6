"""Bills as text."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from headway import units
from headway.economics.quotes import DAYS, TTL_NAMES, Quote, Workload
from headway.economics.spending import Capped
from headway.economics.usage_logs import Bad, Ledger
from headway.plan.bills import Billed, ModelBills
from headway.tables import table_text

_MOST = 12  # providers, notes and bad rows that are shown
_DIGITS = 6  # of small amounts, if they have more


def dollars(value: Decimal) -> str:
    """Print money: to the cent from $100 on, below as it is, or with six digits where it has more.

    Parameters
    ----------
    value : Decimal
        [$]
    """
    if abs(value) >= 100:
        return f"${value:,.2f}"
    short = value if len(value.normalize().as_tuple().digits) <= _DIGITS else Decimal(f"{value:.{_DIGITS}g}")
    return f"${short.normalize():f}"


def billed_text(b: Billed) -> str:
    """Return a workload's bills as text: odd and old prices first, then a table for each model."""
    out = [f"{_work(b.work)}; prices in force on {b.day}", ""]
    if b.warnings:
        out += [*_some([f"! {w}" for w in b.warnings], "warnings"), ""]
    for m in b.models:
        out += [*_model(b, m), ""]
    return "\n".join(out).rstrip()


def _work(w: Workload) -> str:
    parts = [f"{w.cached:,} of them cached"] if w.cached else []
    parts += [f"{v:,} written for {TTL_NAMES[k]}" for k, v in w.writes.items()]
    inside = f" ({', '.join(parts)})" if parts else ""
    stored = f"; {w.stored.normalize():,f} token-hours stored" if w.stored else ""
    each = f"; {w.per_day.normalize():,f} requests a day" if w.per_day else ""
    return f"{w.prompt:,} tokens in{inside}, {w.output:,} out{stored}; {w.tier} tier{each}"


def _model(b: Billed, m: ModelBills) -> list[str]:
    shown = [q for q in m.quotes if q.bill]
    lines = [n for n in ("input", "cache_hit", "write", "output", "storage") if any(_line(q, n) for q in shown)]
    lines = lines if len(lines) > 1 else []
    names = {"cache_hit": "cached", "write": "written"}
    heads = ["provider", "model", *(names.get(n, n) for n in lines), "a request"]
    heads += ["a day", f"{DAYS} days"] if b.work.per_day else []
    heads += ["since", "read", ""]
    rows: list[list[str]] = []
    for q in shown[:_MOST]:
        total = q.bill.total if q.bill else Decimal(0)
        each = [dollars(total * b.work.per_day), dollars(total * b.work.per_day * DAYS)] if b.work.per_day else []
        rows.append([*_who(q), *(dollars(_line(q, n)) for n in lines), dollars(total), *each, *_when(q)])
    out = [plain_table(heads, rows)] if rows else [f"{m.model}: no provider bills such a request"]
    if len(shown) > _MOST:
        out.append(f"... {len(shown) - _MOST} dearer ones: --csv has all, --provider picks some")
    unbilled = [f"{q.offer.name}: not billed: {'; '.join(q.notes)}" for q in m.quotes if not q.bill]
    return out + _some([*unbilled, *(f"note: {n}" for n in m.notes)], "notes")


def plain_table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a table without its last column where that says nothing."""
    if not any(row[-1] for row in rows):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    return table_text(heads, rows)


def _line(q: Quote, name: str) -> Decimal:
    lines = q.bill.lines if q.bill else {}
    if name == "write":
        return sum((v for k, v in lines.items() if k.startswith("cache_write")), Decimal(0))
    return lines.get(name, Decimal(0))


def _who(q: Quote) -> list[str]:
    row = q.offer.listed
    return [row.provider, row.model + (f" {row.hours}" if row.hours else "")]


def _when(q: Quote) -> list[str]:
    row = q.offer.listed
    old = q.offer.age or 0
    said = f"{units.some(old, 'day')} old" if old >= 0 else f"{units.some(-old, 'day')} later"
    age = "" if row.looked_up is None else f"{row.looked_up:%Y-%m}, {said}"
    remark = "; ".join([*(["price far off its peers"] if q.offer.odd else []), *q.notes])
    return [str(row.begin) if row.begin else "", age, remark]


def _some(lines: list[str], what: str) -> list[str]:
    return lines if len(lines) <= _MOST else [*lines[:_MOST], f"... {len(lines) - _MOST} more {what}: --json has all"]


def ledger_text(ledger: Ledger) -> str:
    """Return a log's bill as text: odd and old prices first, totals by model, then the rows that were not billed."""
    out = [*_some([f"! {w}" for w in ledger.warnings], "warnings"), *([""] if ledger.warnings else [])]
    heads = ["provider", "model", "requests", "input", "cached", "written", "output", "tiers", "bill"]
    rows = [
        [t.offer.listed.provider, t.offer.listed.model, f"{t.requests:,}", f"{t.usage.input:,}", f"{t.usage.cache_hit:,}",
         f"{t.usage.writes:,}",
         f"{t.usage.output:,}", ", ".join(t.tiers), dollars(t.dollars)] for t in ledger.totals
    ]  # fmt: skip
    out.append(table_text(heads, rows) if rows else "nothing could be billed")
    if rows:
        out += ["", *(f"{provider}: {dollars(sum_)}" for provider, sum_ in ledger.dollars.items())]
    if ledger.bad:
        out += [
            "",
            f"{units.some(ledger.missed, 'row')} of {ledger.rows:,} not billed",
            *_some(_bad(ledger.bad), "reasons"),
        ]
    notes = [f"note: {n}" for n in ledger.notes]
    return "\n".join([*out, *([""] if notes else []), *_some(notes, "notes")])


def capped_text(found: Sequence[Capped]) -> str:
    """Return what a cap lets through as text, and how long it lasts at the log's pace.

    Parameters
    ----------
    found : sequence of Capped
    """
    return "\n".join(line for c in found for line in _capped(c))


def _capped(c: Capped) -> list[str]:
    head = f"{c.provider} under a cap of {dollars(c.cap)}: "
    if c.at is None:
        head += f"not reached, {dollars(c.cap - c.spent)} are left after {units.some(len(c.taken), 'request')}"
    else:
        when = f", {c.at.when:%Y-%m-%d %H:%M}" if c.at.when else ""
        head += f"reached at line {c.at.line}{when}: {units.some(len(c.taken), 'request')} for {dollars(c.spent)}"
        head += f", {dollars(c.over)} over by the last of them" if c.over else ""
        head += (
            f"; {units.some(len(c.refused), 'request')} refused, {dollars(c.without - c.spent)}" if c.refused else ""
        )
    out = [
        head,
        f"  never over by more than one request: the dearest cost {dollars(c.dearest.dollars)} (line {c.dearest.line})",
    ]
    out[1] += f"; the dearest tenth make {units.per_cent(float(c.dearest_share()))} of the bill"
    if c.per_day is not None and c.lasts is not None:
        pace = f"{units.some(len(c.taken) + len(c.refused), 'request')} in {units.seconds(c.seconds)}"
        each, month = dollars(c.per_day), dollars(c.per_day * DAYS)
        lasts = units.seconds(float(c.lasts) * 86400)
        out.append(f"  at the log's pace, {pace}, {each} a day, {month} in {DAYS} days: the cap lasts {lasts}")
    else:
        out.append("  no pace: not every row has a time, or all have the same")
    return out


def _bad(bad: tuple[Bad, ...]) -> list[str]:
    """Rows by what is wrong with them, with their lines."""
    by_reason: dict[str, list[int]] = {}
    for b in bad:
        by_reason.setdefault(b.why, []).append(b.line)
    out: list[str] = []
    for why, lines in by_reason.items():
        shown = ", ".join(map(str, lines[:8])) + (f", ... ({len(lines)} in all)" if len(lines) > 8 else "")
        out.append(f"line{'s' if len(lines) > 1 else ''} {shown}: {why}")
    return out
