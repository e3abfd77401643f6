"""Kinds: what a question is that predictions err on differently, so that its interval has a width of its own."""

from __future__ import annotations

import functools

from headway.hardware import Chip
from headway.models import Architecture
from headway.roofline import Profile, unpacks

_LONG = 4.0  # times the answer, from which a prompt is long


def kinds_of(model: Architecture, chip: Chip, prompt: float, output: float, evidence: Profile) -> tuple[str, ...]:
    """Return the kinds of a model on a chip: ``recurrent``, ``experts``, ``unpacked``, ``long prompt``, and a vendor's name.

    Parameters
    ----------
    model : Architecture
    chip : Chip
    prompt, output : float
        Of each request. [tokens]
    evidence : Profile
        Whose vendors are known; another one is outside the evidence instead.
    """
    found = {
        "recurrent": any(x.state is not None for x in model.layers),
        "experts": model.experts is not None,
        "unpacked": _unpacks(model, chip),
        "long prompt": prompt >= _LONG * max(output, 1.0),
        chip.vendor: chip.vendor in evidence.covers.get("vendors", ()),
    }
    return tuple(k for k, holds in found.items() if holds)


@functools.lru_cache(maxsize=1024)
def _unpacks(model: Architecture, chip: Chip) -> bool:
    """Whether 16-bit units multiply weights that are stored in fewer bits."""
    formats = {x.format for layer in model.layers for x in layer.linears}
    return any(unpacks(chip, f.chain, f.bytes) for f in formats)
