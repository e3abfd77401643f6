"""A simulation whose requests go to a file as they end: `headway simulate --stream`."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from headway.cli.output import emit
from headway.cli.terminal import show
from headway.cli.watching import Watching
from headway.errors import InputError, InterruptedRunError
from headway.plan.operations import Words, operation
from headway.plan.simulated import arriving_options, placed, with_means
from headway.questions import Request
from headway.records.streams import Records, check_stream, streamed_record
from headway.report.streams import streamed_text
from headway.simulation import Requests
from headway.simulation.deployment import deployment
from headway.simulation.streamed import PIECE, streamed
from headway.simulation.tiers import Tier, dealt
from headway.simulation.traffic.flows import flow


@dataclass(frozen=True)
class Streaming:
    """A streamed simulation as somebody asked for it.

    Attributes
    ----------
    request : Request
    traffic : str
    words : Words
    window : dict
        ``count``, ``duration``, ``start``, ``rate``, ``scale``.
    seed : int
        [1]
    """

    request: Request
    traffic: str
    words: Words
    window: dict[str, str | None]
    seed: int

    def run(self, file: str, *, json: bool) -> None:
        """Run it, and print what it adds up to.

        Parameters
        ----------
        file : str
            Where the records go.
        json : bool
            Print plain data.
        """
        path = check_stream(file)
        if self.words.prefill is not None:
            raise InputError("--stream: split pools need all requests at once; leave out --prefill or --stream")
        options = arriving_options(self.request, self.traffic, self.window)
        found = flow(self.traffic, PIECE, seed=self.seed, **options)
        first = next(found.pieces, None)
        if first is None:
            raise InputError(f"--traffic {self.traffic}: no request comes")
        place = placed(with_means(self.request, first))
        how = operation(self.words, place.setting, place.layout, first, self.seed)
        d = deployment(place.setting, place.layout, how)
        replicas = place.setting.replicas(place.layout.chips)
        pieces = self._dealt(itertools.chain([first], found.pieces), how.tiers)
        with Records(path) as records, Watching(round(found.count)) as watch:
            answer = streamed(
                d,
                replicas,
                pieces,
                records.take,
                lambda t: watch((t.come - t.left) / max(found.count, 1.0)),
                found.name,
            )
        said = f"{records.count:,} requests written to {path}"
        if json:
            emit(streamed_record(answer))
            print(said, file=sys.stderr)
        else:
            show(f"{streamed_text(answer)}\n\n{said}")
        if answer.stopped:
            sys.stdout.flush()
            raise InterruptedRunError("interrupted: the answer is of what had happened by then")

    def _dealt(self, pieces: Iterator[Requests], tiers: tuple[Tier, ...]) -> Iterator[Requests]:
        for number, piece in enumerate(pieces):
            yield dealt(piece, tiers, self.seed + (number << 20)) if tiers else piece
