"""The lab: the lecture's systems run for real, small, and the program that ran audits the formulas that predicted it.

Networks are built from the same `Architecture` that plans read, at tiny widths, on JAX (the ``[lab]`` extra); XLA counts what
their compiled programs multiply, move, hold and send. For learning and for testing headway itself: nothing here is fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headway.lab.listing import listed, planned
from headway.models import Architecture
from headway.parallel import Layout

if TYPE_CHECKING:
    from headway.lab.findings import Audit, Demonstration
    from headway.lab.networks import Network


def tiny(name: str, layers: int = 2) -> Architecture:
    """Return a model's architecture at tiny widths, in 32-bit numbers (see `headway.lab.widths.tiny`).

    Parameters
    ----------
    name : str
        Of the catalogue, or the path of a ``config.json``.
    layers : int
        [layers]
    """
    from headway.lab.widths import tiny as narrowed

    return narrowed(name, layers)


def network(model: Architecture) -> Network:
    """Return the network of an architecture: random weights, prefill, prefill in chunks, decoding with a paged cache.

    Parameters
    ----------
    model : Architecture
        At tiny widths: see `tiny`.

    Raises
    ------
    InputError
        For a family that the lab does not run, and without JAX (the ``[lab]`` extra).
    """
    _ready()
    from headway.lab.networks import network as built

    return built(model)


def audit(
    name: str,
    layout: Layout | str = "tp1",
    *,
    mutation: str = "",
    phases: Sequence[str] = ("prefill", "chunk", "decode"),
) -> Audit:
    """Compile a model's passes under a layout, run them, and compare what was counted with the step (docs/lab.md).

    Parameters
    ----------
    name : str
        Of the catalogue, or the path of a ``config.json``.
    layout : Layout or str
        One way of cutting over 2, 4 or 8 chips: ``tp8``, ``dp8ep8``, ``dp4``, ``cp4``, ``pp2``.
    mutation : str
        What the program leaves out, to see that the audit notices: ``shared``, ``window`` or the name of a collective.
    phases : sequence of str
        Of ``prefill``, ``chunk`` (more of each prompt behind what is cached) and ``decode``.

    Raises
    ------
    InputError
        For models and layouts that the lab does not run, and without JAX (the ``[lab]`` extra).
    """
    from headway.parallel import read_layout

    chosen = read_layout(layout) if isinstance(layout, str) else layout
    _ready(min(chosen.chips, 8))  # larger ones are refused there
    from headway.lab.auditing import audit as audited

    return audited(name, chosen, mutation=mutation, phases=phases)


def demonstrate(name: str, model: str = "", **options: Any) -> Demonstration:
    """Run a system of the lecture by name or id (`listed`): ``decode`` (SYS-B2), ``experts`` (SYS-C1), ...

    Parameters
    ----------
    name : str
    model : str
        Whose tiny network runs; "" takes the system's own choice.
    options
        What only some systems take, as the verb's options (docs/lab.md).

    Raises
    ------
    InputError
        For a system that the lab does not have, and without JAX (the ``[lab]`` extra).
    """
    _ready()
    from headway.lab.demonstrations import demonstrate as shown

    return shown(name, model, **options)


def _ready(devices: int = 1) -> None:
    from headway.lab.needs import jax_with

    jax_with(devices)


__all__ = ["audit", "demonstrate", "listed", "network", "planned", "tiny"]
