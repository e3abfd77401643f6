"""Larger, smaller and root of numbers or arrays: plain arithmetic on plain numbers, NumPy on arrays.

One formula serves a scalar call in microseconds and a sweep of millions: NumPy's functions take ten times as long as
Python's own arithmetic on a single float.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

Real = Any  # a float or a NumPy array; everything broadcasts
_PLAIN = (float, int, np.float64)


def plain(value: Real) -> bool:
    """Return whether a value is a single number.

    Parameters
    ----------
    value : float or array
        Of any unit. [any]
    """
    return value.__class__ in _PLAIN


def larger(a: Real, b: Real) -> Real:
    """Return the larger of two, element by element.

    Parameters
    ----------
    a, b : float or array
        Both of one unit. [any]
    """
    if a.__class__ in _PLAIN and b.__class__ in _PLAIN:
        return a if a >= b else b
    return np.maximum(a, b)


def smaller(a: Real, b: Real) -> Real:
    """Return the smaller of two, element by element.

    Parameters
    ----------
    a, b : float or array
        Both of one unit. [any]
    """
    if a.__class__ in _PLAIN and b.__class__ in _PLAIN:
        return a if a <= b else b
    return np.minimum(a, b)


def where(condition: Any, a: Real, b: Real) -> Real:
    """Return the first where a condition holds, else the second, element by element.

    Parameters
    ----------
    condition : bool or array
        [1]
    a, b : float or array
        Both of one unit. [any]
    """
    if condition.__class__ in (bool, np.bool_):
        return a if condition else b
    return np.where(condition, a, b)


def excess(a: Real, b: Real) -> Real:
    """Return by how much one number lies above another: 0 below it, and where both are infinite.

    Parameters
    ----------
    a, b : float or array
        Both of one unit. [any]
    """
    if plain(a) and plain(b):
        return a - b if a > b else 0.0
    with np.errstate(invalid="ignore"):
        return np.where(np.asarray(a) > b, np.asarray(a) - b, 0.0)


def finite(value: float) -> float | None:
    """Return a number, or None where it has no finite value: JSON has no infinities.

    Parameters
    ----------
    value : float
        Of any unit; NaN counts as not finite. [any]
    """
    return float(value) if math.isfinite(value) else None


def root(a: Real) -> Real:
    """Return the square root.

    Parameters
    ----------
    a : float or array
        Zero or more. [any]
    """
    return math.sqrt(a) if a.__class__ in _PLAIN else np.sqrt(a)


def number(value: Real) -> Real:
    """Return a single number as a plain float, an array as it is.

    Parameters
    ----------
    value : float or array
        Of any unit. [any]
    """
    return float(value) if plain(value) or np.ndim(value) == 0 else value


def some(value: Real) -> bool:
    """Return whether anything of a number or an array is not 0.

    Parameters
    ----------
    value : float or array
        Of any unit. [any]
    """
    return value != 0 if plain(value) else bool(np.any(value))


@functools.cache
def student(share: float, freedom: int) -> float:
    """Return the quantile of Student's t: what stands in for the normal one where the spread is known from a few values only.

    Parameters
    ----------
    share : float
        Of the law that lies below, at least a half and below 1. [share]
    freedom : int
        Degrees of freedom, at least 1. [1]

    Notes
    -----
    With t = sqrt(v) tan(a) the density becomes cos(a)^(v-1) up to a factor: smooth, over a finite angle.
    """
    factor = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    angles, weights = np.polynomial.legendre.leggauss(64)
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        below = 0.5 + factor * middle / 2 * float(weights @ np.cos(middle / 2 * (angles + 1)) ** (freedom - 1))
        low, high = (middle, high) if below < share else (low, middle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)
