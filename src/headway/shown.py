"""How answers show themselves: as data, in one line, and in a notebook. Rooms above render; they are named here, not imported."""

from __future__ import annotations

import html
import importlib
from typing import Any, ClassVar


class Shown:
    """An answer that a user holds: `to_dict`, a short `repr`, HTML in notebooks.

    Attributes
    ----------
    RECORD, TEXT : str
        Functions that make plain data and text of it, as ``module:name``.
    """

    __slots__ = ()
    RECORD: ClassVar[str] = ""
    TEXT: ClassVar[str] = ""

    def brief(self) -> str:
        """Return what it says, in one line."""
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data: what ``--json`` prints (docs/json.md). SI units, names that end in the unit."""
        return _called(self.RECORD, self)

    def text(self) -> str:
        """Return it as the command line prints it."""
        return _called(self.TEXT, self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.brief()}>"

    def _repr_html_(self) -> str:
        return f"<details open><summary>{html.escape(self.brief())}</summary><pre>{html.escape(self.text())}</pre></details>"


def _called(place: str, answer: Any) -> Any:
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)(answer)
