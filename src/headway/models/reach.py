"""How far one layer's attention reaches: which cache entries a new token reads, and which are kept (lecture 2.2, SYS-B4).

KV cache is a function of context per kind of layer, never a scalar (design rule 4). The same functions serve
capacity, bandwidth and price.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from headway.numeric import larger, plain, root, smaller

Real = Any  # a float or a NumPy array; everything broadcasts
Kind = Literal["full", "window", "chunk", "top-k", "sqrt", "fraction"]

_SAYS = {
    "full": "every earlier token",
    "window": "the last {width:.0f} tokens",
    "chunk": "its own chunk of {width:.0f} tokens",
    "top-k": "the {width:.0f} best-scored entries",
    "sqrt": "{scale:g} x the square root of the context",
    "fraction": "{scale:.3g} of the context",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """One read law.

    Attributes
    ----------
    kind : str
        ``full``, ``window``, ``chunk``, ``top-k``, ``sqrt`` or ``fraction``.
    width : float
        Window, chunk or k, in cache entries. [1]
    ratio : float
        Above 1 where the cache is compressed. [tokens/entry]
    scale : float
        The constant of the ``sqrt`` law, or the share of the ``fraction`` law. [1, share]
    """

    kind: Kind = "full"
    width: float = float("inf")
    ratio: float = 1.0
    scale: float = 1.0

    @property
    def slides(self) -> bool:
        """Whether entries leave it: only the last of them, or those of a chunk, are kept."""
        return self.kind in ("window", "chunk")

    def entries(self, context: Real) -> Real:
        """Return the cache entries that one new token reads at `context` cached tokens.

        Parameters
        ----------
        context : float or array
            Tokens of the sequence so far. [tokens]

        Notes
        -----
        full: L; window: min(L, w); top-k: min(L, k); sqrt: c sqrt(L); fraction: s L, s being `scale` (lecture 2.2: 1/s of the context).
        chunk (attention inside blocks of w): min(L, w/2), the mean over positions once a chunk has filled.
        With a compressed cache L is first divided by `ratio`.
        """
        n = context if self.ratio == 1 else context / self.ratio
        match self.kind:
            case "full":
                return n
            case "window" | "top-k":
                return smaller(n, self.width)
            case "chunk":
                return smaller(n, self.width / 2)
            case "sqrt":
                return smaller(n, self.scale * root(n))
            case "fraction":
                return n * self.scale

    def stored(self, context: Real) -> Real:
        """Return the entries kept per sequence: sparse reading alone frees no memory, a window does (lecture 2.2).

        Parameters
        ----------
        context : float or array
            Tokens of the sequence so far. [tokens]
        """
        n = context if self.ratio == 1 else context / self.ratio
        return smaller(n, self.width) if self.slides else n

    def read(self, new: Real, context: Real) -> Real:
        """Return the distinct cached entries that a pass of `new` tokens per sequence reads at `context`.

        Neighbouring queries share a window; each query of a selecting law picks its own, so their union grows with
        `new` up to everything stored.

        Parameters
        ----------
        new, context : float or array
            Per sequence: new tokens; tokens in the cache before them. [tokens]
        """
        once = self.entries(context)
        if self.kind in ("full", "window", "chunk"):
            return once
        return smaller(self.stored(context), once * larger(new, 1))

    def pairs(self, new: Real, context: Real) -> Real:
        """Return query-key pairs of `new` tokens after `context` cached ones: the sum of entries(context + i), i=1..new.

        A token attends to itself, hence context + 1 for one new token under full attention (causal, not the square).

        Parameters
        ----------
        new, context : float or array
            Per sequence: new tokens; tokens in the cache before them. [tokens]
        """
        if self.kind == "full":
            return new * (new + 2 * context + 1) / 2 / self.ratio
        if self.kind == "chunk":
            return self._chunked(new, context)
        return self._summed(context + new) - self._summed(context)

    def _chunked(self, new: Real, context: Real) -> Real:
        """Pairs inside chunks: the first chunk of a prompt to the pair, later ones and single tokens at their mean."""
        width = self.width

        def within(x: Real) -> Real:
            first = smaller(x, width)
            return first * (first + 1) / 2 + (x - first) * (width + 1) / 2

        several = (within(context + new) - within(context)) / self.ratio
        single = (self._summed(context + new) - self._summed(context)) if plain(new) or np.any(new <= 1) else several
        if plain(new):
            return several if new > 1 else single
        return np.where(new > 1, several, single)

    def _summed(self, x: Real) -> Real:
        """Sum of entries(i) for i = 1..x."""
        match self.kind:
            case "full" | "fraction":
                return x * (x + 1) / 2 / self.ratio * self.scale
            case "window" | "top-k" | "chunk":
                most = (self.width / 2 if self.kind == "chunk" else self.width) * self.ratio
                inside = smaller(x, most)
                return (inside * (inside + 1) / 2 + (x - inside) * most) / self.ratio
            case "sqrt":
                return smaller(x * (x + 1) / 2, self.scale * 2 / 3 * (x + 0.5) ** 1.5 / self.ratio**0.5)

    def __str__(self) -> str:
        text = _SAYS[self.kind].format(width=self.width, scale=self.scale)
        return text if self.ratio == 1 else f"{text}, one entry per {self.ratio:g} tokens"


FULL = Reach()
