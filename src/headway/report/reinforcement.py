"""A loop of reinforcement learning as text."""

from __future__ import annotations

import numpy as np

from headway import units
from headway.plan.reinforcement import Iterated, Loop
from headway.tables import table_text

_SHOWN = 8  # splits


def loop_text(found: Loop) -> str:
    """Return a loop as text: its parts, what idles, and the other splits."""
    return "\n\n".join(["\n".join(_head(found)), _parts(found.best), _splits(found), *_left(found)])


def _head(f: Loop) -> list[str]:
    q, b, run, step = f.question, f.best, f.simulated, f.plan.step
    d = run.deployment
    ends = np.quantile(run.log.end, [0.5, 0.9])
    outputs = run.log.requests.output
    cost = "" if f.dollars is None else f", {units.large_dollars(f.dollars)}"
    return [
        f"{f.plan.model.name}: {q.iterations:,} iterations of {q.prompts:,} prompts x {q.group} answers "
        f"({units.tokens(f.generated)} tokens, the longest {int(outputs.max()):,}, half of them under {int(np.median(outputs)):,})",
        "",
        f"fastest       {_where(b)}: {units.seconds(b.seconds)} an iteration, {units.per_cent(b.idle)} of the chips' time idle",
        f"the run       {units.seconds(f.seconds)}{cost}",
        f"answers       {run.replicas} x {d.layout} ({d.setting.engine.name}): {units.rate(run.output_rate)} tok/s; half have ended after "
        f"{units.seconds(float(ends[0]))}, nine of ten after {units.seconds(float(ends[1]))}, all after {units.seconds(b.answers)}",
        f"training      {step.recipe.replicas} x {step.recipe.layout}, MFU {units.per_cent(step.mfu)}: {units.seconds(b.steps)}, and "
        f"{units.seconds(b.passes)} of forward passes over the answers",
        f"new weights   {units.seconds(b.weights)} to those who generate",
        f"rl_factor     {f.factor:.3g} FLOP per parameter and generated token at training's price (the lecture's 2 to 6 over its MFU)",
    ]


def _where(x: Iterated) -> str:
    if x.way == "together":
        return f"all {x.generating:,} chips do both by turns"
    how = "each waits for the other" if x.way == "in turns" else "answers are one iteration ahead"
    return f"{x.generating:,} chips generate, {x.training:,} train, {how}"


def _parts(x: Iterated) -> str:
    return table_text(
        ["where the chips' time goes", "share"], [[k, units.per_cent(v)] for k, v in x.parts.items() if v > 0]
    )


def _splits(f: Loop) -> str:
    head = ["way", "generate", "as", "train", "iteration", "answers", "training", "idle"]
    rows = [
        [
            x.way,
            f"{x.generating:,}",
            x.layout,
            f"{x.training:,}",
            units.seconds(x.seconds),
            units.seconds(x.answers),
            units.seconds(x.learns),
            units.per_cent(x.idle),
        ]
        for x in f.splits[:_SHOWN]
    ]
    more = len(f.splits) - _SHOWN
    return table_text(head, rows) + (f"\nand {units.some(more, 'slower split')} (--json)" if more > 0 else "")


def _left(f: Loop) -> list[str]:
    return ["\n".join(f"left out: {x}" for x in f.left_out)] if f.left_out else []
