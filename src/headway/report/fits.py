"""What fits, as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from headway import units
from headway.errors import PhysicsError
from headway.parallel import offload_option
from headway.plan.fits import Fitting
from headway.tables import table_text


def nothing_fits(system: str, words: Sequence[str], context: float | None) -> PhysicsError:
    """Build the error for a machine that holds no such model.

    Parameters
    ----------
    system : str
    words : sequence of str
        That a model's name had to contain.
    context : float or None
        That had to fit, if one was asked for. [tokens]
    """
    what = f"no model with {' and '.join(words)} in its name" if words else "no model of the catalogue"
    at = "" if context is None else f" at a context of {units.some(context, 'token')}"
    return PhysicsError(f"{what} fits on {system}{at}; a narrower --precision, a shorter --context, or more chips")


def fits_text(system: str, found: Sequence[Fitting]) -> str:
    """Return a table of models that fit, largest first."""
    several, away = any(f.layout.chips > 1 for f in found), any(f.on_host for f in found)
    heads = ["model", "stored as", "weights", "longest context", "tok/s", "sequences"]
    heads += [*(["layout"] if several else []), *(["in the host's memory"] if away else [])]
    body = [
        [f.model.rsplit("/", 1)[-1], f.stored, f"{f.weights / 1e9:,.1f} GB", f"{f.longest:,.0f}", f"{1 / f.seconds:,.1f}",
         "any" if math.isinf(f.sequences) else f"{f.sequences:,.0f}", *([str(f.layout)] if several else []), *([_left(f)] if away else [])]
        for f in found
    ]  # fmt: skip
    note = (
        f"tok/s: of one user at {units.some(found[0].context, 'token of context')}; sequences: that memory holds there. "
        f"`headway plan MODEL --on {system} --precision FORMAT` says more."
    )
    return "\n".join([f"what fits on {system}", "", table_text(heads, body), "", note, _fastest(found)])


def _left(f: Fitting) -> str:
    return f"{f.on_host / 1e9:,.1f} GB, {offload_option(f.layout)}" if f.on_host else ""


def _fastest(found: Sequence[Fitting]) -> str:
    best = min(found, key=lambda f: f.seconds)
    return f"fastest: {best.model} in {best.stored}, {units.rate(1 / best.seconds)} tokens/s"
