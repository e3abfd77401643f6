"""The same costs from a run: the load simulated request by request, and its passes attributed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from headway.plan.costs import Costs
from headway.simulation.deployment import USUAL, deployment
from headway.simulation.requests import Requests
from headway.simulation.results import Simulated
from headway.simulation.traffic.arrivals import Poisson
from headway.simulation.traffic.lengths import around
from headway.simulation.traffic.sessions import ClosedLoop, alike
from headway.simulation.traffic.sizes import Independent

_ROUNDS = 8  # requests of each seat
_FEWEST, _MOST = 1000, 20_000  # requests that are run


@dataclass(frozen=True)
class Checked:
    """Costs as a simulated run has them, beside those of the mean field.

    Attributes
    ----------
    run : Simulated
    averages : tuple of float
        Of input, cached input and output; NaN where there are none. [$/Mtok]
    """

    run: Simulated
    averages: tuple[float, float, float]


def checked(c: Costs, *, arrivals: bool = False, seed: int = 1) -> Checked:
    """Return the costs of a load from a simulated run of it.

    Parameters
    ----------
    c : Costs
    arrivals : bool
        Requests come at the rate of `c` by a Poisson process, instead of being replaced as they end.
    seed : int
        Of all that is drawn. [1]
    """
    s, case = c.setting, c.answer.case
    rng = np.random.default_rng(seed)
    sizes = Independent(around(round(s.prompt), s.length_spread), around(round(s.output), s.length_spread))
    found = round(s.found)
    if arrivals:
        count = int(min(max(c.rate * float(c.answer.served.request) * 2 * _ROUNDS, _FEWEST), _MOST))
        prompt, output = sizes.draw(count, rng)
        traffic = alike(Requests(Poisson(c.rate).draw(count, rng), prompt, output), found)
    else:
        users = max(round(case.in_flight), 1)
        rounds = max(min(_ROUNDS, _MOST // users), 2)
        ramp = float(c.answer.served.request)
        traffic = ClosedLoop(users, max(rounds, _FEWEST // users), ramp=ramp, shared=found).draw(sizes, rng)
    d = deployment(s, case.layout, USUAL)
    run = Simulated(d, case.copies, d.run(traffic, math.inf, replicas=case.copies))
    a = run.attribution
    paid = c.rent * run.span
    fresh, cached, output = (
        1e6 * paid * share / n if n else math.nan for share, n in zip(a.shares, a.tokens, strict=True)
    )
    return Checked(run, (fresh, cached, output))
