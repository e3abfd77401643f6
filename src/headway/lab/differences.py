"""Where program and formulas are known to differ, and by how much; the catalogue's `lab_differences` says why.

Each amount is computed here from the architecture, the layout and what the program counted on its way: not from the
difference itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headway.lab.mixers import absorbs
from headway.lab.place import Place
from headway.lab.running import STATE
from headway.lab.stages import layers_of
from headway.models import Architecture
from headway.parallel import Layout
from headway.parallel.sharding import weight_share

WIDE = 4  # bytes of the lab's numbers
Known = list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Trial:
    """One pass under audit.

    Attributes
    ----------
    model : Architecture
    layout : Layout
    place : Place
    batch, new, context : int
        Sequences; of each new and cached tokens. [sequences, tokens, tokens]
    """

    model: Architecture
    layout: Layout
    place: Place
    batch: int
    new: int
    context: int

    @property
    def fresh(self) -> bool:
        """Whether nothing is cached."""
        return self.context == 0

    @property
    def phase(self) -> str:
        """``prefill``, ``chunk`` or ``decode``."""
        return "prefill" if self.fresh else "decode" if self.new == 1 else "chunk"

    @property
    def here(self) -> float:
        """New tokens on one chip. [tokens]"""
        return self.batch * self.new / self.place.dp / (self.place.cp if self.fresh else 1)

    @property
    def sequences(self) -> float:
        """Sequences on one chip. [sequences]"""
        return self.batch / self.place.dp

    def kinds(self) -> Iterable[Any]:
        """Layers, each as often as it is there."""
        return (self.model.layers[k] for k in self.model.order)


def of_products(t: Trial, row: str, products: float, seen: Mapping[str, float], met: Mapping[str, int]) -> Known:
    """Return by how much the program's FLOPs of a row lie above the step's.

    Parameters
    ----------
    t : Trial
    row : str
    products : float
        Of the program. [FLOP]
    seen, met : dict
        Query-key pairs that are seen, and that are multiplied. [1]
    """
    known: Known = []
    if row in met:
        known.append(("masked pairs", (products - _expansions(t, row)) * (1 - seen[row] / met[row])))
    if t.place.cp > 1 and t.fresh:
        more = t.here * (t.place.cp - 1)
        matrices = [m for x in t.kinds() for m in x.linears]
        if row == STATE:  # what is only waited for is not queried
            known.append(
                ("in step", more * sum(x.state.flops_per_token - 2 * x.state.elements for x in t.kinds() if x.state))
            )
        elif row == "attention projections":
            known.append(("others' latents", more * sum(m.flops for m in matrices if m.path.endswith("kv_b_proj"))))
    return known


def _expansions(t: Trial, row: str) -> float:
    """FLOPs of a row that expand cached latents: no pairs."""
    reads = [a for x in t.kinds() for a in x.attends if row == f"attention: {a.reach}" and a.expand_per_token]
    each = [a.expand_per_token for a in reads if not absorbs(a, t.new, t.context)]
    return sum(each) * t.context * t.sequences / t.place.tp


def of_reads(t: Trial, row: str, entries: float) -> Known:
    """Return by how many cache entries the program reads more than the step.

    Each query of a chunk picks its own, though neighbours pick the same; where chips share a sequence none is picked.

    Parameters
    ----------
    t : Trial
    row : str
    entries : float
        Of the step. [entries]
    """
    selects = [a for x in t.kinds() for a in x.attends if a.reach.kind == "top-k" and row == f"attention: {a.reach}"]
    if not selects:
        return []
    if t.place.cp == 1:
        picked = t.new * sum(a.reach.width for a in selects) * t.sequences
        return [("picked again", picked - entries)]
    return [("masked pairs", len(selects) * t.sequences * t.context / t.place.cp - entries)]


def of_sends(t: Trial, name: str, seen: Mapping[str, float]) -> tuple[Known, Known]:
    """Return by how many collectives, and bytes, the program lies above the step's send of a name.

    Parameters
    ----------
    t : Trial
    name : str
        Of the send.
    seen : dict
        Tokens sent, arrived and returned. [tokens]
    """
    if t.place.way == "tp":
        return [], []
    if t.place.way == "cp" and not t.fresh:
        return _of_shared(t, name)
    return _of_spread(t, name, seen)


def _of_shared(t: Trial, name: str) -> tuple[Known, Known]:
    """Decoding where chips have shares of a sequence's cache."""
    heads = [max(m.ways for m in x.linears if m.role == "attention") for x in t.kinds() if x.attends]
    indexes = sum(1 for x in t.kinds() for a in x.attends if a.index)
    each = t.here * WIDE
    match name:
        case "context sum":
            return [], [("softmax", sum(heads) * each)]
        case "softmax":
            return [("softmax", len(heads))], [("softmax", sum(heads) * each)]
        case "selection":
            scores = 2 * (t.context + t.place.cp)
            return [("selection", indexes)], [("selection", indexes * scores * each)]
        case _:
            return [], []


