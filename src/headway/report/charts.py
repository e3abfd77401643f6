"""Charts of characters on log axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Pair = tuple[float, float]


def log_chart(
    line: tuple[Sequence[float], Sequence[float]], points: tuple[Sequence[float], Sequence[float]], within: tuple[Pair, Pair],
    size: tuple[int, int], labels: tuple[str, str], ticks: tuple[Callable[[float], str], Callable[[float], str]],
    marker: str | None = None,
) -> list[str]:  # fmt: skip
    """Return the lines of a chart with a line and points.

    Parameters
    ----------
    line, points : (sequence, sequence)
        Decimal logarithms of x and y. [1]
    within : (pair, pair)
        Limits of the axes, as logarithms. [1]
    size : (int, int)
        [columns, lines]
    labels : (str, str)
        Of the axes.
    ticks : (callable, callable)
        From a value (no logarithm) to its text.
    marker : str or None
        Of the points; None for dots.
    """
    import plotille

    figure: Any = plotille.Figure()
    figure.width, figure.height = size
    figure.with_colors, figure.origin = False, False
    figure.set_x_limits(*within[0])
    figure.set_y_limits(*within[1])
    figure.plot(*line, interp="linear")
    figure.scatter(*points, marker=marker)
    figure.x_ticks_fkt, figure.y_ticks_fkt = map(_of_logarithm, ticks)
    figure.x_label, figure.y_label = labels
    return [line.rstrip() for line in str(figure.show()).split("\n")]


def _of_logarithm(to_text: Callable[[float], str]) -> Callable[[float, float], str]:
    def tick(low: float, _high: float) -> str:
        return to_text(10 ** float(low))

    return tick
