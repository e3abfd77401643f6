"""A deployment to simulate: what a setting and a layout make of passes, memory and the scheduler."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from headway.errors import InputError
from headway.hardware import with_host
from headway.parallel import Layout, kv_per_chip
from headway.roofline import PassClock
from headway.serving import Setting, beat, joining, refused
from headway.simulation.admission import ENDLESS
from headway.simulation.autoscaling import Autoscale
from headway.simulation.clocks import Clock
from headway.simulation.drafting import Drafts
from headway.simulation.driving import Watch
from headway.simulation.habits import Habits, Transfer
from headway.simulation.limits import Limits
from headway.simulation.policies import Chunked, Policy, PrefillFirst
from headway.simulation.prefixes import Prefix
from headway.simulation.requests import Requests
from headway.simulation.routers import Router
from headway.simulation.run import Engine, Log, simulate
from headway.simulation.tiers import Tier, admission


@dataclass(frozen=True)
class Operation:
    """How replicas are run; whatever is left out is as the engine does it.

    Attributes
    ----------
    policy : Policy or None
        Scheduler; None: the engine's own (prompts in passes of their own, or chunked beside the decodes).
    router : Router or None
        Which replica a request goes to; None: round robin.
    sequences : int or None
        Most requests that run on a replica at a time; None: as many as memory holds. [sequences]
    tokens : int or None
        Budget of a pass of one data-parallel group; None: the engine's. [tokens]
    tiers : tuple of Tier
        Of the traffic, in its order; empty: all are alike.
    queue : int or None
        Most that wait on a replica; who comes then is turned away; None: no end. [requests]
    prefix : Prefix or None
        How prefixes are kept where the traffic says what prompts share; None: not.
    swap : bool
        Who loses its place has its cache moved to the host and back; False: it is computed again.
    contiguous : int
        Tokens that every request takes room for in one piece, whatever its length; 0: paged. [tokens]
    watermark : float
        Of the KV blocks that must stay free when somebody boards. [share]
    autoscale : Autoscale or None
        Opens and closes replicas; the system's are then the most.
    """

    policy: Policy | None = None
    router: Router | None = None
    sequences: int | None = None
    tokens: int | None = None
    tiers: tuple[Tier, ...] = ()
    queue: int | None = None
    prefix: Prefix | None = None
    swap: bool = False
    contiguous: int = 0
    watermark: float = 0.0
    autoscale: Autoscale | None = None


USUAL = Operation(prefix=Prefix())


@dataclass(frozen=True)
class Deployment:
    """Replicas of a setting under a layout, ready for traffic.

    Attributes
    ----------
    setting : Setting
    layout : Layout
    engine : Engine
        One replica: of a pipeline, one of the micro-batches that it works on at a time.
    delay : float
        A request's way through the server before it can board. [s]
    operation : Operation
    prompts : Engine or None
        Replicas that compute the prompts; the others then only answer.
    prompt_layout : Layout or None
        Of those.
    """

    setting: Setting
    layout: Layout
    engine: Engine
    delay: float
    operation: Operation = USUAL
    prompts: Engine | None = None
    prompt_layout: Layout | None = None

    @property
    def clock(self) -> Clock:
        """Of its passes."""
        return self.engine.clock

    @property
    def limits(self) -> Limits:
        """Of a replica."""
        return self.engine.limits

    @property
    def policy(self) -> Policy:
        """The scheduler."""
        return self.engine.policy

    def layout_of(self, lane: int) -> Layout:
        """Return the layout of a replica: those that compute prompts alone come first.

        Parameters
        ----------
        lane : int
            Its place among all replicas. [1]
        """
        return self.prompt_layout if lane < self.fronts and self.prompt_layout is not None else self.layout

    @property
    def fronts(self) -> int:
        """Lanes that compute prompts only: the first of a log's replicas. [1]"""
        return 0 if self.prompts is None else self.prompts.replicas

    @property
    def prompt_replicas(self) -> int:
        """Replicas that compute prompts only. [replicas]"""
        return 0 if self.prompt_layout is None else self.fronts // self.prompt_layout.pp

    @property
    def lanes(self) -> int:
        """Micro-batches that a replica works on at a time. [1]"""
        return self.layout.pp

    def paid(self, span: float, rented: float) -> float:
        """Return the chip-seconds that are paid: of the whole system, or under an autoscaler of the replicas that were open. [s]

        Parameters
        ----------
        span : float
            Of the run. [s]
        rented : float
            Replica-seconds. [s]
        """
        if self.operation.autoscale is None:
            return self.setting.system.chips * span
        return rented * self.layout.chips / self.lanes

    def run(
        self,
        requests: Requests,
        until: float = math.inf,
        *,
        replicas: int = 1,
        router: Router | None = None,
        watch: Watch | None = None,
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
            Default: the operation's.
        watch : Watch or None
        """
        e, o = self.engine, self.operation
        return simulate(
            e.clock, e.limits, e.policy, requests, self.delay, until, replicas=replicas * self.lanes,
            router=router or o.router, habits=e.habits, prompts=self.prompts, autoscale=o.autoscale, watch=watch,
        )  # fmt: skip


def deployment(
    s: Setting,
    layout: Layout,
    operation: Operation = USUAL,
    *,
    policy: Policy | None = None,
    sequences: int | None = None,
    tokens: int | None = None,
) -> Deployment:
    """Return replicas of a setting as the simulator runs them.

    Parameters
    ----------
    s : Setting
    layout : Layout
    operation : Operation
    policy : Policy or None
        Instead of the operation's.
    sequences, tokens : int or None
        Instead of the operation's. [sequences, tokens]

    Raises
    ------
    InputError
        Two-batch overlap and layers on a host, which the simulator does not run.
    PhysicsError
        When the weights do not fit.
    """
    said = {k: v for k, v in {"policy": policy, "sequences": sequences, "tokens": tokens}.items() if v is not None}
    operation = dataclasses.replace(operation, **said)
    engine = _engine(s, layout, operation)
    return Deployment(s, layout, engine, float(s.numbers.request_seconds), operation)


def split(d: Deployment, layout: Layout, replicas: int) -> Deployment:
    """Return a deployment whose prompts are computed on replicas of their own.

    Parameters
    ----------
    d : Deployment
        Its replicas then only answer.
    layout : Layout
        Of a replica that computes prompts.
    replicas : int
        How many of those. [replicas]

    Raises
    ------
    InputError
        When nothing joins the chips of the two pools.
    """
    s = d.setting
    link = joining(s, s)
    if link is None:
        raise InputError(f"{s.system.name}: nothing joins its chips, so that one pool cannot hand caches to another")
    size = max(s.prompt, 1.0)
    apart = max(float(kv_per_chip(s.model, x, size)) for x in (layout, d.layout)) / size
    habits = d.engine.habits._replace(transfer=Transfer(apart / link.rate, link.seconds))
    front = _engine(s, layout, dataclasses.replace(d.operation, router=None))
    front = dataclasses.replace(front, replicas=replicas * layout.pp, habits=front.habits._replace(drafts=None))
    return dataclasses.replace(
        d, engine=dataclasses.replace(d.engine, habits=habits), prompts=front, prompt_layout=layout
    )


def _engine(s: Setting, layout: Layout, o: Operation) -> Engine:
    _refuse(s, layout)
    account = s.account(layout)
    if account.weights > account.capacity or account.holds < 1:
        raise refused(s, layout, account)
    pool = s.pool(layout, account)
    policy = o.policy or (PrefillFirst() if s.engine.apart else Chunked())
    budget = (s.chunk if o.tokens is None else o.tokens) * layout.dp
    most = pool.running_blocks
    blocks = int(most / layout.pp) if math.isfinite(most) else ENDLESS
    sequences = ENDLESS if o.sequences is None else max(o.sequences // layout.pp, 1)
    limits = Limits(
        tokens=int(min(budget, ENDLESS)), sequences=sequences, blocks=max(blocks, 1), block=int(pool.block),
        whole=s.engine.admission == "whole" or policy.padded, reserve=o.contiguous,
        watermark=int(o.watermark * blocks) if blocks < ENDLESS else 0, swap=_swap(s, layout) if o.swap else 0.0,
        context=s.model.max_context, groups=layout.dp,
    )  # fmt: skip
    drafts = Drafts(s.drafts, float(s.numbers.draft_acceptance)) if s.drafts else None
    seats = sequences if sequences < ENDLESS else _seats(s, limits)
    door = admission(o.tiers, seats, ENDLESS if o.queue is None else o.queue)
    clock = PassClock(s.passes_of(layout), s.skew, beat(s, layout, float(layout.pp)))
    return Engine(clock, limits, policy, Habits(door, o.prefix, drafts))


def _seats(s: Setting, limits: Limits) -> int:
    """How many requests of the usual length memory holds: what a share of the seats is a share of."""
    return max(int(limits.blocks * limits.block / max(s.prompt + s.output / 2, 1.0)), 1)


def _swap(s: Setting, layout: Layout) -> float:
    """To move the cache of one token to the host or back. [s/token]"""
    size = max(s.prompt, 1.0)
    return float(kv_per_chip(s.model, layout, size)) / size / with_host(s.system).chip.cpu_link


def _refuse(s: Setting, layout: Layout) -> None:
    named = {
        "two-batch overlap": s.overlap,
        "layers on the host's processor": bool(layout.cpu_layers or layout.cpu_experts),
        "the machine that overlaps everything": s.convention != "kernels",
    }
    for what, asked in named.items():
        if asked:
            raise InputError(f"{layout}: the simulator runs no deployment with {what}")
