"""How far each kind of price is to be believed: powers of likelihoods, chosen where open models' truths are most probable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from headway.economics.joint import Draws, draw, likelihoods, weights
from headway.economics.physics_of_prices import Machine
from headway.economics.price_fit import Fit, truth
from headway.economics.price_lists import PriceList

Array = NDArray[np.float64]
POWERS = (0.0, 0.5, 1.0)
JUDGED = ("active", "total", "kv")
_SAMPLES, _SEED = 6_000, 11
_ONE_SHAPE = 4  # price lists of one shape that are looked at, at the most


def trust(on: Machine, fit: Fit, lists: Sequence[PriceList], without: str = "") -> dict[str, float]:
    """Return the powers of the likelihoods of output and cached prices; input prices always count in full.

    Parameters
    ----------
    on : Machine
    fit : Fit
    lists : sequence of PriceList
        Of open models; those of the shape `without` are not looked at.
    without : str

    Notes
    -----
    Powers of 0, 1/2 and 1 are tried; the best are those under which the logarithms of the known truths have the largest
    normal density, every shape counting once. A price that does not follow its physics gets 0: it would move what it
    says nothing about, and narrow it. (Known as a power, or tempered, posterior.)
    """
    draws = draw(on, fit, _SAMPLES, _SEED)
    logs = np.log([draws.values[q] for q in JUDGED])
    shapes: dict[str, list[PriceList]] = {}
    for x in lists:
        if x.model and x.shape != without:
            shapes.setdefault(x.shape, []).append(x)
    scores = dict.fromkeys(product(POWERS, POWERS), 0.0)
    for mine in shapes.values():
        some = mine[:: max(1, -(-len(mine) // _ONE_SHAPE))]
        for x in some:
            said = likelihoods(x, fit, draws)
            known = np.log([getattr(truth(x.model), q) for q in JUDGED])
            for powers in scores:
                scores[powers] += _density(logs, known, said, powers, draws) / len(some)
    output, cached = max(scores, key=lambda p: (round(scores[p], 6), -sum(p)))
    return {"output": output, "cached": cached}


def _density(logs: Array, known: Array, said: Mapping[str, Array], powers: tuple[float, float], draws: Draws) -> float:
    """Normal log density of the truth's logarithms under samples weighted by tempered likelihoods."""
    w = weights(
        [said["input"], powers[0] * said["output"], powers[1] * said.get("cached", np.zeros(len(draws)))], len(draws)
    )
    mean = logs @ w
    variance = np.maximum(((logs - mean[:, None]) ** 2) @ w, 1e-4)
    return float(np.sum(-0.5 * np.log(variance) - (known - mean) ** 2 / (2 * variance)))
