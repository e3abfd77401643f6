"""Number formats, and which module of a model is stored in which: `quantization_config` of config.json, or an option."""

from __future__ import annotations

import fnmatch
import functools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headway.catalog import Catalogue, catalogue, column, from_row
from headway.errors import InputError

_EACH_EXPERT = re.compile(r"\.experts\.\d+\.")  # checkpoints name every expert; here one matrix stands for all

# Roles that stay in 16 bits unless the config names them: engines and checkpoints do not quantise them.
_KEPT = ("embed", "head", "router", "conv")


@dataclass(frozen=True, slots=True)
class Format:
    """A number format: bytes per element, bytes of scales per element, and the compute rates it can use in order."""

    name: str = column("", "name of the format")
    payload: float = column("bytes", "bytes per element", name="bytes")
    chain: tuple[str, ...] = column("", "compute kinds in order of preference", name="compute")
    about: str = column("", "what it is")
    source: str = column("", "where the figures come from")
    date: str = column("", "date of the source")
    scales: float = column("bytes", "bytes of scales per element", name="scale_bytes", default=0.0)
    aliases: tuple[str, ...] = column("", "other names", default=())

    @property
    def bytes(self) -> float:
        """Bytes per element, scales included."""
        return self.payload + self.scales


UNSTATED = Format(
    "unstated", math.nan, (), "no format yet: the reader of the config gives one to every matrix and cache", "", ""
)


def number_format(name: str) -> Format:
    """Return the number format called `name` (``bf16``, ``fp8``, ``nvfp4``, ``int4``, ...)."""
    return _number_format(catalogue(), name)


@functools.lru_cache(maxsize=64)
def _number_format(facts: Catalogue, name: str) -> Format:
    row, place = facts.row("formats", name, "precision")
    return from_row(Format, row, place)


def _plain(name: str) -> str:
    """Strip the wrappers that differ between checkpoints of one architecture."""
    while True:
        for prefix in ("model.", "language_model.", "backbone."):
            if name.startswith(prefix):
                name = name[len(prefix) :]
                break
        else:
            return name


class Patterns:
    """Module patterns of a quantization_config, in order: exact, glob, or ``re:`` regular expressions; parents match children.

    Exact names, often hundreds, are looked up by the parts of a path and not tried one by one.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.texts = tuple(texts)
        self._exact: dict[str, int] = {}
        self._free: list[tuple[int, re.Pattern[str], bool]] = []
        for number, text in enumerate(self.texts):
            if text.startswith("re:"):
                self._free.append((number, re.compile(text[3:]), True))
                continue
            plain = _plain(_EACH_EXPERT.sub(".experts.", text))
            if "*" in plain:
                self._free.append((number, re.compile(fnmatch.translate(plain)), False))
            else:
                self._exact.setdefault(plain.rstrip("."), number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Patterns) and self.texts == other.texts

    def __hash__(self) -> int:
        return hash(self.texts)

    def first(self, path: str) -> int | None:
        """Return the number of the first pattern that a module's path matches; None where none does."""
        best = len(self.texts)
        if self._exact:
            parts = path.split(".")  # whole name parts: "self_attn" names every layer's
            for i in range(len(parts)):
                for j in range(i + 1, len(parts) + 1):
                    best = min(best, self._exact.get(".".join(parts[i:j]), best))
        for number, pattern, wrapped in self._free:
            if number < best and (pattern.match(path) or (wrapped and pattern.match("model." + path))):
                best = number
                break
        return best if best < len(self.texts) else None


