"""A long simulation on a terminal: how far it is, how fast, and what it has when it is interrupted."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

from headway import units
from headway.cli.progress import Bar


class Watching:
    """Shows the share of requests that have ended; the first interrupt stops the simulation, the second everything.

    Attributes
    ----------
    stopped : bool
        It was interrupted.
    """

    def __init__(self) -> None:
        self.stopped, self._before = False, None
        self._bar, self._begin, self._drawn, self._share = Bar("simulating"), time.monotonic(), 0.0, 0.0

    def __enter__(self) -> Watching:
        if threading.current_thread() is threading.main_thread():
            self._before: Any = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True

    def __call__(self, share: float) -> bool:
        """Show how far it is; whether to stop."""
        self._share = share
        passed = time.monotonic() - self._begin
        if passed > 1 and passed > self._drawn + 0.2:
            self._drawn = passed
            left = f"{units.seconds(passed * (1 - share) / share)} left" if share > 0 else ""
            self._bar(round(1000 * share), 1000, left)
        return self.stopped

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if self._drawn:
            self._bar.close()
