"""What training keeps on the fullest chip: weights, gradients, optimizer states, activations by what is computed again, logits, buffers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from headway.models import Architecture, Layer
from headway.parallel.sharding import fullest_stage, share_of, weight_share
from headway.parallel.steps import activation_bytes
from headway.training.iterations import parameters_held
from headway.training.passes import Attention
from headway.training.recipes import Recipe, States

_NORM_BYTES = 4  # of the statistics that a norm, or a row of softmax, keeps
_LOGIT_BYTES = 4  # losses are computed in 32 bits
_MASK_BYTES = 1  # of what dropout keeps of each number


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """Bytes on the fullest chip of the stage that needs most.

    Attributes
    ----------
    weights, gradients, optimizer, activations, logits, buffers : float
        [bytes]
    stage : int
        Which stage, from 0. [1]
    held : float
        Micro-batches whose activations it keeps. [1]
    """

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    buffers: float
    stage: int
    held: float

    @property
    def total(self) -> float:
        """All of it. [bytes]"""
        return self.weights + self.gradients + self.optimizer + self.activations + self.logits + self.buffers

    def parts(self) -> dict[str, float]:
        """Return the parts by name. [bytes]"""
        names = ("weights", "gradients", "optimizer", "activations", "logits", "buffers")
        return {name: float(getattr(self, name)) for name in names}


def layer_bytes(
    model: Architecture, layer: Layer, recipe: Recipe, attention: Attention, dropout: bool = False
) -> float:
    """Return bytes of activations that a layer keeps for its backward pass, of one micro-batch on one chip.

    Parameters
    ----------
    model : Architecture
    layer : Layer
    recipe : Recipe
    attention : Attention
        Scores are kept where they go through memory.
    dropout : bool
        Attention and both outputs are dropped out, which keeps masks.

    Notes
    -----
    Inputs of every matrix product, what is between (products of gates, rows of softmax), and inputs of norms, in 16 bits: Korthikanti
    et al. 2022 (arXiv 2205.05198), s b h (34 + 5 a s/h) for a GPT layer with dropout. tp slices what its matrices are sliced of,
    the rest too with sequence parallelism.
    """
    layout, wide = recipe.layout, activation_bytes()
    tokens = recipe.micro_batch * recipe.sequence / layout.cp
    if recipe.recompute == "full":
        return tokens * model.hidden * wide / (layout.tp if recipe.sequence_parallel else 1)
    whole = sliced = routed = 0.0
    inputs: set[tuple[str, int, bool]] = set()
    for m in layer.linears:
        into = m.path.endswith(("o_proj", "down_proj", "out_proj", "c_proj", "fc2", "wo_a"))  # of what tp has sliced
        key = (m.role, m.inputs, into)
        fresh = key not in inputs
        inputs.add(key)
        if m.role == "expert" and layer.experts:
            share = (
                layer.experts.active * layout.dp * layout.cp / layout.stage_chips * layout.tp
            )  # of tokens, each expert's
            routed += share / layout.tp * wide * (_through(m.inputs, m.outputs, into, fresh))
        elif into:
            sliced += m.copies * wide * m.inputs * weight_share(model, layout, m) * layout.tp
        else:
            whole += wide * m.inputs if fresh else 0.0
            sliced += m.copies * wide * m.outputs * weight_share(model, layout, m) * layout.tp
    norms = 2 * (wide * model.hidden + _NORM_BYTES)
    masks = 2 * _MASK_BYTES * model.hidden if dropout else 0.0
    rest = (whole + norms + masks) / (layout.tp if recipe.sequence_parallel else 1)
    return tokens * (rest + sliced / layout.tp + routed + _of_scores(layer, recipe, attention, dropout))


def _through(inputs: int, outputs: int, into: bool, fresh: bool) -> float:
    """Numbers that an expert's matrix keeps of a token: its input where no other matrix shares it, its output where another follows."""
    return inputs if into else (inputs if fresh else 0) + outputs


def _of_scores(layer: Layer, recipe: Recipe, attention: Attention, dropout: bool) -> float:
    """Bytes of a token's scores, or of the statistics of its rows of softmax. [bytes]"""
    if not layer.attends:
        return 0.0
    heads = max((m.ways for m in layer.linears if m.role == "attention"), default=1)
    here = heads * share_of(heads, recipe.layout.tp)
    if attention.fused or recipe.recompute == "selective":
        return here * _NORM_BYTES
    return here * recipe.sequence * (activation_bytes() + (activation_bytes() + _MASK_BYTES if dropout else 0))


def training_memory(
    model: Architecture, recipe: Recipe, kept: States, attention: Attention, dropout: bool = False
) -> TrainingMemory:
    """Return what the fullest chip holds at the peak of a step.

    Parameters
    ----------
    model : Architecture
        As of `headway.training.trainable`.
    recipe : Recipe
    kept : States
    attention : Attention
    dropout : bool

    Notes
    -----
    The first stage keeps the most micro-batches: M with GPipe, at most as many as there are stages with 1F1B and zero-bubble, 1 +
    (P-1)/(P v) as much where v parts are interleaved (Narayanan et al. 2021). With recomputation one layer's activations lie
    beside the kept inputs. The last stage has logits, in 16 bits and in 32.
    """
    held = parameters_held(model, recipe)
    n = recipe.zero
    weights = held.sharded(n >= 3) * kept.weight
    gradients = held.sharded(n >= 2) * kept.gradient
    optimizer = held.sharded(n >= 1) * kept.optimizer
    largest = max((x for x in model.layers), key=lambda x: x.parameters)
    buffers = largest.parameters * kept.weight / recipe.layout.tp if n >= 3 else 0.0
    stages, m = recipe.layout.pp, recipe.micro_batches
    body = sum(
        fullest_stage(x.count, recipe.layout) * layer_bytes(model, x, recipe, attention, dropout) for x in model.layers
    )
    flying = float(m if recipe.schedule == "gpipe" else min(stages, m))
    if recipe.schedule == "interleaved" and stages > 1:
        flying = min(flying * (1 + (stages - 1) / (stages * recipe.parts)), m)
    again = _one_layer(model, recipe, attention, dropout)
    tokens = recipe.micro_batch * recipe.sequence / recipe.layout.cp
    logits = tokens * model.vocabulary / recipe.layout.tp * (activation_bytes() + _LOGIT_BYTES)
    first = body * flying + again + (logits if stages == 1 else 0.0)
    last = body * min(1.0, flying) + again + logits
    if stages > 1 and last > first:
        return TrainingMemory(weights, gradients, optimizer, last - logits, logits, buffers, stages - 1, 1.0)
    at_first = logits if stages == 1 else 0.0
    return TrainingMemory(weights, gradients, optimizer, first - at_first, at_first, buffers, 0, flying)


def _one_layer(model: Architecture, recipe: Recipe, attention: Attention, dropout: bool) -> float:
    """Activations of the layer that is computed again, whole. [bytes]"""
    if recipe.recompute == "none":
        return 0.0
    whole = replace(recipe, recompute="none")
    return max(layer_bytes(model, x, whole, attention, dropout) for x in model.layers)
