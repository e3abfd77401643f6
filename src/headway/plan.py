"""The plan: one model on one system, every headline number with its reasons. Composition only, no physics of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headway.batching import (
    Departures,
    Scene,
    against_batch,
    cost_per_token,
    departures,
    goldilocks,
    lines,
    per_million,
    recommended_range,
    split_memory,
)
from headway.catalog import catalogue
from headway.economics import Recompute, Tier, catalogue_tiers, cheapest, total_cost
from headway.errors import InputError, PhysicsError
from headway.hardware import System, system
from headway.models import Architecture, kv_bytes_read, kv_bytes_stored, model
from headway.parallel import Fit, Layout, build_step, candidates, fit, require_fit
from headway.roofline import CONVENTIONS, Calibration, Convention, StepTime, calibration


def default(name: str) -> float:
    """Return a value of the catalogue's `defaults` table."""
    return float(catalogue().row("defaults", name, "default")[0]["value"])


@dataclass(frozen=True)
class Request:
    """What is asked.

    Attributes
    ----------
    model : str
        Name, path or hub id.
    system : str
        System, chip, or ``CHIPxN``.
    chips : int or None
        Override the number of chips.
    context : float or None
        Tokens in each sequence's cache during decode; default: prompt + half the output, else the catalogue's.
    prompt, output : float or None
        Tokens per request; the prompt defaults to the context.
    precision, kv_precision : str or None
        Number formats instead of the config's.
    price : float or None
        [$/s per chip]
    batch : float or None
        Sequences per pass and replica; default: twice the balance batch, or what memory holds.
    tp, dp, ep : int or None
        Layout; whatever is left out is chosen for the lowest cost per token.
    calibration : str
        ``ideal`` or a profile.
    convention : str
        ``kernels`` or ``machine``.
    reserve : float or None
        Share of memory kept free.
    skew : float
        Zipf exponent of expert popularity.
    arrivals : float or None
        Requests per second, for the fill of the departures.
    """

    model: str
    system: str
    chips: int | None = None
    context: float | None = None
    prompt: float | None = None
    output: float | None = None
    precision: str | None = None
    kv_precision: str | None = None
    price: float | None = None
    batch: float | None = None
    tp: int | None = None
    dp: int | None = None
    ep: int | None = None
    calibration: str = "ideal"
    convention: Convention = "kernels"
    reserve: float | None = None
    skew: float = 0.0
    arrivals: float | None = None


@dataclass(frozen=True)
class Point:
    """One operating batch: time, what binds it and by how much, throughput and cost."""

    batch: float
    time: StepTime
    tokens_per_second_user: float
    tokens_per_second_chip: float
    tokens_per_second_system: float
    dollars_per_mtok: float | None
    mfu: float

    @property
    def seconds(self) -> float:
        """Time of the pass. [s]"""
        return float(self.time.seconds)


@dataclass(frozen=True)
class Plan:
    """The answer: all numbers in SI, warnings in words."""

    request: Request
    model: Architecture
    system: System
    layout: Layout
    layouts_tried: int
    replicas: int
    context: float
    prompt: float
    output: float
    scene: Scene
    fit: Fit
    balance_weights: float
    balance_kv: float
    recommended: tuple[float, float]
    goldilocks: float
    floor: Point
    all_weights_seconds: float
    point: Point
    at_full: Point
    typical: Point | None
    cost_floor: float | None
    prefill_dollars_per_mtok: float | None
    prefill_seconds: float
    prefill_tokens: float
    ttft: float
    cached: tuple[str, float] | None
    departures: Departures
    warnings: list[str] = field(default_factory=list[str])

    @property
    def max_batch(self) -> float:
        """Largest batch of one replica that memory holds."""
        return self.fit.max_batch

    @property
    def idle_chips(self) -> int:
        """Chips that no replica uses."""
        return self.system.chips - self.replicas * self.layout.chips

    @property
    def kv_per_sequence(self) -> float:
        """Cache and state bytes of one sequence, before replication. [bytes]"""
        return float(kv_bytes_stored(self.model, self.context))

    @property
    def balance_one_copy(self) -> float:
        """H x s for one copy of the weights, layout left out (E5, E6): weight bytes over active FLOPs, each at its rate."""
        seconds = [
            (
                x.count * m.bytes / self.system.chip.bandwidth,
                x.count * m.flops * x.used_share(m.role) / self.system.chip.peak(m.format.chain),
            )
            for x in self.model.layers
            for m in x.linears
        ]
        head = self.model.head
        reads = sum(r for r, _ in seconds) + head.bytes / self.system.chip.bandwidth
        return reads / (sum(c for _, c in seconds) + head.flops / self.system.chip.peak(head.format.chain))

    @property
    def flop_per_byte(self) -> float:
        """The chip's FLOP per byte at the rate of the model's largest matrices."""
        biggest = max((m for x in self.model.layers for m in x.linears), key=lambda m: m.bytes)
        return self.system.chip.peak(biggest.format.chain) / self.system.chip.bandwidth


