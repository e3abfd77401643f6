"""Methods that store weights as integers with scales: AWQ, GPTQ, AutoRound, bitsandbytes, HQQ, EXL, torchao, MLX, BitNet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headway.errors import InputError, quoted
from headway.models.formats import Format, integers, number_format
from headway.models.keys import Keys

Rules = tuple[tuple[str, Format | None], ...]
Found = tuple[Format, Rules]


def _width(keys: Keys, *names: str, default: int) -> int:
    return keys.int(*names, default=default, least=2, most=8)


def _group(keys: Keys, *names: str, default: int = 128) -> int:
    found = keys.int(*names, default=default, least=-1, most=1 << 20)
    if found == 0:
        raise keys.wrong(names[0], found, "a number of weights that share a scale, or -1 for whole rows")
    return found


def _awq(keys: Keys) -> Found:
    bits, group = _width(keys, "bits", "w_bit", default=4), _group(keys, "group_size", "q_group_size")
    zero = bits if keys.flag("zero_point", default=True) else 0
    return integers(bits, group, zero_bits=zero, about="AWQ"), ()


def _gptq(keys: Keys) -> Found:
    bits, group = _width(keys, "bits", default=4), _group(keys, "group_size")
    usual = integers(bits, group, zero_bits=bits, about="GPTQ")  # zero points are stored even where they are all alike
    rules: list[tuple[str, Format | None]] = []
    dynamic = keys.raw("dynamic") or {}  # GPTQModel: "+:pattern" with its own width, "-:pattern" left out
    if not isinstance(dynamic, dict):
        raise keys.wrong("dynamic", dynamic, "an object of patterns")
    for pattern, said in dynamic.items():
        text = f"re:{pattern.removeprefix('+:').removeprefix('-:')}"
        own = Keys(said if isinstance(said, dict) else {}, keys.where, f"{keys.prefix}dynamic.{pattern}.")
        width, size = _width(own, "bits", default=bits), _group(own, "group_size", default=group)
        rules.append((text, None if pattern.startswith("-:") else integers(width, size, zero_bits=width, about="GPTQ")))
    if keys.flag("lm_head"):
        rules.append(("lm_head", usual))
    return usual, tuple(rules)


def _auto_round(keys: Keys) -> Found:
    bits, group = _width(keys, "bits", default=4), _group(keys, "group_size")
    usual = integers(bits, group, zero_bits=bits, about="AutoRound")
    extra = keys.raw("extra_config") or {}
    if not isinstance(extra, dict):
        raise keys.wrong("extra_config", extra, "an object of modules")
    rules: list[tuple[str, Format | None]] = []
    for path, said in extra.items():
        width = int((said or {}).get("bits", bits))
        size = int((said or {}).get("group_size", group))
        rules.append((path, None if width >= 16 else integers(width, size, zero_bits=width, about="AutoRound")))
    return usual, tuple(rules)


def _bitsandbytes(keys: Keys) -> Found:
    if keys.flag("load_in_4bit"):
        keys.flag("load_in_8bit")
        # 64 weights share a 32-bit scale; with double quantisation an 8-bit one, whose own scales are one in 256
        scale = 1 + 4 / 256 if keys.flag("bnb_4bit_use_double_quant") else 4.0
        return integers(4, 64, scale_bytes=scale, about="bitsandbytes NF4"), ()
    if keys.flag("load_in_8bit"):
        return number_format("int8"), ()
    raise InputError(f"{keys.where}: {keys.prefix}load_in_4bit or load_in_8bit must be true for bitsandbytes")


def _hqq(keys: Keys) -> Found:
    outer = keys.section("quant_config")
    inner = (outer or keys).section("weight_quant_params") or outer or keys
    bits, group = inner.int("nbits", "bits", default=4, least=1, most=8), _group(inner, "group_size", default=64)
    for name in ("scale_quant_params", "zero_quant_params"):
        (outer or keys).ignore(name)
    inner.ignore("channel_wise", "optimize", "round_zero")
    spare: Rules = tuple((text, None) for text in keys.texts("skip_modules"))
    return integers(bits, group, scale_bytes=2.0, zero_bits=16, about="HQQ"), spare


def _exl(keys: Keys) -> Found:
    """EXL2 and EXL3: the mean width of the layers and the width of the head; scales are inside the mean."""
    bits, head = keys.number("bits"), keys.number("head_bits", default=6)
    keys.ignore("codebook", "tensor_storage")
    return integers(bits, 0, about="EXL"), (("lm_head", integers(head, 0, about="EXL head")),)


_TORCHAO = {
    "int4weightonly": "int4", "int8weightonly": "int8a16", "int8dynamicactivationint8weight": "int8",
    "float8weightonly": "fp8a16", "float8dynamicactivationfloat8weight": "fp8-tensor",
    "float8staticactivationfloat8weight": "fp8-tensor", "int8dynamicactivationint4weight": "int4-g32",
    "nvfp4inference": "nvfp4", "nvfp4dynamicactivationnvfp4weight": "nvfp4", "mxfp8": "mxfp8", "autoquant": "",
}  # fmt: skip


def _torchao(keys: Keys) -> Found:
    said, more = keys.raw("quant_type"), keys.raw("quant_type_kwargs") or {}
    if isinstance(said, dict):
        inner = said.get("default", said)
        name, data = str(inner.get("_type")), inner.get("_data") or {}
    else:
        name, data = str(said), more
    by_module = data.get("module_fqn_to_config") if isinstance(data, dict) else None
    if isinstance(by_module, dict):  # a method for each module, "_default" for the others
        rules = tuple((n, None if x is None else _of_torchao(keys, x)) for n, x in by_module.items() if n != "_default")
        usual = by_module.get("_default")
        return (number_format("bf16") if usual is None else _of_torchao(keys, usual)), rules
    return _named_torchao(keys, name, data), ()


def _of_torchao(keys: Keys, said: Any) -> Format:
    if not isinstance(said, dict):
        raise keys.wrong("quant_type", said, "an object with _type and _data")
    return _named_torchao(keys, str(said.get("_type")), said.get("_data") or {})


def _named_torchao(keys: Keys, name: str, data: Any) -> Format:
    stem = name.replace("_", "").lower().removesuffix("config")
    found = _TORCHAO.get(stem)
    if not found:
        raise InputError(
            f"{keys.where}: {keys.prefix}quant_type {quoted(name)} is not known; known: {', '.join(n for n in _TORCHAO if _TORCHAO[n])}"
        )
    group = data.get("group_size") if isinstance(data, dict) else None
    if found == "int4" and isinstance(group, int):
        return integers(4, group, zero_bits=16, about="torchao")
    return number_format(found)


def _bitnet(keys: Keys) -> Found:
    # four ternary weights in a byte
    return integers(2, 0, activation_bits=8, about="BitNet, packed"), ()


_QUANTO = {"int8": ("int8a16", "int8"), "float8": ("fp8a16", "fp8-tensor")}  # by 16-bit and by narrow activations


def _quanto(keys: Keys) -> Found:
    """Quanto and EETQ: weights by name, unpacked to 16 bits unless activations are narrow, too."""
    said = keys.text("weights", default="int8")
    narrow = keys.text("activations", default="none").lower() not in ("none", "")
    if said in _QUANTO:
        return number_format(_QUANTO[said][narrow]), ()
    if said in ("int4", "int2"):
        return integers(float(said[-1]), 128, zero_bits=16, about="Quanto"), ()
    raise keys.wrong("weights", said, "int8, float8, int4 or int2")


def mlx(bits: Any, group: Any, mode: Any, where: str) -> Format:
    """Return MLX's format: a 16-bit scale and a 16-bit bias for each group, or a microscaling format.

    Parameters
    ----------
    bits, group : int
        Of a weight; weights that share a scale. [bits, weights]
    mode : str or None
        ``affine`` (default), ``mxfp4``, ``mxfp8`` or ``nvfp4``.
    where : str
        File name for messages.
    """
    if mode in ("mxfp4", "mxfp8", "nvfp4"):
        return number_format(f"{mode}a16" if mode == "nvfp4" else mode)
    keys = Keys({"bits": bits, "group_size": group}, where, "quantization.")
    if mode not in (None, "affine"):
        raise InputError(f"{where}: quantization.mode is {quoted(mode)}; known: affine, mxfp4, mxfp8, nvfp4")
    return integers(_width(keys, "bits", default=4), _group(keys, "group_size", default=64), zero_bits=16, about="MLX")


READERS: dict[str, Callable[[Keys], Found]] = {
    "awq": _awq,
    "awq_marlin": _awq,
    "gptq": _gptq,
    "gptq_marlin": _gptq,
    "auto-round": _auto_round,
    "intel/auto-round": _auto_round,
    "bitsandbytes": _bitsandbytes,
    "hqq": _hqq,
    "exl2": _exl,
    "exl3": _exl,
    "torchao": _torchao,
    "bitnet": _bitnet,
    "eetq": _quanto,
    "quanto": _quanto,
}
