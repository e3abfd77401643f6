"""Pipeline schedules, played out task by task: idle time, bubbles, latency and activations held are read off the play.

A schedule is nothing but an order of tasks on each stage; a task starts when its stage is free and what it needs has
arrived. `headway.parallel.pipeline` has the closed forms that the plays agree with.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from headway.errors import InputError

Kind = Literal["decode", "forward", "backward", "weights"]
SCHEDULES = ("gpipe", "1f1b", "interleaved", "zero-bubble")


@dataclass(frozen=True, slots=True)
class Task:
    """One stage at work on one micro-batch.

    Attributes
    ----------
    stage, micro_batch : int
        Counted from 0. [1]
    kind : str
        ``decode`` (one token), ``forward``, ``backward`` (with weight gradients, or of inputs only) or ``weights``
        (weight gradients alone).
    turn : int
        Token of a decode; part of the model on a stage that holds several (interleaved). From 0. [1]
    start, end : float
        [units of the times given]
    """

    stage: int
    micro_batch: int
    kind: Kind
    turn: int
    start: float
    end: float


@dataclass(frozen=True)
class Play:
    """A schedule played out.

    Attributes
    ----------
    name : str
    stages, micro_batches : int
        P, M. [stages, 1]
    tasks : tuple of Task
        By start.
    window : (float, float)
        Over which idle time is counted: a whole number of periods of a decode, all of a training step.
        [units of the times given]
    """

    name: str
    stages: int
    micro_batches: int
    tasks: tuple[Task, ...]
    window: tuple[float, float]

    @property
    def makespan(self) -> float:
        """When the last task ends."""
        return max(t.end for t in self.tasks)

    @property
    def idle(self) -> float:
        """Share of all stages' time inside the window in which they do nothing: the bubble of a training step."""
        low, high = self.window
        busy = sum(max(0.0, min(t.end, high) - max(t.start, low)) for t in self.tasks)
        return 1 - busy / (self.stages * (high - low))

    @property
    def token_latency(self) -> float:
        """Time between two tokens of one sequence, of a decode in steady state."""
        low, high = self.window
        ends = [t.end for t in self.tasks if t.stage == self.stages - 1 and t.micro_batch == 0 and low < t.end <= high]
        return (high - low) / len(ends)

    def held(self, stage: int) -> int:
        """Return the most micro-batches (parts of them, when interleaved) whose activations a stage holds at a time.

        From the end of its forward until the last backward task that needs them has ended.

        Parameters
        ----------
        stage : int
            Which, counted from 0. [1]
        """
        changes: list[tuple[float, int]] = []
        for f in (t for t in self.tasks if t.stage == stage and t.kind == "forward"):
            mine = [t.end for t in self.tasks if (t.stage, t.micro_batch, t.turn) == (stage, f.micro_batch, f.turn)]
            changes += [(f.end, 1), (max(mine), -1)]
        now = most = 0
        for _, change in sorted(changes):
            now += change
            most = max(most, now)
        return most

    @property
    def peak_activations(self) -> int:
        """Most held on any stage."""
        return max(self.held(s) for s in range(self.stages))