def make_plan(request: Request) -> Plan:
    """Answer a request.

    Raises
    ------
    InputError
        Unknown names, malformed quantities, layouts that do not divide (exit code 2).
    PhysicsError
        When nothing fits, or the batch asked for does not (exit code 3).
    """
    arch = model(request.model, precision=request.precision, kv_precision=request.kv_precision)
    machine = system(request.system).priced(request.price)
    if request.chips is not None:
        machine = machine.resized(request.chips)
    prompt, output, context = _lengths(request, arch)
    if request.convention not in CONVENTIONS:
        raise InputError(f"--convention: {request.convention!r} is not known; accepted: {', '.join(CONVENTIONS)}")
    profile = calibration(request.calibration)
    layout, tried = choose_layout(arch, machine, request, context, profile)
    held = require_fit(arch, layout, machine, context, request.reserve)
    scene = Scene(build_step(arch, layout), machine.chip, profile, request.convention, request.skew)
    return _assemble(request, arch, machine, layout, tried, (prompt, output, context), scene, held)


def _lengths(request: Request, arch: Architecture) -> tuple[float, float, float]:
    output = default("default_output") if request.output is None else request.output
    if request.context is not None:
        context = request.context
    elif request.prompt is not None:
        context = request.prompt + output / 2
    else:
        context = min(default("default_context"), arch.max_context)
    prompt = request.prompt if request.prompt is not None else max(context, 1.0)
    if prompt < 1 or output < 1:
        raise InputError(f"--prompt {prompt:g} and --output {output:g} must both be at least 1 token")
    return prompt, output, context


