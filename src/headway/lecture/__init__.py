"""The end-to-end reproducer (SYS-H6): from the lecture's inputs to every headline of it.

It only calls the closed forms of the other rooms and prints each result beside the lecture's value: it is the proof,
not a second implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from headway.lecture import lessons, serving
from headway.lecture.headline import Headline
from headway.lecture.inputs import Inputs, inputs

__all__ = ["Headline", "Inputs", "headlines", "inputs"]


def headlines(given: Inputs | None = None) -> list[Headline]:
    """Return every headline of the lecture, computed from `given` (the lecture's own inputs by default)."""
    chapters: tuple[Callable[[Inputs], Iterator[Headline]], ...] = (
        serving.batch, serving.trains, serving.context, serving.racks, serving.pipeline, serving.scale_up,
        lessons.life, lessons.prices, lessons.tiers,
    )  # fmt: skip
    i = given or Inputs()
    return [row for chapter in chapters for row in chapter(i)]
