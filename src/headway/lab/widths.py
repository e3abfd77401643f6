"""Real families at tiny widths: a config.json of the catalogue with its sizes replaced, read as every other config is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headway.catalog import catalogue
from headway.errors import InputError, unknown
from headway.models import Architecture, Precision, build, is_path, number_format
from headway.models.files import inside, is_gguf, read_json
from headway.models.quantization import SECTIONS

LAYERS = 2  # one of each kind, in every family that has two


def tiny(name: str, layers: int = LAYERS) -> Architecture:
    """Return a model's architecture at tiny widths: its kinds of layers, heads, experts and caches, in 32-bit numbers.

    Parameters
    ----------
    name : str
        As of `headway.model`: a name of the catalogue, a ``config.json`` or a folder that holds one.
    layers : int
        The distinct kinds of layers, in order of first appearance, are repeated to so many. [layers]

    Raises
    ------
    InputError
        Unknown name, a family that the lab does not run, or no config.json (a GGUF file, a model of the hub).

    Notes
    -----
    Widths are those of the catalogue's table `lab_widths`; what it does not name stays. Query heads that all have a KV head
    of their own keep it.
    """
    file, label = _file(name)
    wide = number_format("fp32")
    return build(
        tiny_config(name, layers), f"tiny {label}", Precision(wide, wide, wide, source="lab"), where=file.name,
        source=f"{file.name} with the widths of lab_widths",
    )  # fmt: skip


def tiny_config(name: str, layers: int = LAYERS) -> dict[str, Any]:
    """Return the config.json of a model at tiny widths, as of `tiny`: for verbs that take a model's file.

    Parameters
    ----------
    name : str
    layers : int
        [layers]

    Raises
    ------
    InputError
        As of `tiny`.
    """
    file, _ = _file(name)
    config = read_json(file)
    inner: Mapping[str, Any] = config.get("text_config") or config
    text = {k: v for k, v in inner.items() if k not in SECTIONS}
    tied = config.get("tie_word_embeddings")
    if tied is not None:
        text.setdefault("tie_word_embeddings", tied)
    text.setdefault("model_type", config.get("model_type"))
    known = {r["name"]: r for r in catalogue().table("lab_families").rows}
    if text["model_type"] not in known:
        raise unknown("family of the lab", str(text["model_type"]), known, f"It runs: {', '.join(known)}.")
    return _narrow(text, layers) | {"torch_dtype": "float32"}


def _file(name: str) -> tuple[Path, str]:
    """Where a model's config lies, and what to call it."""
    if is_path(name):
        path = Path(name).expanduser()
        file = inside(path) if path.is_dir() else path
        if is_gguf(file):
            raise InputError(f"{name}: the lab reads config.json, not GGUF; name the model that the file was made of")
        return file, file.parent.resolve().name if file.name == "config.json" else file.stem
    found = catalogue().model_file(name)
    if not found:
        from headway.models import model  # says what is near

        model(name)
        raise InputError(f"{name}: the lab runs models of the catalogue and config.json files, none of the hub")
    file, row = found
    return file, row.get("id") or file.stem.replace("--", "/")


def _narrow(config: Mapping[str, Any], layers: int) -> dict[str, Any]:
    """A config with tiny sizes and so many layers; lists with an entry per layer keep one of each kind."""
    new = dict(config)
    deep: Any = config.get("num_hidden_layers")
    listed = {k: v for k, v in config.items() if isinstance(v, list) and len(v) == deep}
    if listed:
        kinds = list(dict.fromkeys(zip(*(map(str, v) for v in listed.values()), strict=True)))
        rows = list(zip(*(map(str, v) for v in listed.values()), strict=True))
        first = [rows.index(kind) for kind in kinds]
        new |= {k: [v[first[i % len(first)]] for i in range(layers)] for k, v in listed.items()}
    new["num_hidden_layers"] = layers
    equal = config.get("num_key_value_heads", config.get("num_attention_heads")) == config.get("num_attention_heads")
    for row in catalogue().table("lab_widths").rows:
        key, value = row["name"], int(row["value"])
        if key == "num_key_value_heads" and equal:
            value = int(new.get("num_attention_heads", value))
        if isinstance(config.get(key), int | float) and config[key]:
            new[key] = type(config[key])(value)
    if not isinstance(new.get("head_dim"), int) and "num_attention_heads" in new:
        new.pop("head_dim", None)
    return new
