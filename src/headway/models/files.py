"""Files that say what a model is: config.json read safely, a folder's GGUF, a config from the hub."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from headway.catalog import catalogue
from headway.errors import InputError, near_misses, quoted, unknown

PART = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf$")  # of a split GGUF file
_COUNTS = re.compile(r"\d+(\.\d+)?[kMGBTmb]/\d+(\.\d+)?[kMGBTmb]")  # 37B/700B


def is_path(name: str) -> bool:
    """Say whether a model is named by a path to its file or folder, not as in the catalogue or on the hub."""
    return name.endswith((".json", ".gguf")) or name.startswith((".", "/", "~")) or os.path.isdir(name)


def is_gguf(file: Path) -> bool:
    """Say whether a path is that of a GGUF file."""
    return file.suffix.lower() == ".gguf"


def series(file: Path) -> str:
    """Return the name that the parts of a split GGUF file share; of a whole one its own."""
    found = PART.match(file.name)
    return found[1] if found else file.stem


def inside(folder: Path) -> Path:
    """The file of a folder that says what the model is: its config.json, else its only GGUF file."""
    config, found = folder / "config.json", sorted(folder.glob("*.gguf"))
    return found[0] if len({series(f) for f in found}) == 1 and not config.is_file() else config


_MOST_BYTES = 64_000_000
_MOST_DIGITS = 40


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object: no key twice, no number of more digits than any size has, nothing nested without end.

    Raises
    ------
    InputError
        When it is none.
    """
    try:
        if file.exists() and not file.is_file():
            raise InputError(f"{file}: is no file; name a config.json, a folder that holds one, or a model")
        if file.stat().st_size > _MOST_BYTES:
            raise InputError(f"{file}: is larger than {_MOST_BYTES // 1_000_000} MB; a config.json is not")
        config = json.loads(file.read_text(encoding="utf-8-sig"), parse_int=_whole, object_pairs_hook=_once)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; name a config.json, a folder that holds one, or a model") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read ({error.__class__.__name__})") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{file}: not valid JSON: {error.msg} at line {error.lineno}") from None
    except RecursionError:
        raise InputError(f"{file}: objects lie too deep in one another for a config.json") from None
    except ValueError as error:  # from the hooks
        raise InputError(f"{file}: {error}") from None
    if not isinstance(config, dict):
        raise InputError(f"{file}: a config.json holds one object, not a {type(config).__name__}")
    return config


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"holds a number of {len(text):,} digits")
    return int(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {quoted(twice)} stands twice in one object; which one counts is anybody's guess")
    return found


def from_hub(name: str) -> Path:
    """Fetch a config.json from the hub.

    Raises
    ------
    InputError
        When the name is no hub id, the extra is missing, or the hub does not answer.
    """
    table = catalogue().table("models")
    if name.count("/") != 1:
        raise unknown("model", name, table.names(), "`headway catalog models` lists them; a path to config.json works.")
    if _COUNTS.fullmatch(name):
        raise InputError(
            f"model {name!r} is counts alone, which say nothing of layers and widths; "
            f"`headway ask what-if --model {name} --kv-bytes 70k --on SYSTEM` takes them"
        )
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
