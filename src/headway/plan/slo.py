"""What a service promises, and how much of some traffic or how many users it can promise that to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from headway import units
from headway.catalog import default
from headway.errors import InputError, quoted
from headway.questions import parsed
from headway.simulation.repeats import Over
from headway.simulation.steady import Steady


@dataclass(frozen=True)
class Slo:
    """What a service promises.

    Attributes
    ----------
    ttft, tpot : float
        Longest time to the first token, and per token after it; infinite where nothing is promised. [s]
    within : float
        Share of requests that must meet both. [share]
    """

    ttft: float
    tpot: float
    within: float

    def met(self, seen: Steady) -> bool:
        """Say whether enough requests met both limits."""
        return seen.within(self.ttft, self.tpot) >= self.within

    def binding(self, seen: Steady) -> str:
        """Return which limit is missed most: ``TTFT`` or ``TPOT``."""
        return "TTFT" if seen.within(ttft=self.ttft) <= seen.within(tpot=self.tpot) else "TPOT"


class Most(NamedTuple):
    """The largest rate or number of users.

    Attributes
    ----------
    value : Over
        Over the seeds. [requests/s or users]
    binds : str
        ``TTFT``, ``TPOT``, ``saturation``, ``memory``; with ``alone`` where a request alone breaks it already.
    found : tuple of float
        Of each seed. [requests/s or users]
    """

    value: Over
    binds: str
    found: tuple[float, ...]


class Readers(NamedTuple):
    """How many users read at a speed.

    Attributes
    ----------
    speed : float
        [tokens/s]
    most : Most
        Users, each of whom asks again when the answer has ended.
    estimate : float
        The same by the mean field of `plan`: mean times within the limits. [users]
    """

    speed: float
    most: Most
    estimate: float


def read_slo(ttft: float | str | None, tpot: float | str | None, within: float | None) -> Slo:
    """Read limits as people write them.

    Parameters
    ----------
    ttft, tpot : float, str or None
        Longest time to the first token, and per token after it. [s]
    within : float or None
        Share of requests that must meet both; default: the catalogue's. [share]

    Raises
    ------
    InputError
        Without a limit, and where a value is none.
    """
    first, later = parsed("ttft", ttft), parsed("tpot", tpot)
    if first is None and later is None:
        raise InputError("this needs a limit: --ttft 500ms, --tpot 20ms, or both")
    share = default("slo_attainment") if within is None else within
    if not 0 < share <= 1:
        raise InputError(f"--within: {share:g} is no share of requests; above 0 to 1, like 0.9 or 90%")
    return Slo(math.inf if first is None else first, math.inf if later is None else later, share)


def share_of(text: str | None) -> float | None:
    """Read a share of requests: ``99%``, ``99 %`` or ``0.99``; None stays None.

    Raises
    ------
    InputError
        When it is none.
    """
    if text is None:
        return None
    value = units.share(text)
    if math.isnan(value):
        raise InputError(f"--within: {quoted(text)} is no share of requests; above 0 to 1, like 0.9 or 90%")
    return value


def speeds_of(text: str) -> tuple[float, ...]:
    """Read reading speeds by comma; ``none`` is nobody. [tokens/s]

    Raises
    ------
    InputError
        When they cannot be read.
    """
    parts = [p.strip() for p in text.split(",") if p.strip()]
    return () if parts == ["none"] else tuple(units.parse(p, units.PER_SECOND, "--readers") for p in parts)
