"""`quantization_config` of a config.json: which method, and which modules it stores in which format.

Read as strictly as the architecture: a key that nobody reads is an error, since it may change the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headway.errors import InputError, near_misses, quoted
from headway.models import integer_methods
from headway.models.compressed import compressed_tensors, weight_format
from headway.models.irrelevant import IN_QUANTIZATION
from headway.models.keys import Keys
from headway.models.patterns import NONE, Patterns, plain
from headway.models.precision import KEPT, Format, Precision, number_format

SECTIONS = ("quantization_config", "compression_config", "quantization")  # today's; llm-compressor's old one; MLX's


@dataclass(frozen=True)
class Stored:
    """What a method says: the usual format, roles, and rules for modules."""

    weights: Format
    rules: tuple[tuple[str, Format | None], ...] = ()  # None: not quantised
    only: tuple[str, ...] = ()
    kept: tuple[str, ...] = KEPT


Reader = Callable[[Keys], Stored]


def read_precision(config: Mapping[str, Any], where: str) -> Precision:
    """Read `quantization_config` (MLX: `quantization`) and `expert_dtype` of a config.json.

    Parameters
    ----------
    config : mapping
        The parsed config, or its section for the language model.
    where : str
        File name for messages.

    Raises
    ------
    InputError
        A method, a key or a value that is not known.
    """
    base = number_format("bf16")
    section = next((n for n in SECTIONS if config.get(n)), SECTIONS[0])
    values = config.get(section)
    fp4_experts = config.get("expert_dtype") == "fp4"
    if not values:
        if config.get("expert_dtype") not in (None, "bf16", "bfloat16"):
            raise InputError(
                f"{where}: expert_dtype {quoted(config['expert_dtype'])} without a quantization_config is not known"
            )
        _dtype(config, where)
        return Precision(base, base, base)
    if not isinstance(values, dict):
        raise InputError(f"{where}: {section} must be an object, not {quoted(values)}")
    keys = Keys(values, where, f"{section}.", IN_QUANTIZATION)
    kv = _cache(keys, base)
    found = _method(keys)(keys)
    keys.finish()
    rules = found.rules
    if fp4_experts and not any(f for _, f in rules):  # DeepSeek-V4: FP8 with 4-bit routed experts
        rules = (*rules, ("re:.*\\.experts.*", number_format("mxfp4")))
    patterns = Patterns((name for name, _ in rules), where) if rules else NONE
    formats = tuple(base if f is None else f for _, f in rules)
    return Precision(base, found.weights, kv, patterns, formats, found.only, found.kept)


def _dtype(config: Mapping[str, Any], where: str) -> None:
    """Refuse 8-bit weights that no quantization_config explains: how they are scaled is anybody's guess."""
    for name in ("torch_dtype", "dtype"):
        said = str(config.get(name) or "")
        if "float8" in said or said.removeprefix("torch.") in ("int8", "uint8"):
            raise InputError(
                f"{where}: {name} is {quoted(said)} without a quantization_config; remove it, or ask with --precision fp8"
            )


def _cache(keys: Keys, base: Format) -> Format:
    """Format of the KV cache that a checkpoint brings scales for."""
    scheme = keys.raw("kv_cache_scheme") or keys.raw("kv_cache_quant_algo")
    keys.ignore("kv_cache_quant_algo")
    if not scheme:
        return base
    bits = scheme.get("num_bits") if isinstance(scheme, Mapping) else _bits(str(scheme))
    if bits not in (4, 8):
        raise InputError(
            f"{keys.where}: {keys.prefix}kv_cache_scheme is {quoted(scheme)}; headway knows caches of 4 and 8 bits"
        )
    return number_format("fp8-tensor" if bits == 8 else "nvfp4")


def _bits(algorithm: str) -> int | None:
    """Bits of a named KV-cache algorithm: FP8, INT8, NVFP4, ..."""
    return 8 if "8" in algorithm else 4 if "4" in algorithm else None


