"""Names as people write them -> catalogue rows, by aliases and normalisation; what does not resolve is refused by name."""

from __future__ import annotations

import functools
import re

from headway.catalog import Catalogue, catalogue
from headway.errors import HeadwayError, InputError
from headway.hardware import System, system
from headway.models import Architecture, is_mixture, is_path, mixture_name, model, number_format

# What releases of one model differ in: how the weights are stored, and how it was tuned (same shapes either way).
_STORED = (
    "nvfp4|mxfp4|mxfp8|fp4|fp8|bf16|fp16|int8|int4|awq|gptq|w4a16|w4a8|w8a8|w8a16|gguf|dynamic|static|block|"
    r"kv|preview|quantized|pertensor|i?q\d_(?:[01]|k(?:_[sml])?|xxs|xs|s|m|nl)"
)
_TUNED = r"instruct|chat|it|hf|base|v\d(?:\.\d)?|mtp"
_SUFFIX = re.compile(rf"[-_. ]({_STORED}|{_TUNED})$", re.IGNORECASE)
_FORMATS = {
    "awq": "int4",
    "gptq": "int4",
    "w4a16": "int4",
    "w8a8": "int8",
    "w8a16": "int8a16",
    "gguf": "",
    "fp4": "fp4",
}

# Names of weight formats in benchmark tables -> the catalogue's.
_DTYPES = {"f16": "fp16", "f32": "fp32", "half": "fp16", "w8a8": "int8", "int4 g32": "int4-g32", "q4": "q4_k_m"}

_BOX = re.compile(r"\b(nvidia|amd|google|intel|aws|instinct|hgx|dgx|accelerator|gpu)\b", re.IGNORECASE)
_COUNT = re.compile(r"(?:^\d+\s*[x*]\s*)|(?:\s*[x*]\s*\d+$)|(?:[-_ ]\d+[-_ ]?gpus?$)", re.IGNORECASE)
_STATES = re.compile(r"^\d+\s*[x*×]|[x*×]\s*\d+$", re.IGNORECASE)


@functools.lru_cache(maxsize=512)
def _named_system(facts: Catalogue, name: str) -> System:
    texts = [name, _COUNT.sub("", name).strip()]
    texts.append(" ".join(_BOX.sub(" ", texts[-1].replace("-", " ").replace("_", " ")).split()))
    first: HeadwayError | None = None
    for text in dict.fromkeys(texts):
        try:
            return system(text)
        except InputError as error:
            first = first or error
    assert first is not None
    raise first


def named_system(name: str) -> System:
    """Return the system or chip called `name` (``H100-SXM-80GB``, ``8xMI355X``, ``dgx b200``, ``gb200-nvl72``, ...).

    Raises
    ------
    InputError
        When nothing has that name; the message names the nearest.
    """
    if not name.strip():
        raise InputError("no system is named; give a chip or system, like h200x8 or H200-SXM")
    return _named_system(catalogue(), name.strip())


def stated_chips(name: str) -> int:
    """Return how many chips a name itself states (``8xMI355X``, ``H200x8``); 1 where it states none.

    Raises
    ------
    InputError
        When the number is 0, or there are two.
    """
    text = name.strip()
    try:
        found = system(text)
    except InputError:
        counts = _COUNT.findall(text)
        rest = _COUNT.sub("", text).strip()
        if counts and (len(counts) > 1 or _COUNT.search(rest) or not int(re.sub(r"\D", "", counts[0]))):
            raise InputError(f"system is {name!r}; state its chips once, like 8xH200, at least 1") from None
        return int(re.sub(r"\D", "", counts[0])) if counts else 1
    return found.chips if _STATES.search(text) else 1


def is_bare_chip(name: str) -> bool:
    """Return whether a name is that of a chip alone, without a number: as many as a layout takes are meant."""
    return (
        named_system(name).chips == 1
        and not _STATES.search(name.strip())
        and catalogue().table("systems").find(name) is None
    )


def served_model(
    name: str, weights: str | None = None, kv: str | None = None, family: str | None = None
) -> Architecture:
    """Return a model as it is served.

    Parameters
    ----------
    name : str
        Model name with or without its owner and storage suffix (``nvidia/DeepSeek-R1-NVFP4``, ``GLM-5-FP8``), a path, or
        a hub id.
    weights, kv : str or None
        Formats of weights and KV cache; None or empty takes what the name or the checkpoint says (16 bits for a cache
        that the checkpoint says nothing of).
    family : str or None
        Read its config as this ``model_type``.

    Raises
    ------
    InputError
        When the model or a format does not resolve.

    Notes
    -----
    A release of the model in the wanted format is taken where the catalogue has one. FP8 of a dense model that was never
    released in blocks is an engine's own conversion: one scale per tensor.
    """
    if not name.strip():
        raise InputError("no model is named")
    wanted, cache = (weights or "").strip().lower(), (kv or "").strip().lower()
    cache = "" if cache == "auto" else _DTYPES.get(cache, cache)
    text = name.strip()
    read = _served.__wrapped__ if is_path(text) else _served  # a file may change between two questions
    return read(catalogue(), text, wanted, cache, family)


