"""The fields of every question: type, unit, meaning, bounds and default, declared once."""

from __future__ import annotations

import dataclasses
import datetime
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast, dataclass_transform

from headway import units
from headway.errors import InputError, quoted, worded

Kind = Literal["text", "date", "names", "whole", "number", "flag", "choice", "quantity"]
LoadKind = Literal["closed_loop", "static_batch"]
T = TypeVar("T")
ENGINE = "modern"  # the pooled profile
AUTO = "auto"  # the engine that people run on a machine: llama.cpp on consumer machines, else the pooled one


@dataclass(frozen=True)
class Field:
    """One thing that can be asked for.

    Attributes
    ----------
    kind : str
        ``text``, ``date``, ``names`` (several by comma), ``whole``, ``number``, ``flag``, ``choice`` or ``quantity``.
    about : str
        What it means, in one line; what holds where it is left out.
    unit : str
        Of its value inside headway (SI); "" for counts and words.
    quantity : Quantity or None
        How people write it.
    least, below : float
        Smallest value allowed; what it must stay below. [`unit`]
    choices : tuple of str
    example : str
        As written on the command line.
    flags : tuple of str
        Names of the option beside ``--name``.
    whole : bool
        Whether a quantity is a whole number.
    """

    kind: Kind
    about: str
    unit: str = ""
    quantity: units.Quantity | None = None
    least: float = -math.inf
    below: float = math.inf
    choices: tuple[str, ...] = ()
    example: str = ""
    flags: tuple[str, ...] = ()
    whole: bool = False


def _quantity(
    quantity: units.Quantity, unit: str, about: str, example: str, least: float = 0.0, whole: bool = False
) -> Field:
    return Field("quantity", about, unit, quantity, least, example=example, whole=whole)


