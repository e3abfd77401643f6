"""A plan, a comparison and a sweep as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from headway import units
from headway.models import Architecture, kv_bytes_per_token
from headway.plan import Plan, Point, curve
from headway.report.charts import log_chart
from headway.report.loads import at_arrivals, found, in_flight, loaded, money
from headway.tables import columns, table_text

Cell = tuple[str, str, str]  # label, value, remark


def _batch(value: float) -> str:
    return "none" if math.isinf(value) else units.count(value)


def _params(value: float) -> str:
    return (
        f"{value / 1e12:.3f} T"
        if value >= 1e12
        else f"{value / 1e9:,.1f} B"
        if value >= 1e9
        else f"{value / 1e6:,.0f} M"
    )


def _gigabytes(value: float) -> str:
    return f"{value / 1e9:,.1f} GB" if value >= 1e9 else f"{value / 1e6:,.1f} MB"


def sections(plan: Plan) -> list[tuple[str, list[Cell]]]:
    """Return the plan as titled groups of (label, value, remark)."""
    return [
        ("model", _model(plan)),
        ("machine", _machine(plan)),
        ("floors", _floors(plan)),
        ("batch", _batches(plan)),
        (f"a decode step, no prompts running, at batch {plan.point.batch:,.0f}{_each(plan)}", _decode(plan)),
        (
            f"under load: {units.some(plan.prompt, 'token')} in{found(plan)}, {plan.output:,.0f} out, {in_flight(plan)}",
            loaded(plan),
        ),
        *at_arrivals(plan),
        ("cost", _cost(plan)),
    ]


def _each(plan: Plan) -> str:
    return f" x {plan.replicas} replicas" if plan.replicas > 1 else ""


def _model(plan: Plan) -> list[Cell]:
    m = plan.model
    experts = f"{m.experts.active} of {m.experts.count} experts per token" if m.experts else "dense"
    if not m.tied:
        experts += f"; {_params(m.active_without_embedding)} active without the input embedding"
    kv, growth = plan.kv_per_sequence, plan.kv_growth
    fixed, here = kv - growth * plan.context, float(kv_bytes_per_token(m, plan.context - 1.0))
    plain, filling = abs(fixed) < 1e-3 * kv, here > growth * (1 + 1e-3)
    each = f"{growth:,.0f} bytes per token" if plain else f"{growth:,.0f} bytes per further token"
    plus = "" if plain else f" and {_gigabytes(fixed)} fixed (windows, states)"
    if filling:  # windows have room yet
        each, plus = f"{here:,.0f} bytes per further token", f", {growth:,.0f} once its windows are full"
    return [
        ("parameters", f"{_params(m.total_parameters)} total, {_params(m.active_parameters)} active", experts),
        ("sparsity", f"{m.sparsity:.2f}", "total over active"),
        ("weights", _gigabytes(m.weight_bytes), f"{m.weights_format}; KV cache {m.kv_format.name}"),
        *_beside(m),
        ("KV cache", f"{_gigabytes(kv)} per sequence", f"at {units.some(plan.context, 'token')}: {each}{plus}"),
    ]


def _beside(m: Architecture) -> list[Cell]:
    """What an engine loads and no plain step goes through."""
    parts = [f"{t.kind} tower {_gigabytes(t.bytes)} (--no-towers leaves it out)" for t in m.towers]
    if m.mtp:
        parts.append(f"multi-token prediction {_gigabytes(m.mtp_bytes)} (--no-mtp)")
    return [("loaded beside", _gigabytes(m.loaded_bytes - m.weight_bytes), "; ".join(parts))] if parts else []


def _machine(plan: Plan) -> list[Cell]:
    s, chip = plan.system, plan.system.chip
    price = "no price" if s.price is None else f"${s.price * 3600:.2f} per chip-hour"
    replicas = (
        f"{plan.replicas} replicas of {units.some(plan.layout.chips, 'chip')}"
        if plan.replicas > 1
        else units.some(plan.layout.chips, "chip")
    )
    idle = f", {plan.idle_chips} idle" if plan.idle_chips else ""
    asked = any(v is not None for v in (plan.request.tp, plan.request.dp, plan.request.ep, plan.request.layout))
    alone = "as asked" if asked else "the only one that fits"
    chosen = alone if plan.layouts_tried == 1 else f"lowest cost of {plan.layouts_tried} layouts that fit"
    return [
        ("system", f"{s.chips} x {chip.name}", f"{_gigabytes(s.memory)} at {units.si(s.bandwidth, 'B/s')}; {price}"),
        ("layout", str(plan.layout), f"{replicas}{idle}; {chosen}"),
        *_host(plan),
        (
            "FLOP per byte",
            f"{plan.flop_per_byte:,.0f}",
            f"dense {plan.compute_kind} peak over memory bandwidth",
        ),
        ("drain time", units.seconds(chip.drain_time), "to read all of a chip's memory once"),
    ]


def _host(plan: Plan) -> list[Cell]:
    """What lies in the host's memory, of how much, and how fast it comes."""
    host, cpu = plan.account.host, plan.system.chip.cpu
    if host is None or cpu is None:
        return []
    cache = f" and {units.si(host.kv_per_sequence, 'B')} of cache per sequence" if host.kv_per_sequence else ""
    return [
        ("left to the host", _gigabytes(host.weights), f"of weights{cache}, of {_gigabytes(host.capacity)} at "
         f"{units.si(cpu.bandwidth * plan.layout.chips, 'B/s')}: {host.name}; {units.si(plan.system.chip.cpu_link, 'B/s')} to each chip")
    ]  # fmt: skip


