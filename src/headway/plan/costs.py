"""What input, cached input and output cost where they share passes, why, and the energy: from the mean field of a load."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from headway.batching import FAR
from headway.economics import OwnedPrice
from headway.errors import InputError, PhysicsError
from headway.plan.answer import Plan
from headway.plan.energies import Joules, joules
from headway.plan.make import make_plan
from headway.plan.traffic import AtRate, at_rate
from headway.questions import Request
from headway.roofline import Load
from headway.serving import Answer, Setting, answer, case
from headway.serving.case import beat, decode_tokens
from headway.serving.loops import work
from headway.serving.loops.workload import decoding, prompts
from headway.shown import Shown

KINDS = ("input", "cached input", "output")
Axis = Literal["batch", "context", "hits", "load"]
_NORMAL = 500.0  # requests in flight
AXES: tuple[Axis, ...] = ("batch", "context", "hits", "load")


@dataclass(frozen=True, slots=True)
class TokenCost:
    """What one kind of token costs.

    Attributes
    ----------
    name : str
        ``input`` (computed), ``cached input`` (found in the prefix cache), ``output``.
    rate : float
        Of the whole system. [tokens/s]
    share : float
        Of the rent that falls to it. [share]
    marginal, average, floor : float
        What one more of them adds to passes; its share of the rent over its volume; what no batch lowers; NaN where there are
        none. [$/Mtok]
    """

    name: str
    rate: float
    share: float
    marginal: float
    average: float
    floor: float


@dataclass(frozen=True, repr=False)
class Costs(Shown):
    """What tokens cost under a load.

    Attributes
    ----------
    answer : Answer
        The load: its case says layout, replicas, sequences.
    rate : float
        Requests that flow. [requests/s]
    busy : float
        Of the time, passes run. [share]
    rent : float
        Of all chips. [$/s]
    kinds : tuple of TokenCost
        Input, cached input, output.
    hold : (str, float) or None
        The cheapest place to keep a cached prompt for the usual time to live, and what that costs beside its passes. [$/Mtok]
    energy : Joules or None
        None where the chip's power is not known.
    owned : OwnedPrice or None
        Where the rent is that of chips that one owns.
    """

    RECORD = "headway.records.costs:costs_record"
    TEXT = "headway.report.costs:costs_text"

    answer: Answer
    rate: float
    busy: float
    rent: float
    kinds: tuple[TokenCost, ...]
    hold: tuple[str, float] | None
    energy: Joules | None
    owned: OwnedPrice | None = None

    @property
    def setting(self) -> Setting:
        """Model, system, engine."""
        return self.answer.case.setting

    @property
    def all_output(self) -> float:
        """The whole rent over the output. [$/Mtok]"""
        return 1e6 * self.rent / self.kind("output").rate

    def kind(self, name: str) -> TokenCost:
        """Return one kind of token."""
        return next(k for k in self.kinds if k.name == name)

    def brief(self) -> str:
        """Return the headline in one line."""
        said = ", ".join(f"{k.name} ${k.average:,.4g}/Mtok" for k in self.kinds if not math.isnan(k.average))
        return f"{self.setting.model.name} on {self.setting.system.name} as {self.answer.case.layout}: {said}"


def costs(request: Request, *, owned: OwnedPrice | None = None) -> Costs:
    """Return what input, cached input and output cost on a model and a system, under a load.

    Parameters
    ----------
    request : Request
        Its batch (or `concurrency`) is kept full; with `arrivals` only so many requests come. `hits` is the share of prompts that
        a prefix cache holds.
    owned : OwnedPrice or None
        Of the system's chips, instead of a rent.

    Raises
    ------
    InputError
        When nobody knows a price.
    PhysicsError
        When it does not fit, or the arrivals are more than it carries.

    Notes
    -----
    A pass that carries prompts beside answers would take its answers' time without them: that time is the answers', each sequence an
    equal part; what prompts add is theirs, of that what reading the found part adds is cached input's. Idle time and idle chips fall to
    each in proportion, so that average costs times volumes are the rent (`Simulated.prices` counts the same of runs that were run).
    At a rate of arrivals the number in flight is a Poisson variable, spread evenly: replicas beyond it idle (of one, e^-n of the time).
    """
    return _of(make_plan(request), request, owned)


def _of(plan: Plan, request: Request, owned: OwnedPrice | None) -> Costs:
    at = None
    if request.arrivals is not None:
        at = at_rate(plan.loaded, request.arrivals)
        if at is None:
            raise PhysicsError(
                f"--arrivals: {request.arrivals:g} requests/s are more than the {plan.capacity:.3g} that these chips carry: the queue grows"
            )
    return _cost(at.answer if at else plan.loaded, at, owned, plan.cached)


class _Spent(NamedTuple):
    """What passes of a load are spent on.

    Attributes
    ----------
    rate, rent : float
        [requests/s, $/s]
    parts : tuple of float
        Of a request: its computed prompt, its found part, its answer. [s]
    passes : float
        Decode passes for each token over those of the load's mean. [times]
    busy : float
        Of the time, passes run. [share]
    """

    rate: float
    rent: float
    parts: tuple[float, float, float]
    passes: float
    busy: float


def token_costs(a: Answer) -> tuple[TokenCost, TokenCost, TokenCost]:
    """Return what input, cached input and output cost where every seat is taken.

    Parameters
    ----------
    a : Answer
    """
    return _kinds(a, _spent(a, None, None))


def _cost(a: Answer, at: AtRate | None, owned: OwnedPrice | None, hold: tuple[str, float] | None) -> Costs:
    found = _spent(a, at, owned)
    energy = joules(a, found.rate, found.busy, found.passes)
    return Costs(a, found.rate, found.busy, found.rent, _kinds(a, found), hold, energy, owned)


def _spent(a: Answer, at: AtRate | None, owned: OwnedPrice | None) -> _Spent:
    c, s = a.case, a.case.setting
    price = owned.price if owned else s.system.price
    if price is None:
        raise InputError(f"no price is known for {s.system.name}: give one with --price 2.5/h, or --owned")
    if s.output < 1:
        raise InputError("--output: costs are per token of input and output; at least 1 of each is needed")
    rate = a.output_rate / s.output if at is None else at.rate
    prompt, alone = (float(x) for x in work(c.workload, a.seconds, s.numbers))
    answered = alone if at is None else max(occupied(at.in_flight, round(c.shares)) / rate - prompt, 0.0)
    read = min(_reading(a), prompt)
    parts = (prompt - read, read, answered)
    busy = min(rate / c.shares * sum(parts), 1.0)
    return _Spent(rate, s.system.chips * price, parts, answered / alone if alone else 1.0, busy)


def _kinds(a: Answer, spent: _Spent) -> tuple[TokenCost, TokenCost, TokenCost]:
    c, w = a.case, a.case.workload
    lengths = (float(w.fresh), float(w.found), c.setting.output)
    second = 1e6 * spent.rent / c.shares  # of one loop, in $ per million seconds
    full = 1e6 * spent.rent / (c.copies * c.layout.pp)  # the same where every stage of a pipeline has a micro-batch
    kinds: list[TokenCost] = []
    for name, part, length, floor in zip(KINDS, spent.parts, lengths, _floors(a), strict=True):
        share = part / sum(spent.parts)
        more = _one_more(a) if name == "output" else part / length if length else math.nan
        average = 1e6 * share * spent.rent / (spent.rate * length) if length else math.nan
        least = floor * full
        if name != "output":  # beside answers that wait for memory, and launches of the host, it is cheaper yet
            least = min(least, more * second)
        kinds.append(TokenCost(name, spent.rate * length, share, second * more, average, least))
    fresh, cached, output = kinds
    return fresh, cached, output


def occupied(in_flight: float, places: int) -> float:
    """Return how many places have something to do on average: E[min(N, places)], N a Poisson variable.

    Parameters
    ----------
    in_flight : float
        Mean of N. [requests]
    places : int
        Replicas, over which requests spread evenly. [1]
    """
    if in_flight > _NORMAL:  # a Poisson variable is normal, and its chances underflow
        wide, over = math.sqrt(in_flight), (places - in_flight) / math.sqrt(in_flight)
        below = (1 + math.erf(over / math.sqrt(2))) / 2
        return in_flight * below + places * (1 - below) - wide * math.exp(-(over**2) / 2) / math.sqrt(2 * math.pi)
    chance, beyond, found = math.exp(-in_flight), 1.0, 0.0
    for j in range(places):  # the sum of P(N > j)
        beyond -= chance
        found += max(beyond, 0.0)
        chance *= in_flight / (j + 1)
    return found


def _prompt(a: Answer, number: float, found: float) -> float:
    """Passes of prompts side by side, for each of them. [s]"""
    s, w = a.case.setting, a.case.workload
    load = Load(prompts(number, float(w.fresh), s.chunk, found).groups, s.skew)
    return float(s.passes_of(a.case.layout).shortest(load, s.overlap)) * float(w.pieces(s.chunk)) / number


def _reading(a: Answer) -> float:
    """By how much a prompt takes longer because its beginning was found: attention reads it. [s]"""
    found, abreast = float(a.case.workload.found), float(a.case.workload.abreast)
    return max(_prompt(a, abreast, found) - _prompt(a, abreast, 0.0), 0.0) if found else 0.0


def _decode(a: Answer, sequences: float, waits: float) -> float:
    s = a.case.setting
    load = Load(decoding(sequences, s.prompt, s.output, s.new_tokens).groups, s.skew)
    return float(s.passes_of(a.case.layout).shortest(load, s.overlap)) * waits


def _one_more(a: Answer) -> float:
    """What one more sequence adds to a decode pass, for each token that it makes. [s]"""
    n = max(float(a.case.workload.running), 2.0)  # two contexts stand for the sequences of a pass, one for a single one
    return (_decode(a, n + 1.0, a.case.waits) - _decode(a, n, a.case.waits)) / decode_tokens(a.case.setting)


def _floors(a: Answer) -> tuple[float, float, float]:
    """Pass time of a token of each kind where so many share a pass that nothing else counts. [s]"""
    w = a.case.workload
    fresh, found = float(w.fresh), float(w.found)
    computed = _prompt(a, FAR, 0.0)
    read = (_prompt(a, FAR, found) - computed) / found if found else math.nan
    c = a.case
    waits = beat(c.setting, c.layout, float(c.layout.pp))
    return computed / fresh if fresh else math.nan, read, _decode(a, FAR, waits) / FAR / decode_tokens(a.case.setting)


def costs_against(
    request: Request, axis: Axis, points: int = 9, *, owned: OwnedPrice | None = None
) -> tuple[tuple[float, Costs], ...]:
    """Return costs along an axis, on the layout that the request names or the plan chooses.

    Parameters
    ----------
    request : Request
    axis : str
        ``batch`` (sequences of a replica, 1 to what memory holds), ``context`` (tokens), ``hits`` (share of prompts found), ``load``
        (share of the most that the deployment carries).
    points : int
        At the most. [1]
    owned : OwnedPrice or None

    Raises
    ------
    InputError
        For an unknown axis, or a price that nobody knows.
    """
    if axis not in AXES:
        raise InputError(f"--against {axis}: one of {', '.join(AXES)} is needed")
    plan = make_plan(request)
    full, hold = plan.loaded, plan.cached
    found: list[tuple[float, Costs]] = []
    for x in _values(plan, axis, points):
        if axis == "load":
            at = at_rate(full, x * full.output_rate / plan.output)
            if at is not None:
                found.append((x, _cost(at.answer, at, owned, hold)))
            continue
        there, batch = _at(plan, axis, x)
        if batch >= 1:
            loaded = answer(case(there, plan.layout, batch=batch, copies=plan.replicas))
            found.append((x, _cost(loaded, None, owned, hold)))
    return tuple(found)


def _values(plan: Plan, axis: Axis, points: int) -> Sequence[float]:
    if axis == "hits":
        return np.linspace(0.0, 0.9, points).tolist()
    if axis == "load":
        return np.linspace(1.0 / points, 1.0, points).tolist()
    if axis == "batch":
        most = plan.max_batch if math.isfinite(plan.max_batch) else 4 * plan.balance_weights
        return sorted(set(np.geomspace(1.0, max(most, 2.0), points).round().tolist()))
    longest = max(plan.model.max_context - plan.output / 2, 2048.0)
    return np.geomspace(1024.0, longest, points).round().tolist()


def _at(plan: Plan, axis: Axis, x: float) -> tuple[Setting, float]:
    """The setting and the batch at a place on an axis; less than one sequence where memory holds none."""
    if axis == "batch":
        return plan.setting, x
    if axis == "hits":
        return dataclasses.replace(plan.setting, hits=x), plan.point.batch
    there = dataclasses.replace(plan.setting, prompt=max(x - plan.output / 2, 1.0))
    return there, min(there.account(plan.layout).holds, plan.point.batch)
