"""Tiers of speed designed from the physics: what a token costs at every speed, what tiers can charge, what the market charges."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headway import units
from headway.catalog import catalogue
from headway.economics import implied_batch_cut
from headway.errors import InputError, PhysicsError, quoted
from headway.parallel import Layout
from headway.plan.choose import fitting_layouts
from headway.questions import Request, decoded
from headway.serving import Setting, answer, case, setting
from headway.shown import Shown

_POINTS = 48  # batches at which a layout's curve is computed
_MOST = 1 << 16  # sequences, where memory does not bound them
USUAL = "fast:2.5x,standard:1x,batch:cheapest"


@dataclass(frozen=True, slots=True)
class Speed:
    """A layout at a batch, under load: every seat taken, prompts and answers on the same chips.

    Attributes
    ----------
    layout : Layout
    batch : float
        Sequences of a replica. [sequences]
    tpot, ttft : float
        Mean times. [s]
    cost : float
        Of output, prompts included. [$/Mtok]
    output_rate : float
        Of the whole system. [tokens/s]
    """

    layout: Layout
    batch: float
    tpot: float
    ttft: float
    cost: float
    output_rate: float

    @property
    def speed(self) -> float:
        """Of one user. [tokens/s]"""
        return 1.0 / self.tpot


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
    """

    RECORD = "headway.records.tiers:tiers_record"
    TEXT = "headway.report.tiers:tiers_text"

    setting: Setting
    curve: tuple[Speed, ...]
    tiers: tuple[Designed, ...]
    market: tuple[OnTheMarket, ...]
    margin: float

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


class SpeedCurve:
    """Cost and TPOT of one layout against batch, at batches up to what memory holds."""

    def __init__(self, s: Setting, layout: Layout) -> None:
        self.s, self.layout = s, layout
        most = max(math.floor(min(s.account(layout).holds, _MOST)), 1)
        batches = np.unique(np.round(np.geomspace(1, most, _POINTS)))
        self.points = [self.at(float(b)) for b in batches]
        self.tpot = np.maximum.accumulate([p.tpot for p in self.points])

    @functools.cache  # noqa: B019 - a curve lives as long as its sheet is made
    def at(self, batch: float) -> Speed:
        """Return the layout at a batch.

        Parameters
        ----------
        batch : float
            Of a replica. [sequences]
        """
        found = answer(case(self.s, self.layout, batch=batch))
        cost = found.dollars_per_mtok
        return Speed(self.layout, batch, found.tpot, found.ttft, math.nan if cost is None else cost, found.output_rate)

    def of_speed(self, tpot: float) -> Speed | None:
        """Return the largest batch whose TPOT is no longer; None where one sequence alone takes longer.

        Parameters
        ----------
        tpot : float
            [s]
        """
        if self.tpot[0] > tpot * (1 + 1e-9):
            return None
        low, high = self.points[0].batch, self.points[-1].batch
        if self.points[-1].tpot <= tpot:
            return self.points[-1]
        while high - low > 1:
            middle = math.floor((low + high) / 2)
            low, high = (middle, high) if self.at(float(middle)).tpot <= tpot else (low, middle)
        return self.at(float(low))


def _envelope(curves: Sequence[SpeedCurve]) -> tuple[Speed, ...]:
    """The points of all layouts that no other beats in speed and cost."""
    found: list[Speed] = []
    for p in sorted((p for c in curves for p in c.points), key=lambda p: (p.tpot, p.cost)):
        if not found or p.cost < found[-1].cost:
            found.append(p)
    return tuple(found)


