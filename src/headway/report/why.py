"""Where numbers came from: the fact or formula behind each, its source, and rows that sum to the step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from headway import units
from headway.hardware import Chip
from headway.plan import Plan
from headway.roofline import CONVENTIONS

_NOTHING = 1e-12  # seconds: what rounding leaves
_OF = {
    "visible": "visible memory", "started": "what is free once the engine has started",
    "left": "what weights and activations leave",
}  # fmt: skip


def _host_row(chip: Chip) -> list[tuple[str, str, str]]:
    cpu = chip.cpu
    if cpu is None:
        return []
    share = f"each chip's share: {units.si(cpu.bandwidth, 'B/s')}, {units.si(cpu.memory, 'B')}; {units.si(chip.cpu_link, 'B/s')} to it"
    return [("host", f"{cpu.name}, {share}", f"{cpu.source} ({cpu.date})")]


def why_rows(plan: Plan) -> list[dict[str, str]]:
    """Return where each number came from: the fact or formula, and its source."""
    m, s, chip = plan.model, plan.system, plan.system.chip
    scene = plan.scene
    f = plan.account
    weight, kv, habits = m.precision.weights, m.kv_format, plan.setting.engine.memory
    rows = [
        ("parameters", f"counted from config.json: {m.total_parameters:,}", m.source),
        ("weights", f"{m.weights_format}: {m.weight_bytes / m.total_parameters:.4g} bytes per parameter over all of them",
         f"{weight.source} ({weight.date})" if weight.date else weight.source),
        ("KV cache", f"{kv.name}: {kv.bytes:.4g} bytes per element; per kind of layer", f"{kv.source} ({kv.date})"),
        ("chip", f"{units.si(chip.bandwidth, 'B/s')}, {units.si(chip.memory, 'B')}, dense peaks", f"{chip.source} ({chip.date})"),
        ("visible memory", f"{chip.usable / 2**30:.2f} GiB of {units.si(chip.memory, 'B')} as sold", chip.usable_says),
        ("system", f"{units.some(s.chips, 'chip')}, domain of {s.domain}, {units.si(s.link, 'B/s')} per direction",
         f"{s.source} ({s.date})"),
        *_host_row(chip),
        ("price", "none" if s.price is None else f"${s.price * 3600:.2f} per chip-hour", s.price_note or "catalogue"),
        ("engine's memory", f"share {f.share:.3g} of {_OF[habits.share_of]}: {units.si(f.reserve, 'B')} per chip left free, "
         f"{units.si(f.engine, 'B')} of its own", habits.source),
        ("memory holds", "(memory - left free - engine - weights - activations) / (KV + logits of a sequence), rounded down, x groups",
         f"({f.capacity / 1e9:.4f} - {f.reserve / 1e9:.4f} - {f.engine / 1e9:.4f} - "
         f"{f.weights / 1e9:.4f} - {f.activations / 1e9:.4f}) GB / "
         f"({f.kv_per_sequence / 1e6:,.4f} + {f.logits_per_sequence / 1e6:,.4f}) MB at {f.tokens:,.0f} tokens x {f.groups} = "
         f"{f.holds:,.0f}"),
        ("drain time", "capacity / bandwidth", "lecture E9"),
        ("latency floor", "step at batch 1: the weights that are really read", "lecture 1.2, DIS-4"),
        ("experts read", "E (1 - (1 - k/E)^T) distinct experts of T tokens, balanced routing", "lecture 1.3 [D], SYS-A10"),
        ("balance batch", "time to read all weights / compute time per sequence", "lecture E5, E6"),
        ("balance batch with KV", "weights / (compute slope - KV slope); none when KV is steeper", "lecture E7"),
        ("recommended", _recommended(plan), "lecture 1.3, DIS-6"),
        ("step", CONVENTIONS[scene.convention], "lecture E1 to E3"),
        ("engine", scene.calibration.name, scene.calibration.provenance),
        ("cost", f"step x {units.some(s.chips, 'chip')} x price / ({plan.replicas} x {_made(plan)})", "lecture E4"),
        ("input", "prefill pass / its tokens; attention is causal, MLA in the form that multiplies less", "lecture E24"),
        ("cached input", "retrieve + hold, the cheapest of HBM, DDR, flash, disk, recompute", "lecture E25; tier prices are illustrative"),
        ("departures", *_departures(plan)),
    ]  # fmt: skip
    return [{"what": a, "how": b, "source": c} for a, b, c in [*rows, *_load_rows(plan), *_step_rows(plan)]]


def _made(plan: Plan) -> str:
    """Tokens that a pass of one replica makes: one of each sequence, and the drafts that hold."""
    made, batch = plan.scene.made, plan.point.batch
    return units.some(batch, "token") if made == 1 else f"{batch:,.0f} x {made:.4g} tokens made per pass"


def _departures(plan: Plan) -> tuple[str, str]:
    """Half of T (worst: T) until one departs, and the ride: of a pipeline as many T as it has stages under way."""
    stages = plan.point.seconds / plan.departures.headway
    if stages < 1.5:
        return "mean 1.5 T, worst 2 T", "lecture E8"
    return (
        f"T = step / {stages:.0f} stages; mean T / 2 + {stages:.0f} T, worst T + {stages:.0f} T: the ride takes the step",
        "lecture E8, E13",
    )


def _recommended(plan: Plan) -> str:
    if math.isinf(plan.recommended[0]):
        return (
            "the smallest batch whose cost is within 5 % of the lowest: KV binds at every batch, so there is no balance"
        )
    if plan.recommended[0] < plan.balance_kv:
        return "the smallest batch whose cost is within 5 % of the lowest: memory or KV binds before the balance batch"
    return "2 to 3 times the balance batch"


def _load_rows(plan: Plan) -> list[tuple[str, str, str]]:
    """The passes behind TPOT and TTFT under load."""
    a = plan.loaded
    passes = ", ".join(f"{name} {units.seconds(t)}" for name, t in a.seconds.items())
    return [
        ("under load", f"passes: {passes}", "closed loop in mean values: Schweitzer 1979 (serving/loops)"),
        ("rounds", f"{float(plan.setting.numbers.run_rounds):g} requests per slot, the first all at once",
         "the evidence's benchmarks; --rounds inf for steady state"),
    ]  # fmt: skip


def _step_rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Kernels, collectives and the constant of the pass: they sum to the step."""
    t = plan.point.time
    rows: list[tuple[str, str, str]] = []
    for r in t.rows:
        if r.kind == "collective":
            how = f"{units.si(float(r.work.sent), 'B')} sent -> {units.seconds(float(r.seconds))}"
        else:
            done = f"{units.si(float(r.work.flops), 'FLOP')}, {units.si(float(r.work.bytes), 'B')}"
            how = f"{done} -> {units.seconds(float(r.seconds))}, {r.bound}"
        rows.append((f"row: {r.name}", how, "per chip, all layers"))
    beside = float(t.beside) if float(t.beside) > _NOTHING else 0.0
    rows.append(("row: the pass itself", units.seconds(beside), "scheduling, sampling, bookkeeping of each sequence"))
    hidden = sum(float(r.seconds) for r in t.rows) + float(t.beside) - float(t.seconds)
    if t.convention == "kernels" and hidden > _NOTHING:
        rows.append(
            ("row: hidden network", f"-{units.seconds(hidden)}", "communication behind kernels (network_overlap)")
        )
    if t.convention == "kernels":
        rows.append(("sum of rows", units.seconds(float(t.seconds)), "the step"))
    return rows


def why_text(plan: Plan) -> str:
    """Return the provenance of a plan as text."""
    return rows_text(why_rows(plan))


def rows_text(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows of provenance as text.

    Parameters
    ----------
    rows : sequence of mappings
        `what`, `how`, `source`.
    """
    first = max(len(r["what"]) for r in rows)
    return "where the numbers come from\n" + "\n".join(
        f"  {r['what']:<{first}}  {r['how']}\n  {'':<{first}}    source: {r['source']}" for r in rows
    )
