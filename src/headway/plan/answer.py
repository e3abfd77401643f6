"""What a plan answers: Point, Plan."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from headway import units
from headway.batching import Departures, Scene
from headway.hardware import System
from headway.models import Architecture, kv_bytes_per_further_token, kv_bytes_stored
from headway.parallel import Layout
from headway.plan.traffic import AtRate
from headway.questions import Request
from headway.roofline import Spread, StepTime
from headway.serving import Account, Answer, Pool, Setting, interval
from headway.shown import Shown


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


@dataclass(frozen=True, repr=False)
class Plan(Shown):
    """The answer: all numbers in SI, warnings in words.

    Floors, balance batches and the goldilocks context are the ideal machine's; points, costs and layouts the engine's.

    Attributes
    ----------
    loaded : Answer
        What requests see at the operating batch, prompts and answers on the same chips: TTFT, TPOT, rates, with their
        intervals. The same numbers as `search` and `predict` give for this point. Its case says what the request
        resolves to: setting, layout, replicas, memory.
    floor, ideal : Point
        Ideal machine at batch 1 and at the operating batch.
    point, alone, at_full : Point
        A decode step without prompts running: at the operating batch, at batch 1, and where memory is full.
    spread, prompt_spread : Spread or None
        80 % intervals of such steps and of a prompt alone, from the evidence of static batches, as factors' logarithms; None for
        the ideal machine.
    outside : tuple of str
        What the engine's evidence does not cover.
    arriving : AtRate or None
        The same deployment at the rate of arrivals asked for; None without one, or where the chips carry less.
    """

    RECORD = "headway.records.plans:plan_record"
    TEXT = "headway.report.plans:plan_text"

    request: Request
    loaded: Answer
    layouts_tried: int
    fastest: tuple[Layout, float]
    scene: Scene
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
    prompt_spread: Spread | None
    outside: tuple[str, ...]
    cost_floor: float | None
    prefill_dollars_per_mtok: float | None
    prefill_seconds: float
    prefill_tokens: float
    cached: tuple[str, float] | None
    departures: Departures
    capacity: float
    arriving: AtRate | None = None
    warnings: list[str] = field(default_factory=list[str])

    @property
    def setting(self) -> Setting:
        """Everything that the request resolves to."""
        return self.loaded.case.setting

    @property
    def layout(self) -> Layout:
        """The layout of one replica."""
        return self.loaded.case.layout

    @property
    def replicas(self) -> int:
        """Replicas of that layout."""
        return self.loaded.case.copies

    @property
    def account(self) -> Account:
        """Memory of one replica."""
        return self.loaded.case.account

    @property
    def pool(self) -> Pool:
        """The KV pool as the engine's log counts it."""
        return self.setting.pool(self.layout, self.account)

    @property
    def model(self) -> Architecture:
        """The model as it is served."""
        return self.setting.model

    @property
    def system(self) -> System:
        """The system."""
        return self.setting.system

    @property
    def prompt(self) -> float:
        """Tokens of a prompt. [tokens]"""
        return self.setting.prompt

    @property
    def output(self) -> float:
        """Tokens of an answer. [tokens]"""
        return self.setting.output

    @property
    def context(self) -> float:
        """Mean length of a sequence during decode: prompt + output/2. [tokens]"""
        return self.prompt + self.output / 2

    @property
    def max_batch(self) -> float:
        """Most sequences that one replica holds."""
        return self.account.holds

    def _real(self) -> str:
        """What a token costs at the arrivals asked for, beside the price when full."""
        at = self.arriving
        return (
            "" if at is None or at.dollars_per_mtok is None else f" full, ${at.dollars_per_mtok:,.2f} at {at.rate:g}/s"
        )

    def brief(self) -> str:
        """Return the headline in one line."""
        cost = self.loaded.dollars_per_mtok
        return (
            f"{self.model.name} on {self.system.name} as {self.layout}, batch {self.point.batch:,.0f}: step "
            f"{units.seconds(self.point.seconds)}; under load TPOT {units.seconds(self.loaded.tpot)}, TTFT "
            f"{units.seconds(self.loaded.ttft)}" + ("" if cost is None else f", ${cost:,.2f}/Mtok{self._real()}")
        )

    def interval(self, seconds: float, floor: float = 0.0) -> tuple[float, float] | None:
        """Return the 80 % interval of a step time, not below its floor; None for the ideal machine. [s]

        Parameters
        ----------
        seconds : float
            Time of the step. [s]
        floor : float
            Time that no machine beats. [s]
        """
        return None if self.spread is None else interval(seconds, self.spread, floor)

    def spread_at(self, axis: str, x: float, batch: float) -> tuple[Spread | None, tuple[str, ...]]:
        """Return the spread at a point of a sweep, and what of that point the engine's evidence does not cover.

        Parameters
        ----------
        axis : str
            Of the curve: ``batch``, ``context`` or ``tokens per sequence`` (beyond one of which a pass is a prefill).
        x, batch : float
            Where on the axis; sequences per pass of one replica. [sequences or tokens, sequences]
        """
        if self.spread is None:
            return None, ()
        prefill = axis == "tokens per sequence" and x > 1
        prompt = max(x - self.output / 2, 1.0) if axis == "context" else x if prefill else self.prompt
        here = dataclasses.replace(self.setting, prompt=prompt)
        outside = here.outside(batch * self.replicas, float(self.layout.chips), "static_batch")
        return here.spread("ttft" if prefill else "tpot", outside, "static_batch"), outside

    @property
    def ttft(self) -> float:
        """Time to first token of a prompt alone, the server left out. [s]"""
        return self.loaded.prompt_alone

    @property
    def ttft_interval(self) -> tuple[float, float] | None:
        """80 % interval of the time to first token of a prompt alone; None for the ideal machine. [s]"""
        if self.prompt_spread is None:
            return None
        return interval(self.ttft, self.prompt_spread, float(self.loaded.floors.ttft))

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
        return kv_bytes_per_further_token(self.model)

    @property
    def compute_kind(self) -> str:
        """The rate at which most of the model's weights are multiplied: ``bf16``, ``fp8``, ``fp4``, ``int8``."""
        held: dict[str, int] = {}
        for x in self.model.layers:
            for m in x.linears:
                rate = self.system.chip.rate_kind(m.format.chain)
                held[rate] = held.get(rate, 0) + x.count * m.parameters
        return max(held, key=lambda rate: held[rate])

    @property
    def flop_per_byte(self) -> float:
        """The chip's FLOP per byte at the rate of the model's largest matrices."""
        return self.system.chip.peak((self.compute_kind,)) / self.system.chip.bandwidth
