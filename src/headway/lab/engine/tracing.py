"""The log of a lab engine: a line of JSON for every pass as it arrives, and for every request as it ends; written, and read back."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from headway.errors import InputError
from headway.lab.engine.core import Engine, Under, Watcher
from headway.lab.engine.settings import Settings, policy_of
from headway.numeric import finite
from headway.simulation.admission import Admission
from headway.simulation.lanes import Passes
from headway.simulation.limits import Limits
from headway.simulation.policies import Departures, Policy, Static
from headway.simulation.requests import Requests
from headway.simulation.run import Log

FORMAT = "headway lab engine 1"
_HEAD = ("model", "policy", "tokens", "sequences", "blocks", "block", "context", "reserve", "tiers", "keeps")
_PASS = ("start_s", "seconds", "riders", "chunks", "padded", "tokens", "prompt_tokens", "context_tokens", "blocks")
_REQUEST = (
    "arrival_s", "start_s", "first_s", "end_s", "prompt_tokens", "output_tokens", "tier", "cached_tokens", "preempted", "why",
    "units",
)  # fmt: skip


def head_of(s: Settings) -> dict[str, Any]:
    """Return the first line of a log: all that a simulator needs beside passes and requests."""
    p, limits = s.policy, s.limits
    return {
        "format": FORMAT, "model": s.model.name, "policy": p.name, "period_s": p.period or None,
        "batch": p.batch if isinstance(p, Static) else None, "hold_s": p.timeout if isinstance(p, Static) else None,
        "tokens": limits.tokens, "sequences": limits.sequences, "blocks": limits.blocks, "block": limits.block,
        "context": limits.context, "reserve": limits.reserve, "tiers": list(s.tiers), "seats": list(s.admission.seats),
        "waiting": s.admission.queue, "keeps": s.keeps and not p.padded, "delays_s": {n: getattr(s.delays, n) for n in s.delays.__slots__},
    }  # fmt: skip


def request_row(one: Under) -> dict[str, Any]:
    """Return a request that has ended."""
    return {
        "request": one.seat.who, "arrival_s": one.arrival, "start_s": finite(one.start), "first_s": finite(one.first),
        "end_s": finite(one.end), "prompt_tokens": len(one.seat.prompt), "output_tokens": len(one.seat.made), "tier": one.seat.tier,
        "cached_tokens": one.seat.cached, "preempted": one.seat.preempted, "why": one.why, "units": one.seat.units,
    }  # fmt: skip


class Trace(Watcher):
    """Writes the log. A disk that is full ends the log with one line on the standard error, not the engine.

    Parameters
    ----------
    settings : Settings
    file : str
        A file that is there already is written over.

    Raises
    ------
    InputError
        For a file that cannot be written.
    """

    def __init__(self, settings: Settings, file: str) -> None:
        self.file = file
        try:
            self._stream: IO[str] | None = open(file, "w", encoding="utf-8")  # noqa: SIM115 - as long as the engine runs
        except OSError as error:
            raise InputError(f"--trace {file}: cannot be written ({error.strerror})") from None
        self._write(head_of(settings))

    def passed(self, engine: Engine, row: dict[str, Any]) -> None:
        """Write a pass."""
        self._write(row)

    def ended(self, engine: Engine, one: Under) -> None:
        """Write a request."""
        self._write(request_row(one))

    def _write(self, row: dict[str, Any]) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(json.dumps(row) + "\n")
            self._stream.flush()
        except OSError as error:
            self._stream = None
            print(f"headway: {self.file}: the log of passes ends here ({error.strerror})", file=sys.stderr, flush=True)


class Kept(Watcher):
    """The same log in memory.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self.head, self.passes, self.requests = head_of(settings), list[dict[str, Any]](), list[dict[str, Any]]()

    def passed(self, engine: Engine, row: dict[str, Any]) -> None:
        """Keep a pass."""
        self.passes.append(row)

    def ended(self, engine: Engine, one: Under) -> None:
        """Keep a request."""
        self.requests.append(request_row(one))

    def recorded(self) -> Recorded:
        """Return what was kept."""
        return Recorded(self.head, tuple(self.passes), tuple(sorted(self.requests, key=lambda r: r["request"])))


