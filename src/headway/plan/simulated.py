"""Traffic on what a plan would run: the layout of the question or the plan's own choice, every replica that the system holds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headway import units
from headway.errors import InputError, quoted
from headway.parallel import Layout
from headway.plan.choose import choose_layout
from headway.plan.operations import whole
from headway.questions import Request
from headway.serving import Setting, checked_layout, setting
from headway.simulation import Requests
from headway.simulation.deployment import USUAL, Operation, deployment, split
from headway.simulation.driving import Watch
from headway.simulation.policies import Policy
from headway.simulation.results import Simulated
from headway.simulation.routers import Router
from headway.simulation.tiers import dealt
from headway.simulation.traffic import trace_names
from headway.simulation.traffic import traffic as arriving
from headway.simulation.traffic.specs import Spec, is_spec


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
    found = arriving(traffic, seed=seed, **arriving_options(request, traffic, window))
    return with_means(request, found), found


def arriving_options(request: Request, traffic: str, window: Mapping[str, str | None]) -> dict[str, Any]:
    """Return options of traffic: its window, and the request's lengths, or a plan's where neither it nor the traffic says any.

    Parameters
    ----------
    request : Request
    traffic : str
    window : mapping
        As of `asked_for`.
    """
    options: dict[str, Any] = {k: v for k, v in window.items() if v is not None}
    for name in ("prompt", "output"):
        length = getattr(request, name)
        if length is not None:
            options[name] = int(length)
    spec = Spec(traffic) if is_spec(traffic) and traffic not in trace_names() else None
    if (
        spec is not None
        and spec.kind not in ("sessions", "agents")
        and not any(map(spec.given, ("prompt", "output", "lengths")))
    ):
        where = setting(request)  # what a plan would take
        options = {"prompt": int(where.prompt), "output": int(where.output)} | options
    return options


def with_means(request: Request, found: Requests) -> Request:
    """Return a request with the mean lengths of traffic where it states none.

    Parameters
    ----------
    request : Request
    found : Requests
    """
    if request.context is None and request.prompt is None and request.output is None:
        means = {"prompt": float(found.prompt.mean()), "output": float(found.output.mean())}
        return dataclasses.replace(request, **means)
    return request


@dataclass(frozen=True)
class Place:
    """Where traffic runs.

    Attributes
    ----------
    request : Request
    setting : Setting
    layout : Layout
        Of a replica.
    """

    request: Request
    setting: Setting
    layout: Layout

    def split(self, prefill: str) -> tuple[Layout, int]:
        """Return the layout and the number of replicas that compute prompts.

        Parameters
        ----------
        prefill : str
            ``2`` (as the others lie) or ``2xtp4``.

        Raises
        ------
        InputError
            When it cannot be read, or leaves no chips for answers.
        """
        number, _, layout = prefill.partition("x")
        count = whole(number, "--prefill")
        where = (
            Place(self.request, setting(dataclasses.replace(self.request, layout=layout)), self.layout)
            if layout
            else self
        )
        only = where.setting.only
        found = checked_layout(where.setting, only) if layout and only is not None else self.layout
        left = self.setting.system.chips - count * found.chips
        if left < self.layout.chips:
            raise InputError(
                f"--prefill {quoted(prefill)}: {units.some(count * found.chips, 'chip')} for prompts leave {max(left, 0)} of "
                f"{self.setting.system.chips}; a replica that answers ({self.layout}) takes {self.layout.chips}"
            )
        return found, count

    def run(
        self,
        traffic: Requests,
        operation: Operation = USUAL,
        *,
        prefill: str | None = None,
        seed: int = 0,
        until: float = math.inf,
        watch: Watch | None = None,
    ) -> Simulated:
        """Run traffic here.

        Parameters
        ----------
        traffic : Requests
        operation : Operation
        prefill : str or None
            Replicas that compute prompts only, as of `split`; None: every replica does both.
        seed : int
            Of who is of which tier. [1]
        until : float
            When to stop; default: when all have ended. [s]
        watch : Watch or None
        """
        d = deployment(self.setting, self.layout, operation)
        replicas = self.setting.replicas(self.layout.chips)
        if prefill is not None:
            layout, count = self.split(prefill)
            d = split(d, layout, count)
            replicas = (self.setting.system.chips - count * layout.chips) // self.layout.chips
        if operation.tiers:
            traffic = dealt(traffic, operation.tiers, seed)
        return Simulated(d, replicas, d.run(traffic, until, replicas=replicas, watch=watch))


def placed(request: Request) -> Place:
    """Return where a request's traffic runs: the layout that it names, or the plan's choice.

    Parameters
    ----------
    request : Request

    Raises
    ------
    InputError
        Unknown names.
    PhysicsError
        When the weights do not fit.
    """
    s = setting(request)
    return Place(request, s, choose_layout(s, request).layout if s.only is None else checked_layout(s, s.only))


def simulate(
    request: Request,
    traffic: Requests,
    operation: Operation = USUAL,
    *,
    policy: Policy | None = None,
    router: Router | None = None,
    sequences: int | None = None,
    prefill: str | None = None,
    until: float = math.inf,
) -> Simulated:
    """Run traffic on a model and a system.

    Parameters
    ----------
    request : Request
        Its prompt and output lengths choose the layout (where none is given) and the memory's page account; the traffic has its own.
    traffic : Requests
    operation : Operation
        How replicas are run: scheduler, tiers, prompt cache, autoscaler, ...
    policy : Policy or None
        Instead of the operation's.
    router : Router or None
        Instead of the operation's.
    sequences : int or None
        Instead of the operation's. [sequences]
    prefill : str or None
        Replicas that compute prompts only: ``2``, or ``2xtp4`` with a layout of their own.
    until : float
        When to stop; default: when all have ended. [s]

    Raises
    ------
    InputError
        Unknown names, or what the simulator does not run.
    PhysicsError
        When the weights do not fit.
    """
    said = {k: v for k, v in {"policy": policy, "router": router, "sequences": sequences}.items() if v is not None}
    return placed(request).run(traffic, dataclasses.replace(operation, **said), prefill=prefill, until=until)
