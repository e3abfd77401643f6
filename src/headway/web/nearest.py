"""What fits where a question does not: the same with one thing changed, tried out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from headway.errors import HeadwayError

_SECONDS = 4.0  # that somebody waits for a way out
_MOST = 3
_SMALLER = ("fp8", "nvfp4", "int4-g32")


def nearest(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return changes to a question about one model on one system with which it has an answer, each tried.

    Parameters
    ----------
    job : dict
        As of `headway.web.worker.answer`.
    """
    from headway.plan import make_plan
    from headway.questions import Request
    from headway.web.asked import read

    body = job.get("body")
    if not isinstance(body, dict) or not {"model", "system"} <= {*body, *(["model"] if "config" in body else [])}:
        return []
    fields = set(Request.__dataclass_fields__)
    found: list[dict[str, Any]] = []
    end = time.monotonic() + _SECONDS
    for change in _changes(body):
        if time.monotonic() > end or len(found) == _MOST:
            break
        try:
            a = read(job["verb"], {**body, **change})
            plan = make_plan(Request(**{k: v for k, v in a.values.items() if k in fields}))
        except HeadwayError:
            continue
        said = f"batch up to {plan.max_batch:,.0f} as {plan.layout}"
        found.append({"change": change, "says": said})
    return found


def _changes(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Ways out, the gentlest first; None leaves an option out."""
    for name in ("batch", "concurrency", "layout"):
        if body.get(name):
            yield {name: None}
    ways = {n: None for n in ("tp", "dp", "ep", "pp", "batch") if body.get(n)}
    if ways:
        yield ways
    system = str(body["system"]).split(",")[0]
    for more in (2, 4, 8, 16):
        yield {"system": _times(system, more), "layout": None}
    if not body.get("precision"):
        yield from ({"precision": p} for p in _SMALLER)


def _times(system: str, more: int) -> str:
    """So many times a system's chips, as CHIPxN."""
    from headway.hardware import system as known

    one = known(system)
    name = min([one.chip.name, *_shorter(one.chip.name)], key=len)
    return f"{name}x{one.chips * more}"


def _shorter(chip: str) -> list[str]:
    from headway.catalog import catalogue

    table = catalogue().table("chips")
    number = table.find(chip)
    row = table.rows[number] if number is not None else {}
    return [a for a in (row.get("aliases") or "").split("|") if a]
