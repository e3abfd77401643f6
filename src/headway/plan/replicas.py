"""What replicas carry within limits: the best layout by the mean field, then simulations of one and of several."""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

from headway import units
from headway.economics.staffing import Staffing, staffing
from headway.errors import PhysicsError
from headway.parallel import Layout
from headway.plan.benches import Window
from headway.plan.capacity import Capacity, find_capacity
from headway.plan.capacity_search import Tell
from headway.plan.choose import fitting_layouts
from headway.plan.loops import most_flying
from headway.plan.operations import Words
from headway.plan.slo import Slo
from headway.questions import Request
from headway.serving import Setting, setting

MANY = (4, 8)  # replicas that are simulated together, beside one alone
_CLOSEST = 3  # layouts of which one replica is simulated: the mean field's best
_ROUTER = "least-loaded"
_ROUNDS, _FEWEST = 24, 4000  # of those in flight; requests of a run


@dataclass(frozen=True)
class Carried:
    """What replicas of the best layout carry within limits.

    Attributes
    ----------
    layout : Layout
    compared : int
        Layouts that meet the limits on average. [layouts]
    staffing : Staffing
        From the mean over the seeds.
    capacities : tuple of Capacity
        Of one replica and of several.
    ratios : (float, float)
        What a replica carries at the two ends of the times' 80 % interval, over what it carries; NaN of the ideal machine. [times]
    """

    layout: Layout
    compared: int
    staffing: Staffing
    capacities: tuple[Capacity, ...]
    ratios: tuple[float, float]

    @property
    def binds(self) -> str:
        """What is in the way of more on one replica."""
        return self.capacities[0].most.binds


def carried(
    request: Request, slo: Slo, seeds: int = 2, seed: int = 0, tell: Tell | None = None, many: tuple[int, ...] = MANY
) -> Carried:
    """Return what replicas of the layout that carries most per dollar carry within limits, one alone and several together.

    Parameters
    ----------
    request : Request
        Its layout, if any, is the only one looked at.
    slo : Slo
    seeds, seed : int
        Repeats of one replica alone, whose luck is the largest, and the seed of the first. [1]
    tell : callable or None
        Told how far it is.
    many : tuple of int
        Numbers of replicas that are simulated together. [replicas]

    Raises
    ------
    PhysicsError
        When the weights do not fit, or no layout meets the limits.
    """
    s = setting(request)
    options = layouts(s, request, slo)
    look = _Look(request, s, slo, seed, tell)
    layout = options[0]
    if len(options) > 1:  # the mean field knows means, the limits are shares of requests: what is close is simulated
        near = {c: look.at(c, 1, 1).most.value.value * s.replicas(c.chips) for c in options[:_CLOSEST]}
        layout = max(near, key=lambda c: near[c])
    one = look.at(layout, 1, seeds)
    if not one.most.value.value > 0:
        raise PhysicsError(
            f"no replica meets the limits: {layout} breaks {one.most.binds}; longer limits, another --layout or system are needed"
        )
    found = (one, *(look.at(layout, n, 1, _window(one, n)) for n in many))
    law = staffing([(c.bench.replicas, c.most.value.value / c.bench.replicas) for c in found])
    return Carried(layout, len(options), law, found, _ratios(one, slo, seed))


class _Look(NamedTuple):
    """Simulations of replicas within limits."""

    request: Request
    setting: Setting
    slo: Slo
    seed: int
    tell: Tell | None

    def at(self, layout: Layout, n: int, repeats: int, window: Window | None = None) -> Capacity:
        """What so many replicas of a layout carry."""
        chips = chips_for(self.setting, layout, n)
        asked = dataclasses.replace(self.request, layout=str(layout), tp=None, dp=None, ep=None, pp=None, chips=chips)
        said = f"{units.some(n, 'replica')} as {layout}"
        tell = None if self.tell is None else functools.partial(_say, self.tell, said)
        return find_capacity(
            asked, ttft=finite(self.slo.ttft), tpot=finite(self.slo.tpot), within=self.slo.within, seeds=repeats, seed=self.seed,
            window=window, words=Words(router=_ROUTER), speeds=(), tell=tell,
        )  # fmt: skip


def _say(tell: Tell, what: str, _: str, done: int, of: int) -> None:
    tell(what, done, of)


def _window(one: Capacity, replicas: int) -> Window:
    """So many requests that each replica has as many rounds of those in flight as a run of one that begins."""
    flying = max(x.flying for x in one.at)
    return Window(count=str(max(math.ceil(flying * replicas * _ROUNDS), _FEWEST)))


def finite(limit: float) -> float | None:
    """Return a limit, or None where there is none.

    Parameters
    ----------
    limit : float
        Infinite where there is none. [s]
    """
    return limit if math.isfinite(limit) else None


def layouts(s: Setting, request: Request, slo: Slo) -> list[Layout]:
    """Return the layouts whose mean times meet the limits, those that make most output of paid chips first.

    Parameters
    ----------
    s : Setting
    request : Request
    slo : Slo

    Raises
    ------
    PhysicsError
        When none meets them.
    """
    options = fitting_layouts(s, request)
    rates: dict[Layout, float] = {}
    for c in options:
        at, held = most_flying(s, c, 1, slo.ttft, slo.tpot), s.replicas(c.chips)
        if at is not None and held >= 1:
            rates[c] = float(at.output_rate) * held
    if not rates:
        limits = [f"{n} {units.seconds(x)}" for n, x in (("TTFT", slo.ttft), ("TPOT", slo.tpot)) if math.isfinite(x)]
        raise PhysicsError(
            f"none of {units.some(len(options), 'layout')} meets {' and '.join(limits)} on {s.system.name}, "
            "not even for one request at a time"
        )
    return sorted(rates, key=lambda c: -rates[c])


def chips_for(s: Setting, layout: Layout, replicas: int) -> int:
    """Return the chips of a system that holds so many replicas of a layout.

    Parameters
    ----------
    s : Setting
    layout : Layout
    replicas : int
        [replicas]
    """
    whole, rest = divmod(replicas, s.replicas(layout.chips))
    return whole * s.system.chips + rest * layout.chips


def _ratios(c: Capacity, slo: Slo, seed: int) -> tuple[float, float]:
    """What one replica carries when its times are those of the interval's ends, over what it carries.

    A machine f times as slow under limits L does what this one does under limits L / f, f times as slowly.
    """
    if c.spread is None:
        return math.nan, math.nan
    base, found = c.most.found[0], list[float]()
    for times in c.spread.around(1.0):
        ttft, tpot = finite(slo.ttft / times), finite(slo.tpot / times)
        at = find_capacity(
            c.bench.request, ttft=ttft, tpot=tpot, within=slo.within, seeds=1, seed=seed, words=c.bench.words, speeds=()
        )
        found.append(at.most.value.value / times / base)
    return found[0], found[1]
