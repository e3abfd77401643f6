"""Systems of the lecture that run: decoding with a cache (SYS-B2), attention's reaches (SYS-B4), prompts in chunks and tiles (SYS-B6)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from headway.errors import InputError
from headway.lab.asked import asked_flops
from headway.lab.attention import attend, attend_in_tiles, divided, sees
from headway.lab.cache import cache_bytes
from headway.lab.findings import Check, Demonstration, Picture
from headway.lab.needs import QUICK
from headway.lab.networks import Network, begun, forward, network, whole_pass
from headway.lab.shapes import Heads, family_of, shapes
from headway.lab.widths import tiny
from headway.models import Architecture, Layer, Reach, kv_bytes_per_token, kv_bytes_stored, number_format
from headway.models.attention import grouped_query
from headway.parallel import Layout, build_step
from headway.roofline import Load, row_work

Array = Any
PROMPT, OUTPUT = 24, 8  # tokens
_CLOSE = 1e-5  # of the largest logit (SYS-B2)


def decode(model: str) -> Demonstration:
    """SYS-B2: decode with a cache, against computing everything again for every token.

    Parameters
    ----------
    model : str
    """
    arch = tiny(model)
    net = network(arch)
    weights = jax.tree.map(jnp.asarray, net.weights())
    told, apart = _against_recomputed(net, weights)
    rows = [_decoded(net, weights, n, int(told[0, n - PROMPT])) for n in range(PROMPT, PROMPT + OUTPUT)]
    held, said = [r["cache_bytes"] for r in rows], [float(kv_bytes_stored(arch, r["cached_tokens"])) for r in rows]
    first, last = PROMPT - 1, PROMPT + OUTPUT
    grown = (cache_bytes(net.cache(1, last)) - cache_bytes(net.cache(1, first))) / (last - first)
    formula = float(kv_bytes_per_token(arch, float(first)))
    checks = (
        Check("logits with the cache against a full recompute", f"within {_CLOSE:g}", f"{apart:.1e}", apart <= _CLOSE),
        Check("cache bytes at every length (kv_bytes_stored)", "equal", f"{held[-1]:,} at {last - 1} tokens", held == said),
        Check("cache bytes per token (SYS-B3)", f"{formula:,.0f}", f"{grown:,.0f}", grown == formula),
        Check(
            "FLOPs of every token (Step)", "within 1 %", f"{rows[-1]['flops']:,.0f}",
            all(abs(r["flops"] / r["flops_of_the_step"] - 1) < 0.01 for r in rows),
        ),
    )  # fmt: skip
    points = [
        (line, float(n + 1), _products(net, weights, *work)) for n in _DRAWN_AT for line, work in _ways(n).items()
    ]
    picture = Picture("tokens of the sequence", "FLOPs for its next token", tuple(points))
    title = "decoding with a KV cache"
    return Demonstration("decode", "SYS-B2", title, arch.name, checks, tuple(rows), picture)


def _decoded(net: Network, weights: Any, cached: int, token: int) -> dict[str, Any]:
    """What one token of a sequence took."""
    new, context = _ways(cached)["everything again"]
    return {
        "token": token, "cached_tokens": cached, "cache_bytes": cache_bytes(net.cache(1, cached)),
        "read_bytes": _read_bytes(net, weights, cached), "flops": _products(net, weights, 1, cached),
        "flops_of_the_step": _step_flops(net.model, cached), "flops_recomputed": _products(net, weights, new, context),
    }  # fmt: skip


_DRAWN_AT = (8, 16, 32, 64, 128, 256, 512)  # tokens


def _ways(cached: int) -> dict[str, tuple[int, int]]:
    """New and cached tokens of the pass that gives the next token: from a cache, or computing everything again."""
    return {"with the cache": (1, cached), "everything again": (cached + 1, 0)}


def _against_recomputed(net: Network, weights: Any) -> tuple[Any, float]:
    """The tokens that follow prompts, and how far cached logits lie from recomputed ones, in parts of the largest."""
    tokens = jnp.asarray(np.random.default_rng(1).integers(0, net.model.vocabulary, (2, PROMPT)))
    logits, cache = net.prefill(weights, tokens, PROMPT + OUTPUT)
    start = jnp.argmax(logits[:, -1], axis=-1)
    told, with_cache, _ = net.decode(weights, cache, start, OUTPUT)
    whole = jnp.concatenate([tokens, start[:, None], told[:, :-1]], axis=1)
    again, _ = net.prefill(weights, whole, PROMPT + OUTPUT)
    apart = jnp.max(jnp.abs(again[:, PROMPT:] - with_cache)) / jnp.max(jnp.abs(again))
    return np.asarray(told), float(apart)


def _traced(net: Network, weights: Any, new: int, context: int) -> Any:
    """The program of one sequence's pass of so many tokens after so many, not compiled; and what it reads."""
    cache = net.cache(1, context if context else new)
    cache["length"] = jnp.full(1, context, jnp.int32)
    tokens = jnp.zeros((1, new), jnp.int32)
    kept: list[Any] = []

    def one(weights: Any, cache: Any, tokens: Array) -> Array:
        p = begun(cache["length"], tokens, context == 0, capacity=1.0 if net.model.experts and new == 1 else None)
        kept.append(p)
        return forward(net, weights, cache, tokens, p)[0]

    return jax.make_jaxpr(one)(weights, cache, tokens), kept[-1]


