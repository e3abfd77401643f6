"""Pipelines that run (SYS-D2, SYS-D3): each stage of a network on a host device of its own, task by task in a schedule's order.

The host has fewer cores than devices, so stages that would run side by side run one after the other: every task is timed by
itself, and each device's clock moves on by what its own tasks took. A task starts when its device is free and what it needs has
arrived; its sender's clock says when that is. Idle time is what those clocks leave over.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from headway.errors import InputError
from headway.lab.findings import Check, Demonstration, Picture
from headway.lab.needs import QUICK
from headway.lab.networks import Network, begun, head, looked_up, network, run_layer
from headway.lab.place import ALONE
from headway.lab.stages import layers_of, stage_weights
from headway.lab.widths import tiny
from headway.parallel import decode_idle_fraction
from headway.parallel.schedules import Play, Task, decode_play

Array = Any
STAGES, LAYERS = 4, 8
SEQUENCES, PROMPT, TOKENS = 8, 16, 12  # of a micro-batch; of each sequence
MICRO_BATCHES = (1, 2, 3, 4, 5)
_REPEATS = 3
_CLOSE = 1e-5  # of the largest logit
_NEAR = 0.2  # idle time as timed against the formula, whose stages all take as long


@dataclass
class Clocks:
    """Devices' clocks, moved on by the tasks that they run.

    Attributes
    ----------
    took : callable
        Task -> how long it takes. [any one unit]
    free : list of float
        When each stage's last task ended. [the same]
    sent : dict
        When what a task gives is there, by what it is. [the same]
    tasks : list of Task
        With the times of these clocks.
    """

    took: Callable[[Task], float]
    free: list[float]
    sent: dict[Any, float] = field(default_factory=dict[Any, float])
    tasks: list[Task] = field(default_factory=list[Task])

    def ran(self, task: Task, needs: Sequence[Any], gives: Any) -> None:
        """Move a stage's clock on by a task.

        Parameters
        ----------
        task : Task
        needs : sequence
            What it took from others.
        gives : hashable
            What is there when it ends.
        """
        start = max([self.free[task.stage], *(self.sent[n] for n in needs)])
        self.free[task.stage] = self.sent[gives] = end = start + self.took(task)
        self.tasks.append(replace(task, start=start, end=end))


class Timer:
    """How long tasks take: the shortest of one kind on one stage (part of it): in others the machine did more."""

    def __init__(self) -> None:
        self._took: dict[tuple[int, int, str], list[float]] = {}

    def run(self, task: Task, f: Callable[..., Any], *given: Any) -> Any:
        """Return what a task computes, when it is there.

        Parameters
        ----------
        task : Task
        f : callable
        given
            On the stage's device.
        """
        began = time.perf_counter()
        found = jax.block_until_ready(f(*given))
        self._took.setdefault(_alike(task), []).append(time.perf_counter() - began)
        return found

    def __call__(self, task: Task) -> float:
        """Return how long a task takes. [s]"""
        return min(self._took[_alike(task)])

    def mean(self, kind: str) -> float:
        """Return the mean over stages of what a kind of task takes. [s]"""
        return statistics.fmean(min(v) for (*_, k), v in self._took.items() if k == kind)


def _alike(task: Task) -> tuple[int, int, str]:
    """What tasks that run the same program have in common: turns of a decode are tokens."""
    return task.stage, 0 if task.kind == "decode" else task.turn, task.kind


def played(play: Play, clocks: Clocks, unit: float) -> Play:
    """Return a schedule as it ran, in units of a time.

    Parameters
    ----------
    play : Play
        As it was planned.
    clocks : Clocks
    unit : float
        [that of the clocks]
    """
    tasks = tuple(replace(t, start=t.start / unit, end=t.end / unit) for t in clocks.tasks)
    window = 0.0, max(t.end for t in tasks)
    if play.name == "decode":
        last = [t.end for t in tasks if t.micro_batch == 0 and t.stage == play.stages - 1]
        window = last[len(last) // 2], last[-2]
    return Play(play.name, play.stages, play.micro_batches, tasks, window)


class _Decoding:
    """A network's stages on their devices, and the prompts of all micro-batches computed."""

    def __init__(self, net: Network) -> None:
        self.net, self.devices = net, jax.devices("cpu")[:STAGES]
        whole = net.weights()
        self.whole = jax.tree.map(jnp.asarray, whole)
        self.weights = [jax.device_put(w, d) for w, d in zip(stage_weights(whole, STAGES), self.devices, strict=True)]
        shape = max(MICRO_BATCHES), SEQUENCES, PROMPT
        self.prompts = np.random.default_rng(7).integers(0, net.model.vocabulary, shape)
        filled = [net.prefill(self.whole, jnp.asarray(p), PROMPT + TOKENS) for p in self.prompts]
        self.start = [jnp.argmax(logits[:, -1], axis=-1) for logits, _ in filled]
        self.caches = [cache for _, cache in filled]
        self._stages = [jax.jit(self._stage(s), compiler_options=QUICK) for s in range(STAGES)]

    def _stage(self, stage: int) -> Callable[..., Any]:
        net, mine = self.net, layers_of(stage, LAYERS, STAGES)

        def one(weights: Any, caches: list[Any], length: Array, x: Array) -> tuple[Array, Array, list[Any]]:
            p = begun(length, x[:, None] if stage == 0 else x, False)
            x = looked_up(net, weights, x[:, None], ALONE) if stage == 0 else x
            held: list[Any] = [{}] * mine.start + list(caches)
            for i in mine:
                x = run_layer(net, i, weights["layers"][i - mine.start], held, x, p)
            if stage < STAGES - 1:
                return x, x, held[mine.start :]
            logits = head(net, weights, x, ALONE)[:, -1]
            return jnp.argmax(logits, axis=-1), logits, held[mine.start :]

        return one

    def run(self, play: Play, timer: Timer, clocks: Sequence[Clocks]) -> tuple[Any, Any]:
        """Return tokens and logits of all micro-batches. [micro-batch, sequence, token, ...]"""
        m = play.micro_batches
        held = {
            (s, i): jax.device_put(
                [self.caches[i]["layers"][j] for j in layers_of(s, LAYERS, STAGES)], self.devices[s]
            ) for s in range(STAGES) for i in range(m)
        }  # fmt: skip
        wire: dict[tuple[int, int, int], Array] = {
            (0, i, 0): self.start[i] for i in range(m)
        }  # stage, micro-batch, token
        told: list[list[Any]] = [[] for _ in range(m)]
        scores: list[list[Any]] = [[] for _ in range(m)]
        for c in clocks:
            c.sent |= dict.fromkeys(wire, 0.0)
        for t in play.tasks:
            if t.turn >= TOKENS:
                continue
            s, i = t.stage, t.micro_batch
            if (s, i, t.turn) not in wire:
                raise InputError(
                    f"the schedule asks stage {s} for micro-batch {i}, token {t.turn} before it has arrived"
                )
            x = jax.device_put(wire.pop((s, i, t.turn)), self.devices[s])
            length = jnp.full(SEQUENCES, PROMPT + t.turn, jnp.int32)
            out, logits, held[s, i] = timer.run(t, self._stages[s], self.weights[s], held[s, i], length, x)
            there = (s + 1, i, t.turn) if s < STAGES - 1 else (0, i, t.turn + 1)
            wire[there] = out
            if s == STAGES - 1:
                told[i].append(out)
                scores[i].append(logits)
            for c in clocks:
                c.ran(t, [(s, i, t.turn)], there)
        return tuple(np.stack([np.stack(x, axis=1) for x in both]) for both in (told, scores))  # type: ignore[return-value]


