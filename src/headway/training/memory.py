"""What training keeps on the fullest chip: weights, gradients, optimizer states, activations by what is computed again, logits, buffers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from headway.catalog import catalogue
from headway.models import Architecture, Layer
from headway.parallel.sharding import fullest_stage, share_of, weight_share
from headway.parallel.steps import activation_bytes
from headway.training.iterations import parameters_held
from headway.training.passes import Attention
from headway.training.recipes import Recipe, States

_NORM_BYTES = 4  # of the statistics that a norm, or a row of softmax, keeps
_LOGIT_BYTES = 4  # losses are computed in 32 bits
_MASK_BYTES = 1  # of what dropout keeps of each number
_FEED = ("dense", "shared", "router", "expert")  # roles of a layer's second half


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """Bytes on the fullest chip of the stage that needs most.

    Attributes
    ----------
    weights, gradients, optimizer, activations, logits, temporaries, buffers : float
        Temporaries: of the layer that is gone back through, beyond the logits that were there a moment before. [bytes]
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
    temporaries: float
    buffers: float
    stage: int
    held: float

    @property
    def total(self) -> float:
        """All of it. [bytes]"""
        return sum(self.parts().values())

    def parts(self) -> dict[str, float]:
        """Return the parts by name. [bytes]"""
        names = ("weights", "gradients", "optimizer", "activations", "logits", "temporaries", "buffers")
        return {name: float(getattr(self, name)) for name in names}


@dataclass(frozen=True, slots=True)
class _Kept:
    """Numbers of a token that a layer keeps on one chip: whole ones, those that tp has sliced of each half, those of its experts.

    And what comes back from the experts, which is not kept.
    """

    whole: float
    attends: float
    feeds: float
    routed: float
    came: float

    @property
    def flying(self) -> float:
        """Gradients at once in the backward pass, of the wider half: one for each product that is kept, and of what experts gave."""
        return max(self.attends, self.feeds + self.routed + self.came)


def layer_bytes(
    model: Architecture, layer: Layer, recipe: Recipe, attention: Attention, dropout: bool = False, wide: float | None = None
) -> float:  # fmt: skip
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
    wide : float or None
        Of a number; None: the catalogue's `activation_bytes`. [bytes]

    Notes
    -----
    Inputs of every matrix product, what is between (products of gates, rows of softmax), and inputs of norms, in 16 bits: Korthikanti
    et al. 2022 (arXiv 2205.05198), s b h (34 + 5 a s/h) for a GPT layer with dropout. tp slices what its matrices are sliced of,
    the rest too with sequence parallelism. Of a mixture all experts, the router and the shared one have one input, and each
    expert its own copies of the tokens that come to it; their weights are multiplied before the last product, as in Megatron Core.
    """
    layout, wide = recipe.layout, activation_bytes() if wide is None else wide
    tokens, cut = _tokens(recipe), layout.tp if recipe.sequence_parallel else 1
    if recipe.recompute == "full":
        return tokens * model.hidden * wide / cut
    kept, norms = _kept(model, layer, recipe), _norms(model)
    masks = 2 * _MASK_BYTES * model.hidden if dropout else 0.0
    rest = (wide * (kept.whole + norms * model.hidden) + norms * _NORM_BYTES + masks) / cut
    sliced = wide * (kept.attends + kept.feeds + kept.routed)
    return tokens * (rest + sliced + _of_scores(layer, recipe, attention, dropout, wide))


def flying_bytes(
    model: Architecture, layer: Layer, recipe: Recipe, attention: Attention, wide: float | None = None
) -> float:
    """Return bytes of the gradients that lie beside a layer's activations while it is gone back through, on one chip.

    Parameters
    ----------
    model : Architecture
    layer : Layer
    recipe : Recipe
    attention : Attention
    wide : float or None
        Of a number; None: the catalogue's `activation_bytes`. [bytes]

    Notes
    -----
    That of the residual stream, and in the wider half of the layer one for each product that is kept: where a gated block goes
    back, those of its gate, of the other factor and of their product are there at once.
    """
    wide = activation_bytes() if wide is None else wide
    kept = _kept(model, layer, recipe)
    stream = model.hidden / (recipe.layout.tp if recipe.sequence_parallel else 1)
    scores = 0.0 if attention.fused else _of_scores(layer, replace(recipe, recompute="none"), attention, False, wide)
    return _tokens(recipe) * (wide * (stream + kept.flying) + scores)


def _tokens(recipe: Recipe) -> float:
    """Of a micro-batch on one chip. [tokens]"""
    return recipe.micro_batch * recipe.sequence / recipe.layout.cp


def _norms(model: Architecture) -> int:
    """Norms of a layer over the residual stream: four where outputs are normed, too (catalogue `lab_families`)."""
    return next((int(r["norms"]) for r in catalogue().table("lab_families").rows if r["name"] == model.family), 2)


def _kept(model: Architecture, layer: Layer, recipe: Recipe) -> _Kept:
    layout = recipe.layout
    whole = routed = came = 0.0
    halves = {True: 0.0, False: 0.0}  # feeds, attends
    inputs: set[tuple[bool, int, bool]] = set()
    for m in layer.linears:
        feeds = m.role in _FEED
        into = m.path.endswith(("o_proj", "down_proj", "out_proj", "c_proj", "fc2", "wo_a"))  # of what tp has sliced
        if m.role == "expert" and layer.experts:
            share = layer.experts.active * layout.dp * layout.cp / layout.stage_chips  # of tokens, each expert's
            mine = (True, m.inputs, True)  # copies, not the layer's own input
            routed += share * (m.inputs if into else (0 if mine in inputs else m.inputs) + m.outputs)
            inputs.add(mine)
            came += share * m.outputs if into else 0.0
        elif into:
            halves[feeds] += m.copies * m.inputs * weight_share(model, layout, m)
        else:
            key = (feeds, m.inputs, False)
            whole += 0.0 if key in inputs else m.inputs
            inputs.add(key)
            halves[feeds] += m.copies * m.outputs * weight_share(model, layout, m)
    return _Kept(whole, halves[False], halves[True], routed, came)


def _of_scores(layer: Layer, recipe: Recipe, attention: Attention, dropout: bool, wide: float) -> float:
    """Bytes of a token's scores, or of the statistics of its rows of softmax. [bytes]"""
    if not layer.attends:
        return 0.0
    heads = max((m.ways for m in layer.linears if m.role == "attention"), default=1)
    here = heads * share_of(heads, recipe.layout.tp)
    if attention.fused or recipe.recompute == "selective":
        return here * _NORM_BYTES
    return here * recipe.sequence * (wide + (wide + _MASK_BYTES if dropout else 0))


