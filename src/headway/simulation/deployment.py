"""A deployment to simulate: what a setting and a layout make of passes, memory and the scheduler."""

from __future__ import annotations

import math
from dataclasses import dataclass

from headway.errors import InputError
from headway.parallel import Layout
from headway.roofline import PassClock
from headway.serving import Setting, beat
from headway.simulation.policies import Chunked, Policy, PrefillFirst
from headway.simulation.replica import Limits
from headway.simulation.requests import Requests
from headway.simulation.routers import Router
from headway.simulation.run import Log, simulate

_ENDLESS = 1 << 40  # blocks or sequences where memory does not bound them


@dataclass(frozen=True)
class Deployment:
    """One replica of a setting under a layout, ready for traffic.

    Attributes
    ----------
    setting : Setting
    layout : Layout
    clock : PassClock
    limits : Limits
    policy : Policy
    delay : float
        A request's way through the server before it can board. [s]
    """

    setting: Setting
    layout: Layout
    clock: PassClock
    limits: Limits
    policy: Policy
    delay: float

    def run(
        self, requests: Requests, until: float = math.inf, *, replicas: int = 1, router: Router | None = None
    ) -> Log:
        """Simulate traffic on such replicas.

        Parameters
        ----------
        requests : Requests
        until : float
            When to stop; default: when all have ended. [s]
        replicas : int
            How many. [replicas]
        router : Router or None
            Default: round robin.
        """
        return simulate(
            self.clock, self.limits, self.policy, requests, self.delay, until, replicas=replicas, router=router
        )


def deployment(
    s: Setting, layout: Layout, *, policy: Policy | None = None, sequences: int | None = None, tokens: int | None = None
) -> Deployment:
    """Return a replica of a setting as the simulator runs it.

    Parameters
    ----------
    s : Setting
    layout : Layout
    policy : Policy or None
        Scheduler; default: the engine's own (prompts in passes of their own, or chunked beside the decodes).
    sequences : int or None
        Most requests that run at a time; default: as many as memory holds. [sequences]
    tokens : int or None
        Budget of a pass of one data-parallel group; default: the engine's. [tokens]

    Raises
    ------
    InputError
        Pipelines, drafts, two-batch overlap and layers on a host, which the simulator does not run.
    PhysicsError
        When the weights do not fit.
    """
    _refuse(s, layout)
    pool = s.pool(layout, s.account(layout))
    budget = (s.chunk if tokens is None else tokens) * layout.dp
    limits = Limits(
        tokens=int(min(budget, _ENDLESS)), sequences=_ENDLESS if sequences is None else sequences,
        blocks=int(pool.blocks) if math.isfinite(pool.blocks) else _ENDLESS, block=int(pool.block),
        whole=s.engine.admission == "whole",
    )  # fmt: skip
    own = PrefillFirst() if s.engine.apart else Chunked()
    clock = PassClock(s.passes_of(layout), s.skew)
    return Deployment(s, layout, clock, limits, policy or own, float(s.numbers.request_seconds))


def _refuse(s: Setting, layout: Layout) -> None:
    named = {
        "a pipeline": layout.pp > 1 or beat(s, layout, 1.0) > 1,
        "drafts": s.drafts > 0,
        "two-batch overlap": s.overlap,
        "layers on the host's processor": bool(layout.cpu_layers or layout.cpu_experts),
        "the machine that overlaps everything": s.convention != "kernels",
    }
    for what, asked in named.items():
        if asked:
            raise InputError(f"{layout}: the simulator runs no deployment with {what}")
