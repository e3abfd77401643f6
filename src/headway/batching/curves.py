"""Latency and cost against batch, context and tokens per pass: component lines, floor and knees (lecture 1.2, 7.1, 7.3)."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.batching.cost import cost_per_token
from headway.parallel.sharding import longest_turn
from headway.roofline import (
    CACHES,
    IDEAL,
    Calibration,
    CompiledStep,
    Convention,
    Load,
    Machine,
    Step,
    StepTime,
    compiled,
    step_time,
)

Real = Any  # a float or a NumPy array; everything broadcasts
Array = NDArray[np.float64]
FAR = 1e9  # a batch so large that every expert is touched and every group is full: where slopes are read off


@dataclass(frozen=True)
class Scene:
    """What a curve is drawn for: a Step on a chip, under a calibration and a convention, and how a replica runs it.

    Attributes
    ----------
    step : Step
    chip : Machine
    calibration : Calibration
    convention : str
    skew : float
        Zipf exponent of expert popularity. [1]
    stages : float
        Pipeline stages: each works on a micro-batch of its own, which passes through all of them. [stages]
    share : float
        Share of the layers on the fullest stage, for which the others wait; 0 counts a pipeline without gaps. [share]
    new, made : float
        Tokens of each sequence in a decode pass, and those of them that stay: 1, or drafts and the accepted ones. [tokens]
    overlap : bool
        Two-batch overlap where it is faster.
    """

    step: Step
    chip: Machine
    calibration: Calibration
    convention: Convention = "kernels"
    skew: float = 0.0
    stages: float = 1.0
    share: float = 0.0
    new: float = 1.0
    made: float = 1.0
    overlap: bool = False

    @functools.cached_property
    def passes(self) -> CompiledStep:
        """The same step as a pass function."""
        return compiled(self.step, self.chip, self.calibration, self.convention)

    @property
    def ideal(self) -> Scene:
        """The same scene without any departure from ideal."""
        return replace(self, calibration=IDEAL, share=0.0)

    def load(self, batch: Real, context: Real, new: Real | None = None) -> Load:
        """Return the decode pass of a replica's micro-batch.

        Parameters
        ----------
        batch : float or array
            Sequences of the replica. [sequences]
        context : float or array
            [tokens]
        new : float, array or None
            Tokens of each sequence in the pass; None takes the scene's. [tokens]
        """
        micro = batch if self.stages == 1 else np.maximum(batch / self.stages, 1.0)
        return Load.decode(micro, context, new=self.new if new is None else new, skew=self.skew)

    def seconds(self, batch: Real, context: Real, new: Real | None = None) -> Real:
        """Return the time of a decode pass, not itemised. [s]

        Parameters
        ----------
        batch : float or array
            Sequences of the replica. [sequences]
        context : float or array
            Tokens in each cache. [tokens]
        new : float, array or None
            Tokens of each sequence in the pass; None takes the scene's. [tokens]
        """
        return self._lasting(self.load(batch, context, new), batch)

    def decode(self, batch: Real, context: Real, new: Real | None = None) -> StepTime:
        """Time one decode pass of `new` tokens per sequence (more than one to check drafts).

        Parameters
        ----------
        batch : float or array
            Sequences of the replica. [sequences]
        context : float or array
            Tokens in each cache. [tokens]
        new : float, array or None
            Tokens of each sequence in the pass; None takes the scene's. [tokens]
        """
        return self._itemised(self.load(batch, context, new), batch)

    def prefill(self, batch: Real, prompt: Real, cached: Real = 0.0) -> StepTime:
        """Time one prefill pass: of one micro-batch, where there are pipeline stages.

        Parameters
        ----------
        batch : float or array
            Sequences of the pass. [sequences]
        prompt, cached : float or array
            New tokens of each sequence; those already in its cache. [tokens]
        """
        return self._itemised(Load.prefill(batch, prompt, cached=cached, skew=self.skew), batch * self.stages)

    def _itemised(self, load: Load, batch: Real) -> StepTime:
        found = step_time(self.step, load, self.chip, self.calibration, self.convention)
        if self.stages == 1 and not self.overlap:
            return found
        return found.lasting(self._lasting(load, batch))

    def _lasting(self, load: Load, batch: Real) -> Real:
        best = self.passes.shortest(load, self.overlap)
        return best if self.stages == 1 else best * longest_turn(self.share, np.minimum(self.stages, batch))


@dataclass(frozen=True, slots=True)
class Lines:
    """Straight lines behind a decode curve, read off `step_time` itself.

    Attributes
    ----------
    weights : float
        Time to read all weights of a chip once, every expert included. [s]
    compute_slope, kv_slope : float
        Seconds of compute and of memory traffic that one more sequence adds at large batch. [s]
    """

    weights: float
    compute_slope: float
    kv_slope: float

    @property
    def balance_batch(self) -> float:
        """Batch where compute equals the weight read, KV left out (E5 on the real model)."""
        return self.weights / self.compute_slope

    @property
    def balance_batch_with_kv(self) -> float:
        """Batch where compute equals weights plus KV (E7 on the real model); infinite when memory bound always."""
        left = self.compute_slope - self.kv_slope
        return self.weights / left if left > 0 else float("inf")


def lines(scene: Scene, context: float) -> Lines:
    """Return the lines of a decode curve at `context` tokens.

    Parameters
    ----------
    scene : Scene
    context : float
        Tokens in each cache. [tokens]
    """
    near, far = (scene.passes.parts(scene.load(b, context, 1.0)) for b in (FAR, 2 * FAR))
    kv = float(far.memory - near.memory) / FAR
    return Lines(float(near.memory) - kv * FAR, float(far.compute - near.compute) / FAR, kv)


def goldilocks(scene: Scene, longest: float = 1e9) -> float:
    """Return the context where KV reads take as long as compute at large batch (E11 on the real model).

    Parameters
    ----------
    scene : Scene
    longest : float
        Longest context looked at; infinite when KV never catches up (sparse or windowed attention). [tokens]
    """
    low, high = 1.0, longest
    if _kv_over_compute(scene, high) < 1:
        return float("inf")
    if _kv_over_compute(scene, low) >= 1:
        return 0.0
    for _ in range(100):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if _kv_over_compute(scene, middle) < 1 else (low, middle)
    return high


def _kv_over_compute(scene: Scene, context: float) -> float:
    found = lines(scene, context)
    return found.kv_slope / found.compute_slope


@dataclass(frozen=True)
class Curve:
    """A sweep: one array per line, all of the same length.

    Attributes
    ----------
    axis : str
        ``batch``, ``context`` or ``tokens per sequence`` (new ones in a pass).
    x : array
        Values on the axis. [sequences or tokens]
    batch : array
        Sequences of the replica. [sequences]
    seconds : array
        Time of a pass. [s]
    compute, weights, kv, network, overhead : array
        Component lines. [s]
    cost : array
        Dollars per token made (or read, for tokens per sequence); NaN without a price. [$/token]
    bound : array of str
    """

    axis: str
    x: Array
    batch: Array
    seconds: Array
    compute: Array
    weights: Array
    kv: Array
    network: Array
    overhead: Array
    cost: Array
    bound: NDArray[Any]

    def rows(self) -> list[dict[str, Any]]:
        """Return the sweep as records for JSON, CSV and charts."""
        key = self.axis.replace(" ", "_")
        return [
            {
                key: float(self.x[i]),
                "batch": float(self.batch[i]),
                "step_s": float(self.seconds[i]),
                "compute_s": float(self.compute[i]),
                "weights_s": float(self.weights[i]),
                "kv_s": float(self.kv[i]),
                "network_s": float(self.network[i]),
                "overhead_s": float(self.overhead[i]),
                "dollars_per_mtok": None if np.isnan(self.cost[i]) else float(self.cost[i]) * 1e6,
                "bound": str(self.bound[i]),
            }
            for i in range(len(self.x))
        ]


def split_memory(found: StepTime) -> tuple[Real, Real]:
    """Return memory time of weights, and of caches and states. [s]"""
    kv = sum(r.memory for r in found.rows if r.kind in CACHES)
    return found.memory - kv, kv


def _curve(axis: str, x: Array, batch: Real, found: StepTime, tokens: Real, chips: float, price: float | None) -> Curve:
    weights, kv = split_memory(found)
    shape = np.broadcast(x, found.seconds).shape

    def full(value: Real) -> Array:
        return np.broadcast_to(np.asarray(value, dtype=float), shape)

    seconds = full(found.seconds)
    cost = np.full(shape, np.nan) if price is None else full(cost_per_token(seconds, tokens, chips, price))
    bound = np.broadcast_to(np.asarray(found.bound), shape)
    return Curve(
        axis, x, full(batch), seconds, full(found.compute), full(weights), full(kv), full(found.network), full(found.overhead),
        cost, bound,
    )  # fmt: skip


def against_batch(scene: Scene, batches: Array, context: float, chips: float, price: float | None) -> Curve:
    """Return decode latency and cost against batch (lecture 1.2; SYS-A2).

    Parameters
    ----------
    scene : Scene
    batches : array
        Sequences of the replica. [sequences]
    context : float
        Tokens in each cache. [tokens]
    chips : float
        Chips that are paid for. [chips]
    price : float or None
        [$/s per chip]

    Notes
    -----
    As batch falls to 1 the time falls to the weights really read; cost ends on the larger of compute and KV per token.
    """
    return _curve("batch", batches, batches, scene.decode(batches, context), batches * scene.made, chips, price)


def against_context(scene: Scene, contexts: Array, batch: Real, chips: float, price: float | None) -> Curve:
    """Return decode latency and cost against context at one batch (or one each): flat, a kink, rising (lecture 7.1).

    Parameters
    ----------
    scene : Scene
    contexts : array
        Tokens in each cache. [tokens]
    batch : float or array
        Sequences of the replica. [sequences]
    chips : float
        Chips that are paid for. [chips]
    price : float or None
        [$/s per chip]
    """
    return _curve("context", contexts, batch, scene.decode(batch, contexts), batch * scene.made, chips, price)


def against_pass_length(
    scene: Scene, tokens: Array, batch: Array | float, context: float, chips: float, price: float | None
) -> Curve:
    """Return latency and cost per token against new tokens per sequence in a pass (lecture E24): 1 is decode.

    Parameters
    ----------
    scene : Scene
    tokens : array
        New tokens of each sequence in a pass. [tokens]
    batch : float or array
        Sequences of the replica, the same at every point or one number for each. [sequences]
    context : float
        Tokens in each cache before the pass. [tokens]
    chips : float
        Chips that are paid for. [chips]
    price : float or None
        [$/s per chip]
    """
    found = scene.prefill(np.maximum(batch / scene.stages, 1.0), tokens, context)
    return _curve("tokens per sequence", tokens, batch, found, batch * tokens, chips, price)


def pass_cost(p: Real, batch: Real, compute_per_token: Real, memory_seconds: Real) -> Real:
    """Return time per token of a pass of p tokens per sequence: max(B p t_c, t_mem) / (B p) (lecture E24, SYS-F3).

    Parameters
    ----------
    p : float or array
        Tokens of each sequence in the pass. [tokens]
    batch : float or array
        Sequences of the pass. [sequences]
    compute_per_token : float or array
        [s]
    memory_seconds : float or array
        Memory time of the pass, the same for every p. [s]
    """
    tokens = batch * p
    return np.maximum(tokens * compute_per_token, memory_seconds) / tokens
