"""What a model folder's safetensors files hold: bytes per tensor as stored, which overrule what config.json lets one guess."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headway.errors import InputError
from headway.models.architecture import Architecture, Layer, Linear, Tower
from headway.models.formats import Format, number_format
from headway.models.patterns import plain

_LONGEST_HEADER = 100_000_000  # the format's own limit
_LAYER = re.compile(r"^(?:transformer\.)?(?:layers|h|blocks|decoder\.layers)\.(\d+)\.(.*)$")
_TOWERS = (
    ("vision", re.compile(r"vis(?:ion|ual)|image|mm_projector|multi_modal")),
    ("audio", re.compile(r"audio|speech")),
)
_DRAFTS = re.compile(r"(?:^|\.)mtp(?:\.|_)|nextn")
_EMBEDDING = re.compile(r"(?:embed_tokens|wte|word_embeddings|tok_embeddings|embeddings?|embed_in)\.")
_HEAD = re.compile(r"(?:^|\.)(?:lm_head|output|embed_out|output_layer)\.")
# One tensor of a checkpoint for several matrices of a reader.
_FUSED = {
    "qkv_proj": ("q_proj", "k_proj", "v_proj"),
    "query_key_value": ("q_proj", "k_proj", "v_proj"),
    "gate_up_proj": ("gate_proj", "up_proj"),
}

Assign = Callable[[Linear, str], Format]


@dataclass(frozen=True)
class StoredTensors:
    """Bytes of the tensors of a folder, by their names; None where only an index stands.

    Attributes
    ----------
    tensors : mapping
        Bytes by name. [bytes]
    total : float
        Of all of them, as the files or the index say. [bytes]
    """

    tensors: dict[str, int] | None
    total: float


def stored_tensors(folder: Path) -> StoredTensors | None:
    """Read the headers of a folder's safetensors files, or the total of its index; None where it has neither.

    Parameters
    ----------
    folder : path

    Raises
    ------
    InputError
        When a file is no safetensors file.
    """
    files = sorted(folder.glob("*.safetensors"))
    index = folder / "model.safetensors.index.json"
    listed: set[str] = set()
    total = 0.0
    if index.is_file():
        try:
            said: Any = json.loads(index.read_text(encoding="utf-8"))
            listed = set(said.get("weight_map", {}).values())
            total = float((said.get("metadata") or {}).get("total_size") or 0)
        except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
            raise InputError(f"{index}: not a readable index ({error.__class__.__name__})") from None
    if listed and not listed <= {f.name for f in files}:  # weights not (all) downloaded
        return StoredTensors(None, total) if total else None
    files = [f for f in files if not listed or f.name in listed]
    if not files:
        return None
    tensors: dict[str, int] = {}
    for file in files:
        tensors |= _header(file)
    return StoredTensors(tensors, float(sum(tensors.values())))


def _header(file: Path) -> dict[str, int]:
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            if length > _LONGEST_HEADER:
                raise ValueError("its header would be larger than the format allows")
            header: Any = json.loads(opened.read(length))
        return {
            name: int(entry["data_offsets"][1]) - int(entry["data_offsets"][0])
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        struct.error,
        RecursionError,
    ) as error:
        raise InputError(f"{file}: not a readable safetensors file ({error.__class__.__name__})") from None


@dataclass(frozen=True)
class _Found:
    """Bytes of a checkpoint by where they belong."""

    modules: dict[str, float]
    spare: dict[int, float]
    towers: dict[str, float]


def overruled(
    stored: StoredTensors, layers: Iterable[Layer], assigned: Assign, towers: tuple[Tower, ...]
) -> tuple[Assign, tuple[Tower, ...]]:
    """Return the formats that the files' bytes make of each matrix, and the towers as stored.

    A matrix whose tensors have the same name takes their bytes; what is left of a layer goes to its other matrices by
    parameters. What multiplies them stays as the config says.

    Parameters
    ----------
    stored : StoredTensors
    layers : iterable of Layer
        As the reader of the config has them, one by one.
    assigned : callable
        The formats that the config leads to.
    towers : tuple of Tower
        As counted from the config.
    """
    numbered = list(enumerate(layers))
    size: dict[str, int] = {}
    for i, one in numbered:
        for m in one.linears:
            path = f"layers.{i}.{m.path}"
            size[path] = size.get(path, 0) + m.parameters
    found = _placed(stored.tensors or {}, size, len(numbered))
    open_size = {
        i: sum(m.parameters for m in one.linears if f"layers.{i}.{m.path}" not in found.modules) for i, one in numbered
    }

    def of(matrix: Linear, path: str) -> Format:
        usual = assigned(matrix, path)
        if path in found.modules:
            return _as_stored(usual, found.modules[path] / (size.get(path) or matrix.parameters))
        layer = _LAYER.match(path)
        number = int(layer[1]) if layer else -1
        if found.spare.get(number) and open_size.get(number):
            return _as_stored(usual, found.spare[number] / open_size[number])
        return usual

    wide = number_format("bf16")
    kept = tuple(t for t in towers if t.kind not in found.towers)
    seen = tuple(Tower(kind, round(size / wide.bytes), wide) for kind, size in found.towers.items())
    return of, (*kept, *seen)


def _scaled(layer: Layer, width: float) -> Layer:
    """A layer whose matrices are stored so many times as wide."""
    return replace(
        layer, linears=tuple(replace(m, format=_as_stored(m.format, m.format.bytes * width)) for m in layer.linears)
    )


_TOLERATED = 0.01
_NARROWEST, _WIDEST = 0.1, 4.0  # times what a config says of weights: beyond that the files are another model's


def checked_total(built: Architecture, stored: StoredTensors | None) -> Architecture:
    """Say where what the files weigh and what was counted differ: something is stored that the config does not say.

    Of an index alone nobody knows how wide each matrix is: those of the layers take up what is left of its total.
    """
    if stored is None or abs(stored.total / built.loaded_bytes - 1) < _TOLERATED:
        return built
    what = (
        f"its files hold {stored.total / 1e9:,.2f} GB, {built.loaded_bytes / 1e9:,.2f} GB were counted from its config"
    )
    if stored.tensors is None:
        layers = sum(x.count * m.bytes for x in built.layers for m in x.linears)
        width = 1 + (stored.total - built.loaded_bytes) / layers
        if _NARROWEST <= width <= _WIDEST:
            built = replace(built, layers=tuple(_scaled(x, width) for x in built.layers))
            what += f": its layers' matrices are taken {width:.3g} times as wide as it says, multiplied as it says"
    return replace(built, notes=(*built.notes, what))


def _as_stored(usual: Format, each: float) -> Format:
    if abs(each / usual.bytes - 1) < 1e-3:
        return usual
    return replace(usual, payload=each, scales=0.0, about=f"{usual.about}; {each:.4g} bytes a weight as stored")


def _placed(tensors: dict[str, int], size: dict[str, int], count: int) -> _Found:
    found = _Found({}, {}, {})
    for name, amount in tensors.items():
        kind = next((k for k, pattern in _TOWERS if pattern.search(name)), None)
        short = plain(name)
        layer = _LAYER.match(short)
        if kind:
            found.towers[kind] = found.towers.get(kind, 0.0) + amount
        elif _DRAFTS.search(name) or (layer and int(layer[1]) >= count):
            continue  # multi-token prediction keeps the formats of the config
        elif layer:
            _in_layer(found, size, int(layer[1]), layer[2], amount)
        elif _HEAD.search(name):
            found.modules["lm_head"] = found.modules.get("lm_head", 0.0) + amount
        elif _EMBEDDING.search(name):
            found.modules["embed_tokens"] = found.modules.get("embed_tokens", 0.0) + amount
    return found


def _in_layer(found: _Found, size: dict[str, int], number: int, rest: str, amount: float) -> None:
    parts = rest.split(".")
    for end in range(len(parts), 0, -1):
        path = f"layers.{number}." + ".".join(parts[:end])
        if path in size:
            found.modules[path] = found.modules.get(path, 0.0) + amount
            return
        stem, leaf = path.rsplit(".", 1)
        whole = [f"{stem}.{x}" for x in _FUSED.get(leaf, ()) if f"{stem}.{x}" in size]
        if whole:
            weights = sum(size[x] for x in whole)
            for x in whole:
                found.modules[x] = found.modules.get(x, 0.0) + amount * size[x] / weights
            return
    if "norm" not in rest and not rest.endswith("bias"):
        found.spare[number] = found.spare.get(number, 0.0) + amount
