"""What a model is, reduced to matrices, caches and states: Architecture and its parts, and the parameter counts.

Nothing here knows a chip, a batch or a price.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from headway.catalog import catalogue
from headway.models.formats import Format
from headway.models.parts import Attend, Experts, Layer, Linear, State
from headway.models.precision import Precision, uniform
from headway.models.reach import FULL


@dataclass(frozen=True, slots=True)
class Tower:
    """A vision or audio encoder beside the language model: weights that engines load.

    Attributes
    ----------
    kind : str
        ``vision`` or ``audio``.
    parameters : int
        Counted from its section of the config. [parameters]
    format : Format
    """

    kind: str
    parameters: int
    format: Format

    @property
    def bytes(self) -> float:
        """Stored bytes."""
        return self.parameters * self.format.bytes


@dataclass(frozen=True)
class Architecture:
    """A model: embedding, layers, head, and the facts that the config states about it.

    Attributes
    ----------
    layers : tuple of Layer
        Distinct kinds with their counts, in order of first appearance.
    mtp : tuple of Layer
        Multi-token-prediction layers, apart: not in totals, not in the step; their weights lie in memory.
    towers : tuple of Tower
        Vision and audio towers: in memory, not in totals, not in the step.
    final_parameters : int
        Parameters outside the layers that are no matrix (final norm, position table). [parameters]
    tables : tuple of Linear
        Matrices outside the layers beside embedding and head: per-layer embeddings, of which a token reads a row.
    side_by_side : bool
        Attention and feed-forward read the same input and their outputs are added together (GPT-J, Falcon, PaLM).
    notes : tuple of str
        What was left out or assumed, in words.
    kernel_counts : tuple of (str, int)
        Kernels that engines run for a part of a layer beside its matrix products (catalogue `kernel_counts`).
    order : tuple of int
        Place in `layers` of the kind of each layer, first layer to last. [1]
    """

    name: str
    family: str
    hidden: int
    vocabulary: int
    layers: tuple[Layer, ...]
    embedding: Linear
    head: Linear
    tied: bool
    max_context: int
    kv_format: Format
    precision: Precision
    mtp: tuple[Layer, ...] = ()
    final_parameters: int = 0
    tables: tuple[Linear, ...] = ()
    towers: tuple[Tower, ...] = ()
    side_by_side: bool = False
    notes: tuple[str, ...] = ()
    source: str = ""
    kernel_counts: tuple[tuple[str, int], ...] = ()
    order: tuple[int, ...] = ()

    def __hash__(self) -> int:
        """Hash once: an architecture is a key of every cache of steps, and a deep one."""
        found: int | None = self.__dict__.get("_hash")
        if found is None:
            parts = self.layers, self.embedding, self.head, self.mtp, self.towers
            found = hash((self.name, parts, self.kv_format, self.kernel_counts))
            object.__setattr__(self, "_hash", found)
        return found

    def kernels_of(self, part: str) -> int:
        """Kernels beside the matrix products of a part of a layer; what one costs is the calibration's `kernel_seconds`."""
        return next((n for name, n in self.kernel_counts if name == part), 0)

    @property
    def layer_count(self) -> int:
        """Number of layers."""
        return sum(x.count for x in self.layers)

    @property
    def attention_heads(self) -> int:
        """Into how many slices tensor parallelism can cut the attention matrices (query heads); 0 without attention."""
        return max((m.ways for x in self.layers for m in x.linears if m.role == "attention"), default=0)

    @property
    def experts(self) -> Experts | None:
        """Routing of the MoE layers, or None for a dense model."""
        return next((x.experts for x in self.layers if x.experts), None)

    @property
    def total_parameters(self) -> int:
        """Stored parameters (N_total), MTP layers and vision tower not counted, a tied head counted once."""
        body = sum(x.count * x.parameters for x in self.layers)
        head = self.head.outputs if self.tied and self.head.bias else 0 if self.tied else self.head.parameters
        return body + self.embedding.parameters + head + self.final_parameters + sum(t.parameters for t in self.tables)

    @property
    def active_parameters(self) -> float:
        """Parameters touched per token (N_active): all but the experts that are not chosen. Embeddings count."""
        idle = sum(x.count * (x.parameters - x.active_parameters) for x in self.layers)
        return self.total_parameters - idle

    @property
    def active_without_embedding(self) -> float:
        """Active parameters less the input embedding table (a look-up), which some publishers do not count."""
        return self.active_parameters - (0 if self.tied else self.embedding.parameters)

    @property
    def multiplied_parameters(self) -> float:
        """Parameters that are multiplied per token: active, the embedding look-up left out, a tied head included."""
        return sum(x.count * x.active_parameters for x in self.layers) + self.head.parameters

    @property
    def mtp_parameters(self) -> int:
        """Parameters of the multi-token-prediction layers."""
        return sum(x.count * x.parameters for x in self.mtp)

    @property
    def mtp_bytes(self) -> float:
        """Bytes of the multi-token-prediction layers."""
        return sum(x.count * x.stored_bytes(self.precision.base) for x in self.mtp)

    @property
    def loaded_bytes(self) -> float:
        """Bytes of everything that an engine loads: `weight_bytes`, towers and multi-token-prediction layers."""
        return self.weight_bytes + self.mtp_bytes + sum(t.bytes for t in self.towers)

    def loaded(self, *, towers: bool = True, mtp: bool = True) -> Architecture:
        """Return the model as an engine holds it that leaves out towers, or multi-token-prediction layers."""
        if (towers or not self.towers) and (mtp or not self.mtp):
            return self
        return replace(self, towers=self.towers if towers else (), mtp=self.mtp if mtp else ())

    @property
    def sparsity(self) -> float:
        """N_total / N_active, at least 1 (the transcript's meaning, lecture DIS-1)."""
        return self.total_parameters / self.active_parameters

    @property
    def weights_format(self) -> str:
        """Name of what the layers' matrices are stored in: a mixture's, or of each format that holds 5 % of them or more."""
        p = self.precision
        if p.mixture or not (p.rule_formats and p.weights == p.base):
            return p.mixture or p.weights.name
        held: dict[str, int] = {}
        for layer in self.layers:
            for matrix in layer.linears:
                held[matrix.format.name] = held.get(matrix.format.name, 0) + layer.count * matrix.parameters
        total = sum(held.values())
        return " + ".join(sorted((n for n in held if held[n] >= 0.05 * total), key=lambda n: -held[n]))

    @property
    def weight_bytes(self) -> float:
        """Bytes of all stored weights in their own formats."""
        base = self.precision.base
        ends = self.embedding.bytes + (0 if self.tied else self.head.bytes) + self.final_parameters * base.bytes
        return sum(x.count * x.stored_bytes(base) for x in self.layers) + ends + sum(t.bytes for t in self.tables)

    def narrow_states(self) -> Architecture:
        """Return the model with recurrent states in the format of their convolutions, where nothing says another."""

        def narrow(x: Layer) -> Layer:
            s = x.state
            return x if s is None or s.stated else replace(x, state=replace(s, format=s.conv_format))

        return replace(self, layers=tuple(map(narrow, self.layers)))

    def attends(self) -> Iterator[tuple[int, Attend]]:
        """Yield (number of layers, attention read) over all kinds of layer."""
        for layer in self.layers:
            for attend in layer.attends:
                yield layer.count, attend


