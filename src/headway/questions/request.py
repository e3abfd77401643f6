"""The two questions: a Request about one place and load, and a Query over many layouts."""

from __future__ import annotations

from typing import Literal

from headway.errors import InputError, quoted
from headway.questions.fields import AUTO, LoadKind, asked, check, named, question, spelled, written


@question
class Request:
    """A question about one model on one system under one load: what a plan, a curve, a prediction and a speculation answer.

    Every field's unit, meaning and bounds stand in `headway.questions.FIELDS`. Quantities may be given as people write
    them (``prompt="4k"``, ``price="2.5/h"``) or as numbers in SI units.

    Raises
    ------
    InputError
        When a field is not what it should be.
    """

    model: str = asked("model")
    system: str = asked("system")
    chips: int | None = asked("chips", default=None)
    context: float | None = asked("context", default=None, converter=written)
    prompt: float | None = asked("prompt", default=None, converter=written)
    output: float | None = asked("output", default=None, converter=written)
    precision: str | None = asked("precision", default=None)
    kv_precision: str | None = asked("kv_precision", default=None)
    price: float | None = asked("price", default=None, converter=written)
    batch: float | None = asked("batch", default=None, converter=written)
    tp: int | None = asked("tp", default=None)
    dp: int | None = asked("dp", default=None)
    ep: int | None = asked("ep", default=None)
    layout: str | None = asked("layout", default=None)
    engine: str = asked("engine", default=AUTO)
    convention: Literal["kernels", "machine"] = asked("convention", default="kernels")
    reserve: float | None = asked("reserve", default=None)
    skew: float = asked("skew", default=0.0)
    arrivals: float | None = asked("arrivals", default=None, converter=written)
    pp: int | None = asked("pp", default=None)
    concurrency: float | None = asked("concurrency", default=None, converter=written)
    load: LoadKind = asked("load", default="closed_loop")
    rounds: float | None = asked("rounds", default=None)
    length_spread: float | None = asked("length_spread", default=None)
    drafts: int = asked("drafts", default=0)
    release: str | None = asked("release", default=None)
    overlap: bool = asked("overlap", default=False)
    memory_share: float | None = asked("memory_share", default=None)
    towers: bool = asked("towers", default=True)
    mtp: bool = asked("mtp", default=True)
    family: str | None = asked("family", default=None)
    cpu_layers: int | None = asked("cpu_layers", default=None)
    cpu_experts: int | None = asked("cpu_experts", default=None)
    host: str | None = asked("host", default=None)
    ram: float | None = asked("ram", default=None, converter=written)
    hits: float = asked("hits", default=0.0)

    def __post_init__(self) -> None:
        check(self)
        _one_share(self.reserve, self.memory_share)
        if self.batch is not None and self.concurrency is not None:
            raise InputError("--batch is per replica and --concurrency of all together: give one of them")
        ways = self.tp, self.dp, self.ep, self.pp, self.cpu_layers, self.cpu_experts
        if self.layout is not None and any(x is not None for x in ways):
            raise InputError("--layout says it all: leave out --tp, --dp, --ep, --pp, --cpu-layers and --cpu-experts")


@question
class Query:
    """A question over every layout, batch and split of pools of a model on some systems: what a search answers.

    Fields as of `Request`; see `headway.questions.FIELDS`.

    Raises
    ------
    InputError
        When a field is not what it should be.
    """

    model: str = asked("model")
    systems: tuple[str, ...] = asked("systems", converter=named)
    chips: int | None = asked("chips", default=None)
    at_most: bool = asked("at_most", default=False)
    prompt: float = asked("prompt", default=8192.0, converter=spelled)
    output: float = asked("output", default=1024.0, converter=spelled)
    ttft: float | None = asked("ttft", default=None, converter=written)
    tpot: float | None = asked("tpot", default=None, converter=written)
    sure: bool = asked("sure", default=False)
    rate: float | None = asked("rate", default=None, converter=written)
    spare: int = asked("spare", default=0)
    minimise: Literal["cost", "chips", "latency"] = asked("minimise", default="cost")
    split: bool = asked("split", default=True)
    prefill_on: str | None = asked("prefill_on", default=None)
    overlap: bool = asked("overlap", default=False)
    drafts: int = asked("drafts", default=0)
    layout: str | None = asked("layout", default=None)
    precision: str | None = asked("precision", default=None)
    kv_precision: str | None = asked("kv_precision", default=None)
    price: float | None = asked("price", default=None, converter=written)
    engine: str = asked("engine", default=AUTO)
    reserve: float | None = asked("reserve", default=None)
    skew: float = asked("skew", default=0.0)
    batch: float | None = asked("batch", default=None, converter=written)
    rounds: float | None = asked("rounds", default=None)
    length_spread: float | None = asked("length_spread", default=None)
    release: str | None = asked("release", default=None)
    memory_share: float | None = asked("memory_share", default=None)
    towers: bool = asked("towers", default=True)
    mtp: bool = asked("mtp", default=True)
    family: str | None = asked("family", default=None)
    host: str | None = asked("host", default=None)
    ram: float | None = asked("ram", default=None, converter=written)
    hits: float = asked("hits", default=0.0)

    def __post_init__(self) -> None:
        check(self)
        _one_share(self.reserve, self.memory_share)
        if not self.systems:
            raise InputError("search needs --on SYSTEM, like --on gb200-nvl72 or --on h200x8,b200x8")
        if self.prompt < 1:
            raise InputError(f"--prompt: {self.prompt:g} must be at least 1")
        decoded(self.output)
        if self.spare and self.rate is None:
            raise InputError("--spare is for a fleet: give --rate, too, like --rate 5/s")


def _one_share(reserve: float | None, share: float | None) -> None:
    if reserve is not None and share is not None:
        raise InputError("--reserve is what --memory-share leaves: give one of them")


def decoded(output: float, said: str = "--output") -> None:
    """Refuse an answer of which nothing is decoded: what such a service costs is a prompt's time, no step's.

    Parameters
    ----------
    output : float
        Of a request. [tokens]
    said : str
        What the length comes from, for the message.

    Raises
    ------
    InputError
        When it is below two tokens.
    """
    if output < 2:
        raise InputError(
            f"{said}: {output:g} must be at least 2 tokens of answer: the first comes with the prompt, so nothing is left to decode "
            "(`headway predict` times a prompt alone: osl 1)"
        )


def chips_of(text: str | int | None) -> tuple[int | None, bool]:
    """Read ``72`` (all paid) or ``..72`` (as many as a layout uses) as (chips, at most).

    Parameters
    ----------
    text : str, int or None
        A number is all paid; None: not asked for. [chips]

    Raises
    ------
    InputError
        When it is neither.
    """
    if text is None or isinstance(text, int):
        return text, False
    at_most = text.strip().startswith("..")
    number = text.strip().removeprefix("..")
    if not number.isdigit() or int(number) < 1:
        raise InputError(f"--chips: {quoted(text)} is not a number of chips; write 72, or ..72 for at most 72")
    return int(number), at_most
