"""A running server beside its roofline: what its metrics say happened between two scrapes, in the lecture's variables."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

from headway.catalog import catalogue
from headway.errors import InputError, PhysicsError
from headway.measure.scrapes import Histogram, Scrape
from headway.measure.watching_load import At, Met, at_load
from headway.measure.watching_past import Drift
from headway.parallel import Layout, check
from headway.questions import AUTO, Request
from headway.serving import Setting, setting
from headway.shown import Shown


@dataclass(frozen=True)
class Watched:
    """Who is watched.

    Attributes
    ----------
    setting : Setting
        Model, system and engine, resolved as for every other verb.
    layout : Layout
        Of a replica; copies of it fill the system.
    copies : int
        Replicas whose metrics are summed. [1]
    ttft, tpot : float
        Limits of the means; infinite without. [s]
    context : float
        Of a decoding sequence, where the metrics do not tell it; NaN where nobody said. [tokens]
    remarks : tuple of str
        What was assumed.
    """

    setting: Setting
    layout: Layout
    copies: int
    ttft: float = math.inf
    tpot: float = math.inf
    context: float = math.nan
    remarks: tuple[str, ...] = ()

    @property
    def rent(self) -> float:
        """Of all chips of the system; NaN without a price. [$/s]"""
        s = self.setting.system
        return math.nan if s.price is None else s.price * s.chips


def watched(request: Request, family: str = "", ttft: float = math.inf, tpot: float = math.inf) -> Watched:
    """Resolve who is watched.

    Parameters
    ----------
    request : Request
        Its layout left open means all chips of the system in one replica, by tensor parallelism.
    family : str
        The engine that the metrics come from, in headway's words: its profile is taken where the request names none.
    ttft, tpot : float
        Limits of the means. [s]

    Raises
    ------
    InputError
        Unknown names; a layout that does not divide the model.
    PhysicsError
        When the weights do not fit: then it is another model, format or machine that runs.
    """
    remarks: list[str] = []
    if request.engine == AUTO and family:
        request = dataclasses.replace(request, engine=family)
        remarks.append(f"estimates as of {family}, whose metrics these are (--engine says otherwise)")
    s = setting(request)
    layout = s.only
    if layout is None:
        layout = Layout(tp=s.system.chips)
        if s.system.chips > 1:
            remarks.append(f"taken as one replica of {layout} (--layout says otherwise)")
    check(s.model, layout)
    account = s.account(layout)
    if account.weights > account.capacity:
        raise PhysicsError(
            f"{s.model.name} as {layout} does not fit on {s.system.name}: it is another model, format or machine that runs; say which "
            "with --model, --precision, --on or --layout"
        )
    copies = max(s.system.chips // layout.chips, 1)
    if s.system.price is None:
        remarks.append(f"{s.system.name} has no price in the catalogue: no dollars without --price")
    lengths = (request.context, request.prompt, request.output)
    context = math.nan if lengths == (None, None, None) else s.prompt + s.output / 2
    return Watched(s, layout, copies, ttft, tpot, context, tuple(remarks))


def choose(scrapes: list[Scrape], asked: str, model: str) -> tuple[Scrape, str]:
    """Return the model of a port that is watched, and what is said of the others.

    Parameters
    ----------
    scrapes : list of Scrape
        Of one moment, one for each model.
    asked : str
        Its name as served, or "": then the one that is called like the model, else the busiest.
    model : str
        The model of the roofline.

    Raises
    ------
    InputError
        When none has the name asked for.
    """
    names = [s.model for s in scrapes]
    if asked:
        found = next((s for s in scrapes if s.model == asked), None)
        if found is None:
            raise InputError(f"--served {asked!r}: this port serves {', '.join(map(repr, names))}")
        return found, ""
    if len(scrapes) == 1:
        return scrapes[0], ""
    alike = [s for s in scrapes if _same(s.model, model)]
    found = alike[0] if alike else max(scrapes, key=lambda s: s.values.get("output_tokens", 0.0))
    return (
        found,
        f"two or more models on this port ({', '.join(names)}): {found.model} is watched, --served NAME takes another",
    )


def _same(served: str, model: str) -> bool:
    table = catalogue().table("models")
    one, other = table.find(served), table.find(model)
    return served == model or (one is not None and one == other)


@dataclass(frozen=True, repr=False)
class Reading(Shown):
    """What happened between two scrapes of a server.

    Attributes
    ----------
    when : float
        Of the second scrape. [s since 1970]
    family, model, system, layout : str
        Whose metrics; as served; the machine and a replica's layout on it.
    met : Met
        What the metrics say.
    at : At or None
        The roofline at this very load; None while nothing ran.
    ttft, gap : Histogram or None
        Observed in between.
    limits : tuple of float
        Of TTFT and TPOT; infinite without. [s]
    drift : Drift or None
        From its own past; None before there is one.
    rent : float
        Of the system; NaN without a price. [$/s]
    remarks : tuple of str
        What could not be read, and what was assumed.
    """

    RECORD = "headway.records.watch:reading_record"
    TEXT = "headway.report.watch:reading_text"

    when: float
    family: str
    model: str
    system: str
    layout: str
    met: Met
    at: At | None
    ttft: Histogram | None
    gap: Histogram | None
    limits: tuple[float, float] = (math.inf, math.inf)
    drift: Drift | None = None
    rent: float = math.nan
    remarks: tuple[str, ...] = field(default_factory=tuple[str, ...])

    @property
    def over_floor(self) -> float:
        """A pass, as its sequences see it, over the ideal machine's at this load; NaN while nothing ran. [times]"""
        return self.met.pass_seconds / self.at.floor if self.at is not None else math.nan

    @property
    def over_estimate(self) -> float:
        """The same over what the engine's profile estimates at this load. [times]"""
        return self.met.pass_seconds / self.at.estimate if self.at is not None else math.nan

    @property
    def allocation(self) -> float:
        """The whole rent over the output; NaN without a price or output. [$/Mtok]"""
        return self.rent / self.met.output_rate * 1e6 if self.met.output_rate > 0 else math.nan

    @property
    def usage(self) -> float:
        """The rent while passes ran over the output. [$/Mtok]"""
        return self.allocation * self.met.busy

    @property
    def split(self) -> tuple[float, float]:
        """The whole rent shared out: per computed prompt token and per output token, prompts paying what they add. [$/Mtok]"""
        if self.at is None or not self.met.output_rate > 0:
            return math.nan, math.nan
        prompts = self.rent * self.at.prompt_share
        fresh = self.met.prompt_rate - self.met.found_rate
        return prompts / fresh * 1e6 if fresh > 0 else math.nan, (self.rent - prompts) / self.met.output_rate * 1e6

    @property
    def saved_dollars_rate(self) -> float:
        """What the prefix cache saves: chips that need not compute what was found. [$/s]"""
        return self.rent * self.at.saved if self.at is not None else math.nan

    @property
    def within(self) -> tuple[float, float]:
        """Shares of requests within the TTFT limit and of gaps within the TPOT limit; NaN where it is not known. [share]"""
        found = [
            h.within(limit) if h is not None and math.isfinite(limit) else math.nan
            for h, limit in zip((self.ttft, self.gap), self.limits, strict=True)
        ]
        return found[0], found[1]

    def brief(self) -> str:
        """Return the headline in one line."""
        return (
            f"{self.model or self.family} on {self.system}: {self.met.batch:.3g} sequences, {self.met.output_rate:.4g} tokens/s, "
            f"{self.over_floor:.3g}x its floor"
        )


