"""The passes of the lab engine as compiled programs: one for riders, one for a piece of a prompt, in sizes of powers of two.

A pass runs the riders' program once and the other once for every prompt that it carries. Sizes are rounded up, so that a
server compiles a dozen programs when it starts and none later, and a pass takes the same time whoever is in it.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from headway.errors import InputError
from headway.lab.engine.pages import Seat
from headway.lab.engine.scheduling import Departure
from headway.lab.engine.settings import LEAST, rounded
from headway.lab.needs import QUICK
from headway.lab.networks import Network, head, looked_up, network, run_layer
from headway.lab.running import Pass
from headway.models import Architecture
from headway.simulation.limits import Limits

Array = Any
_COMPILED: dict[tuple[Network, int, int, int, int, int], Any] = {}  # of all engines of this process


class Programs:
    """A network with its weights, its KV pool, and its compiled passes.

    Parameters
    ----------
    model : Architecture
        At tiny widths.
    limits : Limits
        Of the engine: blocks, sequences, and tokens of a request.
    seed : int
        Of the random weights. [1]

    Raises
    ------
    InputError
        For a network with a recurrent state, which has no pages, or a vocabulary that is not all bytes.
    """

    def __init__(self, model: Architecture, limits: Limits, seed: int = 0) -> None:
        self.net, self.limits = network(model), limits
        if any(s.read is None for s in self.net.shapes):
            raise InputError(f"{model.name}: the lab engine serves attention with a paged cache, no recurrent states")
        if model.vocabulary != 256:
            raise InputError(
                f"{model.name}: the lab engine's tokens are the 256 bytes, not {model.vocabulary:,} tokens"
            )
        self.weights = jax.tree.map(jnp.asarray, self.net.weights(seed))
        self.columns = -(-limits.context // limits.block)
        self.pools = _pools(self.net, limits)

    def compile(self, longest: int) -> int:
        """Compile every program ahead; returns how many there are.

        Parameters
        ----------
        longest : int
            Piece of a prompt in a pass. [tokens]
        """
        sizes = [(1 << i, 1) for i in range(rounded(self.limits.sequences).bit_length())]
        sizes += [(1, 1 << i) for i in range(LEAST.bit_length() - 1, rounded(longest, LEAST).bit_length())]
        nobody = Seat(-1, [0], 1)
        for rows, tokens in sizes:  # each has run once: the first run of a program is slow
            self._run(rows, tokens, [(nobody, 0)])
        return len(sizes)

    def _program(self, rows: int, tokens: int) -> Any:
        key = (self.net, self.limits.blocks, self.limits.block, self.columns, rows, tokens)
        if key not in _COMPILED:
            shapes = [np.zeros((rows, self.columns + 1)), *[np.zeros((rows, tokens))] * 2, *[np.zeros(rows)] * 2]
            given = [jnp.asarray(x, jnp.int32) for x in shapes]

            net, size = self.net, self.limits.block  # and no weights: programs outlive an engine

            def run(weights: Any, pools: Any, *more: Array) -> tuple[Array, Any]:
                return _pass(net, weights, pools, size, *more)

            lowered: Any = jax.jit(run, donate_argnums=(1,)).lower(self.weights, self.pools, *given)
            _COMPILED[key] = lowered.compile(QUICK)
        return _COMPILED[key]

    def run(self, left: Departure) -> dict[int, Array]:
        """Run a pass; returns the logits of every request that makes a token. [tokens]

        Parameters
        ----------
        left : Departure
        """
        found: dict[int, Array] = {}
        if left.riders:
            rows = rounded(len(left.riders))
            logits = self._run(rows, 1, [(s, 0 if s.ended else 1) for s in left.riders])
            found |= {s.who: logits[i] for i, s in enumerate(left.riders) if not s.ended}
        for seat, new in left.chunks:
            logits = self._run(1, rounded(max(new, left.padded), LEAST), [(seat, new)])
            if seat.done + new == seat.known:
                found[seat.who] = logits[0]
        return found

    def _run(self, rows: int, tokens: int, seats: list[tuple[Seat, int]]) -> Any:
        """What does not belong to anybody goes to the last block, which is nobody's."""
        size, trash = self.limits.block, self.limits.blocks
        table = np.full((rows, self.columns + 1), trash, np.int32)
        given, lengths, last = np.zeros((rows, tokens), np.int32), np.zeros(rows, np.int32), np.zeros(rows, np.int32)
        positions = np.full((rows, tokens), self.columns * size, np.int32) + np.arange(tokens, dtype=np.int32) % size
        for i, (seat, new) in enumerate(seats):
            if new:
                table[i, : len(seat.blocks)] = seat.blocks[: self.columns]
                given[i, :new] = seat.tokens(new)
                positions[i, :new] = seat.done + np.arange(new)
                lengths[i], last[i] = seat.done, new - 1
        logits, self.pools = self._program(rows, tokens)(
            self.weights, self.pools, table, given, positions, lengths, last
        )
        return np.asarray(logits)


def _pools(net: Network, limits: Limits) -> list[Any]:
    """Entries of all blocks and of one more, layer by layer; windows are masked, not cut off."""
    rows, found = (limits.blocks + 1) * limits.block, list[Any]()
    for cache in net.cache(1, 1)["layers"]:
        one: dict[str, Any] = {}
        for name in ("read", "index"):
            if name in cache:
                kept = {k: v for k, v in cache[name].items() if k != "table"}
                one[name] = {k: jnp.zeros((rows, *v.shape[1:]), v.dtype) for k, v in kept.items()}
        found.append(one)
    return found


def _pass(
    net: Network, weights: Any, pools: list[Any], size: int, table: Array, tokens: Array, positions: Array, lengths: Array,
    last: Array,
) -> tuple[Array, list[Any]]:  # fmt: skip
    """Logits of the last token of each row, and the pools after it."""
    more = {"table": table, "offsets": jnp.arange(size)}
    layers: list[Any] = [{name: pool | more for name, pool in one.items()} for one in pools]
    p = Pass(lengths, positions, False)
    x = looked_up(net, weights, tokens, p.place)
    for i in range(len(net.shapes)):
        x = run_layer(net, i, weights["layers"][i], layers, x, p)
    x = jnp.take_along_axis(x, last[:, None, None], axis=1)
    logits = head(net, weights, x, p.place)[:, 0]
    return logits, [{n: {k: v for k, v in pool.items() if k not in more} for n, pool in one.items()} for one in layers]
