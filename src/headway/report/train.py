"""A training run as text."""

from __future__ import annotations

from collections.abc import Sequence

from headway import units
from headway.plan.train import TrainingPlan
from headway.tables import table_text
from headway.training.fitting import TrainingFold
from headway.training.recipes import Recipe

_SAYS = {
    "compute": "matrix products and attention, forward and backward",
    "memory": "weights, gradients and activations through memory, in the same passes",
    "collectives": "between the chips of a replica, in the same passes",
    "launches": "kernels wait for the host that launches them",
    "recompute": "activations computed again",
    "bubble": "stages wait for the first and the last micro-batch",
    "exchange": "gradients and weights between replicas, that nothing hides",
    "optimizer": "states read and written",
    "host": "data, logging, the optimizer's launches",
}


def train_text(t: TrainingPlan) -> str:
    """Return a training run as text: the recipe, where a step's time goes, memory, the run, and the runners-up."""
    i, low_high = t.step, t.interval
    r = i.recipe
    lines = [
        f"{t.model.name} on {r.chips:,} chips of {t.system.name}: {units.tokens(t.tokens)} tokens, "
        f"{t.tokens_per_parameter:,.3g} per active parameter",
        "",
        f"recipe      {_recipe(r)}",
        f"batch       {units.some(r.batch, 'sequence')} of {r.sequence:,} tokens: {units.tokens(r.tokens)} tokens a step, "
        f"{units.some(r.micro_batches, 'micro-batch')} of {r.micro_batch} a replica's group",
        f"step        {units.seconds(i.seconds)}, 80 % from {units.seconds(low_high[0])} to {units.seconds(low_high[1])}; "
        f"floor {units.seconds(t.floor.seconds)}",
        f"speed       {units.rate(i.tokens_per_second)} tokens/s, {units.rate(i.tokens_per_second / r.chips)} a chip",
        f"MFU         {units.per_cent(i.mfu)}" + (f", HFU {units.per_cent(i.hfu)}" if i.hfu > i.mfu * 1.001 else ""),
        "",
        *_parts(t),
        "",
        *_memory(t),
        "",
        *_run(t),
    ]
    if t.others:
        lines += ["", *_others(t)]
    lines += ["", f"numbers: {t.numbers.name}, fitted on {t.numbers.rows:,} measured steps: {t.numbers.about}"]
    return "\n".join(lines)


def _recipe(r: Recipe) -> str:
    schedule = f", {_schedule(r)}" if r.layout.pp > 1 else ""
    hidden = f", {units.per_cent(r.overlap)} of collectives hidden" if r.overlap else ""
    return f"{r.replicas:,} x {r.layout}, ZeRO {r.zero}, recompute {r.recompute}{schedule}, {r.rate}{hidden}"


def _schedule(r: Recipe) -> str:
    return r.schedule + (f" in {r.parts} parts" if r.parts > 1 else "") if r.layout.pp > 1 else "—"


def _parts(t: TrainingPlan) -> list[str]:
    whole = t.step.seconds
    body = [
        [name, units.seconds(s), units.per_cent(s / whole), _SAYS[name]]
        for name, s in t.step.parts().items()
        if s > 0.0005 * whole
    ]
    return table_text(["a step's time", "", "share", ""], body).splitlines()


def _memory(t: TrainingPlan) -> list[str]:
    m = t.memory
    body = [[name, f"{b / 1e9:,.1f} GB", units.per_cent(b / t.usable)] for name, b in m.parts().items() if b]
    body.append(["total", f"{m.total / 1e9:,.1f} GB", units.per_cent(m.total / t.usable)])
    where = "" if t.step.recipe.layout.pp == 1 else f" of stage {m.stage + 1}, {m.held:.3g} micro-batches in flight"
    return table_text([f"memory of a chip{where}", "", f"of {t.usable / 1e9:,.1f} GB usable"], body).splitlines()


def _run(t: TrainingPlan) -> list[str]:
    run, g, r = t.run, t.goodput, t.reliability
    money = "no price: --price"
    if run.dollars is not None:
        money = f"{units.large_dollars(run.dollars)} at {units.dollars((t.system.price or 0) * 3600)}/h a chip"
    energy = "" if run.joules is None else f", {run.joules / 3.6e9:,.3g} MWh at the chips' rated power"
    return [
        f"run         {_days(run.seconds)} for {run.steps:,.0f} steps, {money}{energy}",
        f"compute     {run.steps * t.step.model_flops:.3g} FLOP",
        f"failures    {run.failures:,.3g}, one every {_days(g.between)}; goodput {units.per_cent(g.share)}: checkpoints take "
        f"{units.per_cent(g.checkpoints)}, work done again {units.per_cent(g.lost)}, restarts {units.per_cent(g.restarts)}",
        f"checkpoint  {run.checkpoint_bytes / 1e12:,.3g} TB in {units.seconds(r.checkpoint)}, every {_days(r.interval)} (Young and Daly)",
    ]


def _days(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.3g} {unit}"
    return units.seconds(seconds)


def _others(t: TrainingPlan) -> list[str]:
    best = t.step.seconds
    body = [
        [f"{r.replicas:,} x {r.layout}", _schedule(r), str(r.micro_batch), r.recompute, str(r.zero), units.seconds(x.seconds),
         f"{x.seconds / best:.3f}x", f"{x.memory / 1e9:,.1f} GB"]
        for x in t.others if (r := x.recipe)
    ]  # fmt: skip
    table = table_text(["runners-up", "schedule", "micro-batch", "recompute", "ZeRO", "step", "times", "memory"], body)
    return [*table.splitlines(), f"{t.looked_at:,} recipes looked at, {t.did_not_fit:,} of them do not fit"]


def folds_text(rows: Sequence[TrainingFold]) -> str:
    """Return how well measured training steps are predicted out of fold.

    Parameters
    ----------
    rows : sequence of TrainingFold
    """
    head = ["training engine", "where", "steps", "folds", "mean error", "median", "bias", "in 80 % interval"]
    body = [
        [
            r.engine,
            r.kind,
            f"{r.rows:,}",
            str(r.folds),
            f"{r.mean:.1%}",
            f"{r.median:.1%}",
            f"{r.bias:+.1%}",
            f"{r.covered:.0%}",
        ]
        for r in rows
    ]
    return (
        table_text(head, body)
        + "\neach step by a fit that has not seen its model (width and depth; on several nodes its size)"
    )