def kernel_counts() -> tuple[tuple[str, int], ...]:
    """Return the catalogue's kernels for the parts of a layer, as `Architecture` has them."""
    return tuple((r["name"], int(r["kernels"])) for r in catalogue().table("kernel_counts").rows)


def stored_as(model: Architecture, weights: str) -> Architecture:
    """Return a model with every matrix that is usually quantised in another format, whatever its config says.

    Parameters
    ----------
    model : Architecture
    weights : str
        Name of a number format.
    """
    p = uniform(weights)

    def stored(x: Layer) -> Layer:
        return replace(x, linears=tuple(replace(m, format=p.of(m.path, m.role)) for m in x.linears))

    return replace(
        model, precision=replace(p, kv=model.kv_format), layers=tuple(map(stored, model.layers)), mtp=tuple(map(stored, model.mtp)),
        embedding=replace(model.embedding, format=p.base), head=replace(model.head, format=p.base),
        tables=tuple(replace(t, format=p.of(t.path, t.role)) for t in model.tables),
    )  # fmt: skip


def group(layers: list[Layer]) -> tuple[Layer, ...]:
    """Merge equal layers into kinds with counts, in order of first appearance."""
    counts: dict[Layer, int] = {}
    for layer in layers:
        counts[layer] = counts.get(layer, 0) + layer.count
    return tuple(replace(layer, count=n) for layer, n in counts.items())


def order(layers: list[Layer]) -> tuple[int, ...]:
    """Return the place of each layer's kind among those that `group` returns."""
    kinds = {layer: i for i, layer in enumerate(dict.fromkeys(layers))}
    return tuple(kinds[layer] for layer in layers for _ in range(layer.count))


__all__ = ["FULL", "Architecture", "Attend", "Experts", "Format", "Layer", "Linear", "Precision", "State", "group"]