def _method(keys: Keys) -> Reader:
    named = keys.values.get("quant_method")
    producer = keys.values.get("producer")
    maker = producer.get("name") if isinstance(producer, Mapping) else None
    if named is None and keys.prefix.startswith("quantization.") and "bits" in keys.values:
        named = "mlx"
    name = str(named or maker or ("modelopt" if keys.values.get("quant_algo") else "")).lower()
    if name in ("", "none") and "bits" in keys.values and _of_mlx(keys.values):
        name = "mlx"
    found = READERS.get(name)
    if found is None:
        close = near_misses(name, READERS)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        known = ", ".join(sorted(READERS))
        raise InputError(f"{keys.where}: {keys.prefix}quant_method {quoted(name)} is not known{hint} (known: {known})")
    return found


def _of_mlx(values: Mapping[str, Any]) -> bool:
    """Whether a section is MLX's copy of its own: bits, a group, perhaps a mode, and modules by path; GPTQ's says more."""
    return all(k in ("bits", "group_size", "mode", "quant_method") or "." in k for k in values)


def spared(keys: Keys) -> tuple[tuple[str, None], ...]:
    """Rules for the modules that a config leaves in 16 bits, whatever the key is called."""
    names = (
        "modules_to_not_convert",
        "ignore",
        "exclude_modules",
        "llm_int8_skip_modules",
        "ignored_layers",
        "exclude",
    )
    listed = [keys.texts(name) for name in names]
    return tuple((text, None) for text in next((x for x in listed if x), []))


def _fp8(keys: Keys) -> Stored:
    block = keys.list("weight_block_size", length=2)
    for side in block or ():
        keys.whole("weight_block_size", side)
    weights = number_format("fp8" if block else "fp8-tensor")
    rules = spared(keys)
    if keys.values.get("quantized_layers"):  # FP8 with 4-bit experts, as ModelOpt writes it for DeepSeek-V4
        keys.ignore("config_groups", "group_size", "quant_algo")
        rules = (*_layers(keys), *rules)
    return Stored(weights, rules)


def _mxfp4(keys: Keys) -> Stored:
    return Stored(number_format("mxfp4"), spared(keys), only=("expert",))


_ALGORITHMS = {
    "NVFP4": "nvfp4", "NVFP4_AWQ": "nvfp4", "W4A16_NVFP4": "nvfp4a16", "FP8": "fp8-tensor", "FP8_PB_WO": "fp8",
    "FP8_PB": "fp8", "FP8_BLOCK": "fp8", "FP8_BLOCK_SCALES": "fp8", "MXFP4": "mxfp4", "W4A16_MXFP4": "mxfp4",
    "W4A8_MXFP4_FP8": "mxfp4", "MXFP8": "mxfp8", "INT8": "int8", "INT8_SQ": "int8", "W8A16": "int8a16",
    "W8A8_SQ_PER_CHANNEL": "int8", "W4A16_AWQ": "int4", "W4A8_AWQ": "int4", "FP8_PER_CHANNEL_PER_TOKEN": "fp8-tensor",
}  # fmt: skip


def _algorithm(name: str, group: Any, where: str) -> Format:
    found = _ALGORITHMS.get(name.upper())
    if found is None:
        known = ", ".join(_ALGORITHMS)
        raise InputError(f"{where}: quantization_config.quant_algo {quoted(name)} is not known; known: {known}")
    small = found == "int4" and isinstance(group, int) and 0 < group <= 32
    return number_format("int4-g32" if small else found)


def _layers(keys: Keys) -> tuple[tuple[str, Format], ...]:
    """ModelOpt's `quantized_layers`: an algorithm for each module."""
    listed = keys.raw("quantized_layers") or {}
    if not isinstance(listed, dict) or not all(isinstance(x, dict) for x in listed.values()):
        raise keys.wrong("quantized_layers", listed, "an object of objects")
    return tuple((n, _algorithm(str(x.get("quant_algo")), x.get("group_size"), keys.where)) for n, x in listed.items())