def products(net: Network, weights: Any, new: int, context: int) -> dict[str, float]:
    """Return the FLOPs of products of a pass on one sequence, by row. [FLOP]

    Parameters
    ----------
    net : Network
    weights : dict
    new, context : int
        Tokens of the pass, and of the cache. [tokens]
    """
    return {name: found for name, (found, _) in asked_flops(_traced(net, weights, new, context)[0]).items()}


def _products(net: Network, weights: Any, new: int, context: int) -> float:
    """FLOPs of a pass on one sequence: of products, and of the update of recurrent states."""
    jaxpr, _ = _traced(net, weights, new, context)
    found = asked_flops(jaxpr)
    empty = _empty_expert_slots(net, new, found)
    return (
        sum(products + (rest if name == "recurrent state" else 0.0) for name, (products, rest) in found.items()) - empty
    )


def _empty_expert_slots(net: Network, new: int, found: dict[str, tuple[float, float]]) -> float:
    """FLOPs on slots of experts that no token takes: one token's pass has a slot for each expert."""
    experts = net.model.experts
    if experts is None:
        return 0.0
    slots = experts.count * (1 if new == 1 else new)
    return found["routed experts"][0] * (1 - new * experts.active / slots)


def _read_bytes(net: Network, weights: Any, context: int) -> float:
    """Bytes of entries that one decoded token reads from the caches of all layers."""
    _, p = _traced(net, weights, 1, context)
    by = {("index scores" if a.index else f"attention: {a.reach}"): a.entry_bytes for _, a in net.model.attends()}
    return sum(entries * by[name] for name, entries in p.reads.items())


def _step_flops(arch: Architecture, context: int) -> float:
    step, load = build_step(arch, Layout()), Load.decode(1, context)
    return sum(float(row_work(r, step, load)[0].flops) for r in step.rows)


# --- attention's reaches -------------------------------------------------------------------------------------------

_FAR = 100_000_000  # tokens: where the lecture takes the square root
_LENGTHS = tuple(10**e for e in range(1, 9))


def attention(model: str) -> Demonstration:
    """SYS-B4: one model with its attention replaced by other reaches and other numbers of KV heads.

    Parameters
    ----------
    model : str
    """
    base = tiny(model)
    kinds = _variants(base)
    rows: list[dict[str, Any]] = []
    outputs: dict[str, Array] = {}
    for name, arch in kinds.items():
        net = network(arch)
        weights = jax.tree.map(jnp.asarray, net.weights())
        outputs[name], seen, apart = _variant(net, weights)
        reads = [(n, a) for n, a in arch.attends() if not a.index]
        rows.append(
            {
                "attention": name, "kv_bytes_per_token": sum(n * a.entry_bytes for n, a in reads if a.stores),
                "seen_per_layer": seen, "formula": _entries(arch, PROMPT + OUTPUT - 1, own=True),
                f"entries_at_{_FAR:.0e}": _entries(arch, _FAR), "apart_from_recomputed": apart,
            }
        )  # fmt: skip
    by = {r["attention"]: r for r in rows}
    same = float(jnp.max(jnp.abs(outputs["top-k, k above the context"] - outputs["grouped queries"])))
    full, shared = by["grouped queries"]["kv_bytes_per_token"], by["cache shared by two layers"]["kv_bytes_per_token"]
    far = by["square root"][f"entries_at_{_FAR:.0e}"]
    checks = (
        Check("square root law at 1e8 tokens", "10,000 entries", f"{far:,.0f}", far == 1e4),
        Check("top-k with k above the context against dense", "equal", f"{same:.1e} apart", same == 0.0),
        Check("k of a cache that two layers share", "half", f"{shared:,.0f} of {full:,.0f} B", shared * 2 == full),
        Check(
            "keys that the last token sees (Reach.entries)", "as the formula", "at all reaches",
            all(r["seen_per_layer"] == r["formula"] for r in rows),
        ),
        Check(
            "decoding against a full recompute", f"within {_CLOSE:g}", f"{max(r['apart_from_recomputed'] for r in rows):.1e}",
            all(r["apart_from_recomputed"] <= _CLOSE for r in rows),
        ),
    )  # fmt: skip
    points = [(line, float(n), _entries(kinds[name], n)) for name, line in _DRAWN.items() for n in _LENGTHS]
    picture = Picture("tokens in the cache", "entries that a token reads, per layer", tuple(points))
    return Demonstration("attention", "SYS-B4", "attention's reaches", base.name, checks, tuple(rows), picture)