def pipeline(model: str) -> Demonstration:
    """SYS-D2: decoding by micro-batches over four devices with two layers each.

    Parameters
    ----------
    model : str
    """
    arch = tiny(model, LAYERS)
    net = network(arch)
    work = _Decoding(net)
    timer = Timer()
    plays = {m: decode_play(STAGES, m, tokens=TOKENS) for m in MICRO_BATCHES}
    work.run(plays[1], Timer(), [])  # compiles
    for _ in range(_REPEATS):
        work.run(plays[STAGES], timer, [])
    wanted = [net.decode(work.whole, c, s, TOKENS) for c, s in zip(work.caches, work.start, strict=True)]
    unit = timer.mean("decode")
    rows: list[dict[str, Any]] = []
    ran: list[Play] = []
    for m, play in plays.items():
        counting, timed = (Clocks(took, [0.0] * STAGES) for took in (_one, timer))
        told, logits = work.run(play, Timer(), [counting, timed])
        by_count, by_time = played(play, counting, 1.0), played(play, timed, unit)
        ran.append(by_time)
        apart = max(
            float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, (_, b, _) in zip(logits, wanted[:m], strict=True)
        )
        rows.append(
            {
                "micro_batches": m, "idle_formula": float(decode_idle_fraction(STAGES, m)), "idle_by_tasks": by_count.idle,
                "idle_timed": by_time.idle, "latency_by_tasks": by_count.token_latency, "latency_timed": by_time.token_latency,
                "token_ms": by_time.token_latency * unit * 1e3, "apart": apart,
                "same_tokens": all(np.array_equal(a, b) for a, (b, _, _) in zip(told, wanted[:m], strict=True)),
            }
        )  # fmt: skip
    points = [
        (line, float(r["micro_batches"]), r[key])
        for line, key in (("formula", "idle_formula"), ("timed", "idle_timed")) for r in rows
    ]  # fmt: skip
    picture = Picture("micro-batches", "idle share", tuple(points), "plain")
    stages = ", ".join(f"{timer(Task(s, 0, 'decode', 0, 0, 0)) * 1e3:.2g}" for s in range(STAGES))
    notes = (f"stages take {stages} ms; times are in units of their mean, {unit * 1e3:.2g} ms",)
    title = f"a decode pipeline over {STAGES} host devices"
    return Demonstration("pipeline", "SYS-D2", title, arch.name, _checks(rows), tuple(rows), picture, notes, tuple(ran))


def _one(task: Task) -> float:
    return 1.0


def _checks(rows: Sequence[dict[str, Any]]) -> tuple[Check, ...]:
    apart = max(r["apart"] for r in rows)
    idle = ", ".join(f"{r['idle_by_tasks']:.2f}" for r in rows)
    off = max(abs(r["idle_timed"] - r["idle_formula"]) for r in rows)
    latency = ", ".join(f"{r['latency_by_tasks']:.3g}" for r in rows)
    return (
        Check("tokens of every micro-batch against one device", "the same", "all", all(r["same_tokens"] for r in rows)),
        Check("logits against one device", f"within {_CLOSE:g}", f"{apart:.1e}", apart <= _CLOSE),
        Check(
            "idle share by tasks, M = 1 to 5", "0.75, 0.50, 0.25, 0, 0", idle,
            all(abs(r["idle_by_tasks"] - r["idle_formula"]) < 1e-9 for r in rows),
        ),
        Check(
            "tasks between two tokens of a sequence", "4, 4, 4, 4, 5", latency,
            all(abs(r["latency_by_tasks"] - max(STAGES, r["micro_batches"])) < 1e-9 for r in rows),
        ),
        Check("idle share as timed, against the formula", f"within {_NEAR:g}", f"{off:.2f} at the most", off <= _NEAR),
    )  # fmt: skip
