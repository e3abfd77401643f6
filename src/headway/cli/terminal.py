"""Text fitted to the terminal: long remarks are wrapped under themselves, and of a wide table its widest texts."""

from __future__ import annotations

import re
import sys
import textwrap

from headway.tables import columns, numeric

_RULE = re.compile(r"-+(?:  -+)*")
_CHART = re.compile(r"[\u2800-\u28ff]|^.{0,14}\|")
_NARROWEST = 9  # columns of a text in a table
_LONGEST_WORD = 24  # columns; longer ones are broken
_BRAILLE = {n: " " if n == 0x2800 else "*" for n in range(0x2800, 0x2900)}
_SIGNS = {"µ": "u", "—": "-", "–": "-", "·": ".", "…": "...", "≥": ">=", "≤": "<=", "×": "x"}
_PLAIN: dict[int, str] = {**_BRAILLE, **{ord(sign): text for sign, text in _SIGNS.items()}}


def show(text: str) -> None:
    """Print a text, fitted to the terminal where there is one (or to COLUMNS); as it is into a file or a pipe."""
    wide = columns()
    text = fitted(text, wide) if wide else text
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a terminal of ASCII gets a chart of ASCII
        text = text.translate(_PLAIN)
    print(text)


def fitted(text: str, wide: int) -> str:
    """Return a text with no line wider than the terminal, charts aside; a word that is wider is broken.

    Parameters
    ----------
    text : str
    wide : int
        Of the terminal. [columns]
    """
    lines = text.split("\n")
    out: list[str] = []
    i = 0
    while i < len(lines):
        if i + 1 < len(lines) and lines[i] and _RULE.fullmatch(lines[i + 1]):
            end = i + 2
            while end < len(lines) and lines[end]:
                end += 1
            out += _table(lines[i:end], wide) if max(map(len, lines[i:end])) > wide else lines[i:end]
            i = end
        else:
            out += _wrapped(lines[i], wide)
            i += 1
    return "\n".join(out)


def _wrapped(line: str, wide: int) -> list[str]:
    """Wrap a line under its last column (after two spaces), or under its own start."""
    if len(line) <= wide or _CHART.search(line):
        return [line]
    starts = [m.end() for m in re.finditer(r"\S {2,}(?=\S)", line[: wide * 2 // 3])]
    indent = starts[-1] if starts else len(line) - len(line.lstrip()) + 2
    first = textwrap.wrap(line[indent:], wide - indent, break_long_words=True) if starts else []
    if first:
        return [line[:indent] + first[0], *(" " * indent + x for x in first[1:])]
    return textwrap.wrap(line, wide, subsequent_indent=" " * indent, break_long_words=True, drop_whitespace=True)


def _table(lines: list[str], wide: int) -> list[str]:
    """Set a table anew with its widest texts wrapped; a line beyond the columns (a note) stays a line."""
    spans = [m.span() for m in re.finditer(r"-+", lines[1])]
    ends = [b + 2 for _, b in spans[:-1]]
    table = [line for n, line in enumerate(lines) if n != 1 and (len(spans) == 1 or _fits(line, spans))]
    notes = [line for n, line in enumerate(lines) if n != 1 and line not in table]
    cells = [[line[a:b].strip() for a, b in zip([0, *ends], [*ends, None], strict=True)] for line in table]
    out = [line for block in _blocks(cells, wide) for line in [*_block(block, wide), ""]][:-1]
    return [*out, *(x for line in notes for x in _wrapped(line, wide))]


def _blocks(cells: list[list[str]], wide: int) -> list[list[list[str]]]:
    """Split a table of too many columns into tables that each have its first one."""
    least = _least(cells)
    groups: list[list[int]] = [[]]
    for i in range(1, len(least)):
        taken = least[0] + sum(least[k] + 2 for k in groups[-1])
        if groups[-1] and taken + least[i] + 2 > wide:
            groups.append([])
        groups[-1].append(i)
    return [[[row[0], *(row[i] for i in chosen)] for row in cells] for chosen in groups]


def _block(cells: list[list[str]], wide: int) -> list[str]:
    widths = _widths(cells, wide)
    out: list[str] = []
    for number, row in enumerate(cells):
        parts = [textwrap.wrap(c, w) or [""] for c, w in zip(row, widths, strict=True)]
        for k in range(max(map(len, parts))):
            texts = [p[k] if k < len(p) else "" for p in parts]
            out.append(
                "  ".join(
                    _set(t, w, number > 0 and len(p) == 1) for t, w, p in zip(texts, widths, parts, strict=True)
                ).rstrip()
            )
        if number == 0:
            out.append("  ".join("-" * w for w in widths))
    return out


def _fits(line: str, spans: list[tuple[int, int]]) -> bool:
    """Whether a line keeps to a table's columns: blank between them."""
    return all(line[b : b + 2].strip() == "" for _, b in spans[:-1])


def _widths(cells: list[list[str]], wide: int) -> list[int]:
    widths, least = _natural(cells), _least(cells)
    room = wide - 2 * (len(widths) - 1)
    while sum(widths) > room:
        over = [w - m for w, m in zip(widths, least, strict=True)]
        if max(over) <= 0:
            break
        widths[max(range(len(widths)), key=lambda i: widths[i] if over[i] > 0 else -1)] -= 1
    return widths


def _natural(cells: list[list[str]]) -> list[int]:
    return [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]


def _least(cells: list[list[str]]) -> list[int]:
    """The narrowest that each column can be: its longest word, or some columns of a text."""
    words = [max((len(x) for row in cells for x in row[i].split()), default=1) for i in range(len(cells[0]))]
    return [min(w, max(_NARROWEST, min(x, _LONGEST_WORD))) for w, x in zip(_natural(cells), words, strict=True)]


def _set(text: str, width: int, numbers: bool) -> str:
    return text.rjust(width) if numbers and numeric(text) else text.ljust(width)
