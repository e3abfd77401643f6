"""Tiers of speed designed from the physics: what a token costs at every speed, what tiers can charge, what the market charges."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from headway import units
from headway.catalog import catalogue
from headway.economics import implied_batch_cut
from headway.errors import InputError, PhysicsError, quoted
from headway.plan.choose import fitting_layouts
from headway.plan.speeds import Speed, SpeedCurve, bought, envelope, of_speed
from headway.questions import Request, decoded
from headway.serving import Setting, setting
from headway.shown import Shown

USUAL = "fast:2.5x,standard:1x,batch:cheapest"


@dataclass(frozen=True, slots=True)
class Designed:
    """A tier of the sheet.

    Attributes
    ----------
    name : str
    at : Speed
    times : float
        Its speed over the standard tier's. [times]
    cost_times, batch_cut : float
        Its cost over the standard tier's; the standard batch over its own, chip by chip. [times]
    price : float
        What it charges. [$/Mtok]
    marginal : float
        Cost of one more token at its batch: what a further sequence adds to the passes. [$/Mtok]
    pays_from : float
        Value of an hour from which paying for it instead of the standard tier pays; NaN where it is not the dearer one. [$/h]
    """

    name: str
    at: Speed
    times: float
    cost_times: float
    batch_cut: float
    price: float
    marginal: float
    pays_from: float

    @property
    def margin(self) -> float:
        """At full load. [share]"""
        return 1 - self.at.cost / self.price

    @property
    def loses_below(self) -> float:
        """Share of its full load below which it loses money. [share]"""
        return self.at.cost / self.price


@dataclass(frozen=True, slots=True)
class Beyond:
    """A tier that no batch is fast enough for.

    Attributes
    ----------
    name : str
    times, most : float
        Speed over the standard tier's that it was to have, and that one sequence alone has. [times]
    speed : float
        Of the standard tier. [tokens/s]
    fastest : Speed
        The latency limit.
    """

    name: str
    times: float
    most: float
    speed: float
    fastest: Speed

    def __str__(self) -> str:
        return (
            f"tier {self.name}: {self.times:g}x of {units.rate(self.speed)} tok/s is beyond the latency limit of "
            f"{units.rate(self.fastest.speed)} tok/s at batch {self.fastest.batch:g} as {self.fastest.layout}: at most {self.most:.2f}x"
        )


@dataclass(frozen=True, slots=True)
class OnTheMarket:
    """A real speed tier, laid on the curve.

    Attributes
    ----------
    name : str
    price_times, speed_times : float
        Over its provider's standard tier. [times]
    batch_cut : float
        That a fleet without other margins would need: their product (lecture 1.1, SYS-A9). [times]
    cost_times : float
        What that speed costs here over the standard tier; NaN where no batch is so fast. [times]
    buys : float
        Speed over the standard tier's that the price pays for here, at equal margins; NaN without a price. [times]
    source, date : str
    """

    name: str
    price_times: float
    speed_times: float
    batch_cut: float
    cost_times: float
    buys: float
    source: str
    date: str

    @property
    def covered_from(self) -> float:
        """Margin of the standard tier from which it is not below cost; 0 where it never is. [share]"""
        return max(1 - self.price_times / self.cost_times, 0.0)

    def margin(self, standard: float) -> float:
        """Return its margin where the standard tier has one. [share]

        Parameters
        ----------
        standard : float
            Margin of the standard tier. [share]
        """
        return 1 - self.cost_times * (1 - standard) / self.price_times


@dataclass(frozen=True, repr=False)
class TierSheet(Shown):
    """A price sheet of speed tiers.

    Attributes
    ----------
    setting : Setting
    curve : tuple of Speed
        The cheapest way to every speed, the fastest first.
    tiers : tuple of Designed
    market : tuple of OnTheMarket
    margin : float
        That every tier shall have at full load. [share]
    beyond : tuple of Beyond
        Usual tiers that this system cannot offer.
    """

    RECORD = "headway.records.tiers:tiers_record"
    TEXT = "headway.report.tiers:tiers_text"

    setting: Setting
    curve: tuple[Speed, ...]
    tiers: tuple[Designed, ...]
    market: tuple[OnTheMarket, ...]
    margin: float
    beyond: tuple[Beyond, ...] = ()

    @property
    def standard(self) -> Designed:
        """The tier that the others are measured by."""
        return next(t for t in self.tiers if t.name == "standard")

    @property
    def floor(self) -> Speed:
        """The lowest cost at any speed."""
        return min(self.curve, key=lambda x: x.cost)

    @property
    def fastest(self) -> Speed:
        """The highest speed at any cost: the latency limit."""
        return self.curve[0]

    @property
    def saves_at_most(self) -> float:
        """Share of the standard tier's cost that the slowest tier can save. [share]"""
        return 1 - self.floor.cost / self.standard.at.cost

    def brief(self) -> str:
        """Return the headline in one line."""
        return f"{self.setting.model.name} on {self.setting.system.name}: " + ", ".join(
            f"{t.name} {t.at.speed:,.3g} tok/s at {units.dollars(t.price)}/Mtok" for t in self.tiers
        )


