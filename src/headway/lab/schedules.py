"""Training steps over host devices (SYS-D3): every schedule on one network, with the gradients of it in one piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from headway.errors import InputError
from headway.lab.findings import Check, Demonstration, Picture
from headway.lab.learning import cross_entropy
from headway.lab.needs import QUICK
from headway.lab.networks import Network, begun, head, looked_up, network, run_layer
from headway.lab.pipelines import Clocks, Timer, played
from headway.lab.place import ALONE
from headway.lab.splitting import split
from headway.lab.stages import layers_of, stage_weights
from headway.lab.widths import tiny
from headway.parallel import activations_held, training_bubble
from headway.parallel.schedules import SCHEDULES, Play, Task, training_play

Array = Any
STAGES, LAYERS = 4, 8
PARTS = 2  # of the network on each device, when interleaved
SEQUENCES, LENGTH = 2, 32  # of a micro-batch; tokens of each sequence
KINDS = SCHEDULES
MICRO_BATCHES = (4, 16)
_CLOSE = 1e-5  # of the largest gradient
_NEAR = 0.2  # idle time as timed, against the formula


def stage_function(net: Network, stage: int, stages: int = STAGES) -> Callable[..., Array]:
    """Return a stage of a network that is trained: (weights, input, tokens) -> what the next stage gets; of the last, the loss.

    Parameters
    ----------
    net : Network
    stage, stages : int
        Its number; how many there are. [1]
    """
    mine = layers_of(stage, len(net.shapes), stages)

    def run(weights: Any, x: Array, tokens: Array) -> Array:
        fresh = tokens[:, :-1]
        p = begun(jnp.zeros(len(fresh), jnp.int32), fresh, True)
        caches = list(net.cache(*fresh.shape)["layers"])
        for i in mine:
            x = run_layer(net, i, weights["layers"][i - mine.start], caches, x, p)
        if stage < stages - 1:
            return x
        return cross_entropy(head(net, weights, x, ALONE), tokens[:, 1:])

    return run


@dataclass
class _Stage:
    """A stage (one part of its device's, when interleaved): its programs, what it holds, gradients so far."""

    weights: Any
    tokens: Any
    programs: dict[str, Any]
    held: dict[int, tuple[list[Array], list[Array]]] = field(default_factory=dict[int, Any])
    slopes: dict[int, Array] = field(default_factory=dict[int, Any])
    sums: Any = None

    def holds(self) -> tuple[int, int]:
        """Micro-batches, and bytes of their activations."""
        return len(self.held), sum(x.nbytes for pair in self.held.values() for part in pair for x in part)


@dataclass
class _Ran:
    """What a step found: gradients, and the most that a device held at once."""

    gradients: Any
    held: int
    held_bytes: int


class Training:
    """A network cut over devices, and micro-batches of random tokens.

    Parameters
    ----------
    net : Network
    micro_batches : int
        The most that a step has. [1]
    parts : int
        Of the network on each device; part i of device s is stage i P + s of all. [1]
    """

    def __init__(self, net: Network, micro_batches: int, parts: int = 1) -> None:
        self.net, self.pieces = net, STAGES * parts
        self.devices = [*jax.devices("cpu")[:STAGES]] * parts
        whole = net.weights()
        self.whole = jax.tree.map(jnp.asarray, whole)
        shape = micro_batches, SEQUENCES, LENGTH + 1
        self.tokens = jnp.asarray(np.random.default_rng(9).integers(0, net.model.vocabulary, shape))
        self._weights = [
            jax.device_put(w, d) for w, d in zip(stage_weights(whole, self.pieces), self.devices, strict=True)
        ]
        self._programs = [self._compiled(s) for s in range(self.pieces)]

    def _compiled(self, stage: int) -> dict[str, Any]:
        run, mine = stage_function(self.net, stage, self.pieces), self._trained(stage)
        x = jnp.zeros((SEQUENCES, LENGTH, self.net.model.hidden))
        parts = split(run, mine, x, self.tokens[0])

        def whole_backward(weights: Any, tokens: Array, held: Any, slope: Array) -> Any:
            into, more = parts.backward(weights, tokens, held, slope)
            return into, parts.onto_weights(weights, tokens, held, more)

        several = {
            "forward": parts.forward, "backward": parts.backward, "weights": parts.onto_weights, "whole backward": whole_backward,
        }  # fmt: skip
        return {name: jax.jit(f, compiler_options=QUICK) for name, f in several.items()}

    def _trained(self, stage: int) -> Any:
        """A stage's weights, without a table in which it only looks tokens up."""
        kept = self._weights[stage]
        return {k: v for k, v in kept.items() if k != "embedding" or stage == self.pieces - 1}

    def run(self, play: Play, timer: Timer, clocks: Sequence[Clocks]) -> _Ran:
        """Return the gradients of a step, of the mean loss over its micro-batches, and what devices held.

        Parameters
        ----------
        play : Play
            Of `training_play`, with as many parts a stage.
        timer : Timer
        clocks : sequence of Clocks
            That are moved on.
        """
        stages = [
            _Stage(self._trained(s), [jax.device_put(t, self.devices[s]) for t in self.tokens], self._programs[s])
            for s in range(self.pieces)
        ]
        table = self._weights[0]["embedding"]
        wire: dict[tuple[str, int, int], Array] = {
            ("forward", 0, m): looked_up(self.net, {"embedding": table}, self.tokens[m][:, :-1], ALONE)
            for m in range(play.micro_batches)
        }
        for m in range(play.micro_batches):
            wire["backward", self.pieces - 1, m] = jnp.float32(1 / play.micro_batches)
        for c in clocks:
            c.sent |= dict.fromkeys(wire, 0.0)
        apart = any(t.kind == "weights" for t in play.tasks)
        most = 0, 0
        for task in play.tasks:
            s = task.turn * STAGES + task.stage
            needs, gives = self._task(stages[s], s, task, wire, timer, apart)
            mates = [x.holds() for x in stages[task.stage :: STAGES]]
            most = max(most[0], sum(n for n, _ in mates)), max(most[1], sum(b for _, b in mates))
            for c in clocks:
                c.ran(task, needs, gives)
        return _Ran(self._gathered(stages, wire, play.micro_batches), *most)

    def _task(
        self, at: _Stage, s: int, task: Task, wire: dict[tuple[str, int, int], Array], timer: Timer, apart: bool
    ) -> tuple[list[Any], Any]:
        """Run a task of stage s of all; what it took from other stages, and what it gives."""
        m = task.micro_batch
        if task.kind == "weights":
            self._add(at, timer.run(task, at.programs["weights"], at.weights, at.tokens[m], *at.held.pop(m)))
            return [], ("weights", s, m)
        key = task.kind, s, m
        if key not in wire:
            raise InputError(
                f"the schedule asks stage {s} for the {task.kind} of micro-batch {m} before it has arrived"
            )
        came = jax.device_put(wire.pop(key), self.devices[s])
        if task.kind == "forward":
            out, held = timer.run(task, at.programs["forward"], at.weights, at.tokens[m], came)
            at.held[m] = held, []
            if s < self.pieces - 1:
                wire["forward", s + 1, m] = out
            return [key], ("forward", s + 1, m)
        program = at.programs["backward" if apart else "whole backward"]
        wire["backward", s - 1, m], rest = timer.run(task, program, at.weights, at.tokens[m], at.held[m][0], came)
        if apart:
            at.held[m] = at.held[m][0], rest
        else:
            del at.held[m]
            self._add(at, rest)
        return [key], ("backward", s - 1, m)

    @staticmethod
    def _add(at: _Stage, gradients: Any) -> None:
        at.sums = gradients if at.sums is None else jax.tree.map(jnp.add, at.sums, gradients)

    def _gathered(self, stages: Sequence[_Stage], wire: dict[tuple[str, int, int], Array], micro_batches: int) -> Any:
        """Gradients of the whole network: those of all stages, and of the table from what came back to the first."""
        host = [jax.tree.map(np.asarray, s.sums) for s in stages]
        found: dict[str, Any] = {"layers": [layer for one in host for layer in one["layers"]]}
        found |= {k: v for k, v in host[-1].items() if k != "layers"}
        table = np.array(found.get("embedding", np.zeros(self._weights[0]["embedding"].shape, np.float32)))
        for m in range(micro_batches):
            np.add.at(table, np.asarray(self.tokens[m][:, :-1]), np.asarray(wire["backward", -1, m]))
        return found | {"embedding": table}

    def reference(self, micro_batches: int) -> Any:
        """Return the gradients of the network in one piece, by JAX.

        Parameters
        ----------
        micro_batches : int
            [1]
        """

        def loss(weights: Any) -> Array:
            tokens = self.tokens[:micro_batches].reshape(-1, LENGTH + 1)
            fresh = tokens[:, :-1]
            p = begun(jnp.zeros(len(fresh), jnp.int32), fresh, True)
            x, caches = looked_up(self.net, weights, fresh, ALONE), list(self.net.cache(*fresh.shape)["layers"])
            for i in range(len(self.net.shapes)):
                x = run_layer(self.net, i, weights["layers"][i], caches, x, p)
            return cross_entropy(head(self.net, weights, x, ALONE), tokens[:, 1:])

        return jax.tree.map(np.asarray, jax.jit(jax.grad(loss), compiler_options=QUICK)(self.whole))


def schedules(model: str) -> Demonstration:
    """SYS-D3: one training step of four devices with two layers each, under every schedule.

    Parameters
    ----------
    model : str
    """
    net = network(tiny(model, LAYERS))
    most = max(MICRO_BATCHES)
    work, in_parts = Training(net, most), Training(net, most, PARTS)
    timer, apart_timer, parts_timer = Timer(), Timer(), Timer()
    for kind, on, into in (
        ("gpipe", work, timer), ("zero-bubble", work, apart_timer), ("interleaved", in_parts, parts_timer),
    ):  # fmt: skip
        on.run(training_play(kind, STAGES, MICRO_BATCHES[0], parts=PARTS), Timer(), [])  # compiles
        on.run(training_play(kind, STAGES, most, parts=PARTS), into, [])
    ways = {"zero-bubble": (work, apart_timer), "interleaved": (in_parts, parts_timer)}
    unit = timer.mean("forward")
    rows: list[dict[str, Any]] = []
    ran: list[Play] = []
    gradients: dict[tuple[str, int], Any] = {}
    for m in MICRO_BATCHES:
        wanted = work.reference(m)
        for kind in KINDS:
            row, play, gradients[kind, m] = _row(*ways.get(kind, (work, timer)), kind, m, unit, wanted)
            rows.append(row)
            ran.append(play)
    points = [
        (f"{r['schedule']}, {how}", float(r["micro_batches"]), r[key])
        for r in rows for how, key in (("formula", "idle_formula"), ("timed", "idle_timed"))
    ]  # fmt: skip
    took = ", ".join(f"{name} {t.mean(kind) * 1e3:.2g}" for name, t, kind in (
        ("forward", timer, "forward"), ("backward", timer, "backward"), ("of inputs alone", apart_timer, "backward"),
        ("of weights alone", apart_timer, "weights"), ("forward of a part", parts_timer, "forward"),
    ))  # fmt: skip
    notes = (f"a task takes, in ms, the mean over stages: {took}; charts are in units of a forward",)
    same = max(
        _apart(gradients["gpipe", m], gradients[kind, m]) for m in MICRO_BATCHES for kind in KINDS
    )  # between schedules
    title = f"training steps over {STAGES} host devices"
    picture = Picture("micro-batches", "idle share", tuple(points), "plain")
    drawn = tuple(p for p in ran if p.micro_batches == MICRO_BATCHES[0])
    return Demonstration(
        "schedules", "SYS-D3", title, net.model.name, _checks(rows, same), tuple(rows), picture, notes, drawn
    )


def _row(work: Training, timer: Timer, kind: str, m: int, unit: float, wanted: Any) -> tuple[dict[str, Any], Play, Any]:
    """One schedule with so many micro-batches: idle time planned, by tasks and as timed; what was held; its gradients."""
    planned, parts = training_play(kind, STAGES, m, parts=PARTS), work.pieces // STAGES
    times = {"forward": 1.0, "backward": 1.0 if kind == "zero-bubble" else 2.0, "weights": 1.0}

    def counted(task: Task) -> float:
        return times[task.kind] / parts

    counting, timed = (Clocks(took, [0.0] * STAGES) for took in (counted, timer))
    found = work.run(planned, Timer(), [counting, timed])
    by_time = played(planned, timed, unit)
    formula = planned.idle if kind == "zero-bubble" else float(training_bubble(STAGES, m, parts))
    return {
        "schedule": kind, "micro_batches": m, "idle_formula": formula, "idle_by_tasks": played(planned, counting, 1.0).idle,
        "idle_timed": by_time.idle, "step_ms": by_time.makespan * unit * 1e3, "held": found.held / parts,
        "held_bytes": found.held_bytes, "apart": _apart(wanted, found.gradients),
    }, by_time, found.gradients  # fmt: skip


def _apart(wanted: Any, found: Any) -> float:
    """How far gradients lie apart, in parts of the largest."""
    pairs = list(zip(jax.tree.leaves(wanted), jax.tree.leaves(found), strict=True))
    return max(float(np.max(np.abs(a - b))) for a, b in pairs) / max(float(np.max(np.abs(a))) for a, _ in pairs)


def _checks(rows: Sequence[dict[str, Any]], same: float) -> tuple[Check, ...]:
    by = {(r["schedule"], r["micro_batches"]): r for r in rows}
    apart = max(r["apart"] for r in rows)
    hard = [by[kind, m] for kind in ("gpipe", "1f1b", "interleaved") for m in MICRO_BATCHES]
    zero = [(by["zero-bubble", m], by["1f1b", m]) for m in MICRO_BATCHES]
    off = max(abs(r["idle_timed"] - r["idle_formula"]) for r in rows)
    held = {kind: by[kind, MICRO_BATCHES[-1]]["held"] for kind in KINDS}
    most = [float(activations_held(STAGES, MICRO_BATCHES[-1], kind)) for kind in ("gpipe", "1f1b")]
    planned = training_play("interleaved", STAGES, MICRO_BATCHES[-1], parts=PARTS).peak_activations / PARTS
    return (
        Check("gradients against the network in one piece", f"within {_CLOSE:g}", f"{apart:.1e}", apart <= _CLOSE),
        Check("gradients of all schedules", f"within {_CLOSE:g}", f"{same:.1e}", same <= _CLOSE),
        Check(
            "bubble of GPipe and 1F1B by tasks, M = 4 and 16; interleaved", "0.4286, 0.1579; 0.2727, 0.0857",
            ", ".join(f"{r['idle_by_tasks']:.4f}" for r in hard[2:4]) + "; " + ", ".join(f"{r['idle_by_tasks']:.4f}" for r in hard[4:]),
            all(abs(r["idle_by_tasks"] - r["idle_formula"]) < 1e-9 for r in hard),
        ),
        Check(
            "bubble of zero-bubble by tasks (as timed)", "below 1F1B's",
            ", ".join(f"{z['idle_by_tasks']:.3f} ({z['idle_timed']:.3f})" for z, _ in zero),
            all(z["idle_by_tasks"] < f["idle_by_tasks"] for z, f in zero),
        ),
        Check(
            f"micro-batches held at the most, of {MICRO_BATCHES[-1]}",
            f"GPipe {most[0]:g}, interleaved {planned:g}, others at most {most[1]:g}",
            ", ".join(f"{k} {v:g}" for k, v in held.items()),
            held["gpipe"] == most[0] and held["1f1b"] == most[1] >= held["zero-bubble"] and held["interleaved"] == planned,
        ),
        Check("bubbles as timed, against the formula", f"within {_NEAR:g}", f"{off:.2f} at the most", off <= _NEAR),
    )  # fmt: skip