def training_memory(
    model: Architecture, recipe: Recipe, kept: States, attention: Attention, dropout: bool = False, wide: float | None = None
) -> TrainingMemory:  # fmt: skip
    """Return what the fullest chip holds at the peak of a step.

    Parameters
    ----------
    model : Architecture
        As of `headway.training.trainable`.
    recipe : Recipe
    kept : States
    attention : Attention
    dropout : bool
    wide : float or None
        Of a number between kernels; None: the catalogue's `activation_bytes`. [bytes]

    Notes
    -----
    The first stage keeps the most micro-batches: M with GPipe, at most as many as there are stages with 1F1B and zero-bubble, 1 +
    (P-1)/(P v) as much where v parts are interleaved (Narayanan et al. 2021). Beside them lie either the logits of the last stage
    (as they are, and in 32 bits) or, a moment later, the layer that is gone back through: its gradients, and what is computed again
    of it. `temporaries` are what the second takes beyond the first.
    """
    wide = activation_bytes() if wide is None else wide
    held = parameters_held(model, recipe)
    n = recipe.zero
    weights = held.sharded(n >= 3) * kept.weight
    gradients = held.sharded(n >= 2) * kept.gradient
    optimizer = held.sharded(n >= 1) * kept.optimizer
    largest = max((x for x in model.layers), key=lambda x: x.parameters)
    buffers = largest.parameters * kept.weight / recipe.layout.tp if n >= 3 else 0.0
    stages, m = recipe.layout.pp, recipe.micro_batches
    body = sum(
        fullest_stage(x.count, recipe.layout) * layer_bytes(model, x, recipe, attention, dropout, wide)
        for x in model.layers
    )
    flying = float(m if recipe.schedule == "gpipe" else min(stages, m))
    if recipe.schedule == "interleaved" and stages > 1:
        flying = min(flying * (1 + (stages - 1) / (stages * recipe.parts)), m)
    back = max(_gone_back_through(model, x, recipe, attention, dropout, wide) for x in model.layers)
    logits = _tokens(recipe) * model.vocabulary / recipe.layout.tp * (wide + _LOGIT_BYTES)
    first = body * flying + (max(back, logits) if stages == 1 else back)
    last = body * min(1.0, flying) + max(back, logits)
    here = (stages - 1, min(1.0, flying)) if stages > 1 and last > first else (0, flying)
    head = logits if stages == 1 or here[0] else 0.0
    return TrainingMemory(
        weights, gradients, optimizer, body * here[1], head, max(back - head, 0.0), buffers, here[0], here[1]
    )


def _gone_back_through(
    model: Architecture, layer: Layer, recipe: Recipe, attention: Attention, dropout: bool, wide: float
) -> float:
    """Gradients of a layer in its backward pass, and what of its activations is computed again. [bytes]"""
    whole = layer_bytes(model, layer, replace(recipe, recompute="none"), attention, dropout, wide)
    again = 0.0 if recipe.recompute == "none" else whole - (
        layer_bytes(model, layer, recipe, attention, dropout, wide) if recipe.recompute == "selective" else 0.0
    )  # fmt: skip
    return again + flying_bytes(model, layer, recipe, attention, wide)
