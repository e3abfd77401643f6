"""Which layout and which batch to run when the user leaves them open."""

from __future__ import annotations

import math

from headway.batching import Scene, lines, recommended_range
from headway.catalog import catalogue
from headway.errors import InputError, PhysicsError
from headway.hardware import System
from headway.models import Architecture
from headway.parallel import Layout, build_step, candidates, fit, require_fit
from headway.plan.answer import Request
from headway.roofline import Calibration


def default(name: str) -> float:
    """Return a value of the catalogue's `defaults` table."""
    return float(catalogue().row("defaults", name, "default")[0]["value"])


def choose_layout(
    arch: Architecture, machine: System, request: Request, context: float, profile: Calibration
) -> tuple[Layout, int]:
    """Return the layout asked for, or the one with the lowest cost per token, and how many were compared.

    Only layouts inside one scale-up domain are looked at. The batch compared at is the operating batch of each.
    """
    domain = machine.joined
    given = {k: v for k, v in (("tp", request.tp), ("dp", request.dp), ("ep", request.ep)) if v is not None}
    for name, value in given.items():
        if value < 1:
            raise InputError(f"--{name}: {value} must be at least 1")
    options = [c for c in candidates(arch, domain) if all(getattr(c, k) == v for k, v in given.items())]
    if given and not options:
        layout = Layout(**_completed(given, domain))
        if layout.chips > domain:
            raise PhysicsError(
                f"layout {layout} needs {layout.chips} chips, but {machine.name} joins only {domain} in one scale-up domain; "
                f"at most tp x dp = {domain}"
            )
        build_step(arch, layout)  # names what does not divide
        return layout, 1
    fitting = [c for c in options if fit(arch, c, machine, context, request.reserve).max_batch >= 1]
    if not fitting:
        nearest = min(options, key=lambda c: -fit(arch, c, machine, context, request.reserve).free)
        require_fit(arch, nearest, machine, context, request.reserve)  # refuses, with the shortfall
    scored = [(_score(arch, c, machine, request, context, profile), c) for c in fitting]
    return min(scored, key=lambda pair: pair[0])[1], len(fitting)


def _completed(given: dict[str, int], domain: int) -> dict[str, int]:
    """Fill in what the user left out: dp from ep / tp, everything else 1."""
    if "ep" in given and "tp" not in given and "dp" not in given:
        return {**given, "tp": given["ep"]}
    if "ep" in given and "tp" in given and "dp" not in given and given["ep"] % given["tp"] == 0:
        return {**given, "dp": given["ep"] // given["tp"]}
    return given


def _score(
    arch: Architecture, layout: Layout, machine: System, request: Request, context: float, profile: Calibration
) -> tuple[float, float]:
    """Cost per token in chip-seconds at the layout's operating batch, then its step time."""
    scene = Scene(build_step(arch, layout), machine.chip, profile, request.convention, request.skew)
    held = fit(arch, layout, machine, context, request.reserve)
    batch = operating_batch(request, lines(scene, context).balance_batch_with_kv, held.max_batch)
    seconds = float(scene.decode(batch, context).seconds)
    replicas = machine.chips // layout.chips
    return round(seconds * machine.chips / (batch * replicas), 12), seconds


def operating_batch(request: Request, balance: float, most: float) -> float:
    """Return the batch to run: the one asked for, else twice the balance batch, else all that memory holds."""
    if request.batch is not None:
        return request.batch
    target = recommended_range(balance, default("recommended_low"), default("recommended_high"))[0]
    return float(max(1.0, min(math.floor(target) if math.isfinite(target) else math.inf, most)))
