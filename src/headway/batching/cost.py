"""Cost per token against batch (lecture E4): what a pass costs, divided by the tokens it makes."""

from __future__ import annotations

from typing import Any

Real = Any  # a float or a NumPy array; everything broadcasts


def cost_per_token(step_seconds: Real, tokens: Real, chips: Real, dollars_per_chip_second: Real) -> Real:
    """Return dollars per token: (t/B) x rental (lecture E4, SYS-A5).

    Parameters
    ----------
    step_seconds : float or array
        Time of the pass. [s]
    tokens : float or array
        Tokens that the pass makes (or reads, for prefill). [tokens]
    chips : float or array
        Chips rented. [chips]
    dollars_per_chip_second : float or array
        A price per hour divided by 3600. [$/s per chip]
    """
    return step_seconds * chips * dollars_per_chip_second / tokens


def per_million(dollars: Real) -> Real:
    """Return dollars per million tokens.

    Parameters
    ----------
    dollars : float or array
        Cost of one token. [$/token]
    """
    return dollars * 1e6
