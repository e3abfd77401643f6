"""A trace: what a file of requests holds, gathered piece by piece and checked line by line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headway.errors import InputError, quoted
from headway.simulation.requests import Floats, Ints, Requests
from headway.simulation.traffic.arrivals import Process
from headway.simulation.traffic.blocks import Blocks, picked
from headway.simulation.traffic.lengths import LONGEST
from headway.simulation.traffic.lines import Faults
from headway.simulation.traffic.times import Clock

HASH_TOKENS = 512  # tokens of a block where nothing is said: Mooncake's
_CHUNK = 20_000  # rows turned into numbers at once
MOST = 20_000_000  # requests held at once: about 640 MB


@dataclass(frozen=True)
class Trace:
    """Requests of a file, in order.

    Attributes
    ----------
    prompt, output : array of int
        Lengths, at least 1. [tokens]
    arrival : array
        When each comes; empty where the file has no times. [s]
    hashes, first_hash : array of int
        Identities of blocks, as of `Requests`; empty where the file has none.
    hash_tokens : int
        Tokens of a block. [tokens]
    name : str
    source : str
    line : array of int
        Where each stands in the file; empty where it is none.
    """

    prompt: Ints
    output: Ints
    arrival: Floats = field(default_factory=lambda: np.zeros(0))
    hashes: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    first_hash: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    hash_tokens: int = HASH_TOKENS
    name: str = ""
    source: str = ""
    line: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.prompt)

    @property
    def timed(self) -> bool:
        """Whether the file says when requests come."""
        return len(self.arrival) == len(self.prompt)

    def requests(self, arrivals: Process | None = None, rng: np.random.Generator | None = None) -> Requests:
        """Return the trace as traffic.

        Parameters
        ----------
        arrivals : Process
            When requests come, in the trace's order; None: as the trace says.
        rng : Generator
            For `arrivals`; None: of seed 0.

        Raises
        ------
        InputError
            When nobody says when they come.
        """
        if arrivals is None and not self.timed:
            raise InputError(f"{self.name}: has no times of arrival; say how requests arrive, like poisson:20/s")
        own = rng or np.random.default_rng(0)
        times = self.arrival if arrivals is None else arrivals.draw(len(self), own)
        return Requests(
            times,
            self.prompt,
            self.output,
            hashes=self.hashes,
            first_hash=self.first_hash,
            hash_tokens=self.hash_tokens,
            name=self.name,
            source=self.source,
            line=self.line,
        )


def whole(cell: Any, what: str, least: int = 1, hint: str = "") -> int:
    """Return the whole number in a cell.

    Parameters
    ----------
    cell : str or number
        As the file has it.
    what : str
        What it is, for the message.
    least : int
        The smallest that is accepted. [tokens]
    hint : str
        Added to the message of one that is too small.

    Raises
    ------
    InputError
        When it is none, or too small or large.
    """
    needed = f"a whole number of {least} to {LONGEST:,} is needed"
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        raise InputError(f"{what} is missing; {needed}")
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        raise InputError(f"{what} is {quoted(cell)}; {needed}")
    try:
        value = float(cell)
    except (ValueError, OverflowError):
        value = math.nan
    if not least <= value <= LONGEST or value != int(value):
        raise InputError(f"{what} is {quoted(cell)}; {needed}{hint if value == 0 else ''}")
    return int(value)


def _fast(cells: Sequence[Any], least: int) -> Ints | None:
    """Lengths of cells that are all well-formed; None: `whole` says which is not."""
    kinds = set(map(type, cells))
    try:
        found = (
            np.array(list(map(int, cells)) if kinds == {str} else cells, dtype=np.int64)
            if kinds <= {str, int}
            else None
        )
    except (ValueError, OverflowError, TypeError):
        return None
    return found if found is not None and len(found) and found.min() >= least and found.max() <= LONGEST else None


class Builder:
    """Gathers the rows of a file.

    Parameters
    ----------
    faults : Faults
        What is wrong is noted here.
    clock : Clock or None
        Reads times of arrival; None: there are none.
    hashed : bool
        Whether there are identities of blocks.
    drop_empty : bool
        Whether requests with an answer of 0 tokens are left out.
    """

    def __init__(self, faults: Faults, clock: Clock | None, hashed: bool, drop_empty: bool) -> None:
        self._faults, self._clock, self._blocks = faults, clock, Blocks() if hashed else None
        self._least = 0 if drop_empty else 1
        self._parts: list[tuple[Ints, Floats, Ints, Ints]] = []
        self.count = 0

    def gather(
        self, rows: Iterator[tuple[int, Any]], most: int, columns: Callable[[list[Any]], Mapping[str, Sequence[Any]]]
    ) -> None:
        """Add rows until there are so many requests, some thousands at a time.

        Parameters
        ----------
        rows : iterator of (line, row)
        most : int
            Requests after which reading ends. [1]
        columns : callable
            Rows -> cells by column: prompt, output, and arrival and hash_ids where there are any.
        """
        while self.count < most and (chunk := list(itertools.islice(rows, min(_CHUNK, most - self.count)))):
            cells = columns([row for _, row in chunk])
            self.add(
                [line for line, _ in chunk],
                cells.get("arrival"),
                cells["prompt"],
                cells["output"],
                cells.get("hash_ids"),
            )

    def add(
        self,
        lines: Sequence[int],
        arrival: Sequence[Any] | None,
        prompt: Sequence[Any],
        output: Sequence[Any],
        hashes: Sequence[Any] | None,
    ) -> None:
        """Add rows as columns of cells.

        Parameters
        ----------
        lines : sequence of int
            Where each stands. [1]
        arrival, prompt, output, hashes : sequence
            Cells as the file has them; None for a column that it lacks.
        """
        prompts, outputs = _fast(prompt, 1), _fast(output, self._least)
        times = self._clock.many(arrival) if self._clock and arrival is not None else np.zeros(len(lines))
        good = np.array(lines, dtype=np.int64)
        if prompts is None or outputs is None or times is None:
            good, times, prompts, outputs, hashes = self._slow(lines, arrival, prompt, output, hashes)
        kept = np.flatnonzero(outputs > 0)
        if self._blocks is not None and hashes is not None:
            for i in kept.tolist():
                try:
                    self._blocks.add(hashes[i])
                except InputError as error:
                    self._faults.add(int(good[i]), str(error))
        self._parts.append((good[kept], times[kept], prompts[kept], outputs[kept]))
        self.count += len(kept)
        if self.count > MOST:
            self._faults.stop(
                int(good[-1]), f"more than {MOST:,} requests; cut the file into pieces, or read the first of it"
            )

    def _slow(
        self,
        lines: Sequence[int],
        arrival: Sequence[Any] | None,
        prompt: Sequence[Any],
        output: Sequence[Any],
        hashes: Sequence[Any] | None,
    ) -> tuple[Ints, Floats, Ints, Ints, Sequence[Any] | None]:
        """Row by row: the well-formed ones; the others are noted."""
        rows: list[tuple[int, float, int, int]] = []
        blocks: list[Any] = []
        hint = "; drop_empty leaves such requests out"
        for i, line in enumerate(lines):
            try:
                time = self._clock.one(arrival[i]) if self._clock and arrival is not None else 0.0
                rows.append((line, time, whole(prompt[i], "prompt"), whole(output[i], "output", self._least, hint)))
                blocks.append(hashes[i] if hashes is not None else None)
            except InputError as error:
                self._faults.add(line, str(error))
        numbers = np.array([(r[0], r[2], r[3]) for r in rows], dtype=np.int64).reshape(-1, 3)
        times = np.array([r[1] for r in rows], dtype=np.float64)
        return numbers[:, 0], times, numbers[:, 1], numbers[:, 2], blocks if hashes is not None else None

    def trace(self, sort: bool, hash_tokens: int, most: int) -> Trace:
        """Return what was gathered, after the checks that need all of it.

        Parameters
        ----------
        sort : bool
            Whether requests out of order are put in order of arrival, not refused.
        hash_tokens : int
            Tokens of a block. [tokens]
        most : int
            Requests that are kept, the first ones of the file. [1]

        Raises
        ------
        InputError
            For all faults so far, times that fall, or more blocks than a prompt can have.
        """
        self._faults.raise_any()
        if not self.count:
            raise InputError(
                f"{self._faults.name}: has no requests; one per line is needed after the header, if it has one"
            )
        lines, times, prompt, output = (np.concatenate(c)[:most] for c in zip(*self._parts, strict=True))
        hashes, first = (
            self._blocks.columns() if self._blocks is not None else (np.zeros(0, np.int64), np.zeros(0, np.int64))
        )
        hashes, first = picked(hashes, first, np.arange(len(lines)))
        if len(first):
            self._check_blocks(lines, prompt, np.diff(first), hash_tokens)
        falls = np.flatnonzero(np.diff(times) < 0)
        if len(falls) and not sort:
            i = int(falls[0])
            self._faults.stop(
                int(lines[i + 1]),
                f"arrives {times[i] - times[i + 1]:.9g} s before line {lines[i]}, which stands above it; times must not fall: "
                "sort the file by arrival (in Python: sort=True)",
            )
        order = np.argsort(times, kind="stable") if len(falls) else np.arange(len(times))
        times = self._clock.counted(times[order]) if self._clock else np.zeros(0)
        hashes, first = picked(hashes, first, order)
        return Trace(prompt[order], output[order], times, hashes, first, hash_tokens, line=lines[order])

    def _check_blocks(self, lines: Ints, prompt: Ints, counts: Ints, hash_tokens: int) -> None:
        bad = np.flatnonzero(counts > -(-prompt // hash_tokens))
        for i in bad[:1].tolist():
            most = -(-int(prompt[i]) // hash_tokens)
            self._faults.stop(
                int(lines[i]),
                f"{counts[i]} hash_ids for a prompt of {prompt[i]:,} tokens, which has at most {most} blocks of {hash_tokens}; "
                "hash_tokens says how large they are",
            )
