"""Traffic on what a plan would run: the layout of the question or the plan's own choice, every replica that the system holds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from headway.parallel import Layout
from headway.plan.choose import choose_layout
from headway.questions import Request
from headway.serving import Setting, setting
from headway.simulation import Requests
from headway.simulation.deployment import deployment
from headway.simulation.policies import Chunked, DecodeFirst, Policy, PrefillFirst
from headway.simulation.results import Simulated
from headway.simulation.routers import LeastLoaded, RoundRobin, Router
from headway.simulation.traffic import traffic as arriving

POLICIES: dict[str, Callable[[], Policy | None]] = {
    "engine": lambda: None, "chunked": Chunked, "prefill-first": PrefillFirst, "decode-first": DecodeFirst,
}  # fmt: skip
ROUTERS: dict[str, Callable[[], Router]] = {"round-robin": RoundRobin, "least-loaded": LeastLoaded}


def asked_for(request: Request, traffic: str, *, seed: int = 0, **window: str | None) -> tuple[Request, Requests]:
    """Return traffic by name, and the request with its mean lengths where it states none: they choose the layout.

    Parameters
    ----------
    request : Request
    traffic : str
        As of `headway.simulation.traffic.traffic`.
    seed : int
        Of all that is drawn. [1]
    window : str or None
        ``count``, ``duration``, ``start``, ``rate``, ``scale``.
    """
    options: dict[str, Any] = {k: v for k, v in window.items() if v is not None}
    for name in ("prompt", "output"):
        length = getattr(request, name)
        if length is not None:
            options[name] = int(length)
    found = arriving(traffic, seed=seed, **options)
    if request.context is None and request.prompt is None and request.output is None:
        means = {"prompt": float(found.prompt.mean()), "output": float(found.output.mean())}
        request = dataclasses.replace(request, **means)
    return request, found


def simulate(
    request: Request,
    traffic: Requests,
    *,
    policy: Policy | None = None,
    router: Router | None = None,
    sequences: int | None = None,
    until: float = math.inf,
) -> Simulated:
    """Run traffic on a model and a system.

    Parameters
    ----------
    request : Request
        Its prompt and output lengths choose the layout (where none is given) and the memory's page account; the traffic has its own.
    traffic : Requests
    policy : Policy or None
        Scheduler; default: the engine's own.
    router : Router or None
        Default: round robin.
    sequences : int or None
        Most requests that run on a replica at a time; default: as many as memory holds. [sequences]
    until : float
        When to stop; default: when all have ended. [s]

    Raises
    ------
    InputError
        Unknown names, or what the simulator does not run.
    PhysicsError
        When the weights do not fit.
    """
    s = setting(request)
    layout, replicas = _chosen(s, request)
    d = deployment(s, layout, policy=policy, sequences=sequences)
    return Simulated(d, replicas, d.run(traffic, until, replicas=replicas, router=router))


def _chosen(s: Setting, request: Request) -> tuple[Layout, int]:
    layout = s.only or choose_layout(s, request).layout
    return layout, s.replicas(layout.chips)