FIELDS: dict[str, Field] = {
    "model": Field("text", "Model name, path to config.json or its folder, or hub id.", example="deepseek-v3"),
    "system": Field("text", "System or chip, or CHIPxN; a bare chip gets as many as the layout takes.", example="h200x8", flags=("--on",)),
    "systems": Field("names", "System, CHIPxN, or several by comma, ranked by cost.", example="h200x8,b200x8", flags=("--on",)),
    "chips": Field("whole", "Number of chips instead of the system's.", "chips", least=1, example="16"),
    "at_most": Field("flag", "Pay only the chips that a layout uses."),
    "layout": Field("text", "The whole layout as people write it: tp8, dp8ep64, tp4cp2, dp72ep72r32.", example="dp8ep8"),
    "tp": Field("whole", "Tensor parallelism.", "chips", least=1, example="8"),
    "dp": Field("whole", "Attention-data-parallel groups.", "groups", least=1, example="8"),
    "ep": Field("whole", "Expert parallelism.", "groups", least=1, example="64"),
    "pp": Field("whole", "Pipeline stages.", "stages", least=1, example="4"),
    "cpu_layers": Field("whole", "Layers, from the first, that lie in the host's memory with their cache and run on its processor "
                        "(llama.cpp: all less --n-gpu-layers).", "layers", least=0, example="12"),
    "cpu_experts": Field("whole", "MoE layers, from the first, whose routed experts lie in the host's memory and run there; more than there are means all.", "layers", least=0,
                         example="40", flags=("--cpu-experts", "--n-cpu-moe")),
    "host": Field("text", "Processors of the host, for what is left to them; default: the catalogue's for such chips.", example="epyc 9654 x2"),
    "ram": _quantity(units.BYTES, "bytes", "Memory of the host; default: the processors' in the catalogue.", "96GB"),
    "context": _quantity(units.TOKENS, "tokens", "Tokens in each sequence's cache during decode, on average; default: prompt + half the output.", "32k"),
    "prompt": _quantity(units.TOKENS, "tokens", "Tokens of a prompt; default: the context less half the output.", "8k"),
    "output": _quantity(units.TOKENS, "tokens", "Tokens of an answer; default 1024.", "1k"),
    "batch": _quantity(units.COUNT, "sequences", "Requests in flight on each replica, at most what memory holds; default: twice the balance batch, or what memory holds.", "64", 1.0, whole=True),
    "concurrency": _quantity(units.COUNT, "requests", "Requests in flight on all replicas together, instead of --batch; those without room in memory wait.", "256", 1.0),
    "load": Field("choice", "closed_loop: so many requests in flight, each replaced when it ends. static_batch: all start together.",
                  choices=("closed_loop", "static_batch")),
    "rounds": Field("number", "Requests per slot of the run that is predicted, of which the first start all at once; inf: steady state. "
                    "Default: the engine's evidence (10).", "requests", least=1.0, example="inf"),
    "length_spread": Field("number", "Half-width of the lengths' spread around their means; 0: all of one length, which travel in waves. Default 0.11 "
                           "(uniform from 0.8 to 1.0 of nominal).", "share", least=0.0, below=1.0 + 1e-9, example="0"),
    "drafts": Field("whole", "Tokens drafted per step (speculative decoding, MTP); 0 for none.", "tokens", least=0, example="3"),
    "precision": Field("text", "Store the weights so instead of as the config says: bf16, fp16, fp8 (per tensor where the model was never released "
                       "in blocks), fp8-block, fp8-tensor, mxfp8, nvfp4, mxfp4, int8, int4, int4-g32, nvfp4a16, int8a16, fp8a16, or a llama.cpp mixture: q8_0, q6_k, q5_k_m, q4_k_m, q4_k_s, q4_0, q3_k_m, q2_k, iq4_xs, iq3_m, iq2_m, mxfp4_moe, ... (`headway catalog gguf_mixtures`).", example="fp8"),
    "family": Field("text", "Read the config as this model_type, whatever it says (llama, qwen3_moe, ...); marked in the answer.", example="llama",
                    flags=("--as",)),
    "kv_precision": Field("text", "Store the KV cache as bf16, fp8, ...; default: what the checkpoint states, else 16 bits.", example="fp8"),
    "engine": Field("text", "auto (llama.cpp on consumer cards, Macs and processors, else modern), modern (pooled), sglang, trtllm, vllm, llama.cpp, "
                    "transformers, your own, or ideal (the lower bound).",
                    example="vllm", flags=("--engine", "--calibration")),
    "release": Field("date", "Date of the engine's release (2026-05-18, 2025-11); default: the latest that the evidence has.", example="2025-11"),
    "price": _quantity(units.DOLLARS_PER_SECOND, "$/s per chip", "Rent per chip-hour instead of the catalogue's.", "4.49/h"),
    "reserve": Field("number", "Share of memory that the engine leaves alone: 1 less --memory-share.", "share", least=0.0, below=1.0, example="0.1"),
    "memory_share": Field("number", "Share of memory that the engine may use, as its own option says it (vLLM and SGLang; TensorRT-LLM: of what weights "
                          "leave); default: the engine's.", "share", least=0.01, below=1.0 + 1e-9, example="0.9",
                          flags=("--memory-share", "--gpu-memory-utilization", "--mem-fraction-static", "--kv-cache-free-gpu-mem-fraction")),
    "towers": Field("flag", "Load vision and audio towers, as engines do."),
    "mtp": Field("flag", "Load multi-token-prediction layers."),
    "hits": Field("number", "Share of each prompt that a prefix cache holds already; memory is counted as if nothing were shared.", "share", least=0.0,
                  below=1.0, example="0.8"),
    "skew": Field("number", "Zipf exponent of expert popularity; 0 is balanced routing.", least=0.0, below=100.0, example="0.8"),
    "overlap": Field("flag", "Hide communication behind a second half of the batch (two-batch overlap) where that is faster."),
    "convention": Field("choice", "kernels: one after another. machine: everything overlaps (the lecture's).", choices=("kernels", "machine")),
    "arrivals": _quantity(units.PER_SECOND, "requests/s", "Requests per second that really come: what they see and what a token costs then.", "50/s"),
    "ttft": _quantity(units.SECONDS, "s", "Longest mean time to first token.", "2s"),
    "tpot": _quantity(units.SECONDS, "s", "Longest mean time per output token.", "30ms"),
    "sure": Field("flag", "The upper ends of the 80 % intervals must meet the limits."),
    "rate": _quantity(units.PER_SECOND, "requests/s", "Requests per second: find the fleet that carries them with room for its queue.", "50/s"),
    "spare": Field("whole", "Systems of a fleet (with --chips ..72: replicas) beyond those that carry the rate, for when one fails (N+1); default 0.", "systems", least=0, example="1"),
    "minimise": Field("choice", "What to minimise: cost per token, chips (of one replica, or of the fleet), or the latency of a whole request.",
                      choices=("cost", "chips", "latency"), flags=("--minimise", "--minimize")),
    "split": Field("flag", "Look also at separate pools for prompts and answers."),
    "prefill_on": Field("text", "Another system for the prompts' pool.", example="h100x8"),
}  # fmt: skip


