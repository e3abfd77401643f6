"""From a name, a path or a config.json to an Architecture."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from headway.catalog import Catalogue, catalogue
from headway.errors import InputError, near_misses, unknown
from headway.models.architecture import Architecture, Layer, Linear, group
from headway.models.families import READERS
from headway.models.families.common import Draft
from headway.models.keys import Keys
from headway.models.precision import Format, Precision, number_format, read_precision, uniform


def model(name: str, *, precision: str | None = None, kv_precision: str | None = None) -> Architecture:
    """Return the Architecture of a catalogue model, a config.json, a model folder, or a hub id.

    Parameters
    ----------
    name : str
        Catalogue name or alias (``"deepseek-v3"``), path to a ``config.json`` or to a folder that holds one, or a hub
        id (``"org/name"``; needs the ``[hub]`` extra and a network).
    precision : str
        Store every large matrix in this format instead of what the config says (``"fp8"``, ``"nvfp4"``, ``"bf16"``).
    kv_precision : str
        Format of the KV cache (default: what the config says, else 16 bits).

    Raises
    ------
    InputError
        Unknown name (with near misses), unreadable or malformed config, unknown ``model_type``, unread architecture
        key, unknown format.
    """
    path = Path(name).expanduser()
    row: Mapping[str, str] = {}
    looks_like_path = name.endswith(".json") or name.startswith((".", "/", "~")) or path.is_dir()
    if looks_like_path:
        file = path / "config.json" if path.is_dir() else path
        label = (path if path.is_dir() else path.parent).resolve().name if file.name == "config.json" else path.stem
    else:
        found = catalogue().model_file(name)
        if found:
            file, row = found
            label = row.get("id") or file.stem.replace("--", "/")
        else:
            file, label = _from_hub(name), name
    where = str(file) if looks_like_path else file.name
    facts = (label, where, tuple(sorted(row.items())), _stamps(file), precision, kv_precision)
    return _read_model(catalogue(), file, *facts)


def _recipe_of(file: Path) -> Path:
    """Where ModelOpt writes the quantisation recipe of a config.json."""
    return file.with_name("hf_quant_config.json" if file.name == "config.json" else f"{file.stem}.hf_quant_config.json")


def _stamps(file: Path) -> tuple[tuple[int, int], ...]:
    """What tells one state of a config and its recipe from another: an edited file is read again."""
    found: list[tuple[int, int]] = []
    for path in (file, _recipe_of(file)):
        try:
            found.append((path.stat().st_mtime_ns, path.stat().st_size))
        except (OSError, ValueError):  # it is refused where it is read
            found.append((0, 0))
    return tuple(found)


@functools.lru_cache(maxsize=256)
def _read_model(
    facts: Catalogue, file: Path, label: str, where: str, row: tuple[tuple[str, str], ...], stamps: Any,
    precision: str | None, kv_precision: str | None,
) -> Architecture:  # fmt: skip
    """Read a model once per catalogue and state of its file; the facts are the key, formats and kernel counts come from them."""
    config, known = _read_json(file), dict(row)
    chosen = _precision(_with_recipe(config, file), where, known, precision, kv_precision)
    return build(config, label, chosen, where=where, source=known.get("source") or file.name)


def _with_recipe(config: dict[str, Any], file: Path) -> dict[str, Any]:
    """Add the quantisation recipe that ModelOpt writes beside config.json (``hf_quant_config.json``), if there is one."""
    recipe = _recipe_of(file)
    if config.get("quantization_config") or not recipe.is_file():
        return config
    stated = _read_json(recipe)
    return {**config, "quantization_config": stated.get("quantization") or stated}


def _read_json(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; name a config.json, a folder that holds one, or a model") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read ({error.__class__.__name__})") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{file}: not valid JSON: {error.msg} at line {error.lineno}") from None
    if not isinstance(config, dict):
        raise InputError(f"{file}: a config.json holds one object, not a {type(config).__name__}")
    return config


def _from_hub(name: str) -> Path:
    table = catalogue().table("models")
    if name.count("/") != 1:
        raise unknown("model", name, table.names(), "`headway catalog models` lists them; a path to config.json works.")
    try:
        from huggingface_hub import hf_hub_download  # pyright: ignore[reportMissingImports] - an extra
    except ImportError:
        close = near_misses(name, table.names())
        hint = f" (in the catalogue: {', '.join(close)})" if close else ""
        raise InputError(
            f"model {name!r} is not in the catalogue{hint}; install headway[hub] to fetch its config, or give a path"
        ) from None
    try:
        return Path(hf_hub_download(name, "config.json"))
    except Exception as error:  # the hub's client raises many kinds; the user needs one line
        kind = error.__class__.__name__
        raise InputError(f"model {name!r}: config.json could not be fetched from the hub ({kind})") from None


def _precision(
    config: Mapping[str, Any], where: str, row: Mapping[str, str], weights: str | None, kv: str | None
) -> Precision:
    """Decide number formats: the option, else config.json, else the catalogue row (quantised outside config.json)."""
    text = config.get("text_config") or {}
    if not isinstance(text, Mapping) or not isinstance(config.get("quantization_config") or {}, Mapping):
        raise InputError(f"{where}: text_config and quantization_config must be objects")
    inside = text.get("quantization_config") and not config.get("quantization_config")
    try:
        stated = read_precision(text if inside else config, where)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise InputError(f"{where}: quantization_config has an unexpected form ({error})") from None
    if weights:
        chosen = replace(uniform(weights), kv=stated.kv)
    elif row.get("weights_format"):
        chosen = uniform(row["weights_format"], source="catalogue row")
    else:
        chosen = stated
    if row.get("kv_format") and not weights:
        chosen = replace(chosen, kv=_cache_format(row["kv_format"]))
    return replace(chosen, kv=_cache_format(kv)) if kv else chosen


def _cache_format(name: str) -> Format:
    """Return a format for the KV cache: FP8 caches have one scale per tensor, not per block."""
    found = number_format(name)
    return number_format("fp8-tensor") if found.name == "fp8" else found


def build(config: Mapping[str, Any], name: str, precision: Precision, *, where: str, source: str = "") -> Architecture:
    """Build the Architecture that a parsed config.json describes.

    Parameters
    ----------
    config : mapping
        The parsed config.
    name : str
        Label of the model.
    precision : Precision
        Number formats by module.
    where : str
        File name for messages.

    Raises
    ------
    InputError
        Unknown ``model_type``, missing or unread architecture key, values that are no sizes.
    """
    outer = Keys(config, where)
    section = outer.section("text_config") or outer.section("llm_config") or outer.section("language_config")
    keys = section or outer
    if section is not None and "tie_word_embeddings" in config and "tie_word_embeddings" not in section.values:
        section.values = {**section.values, "tie_word_embeddings": config["tie_word_embeddings"]}
    kind = str(keys.values.get("model_type") or config.get("model_type") or "")
    if kind not in READERS:
        close = near_misses(kind, READERS)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise InputError(f"{where}: unknown model_type {kind!r}{hint} (known: {', '.join(sorted(READERS))})")
    keys.ignore("expert_dtype")  # read with the number formats
    draft = _draft(kind, keys, outer)
    if section is not None:
        outer.flag("tie_word_embeddings")
        outer.finish()
    keys.finish()
    return _finish(draft, kind, name, precision, bool(config.get("vision_config")), where, source)


# Gated feed-forward blocks have three matrices whatever the gate's curve; squared ReLU is never gated.
_GATED = (
    "silu",
    "swish",
    "swiglu",
    "swigluoai",
    "situ",
    "gelu",
    "gelu_new",
    "gelu_fast",
    "gelu_pytorch_tanh",
    "quick_gelu",
)
_PLAIN = {
    "nemotron_h": ("relu2",),
    "opt": ("relu", "gelu"),
    "falcon": ("gelu",),
    "gpt2": (),
    "gptj": (),
    "mpt": (),
    "bloom": (),
}


def _draft(kind: str, keys: Keys, outer: Keys) -> Draft:
    """Read a model with its family's reader; a config of an unexpected form is one clear line, whatever it breaks."""
    for name in ("hidden_act", "hidden_activation", "mlp_hidden_act"):
        keys.expect(name, *_PLAIN.get(kind, _GATED))
    for section in (keys, outer):
        for name in ("is_encoder_decoder", "add_cross_attention", "gated"):
            section.expect(name, name == "gated")
    try:
        draft = READERS[kind](keys)
    except (TypeError, KeyError, IndexError, AttributeError, ValueError) as error:
        raise InputError(
            f"{keys.where}: not a config.json that model_type {kind!r} has: a value has an unexpected form "
            f"({error.__class__.__name__}: {error})"
        ) from None
    if not draft.layers:
        raise InputError(f"{keys.where}: the model has no layers; num_hidden_layers or the list of layers is missing")
    return draft


