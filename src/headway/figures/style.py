"""What all charts share, and the one writer (the ``[plots]`` extra)."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from headway.errors import InputError
from headway.writing import replacing

Spec = dict[str, Any]
SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
COLOURS = {
    "step": "#222222",
    "compute": "#d1495b",
    "weights": "#2e86ab",
    "KV cache": "#3a9d5d",
    "network": "#b58900",
    "overhead": "#7d5ba6",
}
LOG: Spec = {"type": "log", "nice": False}
FEW: Spec = {"tickCount": 5, "labelOverlap": True, "labelFlush": True}
CONFIG: Spec = {"view": {"stroke": None}, "axis": {"grid": True, "gridOpacity": 0.3}}
_TAG = re.compile(r"<(?=[/!a-zA-Z])")
FORMATS = (".svg", ".png", ".pdf", ".html", ".json")


def check(file: str | Path) -> Path:
    """Return the path of a chart to write, before anything is computed for it.

    Raises
    ------
    InputError
        For an unknown ending, or a folder that is not there.
    """
    path = Path(file)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"-o {path}: the ending must be one of {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise InputError(f"-o {path}: there is no folder {path.parent}")
    if path.suffix.lower() == ".json" and path.is_file() and not _is_chart(path):
        raise InputError(f"-o {path}: is there and is no chart; name another file")
    return path


def _is_chart(path: Path) -> bool:
    """Whether a .json file is a chart's specification, which may be written over; a model's config is not."""
    try:
        with path.open("rb") as opened:
            return b"vega.github.io/schema" in opened.read(4096)
    except OSError:
        return False


def write_figure(spec: Spec, file: str | Path) -> Path:
    """Write a chart; the ending decides: .svg, .png, .pdf, .html (self-contained), .json (the specification).

    Raises
    ------
    InputError
        For another ending, a folder that is not there, or when the ``[plots]`` extra is missing.
    """
    path = check(file)
    with replacing(path, f"-o {path}") as half:
        if path.suffix.lower() == ".json":
            half.write_text(json.dumps(spec, indent=1), encoding="utf-8")
        else:
            _render(spec, half, path)
    return path


def _harmless(value: Any) -> Any:
    """Names inside a page cannot end its script: the sign that opens a tag becomes one that looks like it."""
    if isinstance(value, str):
        return _TAG.sub("\u2039", value)
    if isinstance(value, dict):
        return {_harmless(k): _harmless(v) for k, v in value.items()}
    return [_harmless(x) for x in value] if isinstance(value, list) else value


def _render(spec: Spec, half: Path, path: Path) -> None:
    try:
        import vl_convert as vlc
    except ImportError:
        raise InputError(f"-o {path}: charts need the [plots] extra: pip install 'headway[plots]'") from None
    match path.suffix.lower():
        case ".svg":
            half.write_text(vlc.vegalite_to_svg(spec), encoding="utf-8")
        case ".png":
            half.write_bytes(vlc.vegalite_to_png(spec, scale=2))
        case ".pdf":
            half.write_bytes(vlc.vegalite_to_pdf(spec))
        case _:
            page = vlc.vegalite_to_html(_harmless(spec), bundle=True)
            half.write_text(
                page.replace("<title>Chart</title>", f"<title>{html.escape(_title(spec))}</title>", 1), encoding="utf-8"
            )


def _title(spec: Spec) -> str:
    """What a chart is of, for its page's own title."""
    said = spec.get("title", "")
    text = said.get("text", "") if isinstance(said, dict) else said
    return str(text) or "headway"
