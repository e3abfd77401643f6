"""What the server gives at the most: processes, seconds, memory, sizes."""

from __future__ import annotations

from dataclasses import dataclass

MOST_BODY = 1_000_000  # bytes of a request; a config.json is some kB
MOST_POINTS = 1_000  # of a curve: more are not seen on a screen
MOST_TEXT = 400  # characters of a field
MOST_NUMBERS = 40  # of an equation


@dataclass(frozen=True)
class Limits:
    """What the server gives at the most.

    Attributes
    ----------
    workers : int
        Processes for short questions, and as many for long ones. [processes]
    waiting : int
        Long questions that wait for one; four times as many short ones. [questions]
    short, long : float
        Time of a question, from when a process takes it. [s]
    memory : float
        Address space of a process; 0 for no limit. [bytes]
    """

    workers: int = 2
    waiting: int = 8
    short: float = 20.0
    long: float = 300.0
    memory: float = 4e9