def reading(who: Watched, before: Scrape, after: Scrape, when: float, drift: Drift | None = None) -> Reading:
    """Return what happened between two scrapes.

    Parameters
    ----------
    who : Watched
    before, after : Scrape
        Of one model; `after` must not have fallen.
    when : float
        Of the second. [s since 1970]
    drift : Drift or None

    Raises
    ------
    InputError
        When no time has passed, or the counters have fallen: the server was restarted in between.
    """
    if not after.at > before.at:
        raise InputError("two scrapes of the same moment: nothing can have happened between them")
    if after.fell(before):
        raise InputError("the server was restarted: its counters begin anew")
    met = Met.between(before, after, who.copies)
    if math.isnan(met.context):
        told = "given" if math.isfinite(who.context) else ""
        lacks = (
            ()
            if told or not met.decodes
            else ("its metrics do not tell how long contexts are: --context gives the roofline",)
        )
        met = dataclasses.replace(met, context=who.context, context_from=told, lacks=(*met.lacks, *lacks))
    at = at_load(who.setting, who.layout, who.copies, met, who.tpot)
    since = {q: h.less(before.histograms[q]) for q, h in after.histograms.items() if q in before.histograms}
    return Reading(
        when, after.family, after.model, who.setting.system.name, str(who.layout), met, at, since.get("ttft"), since.get("tpot"),
        (who.ttft, who.tpot), drift, who.rent, (*who.remarks, *met.lacks),
    )  # fmt: skip
