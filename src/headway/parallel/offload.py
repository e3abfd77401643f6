"""Offload: what of a model stays on the chips, and what lies in the host's memory and runs on its processor."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from headway.models import Architecture, kv_bytes_stored
from headway.models.parts import Layer
from headway.parallel.layout import AnyLayout, Layout, candidates


class Places(NamedTuple):
    """A model's layers by where they lie; a layer whose experts alone are on the host is in both, in parts.

    Attributes
    ----------
    chip : Architecture
        With the layers, or what is left of them, that the chips keep.
    host : tuple of Layer
        What lies on the host.
    crossings : int
        Times that a token's residual goes from one to the other in a pass. [1]
    """

    chip: Architecture
    host: tuple[Layer, ...]
    crossings: int


def places(model: Architecture, layout: AnyLayout) -> Places:
    """Return what of a model lies where: its first layers, or the experts of its first MoE layers, on the host.

    Parameters
    ----------
    model : Architecture
    layout : Layout or LayoutColumns

    Notes
    -----
    Layers are counted as llama.cpp counts them (``--n-gpu-layers`` leaves the first ones to the processor, ``--n-cpu-moe``
    the experts of the first ones), layers without experts not counted among the latter.
    """
    return _places(model, layout.cpu_layers, layout.cpu_experts) if layout.offloads else Places(model, (), 0)


@functools.lru_cache(maxsize=512)
def _places(model: Architecture, layers: int, experts: int) -> Places:
    whole, parted = [0] * len(model.layers), [0] * len(model.layers)
    routed = 0
    for number, kind in enumerate(model.order):
        if model.layers[kind].experts is not None:
            routed += 1
        if number < layers:
            whole[kind] += 1
        elif model.layers[kind].experts is not None and routed <= experts:
            parted[kind] += 1
    chip: list[Layer] = []
    host: list[Layer] = []
    for layer, away, part in zip(model.layers, whole, parted, strict=True):
        if away:
            host.append(replace(layer, count=away))
        if part:
            matrices, rest = _parted(layer)
            host.append(replace(matrices, count=part))
            chip.append(replace(rest, count=part))
        if layer.count > away + part:
            chip.append(replace(layer, count=layer.count - away - part))
    crossings = 2 * sum(parted) + (1 if layers else 0)  # experts: there and back; layers: once, after the last of them
    return Places(replace(model, layers=tuple(chip), order=()), tuple(host), crossings)


def _parted(layer: Layer) -> tuple[Layer, Layer]:
    """A layer's routed experts, and the rest of it."""
    routed = tuple(m for m in layer.linears if m.role == "expert")
    kept = tuple(m for m in layer.linears if m.role != "expert")
    return (
        replace(layer, linears=routed, attends=(), state=None, vector_parameters=0),
        replace(layer, linears=kept, experts=None),
    )


def least_offload(model: Architecture, layout: Layout, fits: Callable[[Layout], bool]) -> Layout | None:
    """Return a layout with as little as possible on the host, for what then fits on the chips.

    Experts are left there where there are any, else whole layers. None where not even that is enough.

    Parameters
    ----------
    model : Architecture
    layout : Layout
        Of the chips.
    fits : callable
        Whether the chips hold their part of a layout.
    """
    routed = sum(x.count for x in model.layers if x.experts)
    for name, most in (("cpu_experts", routed), ("cpu_layers", model.layer_count)):

        def leaving(count: int, name: str = name) -> Layout:
            return replace(layout, **{name: count})

        if most and fits(leaving(most)):
            low, high = 0, most  # `low` does not fit, or is not asked
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if fits(leaving(middle)) else (middle, high)
            return leaving(high)
    return None


def offloaded(
    model: Architecture, chips: int, on_chips: Callable[[Layout], bool], fits: Callable[[Layout], bool]
) -> Layout | None:
    """Return the widest tensor parallelism on up to so many chips with as little as possible on the host; None where nothing fits.

    Parameters
    ----------
    model : Architecture
    chips : int
        [chips]
    on_chips, fits : callable
        Whether the chips hold their part of a layout; whether the host does, too.
    """
    options = [c for c in candidates(model, chips) if c.tensor_only]
    found = least_offload(model, options[-1], on_chips) if options else None
    return found if found is not None and fits(found) else None


def offload_option(layout: Layout) -> str:
    """Return what a layout leaves to the host as an option of the command line."""
    return f"--cpu-experts {layout.cpu_experts}" if layout.cpu_experts else f"--cpu-layers {layout.cpu_layers}"


def host_bytes(model: Architecture, layout: AnyLayout, context: float) -> tuple[float, float]:
    """Return (weights, cache and state of one sequence) in the host's memory. [bytes]

    Parameters
    ----------
    model : Architecture
    layout : Layout or LayoutColumns
    context : float
        Tokens of the sequence. [tokens]
    """
    host = places(model, layout).host
    weights = sum(x.count * x.stored_bytes(model.precision.base) for x in host)
    return weights, float(kv_bytes_stored(replace(model, layers=host), context))
