"""What is asked and what is answered: Request, Point, Plan."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from headway.batching import Departures, Scene
from headway.hardware import System
from headway.models import Architecture, kv_bytes_stored, kv_elements_per_token
from headway.parallel import Fit, Layout
from headway.roofline import DEFAULT, Convention, Spread, StepTime, profile


@dataclass(frozen=True)
class Request:
    """What is asked.

    Attributes
    ----------
    model : str
        Name, path or hub id.
    system : str
        System, chip, or ``CHIPxN``.
    chips : int or None
        Override the number of chips.
    context : float or None
        Tokens in each sequence's cache during decode; default: prompt + half the output, else the catalogue's.
    prompt, output : float or None
        Tokens per request; the prompt defaults to the context.
    precision, kv_precision : str or None
        Number formats instead of the config's.
    price : float or None
        [$/s per chip]
    batch : float or None
        Sequences per pass and replica; default: twice the balance batch, or what memory holds.
    tp, dp, ep : int or None
        Layout; whatever is left out is chosen for the lowest cost per token.
    layout : str or None
        The whole layout as people write it instead (tp8, dp8ep64, tp4cp2, dp72ep72r32).
    engine : str
        Profile of the estimates: ``modern`` (pooled), an engine, or ``ideal`` (the lower bound).
    convention : str
        ``kernels`` or ``machine``.
    reserve : float or None
        Share of memory kept free.
    skew : float
        Zipf exponent of expert popularity.
    arrivals : float or None
        Requests per second, for the fill of the departures.
    """

    model: str
    system: str
    chips: int | None = None
    context: float | None = None
    prompt: float | None = None
    output: float | None = None
    precision: str | None = None
    kv_precision: str | None = None
    price: float | None = None
    batch: float | None = None
    tp: int | None = None
    dp: int | None = None
    ep: int | None = None
    layout: str | None = None
    engine: str = DEFAULT
    convention: Convention = "kernels"
    reserve: float | None = None
    skew: float = 0.0
    arrivals: float | None = None


@dataclass(frozen=True)
class Point:
    """One operating batch: time, what binds it and by how much, throughput and cost."""

    batch: float
    time: StepTime
    tokens_per_second_user: float
    tokens_per_second_chip: float
    tokens_per_second_system: float
    dollars_per_mtok: float | None
    mfu: float

    @property
    def seconds(self) -> float:
        """Time of the pass. [s]"""
        return float(self.time.seconds)


@dataclass(frozen=True)
class Plan:
    """The answer: all numbers in SI, warnings in words.

    Floors, balance batches and the goldilocks context are the ideal machine's; points, costs and layouts the engine's.

    Attributes
    ----------
    floor, ideal : Point
        Ideal machine at batch 1 and at the operating batch.
    point, alone, at_full : Point
        Engine at the operating batch, at batch 1, and where memory is full.
    spread, ttft_spread : Spread or None
        80 % intervals of step times and of prefills, as factors' logarithms; None for the ideal machine.
    outside : tuple of str
        What the engine's evidence does not cover.
    """

    request: Request
    model: Architecture
    system: System
    layout: Layout
    layouts_tried: int
    fastest: tuple[Layout, float]
    replicas: int
    context: float
    prompt: float
    output: float
    scene: Scene
    fit: Fit
    balance_weights: float
    balance_kv: float
    recommended: tuple[float, float]
    cheap_batch: float
    goldilocks: float
    floor: Point
    all_weights_seconds: float
    point: Point
    alone: Point
    at_full: Point
    ideal: Point
    spread: Spread | None
    ttft_spread: Spread | None
    outside: tuple[str, ...]
    cost_floor: float | None
    prefill_dollars_per_mtok: float | None
    prefill_seconds: float
    prefill_tokens: float
    ttft: float
    cached: tuple[str, float] | None
    departures: Departures
    capacity: float
    warnings: list[str] = field(default_factory=list[str])

    @property
    def max_batch(self) -> float:
        """Largest batch of one replica that memory holds."""
        return self.fit.max_batch

    def interval(self, seconds: float, floor: float = 0.0) -> tuple[float, float] | None:
        """Return the 80 % interval of a step time, not below its floor; None for the ideal machine. [s]"""
        if self.spread is None:
            return None
        return max(seconds * math.exp(self.spread.low), floor), seconds * math.exp(self.spread.high)

    def spread_at(self, axis: str, x: float, batch: float) -> tuple[Spread | None, tuple[str, ...]]:
        """Return the spread at a point of a sweep, and what of that point the engine's evidence does not cover.

        Parameters
        ----------
        axis : str
            Of the curve: ``batch``, ``context`` or ``tokens per pass`` (beyond one of which a pass is a prefill).
        x, batch : float
            Where on the axis; sequences per pass of one replica.
        """
        if self.spread is None:
            return None, ()
        engine = profile(self.request.engine)
        prefill = axis == "tokens per pass" and x > 1
        prompt = max(x - self.output / 2, 1.0) if axis == "context" else x if prefill else self.prompt
        outside = engine.uncovered(
            self.system.chip, batch=batch * self.replicas, prompt=prompt, output=self.output, ranks=self.layout.chips
        )
        return engine.spread("closed_loop", "ttft" if prefill else "tpot", outside), outside

    @property
    def ttft_interval(self) -> tuple[float, float] | None:
        """80 % interval of the time to first token of a prompt alone; None for the ideal machine. [s]"""
        if self.ttft_spread is None:
            return None
        return self.ttft * math.exp(self.ttft_spread.low), self.ttft * math.exp(self.ttft_spread.high)

    @property
    def idle_chips(self) -> int:
        """Chips that no replica uses."""
        return self.system.chips - self.replicas * self.layout.chips

    @property
    def kv_per_sequence(self) -> float:
        """Cache and state bytes of one sequence, before replication. [bytes]"""
        return float(kv_bytes_stored(self.model, self.context))

    @property
    def balance_one_copy(self) -> float:
        """H x s for one copy of the weights, layout left out (E5, E6): weight bytes over active FLOPs, each at its rate."""
        seconds = [
            (
                x.count * m.bytes / self.system.chip.bandwidth,
                x.count * m.flops * x.used_share(m.role) / self.system.chip.peak(m.format.chain),
            )
            for x in self.model.layers
            for m in x.linears
        ]
        head = self.model.head
        reads = sum(r for r, _ in seconds) + head.bytes / self.system.chip.bandwidth
        return reads / (sum(c for _, c in seconds) + head.flops / self.system.chip.peak(head.format.chain))

    @property
    def kv_growth(self) -> float:
        """Bytes that one more token of a long context adds to a sequence's cache (windows are full, states fixed)."""
        return kv_elements_per_token(self.model) * self.model.kv_format.bytes

    @property
    def compute_kind(self) -> str:
        """The rate at which the model's largest matrices are multiplied: ``bf16``, ``fp8``, ``fp4``, ``int8``."""
        biggest = max((m for x in self.model.layers for m in x.linears), key=lambda m: m.bytes)
        return self.system.chip.rate_kind(biggest.format.chain)

    @property
    def flop_per_byte(self) -> float:
        """The chip's FLOP per byte at the rate of the model's largest matrices."""
        return self.system.chip.peak((self.compute_kind,)) / self.system.chip.bandwidth
