"""Bytes as tokens: what a token may follow so that text stays text, and what of it can be shown already."""

from __future__ import annotations

import codecs
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

END = 0  # the token that ends an answer: byte 0 stands in no text
TOKENS = 256


def encoded(text: str) -> list[int]:
    """Return a text's tokens: its bytes in UTF-8, those of the end token left out."""
    return [b for b in text.encode("utf-8", errors="replace") if b != END]


# Bytes that may follow the first of a character (Unicode 15, table 3-7): how many, and the range of the next.
_LEADS: tuple[tuple[int, int, int, int, int], ...] = (
    (0xC2, 0xDF, 1, 0x80, 0xBF), (0xE0, 0xE0, 2, 0xA0, 0xBF), (0xE1, 0xEC, 2, 0x80, 0xBF), (0xED, 0xED, 2, 0x80, 0x9F),
    (0xEE, 0xEF, 2, 0x80, 0xBF), (0xF0, 0xF0, 3, 0x90, 0xBF), (0xF1, 0xF3, 3, 0x80, 0xBF), (0xF4, 0xF4, 3, 0x80, 0x8F),
)  # fmt: skip


def state_after(state: tuple[int, int, int], token: int) -> tuple[int, int, int]:
    """Return what must follow: bytes until the character is whole, and the range of the next.

    Parameters
    ----------
    state : tuple of int
        Before the token; (0, 0, 0) between characters. [1]
    token : int
        [1]
    """
    if state[0] > 1:
        return state[0] - 1, 0x80, 0xBF
    if state[0] == 1:
        return 0, 0, 0
    return next(((more, low, high) for a, b, more, low, high in _LEADS if a <= token <= b), (0, 0, 0))


@functools.lru_cache(maxsize=64)
def allowed(state: tuple[int, int, int], left: int, ends: bool) -> NDArray[np.bool_]:
    """Return which tokens may come: those that keep the text valid UTF-8 without control characters. [tokens]

    Parameters
    ----------
    state : tuple of int
        As of `state_after`. [1]
    left : int
        Tokens that the answer may still have, up to 4: a character is begun only where it can be ended. [tokens]
    ends : bool
        Whether the end token may come.
    """
    found = np.zeros(TOKENS, dtype=np.bool_)
    if state[0]:
        found[state[1] : state[2] + 1] = True
        return found
    found[0x20:0x7F] = True
    found[[0x09, 0x0A]] = True
    for a, b, more, _, _ in _LEADS:
        found[a : b + 1] = more < left
    found[0xC2] = False  # would begin further control characters (U+0080 to U+009F)
    found[END] = ends
    return found


@dataclass(slots=True)
class Told:
    """An answer as text, token by token.

    Attributes
    ----------
    stops : tuple of str
        Texts at whose beginning the answer ends.
    state : tuple of int
        As of `state_after`. [1]
    text : str
        All that is certain.
    stopped : bool
        One of `stops` was met.
    """

    stops: tuple[str, ...] = ()
    state: tuple[int, int, int] = (0, 0, 0)
    text: str = ""
    stopped: bool = False
    _held: str = ""
    _bytes: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))

    def add(self, token: int) -> str:
        """Return what of the text has become certain: half a character, and what may be the beginning of a stop, are held back.

        Parameters
        ----------
        token : int
            [1]
        """
        self.state = state_after(self.state, token)
        if token != END:
            self._held += self._bytes.decode(bytes([token]))
        at = min((i for s in self.stops if (i := self._held.find(s)) >= 0), default=-1)
        if at >= 0:
            self.stopped = True
            return self._give(at)
        hold = max((n for s in self.stops for n in range(1, len(s)) if self._held.endswith(s[:n])), default=0)
        return self._give(len(self._held) - hold)

    def rest(self) -> str:
        """Return what was held back, once nothing more comes."""
        self._held += "" if self.stopped else self._bytes.decode(b"", True)
        return "" if self.stopped else self._give(len(self._held))

    def _give(self, size: int) -> str:
        new, self._held = self._held[:size], self._held[size:]
        self.text += new
        return new


def chat_prompt(messages: Sequence[tuple[str, str]]) -> str:
    """Return a conversation as one text, a line for each message and one that asks for the next.

    Parameters
    ----------
    messages : sequence of (str, str)
        Who says what.
    """
    return "".join(f"{who}: {what}\n" for who, what in messages) + "assistant: "