_NONE = Patterns()


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
    kept : Patterns
        Of modules that stay in `base`.
    named : Patterns
        Of modules whose formats, `named_formats`, win over everything else.
    only : tuple of str
        Roles that are quantised; empty means every role but embeddings, head, router and convolutions.
    """

    base: Format
    weights: Format
    kv: Format
    kept: Patterns = _NONE
    named: Patterns = _NONE
    named_formats: tuple[Format, ...] = ()
    only: tuple[str, ...] = ()
    source: str = "config.json"

    def of(self, path: str, role: str) -> Format:
        """Return the format of the module at `path` (``layers.3.self_attn.q_proj``) with that `role`."""
        chosen = self.named.first(path)
        if chosen is not None:
            return self.named_formats[chosen]
        if role in _KEPT or (self.only and role not in self.only):
            return self.base
        if self.kept.first(path) is not None:
            return self.base
        return self.weights


def uniform(weights: str, source: str = "option") -> Precision:
    """Return the precision that stores every large matrix in `weights`; embeddings, head and router stay 16-bit."""
    base = number_format("bf16")
    return Precision(base, number_format(weights), base, source=source)


def read_precision(config: Mapping[str, Any], where: str) -> Precision:
    """Read `quantization_config` (and `expert_dtype`) of a config.json.

    Raises
    ------
    InputError
        When the quantisation method is not known.
    """
    quant: Mapping[str, Any] = config.get("quantization_config") or {}
    base = number_format("bf16")
    kv = base
    scheme = quant.get("kv_cache_scheme") or quant.get("kv_cache_quant_algo") or {}
    bits = scheme.get("num_bits") if isinstance(scheme, Mapping) else _bits(str(scheme))
    if scheme:
        if bits not in (4, 8):
            raise InputError(
                f"{where}: quantization_config stores the KV cache as {scheme!r}; headway knows 4 and 8 bits"
            )
        kv = number_format("fp8-tensor" if bits == 8 else "nvfp4")
    if not quant and config.get("expert_dtype") not in (None, "bf16", "bfloat16"):
        raise InputError(f"{where}: expert_dtype {config['expert_dtype']!r} without a quantization_config is not known")
    if not quant:
        return Precision(base, base, kv)
    kept = _kept(quant)
    layers = {_EACH_EXPERT.sub(".experts.", name): spec for name, spec in (quant.get("quantized_layers") or {}).items()}
    named = [
        (name, _algorithm(str(spec.get("quant_algo")), where, spec.get("group_size"))) for name, spec in layers.items()
    ]
    producer = (quant.get("producer") or {}).get("name")
    method = str(quant.get("quant_method") or producer or ("modelopt" if quant.get("quant_algo") else "")).lower()
    weights, only = _method(method, quant, base, where, mixed=bool(named))
    if config.get("expert_dtype") == "fp4" and not named:  # DeepSeek-V4: FP8 with 4-bit routed experts
        named.append(("re:.*\\.experts.*", number_format("mxfp4")))
    return Precision(base, weights, kv, kept, Patterns(n for n, _ in named), tuple(f for _, f in named), only)


def _bits(algorithm: str) -> int | None:
    """Bits of a named KV-cache algorithm: FP8, INT8, NVFP4, ..."""
    return 8 if "8" in algorithm else 4 if "4" in algorithm else None


def _kept(quant: Mapping[str, Any]) -> Patterns:
    names: Iterable[str] = (
        quant.get("modules_to_not_convert")
        or quant.get("ignore")
        or quant.get("exclude_modules")
        or quant.get("llm_int8_skip_modules")
        or ()
    )
    return Patterns(names)


def _method(
    method: str, quant: Mapping[str, Any], base: Format, where: str, mixed: bool
) -> tuple[Format, tuple[str, ...]]:
    match method:
        case "fp8" | "fbgemm_fp8":
            return number_format("fp8" if quant.get("weight_block_size") else "fp8-tensor"), ()
        case "mxfp4":
            return number_format("mxfp4"), ("expert",)
        case "modelopt":
            algorithm = str(quant.get("quant_algo") or ("MIXED_PRECISION" if mixed else None))
            if mixed or algorithm.upper() == "MIXED_PRECISION":
                return base, ()
            return _algorithm(algorithm, where, None), ()
        case "awq" | "gptq":
            return _integers(int(quant.get("bits", 4)), int(quant.get("group_size", 128)), where), ()
        case "compressed-tensors":
            groups = list((quant.get("config_groups") or {}).values())
            found = {_compressed(g, where).name for g in groups}
            if len(found) != 1:
                listed = ", ".join(sorted(found)) or "none"
                raise InputError(
                    f"{where}: quantization_config.config_groups must store all weights alike, not {listed}"
                )
            return number_format(found.pop()), ()
        case "bitsandbytes":
            return number_format("int4" if quant.get("load_in_4bit") else "int8"), ()
        case _:
            raise InputError(
                f"{where}: quantization_config.quant_method {method!r} is not known; "
                "known: fp8, modelopt, compressed-tensors, mxfp4, awq, gptq, bitsandbytes, fbgemm_fp8"
            )


_ALGORITHMS = {
    "NVFP4": "nvfp4", "NVFP4_AWQ": "nvfp4", "W4A16_NVFP4": "nvfp4a16", "FP8": "fp8-tensor", "FP8_PB_WO": "fp8",
    "FP8_PB": "fp8", "FP8_BLOCK": "fp8", "FP8_BLOCK_SCALES": "fp8", "MXFP4": "mxfp4", "W4A16_MXFP4": "mxfp4",
    "W4A8_MXFP4_FP8": "mxfp4", "MXFP8": "mxfp8", "INT8": "int8", "INT8_SQ": "int8", "W8A16": "int8a16",
    "W8A8_SQ_PER_CHANNEL": "int8", "W4A16_AWQ": "int4", "W4A8_AWQ": "int4",
}  # fmt: skip


def _algorithm(name: str, where: str, group: Any) -> Format:
    found = _ALGORITHMS.get(name.upper())
    if found is None:
        known = ", ".join(_ALGORITHMS)
        raise InputError(f"{where}: quantization_config.quant_algo {name!r} is not known; known: {known}")
    small = found == "int4" and group and int(group) <= 32
    return number_format("int4-g32" if small else found)


def _integers(bits: int, group: int, where: str) -> Format:
    if bits == 8:
        return number_format("int8a16")
    if bits == 4:
        return number_format("int4-g32" if 0 < group <= 32 else "int4")
    raise InputError(f"{where}: quantization_config.bits is {bits}; headway knows 4 and 8")


def _compressed(group_of: Mapping[str, Any], where: str) -> Format:
    scheme: Mapping[str, Any] = group_of.get("weights") or {}
    bits, kind, group = scheme.get("num_bits"), scheme.get("type"), scheme.get("group_size") or 128
    if kind == "int":
        return _integers(int(bits or 4), int(group), where)
    if kind == "float" and bits == 8:
        if not group_of.get("input_activations"):
            return number_format("fp8a16")
        return number_format("fp8" if scheme.get("strategy") == "block" else "fp8-tensor")
    if kind == "float" and bits == 4:
        return number_format("nvfp4" if group == 16 else "mxfp4")
    raise InputError(f"{where}: quantization_config stores {bits}-bit {kind!r} weights; headway knows 4 and 8 bits")
