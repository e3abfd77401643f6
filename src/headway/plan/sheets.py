"""What every tier charges for input, cached input and output, up to which prompt: never below what it costs there."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from headway import units
from headway.economics import PriceSheet, Usage, bill
from headway.economics.bills import ContextStep, Prices
from headway.errors import InputError
from headway.parallel import Layout
from headway.plan.costs import TokenCost, token_costs
from headway.plan.make import cheapest_place
from headway.plan.speeds import Speed, SpeedCurve
from headway.plan.tiers import Designed, TierSheet
from headway.questions import Request
from headway.serving import Answer, Setting, answer, case

Curves = Callable[[float, Layout], SpeedCurve | None]  # (prompt, layout); None where memory does not hold one sequence
_FURTHER = 4.0  # from one step of the context to the next, where nobody says any
_HITS = 0.5  # share of a prompt that is found, where cached input is priced and nobody says how much
_WITHIN = 5  # lengths of prompts within a range at which costs are looked at
_FIGURES = 4  # of a price


@dataclass(frozen=True, slots=True)
class PricedRange:
    """A tier's prices up to a length of prompt.

    Attributes
    ----------
    upto : float
        Longest prompt. [tokens]
    at : Speed
        How the tier runs there: of its speed, with as many sequences as that and memory allow.
    costs : tuple of TokenCost
        Of input, cached input and output there.
    hold : float
        Of keeping a cached prompt, beside its passes. [$/Mtok]
    prices : tuple of Decimal
        Of input, cached input and output. [$/Mtok]
    """

    upto: float
    at: Speed
    costs: tuple[TokenCost, TokenCost, TokenCost]
    hold: float
    prices: tuple[Decimal, Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class PricedTier:
    """A tier's prices, range by range.

    Attributes
    ----------
    name : str
    ranges : tuple of PricedRange
        The shortest first.
    stops : str
        Why longer prompts are not sold; "" where all are.
    """

    name: str
    ranges: tuple[PricedRange, ...]
    stops: str

    @property
    def sheet(self) -> PriceSheet:
        """The same as a price list that bills: a prompt beyond a step is repriced as a whole."""
        first = self.ranges[0].prices
        pairs = zip(self.ranges, self.ranges[1:], strict=False)
        steps = [ContextStep(Decimal(int(a.upto)), Prices(b.prices[0], b.prices[2], b.prices[1])) for a, b in pairs]
        return PriceSheet(first[0], first[2], cache_hit=first[1], steps=tuple(steps))

    def cheapest_cut(self, output: float) -> tuple[float, int, float]:
        """Return what cutting a prompt into pieces of a lower step pays of the whole one's bill, at the least.

        Parameters
        ----------
        output : float
            Tokens of the answer, which the pieces share. [tokens]

        Returns
        -------
        (float, int, float)
            Share of the bill, pieces, and the prompt; (1, 1, 0) where no cut is cheaper. The pieces do not see one another: it is
            another request.
        """
        best = (1.0, 1, 0.0)
        for i, longer in enumerate(self.ranges):
            whole = bill(_usage(longer.upto, output), self.sheet).total
            for shorter in self.ranges[:i]:
                pieces = math.ceil(longer.upto / shorter.upto)
                part = bill(_usage(longer.upto / pieces, output / pieces), self.sheet).total
                share = float(pieces * part / whole)
                best = min(best, (share, pieces, longer.upto))
        return best


def _usage(prompt: float, output: float) -> Usage:
    return Usage(input=Decimal(int(prompt)), output=Decimal(max(int(output), 1)))


def read_steps(text: str) -> list[float]:
    """Read lengths of prompts by comma, from the shortest: ``32k,128k``. [tokens]

    Parameters
    ----------
    text : str

    Raises
    ------
    InputError
        When they cannot be read, or do not rise.
    """
    found = [float(units.parse(part.strip(), units.TOKENS, "--steps")) for part in text.split(",")]
    if any(b <= a for a, b in zip([0.0, *found], found, strict=False)):
        raise InputError(f"--steps {text}: lengths of prompts must rise, like 32k,128k")
    return found


def price_sheet(request: Request, sheet: TierSheet, steps: Sequence[float] = ()) -> tuple[PricedTier, ...]:
    """Return what every tier charges for input, cached input and output.

    Parameters
    ----------
    request : Request
        That the tiers were designed of.
    sheet : TierSheet
    steps : sequence of float
        Longest prompts of each range, the last at the end of the sheet; empty: the request's, and four times that, and so on up to
        the model's longest. [tokens]

    Raises
    ------
    InputError
        When answers alone are longer than the model's context.

    Notes
    -----
    A tier keeps its speed at every length, with fewer sequences the longer they are, and stops where one alone is slower or does not
    fit. Output costs most at the longest prompts of a range, input often at the shortest, so the price of each is the highest average cost
    of a full machine within the range over (1 - margin): nowhere less than the marginal. Cached input pays for being kept, too.
    """
    s = sheet.setting
    longest = s.model.max_context - s.output
    if longest < 1:
        raise InputError(
            f"--output: answers of {s.output:,.0f} tokens leave no room for a prompt in the {s.model.max_context:,} of {s.model.name}"
        )
    edges = [min(x, longest) for x in steps] if steps else _edges(s.prompt, longest)

    @functools.cache  # tiers that lie alike share their curves
    def curve(prompt: float, layout: Layout) -> SpeedCurve | None:
        there = dataclasses.replace(s, prompt=prompt)
        return SpeedCurve(there, layout) if there.account(layout).holds >= 1 else None

    return tuple(_priced(t, sheet, request.hits or _HITS, list(dict.fromkeys(edges)), curve) for t in sheet.tiers)


def _edges(prompt: float, longest: float) -> list[float]:
    found = [min(prompt, longest)]
    while found[-1] * 2 * _FURTHER <= longest:  # the last range is no narrower than half of the others
        found.append(found[-1] * _FURTHER)
    return [*found, longest]


def _priced(t: Designed, sheet: TierSheet, hits: float, edges: Sequence[float], curve: Curves) -> PricedTier:
    found: list[PricedRange] = []
    for upto in edges:
        s = dataclasses.replace(sheet.setting, prompt=upto)
        at = _running(t, curve(upto, t.at.layout), sheet)
        if at is None:
            before = f"beyond {found[-1].upto:,.0f} tokens" if found else "at any length"
            speed = f"of {units.some(upto, 'token')} keeps {units.rate(t.at.speed)} tok/s or fits"
            return PricedTier(t.name, tuple(found), f"{before}: not one prompt {speed}")
        there = _costs(s, at, hits)
        hold = cheapest_place(s, there[0].average)
        kept = 0.0 if hold is None else hold[1]
        most = [k.average for k in there]
        for shorter in np.geomspace(found[-1].upto if found else 1.0, upto, _WITHIN)[:-1].tolist():
            mine = dataclasses.replace(sheet.setting, prompt=shorter)
            run = _running(t, curve(shorter, t.at.layout), sheet)
            if run is not None:
                most = [max(x, k.average) for x, k in zip(most, _costs(mine, run, hits), strict=True)]
        most[1] += kept
        prices = tuple(_rounded_up(x / (1 - sheet.margin)) for x in most)
        if found:  # a longer range is never cheaper
            prices = tuple(map(max, prices, found[-1].prices))
        found.append(PricedRange(upto, at, there, kept, (prices[0], prices[1], prices[2])))
    return PricedTier(t.name, tuple(found), "")


def _costs(s: Setting, at: Speed, hits: float) -> tuple[TokenCost, TokenCost, TokenCost]:
    """Of input and output without a prefix cache, of cached input where a share of the prompt is found."""
    fresh, _, made = token_costs(_loaded(s, at))
    half, cached, after = token_costs(_loaded(dataclasses.replace(s, hits=hits), at))
    return (
        max(fresh, half, key=_average),
        dataclasses.replace(cached, average=_average(cached)),
        max(made, after, key=_average),
    )


def _average(k: TokenCost) -> float:
    return k.average if k.rate else 0.0


def _running(t: Designed, curve: SpeedCurve | None, sheet: TierSheet) -> Speed | None:
    """How a tier runs prompts of some length: at its speed, or, where its only aim is the lowest cost, at that."""
    if curve is None:
        return None
    if t.at == sheet.floor:
        return min(curve.points, key=lambda p: p.cost)
    return curve.of_speed(t.at.tpot)


def _loaded(s: Setting, at: Speed) -> Answer:
    return answer(case(s, at.layout, batch=at.batch))


def _rounded_up(price: float) -> Decimal:
    """A price in few figures, never below what it was."""
    digits = _FIGURES - 1 - math.floor(math.log10(price)) if price > 0 else 0
    step = Decimal(1).scaleb(-digits)
    return (Decimal(price) / step).to_integral_value(rounding="ROUND_CEILING") * step
