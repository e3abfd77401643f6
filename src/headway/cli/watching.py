"""A long simulation on a terminal: how far it is, how fast, and what it has when it is interrupted."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from headway.cli.progress import Stages


class Watching:
    """Shows how many requests have ended; the first interrupt stops the simulation, the second everything.

    Attributes
    ----------
    stopped : bool
        It was interrupted.
    """

    def __init__(self, requests: int) -> None:
        self.stopped, self._requests, self._stages = False, requests, Stages()
        self._before: Any = None

    def __enter__(self) -> Watching:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True

    def __call__(self, share: float) -> bool:
        """Show how far it is; whether to stop."""
        self._stages.say("simulating", round(self._requests * share), self._requests)
        return self.stopped

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        self._stages.__exit__()