def _modelopt(keys: Keys) -> Stored:
    named = _layers(keys)
    algorithm = keys.text("quant_algo", default="") or ("MIXED_PRECISION" if named else "")
    group = keys.int("group_size", default=0)
    if not algorithm:
        grouped = compressed_tensors(keys)
        return Stored(grouped.weights, (*spared(keys), *grouped.rules))
    keys.ignore("config_groups")  # says the same once more, for compressed-tensors readers
    mixed = algorithm.upper() == "MIXED_PRECISION"
    weights = number_format("bf16") if mixed else _algorithm(algorithm, group, keys.where)
    return Stored(weights, (*named, *spared(keys)))


def _compressed(keys: Keys) -> Stored:
    found = compressed_tensors(keys)
    ignored = tuple((text, None) for text in keys.texts("ignore"))
    return Stored(found.weights, (*ignored, *found.rules))


def _quark(keys: Keys) -> Stored:
    """AMD Quark: one scheme for all layers, others by name."""
    whole = keys.raw("global_quant_config") or {}
    by_name = keys.raw("layer_quant_config") or {}
    keys.ignore("layer_type_quant_config")
    if not isinstance(whole, dict) or not isinstance(by_name, dict):
        raise keys.wrong("global_quant_config", whole, "an object")
    named = tuple((_glob(n), _quark_format(x, keys.where)) for n, x in by_name.items())
    return Stored(_quark_format(whole, keys.where), (*spared(keys), *named))


def _glob(name: str) -> str:
    return name if name.startswith("re:") else plain(name)


def _quark_format(scheme: Any, where: str) -> Format:
    weight = (scheme or {}).get("weight") or {}
    chain = ""
    if isinstance(weight, list):  # quantised twice: multiplied as the first, stored as the last
        chain = str((weight[0] or {}).get("dtype")) if len(weight) > 1 else ""
        weight = weight[-1] if weight else {}
    dtype = str(weight.get("dtype"))
    bits = {"fp8_e4m3": 8, "fp8_e5m2": 8, "int8": 8, "uint8": 8, "int4": 4, "uint4": 4, "fp4": 4, "mx": 4}.get(dtype)
    activations = bool((scheme or {}).get("input_tensors"))
    shape = {
        "num_bits": bits, "type": "int" if "int" in dtype else "float", "group_size": weight.get("group_size"),
        "strategy": "block" if "block" in str(weight.get("qscheme")) else "group",
    }  # fmt: skip
    acts = {"num_bits": 8 if bits == 8 else 4} if activations else None
    if chain.startswith("fp8"):
        acts = {"num_bits": 8, "type": "float"}
    if bits is None:
        raise InputError(f"{where}: quantization_config: Quark's dtype {quoted(dtype)} is not known to headway")
    return weight_format(shape, acts, where)


def _mlx(keys: Keys) -> Stored:
    """MLX: integers with a scale and a bias per group, embeddings and head included; layers of their own by path."""
    usual = integer_methods.mlx(keys.raw("bits"), keys.raw("group_size"), keys.raw("mode"), keys.where)
    rules: list[tuple[str, Format | None]] = []
    for path, said in keys.values.items():
        if "." not in path and not isinstance(said, dict):
            continue
        keys.ignore(path)
        if isinstance(said, dict):
            shape = (said.get("bits", keys.raw("bits")), said.get("group_size", keys.raw("group_size")))
            rules.append((path, integer_methods.mlx(*shape, said.get("mode"), keys.where)))
        elif said is False:
            rules.append((path, None))
    return Stored(usual, tuple(rules), kept=("conv",))


def _integer(read: Callable[[Keys], tuple[Format, tuple[tuple[str, Format | None], ...]]]) -> Reader:
    def reader(keys: Keys) -> Stored:
        weights, rules = read(keys)
        return Stored(weights, (*rules, *spared(keys)))

    return reader


READERS: dict[str, Reader] = {
    "fp8": _fp8,
    "fbgemm_fp8": _fp8,
    "ptpc_fp8": _fp8,
    "mxfp4": _mxfp4,
    "modelopt": _modelopt,
    "modelopt_fp4": _modelopt,
    "modelopt_mixed": _modelopt,
    "compressed-tensors": _compressed,
    "quark": _quark,
    "mlx": _mlx,
    **{name: _integer(read) for name, read in integer_methods.READERS.items()},
}