def _floors(plan: Plan) -> list[Cell]:
    layout, seconds = plan.fastest
    best = "no layout here is faster" if layout == plan.layout else f"{units.seconds(seconds)} as {layout}, the fastest"
    return [
        ("latency floor", units.seconds(plan.floor.seconds), f"batch 1, {plan.floor.time.bound}-bound; {best}"),
        ("all weights once", units.seconds(plan.all_weights_seconds), "floor of a batch that touches every expert"),
    ]


def _batches(plan: Plan) -> list[Cell]:
    golden, why = f"{units.some(plan.goldilocks, 'token')}", "KV reads take as long as compute"
    if math.isinf(plan.goldilocks):
        golden, why = "never reached", "windows or sparse reads keep KV below compute at any context"
    elif plan.goldilocks == 0:
        golden, why = "none", "the recurrent state alone takes longer to move than the compute"
    a = plan.account
    own = f", {_gigabytes(a.engine)} of the engine's own" if a.engine else ""
    reserve = f"{_gigabytes(a.reserve)} per chip left free, {_gigabytes(a.activations)} of activations{own}"
    return [
        (
            "balance, one copy",
            _batch(plan.balance_one_copy),
            "reading the weights once takes as long as multiplying (E5)",
        ),
        ("balance, as laid out", _batch(plan.balance_weights), "per replica, with the weights that groups hold twice"),
        ("balance, with KV", _batch(plan.balance_kv), f"at {units.some(plan.context, 'token of context')}"),
        ("recommended", *_recommended(plan)),
        (
            "memory holds",
            _batch(plan.max_batch),
            f"{_policy(plan)}; {reserve}; a step would take {units.seconds(plan.at_full.seconds)}",
        ),
        *_pool(plan),
        ("goldilocks context", golden, why),
    ]


def _pool(plan: Plan) -> list[Cell]:
    """The number that engines print when they start."""
    p, name = plan.pool, plan.setting.engine.name
    if not math.isfinite(p.tokens):
        return []
    pages = f"{p.blocks:,.0f} blocks of {p.block:,.0f}, " if p.block > 1 else ""
    wide = p.reserved > 1.001 * p.ideal
    each = f", each given {_gigabytes(p.reserved)} per chip for the {_gigabytes(p.ideal)} that it needs" if wide else ""
    says = f"{pages}{_gigabytes(p.bytes)} per chip, as {name} counts: {p.concurrency:,.4g} sequences of {p.context:,.0f}{each}"
    return [("KV pool", units.some(p.tokens, "token"), says)]


def _policy(plan: Plan) -> str:
    """Say which length of a sequence the account counts."""
    a, name = plan.account, plan.setting.engine.name
    if a.policy == "growing":
        mean, whole = units.some(a.tokens, "token"), _batch(a.held_whole)
        return f"growing to {mean} on average, as {name} gives memory out ({whole} held to their last token)"
    if a.policy == "whole":
        return f"each held to its last token, {a.tokens:,.0f}, as {name} does"
    return f"a batch that starts together, at its last token, {a.tokens:,.0f}"


