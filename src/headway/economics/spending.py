"""A cap on spending: what a log's requests would have come to under it, and when it is reached at that pace (SYS-I5)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from headway.errors import InputError

_DAY = 86400


@dataclass(frozen=True, slots=True)
class Entry:
    """One request's bill.

    Attributes
    ----------
    line : int
        In the log. [1]
    when : datetime or None
        UTC.
    provider, model : str
    dollars : Decimal
        [$]
    """

    line: int
    when: datetime.datetime | None
    provider: str
    model: str
    dollars: Decimal


@dataclass(frozen=True)
class Capped:
    """One provider's requests under a cap.

    Attributes
    ----------
    provider : str
    cap : Decimal
        [$]
    taken, refused : tuple of Entry
        Requests that were let through, and those that came when the cap had been reached; in the order of their times.
    """

    provider: str
    cap: Decimal
    taken: tuple[Entry, ...]
    refused: tuple[Entry, ...]

    @property
    def spent(self) -> Decimal:
        """By those let through. [$]"""
        return _sum(self.taken)

    @property
    def without(self) -> Decimal:
        """What all of them come to. [$]"""
        return self.spent + _sum(self.refused)

    @property
    def over(self) -> Decimal:
        """By which the last one let through went beyond the cap. [$]"""
        return max(self.spent - self.cap, Decimal(0))

    @property
    def dearest(self) -> Entry:
        """The dearest request: what a cap can be exceeded by at the most."""
        return max((*self.taken, *self.refused), key=lambda e: e.dollars)

    @property
    def at(self) -> Entry | None:
        """The request that reached the cap; None where none did."""
        return self.taken[-1] if self.taken and self.spent >= self.cap else None

    @property
    def seconds(self) -> float:
        """From the first request to the last; 0 where not all have a time. [s]"""
        times = [e.when for e in (*self.taken, *self.refused) if e.when is not None]
        whole = len(times) == len(self.taken) + len(self.refused)
        return (max(times) - min(times)).total_seconds() if whole and times else 0.0

    @property
    def per_day(self) -> Decimal | None:
        """What the log's pace comes to without a cap; None where it has no span of time. [$/day]"""
        return self.without * _DAY / Decimal(self.seconds) if self.seconds else None

    @property
    def lasts(self) -> Decimal | None:
        """How long the cap lasts at that pace; None where the pace is not known. [days]"""
        return None if not self.per_day else self.cap / self.per_day

    def dearest_share(self, part: Decimal = Decimal("0.1")) -> Decimal:
        """Return the share of the bill that the dearest requests make. [share]

        Parameters
        ----------
        part : Decimal
            So many of them, one at least. [share]
        """
        every = sorted((e.dollars for e in (*self.taken, *self.refused)), reverse=True)
        return sum(every[: max(int(part * len(every)), 1)], Decimal(0)) / self.without if self.without else Decimal(0)


def capped(entries: Iterable[Entry], cap: Decimal) -> list[Capped]:
    """Return each provider's requests under a cap: one is let through while less than the cap is spent.

    Parameters
    ----------
    entries : iterable of Entry
    cap : Decimal
        For each provider. [$]

    Raises
    ------
    InputError
        For a cap that is not above 0.

    Notes
    -----
    What a request costs is known when it has ended, so the one that reaches the cap may go beyond it, and only that one: spending is
    at most the cap and one request.
    """
    if not cap > 0:
        raise InputError(f"--cap: ${cap:f}; an amount above 0 is needed, like $100")
    by: dict[str, list[Entry]] = {}
    for e in entries:
        by.setdefault(e.provider, []).append(e)
    return [_capped(provider, cap, _in_order(some)) for provider, some in by.items()]


def _in_order(entries: Sequence[Entry]) -> list[Entry]:
    """By time where all have one, else as the log has them."""
    if any(e.when is None for e in entries):
        return [*entries]
    return sorted(entries, key=lambda e: (e.when or datetime.datetime.min, e.line))


def _capped(provider: str, cap: Decimal, entries: Sequence[Entry]) -> Capped:
    spent = Decimal(0)
    taken: list[Entry] = []
    refused: list[Entry] = []
    for e in entries:
        if spent < cap:
            taken.append(e)
            spent += e.dollars
        else:
            refused.append(e)
    return Capped(provider, cap, tuple(taken), tuple(refused))


def _sum(entries: Iterable[Entry]) -> Decimal:
    return sum((e.dollars for e in entries), Decimal(0))