def _of_speed(curves: Sequence[SpeedCurve], tpot: float) -> Speed | None:
    found = [p for c in curves if (p := c.of_speed(tpot)) is not None]
    return min(found, key=lambda p: p.cost) if found else None


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
    request: Request, tiers: str = USUAL, *, standard: float | None = None, margin: float = 0.5
) -> TierSheet:
    """Return a price sheet of tiers: the cheapest layout and batch of each speed.

    Parameters
    ----------
    request : Request
        Its layout, if any, is the only one looked at.
    tiers : str
        As of `read_tiers`.
    standard : float or None
        Speed of the standard tier; None: half way, in ratios, between the fastest and the cheapest. [tokens/s]
    margin : float
        That every tier shall have at full load. [share]

    Raises
    ------
    InputError
        For tiers that cannot be read, a system without a price, requests without a prompt or an answer.
    PhysicsError
        When the weights do not fit, or no batch is as fast as a tier.

    Notes
    -----
    Cost is t(B)/B (lecture E4) with everything that a loaded step has; a tier's speed decides its batch, and its batch its cost.
    Past the batch of the lowest cost a slower tier saves nothing.
    """
    s = setting(request)
    if s.system.price is None:
        raise InputError(f"{s.system.name} has no price: give --price, like --price 2.5/h")
    if s.prompt < 1:
        raise InputError(f"--prompt: {s.prompt:g} must be at least 1 token")
    decoded(s.output)
    if not 0 <= margin < 1:
        raise InputError(f"--margin: {margin:g}; a share of the price is needed, from 0 to below 1")
    wanted = read_tiers(tiers)
    curves = [SpeedCurve(s, c) for c in fitting_layouts(s, request)]
    curve = _envelope(curves)
    slowest = min(curve, key=lambda p: p.cost).tpot
    tpot = math.sqrt(curve[0].tpot * slowest) if standard is None else 1.0 / standard
    base = _of_speed(curves, tpot)
    if base is None:
        raise PhysicsError(
            f"no batch gives {units.rate(1 / tpot)} tok/s: at most {units.rate(curve[0].speed)}, at batch {curve[0].batch:g}"
        )
    found = [_designed(curves, curve, base, name, times, margin) for name, times in wanted]
    measure = next(t for t in found if t.name == "standard")
    return TierSheet(s, curve, tuple(_paying(t, measure) for t in found), _market(curves, curve, base), margin)


def _designed(
    curves: Sequence[SpeedCurve], curve: Sequence[Speed], base: Speed, name: str, times: float, margin: float
) -> Designed:
    at = (
        min(curve, key=lambda p: p.cost)
        if times == 0
        else base
        if name == "standard"
        else _of_speed(curves, base.tpot / times)
    )
    if at is None:
        most = base.tpot / curve[0].tpot
        raise PhysicsError(
            f"tier {name}: {times:g}x of {units.rate(base.speed)} tok/s is beyond the latency limit of "
            f"{units.rate(curve[0].speed)} tok/s at batch {curve[0].batch:g} as {curve[0].layout}: at most {most:.2f}x"
        )
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


def bought(curve: Sequence[Speed], base: Speed, times: float) -> float:
    """Return the speed over a base's that so many times its cost pay for; NaN where that is below the lowest cost. [times]

    Parameters
    ----------
    curve : sequence of Speed
        The cheapest way to every speed, the fastest first.
    base : Speed
    times : float
        [times]
    """
    fastest = next((p for p in curve if p.cost <= times * base.cost * (1 + 1e-9)), None)
    return base.tpot / fastest.tpot if fastest else math.nan


def _market(curves: Sequence[SpeedCurve], curve: Sequence[Speed], base: Speed) -> tuple[OnTheMarket, ...]:
    found: list[OnTheMarket] = []
    for row in catalogue().table("speed_tiers").rows:
        price, speed = (float(row[name] or "nan") for name in ("price_mult", "speed_mult"))
        at = _of_speed(curves, base.tpot / speed) if speed > 0 else None
        cut = float(implied_batch_cut(price, speed))
        cost = math.nan if at is None else at.cost / base.cost
        found.append(
            OnTheMarket(row["tier"], price, speed, cut, cost, bought(curve, base, price), row["source"], row["date"])
        )
    return tuple(found)
