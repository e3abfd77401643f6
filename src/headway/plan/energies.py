"""Energy of input, cached input and output by term, in the passes of a load: memory, links, arithmetic, awake, idle."""

from __future__ import annotations

from dataclasses import dataclass

from headway.roofline import Energy, Load, Rates, energy_rates, pass_energy
from headway.serving import Answer
from headway.serving.case import decode_tokens
from headway.serving.loops import step_of
from headway.serving.loops.workload import decoding, prompts


@dataclass(frozen=True)
class Joules:
    """Energy of the chips alone, without hosts, network switches and cooling.

    Attributes
    ----------
    fresh, cached, output : Energy
        Of a computed prompt token, of one that was found, of one made; in passes. [J/token]
    idle : float
        Of chips that are awake while no pass runs, over the output. [J/token]
    per_output : float
        Everything over the output. [J/token]
    low, high : float
        The same at the ends of the ranges of the rates. [J/token]
    watts, decode_watts, rated : float
        Of a chip: on average, in a decode pass, and what it is rated at. [W]
    """

    fresh: Energy
    cached: Energy
    output: Energy
    idle: float
    per_output: float
    low: float
    high: float
    watts: float
    decode_watts: float
    rated: float


def joules(a: Answer, rate: float, busy: float, passes: float = 1.0) -> Joules | None:
    """Return the energy of tokens under a load; None where the chip's power is not known.

    Parameters
    ----------
    a : Answer
    rate : float
        Requests that flow. [requests/s]
    busy : float
        Of the time, passes run. [share]
    passes : float
        Decode passes for each token over those of the load's mean: fewer where requests meet by chance. [times]
    """
    if a.case.chip.power is None:
        return None
    parts, total, awake = _request(a, rate, busy, passes, energy_rates())
    ends = [_request(a, rate, busy, passes, energy_rates(end))[1] for end in ("low", "high")]
    w, s = a.case.workload, a.case.setting
    fresh, cached, output = (
        e * (1 / length) if length else Energy() for e, length in zip(parts, (w.fresh, w.found, s.output), strict=True)
    )
    decode = a.seconds.get("decode", 0.0)
    drawn = _pass(a, a.case.passes["decode"], decode, energy_rates()).total / decode if decode else 0.0
    return Joules(
        fresh, cached, output, awake / s.output, total / s.output, ends[0] / s.output, ends[1] / s.output,
        total * rate / s.system.chips, drawn, a.case.chip.power,
    )  # fmt: skip


def _pass(a: Answer, load: Load, seconds: float, rates: Rates) -> Energy:
    """Of one chip at work. [J]"""
    chip = a.case.chip
    return pass_energy(a.case.step, load, chip, chip.power or 0.0, seconds, rates)


def _request(
    a: Answer, rate: float, busy: float, passes: float, rates: Rates
) -> tuple[tuple[Energy, Energy, Energy], float, float]:
    """Energy of a request's computed prompt, its found part, its answer; of all chips per request; and of idle ones. [J]"""
    c, s, w = a.case, a.case.setting, a.case.workload
    loads, times, chips = (
        c.passes,
        a.seconds,
        c.layout.chips / c.layout.pp,
    )  # a micro-batch is on one stage's chips at a time
    answered = prompt = read = Energy()
    pieces = float(w.pieces(s.chunk))
    if "decode" in loads:
        decode, some = _pass(a, loads["decode"], times["decode"], rates), float(a.served.decoding)
        fewer = Load(
            decoding(some, w.prompt, w.output, 1.0 + w.drafts).groups, s.skew
        )  # the others wait for their prompt
        each = _pass(a, fewer, float(step_of(w, times, some)), rates) * (1 / some)
        answered = each * (passes * chips * s.output / decode_tokens(s))
        if "mixed" in loads:
            prompt = (_pass(a, loads["mixed"], times["mixed"], rates) - decode) * (chips * pieces / float(w.abreast))
    if "mixed" not in loads and "burst" in loads:
        prompt = _pass(a, loads["burst"], times["burst"], rates) * (chips * pieces / float(w.at_once(s.chunk)))
    if w.found:
        step, abreast = s.passes_of(c.layout), float(w.abreast)
        ends = [Load(prompts(abreast, float(w.fresh), s.chunk, f).groups, s.skew) for f in (float(w.found), 0.0)]
        some = [_pass(a, x, float(step.shortest(x, s.overlap)), rates) * (chips * pieces / abreast) for x in ends]
        read = some[0] - some[1]
    awake = rates.static * (c.chip.power or 0.0) * s.system.chips * (1 - busy) / rate
    return (prompt - read, read, answered), prompt.total + answered.total + awake, awake
