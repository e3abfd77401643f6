"""Which layout and which batch to run when the user leaves them open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

from headway.batching import FAR, Scene, lines, recommended_range
from headway.catalog import default
from headway.errors import InputError, PhysicsError
from headway.hardware import System
from headway.models import Architecture
from headway.parallel import Fit, Layout, build_step, candidates, check, completed, fit, read_layout, require_fit
from headway.plan.answer import Request
from headway.roofline import IDEAL, Calibration


@dataclass(frozen=True, slots=True)
class Choice:
    """The layout to run with its memory account, scene and batch, and the fastest one compared at batch 1. [s]"""

    layout: Layout
    held: Fit
    scene: Scene
    batch: float
    compared: int
    fastest: Layout
    fastest_seconds: float


def choose_layout(
    arch: Architecture, machine: System, request: Request, context: float, profile: Calibration
) -> Choice:
    """Return the layout asked for, or the one with the lowest cost per token among those that hold the batch.

    Only layouts inside one scale-up domain are looked at. The batch compared at is the operating batch of each.

    Raises
    ------
    InputError
        When the layout asked for does not divide the model.
    PhysicsError
        When none fits, or none holds the batch asked for.
    """
    options = _options(arch, machine, request)
    held = {c: fit(arch, c, machine, context, request.reserve) for c in options}
    fitting = [c for c in options if held[c].max_batch >= 1]
    if not fitting:
        nearest = max(options, key=lambda c: held[c].free)
        require_fit(arch, nearest, machine, context, request.reserve)  # refuses, with the shortfall
    wanted = request.batch or 1.0
    roomy = [c for c in fitting if held[c].max_batch >= wanted]
    if not roomy:
        most = max(fitting, key=lambda c: held[c].max_batch)
        lack = (wanted - held[most].max_batch) / most.dp * held[most].per_sequence
        raise PhysicsError(
            f"--batch {wanted:,.0f}: memory holds at most {held[most].max_batch:,.0f} sequences of {context:,.0f} tokens per replica "
            f"on {machine.name} (as {most}); the cache exceeds it by {lack / 1e9:,.1f} GB per chip"
        )
    scenes = {c: Scene(build_step(arch, c, machine.adds_in_network), machine.chip, profile, request.convention, request.skew)
              for c in roomy}  # fmt: skip
    batches = {c: operating_batch(request, scene, context, held[c].max_batch) for c, scene in scenes.items()}
    alone = {c: float(_ideal(scene).decode(1.0, context).seconds) for c, scene in scenes.items()}

    def score(c: Layout) -> tuple[float, float]:
        """Chip-seconds per token at the layout's operating batch, then its step time."""
        seconds = float(scenes[c].decode(batches[c], context).seconds)
        return round(seconds * machine.chips / (batches[c] * machine.replicas(c.chips)), 12), seconds

    best, fastest = min(roomy, key=score), min(alone, key=lambda c: alone[c])
    return Choice(best, held[best], scenes[best], batches[best], len(roomy), fastest, alone[fastest])


def _options(arch: Architecture, machine: System, request: Request) -> list[Layout]:
    """Layouts that match what was asked, inside one scale-up domain."""
    domain = machine.joined
    if request.layout is not None:
        return [_written(arch, machine, request)]
    given = {k: v for k, v in (("tp", request.tp), ("dp", request.dp), ("ep", request.ep)) if v is not None}
    for name, value in given.items():
        if value < 1:
            raise InputError(f"--{name}: {value} must be at least 1")
    options = [c for c in candidates(arch, domain) if all(getattr(c, k) == v for k, v in given.items())]
    if options:
        return options
    layout = Layout(**cast(dict[str, Any], completed(given)))
    if layout.chips > domain:
        raise PhysicsError(
            f"layout {layout} needs {layout.chips} chips, but {machine.name} joins only {domain} in one scale-up domain; "
            f"at most tp x dp = {domain}"
        )
    check(arch, layout)  # names what does not divide
    return [layout]


def _written(arch: Architecture, machine: System, request: Request) -> Layout:
    """Return the layout asked for in writing."""
    if any(v is not None for v in (request.tp, request.dp, request.ep)):
        raise InputError("--layout says it all: leave out --tp, --dp and --ep")
    layout = read_layout(request.layout or "")
    if layout.pp > 1:
        raise InputError(
            f"--layout {layout}: plan looks at one pass; `headway search --layout {layout}` runs pipelines"
        )
    if layout.chips > machine.joined:
        raise PhysicsError(
            f"--layout {layout}: needs {layout.chips} chips, but {machine.name} joins only {machine.joined} in one scale-up "
            f"domain; `headway search --layout {layout}` looks across domains"
        )
    check(arch, layout)
    return layout


def operating_batch(request: Request, scene: Scene, context: float, most: float) -> float:
    """Return the batch to run, at most what memory holds.

    The one asked for; else twice the ideal machine's balance batch (lecture 1.3); where KV binds at every batch and there is no balance,
    the smallest batch whose cost is within the catalogue's slack of the lowest: beyond it only latency grows.
    """
    if request.batch is not None:
        return request.batch
    balance = lines(_ideal(scene), context).balance_batch_with_kv
    target = recommended_range(balance, default("recommended_low"), default("recommended_high"))[0]
    if math.isfinite(target):
        return float(max(1.0, min(math.floor(target), most)))
    return cheap_batch(scene, context, most)


def _ideal(scene: Scene) -> Scene:
    """Return the same scene without any departure from ideal."""
    return Scene(scene.step, scene.chip, IDEAL, scene.convention, scene.skew)


def cheap_batch(scene: Scene, context: float, most: float) -> float:
    """Return the smallest whole batch whose time per token is within the slack of that at `most` (FAR where unbounded)."""
    most = min(most, FAR)

    def per_token(batch: float) -> float:
        return float(scene.decode(batch, context).seconds) / batch

    enough = per_token(most) * (1 + default("cost_slack"))
    low, high = 1, max(1, math.floor(most))
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if per_token(middle) <= enough else (middle + 1, high)
    return float(low)
