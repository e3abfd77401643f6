"""Networks on as many host devices as a layout has chips: what each holds, one compiled program, what came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from headway.lab.asked import asked_flops
from headway.lab.cache import cache_bytes, empty_cache
from headway.lab.compiled import Counted, counted
from headway.lab.needs import QUICK
from headway.lab.networks import Network, begun, forward
from headway.lab.place import AXES, Place, mapped
from headway.lab.running import Pass
from headway.lab.stages import Packing, layers_of, pack, stage_weights, staged
from headway.lab.weights import Weights, slices, weight_bytes

Array = Any


@dataclass(frozen=True)
class Ran:
    """One pass that was compiled, counted and run.

    Attributes
    ----------
    logits : array
        Of each sequence's last position. [batch, vocabulary] [1]
    counted : Counted
        XLA's counts, per chip.
    asked : dict
        FLOPs by row that the program asks for, per chip: of products, of the rest. [FLOP]
    seen : dict
        What was counted on the way, the mean over chips.
    rows : dict
        Rows of numbers that were counted: experts' choices by layer, copies of tokens by chip. [chips, ...] [1]
    met, reads : dict
        By row: query-key pairs that were multiplied, entries that were read from caches. [1, entries]
    """

    logits: Any
    counted: Counted
    asked: dict[str, tuple[float, float]]
    seen: dict[str, Any]
    rows: dict[str, Any]
    met: dict[str, int]
    reads: dict[str, int]


class _Program(NamedTuple):
    """A compiled pass, what was counted of it, and the pass as it was traced."""

    run: Any
    counted: Counted
    asked: dict[str, tuple[float, float]]
    traced: Pass


class Chips:
    """A network on the devices of a place, with the caches of `batch` sequences of up to `capacity` tokens.

    Parameters
    ----------
    net : Network
    weights : dict
        Whole.
    place : Place
    batch, capacity : int
        [sequences, tokens]
    """

    def __init__(self, net: Network, weights: Weights, place: Place, batch: int, capacity: int):
        self.net, self.place = net, place
        self._mesh = Mesh(np.array(jax.devices("cpu")[: place.chips]).reshape(place.ep, place.slices), AXES)
        n, each = place.chips, batch // place.dp
        self._packings: tuple[Packing, Packing] | None = None
        if place.way == "pp":
            held = stage_weights(weights, n)
            every = empty_cache(net.shapes, batch, capacity)["layers"]
            caches = [every[r.start : r.stop] for i in range(n) if (r := layers_of(i, len(every), n))]
            (first, self._weights), (second, self._caches) = pack(held), pack(caches)
            self._packings = first, second
            self.cache_bytes = max(cache_bytes({"layers": c}) for c in caches)
        else:
            held = slices(weights, net.shapes, place)
            one = empty_cache(net.shapes, each, capacity, place)
            self._weights = jax.tree.map(_stacked, *held)
            self._caches = mapped(lambda x: jnp.broadcast_to(x, (n, *x.shape)), one["layers"])
            self.cache_bytes = cache_bytes(one)
        self.weight_bytes = max(map(weight_bytes, held))
        self._lengths = jnp.zeros((n, each), jnp.int32)
        self._programs: dict[Any, _Program] = {}
        self._start = self._caches, self._lengths

    def holding(self, tokens: int) -> Chips:
        """Return itself as if so many tokens of each sequence, all alike, had been computed; what was compiled stays.

        Parameters
        ----------
        tokens : int
            0 empties the caches. [tokens]
        """
        self._caches, lengths = self._start
        self._lengths = jnp.full_like(lengths, tokens)
        return self

    @property
    def held(self) -> tuple[Any, Any]:
        """Caches and lengths as they are now."""
        return self._caches, self._lengths

    @held.setter
    def held(self, before: tuple[Any, Any]) -> None:
        self._caches, self._lengths = before

    def run(self, tokens: Any, routes: Any, fresh: bool, **more: Any) -> Ran:
        """Compile a pass (once), count it and run it; its entries are in the caches afterwards.

        Parameters
        ----------
        tokens : array
            New tokens of all sequences. [batch, tokens] [1]
        routes : array or None
            Experts of each token. [batch, tokens, experts of a token] [1]
        fresh : bool
            Nothing is cached yet.
        more
            Other attributes of `Pass`.
        """
        given = (
            self._weights, self._caches, self._lengths, self._cut(tokens, fresh),
            None if routes is None else self._cut(routes, fresh),
        )  # fmt: skip
        key = fresh, np.shape(tokens), routes is None, tuple(more.items())
        if key not in self._programs:
            self._programs[key] = self._compiled(given, fresh, more)
        program = self._programs[key]
        logits, self._caches, self._lengths, seen = program.run(*given)
        seen = {k: np.asarray(v, dtype=float) for k, v in seen.items()}
        mean = {k: v.sum(0) if self._packings else v.mean(0) for k, v in seen.items() if v.ndim == 1}
        rows = {k: v for k, v in seen.items() if v.ndim > 1}
        out = self._joined(np.asarray(logits), fresh)
        return Ran(
            out, program.counted, program.asked, mean, rows, dict(program.traced.met), dict(program.traced.reads)
        )

    def _compiled(self, given: tuple[Any, ...], fresh: bool, more: dict[str, Any]) -> _Program:
        kept: list[Pass] = []

        def one(weights: Any, caches: Any, lengths: Array, tokens: Array, routes: Any) -> Any:
            weights, caches, lengths, tokens, routes = mapped(_first, (weights, caches, lengths, tokens, routes))
            routes = None if routes is None else routes.reshape(-1, routes.shape[-1])
            with_routes = more | {"routes": routes}
            if self._packings:
                rows = weights, caches
                logits, caches, lengths, p = staged(
                    self.net, self._packings, rows, lengths, tokens, self.place, fresh, with_routes
                )
            else:
                p = begun(lengths, tokens, fresh, self.place, **with_routes)
                logits, cache = forward(self.net, weights, {"length": lengths, "layers": caches}, tokens, p)
                caches, lengths = cache["layers"], cache["length"]
            kept.append(p)
            return mapped(_alone, (logits, caches, lengths, p.seen))

        spec = PartitionSpec(AXES)
        program = jax.jit(jax.shard_map(one, mesh=self._mesh, in_specs=spec, out_specs=spec, check_vma=False))
        traced = program.trace(*given)
        compiled = traced.lower().compile(QUICK)
        return _Program(compiled, counted(compiled), asked_flops(traced.jaxpr), kept[-1])

    def _cut(self, x: Any, fresh: bool) -> Any:
        """What each chip has of the new tokens: sequences of its own, a piece of each prompt, or all."""
        n = self.place.chips
        if self.place.way == "dp":
            return np.stack(np.split(np.asarray(x), n, axis=0))
        if self.place.way == "cp" and fresh:
            return np.stack(np.split(np.asarray(x), n, axis=1))
        return np.stack([np.asarray(x)] * n)

    def _joined(self, logits: Any, fresh: bool) -> Any:
        """Logits of all sequences: from their own chips, the one with the end of the prompts, the last stage, or any."""
        if self.place.way == "dp":
            return logits.reshape(-1, logits.shape[-1])
        last = self.place.way == "pp" or (self.place.way == "cp" and fresh)
        return logits[-1 if last else 0, :, -1]


def _stacked(*leaves: Any) -> Any:
    return np.stack(leaves)


def _first(x: Any) -> Any:
    return x[0]


def _alone(x: Any) -> Any:
    return x[None]
