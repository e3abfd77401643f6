"""How far a long computation is, on the terminal's error stream."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


class Progress:
    """A bar that appears once a second has passed, and goes when all is done. Nothing where no terminal is."""

    def __init__(self, total: int, what: str = "") -> None:
        self.total, self.what, self.done = total, what, 0
        self.start, self.shown = time.monotonic(), False

    def __enter__(self) -> Callable[[str], None]:
        return self.say

    def say(self, label: str) -> None:
        """Take note of one more thing done (or begun), by its name."""
        self.done += 1
        if sys.stderr.isatty() and time.monotonic() - self.start > 1.0:
            filled = round(24 * self.done / max(self.total, 1))
            bar = "#" * filled + "." * (24 - filled)
            sys.stderr.write(f"\r\x1b[K[{bar}] {self.done}/{self.total} {self.what} {label[:50]}".rstrip())
            sys.stderr.flush()
            self.shown = True

    def __exit__(self, *_: object) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
