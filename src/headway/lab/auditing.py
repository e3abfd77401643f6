"""The audit: what a program of a network counts, against what the step of the same architecture says."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from headway.errors import InputError
from headway.lab.compiled import Collective
from headway.lab.differences import WIDE, Known, Trial, of_cache, of_products, of_reads, of_sends, of_weights
from headway.lab.findings import Audit, Line
from headway.lab.networks import network
from headway.lab.place import ALONE, place_of
from headway.lab.running import STATE
from headway.lab.sharded import Chips, Ran
from headway.lab.widths import LAYERS, tiny
from headway.models import group_reached
from headway.parallel import Layout, activations_per_chip, build_step, kv_per_chip, weights_per_chip
from headway.parallel.steps import activation_bytes
from headway.roofline import Load, Send, Step, row_work
from headway.roofline.load import carried

BATCH = 56  # sequences: every pair of 8 experts twice, also on 8 chips
PROMPT, CHUNK = 16, 8  # tokens: two windows, two a chip of 8; another window behind what is cached
PHASES = ("prefill", "chunk", "decode")
FLOPS_WITHIN = 0.01  # of the step's
# Times what the formulas say: alone on one chip, decoding on several, in prompts on several (whose buffers have a slot for every
# token and chip). The lab's programs are not tuned: see docs/lab.md.
BYTES_WITHIN = {"alone": 8.0, "decode": 12.0, "chunk": 32.0, "prefill": 32.0}
OTHER_WITHIN = 0.6  # of the products, at widths a hundredth of real ones: what is done element by element
HELD_WITHIN = {"alone": 5.0, "decode": 16.0, "chunk": 16.0, "prefill": 16.0}
SAME = 1e-4  # of the largest logit
_TRIES = 10_000  # ways to deal out tokens
_AS_STORED = ("context ring", "norms' sums")  # sends whose bytes are not those of an activation


MUTATIONS = (
    "shared", "window", "all-reduce", "dispatch", "combine", "expert all-reduce", "context ring", "stage hand-over",
)  # fmt: skip


def audit(name: str, layout: Layout, *, mutation: str = "", phases: Sequence[str] = PHASES) -> Audit:
    """Compile a model's prefill and decode under a layout, run them on host devices, and compare them with the step.

    Parameters
    ----------
    name : str
        Of a model: see `headway.lab.tiny`.
    layout : Layout
    mutation : str
        A part (``shared``, ``window``) or a collective (``all-reduce``, ``combine``, ...) that the program leaves out, to see
        that the audit notices.
    phases : sequence of str
        Of ``prefill``, ``chunk`` (more of each prompt behind what is cached; not where chips share prompts) and ``decode``.

    Raises
    ------
    InputError
        For models and layouts that the lab does not run.
    """
    if mutation and mutation not in MUTATIONS:
        raise InputError(f"mutation {mutation!r}: known are {', '.join(MUTATIONS)}")
    if set(phases) - set(PHASES):
        raise InputError(f"phases {', '.join(phases)}: known are {', '.join(PHASES)}")
    model = tiny(name, max(LAYERS, layout.pp))
    build_step(model, layout)  # refuses what does not divide
    net, place = network(model), place_of(layout)
    part = mutation in ("shared", "window")
    mutated = type(place)(place.way, place.ep, place.slices, "" if part else mutation)
    weights = net.weights()
    chips = Chips(net, weights, mutated, BATCH, PROMPT)
    held = 0 if "prefill" in phases else PROMPT
    chips.holding(held)
    alone = _alone(name, model.layer_count).holding(held) if layout.chips > 1 else None
    first = Trial(model, layout, place, BATCH, PROMPT, 0)
    lines = [*_held(first, chips)]
    for t in (first, replace(first, new=CHUNK, context=PROMPT), replace(first, new=1, context=PROMPT)):
        if t.phase not in phases or (t.phase == "chunk" and place.cp > 1):  # chips that share prompts take them whole
            continue
        tokens = np.random.default_rng(t.new).integers(0, model.vocabulary, (BATCH, t.new))
        before = chips.held, None if alone is None else alone.held
        ran = chips.run(tokens, balanced(t), t.fresh, ignores=mutation if part else "", capacity=1.0)
        lines += _lines(t, build_step(model, layout), ran)
        if alone is not None:
            other = alone.run(tokens, balanced(t), t.fresh, capacity=1.0).logits
            lines.append(_outputs(t, ran.logits, other, any(x.index for x in net.shapes)))
        if t.phase == "chunk":  # decoding goes on from the prompt, too
            chips.held = before[0]
            if alone is not None and before[1] is not None:
                alone.held = before[1]
    return Audit(model, layout, BATCH, PROMPT, tuple(lines), mutation)


@functools.lru_cache(maxsize=4)
def _alone(name: str, layers: int) -> Chips:
    """The network on one chip, which those of all layouts are compared with: compiled once."""
    net = network(tiny(name, layers))
    return Chips(net, net.weights(), ALONE, BATCH, PROMPT)


def balanced(t: Trial) -> Any:
    """Return experts of tokens so that each set of experts is chosen as often as any other, or None for a dense model.

    Parameters
    ----------
    t : Trial

    Notes
    -----
    Tokens are dealt out until the copies that they send to other groups of chips are as many as uniform routing sends on
    average: the formula's case, to the token.
    """
    experts = t.model.experts
    if experts is None:
        return None
    sets = np.array(list(itertools.combinations(range(experts.count), experts.active)))
    tokens = t.batch * t.new
    group = sets // (experts.count // t.place.ep)
    held = np.stack(
        [np.any(group == g, axis=1) for g in range(t.place.ep)], axis=1
    )  # sets that have an expert in a group
    home = _homes(t).reshape(-1)
    wanted = tokens * (t.place.ep - 1) * float(group_reached(experts.count, experts.active, t.place.ep))
    rng = np.random.default_rng(0)
    dealt = np.arange(tokens) % len(sets)
    for _ in range(_TRIES):
        dealt = rng.permutation(dealt)
        leave = held[dealt].sum() - held[dealt, home].sum()
        if abs(leave - wanted) < 0.5:
            break
    return sets[dealt].reshape(t.batch, t.new, -1)


def _homes(t: Trial) -> Any:
    """Group of chips that each new token starts on. [batch, new]"""
    chip = np.zeros((t.batch, t.new), int)
    if t.place.way == "dp":
        chip += (np.arange(t.batch) * t.place.dp // t.batch)[:, None]
    elif t.place.way == "cp" and t.fresh:
        chip += np.arange(t.new) * t.place.cp // t.new
    return chip // t.place.slices if t.place.way in ("dp", "cp") else chip


def _outputs(t: Trial, found: Any, alone: Any, rounds: bool) -> Line:
    """How far logits lie from those of one chip.

    Keys of an index are rounded to 8 bits: a last digit that differs may select another entry for a few sequences.
    """
    apart = np.max(np.abs(found - alone), axis=-1) / np.max(np.abs(alone))
    name = "logits against one chip" + (", 9 of 10 sequences" if rounds else "")
    worst = float(np.quantile(apart, 0.9)) if rounds else float(np.max(apart))
    return Line(t.phase, "outputs", name, "", SAME, worst, (), 0.0)


def _held(t: Trial, chips: Chips) -> Iterable[Line]:
    """Bytes of weights and caches on the fullest chip."""
    weights = weights_per_chip(t.model, t.layout)
    yield Line("", "parameters", "weights", "B", weights, chips.weight_bytes, _some(of_weights(t, weights)))
    cache = float(kv_per_chip(t.model, t.layout, t.new)) * t.sequences
    yield Line("", "cache", "caches and states", "B", cache, chips.cache_bytes, _some(of_cache(t, t.new, cache)))


def _lines(t: Trial, step: Step, ran: Ran) -> Iterable[Line]:
    load = Load.decode(t.batch, t.context) if t.phase == "decode" else Load.prefill(t.batch, t.new, cached=t.context)
    seen = {k: float(v) for k, v in ran.seen.items()}
    yield from _rows(t, step, load, ran, seen)
    yield from _reads(t, step, load, ran)
    yield from _sends(t, step, load, ran, seen)
    asked = sum(p for p, _ in ran.asked.values())
    yield Line(t.phase, "products", "asked for and compiled", "FLOP", asked, ran.counted.products)
    other = ran.counted.flops - ran.counted.products_once
    yield Line(
        t.phase,
        "other FLOPs",
        "norms, softmax, routing",
        "FLOP",
        ran.counted.products_once,
        other,
        (),
        0.0,
        OTHER_WITHIN,
    )
    each = [row_work(r, step, load) for r in step.rows]
    floor = sum(float(work.bytes) for work, _ in each)
    whole = floor + sum(float(through) for _, through in each) * WIDE / activation_bytes()
    where = "alone" if t.place == ALONE else t.phase
    yield Line(
        t.phase, "bytes", "read and written", "B", whole, ran.counted.bytes, (), floor / whole, BYTES_WITHIN[where]
    )
    held = activations_per_chip(t.model, t.layout, t.batch * t.new / t.layout.dp) * WIDE / activation_bytes()
    most = HELD_WITHIN[where]
    yield Line(t.phase, "temporaries", "held at once", "B", held, ran.counted.temporaries, (), 1 / most, most)


def _rows(t: Trial, step: Step, load: Load, ran: Ran, seen: dict[str, float]) -> Iterable[Line]:
    """FLOPs row by row, and of what the program names and the step does not have."""
    said: dict[str, float] = {}
    for r in step.rows:
        said[r.name] = said.get(r.name, 0.0) + float(row_work(r, step, load)[0].flops)
    for name in dict.fromkeys([*said, *(k for k in ran.asked if k)]):
        if name == "embedding":
            continue
        products, rest = ran.asked.get(name, (0.0, 0.0))
        found = products + (rest if name == STATE else 0.0)
        known = of_products(t, name, found, seen, ran.met)
        yield Line(
            t.phase, "FLOPs", name, "FLOP", said.get(name, 0.0), found, _some(known), 1 - FLOPS_WITHIN, 1 + FLOPS_WITHIN
        )


def _reads(t: Trial, step: Step, load: Load, ran: Ran) -> Iterable[Line]:
    """Cache entries that a decoding pass reads, over all layers of a row."""
    said: dict[str, float] = {}
    for r in step.rows:
        read = r.read
        if read is not None and not t.fresh:
            each = float(load.busiest(r.groups, lambda g, read=read: read.read_entries(g.new, g.context)))
            said[r.name] = said.get(r.name, 0.0) + each * float(r.layers) / t.place.cp
    for name, entries in said.items():
        found = float(ran.reads.get(name, 0))
        yield Line(t.phase, "entries", name, "", entries, found, _some(of_reads(t, name, entries)))


def _sends(t: Trial, step: Step, load: Load, ran: Ran, seen: dict[str, float]) -> Iterable[Line]:
    """Collectives send by send: kind and number, and bytes."""
    by = {s.name: s for s in step.sends}
    ran_by: dict[str, list[Collective]] = {}
    for c in ran.counted.collectives:
        ran_by.setdefault(c.name, []).append(c)
    for name in dict.fromkeys([*by, *ran_by]):
        said = _said(by[name], load) if name in by else (0.0, 0.0)
        found = ran_by.get(name, [])
        times, sent = of_sends(t, name, seen)
        kinds = {c.kind for c in found}
        wrong = name in by and found and kinds != {by[name].kind}
        label = f"{name}: {' and '.join(sorted(kinds))} instead of {by[name].kind}" if wrong else name
        count = float("nan") if wrong else float(sum(c.times for c in found))
        yield Line(t.phase, "collectives", label, "", said[0], count, _some(times))
        yield Line(t.phase, "sent", name, "B", said[1], sum(_bytes(c) for c in found), _some(sent))


def _some(known: Known) -> tuple[tuple[str, float], ...]:
    return tuple((name, amount) for name, amount in known if amount)


def _said(s: Send, load: Load) -> tuple[float, float]:
    """Collectives and bytes of a step's send, in the lab's 32 bits where it counts activations."""
    wide = 1.0 if s.name in _AS_STORED else WIDE / activation_bytes()
    tokens = float(load.busiest(s.groups, carried(s.carries, s.ways)))
    return float(s.messages) if tokens else 0.0, tokens * float(s.payload) * wide


def _bytes(c: Collective) -> float:
    """Bytes as `Send.payload` counts them: of an all-to-all what leaves the chip."""
    return c.times * c.bytes * ((c.ranks - 1) / c.ranks if c.kind == "all-to-all" else 1.0)
