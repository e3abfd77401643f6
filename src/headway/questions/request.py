"""The two questions: a Request about one place and load, and a Query over many layouts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headway.errors import InputError
from headway.questions.fields import ENGINE, asked, check


@dataclass(frozen=True)
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
    chips: int | None = asked("chips", None)
    context: float | None = asked("context", None)
    prompt: float | None = asked("prompt", None)
    output: float | None = asked("output", None)
    precision: str | None = asked("precision", None)
    kv_precision: str | None = asked("kv_precision", None)
    price: float | None = asked("price", None)
    batch: float | None = asked("batch", None)
    tp: int | None = asked("tp", None)
    dp: int | None = asked("dp", None)
    ep: int | None = asked("ep", None)
    layout: str | None = asked("layout", None)
    engine: str = asked("engine", ENGINE)
    convention: Any = asked("convention", "kernels")
    reserve: float | None = asked("reserve", None)
    skew: float = asked("skew", 0.0)
    arrivals: float | None = asked("arrivals", None)
    pp: int | None = asked("pp", None)
    concurrency: float | None = asked("concurrency", None)
    load: Any = asked("load", "closed_loop")
    rounds: float | None = asked("rounds", None)
    drafts: int = asked("drafts", 0)
    release: str | None = asked("release", None)
    overlap: bool = asked("overlap", False)

    def __post_init__(self) -> None:
        check(self)
        if self.batch is not None and self.concurrency is not None:
            raise InputError("--batch is per replica and --concurrency of all together: give one of them")
        if self.batch is not None and self.batch != int(self.batch):
            raise InputError(f"--batch: {self.batch:g} must be a whole number of sequences")
        if self.layout is not None and any(x is not None for x in (self.tp, self.dp, self.ep, self.pp)):
            raise InputError("--layout says it all: leave out --tp, --dp, --ep and --pp")


@dataclass(frozen=True)
class Query:
    """A question over every layout, batch and split of pools of a model on some systems: what a search answers.

    Fields as of `Request`; see `headway.questions.FIELDS`.

    Raises
    ------
    InputError
        When a field is not what it should be.
    """

    model: str = asked("model")
    systems: tuple[str, ...] = asked("systems")
    chips: int | None = asked("chips", None)
    at_most: bool = asked("at_most", False)
    prompt: float = asked("prompt", 8192.0)
    output: float = asked("output", 1024.0)
    ttft: float | None = asked("ttft", None)
    tpot: float | None = asked("tpot", None)
    sure: bool = asked("sure", False)
    rate: float | None = asked("rate", None)
    minimise: Any = asked("minimise", "cost")
    split: bool = asked("split", True)
    prefill_on: str | None = asked("prefill_on", None)
    overlap: bool = asked("overlap", False)
    drafts: int = asked("drafts", 0)
    layout: str | None = asked("layout", None)
    precision: str | None = asked("precision", None)
    kv_precision: str | None = asked("kv_precision", None)
    price: float | None = asked("price", None)
    engine: str = asked("engine", ENGINE)
    reserve: float | None = asked("reserve", None)
    skew: float = asked("skew", 0.0)
    batch: float | None = asked("batch", None)
    rounds: float | None = asked("rounds", None)
    release: str | None = asked("release", None)

    def __post_init__(self) -> None:
        check(self)
        if not self.systems:
            raise InputError("search needs --on SYSTEM, like --on gb200-nvl72 or --on h200x8,b200x8")
        for name, value, least in (("prompt", self.prompt, 1), ("output", self.output, 2)):
            if value < least:
                raise InputError(f"--{name}: {value:g} must be at least {least}")
        if self.batch is not None and self.batch != int(self.batch):
            raise InputError(f"--batch: {self.batch:g} must be a whole number of sequences")


def chips_of(text: str | int | None) -> tuple[int | None, bool]:
    """Read ``72`` (all paid) or ``..72`` (as many as a layout uses) as (chips, at most).

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
        raise InputError(f"--chips: {text!r} is not a number of chips; write 72, or ..72 for at most 72")
    return int(number), at_most