def _recommended(plan: Plan) -> tuple[str, str]:
    low, high = plan.recommended
    if math.isinf(low):
        text = "KV binds at every batch: here the cost is within 5 % of its lowest, beyond it latency grows"
        return f"{plan.cheap_batch:,.0f}", text
    if low > plan.max_batch:
        return (
            f"{plan.max_batch:,.0f}",
            f"all that memory holds; 2 to 3 times the balance would be {low:,.0f} to {high:,.0f}",
        )
    return f"{low:,.0f} to {high:,.0f}", "2 to 3 times the balance batch"


def _decode(plan: Plan) -> list[Cell]:
    p, t = plan.point, plan.departures
    rows: list[Cell] = [
        ("step", units.seconds(p.seconds), _bound(p)),
        *_estimate(plan),
        ("per user", f"{p.tokens_per_second_user:,.1f} tok/s", ""),
        ("per chip", f"{p.tokens_per_second_chip:,.0f} tok/s", f"MFU {units.per_cent(p.mfu)}"),
        ("per system", f"{units.rate(p.tokens_per_second_system)} tok/s", ""),
        (
            "departures",
            f"every {units.seconds(t.headway)}",
            f"a token of what is ready comes after {units.seconds(t.mean)} on average, {units.seconds(t.worst)} at worst",
        ),
    ]
    return rows


def _estimate(plan: Plan) -> list[Cell]:
    """How sure the step is, and what no engine can beat."""
    sure = plan.interval(plan.point.seconds, plan.ideal.seconds)
    if sure is None or plan.spread is None:
        return []
    about = plan.scene.calibration
    wider = ", widened" if plan.outside else ""
    asked = plan.setting.engine.name
    name = asked if asked == about.name else f"{asked}, with the numbers of {about.name}"
    return [
        ("80 % interval", f"{units.seconds(sure[0])} to {units.seconds(sure[1])}",
         f"engine {name}, from {units.some(plan.spread.rows, 'measurement of static batches')} out of fold{wider}"),
        ("ideal step", units.seconds(plan.ideal.seconds), f"the floor at this batch; {_over(plan)}"),
    ]  # fmt: skip


def _over(plan: Plan) -> str:
    """Say how far the estimate is above its floor."""
    return f"the estimate is {plan.point.seconds / plan.ideal.seconds:.2f}x"


def _bound(p: Point) -> str:
    """Say what binds a step and by how much."""
    t = p.time
    alone = {"compute": float(t.compute), "memory": float(t.memory), "network": float(t.network)}
    shown = ", ".join(f"{k} {units.seconds(v)}" for k, v in alone.items() if v > 0)
    if t.convention == "machine":
        other = max(v for k, v in alone.items() if k != t.bound)
        return f"{t.bound}-bound by {alone[t.bound] / other:.1f}x ({shown})" if t.bound in alone and other else t.bound
    if t.bound not in ("compute", "memory"):
        return f"{t.bound}-bound (alone: {shown})"
    kernels = sum(float(r.seconds) for r in t.rows if r.kind != "collective" and r.bound == t.bound)
    return f"{t.bound}-bound kernels take {units.per_cent(kernels / p.seconds)} of it (each resource alone: {shown})"


def _first(plan: Plan) -> str:
    """Interval of a prompt alone."""
    sure = plan.ttft_interval
    return "" if sure is None else f", 80 %: {units.seconds(sure[0])} to {units.seconds(sure[1])}"


def _cost(plan: Plan) -> list[Cell]:
    p = plan.point
    over = ""
    if plan.cost_floor and plan.alone.dollars_per_mtok:
        over = f"{plan.alone.dollars_per_mtok / plan.cost_floor:,.0f}x the floor of {money(plan.cost_floor)}"
    rows = [
        ("output", money(p.dollars_per_mtok), "decode steps alone at this batch"),
        (
            "input",
            money(plan.prefill_dollars_per_mtok),
            f"prefill of {plan.prompt:,.0f}-token prompts{found(plan)}; "
            f"one prompt's passes alone take {units.seconds(plan.ttft)}{_first(plan)}",
        ),
    ]
    if plan.cached:
        rows.append(
            (
                "cached input",
                money(plan.cached[1]),
                f"storage only: 5 min in {plan.cached[0]}, the cheapest place (E25)",
            )
        )
    rows.append(("at batch 1", money(plan.alone.dollars_per_mtok), over))
    return rows


