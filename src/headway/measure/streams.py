"""What a stream's pieces say: when the first token came, when each further, how many there were by the server's own count.

Chunks are not tokens: a server holds bytes back until a character is whole, puts several tokens into one, and ends with one
that is empty. So tokens are those of `usage`, spread evenly over the chunks that carry text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_DATA = b"data:"


class Piece(NamedTuple):
    """Bytes and when they came.

    Attributes
    ----------
    at : float
        [s]
    data : bytes
    """

    at: float
    data: bytes


@dataclass
class Collected:
    """Pieces of an answer as they came.

    Attributes
    ----------
    chat : bool
    most : int
        Tokens asked for. [tokens]
    pieces : list of Piece
    """

    chat: bool
    most: int
    pieces: list[Piece] = field(default_factory=list[Piece])


@dataclass(frozen=True)
class Stream:
    """An answer.

    Attributes
    ----------
    sent : float
        When it was asked for. [s]
    events : array
        When chunks with text came. [s]
    prompt, made, cached : float
        Tokens by the server's count: of the prompt, of the answer, of the prompt that it found cached; NaN where it does not say. [tokens]
    counted : str
        Where `made` is from: ``usage``, ``length`` (it ended at the number asked for) or ``chunks``.
    why : str
        Why it ended, as the server says.
    fault : str
        What the server said instead of an end.
    """

    sent: float
    events: Array
    prompt: float
    made: float
    cached: float
    counted: str
    why: str
    fault: str = ""

    @property
    def first(self) -> float:
        """When the first token came. [s]"""
        return float(self.events[0])

    @property
    def last(self) -> float:
        """When the last token came. [s]"""
        return float(self.events[-1])

    @property
    def per_event(self) -> float:
        """Tokens of a chunk with text, on average. [tokens]"""
        return self.made / len(self.events)


def events_of(pieces: list[Piece]) -> Iterator[tuple[float, bytes]]:
    """Yield server-sent events, each when its end came.

    Parameters
    ----------
    pieces : list of Piece
        The first is the moment of sending.
    """
    left = b""
    for at, data in pieces[1:]:
        lines = (left + data).split(b"\n")
        left = lines.pop()
        for line in lines:
            if line.startswith(_DATA):
                yield at, line[len(_DATA) :].strip()
    if left.startswith(_DATA) and pieces:
        yield pieces[-1].at, left[len(_DATA) :].strip()


def streamed(c: Collected) -> Stream:
    """Return what an answer's pieces say.

    Parameters
    ----------
    c : Collected
    """
    events: list[float] = []
    usage: dict[str, Any] = {}
    why, fault, ended, other = "", "", False, c.pieces[0].at
    for at, data in events_of(c.pieces):
        if data == b"[DONE]":
            ended = True
            continue
        try:
            body: Any = json.loads(data)
        except ValueError:
            fault = f"what came is no JSON: {data[:60].decode('utf-8', errors='replace')}"
            continue
        if not isinstance(body, dict):
            continue
        if body.get("error"):
            said = body["error"]
            fault = str(said.get("message", said) if isinstance(said, dict) else said)
        usage = body.get("usage") or usage
        for choice in body.get("choices") or ():
            if choice.get("finish_reason"):
                why, other = str(choice["finish_reason"]), at
            if _says(choice):
                events.append(at)
    if not why and not ended and not fault:
        fault = "it ended without an end (the server stopped in the middle)"
    times = np.array(events or [other])
    prompt, made, cached = _counts(usage)
    counted = "usage"
    if math.isnan(made) and why == "length":
        made, counted = float(c.most), "length"
    elif math.isnan(made):
        made, counted = float(len(times)), "chunks"
    return Stream(c.pieces[0].at, times, prompt, max(made, 1.0), cached, counted, why, fault)


def _says(choice: dict[str, Any]) -> bool:
    """Whether a chunk carries text: an answer's, or a thought's."""
    delta = choice.get("delta") or {}
    return bool(choice.get("text") or delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning"))


def _counts(usage: dict[str, Any]) -> tuple[float, float, float]:
    details = usage.get("prompt_tokens_details") or {}
    found = (usage.get("prompt_tokens"), usage.get("completion_tokens"), details.get("cached_tokens"))
    prompt, made, cached = (float(x) if isinstance(x, int | float) else float("nan") for x in found)
    return prompt, made, cached