@dataclass(frozen=True)
class Recorded:
    """A run of a lab engine, as its log has it.

    Attributes
    ----------
    head : dict
        What the engine was.
    passes, requests : tuple of dict
        In order of departure; of arrival.
    """

    head: dict[str, Any]
    passes: tuple[dict[str, Any], ...]
    requests: tuple[dict[str, Any], ...]

    @property
    def policy(self) -> Policy:
        """Its scheduler."""
        h = self.head
        return policy_of(h["policy"], h["period_s"] or Departures(1.0).headway, h["batch"] or 1, h["hold_s"] or 0.0)

    @property
    def limits(self) -> Limits:
        """Its limits."""
        tokens, sequences, blocks, block, reserve, context = (
            int(self.head[n]) for n in ("tokens", "sequences", "blocks", "block", "reserve", "context")
        )
        return Limits(tokens, sequences, blocks, block, jump=False, reserve=reserve, context=context)

    @property
    def admission(self) -> Admission:
        """Who was let in."""
        return Admission(tuple(self.head["seats"]), (), int(self.head["waiting"]))

    def boarded(self) -> list[dict[str, Any]]:
        """Return the requests that made tokens; whoever left before is in no batch."""
        return [r for r in self.requests if r["output_tokens"]]

    def traffic(self) -> Requests:
        """Return those as traffic: lengths as they were in the end, prompts by the identities of their blocks."""
        rows, block = self.boarded(), int(self.head["block"])
        units = [r["units"] if self.head["keeps"] else [] for r in rows]
        ids: dict[int, int] = {}
        return Requests(
            arrival=np.array([r["arrival_s"] for r in rows], dtype=float),
            prompt=np.array([r["prompt_tokens"] for r in rows], dtype=np.int64),
            output=np.array([r["output_tokens"] for r in rows], dtype=np.int64),
            tier=np.array([r["tier"] for r in rows], dtype=np.int64), tiers=tuple(self.head["tiers"]),
            hashes=np.array([ids.setdefault(u, len(ids)) for us in units for u in us], dtype=np.int64),
            first_hash=np.cumsum([0, *(len(us) for us in units)]), hash_tokens=block, name="the lab engine's log",
        )  # fmt: skip

    def log(self) -> Log:
        """Return it as a simulation's log, for the same pictures."""
        rows, p = self.boarded(), self.passes
        n = len(rows)
        arrival, start, first, end = (
            np.array([math.nan if r[k] is None else r[k] for r in rows])
            for k in ("arrival_s", "start_s", "first_s", "end_s")
        )
        now = p[-1]["start_s"] + p[-1]["seconds"] if p else 0.0
        return Log(
            self.traffic(), arrival, start, first, end, np.zeros(n, np.int64), np.array([r["preempted"] for r in rows], np.int64),
            np.array([r["cached_tokens"] for r in rows], np.int64), np.zeros(n, np.bool_), np.zeros(n, np.bool_),
            (self._passes(),), np.array([now]), now,
        )  # fmt: skip

    def _passes(self) -> Passes:
        p = self.passes
        riders = np.array([len(x["riders"]) for x in p], np.int64)

        def column(name: str) -> Any:
            return np.array([x[name] for x in p])

        return Passes(
            column("start_s"), column("seconds"), np.ones_like(riders), riders, column("tokens"), column("context_tokens"),
            column("blocks"), riders,
        )  # fmt: skip


def recorded(file: str) -> Recorded:
    """Return what a log says; a last line that is cut off is left out.

    Parameters
    ----------
    file : str

    Raises
    ------
    InputError
        For a file that is no log, with the line.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or 'no text'})") from None
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        wanted = _HEAD if number == 1 else _PASS if isinstance(row, dict) and "pass" in row else _REQUEST
        if not isinstance(row, dict) or any(k not in row for k in wanted):
            raise InputError(
                f"{file}, line {number}: no line of a lab engine's log (`headway serve --trace FILE` writes one)"
            )
        rows.append(row)
    if not rows or rows[0].get("format") != FORMAT:
        raise InputError(f"{file}: no log of a lab engine (`headway serve --trace FILE` writes one)")
    requests = sorted((r for r in rows[1:] if "request" in r), key=lambda r: r["request"])
    return Recorded(rows[0], tuple(r for r in rows[1:] if "pass" in r), tuple(requests))
