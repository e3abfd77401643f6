"""From a request to a plan: every headline number with its warnings. Composition only, no physics of its own."""

from __future__ import annotations

import math

from headway import units
from headway.batching import (
    FAR,
    Departures,
    Scene,
    cost_per_token,
    departures,
    goldilocks,
    lines,
    per_million,
    recommended_range,
)
from headway.catalog import default
from headway.economics import cheapest, total_cost
from headway.errors import InputError
from headway.hardware import System
from headway.models import kv_bytes_stored
from headway.parallel import Layout, build_step
from headway.plan.answer import Plan, Point
from headway.plan.choose import Choice, cheap_batch, choose_layout
from headway.plan.places import places
from headway.plan.traffic import at_rate
from headway.questions import Request, decoded
from headway.roofline import IDEAL, weights_once
from headway.serving import Answer, Setting, answer, case, setting


def make_plan(request: Request) -> Plan:
    """Answer a request.

    Raises
    ------
    InputError
        Unknown names, malformed quantities, layouts that do not divide (exit code 2).
    PhysicsError
        When nothing fits, or the batch asked for does not (exit code 3).
    """
    s = setting(request)
    if s.prompt < 1:
        raise InputError(f"--prompt: {s.prompt:g} must be at least 1 token")
    decoded(
        s.output, "--output" if request.output is not None else f"--context {request.context or 0:g} leaves an answer"
    )
    choice = choose_layout(s, request)
    copies = s.replicas(choice.layout.chips)
    flying = choice.batch * copies if request.concurrency is None else request.concurrency
    loaded = answer(case(s, choice.layout, concurrency=flying, copies=copies))
    return _assemble(request, choice, loaded)


def _point(
    scene: Scene, useful: float, batch: float, context: float, system: System, layout: Layout, replicas: int
) -> Point:
    """One operating batch; `useful` is the compute time of its tokens on one chip, nothing replicated (for MFU)."""
    time = scene.decode(batch, context)
    seconds = float(time.seconds)
    made = batch * scene.made
    total = replicas * made / seconds
    cost = None
    if system.price is not None:
        cost = float(per_million(cost_per_token(seconds, replicas * made, system.chips, system.price)))
    mfu = useful * scene.made / (layout.chips * seconds)
    return Point(batch, time, scene.made / seconds, total / system.chips, total, cost, mfu)


def _assemble(request: Request, choice: Choice, loaded: Answer) -> Plan:
    s, layout, replicas, held = loaded.case.setting, loaded.case.layout, loaded.case.copies, loaded.case.account
    arch, system, context = s.model, s.system, s.prompt + s.output / 2
    scene, batch = choice.scene, choice.batch
    ideal = scene.ideal
    straight = lines(ideal, context)
    alone = Scene(build_step(arch, Layout()), system.chip, IDEAL, "machine", scene.skew)

    def point(b: float, at: Scene = scene) -> Point:
        return _point(at, float(alone.decode(b, context).compute), b, context, system, layout, replicas)

    outside = s.outside(loaded.case.in_flight, float(layout.chips), "static_batch")
    prefill_s, prefill_n, prefill_cost = _prefill(s, scene, layout, replicas)
    low, high = default("recommended_low"), default("recommended_high")
    now = point(batch)
    timetable, capacity = _capacity(request, now, replicas, loaded)
    plan = Plan(
        request=request,
        loaded=loaded,
        layouts_tried=choice.compared,
        fastest=(choice.fastest, choice.fastest_seconds),
        scene=scene,
        balance_weights=lines(ideal, 0.0).balance_batch,
        balance_kv=straight.balance_batch_with_kv,
        recommended=recommended_range(straight.balance_batch_with_kv, low, high),
        cheap_batch=cheap_batch(scene, context, held.holds),
        goldilocks=goldilocks(ideal),
        floor=point(1.0, ideal),
        all_weights_seconds=float(weights_once(scene.step, system.chip)),
        point=now,
        at_full=point(held.holds) if math.isfinite(held.holds) else now,
        alone=point(1.0),
        ideal=point(batch, ideal),
        spread=s.spread("tpot", outside, "static_batch"),
        prompt_spread=s.spread("ttft", outside, "static_batch"),
        outside=outside,
        cost_floor=_cost_floor(scene, context, system, replicas),
        prefill_dollars_per_mtok=prefill_cost,
        prefill_seconds=prefill_s,
        prefill_tokens=prefill_n,
        cached=cheapest_place(s, prefill_cost),
        departures=timetable,
        capacity=capacity,
        arriving=at_rate(loaded, request.arrivals) if request.arrivals else None,
    )
    plan.warnings.extend(warnings(plan))
    return plan


def _cost_floor(scene: Scene, context: float, system: System, replicas: int) -> float | None:
    """$/Mtok at a batch without limit: what no batch can lower."""
    if system.price is None:
        return None
    per_token = float(scene.seconds(FAR, context)) / (FAR * scene.made)
    return float(per_million(cost_per_token(per_token, replicas, system.chips, system.price)))


