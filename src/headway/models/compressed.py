"""compressed-tensors (llm-compressor): groups of modules, each with a scheme for weights and one for activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headway.errors import InputError, quoted
from headway.models.formats import Format, integers, number_format
from headway.models.irrelevant import IN_A_SCHEME
from headway.models.keys import Keys


@dataclass(frozen=True)
class Groups:
    """Formats of the groups: of all linear layers, and of those that `targets` name."""

    weights: Format
    rules: tuple[tuple[str, Format], ...]


def compressed_tensors(keys: Keys) -> Groups:
    """Read `config_groups`: `targets` are class names (``Linear``), module names, or ``re:`` patterns.

    Parameters
    ----------
    keys : Keys
        The quantization_config.

    Raises
    ------
    InputError
        No group, or a scheme that is not known.
    """
    groups = keys.raw("config_groups")
    if not isinstance(groups, dict) or not groups:
        raise keys.wrong("config_groups", groups, "an object with at least one group")
    usual: Format | None = None
    rules: list[tuple[str, Format]] = []
    for name, group in groups.items():
        if isinstance(group, list) and name.isupper():  # a preset scheme: {"W8A8": ["Linear"]}
            found, targets = preset(name, keys.where), group
        else:
            if not isinstance(group, dict):
                raise keys.wrong(f"config_groups.{name}", group, "an object")
            inner = Keys(group, keys.where, f"{keys.prefix}config_groups.{name}.", IN_A_SCHEME)
            targets = inner.texts("targets") or ["Linear"]
            found = weight_format(inner.raw("weights"), inner.raw("input_activations"), keys.where)
            inner.finish()
        for target in targets:
            if target == "Linear":
                if usual is not None and usual != found:
                    raise keys.wrong(f"config_groups.{name}.targets", targets, "only one group of all linear layers")
                usual = found
            else:
                rules.append((target, found))
    return Groups(usual or number_format("bf16"), tuple(rules))


_PRESETS = {
    "FP8": "fp8-tensor", "FP8_DYNAMIC": "fp8-tensor", "FP8_BLOCK": "fp8", "W8A8": "int8", "INT8": "int8",
    "W8A16": "int8a16", "W4A16": "int4", "W4A16_ASYM": "int4", "NVFP4": "nvfp4", "NVFP4A16": "nvfp4a16",
}  # fmt: skip


def preset(name: str, where: str) -> Format:
    """Return the format of a named scheme of compressed-tensors (``W8A8``, ``FP8_DYNAMIC``)."""
    if name not in _PRESETS:
        known = ", ".join(_PRESETS)
        raise InputError(f"{where}: quantization_config: scheme {quoted(name)} is not known; known: {known}")
    return number_format(_PRESETS[name])


def weight_format(weights: Any, activations: Any, where: str) -> Format:
    """Return the format of a scheme; the width of the activations decides what multiplies it.

    Parameters
    ----------
    weights, activations : mapping or None
        `num_bits`, `type`, `group_size`, `strategy`, `symmetric`.
    where : str
        File name for messages.
    """
    if weights is None:
        return number_format("bf16")
    if not isinstance(weights, Mapping) or not isinstance(activations, Mapping | None):
        raise InputError(f"{where}: quantization_config: weights and input_activations must be objects")
    Keys(weights, where, "quantization_config: weights.", IN_A_SCHEME).finish()
    bits: Any = weights.get("num_bits")
    kind, group = weights.get("type", "int"), weights.get("group_size")
    width = (activations or {}).get("num_bits", 16)
    if group is not None and (isinstance(group, bool) or not isinstance(group, int)):
        raise InputError(f"{where}: quantization_config: group_size is {quoted(group)}; it must be a whole number")
    if kind == "int" and bits in range(2, 9):
        zero = 0.0 if weights.get("symmetric", True) else float(bits)
        return integers(
            bits, group or 0, zero_bits=zero, activation_bits=8 if width == 8 else 16,
            floating=(activations or {}).get("type") == "float", about="compressed-tensors",
        )  # fmt: skip
    if kind == "float" and bits == 8:
        if width > 8:
            return number_format("fp8a16")
        if group == 32:
            return number_format("mxfp8")
        return number_format("fp8" if weights.get("strategy") == "block" else "fp8-tensor")
    if kind == "float" and bits == 4:
        if group == 16:
            return number_format("nvfp4" if width <= 8 else "nvfp4a16")
        return number_format("mxfp4")
    raise InputError(
        f"{where}: quantization_config stores {quoted(bits)}-bit {quoted(kind)} weights; headway knows int of 2 to 8 and "
        "float of 4 and 8"
    )
