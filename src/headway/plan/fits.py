"""What fits on a machine: the catalogue's models in the formats that people run there, the longest context, and the speed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headway.catalog import catalogue, default
from headway.errors import HeadwayError, InputError
from headway.hardware import System, with_host
from headway.parallel import Layout, candidates, offloaded
from headway.plan.choose import scene_of
from headway.questions import AUTO, Request
from headway.serving import Setting, engine_on, named_system, setting

_RELEASE = re.compile(r"[-_](FP8|NVFP4|MXFP4|AWQ|GPTQ|INT4|INT8|FP8-Static-PerTensor)$", re.IGNORECASE)
_AT_HOME = ("", "q8_0", "q4_k_m")  # as released where that is narrow; llama.cpp's usual ones
_AT_WORK = ("", "fp8", "int4")
_NARROW = 1.2  # bytes a parameter: what is wider is not run at home as released
_LEAST_BYTES = 0.3  # a parameter, in the narrowest of these formats: what is larger than memory then is not read


@dataclass(frozen=True, slots=True)
class Fitting:
    """A model that fits.

    Attributes
    ----------
    model, stored : str
        Name; format of the weights.
    parameters, active : float
        [parameters]
    weights : float
        Loaded, over all chips. [bytes]
    layout : Layout
    longest : float
        Context of one sequence that memory holds, at most the model's. [tokens]
    context : float
        That speed and sequences are for. [tokens]
    sequences : float
        That fit at that context. [sequences]
    seconds : float
        A token of one sequence there. [s]
    on_host : float
        Weights in the host's memory. [bytes]
    """

    model: str
    stored: str
    parameters: float
    active: float
    weights: float
    layout: Layout
    longest: float
    context: float
    sequences: float
    seconds: float
    on_host: float = 0.0


def what_fits(
    system: str, *, context: float | None = None, words: Sequence[str] = (), formats: Sequence[str] = (), engine: str | None = None,
    memory_share: float | None = None, offload: bool | None = None, host: str | None = None, ram: float | None = None,
) -> list[Fitting]:  # fmt: skip
    """Return the catalogue's models that fit on a system, largest first.

    Parameters
    ----------
    system : str
        As `Request` takes it.
    context : float or None
        That must fit, and that the speed is for; None takes the catalogue's default. [tokens]
    words : sequence of str
        That a model's name or aliases must contain.
    formats : sequence of str
        Of the weights; default: what people run on such a machine.
    engine : str or None
        Default: llama.cpp on consumer machines, else the pooled one.
    memory_share : float or None
        As of `Request`. [share]
    offload : bool or None
        List models, too, that fit with experts or layers in the host's memory, as few as do; default: on consumer machines.
    host : str or None
        Processors of the host, as of `Request`.
    ram : float or None
        Memory of the host. [bytes]

    Raises
    ------
    InputError
        Unknown names, or no model with these words.
    """
    on = named_system(system)
    home = on.chip.status == "consumer"
    used = engine_on(engine or AUTO, on.chip).name
    length = default("default_context") if context is None else context
    beside = _host(on, host, ram) if (home if offload is None else offload) else None
    room = on.memory + (beside.chip.cpu.memory * beside.chips if beside and beside.chip.cpu else 0.0)
    found: list[Fitting] = []
    for name, total in _models(words):
        if total * _LEAST_BYTES > room:
            continue
        seen: set[str] = set()
        for stored in formats or (_AT_HOME if home else _AT_WORK):
            asked = _Asked(name, system, stored, used, length, memory_share)
            one = _one(asked, beside, narrow=home and not stored)
            if one is not None and one.stored not in seen:
                seen.add(one.stored)
                found.append(one)
    return sorted(found, key=lambda f: (-f.parameters, -f.weights))


def _host(on: System, host: str | None, ram: float | None) -> System | None:
    try:
        return with_host(on, host, ram)
    except InputError:
        if host or ram:
            raise
        return None  # the chip's memory is the host's


def _models(words: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Names of the catalogue's models with their parameters: releases in another format of the same model left out."""
    rows = catalogue().table("models").rows
    known = {_short(r["id"]).removesuffix("-bf16") for r in rows}
    chosen = [r for r in rows if all(w.lower() in f"{r['id']} {r['aliases']}".lower() for w in words)]
    if not chosen:
        raise InputError(
            f"no model of the catalogue has {' and '.join(words)} in its name; `headway catalog models` lists them"
        )
    for row in chosen:
        short = _short(row["id"])
        base = _RELEASE.sub("", short)
        if base != short and base in known:
            continue
        yield row["id"], float(row["published_total_B"] or 0) * 1e9


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1].lower()


@dataclass(frozen=True, slots=True)
class _Asked:
    name: str
    system: str
    stored: str
    engine: str
    context: float
    share: float | None


def _one(a: _Asked, beside: System | None, *, narrow: bool) -> Fitting | None:
    """A model in a format, or None where it does not fit, or is what nobody runs there."""
    output = min(default("default_output"), a.context / 2)
    try:
        s = setting(
            Request(model=a.name, system=a.system, precision=a.stored or None, engine=a.engine, prompt=a.context - output / 2,
                    output=output, memory_share=a.share)
        )  # fmt: skip
    except HeadwayError:
        return None
    model = s.model
    if narrow and model.weight_bytes > _NARROW * model.total_parameters:
        return None
    fitting = [c for c in candidates(model, s.system.joined) if c.dp == 1 and s.account(c).fits >= 1]
    if not fitting and beside is not None:
        s = dataclasses.replace(s, system=beside)
        away = offloaded(
            model, s.system.joined, lambda c: s.account(c).fits_chips >= 1, lambda c: s.account(c).fits >= 1
        )
        fitting = [away] if away else []
    if not fitting or a.context > model.max_context:
        return None
    times = {c: float(scene_of(s, c).seconds(1.0, a.context)) for c in fitting}
    layout = min(fitting, key=lambda c: times[c])
    account = s.account(layout)
    return Fitting(
        model.name, model.weights_format, model.total_parameters, model.active_parameters, model.loaded_bytes, layout,
        _longest(s, layout), a.context, account.fits, times[layout], account.host.weights if account.host else 0.0,
    )  # fmt: skip


def _longest(s: Setting, layout: Layout) -> float:
    """The longest sequence that memory holds, found by halving."""

    def holds(tokens: float) -> bool:
        return dataclasses.replace(s, prompt=max(tokens - s.output, 1.0)).account(layout).fits >= 1

    most = float(s.model.max_context)
    if holds(most):
        return most
    low, high = s.prompt + s.output, most
    while high - low > max(0.01 * low, 1.0):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