def choose_layout(
    arch: Architecture, machine: System, request: Request, context: float, profile: Calibration
) -> tuple[Layout, int]:
    """Return the layout asked for, or the one with the lowest cost per token, and how many were compared.

    Only layouts inside one scale-up domain are looked at. The batch compared at is the operating batch of each.
    """
    domain = min(machine.chips, machine.domain) if machine.chips > 1 else 1
    given = {k: v for k, v in (("tp", request.tp), ("dp", request.dp), ("ep", request.ep)) if v is not None}
    for name, value in given.items():
        if value < 1:
            raise InputError(f"--{name}: {value} must be at least 1")
    options = [c for c in candidates(arch, domain) if all(getattr(c, k) == v for k, v in given.items())]
    if given and not options:
        layout = Layout(**_completed(given, domain))
        if layout.chips > domain:
            raise PhysicsError(
                f"layout {layout} needs {layout.chips} chips, but {machine.name} joins {domain} in one scale-up domain; "
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


def _point(scene: Scene, batch: float, context: float, machine: System, layout: Layout, replicas: int) -> Point:
    time = scene.decode(batch, context)
    seconds = float(time.seconds)
    total = replicas * batch / seconds
    cost = None
    if machine.price is not None:
        cost = float(per_million(cost_per_token(seconds, replicas * batch, machine.chips, machine.price)))
    ideal = Scene(scene.step, scene.chip, Calibration.ideal(), "machine", scene.skew).decode(batch, context)
    return Point(batch, time, 1 / seconds, total / machine.chips, total, cost, float(ideal.compute) / seconds)


def _assemble(
    request: Request,
    arch: Architecture,
    machine: System,
    layout: Layout,
    tried: int,
    lengths: tuple[float, float, float],
    scene: Scene,
    held: Fit,
) -> Plan:
    prompt, output, context = lengths
    straight = lines(scene, context)
    weights_only = lines(scene, 0.0).balance_batch
    replicas = machine.chips // layout.chips
    batch = operating_batch(request, straight.balance_batch_with_kv, held.max_batch)
    if batch > held.max_batch:
        raise PhysicsError(
            f"--batch {batch:,.0f}: memory holds {held.max_batch:,.0f} sequences of {context:,.0f} tokens as {layout} on "
            f"{machine.name}; the cache exceeds it by "
            f"{(batch - held.max_batch) / layout.dp * held.kv_per_sequence / 1e9:,.1f} GB per chip"
        )

    def point(b: float, s: Scene = scene) -> Point:
        return _point(s, b, context, machine, layout, replicas)

    typical = None
    if request.calibration == "ideal":
        typical = point(batch, Scene(scene.step, scene.chip, calibration("typical"), scene.convention, scene.skew))
    prefill_s, prefill_n, prefill_cost = _prefill(scene, prompt, machine, layout, replicas)
    per_token = max(straight.compute_slope, straight.kv_slope)
    low, high = default("recommended_low"), default("recommended_high")
    now = point(batch)
    plan = Plan(
        request=request,
        model=arch,
        system=machine,
        layout=layout,
        layouts_tried=tried,
        replicas=replicas,
        context=context,
        prompt=prompt,
        output=output,
        scene=scene,
        fit=held,
        balance_weights=weights_only,
        balance_kv=straight.balance_batch_with_kv,
        recommended=recommended_range(straight.balance_batch_with_kv, low, high),
        goldilocks=goldilocks(scene),
        floor=point(1.0),
        all_weights_seconds=straight.weights,
        point=now,
        at_full=point(held.max_batch) if math.isfinite(held.max_batch) else now,
        typical=typical,
        cost_floor=None
        if machine.price is None
        else float(per_million(cost_per_token(per_token, replicas, machine.chips, machine.price))),
        prefill_dollars_per_mtok=prefill_cost,
        prefill_seconds=prefill_s,
        prefill_tokens=prefill_n,
        ttft=float(scene.prefill(1.0, prompt).seconds),
        cached=_cached(arch, machine, context, prefill_cost),
        departures=_departures(request, now, replicas, output),
    )
    plan.warnings.extend(warnings(plan))
    return plan


def _departures(request: Request, now: Point, replicas: int, output: float) -> Departures:
    arrivals = (request.arrivals or 0.0) / replicas
    return departures(now.seconds, now.batch, arrivals, output)


def _prefill(
    scene: Scene, prompt: float, machine: System, layout: Layout, replicas: int
) -> tuple[float, float, float | None]:
    """Time, tokens and $/Mtok of a prefill pass that gathers prompts up to the engine's token budget per group."""
    prompts = max(1.0, math.floor(default("prefill_tokens") / prompt)) * layout.dp
    seconds = float(scene.prefill(prompts, prompt).seconds)
    tokens = prompts * prompt
    if machine.price is None:
        return seconds, tokens, None
    return seconds, tokens, float(per_million(cost_per_token(seconds, replicas * tokens, machine.chips, machine.price)))


def _cached(
    arch: Architecture, machine: System, context: float, prefill: float | None
) -> tuple[str, float] | None:
    """Cheapest way to have a cached prompt back after the usual time to live, and its $/Mtok (lecture E25)."""
    if machine.price is None or prefill is None or context <= 0:
        return None
    k = float(kv_bytes_stored(arch, context)) / context
    own = Tier("HBM", machine.chip.memory, machine.chip.bandwidth, machine.price, own_memory=True)
    away = [t for t in catalogue_tiers() if not t.own_memory]
    options = [own, *away, Recompute(prefill / 1e6)]
    held = default("cache_hold")
    best = cheapest(options, k, held)
    return best.name, float(per_million(total_cost(best, k, held)))


def warnings(plan: Plan) -> list[str]:
    """Return what a careful engineer would say about a plan, in plain words."""
    found: list[str] = []
    if plan.context > plan.model.max_context:
        found.append(f"context {plan.context:,.0f} is beyond the model's limit of {plan.model.max_context:,}")
    if plan.max_batch < plan.balance_weights:
        found.append(
            f"memory is full at batch {plan.max_batch:,.0f}, below the balance batch of {plan.balance_weights:,.0f}: "
            "you stay memory-bound"
        )
    elif math.isinf(plan.balance_kv):
        found.append(
            f"at {plan.context:,.0f} tokens the KV reads alone take longer than the compute: memory-bound at every batch"
        )
    if plan.idle_chips:
        found.append(f"{plan.idle_chips} of {plan.system.chips} chips stay idle: the model does not divide over them")
    if plan.system.price is None:
        found.append("no price is known for this system, so no costs: give one with --price 2.5/h")
    if "pre-release" in plan.system.chip.status:
        found.append(f"{plan.system.chip.name}: pre-release figures")
    if plan.departures.saturated:
        found.append(
            f"{plan.request.arrivals:g} requests/s exceed the {plan.point.batch * plan.replicas:,.0f} seats: the queue grows"
        )
    if plan.request.calibration == "ideal":
        found.append("ideal machine: a lower bound on time and cost; the typical line shows usual efficiencies")
    return [*found, *plan.model.notes]


def record(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain data for ``--json``: SI units, names end in the unit where it is not a count."""
    m, s, p = plan.model, plan.system, plan.point
    weights, kv = split_memory(p.time)
    return {
        "model": {
            "name": m.name, "family": m.family, "total_parameters": m.total_parameters,
            "active_parameters": m.active_parameters, "sparsity": m.sparsity, "layers": m.layer_count,
            "experts": m.experts.count if m.experts else None, "active_experts": m.experts.active if m.experts else None,
            "weight_bytes": m.weight_bytes, "weights_format": m.precision.weights.name, "kv_format": m.kv_format.name,
            "kv_bytes_per_sequence": plan.kv_per_sequence, "kv_read_bytes_per_token": float(kv_bytes_read(m, plan.context)),
            "max_context": m.max_context,
        },
        "system": {
            "name": s.name, "chip": s.chip.name, "chips": s.chips, "domain": s.domain,
            "price_dollars_per_chip_hour": None if s.price is None else s.price * 3600, "price_note": s.price_note,
            "flop_per_byte": plan.flop_per_byte, "drain_time_s": s.chip.drain_time,
        },
        "layout": {
            "name": str(plan.layout), "tp": plan.layout.tp, "dp": plan.layout.dp, "ep": plan.layout.ep,
            "chips_per_replica": plan.layout.chips, "replicas": plan.replicas, "idle_chips": plan.idle_chips,
            "compared": plan.layouts_tried,
        },
        "load": {"context": plan.context, "prompt": plan.prompt, "output": plan.output},
        "calibration": plan.request.calibration, "convention": plan.request.convention,
        "memory": {
            "capacity_bytes_per_chip": plan.fit.capacity, "reserve_bytes_per_chip": plan.fit.reserve,
            "weight_bytes_per_chip": plan.fit.weights, "kv_bytes_per_sequence_per_chip": plan.fit.kv_per_sequence,
            "max_batch": _finite(plan.max_batch),
        },
        "latency_floor": {"batch_1_s": plan.floor.seconds, "all_weights_once_s": plan.all_weights_seconds},
        "balance_batch": {
            "one_copy": plan.balance_one_copy, "weights_only": plan.balance_weights, "with_kv": _finite(plan.balance_kv),
            "recommended_low": _finite(plan.recommended[0]), "recommended_high": _finite(plan.recommended[1]),
        },
        "goldilocks_context": _finite(plan.goldilocks),
        "decode": {
            **_point_record(p), "compute_s": float(p.time.compute), "weights_s": float(weights), "kv_s": float(kv),
            "network_s": float(p.time.network), "overhead_s": float(p.time.overhead),
            "rows": [
                {"name": r.name, "seconds": float(r.seconds), "compute_s": float(r.compute), "memory_s": float(r.memory),
                 "network_s": float(r.network), "bound": r.bound} for r in p.time.rows
            ],
        },
        "decode_batch_1": _point_record(plan.floor),
        "decode_memory_full": _point_record(plan.at_full),
        "decode_typical": None if plan.typical is None else _point_record(plan.typical),
        "prefill": {
            "ttft_alone_s": plan.ttft, "pass_s": plan.prefill_seconds, "pass_tokens": plan.prefill_tokens,
            "dollars_per_mtok": plan.prefill_dollars_per_mtok,
        },
        "cached_input": None if plan.cached is None else {"tier": plan.cached[0], "dollars_per_mtok": plan.cached[1]},
        "cost": {
            "floor_dollars_per_mtok": plan.cost_floor,
            "batch_1_over_floor": None if not plan.cost_floor or plan.floor.dollars_per_mtok is None
            else plan.floor.dollars_per_mtok / plan.cost_floor,
        },
        "departures": {
            "headway_s": plan.departures.headway, "mean_s": _finite(plan.departures.mean),
            "worst_s": _finite(plan.departures.worst), "fill": plan.departures.fill if plan.request.arrivals else None,
        },
        "warnings": plan.warnings,
    }  # fmt: skip


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _point_record(p: Point) -> dict[str, Any]:
    return {
        "batch": p.batch, "step_s": p.seconds, "bound": p.time.bound, "mfu": p.mfu,
        "tok_s_per_user": p.tokens_per_second_user, "tok_s_per_chip": p.tokens_per_second_chip,
        "tok_s_system": p.tokens_per_second_system, "dollars_per_mtok": p.dollars_per_mtok,
    }  # fmt: skip


def sweep(plan: Plan, points: int = 49) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return batches from 1 to past what memory holds and the balance batch, evenly on a log scale."""
    most = plan.max_batch if math.isfinite(plan.max_batch) else 4 * plan.balance_weights
    top = max(most, 2.0)
    return np.unique(np.round(np.geomspace(1.0, top, points), 0))


def curve(plan: Plan, batches: Any = None):  # noqa: ANN201 - Curve
    """Return the decode sweep of a plan against batch; costs are per replica's share of the system."""
    chips = plan.system.chips / plan.replicas
    return against_batch(plan.scene, sweep(plan) if batches is None else batches, plan.context, chips, plan.system.price)