def plan_text(plan: Plan, *, chart: bool = True) -> str:
    """Return a plan as text: a few lines per subject, a small chart, warnings."""
    out = [f"{plan.model.name} on {plan.system.name}", ""]
    groups = sections(plan)
    first = max(len(c[0]) for _, cells in groups for c in cells)
    second = max(len(c[1]) for _, cells in groups for c in cells)
    for title, cells in groups:
        out.append(title)
        out += [f"  {a:<{first}}  {b:<{second}}  {c}".rstrip() for a, b, c in cells]
    if chart:
        out += ["", *_chart(plan)]
    out += ["", *(f"! {w}" for w in plan.warnings)]
    return "\n".join(out)


def _chart(plan: Plan) -> list[str]:
    """Draw cost against latency (or step time against batch without a price) with characters."""
    import numpy as np

    found = curve(plan)
    priced = plan.system.price is not None
    x = np.log10(found.seconds if priced else found.x)
    y = np.log10(found.cost * 1e6 if priced else found.seconds)
    at = (plan.point.seconds, plan.point.dollars_per_mtok) if priced else (plan.point.batch, plan.point.seconds)
    across, up = (units.seconds, units.dollars) if priced else (_tick, units.seconds)
    lines = log_chart(
        (x.tolist(), y.tolist()), ([math.log10(at[0])], [math.log10(at[1] or 1.0)]),
        ((float(x.min()), max(float(x.max()), float(x.min()) + 0.3)), (float(y.min()) - 0.05, float(y.max()) + 0.05)),
        (max(30, min(64, (columns() or 100) - 36)), 10), ("a token", "$/Mtok") if priced else ("batch", "step"),
        (across, lambda value: f"{up(value):>9}"), marker="o",
    )  # fmt: skip
    title = "cost against latency" if priced else "latency against batch"
    return [f"{title}, batch 1 to {found.x[-1]:,.0f} (log scales; o marks batch {plan.point.batch:,.0f})", *lines]


def _tick(value: float) -> str:
    """A number of sequences on a log axis: two figures, so that neighbours differ."""
    return units.count(value) if value >= 100 else f"{value:.2g}"


def comparison_text(plans: Sequence[Plan]) -> str:
    """Return several plans side by side, one column each; warnings that are alike are said once."""
    tables = [[(a, b) for _, cells in sections(p) for a, b, _ in cells] for p in plans]
    labels = list(dict.fromkeys(a for table in tables for a, _ in table))
    names = [f"{p.model.name.split('/')[-1]} on {p.system.name}" for p in plans]
    rows = [[label, *(dict(t).get(label, "") for t in tables)] for label in labels]
    rows.insert(labels.index("step"), ["at batch", *(f"{p.point.batch:,.0f}{_each(p)}" for p in plans)])
    said: dict[str, list[str]] = {}
    for name, plan in zip(names, plans, strict=True):
        for warning in plan.warnings:
            said.setdefault(warning, []).append(name)
    lines = [f"! {w}" if len(who) == len(plans) else f"! {', '.join(who)}: {w}" for w, who in said.items()]
    return table_text(["", *names], rows, left=True) + "\n\n" + "\n".join(lines)


def curve_text(plan: Plan, axis: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a sweep as a table with what stays the same along it, and the plan's warnings."""
    heads = [k.removesuffix("_s").replace("_", " ") if k != "dollars_per_mtok" else "$/Mtok" for k in rows[0]]
    body = [[_shown(k, v) for k, v in row.items()] for row in rows]
    fixed = {
        "batch": f"context {plan.context:,.0f}",
        "context": f"batch up to {plan.point.batch:,.0f}, as memory allows",
    }
    at = fixed.get(axis, f"batch {plan.point.batch:,.0f} or what a pass takes, context {plan.context:,.0f}")
    lines = [f"{plan.model.name} on {plan.system.name}, {plan.layout}, {at}", "", table_text(heads, body), ""]
    return "\n".join([*lines, *(f"! {w}" for w in plan.warnings)])


def _shown(key: str, value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, str):
        return value
    if key.endswith("_s"):
        return units.seconds(value)
    return units.dollars(value) if key.startswith("dollars") else f"{value:,.0f}"
