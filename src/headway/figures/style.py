"""What all charts share, and the one writer (the ``[plots]`` extra)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headway.errors import InputError

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
    return path


def write_figure(spec: Spec, file: str | Path) -> Path:
    """Write a chart; the ending decides: .svg, .png, .pdf, .html (self-contained), .json (the specification).

    Raises
    ------
    InputError
        For another ending, a folder that is not there, or when the ``[plots]`` extra is missing.
    """
    path = check(file)
    try:
        if path.suffix.lower() == ".json":
            path.write_text(json.dumps(spec, indent=1), encoding="utf-8")
        else:
            _render(spec, path)
    except OSError as error:
        raise InputError(f"-o {path}: cannot be written ({error.strerror})") from None
    return path


def _render(spec: Spec, path: Path) -> None:
    try:
        import vl_convert as vlc
    except ImportError:
        raise InputError(f"-o {path}: charts need the [plots] extra: pip install 'headway[plots]'") from None
    match path.suffix.lower():
        case ".svg":
            path.write_text(vlc.vegalite_to_svg(spec), encoding="utf-8")
        case ".png":
            path.write_bytes(vlc.vegalite_to_png(spec, scale=2))
        case ".pdf":
            path.write_bytes(vlc.vegalite_to_pdf(spec))
        case _:
            path.write_text(vlc.vegalite_to_html(spec, bundle=True), encoding="utf-8")
