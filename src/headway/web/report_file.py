"""A view of the page as one file: the record, the chart, the page's own modules and Vega, all inside; it needs no server and asks none."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from pathlib import Path
from typing import Any, Literal

from headway._version import __version__
from headway.errors import InputError
from headway.writing import replacing

View = Literal["plan", "plans", "search", "simulate", "tiers", "infer"]
_PAGE = Path(__file__).parent / "page"
_IMPORT = re.compile(r'"\./(\w+)\.js"')
_RULES = {
    "default-src": "'none'",
    "script-src": "'unsafe-inline' data:",
    "style-src": "'unsafe-inline'",
    "img-src": "data: blob:",
}
POLICY = "; ".join(f"{k} {v}" for k, v in {**_RULES, "base-uri": "'none'", "form-action": "'none'"}.items())


def write_report(view: View, answer: Any, figure: dict[str, Any], command: str, file: Path) -> None:
    """Write a self-contained page.

    Parameters
    ----------
    view : str
        Which view shows it.
    answer : Any
        The record of ``--json``.
    figure : dict
        The chart, as a Vega-Lite specification.
    command : str
        The command line that gave it.
    file : Path

    Raises
    ------
    InputError
        When the file cannot be written, or a number of the answer is beyond what can be.
    """
    found = {"view": view, "answer": answer, "figure": figure, "command": command}
    try:
        inside = json.dumps(found, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    except ValueError:  # JSON has no infinity
        raise InputError(f"-o {file}: a number of the answer is too large to write") from None
    said = figure.get("title", "")
    title = str(said.get("text", "") if isinstance(said, dict) else said) or "headway"
    with replacing(file, f"-o {file}") as half:
        half.write_text(_whole(title, inside), encoding="utf-8")


def _whole(title: str, inside: str) -> str:
    """The page: style, Vega, modules and what it shows."""
    vega = gzip.decompress((_PAGE / "vega.js.gz").read_bytes()).decode().replace("</script", "<\\/script")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<style>{(_PAGE / "style.css").read_text(encoding="utf-8")}</style>
<script type="importmap">{json.dumps({"imports": _modules()})}</script>
</head>
<body>
<header><p class="name">headway <span>what an LLM token costs, and why</span></p>
<button type="button" id="theme" aria-label="Light or dark">◐</button></header>
<main id="main"><noscript><p>The page draws with JavaScript; the record stands in its source.</p></noscript></main>
<footer><p>Made by headway {__version__}; every number is the record of the command above, and stands in this file.</p></footer>
<script type="application/json" id="report">{inside}</script>
<script type="module">{vega}</script>
<script type="module">import "headway/report";</script>
</body>
</html>
"""


def _modules() -> dict[str, str]:
    """The modules that a report needs, by name, each as a data: address: a file has no neighbours to import."""
    found: dict[str, str] = {}
    left = ["report"]
    while left:
        name = left.pop()
        source = (_PAGE / f"{name}.js").read_text(encoding="utf-8")
        left += [n for n in _IMPORT.findall(source) if n not in (*(k.split("/")[1] for k in found), *left, name)]
        plain = _IMPORT.sub(r'"headway/\1"', source).encode()
        found[f"headway/{name}"] = "data:text/javascript;base64," + base64.b64encode(plain).decode()
    return found
