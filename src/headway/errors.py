"""One error family. Every message is one line: what was wrong, where it came from, what would be accepted."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class HeadwayError(Exception):
    """Base of all errors that headway raises on purpose. `exit_code` is the command line's exit status."""

    exit_code = 2


class InputError(HeadwayError):
    """The question was malformed: an unknown name, an unreadable quantity, a broken file (exit code 2)."""


class PhysicsError(HeadwayError):
    """The question is well formed and physics says no: it does not fit, or has no solution (exit code 3)."""

    exit_code = 3


class LostWorkerError(HeadwayError):
    """Workers died (killed, out of memory); what had finished is kept (exit code 1)."""

    exit_code = 1


class InterruptedRunError(HeadwayError):
    """Somebody interrupted a run; what it had by then was given (exit code 130)."""

    exit_code = 130


_MOST_QUOTED = 80
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def visible(text: str) -> str:
    """Return a text without the characters that would move a terminal's cursor: each becomes a question mark."""
    return _CONTROL.sub("?", text)


_LONG_WORD = re.compile(rf"\S{{{_MOST_QUOTED + 1},}}")


def shortened(text: str) -> str:
    """Return an error line whose longest words keep their two ends only: who typed a thousand letters knows the rest."""
    half = (_MOST_QUOTED - 4) // 2
    return _LONG_WORD.sub(lambda m: f"{m[0][:half]}...{m[0][-half:]}", text)


def quoted(value: object) -> str:
    """Return how a value is shown in an error line: its repr, 80 characters at the most."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return f"a number of about {value.bit_length() * 0.30103:,.0f} digits"
    text = repr(value[:200] if isinstance(value, str | list | tuple) else value)
    return text if len(text) <= _MOST_QUOTED else f"{text[: _MOST_QUOTED - 3]}..."


def worded(value: object, what: str, example: str) -> str:
    """Return a value that must be text.

    Raises
    ------
    InputError
        When it is none.
    """
    if not isinstance(value, str):
        raise InputError(f"{what} is {quoted(value)}; it must be text, like {example}")
    return value


def near_misses(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Return the entries of `known` that look like `name`, best first.

    Parameters
    ----------
    name : str
    known : iterable of str
    most : int
        Entries returned at the most. [1]
    """
    by_key = {_squash(k): k for k in known}
    key = _squash(name)
    close = difflib.get_close_matches(key, by_key, n=most, cutoff=0.6)
    inside = sorted((k for k in by_key if key and key in k and k not in close), key=len)
    return [by_key[k] for k in (close + inside)[:most]]


def slips(name: str, known: Iterable[str]) -> list[str]:
    """Return the entries of `known` that are `name` but for a slip of the keyboard: as long, nearly the same letters, the first too.

    The first may have changed places with the second, or another may stand before it.
    """
    near = [k for k in known if k and name and (k[0] in name[:2] or name[0] in k[:2]) and abs(len(k) - len(name)) <= 1]
    return difflib.get_close_matches(name, near, 1, 0.8)


def unknown(what: str, name: str, known: Iterable[str], listing: str = "") -> InputError:
    """Build the error for a name that is not known, with the nearest names that are."""
    close = near_misses(name, known)
    hint = f"did you mean {' or '.join(close)}?" if close else "nothing has a similar name."
    return InputError(f"unknown {what} {quoted(name)}: {hint}{' ' + listing if listing else ''}")


def _squash(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def seeded(seed: int) -> int:
    """Return a seed that random numbers can be drawn with.

    Parameters
    ----------
    seed : int
        [1]

    Raises
    ------
    InputError
        Below 0.
    """
    if isinstance(seed, bool) or seed < 0:
        raise InputError(f"seed: {quoted(seed)}; a whole number of at least 0 is needed")
    return seed
