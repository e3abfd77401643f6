"""Tables of operating points: a dataclass of arrays of one length, whose rows are taken and joined together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, get_args, get_type_hints

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
        if not parts:
            return cls(
                **{name: np.zeros(0, get_args(get_args(kind)[1])[0]) for name, kind in get_type_hints(cls).items()}
            )
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in vars(parts[0])})

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
