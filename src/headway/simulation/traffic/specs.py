"""Processes and sessions as people write them: ``gamma:20/s,cv=3``, ``closed:64,think=2s``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from headway import units
from headway.errors import InputError, quoted, unknown
from headway.simulation.traffic.arrivals import Constant, Gamma, Poisson, Process, Weibull, weibull_cv
from headway.simulation.traffic.changing import Diurnal, OnOff
from headway.simulation.traffic.lengths import LONGEST, Lengths, lengths
from headway.simulation.traffic.sessions import BLOCK, ClosedLoop, Sessions

EXAMPLES = {
    "constant": "constant:20/s",
    "poisson": "poisson:20/s",
    "gamma": "gamma:20/s,cv=3",
    "weibull": "weibull:20/s,cv=3",
    "on-off": "on-off:20/s,on=10s,off=30s",
    "diurnal": "diurnal:20/s,swing=0.6",
    "closed": "closed:64,think=2s",
    "sessions": "sessions:2/s,turns=5,prompt=1k,new=200,output=300,think=20s",
    "agents": "agents:0.5/s,shared=20k,turns=30,prompt=1k,new=400,output=150,think=3s",
}
SESSIONS = ("closed", "sessions", "agents")
_SPELLINGS = {"onoff": "on-off", "even": "constant", "agent": "agents", "session": "sessions", "closed-loop": "closed"}
T = TypeVar("T")


class Spec:
    """``kind:lead,key=value,...`` taken apart; what nobody took at the end is an error.

    Parameters
    ----------
    text : str
    what : str
        What it says something of, for messages.
    examples : mapping
        A spec that reads well, of each kind.

    Attributes
    ----------
    text, kind, lead : str
        All of it, the kind, and the value behind the colon.
    """

    def __init__(self, text: str, what: str = "traffic", examples: Mapping[str, str] = EXAMPLES) -> None:
        self.what, self._examples = what, examples
        head, _, rest = text.partition(":")
        kind = head.strip().lower().replace("_", "-")
        self.text, self.kind = text, _SPELLINGS.get(kind, kind)
        self.lead, self._given, self._known = "", dict[str, str](), list[str]()
        for i, part in enumerate(rest.split(",")):
            key, sign, value = (p.strip() for p in part.partition("="))
            if sign and value and key not in self._given:
                self._given[key.lower().replace("_", "-")] = value
            elif i == 0 and not sign:
                self.lead = key
            else:
                raise InputError(
                    f"{what} {quoted(text)}: {quoted(part)} is no key=value of its own; it reads like {self.example}"
                )

    @property
    def example(self) -> str:
        """Return a spec of this kind that reads well."""
        return self._examples.get(self.kind) or self._examples.get("poisson") or next(iter(self._examples.values()))

    def take(self, key: str, read: Callable[[str, str], T], default: T | None = None) -> T:
        """Return the value of a key.

        Parameters
        ----------
        key : str
        read : function
            Reads (text, where it stands).
        default : any
            Where the key is not given; None: it is needed.

        Raises
        ------
        InputError
            When it cannot be read, or lacks.
        """
        self._known.append(key)
        if key in self._given:
            return read(self._given.pop(key), f"{self.what} {quoted(self.text)}: {key}")
        if default is None:
            raise InputError(f"{self.what} {quoted(self.text)}: {key} is needed, as in {self.example}")
        return default

    def leading(self, read: Callable[[str, str], T], what: str) -> T:
        """Return the value behind the colon."""
        if not self.lead:
            raise InputError(
                f"{self.what} {quoted(self.text)}: its {what} is needed behind the colon, as in {self.example}"
            )
        return read(self.lead, f"{self.what} {quoted(self.text)}")

    def given(self, *keys: str) -> str:
        """Return which of some keys is given, "" for none; two of them are an error."""
        self._known += keys
        found = [key for key in keys if key in self._given]
        if len(found) > 1:
            raise InputError(
                f"{self.what} {quoted(self.text)}: {' and '.join(found)} say the same; one of them is enough"
            )
        return found[0] if found else ""

    def done(self) -> None:
        """Refuse keys that nobody took."""
        for key in self._given:
            known = list(dict.fromkeys(self._known))
            raise unknown(f"key of {self.what} {quoted(self.text)}", key, known, f"Keys: {', '.join(known) or 'none'}.")


def is_spec(text: str) -> bool:
    """Say whether a text names a kind of traffic, right or slightly wrong, before a colon."""
    return Spec(text.partition(":")[0]).kind in EXAMPLES


def rate(text: str | float, where: str) -> float:
    """Read a rate. [1/s]

    Parameters
    ----------
    text : str or float
        A number is in SI. [1/s]
    where : str
        Where it stands, for the message.
    """
    return units.parse(text, units.PER_SECOND, where)


def duration(text: str | float, where: str) -> float:
    """Read a duration of 0 or more. [s]

    Parameters
    ----------
    text : str or float
        A number is in SI. [s]
    where : str
        Where it stands, for the message.
    """
    return 0.0 if text in (0, "0", "0s") else units.parse(text, units.SECONDS, where)


def number(text: str | float, where: str) -> float:
    """Read a number of 0 or more. [1]

    Parameters
    ----------
    text : str or float
        As it stands. [1]
    where : str
        Where it stands, for the message.
    """
    return 0.0 if text in (0, "0") else units.parse(text, units.COUNT, where)


def whole(text: str | float, where: str) -> int:
    """Read a whole number of at least 1. [1]

    Parameters
    ----------
    text : str or float
        As it stands. [1]
    where : str
        Where it stands, for the message.
    """
    value = units.parse(text, units.COUNT, where)
    if value != int(value) or value > LONGEST:
        raise InputError(f"{where}: {quoted(text)} is no whole number of 1 to {LONGEST:,}")
    return int(value)


def _tokens(text: str, where: str) -> int:
    return int(units.parse(text, units.TOKENS, where))


def process(spec: Spec) -> Process:
    """Return the arrivals that a spec describes; its other keys are left.

    Raises
    ------
    InputError
        When it describes none.
    """
    makers: Mapping[str, Callable[[Spec, float], Process]] = {
        "constant": lambda _, mean: Constant(mean),
        "poisson": lambda _, mean: Poisson(mean),
        "gamma": _gamma,
        "weibull": _weibull,
        "on-off": _on_off,
        "diurnal": _diurnal,
    }
    if spec.kind not in makers:
        listing = f"Kinds: {', '.join(EXAMPLES[k] for k in makers)}."
        raise unknown("process of arrivals", spec.kind, makers, listing)
    return makers[spec.kind](spec, spec.leading(rate, "mean rate"))


def _gamma(spec: Spec, mean: float) -> Process:
    if spec.given("cv", "burstiness") == "burstiness":  # vLLM's: the shape
        return Gamma(mean, spec.take("burstiness", number) ** -0.5)
    return Gamma(mean, spec.take("cv", number))


def _weibull(spec: Spec, mean: float) -> Process:
    if spec.given("cv", "shape") == "shape":
        return Weibull(mean, weibull_cv(spec.take("shape", number)))
    return Weibull(mean, spec.take("cv", number))


def _on_off(spec: Spec, mean: float) -> Process:
    return OnOff.of_mean(mean, spec.take("on", duration), spec.take("off", duration), spec.take("off-rate", rate, 0.0))


def _diurnal(spec: Spec, mean: float) -> Process:
    day, begin = spec.take("day", duration, 86_400.0), spec.take("from", duration, 0.0)
    if spec.given("swing", "weights") == "weights":
        return Diurnal(mean, weights=spec.take("weights", _weights), day=day, start=begin)
    peak = spec.take("peak", duration, day * 7 / 12)
    return Diurnal(mean, spec.take("swing", number, 0.5), day=day, peak=peak, start=begin)


def _weights(text: str, where: str) -> tuple[float, ...]:
    return tuple(number(part, where) for part in text.split("/"))


def closed(spec: Spec, rounds: int | None = None) -> ClosedLoop:
    """Return the closed loop that a spec describes; its other keys are left.

    Parameters
    ----------
    spec : Spec
    rounds : int or None
        Where the spec says nothing; None: 10. [1]
    """
    users = spec.leading(whole, "number of users")
    return ClosedLoop(
        users,
        spec.take("rounds", whole, rounds or 10),
        spec.take("think", duration, 0.0),
        spec.take("think-cv", number, 1.0),
        spec.take("ramp", duration, 0.0),
        spec.take("shared", _tokens, 0),
    )


def sessions(spec: Spec, prompt: Lengths, output: Lengths) -> Sessions:
    """Return the conversations (or agents) that a spec describes; its other keys are left.

    Parameters
    ----------
    spec : Spec
    prompt, output : Lengths
        First prompts, beyond what all share, and answers.
    """
    mean = spec.leading(rate, "mean rate")
    return Sessions(
        Gamma(mean, spec.take("cv", number)) if spec.given("cv") else Poisson(mean),
        spec.take("turns", lengths),
        prompt,
        spec.take("new", lengths),
        output,
        spec.take("think", duration, 0.0),
        spec.take("think-cv", number, 1.0),
        spec.take("shared", _tokens, None if spec.kind == "agents" else 0),
        spec.take("longest", _tokens, LONGEST),
        spec.take("block", whole, BLOCK),
    )
