"""Files written whole: beside the target first, put in its place when all is there; a full disk or a kill costs nothing old."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

from headway.errors import InputError

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@contextlib.contextmanager
def replacing(target: Path, shown: str) -> Generator[Path]:
    """Give a path to write to, and put what is there in the target's place when the block ends well.

    Parameters
    ----------
    target : path
        An existing file keeps its mode; of a link the file that it points to is replaced.
    shown : str
        How messages name it.

    Raises
    ------
    InputError
        When it cannot be written; what was there before stays.
    """
    target = target.resolve()
    half: Path | None = None
    try:
        mode = target.stat().st_mode & 0o7777 if target.exists() else None
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=target.suffix[:20], dir=target.parent)
        os.close(handle)
        half = Path(name)
        yield half
        if mode is None:
            umask = os.umask(0)
            os.umask(umask)
            mode = 0o666 & ~umask
        half.chmod(mode)
        half.replace(target)
    except OSError as error:
        raise InputError(f"{shown}: cannot be written ({error.strerror})") from None
    finally:
        if half is not None:
            half.unlink(missing_ok=True)


def plain_cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: a text that starts like one gets an apostrophe before it; a number stays."""
    if not isinstance(value, str) or value[:1] not in _FORMULA:
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