def written(value: float | str | None) -> float | None:
    """Accept a quantity as people write it (``"4k"``, ``"30ms"``, ``"2.5/h"``), or a number in SI units.

    Parameters
    ----------
    value : float, str or None
        Of a field of a question. [the field's unit]
    """
    return cast("float | None", value)  # `check` parses it, with the field's own unit


def spelled(value: float | str) -> float:
    """Accept a quantity that has a default.

    Parameters
    ----------
    value : float or str
        As `written` takes it. [the field's unit]
    """
    return cast(float, value)


def named(value: str | Sequence[str]) -> tuple[str, ...]:
    """Accept names, or one text of names by comma."""
    return _names("--on", value)


def asked(name: str, *, default: Any = dataclasses.MISSING, converter: Callable[[Any], Any] | None = None) -> Any:
    """Declare a field of a question; what it means stands in `FIELDS`.

    Parameters
    ----------
    name : str
        Of `FIELDS`.
    default : Any
    converter : callable or None
        For type checkers: its parameter is what may be given, its result what the field holds.
    """
    del converter
    return dataclasses.field(default=default, metadata={"asked": name})


@dataclass_transform(frozen_default=True, field_specifiers=(asked,))
def question(cls: type[T]) -> type[T]:
    """Make a frozen dataclass of a class whose fields are `asked`."""
    return dataclass(frozen=True)(cls)


def fields_of(question: type[Any]) -> dict[str, tuple[Field, Any]]:
    """Return the fields of a question by name, each with its default (``dataclasses.MISSING`` where it must be given)."""
    return {f.name: (FIELDS[f.metadata["asked"]], f.default) for f in dataclasses.fields(question)}


def parsed(name: str, value: Any) -> Any:
    """Return a field's value as headway holds it (SI), from what a person wrote.

    Parameters
    ----------
    name : str
        Of `FIELDS`.
    value : Any
        Text as on the command line, or a value that is already right; None stays None.

    Raises
    ------
    InputError
        When it is not what the field takes; the message names the option and what would be accepted.
    """
    f, option = FIELDS[name], option_of(name)
    if value is None:
        return None
    match f.kind:
        case "flag":
            if not isinstance(value, bool):
                raise InputError(f"{option} is {quoted(value)}; it must be true or false")
            return value
        case "choice":
            if value not in f.choices:
                raise InputError(f"{option}: {quoted(value)} is not known; accepted: {', '.join(f.choices)}")
            return value
        case "names":
            return _names(option, value)
        case "text":
            return worded(value, option, f.example)
        case "date":
            return _date(option, value, f.example)
        case "quantity":
            assert f.quantity is not None
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise InputError(f"{option} is {quoted(value)}; a {f.quantity.name} reads like {f.quantity.example}")
            return _bounded(f, option, units.parse(value, f.quantity, option))
        case "whole":
            return _bounded(f, option, _whole(option, value))
        case "number":
            return _bounded(f, option, _number(option, value))


