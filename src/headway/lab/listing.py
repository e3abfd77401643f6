"""What the lab can run, by name: known without JAX."""

from __future__ import annotations

from collections.abc import Sequence

from headway.catalog import catalogue
from headway.lab.widths import tiny

# Name, id in the lecture's list of systems, what it is, whose network runs where nobody says.
SYSTEMS: tuple[tuple[str, str, str, str], ...] = (
    ("decode", "SYS-B2", "decoding with a KV cache, against computing everything again", "llama-3.1-8b"),
    ("attention", "SYS-B4", "attention's reaches: heads, windows, top-k, square root, shared caches", "llama-3.1-8b"),
    ("prefill", "SYS-B6", "prompts in chunks and turns, attention in tiles", "llama-3.1-8b"),
)
_AUDIT = "programs against formulas: FLOPs, bytes, entries, collectives, by family and layout"
# Tensor, expert, data, context and pipeline parallelism; a dense model has no experts to spread.
_LAYOUTS = ("tp8", "dp8ep8", "dp4", "cp4", "pp2")
_DENSE = ("tp8", "tp2", "dp4", "cp4", "pp2")


def listed() -> list[tuple[str, str, str]]:
    """Return name, id and what it is of everything that `headway lab` runs."""
    return [("audit", "", _AUDIT), *((name, number, what) for name, number, what, _ in SYSTEMS)]


def planned(models: Sequence[str], layouts: Sequence[str]) -> list[tuple[str, str]]:
    """Return the models and layouts to audit: those named, else an example of each family, and five layouts.

    Parameters
    ----------
    models, layouts : sequence of str
        Empty where nobody says.
    """
    examples = [r["example"] for r in catalogue().table("lab_families").rows if r["example"]]
    found: list[tuple[str, str]] = []
    for model in models or examples:
        usual = _LAYOUTS if layouts or tiny(model).experts else _DENSE
        found += [(model, layout) for layout in layouts or usual]
    return found
