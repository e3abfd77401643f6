"""What a model and a machine say of an equation's parameters: ``37B/700B`` or a name, and a system."""

from __future__ import annotations

import re

from headway.equations.declared import COUNT, ZERO_BYTES, Equation, Value
from headway.errors import InputError, quoted, worded
from headway.hardware import System, hardware_ratio, system
from headway.models import Architecture, kv_bytes_per_further_token, number_format
from headway.models.formats import Format
from headway.serving import served_model
from headway.units import parse

Facts = dict[str, tuple[Value, str]]
_COUNTS = re.compile(r"\s*(?P<active>[\d.,_]+[a-zA-Z]*)\s*/\s*(?P<total>[\d.,_]+[a-zA-Z]*)\s*")
_IN_ONE_DOMAIN = ("SYS-C2", "E17", "E18")  # their chips are those of the scale-up domain


def facts_of(
    e: Equation, model: str | None, kv_bytes: str | float | None, machine: str | None, precision: str | None
) -> Facts:
    """Return the parameters that a model and a machine decide, each with where it comes from.

    Parameters
    ----------
    e : Equation
    model : str or None
        ``ACTIVE/TOTAL`` or a model's name.
    kv_bytes : str, float or None
        KV cache per token. [bytes]
    machine : str or None
        A system's name.
    precision : str or None
        Format of the weights.

    Raises
    ------
    InputError
        When a name does not resolve, or the equation takes nothing of what was given.
    """
    found: Facts = {}
    chosen: Format | None = number_format(precision) if precision else None
    if model is not None:
        counted = _COUNTS.fullmatch(worded(model, "a model", "37B/700B, deepseek-v3"))
        told = _counts(counted, model) if counted else _named(served_model(model, precision))
        chosen = chosen or (number_format("fp8") if counted else served_model(model).precision.weights)
        found |= _taken(e, told, f"--model {model}", "a model")
    if chosen is not None:
        size = found.get("bytes_per_parameter", (chosen.payload, ""))[0]
        source = f"{chosen.name}, --model {model}" if "bytes_per_parameter" in found else chosen.name
        found |= _only(e, {"bytes_per_parameter": (size, source)})
    if kv_bytes is not None:
        found |= _taken(e, {"kv_bytes": parse(kv_bytes, ZERO_BYTES, "--kv-bytes")}, "--kv-bytes", "KV bytes")
    if machine is not None:
        told = _machine(system(machine), chosen or number_format("fp8"), e.id in _IN_ONE_DOMAIN)
        found |= _taken(e, told, f"--on {machine}", "a machine")
        if chosen is None:  # a machine alone is asked about in FP8
            found |= _only(e, {"bytes_per_parameter": (number_format("fp8").payload, "fp8")})
    elif precision is not None and not found:
        raise InputError(f"--precision: {e.id} takes no size of a parameter")
    return found


def _counts(match: re.Match[str], text: str) -> dict[str, Value]:
    active, total = (parse(match[k], COUNT, f"--model {quoted(text)}") for k in ("active", "total"))
    if active > total:
        raise InputError(f"--model {quoted(text)}: active parameters before the total, like 37B/700B")
    return {"active": active, "total": total}


def _named(model: Architecture) -> dict[str, Value]:
    told: dict[str, Value] = {
        "active": model.active_parameters, "total": float(model.total_parameters),
        "bytes_per_parameter": model.weight_bytes / model.total_parameters,
        "kv_bytes": kv_bytes_per_further_token(model),
    }  # fmt: skip
    if model.experts:
        chosen = float(model.experts.active)
        told |= {"experts": float(model.experts.count), "per_token": chosen, "active_experts": chosen}
    return told


def _machine(s: System, weights: Format, domain: bool) -> dict[str, Value]:
    peak = s.chip.peak(weights.chain)
    told: dict[str, Value] = {
        "flops": peak, "bandwidth": s.chip.bandwidth, "capacity": s.chip.memory,
        "chips": float(min(s.domain, s.chips) if domain else s.chips), "ratio": hardware_ratio(peak,
        s.chip.bandwidth, weights.payload),
    }  # fmt: skip
    if s.link and s.scale_out:
        told["bandwidth_ratio"] = s.link / s.scale_out
    if s.price is not None:
        told["price"] = s.price * 3600
    return told


def _only(e: Equation, told: Facts) -> Facts:
    names = {p.name for p in e.parameters}
    return {k: v for k, v in told.items() if k in names}


def _taken(e: Equation, told: dict[str, Value], source: str, what: str) -> Facts:
    found = _only(e, {k: (v, source) for k, v in told.items()})
    if not found:
        raise InputError(
            f"{source}: {e.id} takes nothing of {what}; it takes {', '.join(p.name for p in e.parameters)}"
        )
    return found
