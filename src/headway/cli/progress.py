"""How far a long computation is, on the terminal's error stream."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


class Bar:
    """A progress bar on a terminal; silent elsewhere. Text only: it must cost nothing."""

    def __init__(self, what: str) -> None:
        self.what, self.shown = what, sys.stderr.isatty()

    def __call__(self, done: int, of: int | None = None, label: str = "") -> None:
        """Show how far it is, and what was done last; a whole bar without a label stays."""
        if not self.shown:
            return
        if of:
            full = round(30 * done / of)
            text = f"{self.what} [{'=' * full}{' ' * (30 - full)}] {done}/{of} {label}".strip()
        else:
            text = f"{self.what} {done:,}"
        end = "\n" if of and done == of and not label else ""
        print(f"\r\033[K{text}", end=end, file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the line."""
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


class Progress:
    """A bar that counts by itself, appears once a second has passed, and goes when all is done."""

    def __init__(self, total: int, what: str = "") -> None:
        self.bar, self.total, self.done, self.drawn = Bar(what), total, 0, False
        self.start = time.monotonic()

    def __enter__(self) -> Callable[[str], None]:
        return self.say

    def say(self, label: str) -> None:
        """Take note of one more thing done, by its name."""
        self.done += 1
        if time.monotonic() - self.start > 1.0:
            self.bar(self.done, self.total, label[:50])
            self.drawn = True

    def __exit__(self, *_: object) -> None:
        if self.drawn:
            self.bar.close()