_DRAWN = {
    "grouped queries": "everything", "a tenth": "a tenth", "square root": "square root", "top-k of 8": "window, or top-k, of 8",
}  # fmt: skip


def _variants(base: Architecture) -> dict[str, Architecture]:
    """The same model with other attention."""
    heads = base.attention_heads
    root, tenth = Reach("sqrt"), Reach("fraction", scale=0.1)
    return {
        "one KV head a query head": _with(base, heads), "grouped queries": _with(base, 2), "one KV head": _with(base, 1),
        "window of 8": _with(base, 2, Reach("window", 8)), "top-k of 8": _with(base, 2, Reach("top-k", 8)),
        "top-k, k above the context": _with(base, 2, Reach("top-k", 64)), "square root": _with(base, 2, root),
        "a tenth": _with(base, 2, tenth), "cache shared by two layers": _with(base, 2, share=2),
    }  # fmt: skip


def _with(base: Architecture, kv_heads: int, reach: Reach | None = None, share: int = 1) -> Architecture:
    """A model whose layers have so many KV heads, a reach, and a cache for each `share` of them."""
    wide, family = number_format("fp32"), family_of(base)
    layers: list[Layer] = []
    for i, s in enumerate(shapes(base)):
        if not isinstance(s.mixer, Heads) or s.mixer.gate or s.read is None or s.read.norms == "row":
            raise InputError(
                f"attention: {base.name} has layers without grouped queries ({s.layer.kind}); try llama-3.1-8b"
            )
        part = grouped_query(
            base.hidden, base.attention_heads, kv_heads, s.mixer.dim, reach=reach or Reach(), stores=i % share == 0,
            query_key_norm=s.read.norms == "head", sinks=family.sinks,
        )  # fmt: skip
        linears = tuple(replace(m, format=wide) for m in part.linears)
        rest = tuple(m for m in s.layer.linears if m.role != "attention")
        attends = tuple(replace(a, format=wide) for a in part.attends)
        kind = f"{s.layer.kind} {i}"
        layers.append(replace(s.layer, linears=(*linears, *rest), attends=attends, count=1, kind=kind))
    return replace(base, layers=tuple(layers), order=tuple(range(len(layers))))


def _entries(arch: Architecture, context: int, *, own: bool = False) -> float:
    """Entries that a token reads at so many cached ones (`own`: keys that it sees, itself among them), mean over layers."""
    reads = [a for n, a in arch.attends() for _ in range(n)]
    laws = [math.ceil(float(a.reach.entries(float(context + own)))) for a in reads]
    return sum(laws) / len(laws)


def _variant(net: Network, weights: Any) -> tuple[Array, float, float]:
    """Logits of the last token, decoded one after another; keys that it saw, per layer; how far one pass over all lies apart."""
    tokens = jnp.asarray(np.random.default_rng(1).integers(0, net.model.vocabulary, (2, PROMPT + OUTPUT)))
    whole, _ = net.prefill(weights, tokens, PROMPT + OUTPUT)
    cache, worst = net.cache(2, PROMPT + OUTPUT), 0.0
    logits, seen = whole, dict[str, Array]()
    for i in range(tokens.shape[1]):
        logits, cache, seen = whole_pass(net, weights, cache, tokens[:, i : i + 1], False)
        worst = max(worst, float(jnp.max(jnp.abs(logits[:, 0] - whole[:, i]))))
    keys = sum(float(v) for k, v in seen.items() if k.startswith("attention")) / len(tokens) / len(net.shapes)
    return logits, keys, worst / float(jnp.max(jnp.abs(whole)))


# --- prompts in chunks and tiles -----------------------------------------------------------------------------------

_SPLITS = ((12, 12), (1, 23), (5, 12, 7), (1,) * 24)
_TURNS = (12, 3, 7, 2)  # user text, answer, tool output, answer
_ROUGH = 0.1  # of the largest logit: a selecting index rounds its keys to 8 bits, and another rounding may select another entry
_TILE = 64
_LONG = (256, 512, 1024, 2048)  # tokens
_LINEAR, _SQUARE = 2.2, 3.0  # growth with twice the length: at the most, at the least


