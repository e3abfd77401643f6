"""Calibration: every departure from the ideal machine, in one frozen record with its provenance.

No other constant in headway may make a prediction slower or faster.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headway.errors import InputError

Real = Any  # a float or a NumPy array; everything broadcasts


def _number(ideal: float, unit: str, about: str, low: float = 0.0, high: float = float("inf")) -> Any:
    """Describe one number of the record: its ideal value, unit, meaning and range."""
    return field(default=ideal, metadata={"unit": unit, "about": about, "low": low, "high": high})


def _share(about: str) -> Any:
    return _number(1.0, "share", about, 1e-6, 1.0)


def _time(about: str) -> Any:
    return _number(0.0, "s", about)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far from ideal a machine and its engine run. Numbers may be arrays; everything broadcasts.

    Each number's unit, meaning and range are in its field's metadata, printed by ``headway calibrate --show``.
    With the defaults (every share 1, every time 0) a prediction is the lecture's lower bound.

    Raises
    ------
    InputError
        When a number is outside its range: a share above 1 or a negative time would beat physics.
    """

    name: str = "ideal"
    memory_efficiency: Real = _share("of the datasheet's memory bandwidth, in large matrix products")
    attention_memory_efficiency: Real = _share("of the memory bandwidth, reading the KV cache")
    expert_memory_efficiency: Real = _share("of the memory bandwidth, reading routed experts")
    compute_efficiency: Real = _share("of the dense 16-bit peak, in large matrix products")
    fp8_efficiency: Real = _share("of the dense 8-bit floating-point peak")
    int8_efficiency: Real = _share("of the dense 8-bit integer peak")
    fp4_efficiency: Real = _share("of the dense 4-bit peak")
    attention_compute_efficiency: Real = _share("of the dense 16-bit peak, in attention")
    expert_compute_efficiency: Real = _share("of a product's compute efficiency, when grouped over experts")
    knee: Real = _number(
        0.0, "", "softness of the corner between memory and compute: 0 is max(a, b), 1 is a + b", 0.0, 1.0
    )
    expert_unpack_flops: Real = _number(
        0.0, "FLOP", "of the 16-bit peak, in whose time one value of a routed expert is unpacked to 16 bits"
    )
    activation_traffic: Real = _number(
        0.0, "times", "that temporaries between kernels go through memory (lecture E24: 0)"
    )
    expert_imbalance: Real = _number(
        0.0,
        "times",
        "the busiest chip's excess of experts and tokens under uniform routing (0: even, 1: all of it; skew is the load's)",
        0.0,
        1.0,
    )  # of more than all of it a larger batch could be the faster one: the excess shrinks faster than the load grows
    kernel_seconds: Real = _time("per kernel: launch, ramp and tail")
    attention_seconds: Real = _time("per attention kernel, beyond a plain one")
    quantise_seconds: Real = _time(
        "per FP8 matrix product whose activations are quantised first, in blocks with scales of their own"
    )
    dequantise_seconds: Real = _time("per matrix product whose weights are unpacked to 16 bits")
    expert_dequantise_seconds: Real = _time("per layer of routed experts whose weights are unpacked to 16 bits")
    launch_seconds: Real = _time(
        "per kernel of a pass with prompts, which the host launches one by one: the longer of both counts"
    )
    step_seconds: Real = _time("per forward pass: scheduling, sampling, input preparation")
    sequence_seconds: Real = _time("per sequence and forward pass: sampling, detokenising, bookkeeping")
    request_seconds: Real = _time("per request before its first token: HTTP, tokenising, queueing in the server")
    accept_seconds: Real = _time(
        "per request that starts a run beside others: a benchmark sends them, and the server takes them in, one by one"
    )
    cold_seconds: Real = _time(
        "more, for each request of a run's first round: kernels are compiled and tuned, caches are cold"
    )
    network_efficiency: Real = _share("of the link's per-direction bandwidth, in very large collectives")
    network_overlap: Real = _number(1.0, "share", "of the communication hidden behind kernels", 0.0, 1.0)
    message_seconds: Real = _time("latency of an all-reduce")
    exchange_seconds: Real = _time("latency of an all-to-all")
    outside_seconds: Real = _time("more, where a collective leaves its scale-up domain")
    message_bytes: Real = _number(
        0.0, "bytes", "payload at which (ranks - 1) x the square-root term equals the linear one"
    )
    ramp_ranks: Real = _number(float("inf"), "ranks", "beyond which that square-root term grows no more", 2.0)
    draft_acceptance: Real = _share("of drafted tokens accepted, each given the one before (speculative decoding)")
    memory_reserve: Real = _number(
        0.0, "share", "of memory for neither weights nor KV; 0: as the engine has it", 0.0, 0.999
    )
    run_rounds: Real = _number(
        float("inf"), "requests", "per slot in a benchmark's run, of which the first start all at once", 1.0
    )
    chunk_tokens: Real = _number(float("inf"), "tokens", "budget of prompt tokens in one forward pass", 1.0)
    provenance: str = "no fit: every efficiency 1, every overhead 0 (the lecture's lower bound)"
    rows: int = 0
    residual: float | None = None

    def __post_init__(self) -> None:
        for f in _numbers(type(self)):
            value = getattr(self, f.name)
            low, high = f.metadata["low"], f.metadata["high"]
            if not (np.min(value) >= low and np.max(value) <= high):
                unit = f" {f.metadata['unit']}" if f.metadata["unit"] else ""
                upper = "" if high == float("inf") else f" and at most {high:g}"
                raise InputError(
                    f"calibration {self.name!r}: {f.name} is {value}; it must be at least {low:g}{upper}{unit}"
                )

    @classmethod
    def ideal(cls) -> Calibration:
        """Return the ideal machine: the result is a lower bound on time, the lecture's."""
        return cls()

    def numbers(self) -> dict[str, Real]:
        """Return the numbers by name."""
        return {f.name: getattr(self, f.name) for f in NUMBERS}


@functools.lru_cache(maxsize=4)
def _numbers(cls: type[Calibration]) -> tuple[dataclasses.Field[Any], ...]:
    return tuple(f for f in dataclasses.fields(cls) if f.metadata)


NUMBERS = _numbers(Calibration)
IDEAL = Calibration.ideal()