@functools.lru_cache(maxsize=1024)
def _served(facts: Catalogue, name: str, weights: str, cache: str, family: str | None) -> Architecture:
    found, precision = _resolved(facts, name, weights, family)
    return model(found, precision=precision, kv_precision=cache or None, family=family)


def _resolved(facts: Catalogue, name: str, weights: str, family: str | None = None) -> tuple[str, str | None]:
    """Return (name that `model` knows, format to store the weights in instead of the checkpoint's)."""
    found, said = _find(facts, name, weights)
    wanted = _DTYPES.get(weights, weights) or said
    if not wanted:
        return found, None
    arch = model(found, family=family)
    if _same(arch, wanted):
        return found, None
    released = _released(facts, found, name, wanted)
    if released is not None:
        return released, None
    if wanted == "fp4" and arch.experts and arch.precision.weights.name.startswith("int4"):
        return found, None  # a checkpoint whose experts are 4-bit integers is "fp4" in tables that know only widths
    return found, mixture_name(wanted) if is_mixture(wanted) else number_format(_converted(arch, wanted)).name


def _converted(arch: Architecture, wanted: str) -> str:
    """Return the format that a word means where no release is catalogued.

    FP8 of a dense 16-bit checkpoint is an engine's own conversion, one scale per tensor (or row); mixtures of experts, and
    the families of the catalogue's `fp8_releases`, are released in blocks of 128.
    """
    released = tuple(r["family"] for r in catalogue().table("fp8_releases").rows)
    if wanted == "fp8" and not arch.experts and not arch.family.startswith(released):
        return "fp8-tensor"
    return "nvfp4" if wanted == "fp4" else wanted


def _find(facts: Catalogue, name: str, weights: str) -> tuple[str, str]:
    """Return (name that `model` knows, storage format that its suffix says)."""
    table = facts.table("models")
    said = ""
    if is_path(name):
        return name, said
    for start in dict.fromkeys((name, name.rsplit("/", 1)[-1])):
        text = start
        while True:
            if table.find(text) is not None or facts.model_file(text) is not None:
                return text, said
            match = _SUFFIX.search(text)
            if not match:
                break
            word = match[1].lower()
            if word == "gguf" and not weights:
                raise InputError(
                    f"model {name!r} says GGUF but not which quantisation; give weights_dtype, like q4_k_m"
                )
            if re.fullmatch(_STORED, word) and not said:
                said = _FORMATS.get(word, word if word in _known_formats(facts) else "")
            text = text[: match.start()]
    return name, ""  # a folder, a hub id, or nothing: `model` says which


def _known_formats(facts: Catalogue) -> set[str]:
    return {n.lower() for table in ("formats", "gguf_mixtures") for n in facts.table(table).names()}


def _same(arch: Architecture, wanted: str) -> bool:
    """Whether a checkpoint already stores its quantised matrices in a format of that kind."""
    stored = arch.precision.weights
    if wanted == "fp4":
        return stored.name in ("nvfp4", "mxfp4", "nvfp4a16")
    if wanted == "fp8":
        return stored.name in ("fp8", "fp8-tensor", "mxfp8")
    if wanted == "int4":
        return stored.name.startswith("int4")
    if wanted in ("bf16", "fp16"):
        return stored.payload == 2.0
    if is_mixture(wanted):
        return arch.precision.mixture == mixture_name(wanted)
    return stored.name == number_format(wanted).name


def _released(facts: Catalogue, found: str, name: str, wanted: str) -> str | None:
    """Return the catalogued release of a model in that format, when there is one (``GLM-5`` + fp8 -> ``GLM-5-FP8``)."""
    table = facts.table("models")
    number = table.find(found)
    stems = {found, name, *(() if number is None else (table.rows[number]["id"],))}
    endings = {"fp4": ("NVFP4",), "nvfp4": ("NVFP4",), "fp8": ("FP8",)}.get(wanted, ())
    for stem in sorted(stems):
        short = stem.rsplit("/", 1)[-1]
        for text in dict.fromkeys((short, re.sub(r"[-_](Instruct|BF16|hf)$", "", short, flags=re.IGNORECASE))):
            for ending in endings:
                if table.find(f"{text}-{ending}") is not None:
                    return f"{text}-{ending}"
    return None
