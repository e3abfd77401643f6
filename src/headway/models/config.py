"""From a name, a path or a config.json to an Architecture."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from headway.catalog import Catalogue, catalogue
from headway.errors import InputError, near_misses, quoted, visible, worded
from headway.models.architecture import Architecture, Layer, Linear, group, kernel_counts, order
from headway.models.families import READERS, REFUSED
from headway.models.families.common import Draft
from headway.models.files import from_hub, inside, is_gguf, is_path, read_json
from headway.models.gguf_mixtures import Mixture, Shape
from headway.models.keys import Keys
from headway.models.precision import Format, Precision, number_format, uniform
from headway.models.quantization import SECTIONS, read_precision
from headway.models.stored_tensors import StoredTensors, checked_total, overruled, stored_tensors
from headway.models.towers import towers


def model(
    name: str, *, precision: str | None = None, kv_precision: str | None = None, family: str | None = None
) -> Architecture:
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
    family : str
        Read the config as this ``model_type``, whatever it says (``"llama"``); keys that it does not read become a note.

    Raises
    ------
    InputError
        Unknown name (with near misses), unreadable or malformed config, unknown ``model_type``, unread architecture
        key, unknown format.
    """
    path = Path(
        os.path.expanduser(worded(name, "the model", "llama-3.1-8b"))
    )  # a user that nobody knows stays in the name
    row: Mapping[str, str] = {}
    by_path = is_path(name)
    if by_path:
        file = inside(path) if os.path.isdir(path) else path
        label = (
            (path if os.path.isdir(path) else path.parent).resolve().name if file.name == "config.json" else path.stem
        )
    else:
        found = catalogue().model_file(name)
        if found:
            file, row = found
            label = row.get("id") or file.stem.replace("--", "/")
        else:
            file, label = from_hub(name), name
    label, where = visible(label), visible(str(file) if by_path else file.name)
    facts = (label, where, tuple(sorted(row.items())), _stamps(file), precision, kv_precision, family)
    return _read_model(catalogue(), file, *facts)


def _recipe_of(file: Path) -> Path:
    """Where ModelOpt writes the quantisation recipe of a config.json."""
    return file.with_name("hf_quant_config.json" if file.name == "config.json" else f"{file.stem}.hf_quant_config.json")


def _stamps(file: Path) -> tuple[tuple[int, int], ...]:
    """What tells one state of a config and its recipe from another: an edited file is read again."""
    found: list[tuple[int, int]] = []
    for path in (file, _recipe_of(file), file.parent):  # the folder: weights may come or go
        try:
            found.append((path.stat().st_mtime_ns, path.stat().st_size))
        except (OSError, ValueError):  # it is refused where it is read
            found.append((0, 0))
    return tuple(found)


@functools.lru_cache(maxsize=256)
def _read_model(
    facts: Catalogue, file: Path, label: str, where: str, row: tuple[tuple[str, str], ...], stamps: Any,
    precision: str | None, kv_precision: str | None, family: str | None,
) -> Architecture:  # fmt: skip
    """Read a model once per catalogue and state of its file; the facts are the key, formats and kernel counts come from them."""
    if is_gguf(file):
        from headway.models.gguf_file import read_gguf  # only where it is one: the command line starts without

        return read_gguf(file, label, _cache_format(kv_precision or "bf16"), where, precision)
    config, known = read_json(file), dict(row)
    chosen = _precision(_with_recipe(config, file), where, known, precision, kv_precision)
    return build(
        config,
        label,
        chosen,
        where=where,
        source=known.get("source") or file.name,
        family=family,
        stored=stored_tensors(file.parent) if file.name == "config.json" and precision is None else None,
    )


def _with_recipe(config: dict[str, Any], file: Path) -> dict[str, Any]:
    """Add the quantisation recipe that ModelOpt writes beside config.json (``hf_quant_config.json``), if there is one."""
    recipe = _recipe_of(file)
    if config.get("quantization_config") or not recipe.is_file():
        return config
    stated = read_json(recipe)
    return {**config, "quantization_config": stated.get("quantization") or stated}