def _of_spread(t: Trial, name: str, seen: Mapping[str, float]) -> tuple[Known, Known]:
    """Passes whose chips have different tokens: sequences of their own, or pieces of the same prompts."""
    width, routed = t.model.hidden * WIDE, sum(1 for x in t.kinds() if x.experts)
    experts = t.model.experts
    beside = 2 * WIDE * experts.active if experts else 0
    slots = routed * t.here
    match name:
        case "dispatch":
            copies = seen["copies"]
            empty = slots * (t.place.chips - 1) - copies
            return [], [("numbers and weights", copies * beside), ("empty slots", empty * (width + beside))]
        case "combine":
            return [], [("empty slots", (slots * (t.place.ep - 1) - seen["returns"]) * width)]
        case "expert all-reduce":
            return [], [("empty slots", (slots * t.place.chips - seen["arrivals"]) * width)]
        case "state hand-over":
            times, sent = _of_states(t)
            return [(name, times)], [(name, sent)]
        case _:
            return [], []


def _of_states(t: Trial) -> tuple[float, float]:
    """Collectives and bytes of recurrent layers along a prompt: inputs of convolutions to all, states on, the last one to all."""
    if t.place.cp == 1:
        return 0.0, 0.0
    times = sent = 0.0
    for x in t.kinds():
        if x.state:
            taps = next(m.inputs for m in x.linears if m.role == "conv") - 1
            inputs = x.state.conv_elements / taps * min(taps, t.new // t.place.cp)
            times += 1 + t.place.cp
            sent += t.sequences * WIDE * t.place.cp * (inputs + x.state.elements)
    return times, sent


def of_weights(t: Trial, step: float) -> Known:
    """Return by how much a chip's weights lie above the formula's.

    Parameters
    ----------
    t : Trial
    step : float
        Bytes of the formula. [bytes]
    """
    if t.place.way == "pp":
        return [("ends and stages", _fullest(t) - step)]
    more = 0.0
    for x in t.kinds():
        for m in x.linears:
            if m.bias and m.path.endswith(("o_proj", "down_proj", "out_proj")):
                held = m.copies / t.place.ep if m.role == "expert" else m.copies
                share = weight_share(t.model, t.layout, m) * m.copies
                more += m.outputs * WIDE * (held - share)
    return [("biases", more)] if more else []


def _fullest(t: Trial) -> float:
    """Bytes of the fullest stage, layer by layer as they are cut."""
    model, stages = t.model, t.place.chips
    base, kinds = model.precision.base, list(t.kinds())
    found: list[float] = []
    for i in range(stages):
        held = sum(kinds[j].stored_bytes(base) for j in layers_of(i, len(kinds), stages))
        if i == 0 or (i == stages - 1 and model.tied):
            held += model.embedding.bytes
        if i == stages - 1:
            held += model.final_parameters * base.bytes + (0.0 if model.tied else model.head.bytes)
        found.append(held)
    return max(found)


def of_cache(t: Trial, tokens: int, step: float) -> Known:
    """Return by how much a chip's caches and states lie above the formula's: of a pipeline whose kinds do not divide.

    Parameters
    ----------
    t : Trial
    tokens : int
        Of each sequence. [tokens]
    step : float
        Bytes of the formula. [bytes]
    """
    if t.place.way != "pp":
        return []
    kinds, stages = list(t.kinds()), t.place.chips

    def kept(x: Any) -> float:
        return sum(a.stored_bytes(tokens) for a in x.attends) + (x.state.bytes if x.state else 0.0)

    most = max(sum(kept(kinds[j]) for j in layers_of(i, len(kinds), stages)) for i in range(stages))
    return [("ends and stages", most * t.sequences - step)]
