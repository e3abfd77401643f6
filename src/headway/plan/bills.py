"""A workload's bill at every provider of some models."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from headway.economics.offers import offers, price_warnings
from headway.economics.quotes import Quote, Workload, quote
from headway.errors import InputError, unknown
from headway.shown import Shown

TIERS = ("standard", "batch", "flex", "priority", "fast", "ultrafast")


@dataclass(frozen=True)
class ModelBills:
    """One model at its providers.

    Attributes
    ----------
    model : str
        As it was asked for.
    quotes : tuple of Quote
        The cheapest first; those that cannot be billed last.
    notes : tuple of str
        Sources that disagree, dates that overlap.
    """

    model: str
    quotes: tuple[Quote, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Billed(Shown):
    """A workload at the prices of a day.

    Attributes
    ----------
    work : Workload
    day : date
    models : tuple of ModelBills
    warnings : tuple of str
        Odd and stale prices, to be read before the bills.
    """

    RECORD = "headway.records.bills:billed_record"
    TEXT = "headway.report.bills:billed_text"

    work: Workload
    day: datetime.date
    models: tuple[ModelBills, ...]
    warnings: tuple[str, ...]

    def brief(self) -> str:
        """Return the cheapest bill of each model in one line."""
        best = [(m.quotes[0].offer.name, m.quotes[0].bill) for m in self.models if m.quotes]
        return "; ".join(f"{name} ${b.total.normalize():f} a request" for name, b in best if b) or "nothing billed"


def bill_workload(
    models: Sequence[str], work: Workload, day: datetime.date, *, providers: Sequence[str] = (), minute: int | None = None
) -> Billed:  # fmt: skip
    """Return what a request of a workload costs at every provider of some models.

    Parameters
    ----------
    models : sequence of str
        As APIs name them, or open-weight models.
    work : Workload
    day : date
        Of the prices.
    providers : sequence of str
        These alone; empty: all.
    minute : int or None
        Time of day, after midnight UTC; None: a row for every time that has a price of its own. [min]

    Raises
    ------
    InputError
        Unknown names, or a workload that cannot be.
    """
    if not models:
        raise InputError(
            "bill needs a model, like: headway bill gemini-3.1-pro --prompt 300k --output 1k; or --usage LOG.jsonl"
        )
    if work.tier not in TIERS:
        raise unknown("tier", work.tier, TIERS, f"Known: {', '.join(TIERS)}.")
    if work.prompt + work.output <= 0:
        raise InputError("bill needs --prompt and --output, the tokens of a request: --prompt 300k --output 1k")
    _ = work.usage  # what cannot be is said before any price is looked for
    found: list[ModelBills] = []
    for model in models:
        some = offers(model, day, providers=providers, minute=minute)
        quotes = sorted((quote(work, o) for o in some.found), key=_order)
        found.append(ModelBills(model, tuple(quotes), some.notes))
    warnings = price_warnings([q.offer for m in found for q in m.quotes], day)
    return Billed(work, day, tuple(found), tuple(warnings))


def _order(q: Quote) -> tuple[bool, Decimal, str]:
    return q.bill is None, q.bill.total if q.bill else Decimal(0), q.offer.name
