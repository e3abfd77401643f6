"""SYS-H1: the integrated server in the lecture's variables: step time t by batch B, the machine's roofline, what a token costs."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from headway.catalog import default
from headway.hardware.cpu import measured_cpu
from headway.lab.engine.core import Ask, Engine
from headway.lab.engine.settings import Settings, limits_of, policy_of
from headway.lab.engine.tracing import Kept, Recorded
from headway.lab.findings import Check, Demonstration, Picture
from headway.lab.widths import tiny
from headway.parallel import Layout, build_step
from headway.roofline import Load, step_time

BATCHES = (1, 2, 4, 8, 16, 32, 64)
PROMPT, OUTPUT = 24, 24  # tokens
_NOISE = 1.1  # times: what a busy machine does to a median
_FALLS = 2.0  # times, from a batch of 1 to the cheapest
_FLAT = 0.5  # of the first doubling's saving that the last one still has, at the most


def engine(model: str) -> Demonstration:
    """SYS-H1: an engine that serves batches of 1, 2, 4, ..., in the lecture's variables.

    Parameters
    ----------
    model : str
    """
    arch = tiny(model)
    policy = policy_of("prefill-first")
    limits = limits_of(policy, 1024, BATCHES[-1], BATCHES[-1] * 4, 16, PROMPT + OUTPUT)
    settings = Settings(arch, limits, policy, keeps=False)
    kept = Kept(settings)
    running = Engine(settings, (kept,))
    for batch in BATCHES:
        _ride(running, batch)
    rows = [_row(arch, kept.recorded(), batch) for batch in BATCHES]
    costs = [float(r["dollars_per_Mtok"]) for r in rows]
    first, last = costs[0] - costs[1], costs[-2] - costs[-1]
    over = min(r["fastest_s"] / r["roofline_s"] for r in rows)
    level = all(b <= _NOISE * a for a, b in itertools.pairwise(costs))
    checks = (
        Check("every step against the roofline of this machine", "never below", f"at least {over:,.3g}x", over >= 1),
        Check(
            "cost per token from B = 1", f"falls, {_FALLS:g}x at least", f"{costs[0] / min(costs):.3g}x",
            costs[0] >= _FALLS * min(costs),
        ),
        Check("cost per token at twice the batch", f"below {_NOISE:g}x", "at all" if level else "above", level),
        Check(
            "what the last doubling saves, of what the first does", f"flattens: below {_FLAT:.0%}", f"{last / first:.0%}",
            last < _FLAT * first,
        ),
        Check("tokens told, of those asked for", "all", f"{_told(kept.recorded()):,}", _told(kept.recorded()) == OUTPUT * sum(BATCHES)),
    )  # fmt: skip
    points = [(line, float(r["B"]), float(r[key])) for r in rows for line, key in _LINES.items()]
    picture = Picture("B, sequences of a pass", "seconds of a pass; $ per Mtok", tuple(points))
    note = "the server itself: headway serve --trace FILE; headway replay FILE puts the simulator beside it"
    return Demonstration(
        "engine", "SYS-H1", "an engine in the lecture's variables", arch.name, checks, tuple(rows), picture, (note,)
    )


_LINES = {"t, measured": "t_s", "roofline of this machine": "roofline_s", "cost per Mtok": "dollars_per_Mtok"}


def _ride(running: Engine, batch: int) -> None:
    """So many requests, at once and alike."""
    rng = np.random.default_rng(batch)
    for i in range(batch):
        prompt = tuple(int(t) for t in rng.integers(32, 127, PROMPT))
        running.submit(Ask(prompt, OUTPUT, 0.0, i, ends=False), lambda _: None)
    running.finish()


def _row(arch: Any, run: Recorded, batch: int) -> dict[str, Any]:
    """Passes in which exactly so many decode."""
    passes = [p for p in run.passes if not p["chunks"] and len(p["riders"]) == batch]
    context = float(np.mean([p["context_tokens"] for p in passes])) / batch
    took = np.array([p["seconds"] for p in passes])
    t = float(np.median(took))
    floor = step_time(build_step(arch, Layout()), Load.decode(batch, PROMPT + 1.0), measured_cpu())
    rent = default("lab_rent") / 3600
    return {
        "B": batch, "passes": len(passes), "L_tokens": context, "t_s": t, "fastest_s": float(took.min()),
        "roofline_s": float(floor.seconds), "tokens_per_s": batch / t, "dollars_per_Mtok": rent * t / batch * 1e6,
    }  # fmt: skip


def _told(run: Recorded) -> int:
    return sum(int(r["output_tokens"]) for r in run.requests)
