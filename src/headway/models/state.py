"""Layers with a fixed-size recurrent state in place of a growing cache: gated delta net, KDA, Mamba-2."""

from __future__ import annotations

from headway.catalog import catalogue
from headway.models.architecture import Linear, State
from headway.models.precision import Format


def state_flops(law: str, elements: float) -> float:
    """Return FLOPs per token of a recurrent state (catalogue `state_laws`).

    Parameters
    ----------
    law : str
        ``delta rule`` or ``selective``.
    elements : float
        Of the state matrix. [1]
    """
    row, _ = catalogue().row("state_laws", law, "state law")
    return float(row["flops_per_element"]) * elements


def gated_delta_net(
    hidden: int, key_heads: int, value_heads: int, key_dim: int, value_dim: int, kernel: int, state_format: Format
) -> tuple[tuple[Linear, ...], State, int]:
    """Build a gated delta net layer (Yang et al. 2024, arXiv 2412.06464; Qwen3-Next, Qwen3.5).

    State: value_heads matrices of key_dim x value_dim; a short convolution over Q, K and V of `kernel` taps.

    Parameters
    ----------
    hidden, key_heads, value_heads, key_dim, value_dim : int
        Width of the layer; numbers and widths of heads. [1]
    kernel : int
        Taps of the short convolution. [tokens]
    state_format : Format

    Returns
    -------
    linears, state, vectors : tuple, State, int
        Matrices, recurrent state, and parameters of vectors (decay, time step, output norm).
    """
    keys, values = key_heads * key_dim, value_heads * value_dim
    linears = (
        Linear("linear_attn.in_proj_qkv", "state", hidden, 2 * keys, ways=key_heads),
        Linear("linear_attn.in_proj_qkv", "state", hidden, values, ways=value_heads),
        Linear("linear_attn.in_proj_z", "state", hidden, values, ways=value_heads),
        Linear("linear_attn.in_proj_b", "state", hidden, value_heads, ways=value_heads),
        Linear("linear_attn.in_proj_a", "state", hidden, value_heads, ways=value_heads),
        Linear("linear_attn.conv1d", "conv", kernel, 2 * keys + values, ways=key_heads),
        Linear("linear_attn.out_proj", "state", values, hidden, ways=value_heads),
    )
    elements = float(value_heads * key_dim * value_dim)
    conv = float((kernel - 1) * (2 * keys + values))
    state = State(elements, conv, state_flops("delta rule", elements), value_heads, state_format)
    return linears, state, 2 * value_heads + value_dim


def mamba2(
    hidden: int,
    heads: int,
    head_dim: int,
    groups: int,
    state_size: int,
    kernel: int,
    state_format: Format,
    *,
    conv_bias: bool = True,
    module: str = "mixer",
) -> tuple[tuple[Linear, ...], State, int]:
    """Build a Mamba-2 layer (Dao and Gu 2024, arXiv 2405.21060).

    One input projection yields gate, x, B, C and time steps; a short convolution runs over x, B and C.

    Parameters
    ----------
    hidden, heads, head_dim : int
        Width of the layer; number and width of heads. [1]
    groups, state_size : int
        Groups of heads that share B and C; width of each B and C. [1]
    kernel : int
        Taps of the short convolution. [tokens]
    state_format : Format
    conv_bias : bool
        Bias on the convolution.
    module : str
        Module path.

    Returns
    -------
    linears, state, vectors : tuple, State, int
    """
    inner = heads * head_dim
    mixed = inner + 2 * groups * state_size
    linears = (
        Linear(f"{module}.in_proj", "state", hidden, 2 * inner + heads, ways=heads),
        Linear(f"{module}.in_proj", "state", hidden, mixed - inner, ways=groups),  # B and C: copied beyond the groups
        Linear(f"{module}.conv1d", "conv", kernel, mixed, bias=conv_bias, ways=groups),
        Linear(f"{module}.out_proj", "state", inner, hidden, ways=heads),
    )
    elements = float(inner * state_size)
    state = State(elements, float((kernel - 1) * mixed), state_flops("selective", elements), heads, state_format)
    return linears, state, 3 * heads + inner