def stated_precision(config: Mapping[str, Any], where: str) -> Precision:
    """Return the number formats that a config states, in its section for the language model or outside it.

    Raises
    ------
    InputError
        When they are not known, or have an unexpected form.
    """
    text = config.get("text_config") or {}
    if not isinstance(text, Mapping):
        raise InputError(f"{where}: text_config must be an object")
    inside = any(text.get(n) for n in SECTIONS) and not any(config.get(n) for n in SECTIONS)
    try:
        stated = read_precision(text if inside else config, where)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise InputError(f"{where}: quantization_config has an unexpected form ({error})") from None
    return stated


def _precision(
    config: Mapping[str, Any], where: str, row: Mapping[str, str], weights: str | None, kv: str | None
) -> Precision:
    """Decide number formats: the option, else config.json, else the catalogue row (quantised outside config.json)."""
    stated = stated_precision(config, where)
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


def build(
    config: Mapping[str, Any],
    name: str,
    precision: Precision,
    *,
    where: str,
    source: str = "",
    family: str | None = None,
    stored: StoredTensors | None = None,
) -> Architecture:
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
    family : str or None
        Read as this ``model_type``.
    stored : StoredTensors or None
        Bytes of the checkpoint's tensors: they overrule the formats that the config leads to.

    Raises
    ------
    InputError
        Unknown ``model_type``, missing or unread architecture key, values that are no sizes.
    """
    outer, keys = _sections(config, where)
    said = str(keys.values.get("model_type") or config.get("model_type") or "")
    kind = family or said
    _known(kind, where, asked=family is not None)
    if family:
        keys.state(model_type=family)
    keys.ignore("expert_dtype")  # read with the number formats
    draft = _draft(kind, keys, outer)
    if keys is not outer:
        outer.flag("tie_word_embeddings")
    if family:
        left = [k for x in dict.fromkeys((keys, outer)) for k in x.unread()]
        unread = f"; not read: {', '.join(left[:5])}" if left else ""
        draft.notes.append(f"read as {family}, as asked; its config says model_type {quoted(said)}{unread}")
    else:
        outer.finish()
        keys.finish()
    return _finish(draft, kind, name, precision, config, where, source, stored)


def _sections(config: Mapping[str, Any], where: str) -> tuple[Keys, Keys]:
    """The config, and its section for the language model (itself where it has none)."""
    outer = Keys(config, where)
    section = outer.section("text_config") or outer.section("llm_config") or outer.section("language_config")
    if section is not None and "tie_word_embeddings" in config and "tie_word_embeddings" not in section.values:
        section.state(tie_word_embeddings=config["tie_word_embeddings"])
    return outer, section or outer


def _known(kind: str, where: str, asked: bool) -> None:
    if kind in REFUSED:
        raise InputError(f"{where}: model_type {kind!r} is {REFUSED[kind]}; headway models decoders that generate text")
    if kind in READERS:
        return
    close = near_misses(kind, READERS)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    known = f"known: {', '.join(sorted(READERS))}"
    if asked:
        raise InputError(f"--as {quoted(kind)} is no model_type that headway reads{hint} ({known})")
    raise InputError(
        f"{where}: unknown model_type {quoted(kind)}{hint} ({known}; `--as llama` reads it as one of them)"
    )


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
    "apertus": ("xielu",),
    "nemotron": ("relu2",),
    "arcee": ("relu2",),
    "rwkv7": ("sqrelu",),
    "bitnet": ("relu2", "silu"),
    "gpt_bigcode": ("gelu", "gelu_pytorch_tanh"),
    "phi": ("gelu_new", "gelu"),
    "gpt_neox": ("gelu", "gelu_new", "gelu_fast"),
    "starcoder2": ("gelu_pytorch_tanh", "gelu"),
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
            f"({error.__class__.__name__}: {str(error)[:80]})"
        ) from None
    if not draft.layers:
        raise InputError(f"{keys.where}: the model has no layers; num_hidden_layers or the list of layers is missing")
    return draft


def _finish(
    draft: Draft, kind: str, name: str, precision: Precision, config: Mapping[str, Any], where: str, source: str,
    stored: StoredTensors | None,
) -> Architecture:  # fmt: skip
    of = _assigned(draft, kind, precision)
    beside, said = towers(config, draft.hidden, number_format("bf16"))
    if stored and stored.tensors is not None:
        of, beside = overruled(stored, draft.layers, of, beside)
    layers = [_formatted(layer, i, precision, of) for i, layer in enumerate(draft.layers)]
    mtp = [_formatted(layer, len(layers) + i, precision, of) for i, layer in enumerate(draft.mtp)]
    embedding = Linear("embed_tokens", "embed", draft.vocabulary, draft.hidden)
    head = Linear("lm_head", "head", draft.hidden, draft.vocabulary, bias=draft.head_bias)
    notes = list(draft.notes)
    notes += _idle_patterns(draft, precision)
    notes += said
    for layer in layers:
        if layer.experts and layer.experts.active > layer.experts.count:
            raise InputError(
                f"{where}: {layer.experts.active} experts per token of only {layer.experts.count}; swap the two?"
            )
    built = Architecture(
        name=name,
        family=kind,
        hidden=draft.hidden,
        vocabulary=draft.vocabulary,
        layers=group(layers),
        embedding=replace(embedding, format=of(embedding, "embed_tokens")),
        head=replace(head, format=of(head, "lm_head")),
        tied=draft.tied,
        max_context=draft.max_context,
        kv_format=precision.kv,
        precision=precision,
        mtp=group(mtp),
        final_parameters=draft.final_vectors,
        tables=tuple(replace(t, format=of(t, t.path)) for t in draft.tables),
        towers=beside,
        side_by_side=draft.side_by_side,
        notes=tuple(notes),
        source=source,
        kernel_counts=kernel_counts(),
        order=order(layers),
    )
    return checked_total(built, stored)


# Parts that readers keep no matrix for, so that no pattern can match them.
_NO_MATRIX = re.compile(
    r"norm|visual|vision|audio|image|mtp|nextn|bias|embed|connector|projector|patch|pos|eh_proj|shared_head|rotary|sink|shared_expert_gate"
)


_DRAFTING = 4  # layers beyond the last that checkpoints number as drafting ones, whether or not the config counts them


def _idle_patterns(draft: Draft, precision: Precision) -> list[str]:
    """Patterns of a quantization_config that match no matrix: misspelt ones change the weights."""
    if not precision.rules.texts:
        return []
    paths = {f"layers.{i}.{m.path}" for i, x in enumerate(draft.layers) for m in x.linears}
    paths |= {f"layers.{len(draft.layers) + i}.{m.path}" for i, x in enumerate(draft.mtp) for m in x.linears}
    own = re.compile(r"layers\.(\d+)\.")  # of layers beyond the last: multi-token prediction
    idle = [
        t
        for t in precision.rules.idle(paths | {"lm_head", "embed_tokens"})
        if not _NO_MATRIX.search(t)
        and not ((m := own.search(t)) and 0 <= int(m[1]) - len(draft.layers) < max(len(draft.mtp), _DRAFTING))
    ]
    if not idle:
        return []
    more = f" and {len(idle) - 3} more" if len(idle) > 3 else ""
    return [f"quantization_config: no matrix of the model matches {', '.join(map(quoted, idle[:3]))}{more}"]


Assign = Callable[[Linear, str], Format]


def _assigned(draft: Draft, kind: str, precision: Precision) -> Assign:
    """Return the function from a matrix and its path to its number format."""
    if not precision.mixture:
        return lambda matrix, path: precision.of(path, matrix.role)
    queries = max((m.ways for x in draft.layers for m in x.linears if m.role == "attention"), default=1)
    shared = max((a.ways for x in draft.layers for a in x.attends), default=queries)
    experts = next((x.experts.count for x in draft.layers if x.experts), 0)
    mixture = Mixture(precision.mixture, Shape(len(draft.layers), experts, queries / shared, draft.tied, kind))

    def of(matrix: Linear, path: str) -> Format:
        row = (
            matrix.outputs if matrix.role == "embed" else matrix.inputs
        )  # a look-up table's rows are as wide as the model
        return mixture.of(path, matrix.role, row)

    return of


def _formatted(layer: Layer, index: int, precision: Precision, of: Assign) -> Layer:
    """Give each matrix, cache and state of layer `index` its number format."""
    linears = tuple(replace(m, format=of(m, f"layers.{index}.{m.path}")) for m in layer.linears)
    attends = tuple(replace(a, format=precision.kv) for a in layer.attends)
    state = replace(layer.state, conv_format=precision.base) if layer.state else None
    return replace(layer, linears=linears, attends=attends, state=state)
