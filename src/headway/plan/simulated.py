"""Traffic on what a plan would run: the layout of the question or the plan's own choice, every replica that the system holds."""

from __future__ import annotations

import math

from headway.parallel import Layout
from headway.plan.choose import choose_layout
from headway.questions import Request
from headway.serving import Setting, setting
from headway.simulate import Requests
from headway.simulate.deployment import deployment
from headway.simulate.policies import Policy
from headway.simulate.results import Simulated
from headway.simulate.routers import Router


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
