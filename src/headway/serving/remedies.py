"""What would do, where something does not fit: another layout, a pipeline, fewer bytes, a shorter context, a larger share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from headway.catalog import default
from headway.errors import InputError
from headway.hardware import System, with_host
from headway.models import Architecture, stored_as
from headway.parallel import Layout, candidates, check, offload_option, offloaded

Fits = Callable[[Architecture, Layout, System, float, float | None], bool]

# Tried in this order: what engines convert by themselves, then what people download.
_NARROWER = ("fp8-tensor", "int4")


def remedies(
    model: Architecture, system: System, tokens: float, reserve: float | None, fits: Fits, on_chips: Fits
) -> str:
    """Name what fits: the nearest layout, and what would make the question fit as it is asked.

    Parameters
    ----------
    model : Architecture
    system : System
    tokens : float
        Of a sequence. [tokens]
    reserve : float or None
        Share of memory left alone. [share]
    fits : callable
        Whether a model under a layout fits on a system, at so many tokens and such a reserve.
    on_chips : callable
        Whether what it leaves to the chips does.
    """
    nearest, cheaper = _layouts(model, system, tokens, reserve, fits), _cheaper(model, system, tokens, reserve, fits)
    away = _on_host(model, system, tokens, reserve, fits, on_chips)
    found = [away, nearest, *cheaper] if system.chip.status == "consumer" else [nearest, *cheaper, away]
    said = [x for x in found if x]
    return "; or ".join(said[:3]) or "no layout on up to 1,024 such chips fits; use fewer bytes per weight"


def _layouts(model: Architecture, system: System, tokens: float, reserve: float | None, fits: Fits) -> str:
    """The nearest layout: on this system, as a pipeline over its domains or several of it, on more chips in one domain."""
    here = [c for c in candidates(model, system.joined) if fits(model, c, system, tokens, reserve)]
    if here:
        return f"{min(here, key=lambda c: (c.chips, c.dp))} on this system fits"
    grown = _joined(model, system, tokens, reserve, fits)
    if grown and grown.chips <= system.domain:  # more of the same in the domain that the hardware has
        return f"{grown} on {grown.chips} such chips fits"
    for layout in _pipelines(model, system):
        if fits(model, layout, system, tokens, reserve):
            where = "this system" if layout.chips <= system.chips else f"{layout.chips} such chips"
            return f"the pipeline {layout} on {where} fits (--layout {layout}, or `headway search`)"
    if not grown:
        return ""
    joined = f"{system.name} joins {system.joined}" if system.chips > 1 else "this is one"
    return f"{grown} on {grown.chips} such chips in one scale-up domain fits ({joined})"


def _on_host(
    model: Architecture, system: System, tokens: float, reserve: float | None, fits: Fits, on_chips: Fits
) -> str:
    """Experts or layers in the host's memory, as few as do."""
    try:
        on = with_host(system)
    except InputError:
        return ""
    found = offloaded(
        model, system.joined, lambda c: on_chips(model, c, on, tokens, reserve), lambda c: fits(model, c, on, tokens, reserve)
    )  # fmt: skip
    if found is None:
        return ""
    what = "experts of so many layers" if found.cpu_experts else "so many layers"
    return f"{offload_option(found)} fits ({what} in the host's memory)"


def _joined(model: Architecture, system: System, tokens: float, reserve: float | None, fits: Fits) -> Layout | None:
    """The layout with the fewest chips that fits if so many were joined."""
    for chips in (2**i for i in range(1, 11) if 2**i > system.joined):
        good = [c for c in candidates(model, chips) if fits(model, c, system, tokens, reserve)]
        if good:
            return min(good, key=lambda c: (c.chips, c.dp))
    return None


def _pipelines(model: Architecture, system: System) -> Iterator[Layout]:
    if system.scale_out <= 0 and system.chips <= system.joined:
        return
    for stages in range(2, 9):
        layout = Layout(tp=system.joined, pp=stages)
        try:
            check(model, layout)
        except InputError:
            continue
        yield layout


def _cheaper(model: Architecture, system: System, tokens: float, reserve: float | None, fits: Fits) -> Iterator[str]:
    options = candidates(model, system.joined)
    share = default("memory_reserve") if reserve is None else reserve
    least = default("least_reserve")
    if share > least and any(fits(model, c, system, tokens, least) for c in options):
        yield f"--memory-share {1 - least:g} fits"
    for name in _NARROWER:
        narrow = stored_as(model, name)
        if narrow.weight_bytes < 0.95 * model.weight_bytes and any(
            fits(narrow, c, system, tokens, reserve) for c in options
        ):
            yield f"--precision {name.removesuffix('-tensor')} fits"
            break
    for part in range(1, 8):
        shorter = tokens / 2**part
        if shorter < default("default_output"):
            break
        if any(fits(model, c, system, shorter, reserve) for c in options):
            yield f"--context {shorter:,.0f} fits"
            break
