"""Traffic drawn several times on what a plan would run."""

from __future__ import annotations

from collections.abc import Mapping

from headway.errors import InputError, quoted
from headway.plan.simulated import POLICIES, ROUTERS, asked_for, simulate
from headway.questions import Request
from headway.simulation.repeats import Repeated, alike, counted_seeds
from headway.simulation.results import Simulated


def repeated(
    request: Request,
    traffic: str,
    *,
    seeds: int,
    seed: int = 0,
    policy: str = "engine",
    router: str = "round-robin",
    sequences: int | None = None,
    once: bool = False,
    window: Mapping[str, str | None] | None = None,
) -> Repeated:
    """Run traffic on a model and a system with several seeds, all on the layout of the first.

    Parameters
    ----------
    request : Request
    traffic : str
        As of `headway.simulation.traffic.traffic`.
    seeds, seed : int
        Repeats, and the seed of the first. [1]
    policy, router : str
        Of `POLICIES` and `ROUTERS`.
    sequences : int or None
        Most requests that run on a replica at a time; default: as many as memory holds. [sequences]
    once : bool
        Whether traffic that no seed changes is run once; else it is refused.
    window : mapping or None
        ``count``, ``duration``, ``start``, ``rate``, ``scale``, as of `asked_for`.

    Raises
    ------
    InputError
        As of `simulate`, and for traffic that every seed leaves as it is.
    """
    count = counted_seeds(seeds)
    asked, first = asked_for(request, traffic, seed=seed, **(window or {}))
    drawn = [first]
    for n in range(1, count):
        drawn.append(asked_for(request, traffic, seed=seed + n, **(window or {}))[1])
        if n == 1 and alike(first, drawn[1]):
            if not once:
                raise InputError(f"--seeds: every seed of {quoted(traffic)} is the same run; it is for what is drawn")
            drawn.pop()
            break
    found = simulate(asked, first, policy=POLICIES[policy](), router=ROUTERS[router](), sequences=sequences)
    d, copies = found.deployment, found.replicas
    others = (Simulated(d, copies, d.run(r, replicas=copies, router=ROUTERS[router]())) for r in drawn[1:])
    return Repeated((found, *others))
