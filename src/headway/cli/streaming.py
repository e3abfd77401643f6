"""A simulation whose requests go to a file as they end: `headway simulate --stream`."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from headway.cli.output import emit
from headway.cli.terminal import show
from headway.cli.watching import Watching
from headway.errors import InputError, InterruptedRunError
from headway.plan.operations import Words, operation
from headway.plan.simulated import placed
from headway.questions import Request
from headway.records.streams import Records, check_stream, streamed_record
from headway.report.streams import streamed_text
from headway.serving import setting
from headway.simulation import Requests
from headway.simulation.deployment import deployment
from headway.simulation.streamed import PIECE, streamed
from headway.simulation.tiers import Tier, dealt
from headway.simulation.traffic.flows import Flow, flow
from headway.simulation.traffic.specs import Spec, is_spec


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
        found = self._flow()
        first = next(found.pieces, None)
        if first is None:
            raise InputError(f"--traffic {self.traffic}: no request comes")
        request = self.request
        if request.context is None and request.prompt is None and request.output is None:
            request = dataclasses.replace(request, prompt=float(first.prompt.mean()), output=float(first.output.mean()))
        place = placed(request)
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

    def _flow(self) -> Flow:
        options: dict[str, Any] = {k: v for k, v in self.window.items() if v is not None}
        for name in ("prompt", "output"):
            length = getattr(self.request, name)
            if length is not None:
                options[name] = int(length)
        if is_spec(self.traffic):
            spec = Spec(self.traffic)
            if not any(map(spec.given, ("prompt", "output", "lengths"))):
                where = setting(self.request)  # what a plan would take
                options = {"prompt": int(where.prompt), "output": int(where.output)} | options
        return flow(self.traffic, PIECE, seed=self.seed, **options)

    def _dealt(self, pieces: Iterator[Requests], tiers: tuple[Tier, ...]) -> Iterator[Requests]:
        for number, piece in enumerate(pieces):
            yield dealt(piece, tiers, self.seed + (number << 20)) if tiers else piece
