"""Vision and audio towers: parameters counted from their sections of config.json. Engines load them; no token goes through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headway.errors import InputError, quoted, slips
from headway.models.architecture import Tower
from headway.models.formats import Format

# Encoders whose feed-forward block has three matrices.
_GATED = (
    "pixtral",
    "qwen2_5_vl",
    "qwen2_5_vl_vision",
    "glm4v",
    "glm4v_vision",
    "glm4v_moe",
    "glm4v_moe_vision",
    "aimv2",
)
_CHANNELS = 3
# Keys that resemble one that is read, and are another.
_KNOWN = frozenset((
    "num_hidden_layers", "hidden_size", "intermediate_size", "patch_size", "image_size", "temporal_patch_size", "spatial_merge_size",
    "out_hidden_size", "num_layers", "depth", "embed_dim", "width", "mlp_ratio", "num_position_embeddings", "encoder_layers", "d_model",
    "encoder_ffn_dim", "decoder_layers", "decoder_ffn_dim", "projection_dim", "vision_output_dim", "spatial_patch_size", "vt_hidden_size",
    "vt_intermediate_size", "vt_num_hidden_layers", "mlp_hidden_size", "num_attention_layers", "num_heads", "layers", "output_dim",
    "num_channels", "in_channels", "out_channels", "window_size", "text_hidden_size", "mm_hidden_size", "model_type", "merge_kernel_size",
    "init_pos_emb_height", "init_pos_emb_width", "init_pos_emb_time", "max_position_embeddings", "position_embedding_size",
    "attention_hidden_size", "conf_num_hidden_layers", "num_global_layers", "intermediate_layers_indices",
))  # fmt: skip


def towers(config: Mapping[str, Any], hidden: int, base: Format) -> tuple[tuple[Tower, ...], list[str]]:
    """Return the towers of a config, and notes about those that cannot be counted.

    Parameters
    ----------
    config : mapping
        The whole config.json.
    hidden : int
        Width of the language model, which the projector ends in. [1]
    base : Format
        Towers are not quantised.
    """
    found: list[Tower] = []
    notes: list[str] = []
    for kind, names in (("vision", ("vision_config", "vit_config")), ("audio", ("audio_config",))):
        section = next((config[n] for n in names if isinstance(config.get(n), Mapping) and config[n]), None)
        if section is None:
            continue
        try:
            count = (_vision if kind == "vision" else _audio)(section, hidden, config)
        except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
            notes.append(
                f"the {kind} tower is not counted: its section of the config names no sizes that headway knows"
            )
            continue
        found.append(Tower(kind, count, base))
    return tuple(found), notes


def _number(section: Mapping[str, Any], *names: str, default: int | None = None) -> int:
    for name in names:
        value = section.get(name)
        if isinstance(value, list) and value:
            value = value[-1]
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10**9:
            return int(value)
    _misspelt(section, *names)
    if default is None:
        raise KeyError(names[0])
    return default


def _said(section: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """A value of another kind than a size."""
    if name not in section:
        _misspelt(section, name)
    return section.get(name, default)


def _misspelt(section: Mapping[str, Any], *names: str) -> None:
    for name in names:
        close = slips(name, [k for k in section if k not in _KNOWN])
        if close:  # a default would count another tower than the one that is meant
            raise InputError(f"vision_config or audio_config: unknown key {quoted(close[0])}; did you mean {name!r}?")


def _vision(v: Mapping[str, Any], hidden: int, config: Mapping[str, Any]) -> int:
    kind = str(_said(v, "model_type", ""))
    layers = _number(v, "depth", "num_hidden_layers", "num_layers", "layers", "vt_num_hidden_layers")
    width = _number(v, "hidden_size", "embed_dim", "width", "vt_hidden_size")
    if kind == "qwen2_vl" and "embed_dim" in v:  # its hidden_size is the language model's
        width = int(v["embed_dim"])
    ratio = float(_said(v, "mlp_ratio", 4))
    inner = _number(v, "intermediate_size", "mlp_hidden_size", "vt_intermediate_size", default=int(width * ratio))
    patch = _number(v, "patch_size", "spatial_patch_size", default=14)
    frames = _number(v, "temporal_patch_size", default=1)
    gated = kind in _GATED or _said(v, "hidden_act") == "silu"
    block = 4 * width * width + (3 if gated else 2) * width * inner
    block += 2 * width if gated else 9 * width + inner  # norms; biases where the block is not gated
    start = _CHANNELS * patch * patch * frames * width + (0 if gated else width)
    positions = _number(v, "num_position_embeddings", default=0)
    image = _number(v, "image_size", default=0)
    if not positions and image and not gated:
        positions = (image // patch) ** 2
    merge = _number(v, "spatial_merge_size", default=0) ** 2
    out = _number(v, "out_hidden_size", default=hidden)
    if merge > 1:
        deep = _said(v, "deepstack_visual_indexes")
        mergers = 1 + (len(deep) if isinstance(deep, list) else 0)
        joined = merge * width
        projector = mergers * (joined * joined + joined + joined * out + out + 2 * width)
    else:
        hops = 2 if kind.startswith("clip") or "projector_hidden_act" in config else 1
        projector = width * hidden + (hops - 1) * hidden * hidden
    return layers * block + start + positions * width + projector


def _audio(a: Mapping[str, Any], hidden: int, config: Mapping[str, Any]) -> int:
    del config
    nested = a.get("audio_config")
    inner = nested if isinstance(nested, Mapping) else a
    layers = _number(inner, "encoder_layers", "num_hidden_layers", "conf_num_hidden_layers")
    width = _number(inner, "d_model", "hidden_size")
    wide = _number(inner, "encoder_ffn_dim", "intermediate_size", default=4 * width)
    return layers * (4 * width * width + 2 * width * wide + 9 * width + wide) + width * hidden
