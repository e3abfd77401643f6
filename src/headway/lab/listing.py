"""What the lab can run, by name: known without JAX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from headway.catalog import catalogue
from headway.lab.widths import tiny


class System(NamedTuple):
    """A system of the lecture that the lab runs.

    Attributes
    ----------
    name, number, what : str
        As the verb is asked for it; its id in the lecture's list; what it is.
    model : str
        Whose network runs where nobody says; "" where none of the catalogue's does.
    home : str
        Module and function that run it.
    takes : tuple of str
        Options of the verb beside the model.
    """

    name: str
    number: str
    what: str
    model: str
    home: str
    takes: tuple[str, ...] = ()


_LLAMA, _QWEN = "llama-3.1-8b", "qwen3-30b-a3b"
_FIVE = f"{_LLAMA},gemma-3-27b,{_QWEN},deepseek-v3,gpt-oss-20b"
SYSTEMS = (
    System("decode", "SYS-B2", "decoding with a KV cache, against computing everything again", _LLAMA, "systems:decode"),
    System("attention", "SYS-B4", "attention's reaches: heads, windows, top-k, square root, shared caches", _LLAMA,
           "systems:attention"),
    System("prefill", "SYS-B6", "prompts in chunks and turns, attention in tiles", _LLAMA, "systems:prefill"),
    System("experts", "SYS-C1", "a mixture of experts: routers, capacity, coverage, skew measured from a run", "deepseek-v3",
           "mixtures:experts"),
    System("dispatch", "SYS-C3", "dispatch and combine over host devices: who sends what to whom, across racks", _QWEN,
           "dispatching:dispatch", ("layout",)),
    System("pipeline", "SYS-D2", "a decode pipeline over host devices, by micro-batches", _LLAMA, "pipelines:pipeline"),
    System("schedules", "SYS-D3", "training steps over host devices: GPipe, 1F1B, interleaved, zero-bubble", _LLAMA, "schedules:schedules"),
    System("rl", "SYS-E6", "reinforcement learning: rollouts by decoding, training on a share of them", _LLAMA, "reinforcing:rl",
           ("steps",)),
    System("cipher", "SYS-G1", "Feistel networks over bits and reals, there and back", "", "ciphers:cipher"),
    System("avalanche", "SYS-G2", "what small differences become in a cipher and in a network", _LLAMA, "avalanches:avalanche"),
    System("reversible", "SYS-G3", "a reversible transformer that trains, beside an ordinary one", _LLAMA, "trades:reversible",
           ("steps", "keep")),
    System("engine", "SYS-H1", "an engine in the lecture's variables: steps against the roofline, cost by batch", _LLAMA,
           "engine.telemetry:engine"),
    System("speculate", "SYS-H4", "speculative decoding: the same tokens in fewer passes", _LLAMA, "drafting:speculate"),
    System("memory", "", "training steps of five families: the compiler's account of memory beside ours", _FIVE, "memories:memory"),
    System("trade", "SYS-G4", "memory for compute and compute for memory, both ways", _LLAMA, "trades:trade"),
)  # fmt: skip
_AUDIT = "programs against formulas: FLOPs, bytes, entries, collectives, by family and layout"
# Tensor, expert, data, context and pipeline parallelism; a dense model has no experts to spread.
_LAYOUTS = ("tp8", "dp8ep8", "dp4", "cp4", "pp2")
_DENSE = ("tp8", "tp2", "dp4", "cp4", "pp2")


def listed() -> list[tuple[str, str, str]]:
    """Return name, id and what it is of everything that `headway lab` runs."""
    return [("audit", "", _AUDIT), *((s.name, s.number, s.what) for s in SYSTEMS)]


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