def kimi_delta(
    hidden: int, heads: int, head_dim: int, kernel: int, state_format: Format, *, full_rank_gate: bool = False
) -> tuple[tuple[Linear, ...], State, int]:
    """Build a Kimi Delta Attention layer: a delta rule with a decay per channel (Kimi Linear, arXiv 2510.26692).

    Decay and output gate are low-rank (hidden -> head_dim -> heads x head_dim) unless the gate is full rank.

    Parameters
    ----------
    hidden, heads, head_dim : int
        Width of the layer; number and width of heads. [1]
    kernel : int
        Taps of the short convolutions. [tokens]
    state_format : Format
    full_rank_gate : bool
        One matrix for the output gate instead of two.

    Returns
    -------
    linears, state, vectors : tuple, State, int
    """
    width = heads * head_dim
    wide = tuple(Linear(f"self_attn.{n}_proj", "state", hidden, width, ways=heads) for n in "qkv")
    convs = tuple(Linear(f"self_attn.{n}_conv1d", "conv", kernel, width, ways=heads) for n in "qkv")
    decay = (
        Linear("self_attn.f_a_proj", "state", hidden, head_dim, ways=1),
        Linear("self_attn.f_b_proj", "state", head_dim, width, ways=heads),
        Linear("self_attn.b_proj", "state", hidden, heads, ways=heads),
    )
    gate = (
        (Linear("self_attn.g_proj", "state", hidden, width, ways=heads),)
        if full_rank_gate
        else (
            Linear("self_attn.g_a_proj", "state", hidden, head_dim, ways=1),
            Linear("self_attn.g_b_proj", "state", head_dim, width, ways=heads),
        )
    )
    out = (Linear("self_attn.o_proj", "state", width, hidden, ways=heads),)
    elements = float(width * head_dim)
    state = State(
        elements, 3.0 * (kernel - 1) * width, state_flops("delta rule", elements), heads, state_format, stated=True
    )
    return (*wide, *convs, *decay, *gate, *out), state, heads + width + head_dim


def mamba1(
    hidden: int, inner: int, state_size: int, kernel: int, rank: int, state_format: Format, *, bias: bool = False,
    conv_bias: bool = True, module: str = "mixer",
) -> tuple[tuple[Linear, ...], State, int]:  # fmt: skip
    """Build a Mamba layer (Gu and Dao 2023, arXiv 2312.00752): a state of `state_size` for each of `inner` channels.

    Parameters
    ----------
    hidden, inner, state_size : int
        Widths of the layer, of its inside, and of a channel's state. [1]
    kernel, rank : int
        Taps of the short convolution; width of the time step's low-rank projection. [tokens, 1]
    state_format : Format
    bias, conv_bias : bool
        On the projections in and out; on the convolution.
    module : str
        Module path.

    Returns
    -------
    linears, state, vectors : tuple, State, int
        Matrices, recurrent state, and parameters of A and D.
    """
    linears = (
        Linear(f"{module}.in_proj", "state", hidden, 2 * inner, bias=bias),
        Linear(f"{module}.conv1d", "conv", kernel, inner, bias=conv_bias),
        Linear(f"{module}.x_proj", "state", inner, rank + 2 * state_size),
        Linear(f"{module}.dt_proj", "state", rank, inner, bias=True),
        Linear(f"{module}.out_proj", "state", inner, hidden, bias=bias),
    )
    elements = float(inner * state_size)
    state = State(elements, float((kernel - 1) * inner), state_flops("selective", elements), inner, state_format)
    return linears, state, inner * state_size + inner


def lightning(hidden: int, heads: int, head_dim: int, state_format: Format) -> tuple[tuple[Linear, ...], State, int]:
    """Build lightning attention (MiniMax-01, arXiv 2501.08313): linear attention with a fixed decay and an output gate.

    Parameters
    ----------
    hidden, heads, head_dim : int
        Width of the layer; number and width of heads. [1]
    state_format : Format

    Returns
    -------
    linears, state, vectors : tuple, State, int
    """
    width = heads * head_dim
    linears = (
        *(Linear(f"self_attn.{n}_proj", "state", hidden, width, ways=heads) for n in "qkv"),
        Linear("self_attn.output_gate", "state", hidden, width, ways=heads),
        Linear("self_attn.out_proj", "state", width, hidden, ways=heads),
    )
    elements = float(heads * head_dim * head_dim)
    return linears, State(elements, 0.0, state_flops("selective", elements), heads, state_format, stated=True), width


def rwkv7(
    hidden: int, head_dim: int, ranks: tuple[int, int, int, int], state_format: Format, *, first: bool = False
) -> tuple[tuple[Linear, ...], State, int]:
    """Build the time mixing of RWKV-7 (Peng et al. 2025, arXiv 2503.14456): a delta rule whose rates are low-rank.

    Parameters
    ----------
    hidden, head_dim : int
        Width of the layer and of a head. [1]
    ranks : tuple of int
        Of decay, learning rate, value residual and gate. [1]
    state_format : Format
    first : bool
        The first layer has no value residual.

    Returns
    -------
    linears, state, vectors : tuple, State, int
    """
    heads = hidden // head_dim
    wide = tuple(Linear(f"attn.{n}_proj", "state", hidden, hidden, ways=heads) for n in ("r", "k", "v", "o"))
    names = ("w", "a", "v", "g")
    low = tuple(
        Linear(f"attn.{n}_lora.{i}", "state", *shape, ways=1)
        for n, rank in zip(names, ranks, strict=True)
        for i, shape in ((0, (hidden, rank)), (2, (rank, hidden)))
        if not (first and n == "v")
    )
    elements = float(hidden * head_dim)
    state = State(elements, 2.0 * hidden, state_flops("delta rule", elements), heads, state_format, stated=True)
    biases = (2 if first else 3) * hidden  # of decay, learning rate and value residual
    return (*wide, *low), state, 6 * hidden + 3 * hidden + 2 * hidden + biases
