"""How far a long computation is, on the terminal's error stream."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Generator
from contextvars import ContextVar

Told = Callable[[str, int, int | None], None]
_listening: ContextVar[Told | None] = ContextVar("progress", default=None)


@contextlib.contextmanager
def told(listener: Told) -> Generator[None]:
    """Tell `listener` how far computations in this block are: what, how much is done, and of how much."""
    token = _listening.set(listener)
    try:
        yield
    finally:
        _listening.reset(token)


class Bar:
    """A progress bar on a terminal; silent elsewhere. Text only: it must cost nothing."""

    def __init__(self, what: str) -> None:
        self.what, self.shown = what, sys.stderr.isatty()

    def __call__(self, done: int, of: int | None = None, label: str = "") -> None:
        """Show how far it is, and what was done last; a whole bar without a label stays."""
        listener = _listening.get()
        if listener is not None:
            listener(f"{self.what} {label}".strip(), done, of)
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
    """A bar that counts by itself, with its rate and the time left; it appears once a second has passed, and goes when all is done."""

    def __init__(self, total: int, what: str = "") -> None:
        self.bar, self.total, self.done, self.drawn = Bar(what), total, 0, False
        self.start = time.monotonic()

    def __enter__(self) -> Callable[[str], None]:
        return self.say

    def say(self, label: str) -> None:
        """Take note of one more thing done, by its name."""
        self.done += 1
        if time.monotonic() - self.start > 1.0:
            self.bar(self.done, self.total, f"{self.pace} {label[:50]}".rstrip())
            self.drawn = True

    @property
    def pace(self) -> str:
        """How many a second, and how long the rest takes at that."""
        each = (time.monotonic() - self.start) / self.done
        return f"{1 / each:.3g}/s, {each * (self.total - self.done):,.0f} s left"

    def __exit__(self, *_: object) -> None:
        if self.drawn:
            self.bar.close()


class Stages:
    """A bar for a computation that names its stages as it comes to them, each with a number of things to do."""

    def __init__(self) -> None:
        self.name, self.now = "", Progress(1)

    def __enter__(self) -> Callable[[str, int, int], None]:
        return self.say

    def say(self, what: str, done: int, of: int) -> None:
        """Take note of how far a stage is."""
        if what != self.name or done < self.now.done or of != self.now.total:
            self.__exit__()
            self.name, self.now = what, Progress(of, what)
        if done > self.now.done:
            self.now.done = done - 1
            self.now.say("")

    def __exit__(self, *_: object) -> None:
        self.now.__exit__()
