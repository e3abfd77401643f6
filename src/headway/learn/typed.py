"""Questions to equations as they are typed after `headway ask`."""

from __future__ import annotations

import shlex
from typing import Any

from headway.equations import Asked, ask

_OPTIONS = {
    "--model": "model",
    "--on": "system",
    "--precision": "precision",
    "--kv-bytes": "kv_bytes",
    "--sweep": "sweep",
}


def options(text: str) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Return a question's equation, numbers and options.

    Parameters
    ----------
    text : str
        ``E5 active=37B total=671B --on h200x8``
    """
    words = shlex.split(text)
    found: dict[str, Any] = {}
    while at := next((i for i, w in enumerate(words) if w in _OPTIONS), 0):
        found[_OPTIONS[words[at]]] = words[at + 1]
        del words[at : at + 2]
    return words[0], dict(w.split("=", 1) for w in words[1:]), found


def typed(text: str) -> Asked:
    """Return what the library answers.

    Parameters
    ----------
    text : str
        ``E5 active=37B total=671B --on h200x8``
    """
    equation, numbers, found = options(text)
    return ask(equation, numbers, **found)
