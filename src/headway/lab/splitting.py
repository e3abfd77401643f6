"""A stage's training program in three parts: forward, gradients of what came in, gradients of weights.

JAX's trace of output and gradients together is a list of operations. Those that do not depend on the slope that comes back are
the forward; of the others, those that the gradient of the input needs are the backward, and the rest is the weights' (the split
of zero-bubble schedules, Qi et al. 2023, arXiv 2401.10241). What one part computes and a later one uses is what a stage holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

Array = Any
Stage = Callable[[Any, Array, Array], Array]  # weights, input, tokens -> output


@dataclass(frozen=True, eq=False)
class Split:
    """A stage's three programs, on flat lists of arrays.

    Attributes
    ----------
    form : PyTreeDef
        Of the weights.
    """

    form: Any
    _weights: tuple[Any, ...]
    _input: Any
    _tokens: Any
    _slope: Any
    _output: Any
    _into: Any
    _onto: tuple[Any, ...]
    _consts: dict[Any, Any]
    _parts: tuple[list[Any], list[Any], list[Any]]
    _held: tuple[list[Any], list[Any]]

    def forward(self, weights: Any, tokens: Array, x: Array) -> tuple[Array, list[Array]]:
        """Return the output, and what the backward parts will need beside the weights.

        Parameters
        ----------
        weights : dict
        x : array
            Input. [1]
        tokens : array
            Of the micro-batch. [1]
        """
        known = self._known(weights, tokens) | {self._input: x}
        _run(self._parts[0], known)
        return _value(known, self._output), [known[v] for v in self._held[0]]

    def backward(self, weights: Any, tokens: Array, held: Sequence[Array], slope: Array) -> tuple[Array, list[Array]]:
        """Return the gradient of the input, and what the weights' part needs beside what is held already.

        Parameters
        ----------
        weights : dict
        held : sequence of array
            By the forward. [1]
        slope : array
            Gradient of the output. [1]
        tokens : array
            Of the micro-batch. [1]
        """
        known = self._known(weights, tokens) | dict(zip(self._held[0], held, strict=True)) | {self._slope: slope}
        _run(self._parts[1], known)
        return _value(known, self._into), [known[v] for v in self._held[1]]

    def onto_weights(self, weights: Any, tokens: Array, held: Sequence[Array], more: Sequence[Array]) -> Any:
        """Return the gradients of the weights.

        Parameters
        ----------
        weights : dict
        held, more : sequence of array
            By the forward, and by the backward. [1]
        tokens : array
            Of the micro-batch. [1]
        """
        known = (
            self._known(weights, tokens)
            | dict(zip(self._held[0], held, strict=True))
            | dict(zip(self._held[1], more, strict=True))
        )
        _run(self._parts[2], known)
        return jax.tree.unflatten(self.form, [_value(known, v) for v in self._onto])

    def _known(self, weights: Any, tokens: Array) -> dict[Any, Any]:
        return self._consts | {self._tokens: tokens} | dict(zip(self._weights, jax.tree.leaves(weights), strict=True))


def split(stage: Stage, weights: Any, x: Array, tokens: Array) -> Split:
    """Return a stage's program in its three parts.

    Parameters
    ----------
    stage : callable
        (weights, input, tokens) -> output.
    weights : dict
    x : array
        An input like those that will come. [1]
    tokens : array
        Of a micro-batch; no gradient goes there. [1]
    """
    leaves, form = jax.tree.flatten(weights)

    def both(leaves: list[Array], x: Array, tokens: Array, slope: Array) -> tuple[Array, Any, Array]:
        def run(weights: Any, x: Array) -> Array:
            return stage(weights, x, tokens)

        out, back = jax.vjp(run, jax.tree.unflatten(form, leaves), x)
        onto, into = back(slope)
        return out, jax.tree.leaves(onto), into

    slope = jnp.ones_like(jax.eval_shape(stage, weights, x, tokens))
    closed = jax.make_jaxpr(both)(leaves, x, tokens, slope)
    given, outs, n = list(closed.jaxpr.invars), list(closed.jaxpr.outvars), len(leaves)
    consts = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    eqns = _needed(closed.jaxpr.eqns, outs)
    late = {given[n + 2]}
    for eqn in eqns:
        if any(v in late for v in _vars(eqn.invars)):
            late.update(eqn.outvars)
    ahead = [e for e in eqns if e.outvars[0] not in late]
    after = [e for e in eqns if e.outvars[0] in late]
    back = _needed(after, outs[-1:])
    kept = set(map(id, back))
    rest = [e for e in after if id(e) not in kept]
    from_ahead = _made(ahead, [given[n]])
    from_back = _made(back, [given[n + 2]])
    later, last = (
        _vars([v for e in after for v in e.invars] + outs[1:]),
        _vars([v for e in rest for v in e.invars] + outs[1:-1]),
    )
    return Split(
        form, tuple(given[:n]), given[n], given[n + 1], given[n + 2], outs[0], outs[-1], tuple(outs[1:-1]), consts, (ahead, back, rest),
        ([v for v in from_ahead if v in later], [v for v in from_back if v in last]),
    )  # fmt: skip


def _needed(eqns: Sequence[Any], outs: Iterable[Any]) -> list[Any]:
    """The operations that some outputs need, in order."""
    live, found = _vars(outs), list[Any]()
    for eqn in reversed(eqns):
        if any(v in live for v in eqn.outvars):
            found.append(eqn)
            live |= _vars(eqn.invars)
    return found[::-1]


def _vars(several: Iterable[Any]) -> set[Any]:
    """Variables without the literals among them."""
    return {v for v in several if not hasattr(v, "val")}


def _made(eqns: Sequence[Any], given: Sequence[Any]) -> list[Any]:
    return [*given, *(v for e in eqns for v in e.outvars)]


def _value(known: dict[Any, Any], v: Any) -> Any:
    return v.val if hasattr(v, "val") else known[v]


def _run(eqns: Sequence[Any], known: dict[Any, Any]) -> None:
    """Compute operations in order."""
    for eqn in eqns:
        named = eqn.primitive.get_bind_params(eqn.params)
        functions, named = named if isinstance(named, tuple) else ((), named)  # older versions give both
        found = eqn.primitive.bind(*functions, *(_value(known, v) for v in eqn.invars), **named)
        known.update(zip(eqn.outvars, found if eqn.primitive.multiple_results else [found], strict=True))
