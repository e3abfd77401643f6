"""A run of the lab engine: trains that departed, with their riders, and the run over time as a simulation's."""

from __future__ import annotations

from typing import Any

from headway import units
from headway.figures.over_time import batch_panel, requests_panel, strips
from headway.figures.style import CONFIG, SCHEMA, Spec
from headway.figures.trains import trains_panel
from headway.lab.engine.checked import Checked
from headway.lab.engine.tracing import Recorded

_TRAINS = 24  # drawn one by one, from the middle of the run
_BEFORE = 0.15  # of the time that they take: waits are cut off there


def engine_figure(c: Checked) -> Spec:
    """Return a run of the lab engine as a picture.

    Parameters
    ----------
    c : Checked
    """
    run, log = c.run, c.run.log()
    h = run.head
    same = (
        "the simulator departs alike"
        if c.alike
        else f"the simulator differs at {c.difference.split(':', maxsplit=1)[0]}"
    )
    rows = _trains(run)
    title = f"{units.some(len(rows), 'pass')} from the middle of the run; filled: sequences aboard, lines: waits (cut off at the left)"
    panels = [trains_panel(rows, int(h["sequences"]), title), requests_panel(log), batch_panel(log), strips(log)]
    return {
        "$schema": SCHEMA,
        "title": {"text": f"Lab engine: {h['model']}, {h['policy']}", "anchor": "start", "offset": 14,
                  "subtitle": f"{units.some(len(log.requests), 'request')}, {units.some(len(run.passes), 'pass')}; {same}"},
        "vconcat": [p for p in panels if p], "spacing": 26, "config": CONFIG,
    }  # fmt: skip


def _trains(run: Recorded) -> list[dict[str, Any]]:
    """Passes as trains: who boards in each is who has its first piece of a prompt there."""
    came = {r["request"]: r["arrival_s"] for r in run.requests}
    begin = max((len(run.passes) - _TRAINS) // 2, 0)
    boarded: set[int] = set()
    found: list[dict[str, Any]] = []
    for i, p in enumerate(run.passes[: begin + _TRAINS]):
        aboard = [*p["riders"], *(who for who, _ in p["chunks"])]
        new = [who for who in aboard if who not in boarded]
        boarded.update(new)
        if i >= begin:
            found.append({
                "departs_s": p["start_s"], "rides_s": p["seconds"], "riders": len(aboard), "boarded": len(new),
                "arrivals_s": [came[who] for who in new if who in came],
            })  # fmt: skip
    start = found[0]["departs_s"]
    span = found[-1]["departs_s"] - start
    for row in found:
        row["departs_s"] -= start
        row["arrivals_s"] = [max(a - start, -span * _BEFORE) for a in row["arrivals_s"]]
    return found
