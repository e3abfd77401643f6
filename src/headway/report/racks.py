"""Racks as text: all-to-all, pipeline depth, latency, schedules and advice."""

from __future__ import annotations

from headway import units
from headway.parallel.schedules import SCHEDULES
from headway.plan.racks import Depth, RackReport
from headway.tables import table_text


def racks_text(r: RackReport) -> str:
    """Return the report as text."""
    own = f"{r.ratio:.3g}x here" if r.ratio else "no scale-out network in the catalogue"
    out = [f"{r.model.name} on racks of {r.system.name}",
           f"scale-up over scale-out bandwidth: {own}, {r.lecture_ratio:g}x in the lecture", "", *_placement(r)]  # fmt: skip
    out += [
        "",
        *_across(r),
        "",
        *_collectives(r),
        "",
        *_pipeline(r),
        "",
        *_latency(r),
        "",
        *_schedules(r),
        "",
        "what to cut",
    ]
    marks = {"cut": "+", "leave": "-", "warn": "!"}
    out += [f"  {marks[x.verdict]} {x.dimension}: {x.says}" for x in r.advice.remarks]
    return "\n".join(out)


def _placement(r: RackReport) -> list[str]:
    if r.placement is None or r.model.experts is None:
        return ["experts: none, the model is dense; tensor parallelism takes their place on a rack"]
    p, e = r.placement, r.model.experts
    idle = f", {p.idle} idle ({p.idle_share:.1%})" if p.idle else ""
    lines = [f"experts: {e.count} on {units.some(p.used + p.idle, 'chip')}: {p.used} used, {p.per_chip} each{idle}"]
    if r.filled:
        lines.append(
            f"  or {r.filled.redundant} second {'copy fills' if r.filled.redundant == 1 else 'copies fill'} all of them: {r.filled}"
        )
    return lines


def _across(r: RackReport) -> list[str]:
    heads = ["racks", "crosses", f"at {r.lecture_ratio:g}x", "here", "sent once", "dispatch + combine"]
    body = [
        [str(a.racks), f"{a.crossing:.1%}", f"{a.lecture:.1f}x", f"{a.own:.1f}x" if a.own else "—",
         f"{a.once:.1f}x" if a.once else "—", units.seconds(a.seconds) if a.seconds else "—"]
        for a in r.across
    ]  # fmt: skip
    note = [
        "sent once: a token's copies for one rack cross together, as engines send them; the lecture counts each copy"
    ]
    return ["an expert layer over racks: all-to-all against one rack (uniform routing)", table_text(heads, body), *note]


def _pipeline(r: RackReport) -> list[str]:
    heads = ["P", "layers", "E12", "E12 here", "weights/chip", "KV/chip", "fits", "sequences in flight"]
    body = [
        [str(d.stages), str(d.layers), f"{d.ratio:,.1f}", f"{d.own_ratio:,.1f}" if d.own_ratio else "—",
         units.si(d.weights, "B"), units.si(d.cache, "B"), _fits(d), units.count(d.batch)]
        for d in r.depths
    ]  # fmt: skip
    lines = [f"a pipeline over P racks, micro-batches of {units.some(r.micro_batch, 'sequence')} of {units.some(r.context, 'token')}",
             table_text(heads, body)]  # fmt: skip
    if r.fewest_layers:
        here = f", {r.own_fewest_layers:.0f} here" if r.own_fewest_layers else ""
        lines.append(f"E12 (1/ratio x 2 x activated experts x layers per stage) of at least 1 keeps the rack boundary from being the "
                     f"bottleneck: at least {units.some(r.fewest_layers, 'layer per stage')} at {r.lecture_ratio:g}x{here}")  # fmt: skip
    lines.append("weights shrink with depth, KV does not: P stages need P micro-batches in flight to stay busy, so each chip holds 1/P of "
                 "the layers of P times the sequences (E16, E17)")  # fmt: skip
    return lines


def _collectives(r: RackReport) -> list[str]:
    if not r.collectives:
        return ["collectives: none, no link joins the chips"]
    sizes = sorted({c.size for c in r.collectives})
    heads = ["collective", *(x for s in sizes for x in (units.si(s, "B"), "by", "over 2"))]
    body: list[list[str]] = []
    for kind in dict.fromkeys(c.kind for c in r.collectives):
        row = [kind]
        for s in sizes:
            c = next(c for c in r.collectives if (c.kind, c.size) == (kind, s))
            row += [units.seconds(c.inside), c.algorithm, units.seconds(c.across) if c.across else "—"]
        body.append(row)
    return ["collectives over one domain with the algorithm that sends least, and over two, as a step of this engine takes them",
            table_text(heads, body, left=True)]  # fmt: skip


def _fits(d: Depth) -> str:
    return f"short by {units.si(d.shortfall, 'B')}" if d.shortfall else "yes"


def _latency(r: RackReport) -> list[str]:
    heads = ["P", "step", "with hops", "if hops are 10x shorter", "or 10x longer"]
    body = [[str(d.stages), units.seconds(d.step), *(units.seconds(d.hopped[i]) for i in (1, 0, 2))] for d in r.depths]
    lines = [f"a token's latency with {units.seconds(r.hop)} per rack hop (the lecture's 20 ms over 4 racks becomes 30 ms)",
             table_text(heads, body), "", "reading all weights once, by the size of the scale-up domain (E18)"]  # fmt: skip
    heads = ["domain", "chips", "used", "memory", "1 TB", "this model", "cables", "remarks"]
    rows = [
        [g.name, f"{g.chips:,}", f"{g.used:,}", units.si(g.memory, "B") if g.memory else "—",
         units.seconds(g.terabyte_read) if g.terabyte_read else "—", units.seconds(g.weights_read) if g.weights_read else "—",
         f"{g.cables:,.0f}" if g.cables else "—", g.note]
        for g in r.generations
    ]  # fmt: skip
    return [
        *lines,
        table_text(heads, rows),
        "every chip reaches every switch: twice the chips are twice the cables in the same rack",
    ]


def _schedules(r: RackReport) -> list[str]:
    stages = r.decode[0].stages
    body = [[str(p.micro_batches), f"{p.idle:.0%}", f"{p.token_latency:.2g}"] for p in r.decode]
    lines = [f"decode over {units.some(stages, 'stage')}, played out: idle share and stage times per token",
             table_text(["micro-batches", "idle", "per token"], body), "",
             f"a training step over {units.some(stages, 'stage')}, played out: bubble, and most micro-batches of activations that a stage "
             "holds (interleaved: halves)"]  # fmt: skip
    several = sorted({p.micro_batches for p in r.training})
    table = [
        [name, *(cell for m in several for p in r.training if (p.name, p.micro_batches) == (name, m)
                 for cell in (f"{p.idle:.1%}", str(p.peak_activations)))]
        for name in SCHEDULES
    ]  # fmt: skip
    heads = ["schedule", *(x for m in several for x in (f"M = {m}", "held"))]
    return [*lines, table_text(heads, table)]
