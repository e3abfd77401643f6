"""JSON records one after another: JSON lines, or the elements of one list, whatever their number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from headway.errors import quoted
from headway.simulation.traffic.lines import LONGEST_LINE, Text

_PIECE = 1_000_000  # characters read at once
_SPACE = " \t\r\n"

Record = dict[str, Any]


def records(text: Text, first: str) -> Iterator[tuple[int, Record]]:
    """Yield records with the lines that they begin on; what is no record is noted in the text's faults.

    Parameters
    ----------
    text : Text
        Open behind its first line.
    first : str
        That line, which begins with ``{`` or ``[``.
    """
    found = _elements(text, first) if first.lstrip().startswith("[") else _lines(text, first)
    for line, record in found:
        if isinstance(record, dict):
            yield line, record
        else:
            text.faults.add(line, f"{quoted(record)} is no JSON object; one per request is needed, like {{...}}")


def _lines(text: Text, first: str) -> Iterator[tuple[int, Any]]:
    decode = json.JSONDecoder().decode  # json.loads without its checks of what it was given
    for content in text.lines(first):
        line = text.line
        if content.isspace():
            continue
        try:
            found = decode(content)
        except (ValueError, RecursionError) as error:
            text.faults.add(line, f"not JSON: {_why(error)}; one object per line is needed")
            continue
        yield line, found


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.colno}"
    return "nested too deep" if isinstance(error, RecursionError) else "a number of too many digits"


def _elements(text: Text, first: str) -> Iterator[tuple[int, Any]]:
    """Elements of a list that need not fit in memory: each is read when it is complete in the piece at hand."""
    decoder = json.JSONDecoder()
    piece, line, ended = first, text.line, False
    place = piece.index("[") + 1
    line += piece.count("\n", 0, place)
    wanted = _PIECE
    while True:
        after = _skipped(piece, place)
        line += piece.count("\n", place, after)
        place = after
        if place < len(piece) and piece[place] == "]":
            return
        error: Exception | None = None
        if place < len(piece):
            try:
                found, end = decoder.raw_decode(piece, place)
            except (ValueError, RecursionError) as caught:
                error = caught
            else:
                yield line, found
                line += piece.count("\n", place, end)
                place, wanted = end, _PIECE
                continue
        if isinstance(error, RecursionError) or len(piece) - place > LONGEST_LINE:
            text.faults.stop(line, f"an element is nested too deep, or has more than {LONGEST_LINE:,} characters")
        more = "" if ended else text.read(wanted)
        ended = not more
        if ended:
            why = f"not JSON: {_why(error)}" if error else "the list is not closed by ]"
            text.faults.stop(line, f"{why}; a list of objects is needed")
        piece, place, wanted = piece[place:] + more, 0, wanted * 2


def _skipped(piece: str, place: int) -> int:
    while place < len(piece) and (piece[place] in _SPACE or piece[place] == ","):
        place += 1
    return place