def _finish(
    draft: Draft, kind: str, name: str, precision: Precision, vision: bool, where: str, source: str
) -> Architecture:
    layers = [_formatted(layer, i, precision) for i, layer in enumerate(draft.layers)]
    mtp = [_formatted(layer, len(layers) + i, precision) for i, layer in enumerate(draft.mtp)]
    embedding = Linear("embed_tokens", "embed", draft.vocabulary, draft.hidden)
    head = Linear("lm_head", "head", draft.hidden, draft.vocabulary, bias=draft.head_bias)
    notes = list(draft.notes)
    if vision:
        notes.append("the vision tower is left out: this is the language model")
    if mtp:
        notes.append("multi-token-prediction layers are counted apart and not run")
    for layer in layers:
        if layer.experts and layer.experts.active > layer.experts.count:
            raise InputError(
                f"{where}: {layer.experts.active} experts per token of only {layer.experts.count}; swap the two?"
            )
    return Architecture(
        name=name,
        family=kind,
        hidden=draft.hidden,
        vocabulary=draft.vocabulary,
        layers=group(layers),
        embedding=replace(embedding, format=precision.of("embed_tokens", "embed")),
        head=replace(head, format=precision.of("lm_head", "head")),
        tied=draft.tied,
        max_context=draft.max_context,
        kv_format=precision.kv,
        precision=precision,
        mtp=group(mtp),
        final_parameters=draft.final_vectors,
        vision=vision,
        side_by_side=draft.side_by_side,
        notes=tuple(notes),
        source=source,
        kernel_counts=tuple((r["name"], int(r["kernels"])) for r in catalogue().table("kernel_counts").rows),
    )


def _formatted(layer: Layer, index: int, precision: Precision) -> Layer:
    """Give each matrix, cache and state of layer `index` its number format."""
    linears = tuple(replace(m, format=precision.of(f"layers.{index}.{m.path}", m.role)) for m in layer.linears)
    attends = tuple(replace(a, format=precision.kv) for a in layer.attends)
    state = replace(layer.state, conv_format=precision.base) if layer.state else None
    return replace(layer, linears=linears, attends=attends, state=state)