def read_tiers(text: str) -> list[tuple[str, float]]:
    """Return names and speeds over the standard tier's, ``standard`` always among them; 0 for the cheapest.

    Parameters
    ----------
    text : str
        ``fast:2.5x,standard:1x,batch:cheapest``.

    Raises
    ------
    InputError
        When it cannot be read.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, said = (x.strip().lower() for x in part.partition(":"))
        try:
            times = 0.0 if said == "cheapest" else float(said.removesuffix("x"))
        except ValueError:
            times = math.nan
        if not name or name in found or not (times > 0 or said == "cheapest") or not math.isfinite(times):
            raise InputError(
                f"--tiers: {quoted(part)} is no tier; each reads like fast:2.5x (speed over the standard), batch:cheapest"
            )
        found[name] = times
    if found.setdefault("standard", 1.0) != 1.0:
        raise InputError("--tiers: the standard tier is the measure of the others, so its speed is 1x")
    return sorted(found.items(), key=lambda x: -x[1])


def design_tiers(
    request: Request, tiers: str | None = None, *, standard: float | None = None, margin: float = 0.5
) -> TierSheet:
    """Return a price sheet of tiers: the cheapest layout and batch of each speed.

    Parameters
    ----------
    request : Request
        Its layout, if any, is the only one looked at.
    tiers : str or None
        As of `read_tiers`; None: `USUAL`, without those that no batch is fast enough for.
    standard : float or None
        Speed of the standard tier; None: half way, in ratios, between the fastest and the cheapest. [tokens/s]
    margin : float
        That every tier shall have at full load. [share]

    Raises
    ------
    InputError
        For tiers that cannot be read, a system without a price, requests without a prompt or an answer.
    PhysicsError
        When the weights do not fit, or no batch is as fast as a tier that was asked for.

    Notes
    -----
    Cost is t(B)/B (lecture E4) with everything that a loaded step has; a tier's speed decides its batch, and its batch its cost.
    Past the batch of the lowest cost a slower tier saves nothing.
    """
    s = _asked(request, margin)
    wanted = read_tiers(tiers or USUAL)
    curves = [SpeedCurve(s, c) for c in fitting_layouts(s, request)]
    curve = envelope(curves)
    slowest = min(curve, key=lambda p: p.cost).tpot
    tpot = math.sqrt(curve[0].tpot * slowest) if standard is None else 1.0 / standard
    base = of_speed(curves, tpot)
    if base is None:
        raise PhysicsError(
            f"no batch gives {units.rate(1 / tpot)} tok/s: at most {units.rate(curve[0].speed)}, at batch {curve[0].batch:g}"
        )
    most = base.tpot / curve[0].tpot
    beyond = [Beyond(name, times, most, base.speed, curve[0]) for name, times in wanted if times > most * (1 + 1e-9)]
    if tiers and beyond:
        raise PhysicsError(str(beyond[0]))
    left_out = {b.name for b in beyond}
    found = [_designed(curves, curve, base, name, times, margin) for name, times in wanted if name not in left_out]
    measure = next(t for t in found if t.name == "standard")
    priced = tuple(_paying(t, measure) for t in found)
    return TierSheet(s, curve, priced, _market(curves, curve, base), margin, tuple(beyond))


def _asked(request: Request, margin: float) -> Setting:
    s = setting(request)
    if s.system.price is None:
        raise InputError(f"{s.system.name} has no price: give --price, like --price 2.5/h")
    if s.prompt < 1:
        raise InputError(f"--prompt: {s.prompt:g} must be at least 1 token")
    decoded(s.output)
    if not 0 <= margin < 1:
        raise InputError(f"--margin: {margin:g}; a share of the price is needed, from 0 to below 1")
    return s


def _designed(
    curves: Sequence[SpeedCurve], curve: Sequence[Speed], base: Speed, name: str, times: float, margin: float
) -> Designed:
    fastest = of_speed(curves, base.tpot / times) if times and name != "standard" else base
    at = min(curve, key=lambda p: p.cost) if times == 0 else fastest or curve[0]
    mine = next(c for c in curves if c.layout == at.layout)
    return Designed(
        name, at, base.tpot / at.tpot, at.cost / base.cost, (base.batch / base.layout.chips) / (at.batch / at.layout.chips),
        at.cost / (1 - margin), _marginal(mine, at), math.nan,
    )  # fmt: skip


def _marginal(curve: SpeedCurve, at: Speed) -> float:
    """What one more sequence adds to the rent of its tokens: d(seconds)/d(sequences). [$/Mtok]"""
    low, high = curve.at(max(at.batch - 1, 1.0)), at
    if high.batch == low.batch:
        high = curve.points[min(1, len(curve.points) - 1)]
    added = high.output_rate - low.output_rate
    if high.batch == low.batch or added <= 0:
        return at.cost
    # rent per second is the same at both: a sequence more makes every pass longer for those aboard
    slower = (high.tpot - low.tpot) / (high.batch - low.batch)
    return at.cost * min(slower * at.batch / at.tpot, 1.0)


def _paying(t: Designed, standard: Designed) -> Designed:
    hours = 1e6 / 3600 * (standard.at.tpot - t.at.tpot)  # that a million tokens come sooner
    dearer = t.price - standard.price
    return dataclasses.replace(t, pays_from=dearer / hours) if hours > 0 and dearer > 0 else t


def _market(curves: Sequence[SpeedCurve], curve: Sequence[Speed], base: Speed) -> tuple[OnTheMarket, ...]:
    found: list[OnTheMarket] = []
    for row in catalogue().table("speed_tiers").rows:
        price, speed = (float(row[name] or "nan") for name in ("price_mult", "speed_mult"))
        at = of_speed(curves, base.tpot / speed) if speed > 0 else None
        cut = float(implied_batch_cut(price, speed))
        cost = math.nan if at is None else at.cost / base.cost
        found.append(
            OnTheMarket(row["tier"], price, speed, cut, cost, bought(curve, base, price), row["source"], row["date"])
        )
    return tuple(found)
