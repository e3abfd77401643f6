"""Which hosted models should take requests: prices, the user's rate limits, a floor of the user's own quality (SYS-I7)."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from headway import units
from headway.catalog import column, from_row, read_csv
from headway.economics.offers import offers, price_warnings
from headway.economics.quotes import Quote, Workload, quote
from headway.errors import InputError, PhysicsError, quoted, unknown
from headway.plan.bills import TIERS
from headway.shown import Shown

_PER_MINUTE = {
    "requests": "requests a minute",
    "tokens": "tokens a minute",
    "inputs": "input tokens a minute",
    "outputs": "output tokens a minute",
}


@dataclass(frozen=True, slots=True)
class Account:
    """A model that an account may use: its limits there, and what its user measured of it."""

    model: str = column("", "as an API names it, or an open-weight model")
    provider: str = column("", "who sells it; empty: the cheapest that does", default="")
    tier: str = column("", "standard, batch, flex, priority, fast or ultrafast", default="standard")
    requests: float | None = column("requests/min", "that the account may send", name="requests_per_min", default=None)
    tokens: float | None = column("tokens/min", "of prompts and answers", name="tokens_per_min", default=None)
    inputs: float | None = column("tokens/min", "of prompts", name="input_tokens_per_min", default=None)
    outputs: float | None = column("tokens/min", "of answers", name="output_tokens_per_min", default=None)
    quality: float | None = column("", "on the user's own scale: more is better", default=None)
    speed: float = column("tokens/s", "of an answer", name="tokens_per_s", default=0.0)
    ttft: float = column("s", "to the first token", name="ttft_s", default=0.0)


@dataclass(frozen=True)
class Candidate:
    """A model with what a request costs there and how many it takes.

    Attributes
    ----------
    account : Account
    quote : Quote or None
        The cheapest offer; None where nobody sells it.
    most : float
        Requests that its limits let through; infinite without limits. [requests/min]
    binds : str
        The limit that does.
    seconds : float
        Of an answer; NaN where the table has no speed. [s]
    refused : str
        Why it takes none; "" where it may.
    """

    account: Account
    quote: Quote | None
    most: float
    binds: str
    seconds: float
    refused: str = ""

    @property
    def dollars(self) -> float:
        """Of one request; NaN where it cannot be billed. [$]"""
        return math.nan if self.quote is None or self.quote.bill is None else float(self.quote.bill.total)


@dataclass(frozen=True)
class Share:
    """What one model takes.

    Attributes
    ----------
    candidate : Candidate
    rate : float
        [requests/min]
    """

    candidate: Candidate
    rate: float


@dataclass(frozen=True, repr=False)
class ModelChoice(Shown):
    """Who takes the requests at the least cost.

    Attributes
    ----------
    work : Workload
    day : date
        Of the prices.
    rate : float or None
        Requests that come; None: not said. [requests/min]
    floor : float or None
        Of quality, on the user's scale. [1]
    within : float or None
        Longest time of an answer. [s]
    candidates : tuple of Candidate
        As the table has them.
    shares : tuple of Share
        The cheapest first.
    warnings : tuple of str
        Odd and stale prices, models that were left out of the catalogue.
    """

    RECORD = "headway.records.model_choice:choice_record"
    TEXT = "headway.report.model_choice:choice_text"

    work: Workload
    day: datetime.date
    rate: float | None
    floor: float | None
    within: float | None
    candidates: tuple[Candidate, ...]
    shares: tuple[Share, ...]
    warnings: tuple[str, ...]

    @property
    def taken(self) -> float:
        """By all. [requests/min]"""
        return sum(s.rate for s in self.shares)

    @property
    def dollars(self) -> float:
        """Of a request on average. [$]"""
        if len(self.shares) == 1:
            return self.shares[0].candidate.dollars
        return sum(s.rate * s.candidate.dollars for s in self.shares) / self.taken

    @property
    def alone(self) -> Candidate | None:
        """The cheapest that takes all of them alone; None where no one does."""
        able = [c for c in self.candidates if not c.refused and c.most >= (self.rate or 0.0)]
        return min(able, key=lambda c: c.dollars) if able else None

    @property
    def most(self) -> float:
        """That all who may take any take together. [requests/min]"""
        return sum(c.most for c in self.candidates if not c.refused)

    def brief(self) -> str:
        """Return the choice in one line."""
        return ", ".join(s.candidate.account.model for s in self.shares) + f": {units.dollars(self.dollars)} a request"


def read_accounts(file: str | Path) -> list[Account]:
    """Return the models of a table of rate limits.

    Parameters
    ----------
    file : path
        CSV with the columns of `Account`.

    Raises
    ------
    InputError
        When it cannot be read, has no rows, or one twice.
    """
    found: list[Account] = []
    for line, row in read_csv(Path(file)):
        where = f"{Path(file).name} line {line}"
        one = from_row(Account, {**row, "tier": (row.get("tier") or "").strip().lower()}, where)
        if one.tier not in TIERS:
            raise unknown("tier", one.tier, TIERS, f"{where}; known: {', '.join(TIERS)}.")
        if any((one.model, one.provider, one.tier) == (o.model, o.provider, o.tier) for o in found):
            raise InputError(
                f"{where}: {quoted(one.model)} is there already; one row for each model, provider and tier"
            )
        found.append(one)
    if not found:
        raise InputError(f"{file}: has no rows; it needs model,requests_per_min,tokens_per_min,quality")
    return found


def choose_models(
    accounts: Sequence[Account],
    work: Workload,
    day: datetime.date,
    *,
    rate: float | None = None,
    floor: float | None = None,
    within: float | None = None,
) -> ModelChoice:
    """Return which models take requests at the least cost under rate limits and a quality floor (SYS-I7).

    Parameters
    ----------
    accounts : sequence of Account
    work : Workload
        One request; its own tier is not looked at.
    day : date
        Of the prices.
    rate : float or None
        Requests that come; None: only the cheapest is chosen. [requests/min]
    floor : float or None
        Least quality of every model that takes any. [1]
    within : float or None
        Longest time of an answer. [s]

    Raises
    ------
    InputError
        For a workload that cannot be.
    PhysicsError
        When nobody may take a request, or all together take fewer than come.

    Notes
    -----
    Cost is linear in who takes how many, and limits are apart, so filling the cheapest first costs least.
    """
    if work.prompt + work.output <= 0:
        raise InputError("choose needs --prompt and --output, the tokens of a request: --prompt 8k --output 1k")
    if floor is not None and not math.isfinite(floor):
        raise InputError(f"--floor: {floor:g}; a number on the scale of the table's quality is needed")
    found = _candidates(accounts, work, day, floor, within)
    shares = _filled(found, rate)
    warnings = price_warnings([c.quote.offer for c in found if c.quote is not None], day)
    return ModelChoice(work, day, rate, floor, within, tuple(found), tuple(shares), tuple(warnings))


def _filled(found: Sequence[Candidate], rate: float | None) -> list[Share]:
    """The cheapest first, each as many as its limits let through."""
    able = sorted((c for c in found if not c.refused), key=lambda c: (c.dollars, -(c.account.quality or 0.0)))
    if not able:
        raise PhysicsError(
            f"no model may take a request: {'; '.join(f'{c.account.model}: {c.refused}' for c in found)}"
        )
    if rate is None:
        return [Share(able[0], able[0].most)]
    shares: list[Share] = []
    left = rate
    for c in able:
        if left > 0 and c.most > 0:
            shares.append(Share(c, min(left, c.most)))
            left -= shares[-1].rate
    if left > rate * 1e-9:
        raise PhysicsError(
            f"{rate:,.4g} requests a minute come, and the limits of those that may take them let {rate - left:,.4g} through"
        )
    return shares


def _candidates(
    accounts: Sequence[Account], work: Workload, day: datetime.date, floor: float | None, within: float | None
) -> list[Candidate]:
    found: list[Candidate] = []
    slips: list[InputError] = []
    for a in accounts:
        try:
            found.append(_candidate(a, work, day, floor, within))
        except InputError as error:  # one row's slip leaves the others their answer
            slips.append(error)
            found.append(Candidate(a, None, *_most(a, work), math.nan, str(error).partition(" `")[0]))
    if slips and len(slips) == len(found):
        raise slips[0]
    return found


def _candidate(a: Account, work: Workload, day: datetime.date, floor: float | None, within: float | None) -> Candidate:
    mine = dataclasses.replace(work, tier=a.tier)
    best, why = _quoted(a, mine, day)
    most, binds = _most(a, mine)
    seconds = a.ttft + max(float(work.output) - 1, 0.0) / a.speed if a.speed else math.nan
    if not why and floor is not None and (a.quality is None or a.quality < floor):
        why = "no quality in the table" if a.quality is None else f"quality {a.quality:g} below {floor:g}"
    if not why and within is not None and not seconds <= within:
        why = "no tokens_per_s in the table" if math.isnan(seconds) else f"an answer takes {units.seconds(seconds)}"
    if not why and most == 0:
        why = f"its limit is 0 {binds}"
    return Candidate(a, best, most, binds, seconds, why)


def _quoted(a: Account, work: Workload, day: datetime.date) -> tuple[Quote | None, str]:
    """The cheapest offer of a model, or why there is none."""
    found = offers(a.model, day, providers=[a.provider] if a.provider else [])
    quotes = [quote(work, o) for o in found.found]
    billed = [q for q in quotes if q.bill is not None]
    if not billed:
        return None, "; ".join(dict.fromkeys(n for q in quotes for n in q.notes)) or "nobody sells it"
    return min(billed, key=lambda q: q.bill.total if q.bill else Decimal(0)), ""


def _most(a: Account, work: Workload) -> tuple[float, str]:
    """Requests a minute that limits let through, and the limit that binds."""
    each = {
        "requests": 1.0, "tokens": float(work.prompt + work.output), "inputs": float(work.prompt), "outputs": float(work.output),
    }  # fmt: skip
    caps = {
        said: limit / each[k] for k, said in _PER_MINUTE.items() if (limit := getattr(a, k)) is not None and each[k]
    }
    if not caps:
        return math.inf, ""
    binds = min(caps, key=lambda said: caps[said])
    return caps[binds], binds
