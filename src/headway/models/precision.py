"""Which module of a model is stored in which number format, by rules of a config or of an option."""

from __future__ import annotations

from dataclasses import dataclass

from headway.models.formats import UNSTATED, Format, integers, number_format
from headway.models.gguf_mixtures import is_mixture, mixture_name, usual_format
from headway.models.patterns import NONE, Patterns

# Roles that stay in 16 bits unless the config names them: engines and checkpoints do not quantise them.
KEPT = ("embed", "head", "router", "conv")


@dataclass(frozen=True)
class Precision:
    """Which format each module is stored in, and the KV cache.

    Attributes
    ----------
    base : Format
        Everything that is not quantised.
    weights : Format
        The quantised modules.
    kv : Format
        The KV cache.
    rules : Patterns
        Of modules with a format of their own, in order: the first that matches decides.
    rule_formats : tuple of Format
        One for each of `rules`.
    only : tuple of str
        Roles that are quantised; empty means every role but those of `kept`.
    kept : tuple of str
        Roles that stay in `base` unless a rule names them.
    mixture : str
        A llama.cpp mixture (``q4_k_m``): formats by tensor, see `gguf_mixtures`.
    """

    base: Format
    weights: Format
    kv: Format
    rules: Patterns = NONE
    rule_formats: tuple[Format, ...] = ()
    only: tuple[str, ...] = ()
    kept: tuple[str, ...] = KEPT
    mixture: str = ""
    source: str = "config.json"

    def of(self, path: str, role: str) -> Format:
        """Return the format of the module at `path` (``layers.3.self_attn.q_proj``) with that `role`."""
        chosen = self.rules.first(path)
        if chosen is not None:
            return self.rule_formats[chosen]
        if role in self.kept or (self.only and role not in self.only):
            return self.base
        return self.weights


def uniform(weights: str, source: str = "option") -> Precision:
    """Return the precision that stores every large matrix in `weights`; embeddings, head and router stay 16-bit.

    A llama.cpp mixture (``q4_k_m``) stores every tensor in a format of its own, embeddings and head too.
    """
    base = number_format("bf16")
    if is_mixture(weights):
        name = mixture_name(weights)
        return Precision(number_format("fp32"), usual_format(name), base, mixture=name, source=source)
    return Precision(base, number_format(weights), base, source=source)


__all__ = ["KEPT", "UNSTATED", "Format", "Patterns", "Precision", "integers", "number_format", "uniform"]
