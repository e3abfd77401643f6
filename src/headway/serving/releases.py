"""When an engine's version was released: its date stands for what its kernels and scheduler can do."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from headway.catalog import Catalogue, catalogue

_VERSION = re.compile(r"(?<![\d.])v?(\d+(?:\.\d+)+(?:\.?(?:rc|post)\d+)*)")


def released(profile: str, version: str, run: str = "") -> str:
    """Return the date of a release; the run's where the version is not known, or the run came before it.

    Parameters
    ----------
    profile : str
        Whose versions these are: ``sglang``, ``trtllm``, ``vllm``.
    version : str
        As tables write it: ``0.5.9``, ``v0.18.0``, ``lmsysorg/sglang:v0.5.9-cu130``.
    run : str
        Date of the measurement; "" if not known.
    """
    dates = _dates(catalogue()).get(profile, {})
    if not dates or "dynamo" in version:  # Dynamo's images carry Dynamo's versions
        return run
    match = _VERSION.search(version.rpartition(":")[2])
    text = match[1] if match else ""
    while text and text not in dates:
        text = re.sub(r"\.?(?:rc|post)?\d+$", "", text) if re.search(r"(?:rc|post)\d+$", text) else ""
    found = dates.get(text, "")
    return min(found, run) if found and run else found or run


@functools.lru_cache(maxsize=8)
def _dates(facts: Catalogue) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in facts.table("engine_releases").rows:
        found.setdefault(row["profile"], {})[row["version"]] = row["released"]
    return found
