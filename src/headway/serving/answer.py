"""What a case answers: TTFT, TPOT and rates under load, their intervals and their floors. The one way from a Case to seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from headway import units
from headway.numeric import larger
from headway.roofline import CompiledStep, Load, Spread, largest
from headway.serving.case import PROMPTS, Case
from headway.serving.loops import LOOPS, Served, Workload, first_token, later_tokens, step_of
from headway.serving.setting import Setting
from headway.shown import Shown

Real = Any  # a float or a NumPy array; everything broadcasts


class Floors(NamedTuple):
    """What no prediction of a case may beat. [s]

    Attributes
    ----------
    tpot : float or array
        Decode steps alone, on an ideal machine, every draft accepted. [s]
    ttft : float or array
        One prompt's prefill (of a static batch: all its prompts') on an ideal machine, pipelines filled without a gap.
        [s]
    request : float or array
        Both: TTFT + (output - 1) x TPOT. [s]
    """

    tpot: Real
    ttft: Real
    request: Real


def floors(w: Workload, ideal: Mapping[str, Real], chunk_tokens: Real, decode: Real) -> Floors:
    """Return the physical floors of a load from its passes' times on an ideal machine.

    Parameters
    ----------
    w : Workload
    ideal : mapping
        Seconds of the passes that the load model needs; those that it has not are left out or 0. [s]
    chunk_tokens : float or array
        Budget of a pass. [tokens]
    decode : float or array
        Those that decode, of those that run: the others wait for their prompt (`Served.decoding`). [sequences]
    """
    step = step_of(w, ideal, decode) + (ideal.get("early", 0.0) + ideal.get("late", 0.0)) / 2
    tpot = step / (1 + w.drafts)
    ttft = first_token(w, ideal.get("prefill", 0.0), chunk_tokens, drain=False)
    return Floors(tpot, ttft, ttft + later_tokens(w) * tpot)


def pass_times(
    s: Setting, step: CompiledStep, loads: Mapping[str, Load], waits: Real, prompts: CompiledStep | None = None
) -> dict[str, Real]:
    """Return the seconds of the passes that a load model needs.

    Parameters
    ----------
    s : Setting
    step : CompiledStep
        Of one layout, or columns of many.
    loads : mapping
        Of `passes_of`.
    waits : float or array
        By which a pass over a pipeline is longer than its layers (see `beat`); a prompt alone waits for nobody. [times]
    prompts : CompiledStep or None
        Of the replicas that compute prompts, where they lie otherwise.
    """
    found: dict[str, Real] = {}
    for name, load in loads.items():
        if prompts is not None and name in PROMPTS:
            found[name] = prompts.shortest(load, s.overlap)
        else:
            found[name] = step.shortest(load, s.overlap) * (1.0 if name == "prefill" else waits)
    return found


def ideal_times(step: CompiledStep, loads: Mapping[str, Load], prompts: CompiledStep | None = None) -> dict[str, Real]:
    """Return the seconds on an ideal machine of the passes that floors are made of."""
    found: dict[str, Real] = {}
    for name, load in loads.items():
        if name == "prefill":
            found[name] = (prompts or step).seconds(load)
        elif name in ("early", "late", "fewer") or name.startswith("decode"):
            found[name] = step.seconds(load)
    return found


@dataclass(frozen=True, repr=False)
class Answer(Shown):
    """What is predicted for one case. Times in seconds, rates in tokens/s of the whole deployment.

    Attributes
    ----------
    case : Case
    served : Served
        Of one share.
    floors : Floors
    seconds : mapping
        Of the passes that the load model asked for. [s]
    output_rate, input_rate : float
        [tokens/s]
    bound : str
        What holds most of a decode step (of a prefill where nothing is decoded).
    outside : tuple of str
        What of the case the engine's evidence does not cover.
    """

    RECORD = "headway.records.predictions:prediction_record"
    TEXT = "headway.report.predictions:answer_text"

    case: Case
    served: Served
    floors: Floors
    seconds: Mapping[str, float]
    output_rate: float
    input_rate: float
    bound: str
    outside: tuple[str, ...]

    @property
    def tpot(self) -> float:
        """Mean time per output token after the first; NaN where there is none. [s]"""
        c = self.case.setting
        return float(self.served.tpot) if c.output > 1 or c.prompt <= 0 else math.nan

    @property
    def ttft(self) -> float:
        """Mean time to the first token; NaN without a prompt. [s]"""
        return float(self.served.ttft) if self.case.setting.prompt > 0 else math.nan

    @property
    def ttft_median(self) -> float:
        """Median time to the first token: of the rounds after the first, with a warm engine; NaN without a prompt. [s]"""
        return float(self.served.ttft_median) if self.case.setting.prompt > 0 else math.nan

    @property
    def tpot_floor(self) -> float:
        """[s]"""
        return math.nan if math.isnan(self.tpot) else float(self.floors.tpot)

    def spread(self, what: str) -> Spread | None:
        """Return the spread of ``tpot`` or ``ttft``; None for the ideal machine."""
        return self.case.setting.spread(what, (*self.outside, *self.case.kinds))

    @property
    def tpot_interval(self) -> tuple[float, float]:
        """80 % interval, not below the floor; NaN for the ideal machine. [s]"""
        return interval(self.tpot, self.spread("tpot"), float(self.floors.tpot))

    @property
    def ttft_interval(self) -> tuple[float, float]:
        """80 % interval, not below the floor; NaN for the ideal machine. [s]"""
        return interval(self.ttft, self.spread("ttft"), float(self.floors.ttft))

    @property
    def dollars_per_mtok(self) -> float | None:
        """Cost of output, prompts included, all chips of the system paid; None without a price. [$/Mtok]"""
        s = self.case.setting.system
        return None if s.price is None or not self.output_rate else s.chips * s.price / self.output_rate * 1e6

    def brief(self) -> str:
        """Return the headline in one line."""
        s = self.case.setting
        return (
            f"{s.model.name} on {s.system.name} as {self.case.layout}, {self.case.in_flight:,.0f} in flight: TPOT "
            f"{units.seconds(self.tpot)}, TTFT {units.seconds(self.ttft)}, {units.rate(self.output_rate)} output tokens/s"
        )

    @property
    def prompt_alone(self) -> float:
        """Time to the first token of a prompt with nothing in the way, the server left out. [s]"""
        s = self.case.setting
        return float(first_token(self.case.workload, self.seconds.get("prefill", 0.0), s.chunk))


def interval(value: float, spread: Spread | None, floor: float) -> tuple[float, float]:
    """Return the 80 % interval of a prediction, held at its floor; NaN where there is none.

    Parameters
    ----------
    value : float
        The prediction. [s]
    spread : Spread or None
    floor : float
        Time that no machine beats. [s]
    """
    if spread is None or math.isnan(value):
        return math.nan, math.nan
    low, high = spread.around(value)
    return larger(low, min(floor, value)), high


def answer(c: Case) -> Answer:
    """Predict a case: time its passes, join them by its load model.

    Parameters
    ----------
    c : Case
    """
    s, w, loads = c.setting, c.workload, c.passes
    real, ideal = s.passes_of(c.layout), s.passes_of(c.layout, ideal=True)
    apart = None if c.prompts is None else s.passes_of(c.prompts.layout)
    bare = None if c.prompts is None else s.passes_of(c.prompts.layout, ideal=True)
    seconds = pass_times(s, real, loads, c.waits, apart)
    transfer = c.transfer_bytes / (c.carrier * s.numbers.network_efficiency)
    found = LOOPS[w.kind].served(w, seconds, s.numbers, transfer)
    outside = s.outside(c.in_flight, float(c.layout.chips))
    if s.profile.name != "ideal":
        outside = (*outside, *(["memory"] if c.overfull else []), *(["pools"] if c.undivided or c.guessed else []))
    return Answer(
        c, found, floors(w, ideal_times(ideal, loads, bare), s.chunk, found.decoding), {k: float(v) for k, v in seconds.items()},
        float(found.output_rate * c.shares), float(found.input_rate * c.shares), _bound(real, loads), outside,
    )  # fmt: skip


def _bound(step: CompiledStep, loads: Mapping[str, Load]) -> str:
    """Name what holds most of a decode step, or of a prefill where nothing is decoded."""
    p = step.parts(loads[next(n for n in ("decode", "early", "prefill") if n in loads)])
    return str(largest(p.on_compute, np.maximum(p.busy - p.on_compute, 0.0), p.network, p.overhead))
