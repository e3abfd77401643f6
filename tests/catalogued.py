"""The catalogue's models, chips and formats, loaded once for parametrised and property tests."""

from __future__ import annotations

import dataclasses
import functools

from hypothesis import strategies as st

from headway.catalog import catalogue
from headway.hardware import chip, chips
from headway.models import model
from headway.parallel import build_step, candidates


def model_ids():
    return [r["id"] for r in catalogue().table("models").rows]


@functools.cache
def load(name):
    return model(name)


@functools.cache
def steps_of(name, most=8):
    arch = load(name)
    return [(layout, build_step(arch, layout)) for layout in candidates(arch, most)]


def usable_chips():
    """Chips with a 16-bit rate and a link (most layouts send something)."""
    return [c for c in chips() if c.bf16 and c.link]


MODELS = st.sampled_from(model_ids())
CHIPS = st.sampled_from([c.name for c in usable_chips()])
BATCHES = st.floats(1, 1e5)
CONTEXTS = st.floats(0, 1e6)


@functools.cache
def wired(name):
    """Return a chip with a scale-out network, the link's own speed where the catalogue knows none."""
    c = chip(name)
    return dataclasses.replace(c, scale_out=c.scale_out or c.link)