def prefill(model: str) -> Demonstration:
    """SYS-B6: prompts in chunks of any split, turns with answers between, attention in tiles.

    Parameters
    ----------
    model : str
    """
    arch = tiny(model)
    net = network(arch)
    weights = jax.tree.map(jnp.asarray, net.weights())
    tokens = jnp.asarray(np.random.default_rng(2).integers(0, arch.vocabulary, (1, PROMPT)))
    whole, cache = net.prefill(weights, tokens, PROMPT)
    largest, close = float(jnp.max(jnp.abs(whole))), _CLOSE if all(x.index is None for x in net.shapes) else _ROUGH
    worst = kept = 0.0
    for cuts in _SPLITS:
        logits, after = net.prefill(weights, tokens, PROMPT, cuts)
        worst = max(worst, float(jnp.max(jnp.abs(logits - whole))) / largest)
        kept = max(kept, _caches_apart(cache, after))
    turns = _turns(net, weights, tokens, whole) / largest
    rows = [_tiled(n) for n in _LONG]
    grown = [{k: b[k] / a[k] for k in ("plain_bytes", "tiled_bytes")} for a, b in itertools.pairwise(rows)]
    tiled, plain = max(g["tiled_bytes"] for g in grown), min(g["plain_bytes"] for g in grown)
    far = max(r["apart"] for r in rows)
    checks = (
        Check(f"logits of {len(_SPLITS)} splits against one pass", f"within {close:g}", f"{worst:.1e}", worst <= close),
        Check("caches of the splits against one pass", f"within {close:g}", f"{kept:.1e}", kept <= close),
        Check("turns with answers between against one pass", f"within {close:g}", f"{turns:.1e}", turns <= close),
        Check("attention in tiles against plain", f"within {_CLOSE:g}", f"{far:.1e}", far <= _CLOSE),
        Check("temporaries in tiles, twice the length", f"at most {_LINEAR:g}x", f"{tiled:.3g}x", tiled <= _LINEAR),
        Check("temporaries of a whole score matrix", f"at least {_SQUARE:g}x", f"{plain:.3g}x", plain >= _SQUARE),
    )
    points = [(w, float(r["tokens"]), float(r[k])) for r in rows for w, k in _MEMORY.items()]
    picture = Picture("tokens of the prompt", "temporaries of attention (bytes)", tuple(points))
    title = "prompts in chunks, attention in tiles"
    return Demonstration("prefill", "SYS-B6", title, arch.name, checks, tuple(rows), picture)


_MEMORY = {"score matrix in one piece": "plain_bytes", f"tiles of {_TILE}": "tiled_bytes"}


def _caches_apart(a: Any, b: Any) -> float:
    """The largest difference of two caches with the same tables, keys of an index left out."""
    worst = 0.0
    for one, other in zip(a["layers"], b["layers"], strict=True):
        pairs = [(one[k], other[k]) for k in ("state", "tail") if k in one]
        pairs += [(one["read"]["entries"], other["read"]["entries"])] if "read" in one else []
        worst = max([worst, *(float(jnp.max(jnp.abs(x - y))) for x, y in pairs)])
    return worst


def _turns(net: Network, weights: Any, tokens: Array, whole: Array) -> float:
    """Logits of a conversation: its turns in chunks, the answers token by token, against one pass over all of it."""
    cuts: list[int] = []
    for i, size in enumerate(_TURNS):
        cuts += [1] * size if i % 2 else [size]
    logits, _ = net.prefill(weights, tokens, tokens.shape[1], cuts)
    return float(jnp.max(jnp.abs(logits - whole)))


def _tiled(length: int) -> dict[str, Any]:
    """Temporaries of attention over a prompt, as the compiler says, and how far the two ways lie apart."""
    rng = np.random.default_rng(3)
    q, k, v = (jnp.asarray(rng.standard_normal((1, length, 1, *more, 16)), jnp.float32) for more in ((1,), (), ()))
    at = jnp.arange(length)[None]

    def plain(q: Array, k: Array, v: Array) -> Array:
        return divided(attend(q, k, v, sees(Reach(), at, at), 0.25))

    def seen(i: Array, j: Array) -> Array:
        return sees(Reach(), at[:, i], at[:, j])

    def tiled(q: Array, k: Array, v: Array) -> Array:
        return divided(attend_in_tiles(q, k, v, seen, 0.25, _TILE))

    (a, plain_bytes), (b, tiled_bytes) = (_held(f, (q, k, v)) for f in (plain, tiled))
    return {
        "tokens": length, "plain_bytes": plain_bytes, "tiled_bytes": tiled_bytes, "apart": float(jnp.max(jnp.abs(a - b))),
    }  # fmt: skip


def _held(f: Callable[..., Array], given: Sequence[Array]) -> tuple[Array, int]:
    """What a function returns, and the temporaries of its compiled program."""
    compiled: Any = jax.jit(f).lower(*given).compile(QUICK)
    return compiled(*given), int(compiled.memory_analysis().temp_size_in_bytes)
