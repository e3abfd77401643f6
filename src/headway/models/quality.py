"""Sparsity against quality: the routed scaling law of Clark et al. 2022 (lecture 1.7, SYS-A11). Logarithms are base 10."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.catalog import catalogue
from headway.errors import unknown

Real = Any  # a float or a NumPy array; everything broadcasts


@dataclass(frozen=True, slots=True)
class RoutedLaw:
    """Coefficients of log L = a log N + b log E^ + c log N log E^ + d, with saturation limits of E."""

    a: float
    b: float
    c: float
    d: float
    start: float
    most: float


def routed_law(router: str = "S-BASE") -> RoutedLaw:
    """Return the published coefficients for a router: ``S-BASE``, ``RL-R`` or ``HASH``."""
    table = catalogue().table("routed_laws")
    for row in table.rows:
        if row["router"].lower() == router.lower():
            return RoutedLaw(*(float(row[k]) for k in ("a", "b", "c", "d", "e_start", "e_max")))
    raise unknown("router", router, [r["router"] for r in table.rows])


def saturated_experts(experts: Real, law: RoutedLaw) -> Real:
    """Return E^, the expert count after saturation: 1/E^ = 1/(E - 1 + 1/(1/Es - 1/Em)) + 1/Em.

    Parameters
    ----------
    experts : float or array
        E. [experts]
    law : RoutedLaw
        Has the limits Es and Em.
    """
    return 1 / (1 / (experts - 1 + 1 / (1 / law.start - 1 / law.most)) + 1 / law.most)


def effective_dense_parameters(n_dense: Real, experts: Real, router: str = "S-BASE") -> Real:
    """Return the dense model size with the loss of a routed model of base size `n_dense` and `experts` experts.

    Parameters
    ----------
    n_dense : float or array
        Parameters of the base (active) model. [parameters]
    experts : int or array
        E; 1 returns `n_dense`. [experts]
    router : str
        Which routing method's coefficients.

    Notes
    -----
    Clark et al. 2022, "Unified scaling laws for routed language models" (arXiv 2202.01169). Equal loss is taken
    against the same law at E = 1. Older MoE designs: fine-grained experts differ.
    """
    law = routed_law(router)
    e, one = np.log10(saturated_experts(experts, law)), np.log10(saturated_experts(1.0, law))
    n = np.log10(n_dense)
    loss = law.a * n + law.b * e + law.c * n * e
    return 10 ** ((loss - law.b * one) / (law.a + law.c * one))
