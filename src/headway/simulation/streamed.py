"""What a streamed run adds up to: counts, sums and sketches, whatever the number of requests."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from headway.shown import Shown
from headway.simulation.attribution import Attribution
from headway.simulation.deployment import Deployment
from headway.simulation.requests import Requests
from headway.simulation.results import Quantile, Simulated
from headway.simulation.sketches import Sketch
from headway.simulation.streaming import Piece, stream
from headway.simulation.utilisation import Prompts, joules

PIECE = 1 << 14  # requests between two looks
_NAMES = ("ttft", "tpot", "request", "queued")


@dataclass
class Tally:
    """Sums over the pieces of a run.

    Attributes
    ----------
    come, ended, rejected, turned_away, preempted, left : int
        Requests; `left` of them are under way. [requests]
    prompt, output : float
        Of those that ended. [tokens]
    first, last, now : float
        First and last arrival, and the end. [s]
    under_way, aboard, compute, memory : float
        Over all replicas: time of passes, that times the sequences in them, and the time that an ideal machine would compute and
        move data. [s, s, s, s]
    moved : float
        Energy of memory and arithmetic. [J]
    parts, volumes : list of float
        Seconds of passes, and tokens, of fresh input, cached input and output. [s, tokens]
    rented : float
        Replica-seconds that are paid. [s]
    most : int
        Requests under way at once, at a look. [requests]
    prompts : Prompts
        Those that began.
    sketches : dict
        Of ``ttft``, ``tpot``, ``request``, ``queued``. [s]
    """

    come: int = 0
    ended: int = 0
    rejected: int = 0
    turned_away: int = 0
    preempted: int = 0
    left: int = 0
    prompt: float = 0.0
    output: float = 0.0
    first: float = math.inf
    last: float = 0.0
    now: float = 0.0
    under_way: float = 0.0
    aboard: float = 0.0
    compute: float = 0.0
    memory: float = 0.0
    moved: float = 0.0
    parts: list[float] = field(default_factory=lambda: [0.0] * 3)
    volumes: list[float] = field(default_factory=lambda: [0.0] * 3)
    rented: float = 0.0
    most: int = 0
    prompts: Prompts = field(default_factory=Prompts)
    sketches: dict[str, Sketch] = field(default_factory=lambda: {name: Sketch() for name in _NAMES})

    def add(self, d: Deployment, replicas: int, piece: Piece) -> None:
        """Add a piece.

        Parameters
        ----------
        d : Deployment
        replicas : int
            [replicas]
        piece : Piece
        """
        log, s = piece.log, Simulated(d, replicas, piece.log)
        self.come, self.last, self.left = piece.come, piece.last, piece.left
        self.most = max(self.most, piece.left)
        self.ended += int(s.ended.sum())
        self.rejected += int(log.rejected.sum())
        self.turned_away += int(log.turned_away.sum())
        self.preempted += int(log.preempted.sum())
        self.prompt += float(log.requests.prompt[s.ended].sum())
        self.output += float(log.requests.output[s.ended].sum())
        self.first = min(self.first, float(np.min(log.arrival, initial=math.inf, where=np.isfinite(log.arrival))))
        self.now, self.rented = log.now, float(log.rented.sum())
        self.prompts += Prompts.of(log)
        work = s.worked(self.prompts)
        for p, u in zip(log.passes, work, strict=True):
            self.under_way += float(p.seconds.sum())
            self.aboard += float((p.seconds * p.decoding).sum())
            self.compute += float(u.compute.sum())
            self.memory += float(u.memory.sum())
        chips = [d.layout.chips / d.layout.pp] * len(log.passes)
        self.moved += joules(d.setting.system.chip, 0.0, work, log.passes, chips) or 0.0
        a = s.attribution
        for i, (seconds, tokens) in enumerate(zip((a.fresh, a.cached, a.output), a.tokens, strict=True)):
            self.parts[i] += seconds
            self.volumes[i] += tokens
        for name, values in zip(_NAMES, (log.ttft, log.tpot, s.request, log.queued), strict=True):
            self.sketches[name].add(values)


@dataclass(frozen=True, repr=False)
class Streamed(Shown):
    """A run whose requests were written down as they ended, not held.

    Attributes
    ----------
    deployment : Deployment
    replicas : int
        [replicas]
    tally : Tally
    name : str
        Of the traffic.
    stopped : bool
        Somebody has stopped it before all had ended.
    """

    RECORD = "headway.records.streams:streamed_record"
    TEXT = "headway.report.streams:streamed_text"

    deployment: Deployment
    replicas: int
    tally: Tally
    name: str
    stopped: bool

    @property
    def span(self) -> float:
        """From the first arrival to the last token. [s]"""
        t = self.tally
        return t.now - t.first if math.isfinite(t.first) else 0.0

    @property
    def quantiles(self) -> dict[str, list[Quantile]]:
        """Of ``ttft``, ``tpot``, ``request`` and ``queued``: within a thousandth. [s]"""
        return {name: s.quantiles() for name, s in self.tally.sketches.items()}

    @property
    def offered(self) -> float:
        """[requests/s]"""
        t = self.tally
        return (t.come - 1) / (t.last - t.first) if t.come > 1 and t.last > t.first else math.nan

    @property
    def carried(self) -> float:
        """[requests/s]"""
        return self.tally.ended / self.span if self.span > 0 else math.nan

    @property
    def output_rate(self) -> float:
        """[tokens/s]"""
        return self.tally.output / self.span if self.span > 0 else math.nan

    @property
    def lanes(self) -> int:
        """Replicas, each with the micro-batches that it works on at a time. [1]"""
        return self.replicas * self.deployment.lanes

    @property
    def paid(self) -> float:
        """Chip-seconds that are paid. [s]"""
        return self.deployment.paid(self.span, self.tally.rented)

    @property
    def busy(self) -> float:
        """Share of the time in which a replica had a pass under way. [share]"""
        return self.tally.under_way / (self.span * self.lanes) if self.span > 0 else 0.0

    @property
    def batch(self) -> float:
        """Sequences that decode in a pass of a replica. [sequences]"""
        return self.tally.aboard / self.tally.under_way if self.tally.under_way else 0.0

    @property
    def used(self) -> tuple[float, float]:
        """MFU and MBU over the whole time. [share]"""
        time = self.span * self.lanes
        return (self.tally.compute / time, self.tally.memory / time) if time else (math.nan, math.nan)

    @property
    def attribution(self) -> Attribution:
        """Whose the time of the passes was."""
        fresh, cached, output = self.tally.parts
        a, b, c = self.tally.volumes
        return Attribution(fresh, cached, output, (a, b, c))

    @property
    def dollars_per_mtok(self) -> float | None:
        """The rent over the output; None without a price. [$/Mtok]"""
        price = self.deployment.setting.system.price
        return None if price is None or not self.tally.output else price * self.paid / self.tally.output * 1e6

    @property
    def prices(self) -> tuple[float, float] | None:
        """Average costs of input and output; times their volumes they are the rent. None without a price. [$/Mtok]"""
        price, a = self.deployment.setting.system.price, self.attribution
        if price is None or not a.tokens[0] or not a.tokens[2]:
            return None
        fresh, _, made = (1e6 * price * self.paid * x for x in a.shares)
        return fresh / a.tokens[0], made / a.tokens[2]

    @property
    def joules_per_token(self) -> float | None:
        """Energy of the chips alone over the output; None where their power is not known. [J/token]"""
        awake = joules(self.deployment.setting.system.chip, self.paid, (), (), ())
        return None if awake is None or not self.tally.output else (awake + self.tally.moved) / self.tally.output

    def brief(self) -> str:
        """Return the headline in one line."""
        d, q = self.deployment, self.quantiles
        return (
            f"{d.setting.model.name} on {d.setting.system.name} as {d.layout}, {self.tally.come:,} requests streamed: TTFT "
            f"{1e3 * q['ttft'][0].value:,.4g} ms, TPOT {1e3 * q['tpot'][0].value:,.4g} ms (medians)"
        )


def streamed(
    d: Deployment, replicas: int, pieces: Iterable[Requests], sink: Callable[[Piece], None], watch: Callable[[Tally], bool], name: str = "",
) -> Streamed:  # fmt: skip
    """Run traffic piece by piece; nothing of it is held but who is under way.

    Parameters
    ----------
    d : Deployment
        Of one pool.
    replicas : int
        [replicas]
    pieces : iterable of Requests
        As of `stream`.
    sink : callable
        Takes every piece of records.
    watch : callable
        Told after each what there is so far; True stops the run.
    name : str
        What the traffic is called.
    """
    tally, stopped, o = Tally(), False, d.operation
    engine = dataclasses.replace(d.engine, replicas=replicas * d.lanes, router=o.router)
    for piece in stream(engine, pieces, d.delay, autoscale=o.autoscale, name=name):
        tally.add(d, replicas, piece)
        sink(piece)
        if watch(tally):
            stopped = True
            break
    return Streamed(d, replicas, tally, name, stopped)
