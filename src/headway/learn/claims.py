"""The register of claims: what was said, by which source, what holds, the calculation live, and the code that leans on it."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from headway.catalog import catalogue
from headway.equations import Asked, Equation, equations
from headway.errors import unknown
from headway.learn.typed import typed
from headway.lecture import Inputs
from headway.shown import Shown

KINDS = {"disagreement": "where sources disagree", "limit": "limits of the method", "caveat": "caveats of the lecture"}
_CITED = re.compile(r"\b(?:DIS|LIM|CAV)-\d+\b")


@dataclass(frozen=True)
class Claim(Shown):
    """A claim on which sources disagree, or that limits an equation.

    Attributes
    ----------
    id, topic, kind : str
    versions : str
        What was said, and by which source.
    used, reason : str
        What holds here, and why.
    source, date : str
    asks : tuple of str
        Calculations about it, as arguments of `headway ask`.
    about : tuple of str
        Ids of the equations that it is about.
    """

    id: str
    topic: str
    kind: str
    versions: str
    used: str
    reason: str
    source: str
    date: str
    asks: tuple[str, ...]
    about: tuple[str, ...]

    RECORD: ClassVar[str] = "headway.records.learning:claim_record"
    TEXT: ClassVar[str] = "headway.report.claims:claim_text"

    def brief(self) -> str:
        """Return what it is about and what holds."""
        return f"{self.id}, {self.topic}: {self.used}"

    @property
    def equations(self) -> list[Equation]:
        """The equations that it is about."""
        return [e for e in equations() if {e.id, *e.aliases} & set(self.about)]

    @property
    def functions(self) -> list[str]:
        """The library's functions that compute them."""
        return list(dict.fromkeys(f"headway.{f}" for e in self.equations for f in e.functions))

    @cached_property
    def calculations(self) -> list[tuple[str, Asked]]:
        """Each calculation: the command, and what the library says now."""
        return [(f"headway ask {text}", typed(text)) for text in self.asks]

    @property
    def defaults(self) -> list[str]:
        """Defaults that cite it: of the catalogue, of equations (`E5.active`) and of the lecture's inputs."""
        return [name for name, cited in defaults().items() if self.id in cited]


def claims() -> list[Claim]:
    """Return every claim of the register."""
    return [
        Claim(
            **{k: r[k] for k in ("id", "topic", "kind", "versions", "used", "reason", "source", "date")},
            asks=tuple(r["asks"].split("|")) if r.get("asks") else (), about=tuple(r["equations"].split("|")),
        )
        for r in catalogue().table("claims").rows
    ]  # fmt: skip


def claim(name: str) -> Claim:
    """Return the claim of that id.

    Raises
    ------
    InputError
        When there is none.
    """
    every = {c.id: c for c in claims()}
    found = every.get(name.strip().upper())
    if found is None:
        raise unknown("claim", name, every, "`headway catalog claims` lists them.")
    return found


def defaults() -> dict[str, list[str]]:
    """Return every default with the claims that it cites: rows of `defaults.csv`, parameters of equations, inputs of the lecture."""
    found = {r["name"]: (r.get("claims") or "").split("|") for r in catalogue().table("defaults").rows}
    for e in equations():
        found |= {f"{e.id}.{p.name}": _CITED.findall(p.source) for p in e.parameters}
    about = {f.name: str(f.metadata["about"]) for f in dataclasses.fields(Inputs)}
    found |= {f"lecture.{name}": _CITED.findall(text) for name, text in about.items()}
    return {name: [c for c in cited if c] for name, cited in found.items()}
