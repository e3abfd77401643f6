"""Which layout and which batch to run when the user leaves them open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

from headway.batching import FAR, Scene, lines, recommended_range
from headway.catalog import default
from headway.errors import PhysicsError
from headway.parallel import Layout, check, completed
from headway.parallel.sharding import stage_share
from headway.questions import Request
from headway.serving import (
    Setting,
    checked_layout,
    decode_tokens,
    given_ways,
    left_to_host,
    matching,
    refused,
    too_many,
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The layout to run with its scene and batch, and the fastest one compared at batch 1. [s]"""

    layout: Layout
    scene: Scene
    batch: float
    compared: int
    fastest: Layout
    fastest_seconds: float


def choose_layout(s: Setting, request: Request) -> Choice:
    """Return the layout asked for, or the one with the lowest decode cost per token among those that hold the batch.

    Only layouts inside one scale-up domain are looked at. The batch compared at is the operating batch of each.

    Raises
    ------
    InputError
        When the layout asked for does not divide the model.
    PhysicsError
        When none fits, or none holds the batch asked for.
    """
    options = _options(s, request)
    held = {c: s.account(c) for c in options}
    room = {c: a.holds if s.only == c else a.fits for c, a in held.items()}
    fitting = [c for c in options if room[c] >= 1]
    if not fitting:
        nearest = max(options, key=lambda c: held[c].free)
        raise refused(s, nearest, held[nearest])
    asked = {c: _wanted(s, request, c, room[c]) for c in fitting}
    roomy = [c for c in fitting if room[c] >= (asked[c] or 1.0)]
    if not roomy:
        raise too_many(s.system, {c: held[c] for c in fitting}, min(x or 1.0 for x in asked.values()))
    context = s.prompt + s.output / 2
    scenes = {c: scene_of(s, c) for c in roomy}
    batches = {c: asked[c] or operating_batch(x, context, room[c]) for c, x in scenes.items()}
    alone = {c: float(x.ideal.seconds(1.0, context)) for c, x in scenes.items()}

    def score(c: Layout) -> tuple[float, float]:
        """Chip-seconds per token at the layout's operating batch, then its step time."""
        seconds = float(scenes[c].seconds(batches[c], context))
        return round(seconds * s.system.chips / (batches[c] * s.replicas(c.chips)), 12), seconds

    best, fastest = min(roomy, key=score), min(alone, key=lambda c: alone[c])
    return Choice(best, scenes[best], batches[best], len(roomy), fastest, alone[fastest])


def fitting_layouts(s: Setting, request: Request) -> list[Layout]:
    """Return the layouts that match a request and hold at least one sequence, as `choose_layout` compares them.

    Parameters
    ----------
    s : Setting
    request : Request

    Raises
    ------
    InputError
        When the layout asked for does not divide the model.
    PhysicsError
        When none fits.
    """
    options = _options(s, request)
    held = {c: s.account(c) for c in options}
    found = [c for c in options if (held[c].holds if s.only == c else held[c].fits) >= 1]
    if not found:
        nearest = max(options, key=lambda c: held[c].free)
        raise refused(s, nearest, held[nearest])
    return found


def scene_of(s: Setting, layout: Layout) -> Scene:
    """Return the decode passes of a replica of a layout."""
    return Scene(
        s.step(layout), s.system.chip, s.numbers, s.convention, s.skew, float(layout.pp), stage_share(s.model, layout),
        s.new_tokens, decode_tokens(s), s.overlap,
    )  # fmt: skip


def _wanted(s: Setting, request: Request, layout: Layout, room: float) -> float | None:
    """Sequences that run at a time on each replica, if asked for: requests in flight beyond what memory holds wait."""
    if request.concurrency is not None:
        return min(max(request.concurrency / s.replicas(layout.chips), 1.0), room)
    return request.batch


def _options(s: Setting, request: Request) -> list[Layout]:
    """Layouts that match what was asked, inside one scale-up domain unless one is named in full."""
    if request.layout is not None and s.only is not None:
        return [checked_layout(s, s.only)]
    options = matching(s, request)
    if options:
        check(s.model, options[0])
        return options
    domain = s.system.joined
    layout = Layout(**cast(dict[str, Any], {**completed(given_ways(request)), **left_to_host(request, s.model)}))
    if layout.chips > s.reach:
        raise PhysicsError(
            f"layout {layout} needs {layout.chips} chips, but {s.system.name} joins only {domain} in one scale-up domain; "
            f"at most tp x dp = {domain}"
        )
    check(s.model, layout)  # names what does not divide
    return [layout]


def operating_batch(scene: Scene, context: float, most: float) -> float:
    """Return the batch to run where none is asked for, at most what memory holds.

    Twice the ideal machine's balance batch (lecture 1.3); where KV binds at every batch and there is no balance,
    the smallest batch whose cost is within the catalogue's slack of the lowest: beyond it only latency grows.

    Parameters
    ----------
    scene : Scene
    context : float
        Mean length of a sequence. [tokens]
    most : float
        What memory holds. [sequences]
    """
    balance = lines(scene.ideal, context).balance_batch_with_kv
    target = recommended_range(balance, default("recommended_low"), default("recommended_high"))[0]
    if math.isfinite(target):
        return float(max(1.0, min(math.floor(target), most)))
    return cheap_batch(scene, context, most)


def cheap_batch(scene: Scene, context: float, most: float) -> float:
    """Return the smallest whole batch whose time per token is within the slack of that at `most` (FAR where unbounded).

    Parameters
    ----------
    scene : Scene
    context : float
        Mean length of a sequence. [tokens]
    most : float
        What memory holds. [sequences]
    """
    most = min(most, FAR)

    def per_token(batch: float) -> float:
        return float(scene.seconds(batch, context)) / batch

    enough = per_token(most) * (1 + default("cost_slack"))
    low, high = 1, max(1, math.floor(most))
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if per_token(middle) <= enough else (middle + 1, high)
    return float(low)
