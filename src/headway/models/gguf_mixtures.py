"""llama.cpp's mixtures (``q4_k_m``, ``iq4_xs``, ...): which GGUF block each tensor is stored in (catalogue `gguf_rules`).

A mixture's bits per weight are a mean over all tensors, embedding and head included; which tensor gets more depends on the
layer, the number of KV heads and the number of experts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from headway.catalog import Catalogue, catalogue
from headway.models.formats import Format, number_format

_LAYER = re.compile(r"layers\.(\d+)\.")
# Readers keep Q, K and V apart; these families store them as one tensor, which llama.cpp treats as it does V.
_FUSED = ("falcon", "gpt2", "mpt", "bloom", "phi3", "dbrx", "chatglm", "gpt_neox", "phi", "starcoder")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the rules ask about a model.

    Attributes
    ----------
    layers, experts : int
        Layers; routed experts of a layer, 0 for none. [layers, experts]
    queries_per_kv : float
        Query heads that share a KV head. [heads]
    tied : bool
        The head is the embedding.
    family : str
        ``model_type``.
    """

    layers: int
    experts: int
    queries_per_kv: float
    tied: bool
    family: str


def is_mixture(name: str) -> bool:
    """Say whether a name is that of a llama.cpp mixture (``q4_k_m``, ``Q8_0``)."""
    return catalogue().table("gguf_mixtures").find(name) is not None


def mixture_name(name: str) -> str:
    """Return the catalogue's name of a mixture."""
    return catalogue().row("gguf_mixtures", name, "precision")[0]["name"]


def usual_format(mixture: str) -> Format:
    """Return the block that most tensors of a mixture are stored in."""
    return number_format(catalogue().row("gguf_mixtures", mixture, "precision")[0]["usual"])


class Mixture:
    """The tensors of one model under a mixture.

    Parameters
    ----------
    name : str
        Of the mixture.
    shape : Shape
    """

    def __init__(self, name: str, shape: Shape) -> None:
        self.rules = _rules(catalogue(), mixture_name(name))
        self.usual = usual_format(name)
        self.shape = shape

    def of(self, path: str, role: str, inputs: int) -> Format:
        """Return the format of a matrix.

        Parameters
        ----------
        path, role : str
            As in `Linear`.
        inputs : int
            Elements of a row, which blocks must divide. [1]
        """
        part = self._part(path, role)
        if part == "kept":
            return number_format("fp32")
        found = _LAYER.match(path)
        layer = int(found[1]) if found else 0
        chosen = self.usual
        for rule_part, when, name in self.rules:
            if rule_part == part and all(self._holds(w, layer, inputs) for w in when):
                chosen = self.usual if name == "usual" else number_format(name)
                break
        return _narrowed(chosen, inputs)

    def _part(self, path: str, role: str) -> str:
        if role in ("router", "conv"):
            return "kept"
        if role == "head" or (role == "embed" and self.shape.tied):
            return "output"
        if role == "embed":
            return "embedding"
        leaf = path.rsplit(".", 1)[-1]
        fused = self.shape.family in _FUSED and role == "attention" and leaf in ("q_proj", "k_proj", "v_proj")
        if fused or leaf in ("v_proj", "kv_b_proj", "in_proj_qkv"):
            return "attn_v"
        if role == "expert" and any(part == "expert" for part, _, _ in self.rules):
            return "expert"
        named = {"q_proj": "attn_q", "k_proj": "attn_k", "o_proj": "attn_output", "down_proj": "ffn_down"}
        return {**named, "gate_proj": "ffn_gate", "up_proj": "ffn_up"}.get(leaf, "other")

    def _holds(self, when: str, layer: int, inputs: int) -> bool:
        n, s = self.shape.layers, self.shape
        eighth, last = n // 8, 7 * n // 8
        known: dict[str, Callable[[], bool]] = {
            "more": lambda: layer < eighth or layer >= last or (layer - eighth) % 3 == 2,
            "eighth": lambda: layer < eighth,
            "sixteenth": lambda: layer < n // 16,
            "middle": lambda: eighth <= layer < last,
            "first=2": lambda: layer < 2,
            "first=4": lambda: layer < 4,
            "gqa>=4": lambda: s.queries_per_kv >= 4,
            "experts>=4": lambda: s.experts >= 4,
            "experts=8": lambda: s.experts == 8,
            "70b": lambda: n == 80 and s.queries_per_kv == 8,
            "falcon": lambda: s.family == "falcon",
            "uneven": lambda: inputs % self.usual.block != 0,
        }
        return known[when]()


@functools.lru_cache(maxsize=64)
def _rules(facts: Catalogue, mixture: str) -> tuple[tuple[str, tuple[str, ...], str], ...]:
    return tuple(
        (row["part"], tuple(row["when"].split("&")) if row["when"] else (), row["format"])
        for row in facts.table("gguf_rules").rows
        if row["mixture"] in ("*", mixture)
    )


def _narrowed(chosen: Format, inputs: int) -> Format:
    """Take the narrower block that llama.cpp falls back to where rows are no multiple of a block; 16 bits at the last."""
    if inputs % chosen.block == 0:
        return chosen
    rows = {row["format"]: row["narrower"] for row in catalogue().table("gguf_fallbacks").rows}
    name = rows.get(chosen.name)
    if name is None or inputs % number_format(name).block:
        return number_format("fp16")
    return number_format(name)
