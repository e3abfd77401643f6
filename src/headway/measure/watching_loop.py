"""Scrape after scrape of a running server: whatever fails is said, and it goes on."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from headway.errors import InputError
from headway.measure.scrapes import Scrape
from headway.measure.scrapes_source import Source, answers
from headway.measure.watching import Reading, Watched, choose, reading, watched
from headway.measure.watching_past import Past
from headway.questions import Request


@dataclass(frozen=True)
class Told:
    """One thing that happened.

    Attributes
    ----------
    kind : str
        ``reading``, ``failed`` (a scrape), ``restarted`` (the server), ``note``.
    text : str
        In words; of a reading empty.
    reading : Reading or None
    """

    kind: Literal["reading", "failed", "restarted", "note"]
    text: str = ""
    reading: Reading | None = None


@dataclass(frozen=True)
class Asked:
    """How to watch.

    Attributes
    ----------
    request : Request
        The model, machine, engine and layout of the roofline.
    served : str
        The model's name on the server, where it has several.
    every : float
        Between scrapes. [s]
    count : float
        Times between two scrapes until it ends; infinite: none. [1]
    ttft, tpot : float
        Limits of the means; infinite without. [s]
    past : str or None
        A file of earlier readings, to which new ones are added.
    """

    request: Request
    served: str = ""
    every: float = 5.0
    count: float = math.inf
    ttft: float = math.inf
    tpot: float = math.inf
    past: str | None = None


class _Watch:
    def __init__(self, source: Source, asked: Asked) -> None:
        self.source, self.asked = source, asked
        self.who: Watched = watched(
            asked.request, "", asked.ttft, asked.tpot
        )  # unknown names are refused before anything is read
        self.before: Scrape | None = None
        self.past: Past | None = None
        self.noted: set[str] = set()

    def tick(self) -> Iterator[Told]:
        """One scrape, and what it says since the last."""
        found, failed = answers(self.source)
        if failed:
            self.before = None
            yield Told("failed", failed)
            return
        try:
            now, note = choose(found, self.asked.served, self.asked.request.model)
        except InputError as error:
            self.before = None
            yield Told("failed", str(error))
            return
        if note and note not in self.noted:
            self.noted.add(note)
            yield Told("note", note)
        before, self.before = self.before, now
        if before is None:
            self.who = watched(self.asked.request, now.engine, self.asked.ttft, self.asked.tpot)
            self.past = self.past or Past(
                self.asked.past, (now.model, self.who.setting.system.name, str(self.who.layout))
            )
        elif now.fell(before):
            yield Told("restarted", "the server was restarted: its counters began anew, and so does this")
        elif now.at > before.at:
            yield Told("reading", reading=self._read(before, now))

    def _read(self, before: Scrape, now: Scrape) -> Reading:
        found = reading(self.who, before, now, time.time())
        assert self.past is not None
        if math.isnan(found.over_estimate):
            return found
        found = dataclasses.replace(found, drift=self.past.drift(found.over_estimate))
        self.past.keep(found.to_dict())
        return found


def watch(source: Source, asked: Asked, wait: Callable[[float], None] = time.sleep) -> Iterator[Told]:
    """Watch a server, and yield what happens.

    Parameters
    ----------
    source : Source
    asked : Asked
    wait : callable
        Waits so many seconds.

    Raises
    ------
    InputError
        Unknown names, or a file of the past that cannot be used.
    PhysicsError
        When such a model does not fit on such a machine.
    """
    one = _Watch(source, asked)
    start = time.monotonic()
    done = 0
    yield from one.tick()
    while done < asked.count:
        done += 1
        wait(max(start + done * asked.every - time.monotonic(), 0.0))
        yield from one.tick()