def decode_play(stages: int, micro_batches: int, stage_time: float = 1.0, tokens: int = 24, hop: float = 0.0) -> Play:
    """Play a decode pipeline: each micro-batch's next token starts when its last one has left the last stage.

    Parameters
    ----------
    stages, micro_batches : int
        P, M. [stages, 1]
    stage_time, hop : float
        Time of one stage; of a hand-over to the next (and from the last back to the first). [s, or any one unit]
    tokens : int
        Tokens of each micro-batch; the first half is warm-up. [tokens]

    Raises
    ------
    InputError
        When a number is below 1 or a time is not positive.

    Notes
    -----
    Nothing is assumed about idle time: stages take micro-batches in the order in which they arrive (lecture 4.3, SYS-D2).
    """
    _positive(stages=stages, micro_batches=micro_batches, tokens=tokens)
    if stage_time <= 0 or hop < 0:
        raise InputError(f"stage time {stage_time:g} must be positive and hop {hop:g} not negative")
    free = [0.0] * stages
    arrivals = [(0.0, m, 0, 0) for m in range(micro_batches)]  # (when, micro-batch, token, stage)
    heapq.heapify(arrivals)
    tasks: list[Task] = []
    while arrivals:
        when, m, token, stage = heapq.heappop(arrivals)
        start = max(when, free[stage])  # arrivals come by time, so this is first come, first served
        free[stage] = start + stage_time
        tasks.append(Task(stage, m, "decode", token, start, free[stage]))
        token, stage = (token, stage + 1) if stage + 1 < stages else (token + 1, 0)
        if token < tokens:
            heapq.heappush(arrivals, (free[tasks[-1].stage] + hop, m, token, stage))
    last = [t.end for t in tasks if t.micro_batch == 0 and t.stage == stages - 1]
    return Play("decode", stages, micro_batches, tuple(tasks), (last[len(last) // 2], last[-2]))


def training_play(
    schedule: str,
    stages: int,
    micro_batches: int,
    forward: float = 1.0,
    backward: float = 2.0,
    parts: int = 2,
) -> Play:
    """Play one training step: all micro-batches forward and backward, then gradients are complete (a hard stop).

    Parameters
    ----------
    schedule : str
        ``gpipe`` (all forwards, then all backwards), ``1f1b`` (alternating after a warm-up), ``interleaved`` (1F1B with
        several parts of the model on each stage), ``zero-bubble`` (weight gradients split off to fill the gaps).
    stages, micro_batches : int
        P, M. [stages, 1]
    forward, backward : float
        Time of one stage's forward and of its whole backward; the zero-bubble schedule spends half of a backward on
        weight gradients. [s, or any one unit]
    parts : int
        Parts of the model on each stage, when interleaved. [1]

    Raises
    ------
    InputError
        Unknown schedule, a number below 1, a time that is not positive, or an interleaved step whose micro-batches the
        stages do not divide.

    Notes
    -----
    GPipe: Huang et al. 2018 (arXiv 1811.06965). 1F1B and interleaving: Narayanan et al. 2021 (arXiv 2104.04473). Zero
    bubble: Qi et al. 2023 (arXiv 2401.10241), its memory-neutral variant ZB-H1.
    """
    _positive(stages=stages, micro_batches=micro_batches, parts=parts)
    if forward <= 0 or backward <= 0:
        raise InputError(f"forward {forward:g} and backward {backward:g} must be positive times")
    if schedule not in SCHEDULES:
        raise InputError(f"schedule {schedule!r} is not known; accepted: {', '.join(SCHEDULES)}")
    if schedule == "zero-bubble":
        tasks = _zero_bubble(stages, micro_batches, forward, backward / 2, backward / 2)
    else:
        pieces = parts if schedule == "interleaved" else 1
        if pieces > 1 and micro_batches % stages:
            raise InputError(f"interleaved: {stages} stages must divide the {micro_batches} micro-batches")
        times: dict[Kind, float] = {"forward": forward / pieces, "backward": backward / pieces}
        orders = [_order(schedule, s, stages, micro_batches, pieces) for s in range(stages)]
        tasks = _in_order(orders, times, stages, pieces)
    tasks.sort(key=lambda t: (t.start, t.stage))
    return Play(schedule, stages, micro_batches, tuple(tasks), (0.0, max(t.end for t in tasks)))


Step = tuple[Kind, int, int]  # kind, micro-batch, part


def _order(schedule: str, stage: int, stages: int, m: int, parts: int) -> list[Step]:
    """Return the order in which a stage works."""
    if schedule == "gpipe":
        forwards: list[Step] = [("forward", i, 0) for i in range(m)]
        return forwards + [("backward", i, 0) for i in range(m)]
    ahead: list[Step] = []
    back: list[Step] = []
    for k in range(m * parts):  # groups of P micro-batches go through all parts in turn (one part: plain order)
        group, inside = divmod(k, stages * parts)
        part, i = divmod(inside, stages)
        number = group * stages + i if parts > 1 else k
        ahead.append(("forward", number, part if parts > 1 else 0))
        back.append(("backward", number, parts - 1 - part if parts > 1 else 0))
    warm = stages - 1 - stage if parts == 1 else 2 * (stages - 1 - stage) + (parts - 1) * stages
    warm = min(warm, len(ahead))
    order = ahead[:warm]
    for i in range(len(ahead) - warm):
        order += [ahead[warm + i], back[i]]
    return order + back[len(ahead) - warm :]


def _needs(step: Step, stage: int, stages: int, parts: int) -> list[tuple[int, Step]]:
    """Return what must have ended elsewhere: (stage, step)."""
    kind, m, part = step
    if kind == "forward":
        if stage:
            return [(stage - 1, (kind, m, part))]
        return [(stages - 1, (kind, m, part - 1))] if part else []
    if kind == "weights":
        return [(stage, ("backward", m, part))]
    found: list[tuple[int, Step]] = [(stage, ("forward", m, part))]
    if stage < stages - 1:
        return [*found, (stage + 1, (kind, m, part))]
    return [*found, (0, (kind, m, part + 1))] if part < parts - 1 else found


def _in_order(orders: Sequence[Sequence[Step]], times: Mapping[Kind, float], stages: int, parts: int) -> list[Task]:
    """Start each stage's tasks in its order, each when its needs have ended."""
    done: dict[tuple[int, Step], float] = {}
    free, at = [0.0] * stages, [0] * stages
    tasks: list[Task] = []
    while any(a < len(o) for a, o in zip(at, orders, strict=True)):
        moved = False
        for s in range(stages):
            while at[s] < len(orders[s]):
                step = orders[s][at[s]]
                needs = _needs(step, s, stages, parts)
                if any(n not in done for n in needs):
                    break
                start = max([free[s], *(done[n] for n in needs)])
                free[s] = done[s, step] = start + times[step[0]]
                tasks.append(Task(s, step[1], step[0], step[2], start, free[s]))
                at[s] += 1
                moved = True
        if not moved:
            raise InputError("the schedule waits for itself: no stage can go on")
    return tasks


def _zero_bubble(stages: int, m: int, forward: float, inputs: float, weights: float) -> list[Task]:
    """Play ZB-H1: 1F1B of input gradients; stage s does weight gradients s micro-batches later, and the last of them at the end."""
    orders: list[list[Step]] = []
    for s in range(stages):
        ahead = min(stages - s, m)
        order: list[Step] = [("forward", i, 0) for i in range(ahead)]
        for i in range(m):
            order.append(("backward", i, 0))
            if i >= s:
                order.append(("weights", i - s, 0))
            if ahead + i < m:
                order.append(("forward", ahead + i, 0))
        orders.append([*order, *(("weights", i, 0) for i in range(max(m - s, 0), m))])
    return _in_order(orders, {"forward": forward, "backward": inputs, "weights": weights}, stages, 1)


def _positive(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise InputError(f"{name.replace('_', ' ')}: {value} must be at least 1")