def _names(option: str, value: Any) -> tuple[str, ...]:
    parts: Sequence[Any] = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(x, str) for x in parts):
        raise InputError(f"{option} is {quoted(value)}; it must be names, like h200x8,b200x8")
    return tuple(x.strip() for x in parts if x.strip())


_DATE = re.compile(r"(20\d\d)(?:-(\d\d))?(?:-(\d\d))?(?:[T ].*)?")


def _date(option: str, value: Any, example: str) -> str:
    match = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        if match is None:
            raise ValueError
        datetime.date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        raise InputError(f"{option}: {quoted(value)} is no date; it reads like 2026-05-18, {example} or 2026") from None
    return value.strip()


def _float(value: Any) -> float:
    """The number that a value is or reads as; NaN where it is none."""
    try:
        return float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        return math.nan


def _whole(option: str, value: Any) -> int:
    number = _float(value)
    if not math.isfinite(number) or number != int(number):
        raise InputError(f"{option} is {quoted(value)}; it must be a whole number")
    return int(number)


def _number(option: str, value: Any) -> float:
    number = _float(value)
    if math.isnan(number):
        raise InputError(f"{option} is {quoted(value)}; it must be a number")
    return number


def _bounded(f: Field, option: str, value: Any) -> Any:
    if not f.least <= value or not value < f.below:
        if value == math.inf and f.below == math.inf:
            return value
        low = "" if f.least == -math.inf else "zero or more" if f.least == 0 else f"at least {f.least:g}"
        high = "" if f.below == math.inf else f"below {f.below:g}"
        raise InputError(f"{option}: {value:g} must be {' and '.join(x for x in (low, high) if x)}")
    if f.whole and value != int(value):
        raise InputError(f"{option}: {value:g} must be a whole number of {f.unit}")
    return value


def check(question: Any) -> None:
    """Parse every field of a frozen question in place."""
    for f in dataclasses.fields(question):
        value, name = getattr(question, f.name), f.metadata["asked"]
        if value is None and f.default is not None:  # nothing is left open here: None is no answer
            raise InputError(f"{option_of(name)} is None; {_wanted(FIELDS[name])}")
        object.__setattr__(question, f.name, parsed(name, value))


def option_of(name: str) -> str:
    """Return how the command line names a field."""
    return {"model": "MODEL", "systems": "--on", "system": "--on"}.get(name, f"--{name.replace('_', '-')}")


def _wanted(f: Field) -> str:
    """Say what a field takes."""
    if f.kind == "choice":
        return f"accepted: {', '.join(f.choices)}"
    what = {"flag": "true or false", "whole": "a whole number", "number": "a number", "date": "a date"}.get(
        f.kind, "text"
    )
    return f"it must be {what if f.quantity is None else f'a {f.quantity.name}'}{f', like {f.example}' if f.example else ''}"


_JSON: Mapping[Kind, str | list[str]] = {
    "text": "string", "date": "string", "names": "array", "whole": "integer", "number": "number", "flag": "boolean", "choice": "string",
    "quantity": ["number", "string"],
}  # fmt: skip


def schema(question: type[Any]) -> dict[str, Any]:
    """Return the JSON schema of a question: what a form, a grid or a program may fill in."""
    properties: dict[str, Any] = {}
    needed: list[str] = []
    for name, (f, default) in fields_of(question).items():
        entry: dict[str, Any] = {"type": _JSON[f.kind], "description": f.about}
        if f.kind == "names":
            entry["items"] = {"type": "string"}
        if f.choices:
            entry["enum"] = list(f.choices)
        if f.unit:
            entry["unit"] = f.unit
        if f.least != -math.inf:
            entry["minimum"] = f.least
        if f.below != math.inf:
            entry["exclusiveMaximum"] = f.below
        if f.example:
            entry["examples"] = [f.example]
        if default is dataclasses.MISSING:
            needed.append(name)
        elif default is not None:
            entry["default"] = default
        properties[name] = entry
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": question.__name__, "type": "object",
        "properties": properties, "required": needed, "additionalProperties": False,
    }  # fmt: skip
