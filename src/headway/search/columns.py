"""Tables of operating points: a dataclass of arrays of one length, whose rows are taken and joined together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T", bound="Columns")  # not `Self`: run-time checks of methods do not know it


class Columns:
    """Arrays of one length; a base of frozen dataclasses whose every field is such an array."""

    def __len__(self) -> int:
        return len(next(iter(vars(self).values())))

    def take(self: T, chosen: Any) -> T:
        """Return some of the rows.

        Parameters
        ----------
        chosen : array of int or bool, or slice
        """
        return type(self)(**{k: v[chosen] for k, v in vars(self).items()})

    @classmethod
    def joined(cls: type[T], parts: Sequence[T]) -> T:
        """Return the rows of several tables as one; of none, an empty table."""
        names = [f.name for f in dataclasses.fields(cls)]  # pyright: ignore[reportArgumentType] - subclasses are dataclasses
        if not parts:
            return cls(**{n: np.zeros(0, dtype=np.intp if n.endswith("layout") else float) for n in names})
        return cls(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})

    @classmethod
    def spread(cls: type[T], shape: tuple[int, ...], rows: dict[str, Any]) -> T:
        """Return a table of values that broadcast to a shape, row after row.

        Parameters
        ----------
        shape : tuple of int
            Shape that the values broadcast to. [1]
        rows : dict
            Values by name of the column.
        """
        return cls(**{k: np.broadcast_to(v, shape).reshape(-1) for k, v in rows.items()})
