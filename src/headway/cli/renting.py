"""Options of `headway bill`: the requests, and what is rented instead."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True)
class Work:
    """The requests, as typed. [1]"""

    prompt: Annotated[str | None, Parameter(help="Tokens of a prompt, cached ones counted. [300k]")] = None
    output: Annotated[str | None, Parameter(help="Tokens of an answer. [1k]")] = None
    cached: Annotated[str | None, Parameter(help="Of the prompt, read from the cache. [200k]")] = None
    cache_write: Annotated[
        tuple[str, ...],
        Parameter(negative="", show_default=False, help="Of the prompt, written to the cache, by time: 5min:100k; repeat it for others."),
    ] = ()  # fmt: skip
    store: Annotated[str | None, Parameter(help="Keep tokens in an explicit cache so long. [100k:2h]")] = None
    tier: Annotated[str, Parameter(help="standard, batch, flex, priority, fast or ultrafast.")] = "standard"
    requests: Annotated[str | None, Parameter(help="How many. [1000/day]")] = None


@Parameter(name="*")
@dataclass(frozen=True)
class Renting:
    """What is rented and what it must keep, as typed. [1]"""

    ttft: Annotated[str | None, Parameter(help="With --against: longest time to the first token. [2s]")] = None
    tpot: Annotated[
        str | None, Parameter(help="With --against: longest time per token after it; several by comma. [30ms,50ms]")
    ] = None
    within: Annotated[str | None, Parameter(help="Share of requests that must meet both; default 90%. [99%]")] = None
    hits: Annotated[
        str | None,
        Parameter(help="Cache hits to look at, shares of the prompt by comma; default --cached, or 0,50%,90%."),
    ] = None
    hours: Annotated[
        float, Parameter(help="Hours of a day in which requests come: on demand pays these, reserved all.")
    ] = 24.0
    price: Annotated[str | None, Parameter(help="Rent per chip-hour on demand, not the catalogue's. [4.49/h]")] = None
    reserved_price: Annotated[str | None, Parameter(help="The same of reserved chips. [1.6/h]")] = None
    layout: Annotated[str | None, Parameter(help="Layout of a replica; default: the plan's choice. [tp4]")] = None
    precision: Annotated[str | None, Parameter(help="Store the weights so. [fp8]")] = None
    engine: Annotated[str | None, Parameter(help="As of headway plan. [vllm]")] = None


ANY, NOTHING = Work(), Renting()


def typed(given: Work | Renting) -> list[str]:
    """Return the options that were given, as they are typed."""
    plain = type(given)()
    changed = [f.name for f in fields(given) if getattr(given, f.name) != getattr(plain, f.name)]
    return [f"--{name.replace('_', '-')}" for name in changed]