def _capacity(request: Request, now: Point, replicas: int, loaded: Answer) -> tuple[Departures, float]:
    """Timetable at the asked arrival rate, and requests per second that the system carries under load.

    A request takes a seat for each token of its output and, on the same chips, the time of its prompt: both counted as
    passes x seats.
    """
    carries = loaded.output_rate / loaded.case.setting.output
    stages = min(float(loaded.case.layout.pp), now.batch)  # trains under way, one departing every stage's time
    passes = replicas * now.batch / (carries * now.seconds)
    every, seats = now.seconds / stages, now.batch / stages
    return departures(every, seats, (request.arrivals or 0.0) / replicas, passes, stages), carries


def _prefill(s: Setting, scene: Scene, layout: Layout, replicas: int) -> tuple[float, float, float | None]:
    """Time, tokens and $/Mtok of a prefill pass that gathers prompts up to the engine's token budget per group."""
    fresh = s.prompt - s.found
    prompts, chunk = max(1.0, math.floor(s.chunk / fresh)) * layout.dp, min(fresh, s.chunk)
    seconds = float(scene.prefill(prompts, chunk, s.found + (fresh - chunk) / 2).seconds)
    tokens = prompts * chunk
    if s.system.price is None:
        return seconds, tokens, None
    # every pipeline stage works on such a pass
    cost = cost_per_token(seconds, replicas * scene.stages * tokens, s.system.chips, s.system.price)
    return seconds, tokens, float(per_million(cost))


def cheapest_place(s: Setting, prefill: float | None) -> tuple[str, float] | None:
    """Return the cheapest way to have a cached prompt back after the usual time to live, and what that costs (lecture E25). [$/Mtok]

    Parameters
    ----------
    s : Setting
    prefill : float or None
        Of computing it instead. [$/Mtok]
    """
    context = s.prompt + s.output / 2
    if s.system.price is None or prefill is None or context <= 0:
        return None
    k = float(kv_bytes_stored(s.model, context)) / context
    options = [d.option() for d in places(s.system, prefill)]
    held = default("cache_hold")
    best = cheapest(options, k, held)
    return best.name, float(per_million(total_cost(best, k, held)))


def warnings(plan: Plan) -> list[str]:
    """Return what a careful engineer would say about a plan, in plain words."""
    found: list[str] = []
    if plan.context > plan.model.max_context:
        found.append(f"context {plan.context:,.0f} is beyond the model's limit of {plan.model.max_context:,}")
    if plan.context <= plan.model.max_context < plan.prompt + plan.output and plan.request.prompt is not None:
        total = plan.prompt + plan.output
        found.append(
            f"prompt and output, {total:,.0f} tokens, are beyond the model's limit of {plan.model.max_context:,}"
        )
    if plan.max_batch < plan.balance_weights:
        stay = "you stay memory-bound" if plan.ideal.time.bound == "memory" else "weight reads are not yet amortised"
        found.append(
            f"memory is full at batch {plan.max_batch:,.0f}, below the balance batch of {plan.balance_weights:,.0f}: {stay}"
        )
    elif math.isinf(plan.balance_kv):
        found.append(
            f"at {plan.context:,.0f} tokens the KV reads alone take longer than the compute: memory-bound at every batch"
        )
    if plan.idle_chips:
        found.append(
            f"{plan.idle_chips} of {plan.system.chips} chips stay idle: replicas of {plan.layout.chips} do not fill the scale-up domains"
        )
    if plan.system.price is None:
        found.append("no price is known for this system, so no costs: give one with --price 2.5/h")
    if "pre-release" in plan.system.chip.status:
        found.append(f"{plan.system.chip.name}: pre-release figures")
    if plan.departures.saturated:
        found.append(
            f"{plan.request.arrivals:g} requests/s are more than the {plan.capacity:.3g} that these chips carry: the queue grows"
        )
    if plan.spread is None:
        found.append(
            "ideal machine: a lower bound on time and cost; --engine modern gives an estimate with its interval"
        )
    elif plan.outside or plan.loaded.outside:
        found.append(f"outside the evidence, so wider intervals: {_outside(plan)}")
    return [*found, *plan.model.notes]


def _outside(plan: Plan) -> str:
    """Name what the engine's evidence does not cover."""
    chip = plan.system.chip
    says = {
        "vendor": f"no chip of {chip.vendor or 'this vendor'}", "generation": f"no {chip.generation or 'such'} chip",
        "chip": f"no row on {chip.name}", "engine": f"no row of {plan.setting.engine.name}",
        "batch": f"batch {plan.point.batch * plan.replicas:,.0f}", "prompt": f"prompts of {units.some(plan.prompt, 'token')}",
        "host": "nothing left to a host's processor", "hits": "prompts found in a cache",
        "output": f"outputs of {units.some(plan.output, 'token')}",
        "ranks": units.some(plan.layout.chips, "chip per replica"),
    }  # fmt: skip
    under = [f"{says.get(o, o)} under load" for o in plan.loaded.outside if o not in plan.outside]
    return ", ".join([*(says.get(o, o) for o in plan.outside), *under])
