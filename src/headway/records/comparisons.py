"""A log beside its simulation as plain data."""

from __future__ import annotations

from typing import Any

from headway.numeric import finite
from headway.records.simulations import simulation_record
from headway.simulation.compared import TIMES, Comparison, Line, Pair


def comparison_record(c: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data for ``--json``: SI units, names end in the unit where it is not a count."""
    return {
        "compared": [_line(line) for line in c.lines], "repeats": len(c.pairs) > 1 and c.alike,
        "worst": [_rows(far.run, c.pairs[far.run])[far.request] for far in c.worst],
        "runs": [
            {
                "log": p.run.name, "requests": len(p.run), "failed": p.run.failed, "unfinished": p.run.unfinished,
                "notes": list(p.run.notes), "simulated": simulation_record(p.simulated),
                "means": [
                    {"what": what, "measured_s": finite(measured), "predicted_s": finite(predicted)}
                    for what in TIMES
                    for measured, predicted in p.statistics(what)[:1]
                ],
            }
            for p in c.pairs
        ],
    }  # fmt: skip


def _line(line: Line) -> dict[str, Any]:
    unit = "per_s" if line.statistic == "rate" else "s"
    return {
        "what": line.what, "statistic": line.statistic, f"measured_{unit}": line.measured, f"predicted_{unit}": finite(line.predicted),
        "error": finite(line.error), f"measured_low_{unit}": finite(line.low), f"measured_high_{unit}": finite(line.high),
        f"measured_deviation_{unit}": finite(line.deviation),
    }  # fmt: skip


def _rows(number: int, pair: Pair) -> list[dict[str, Any]]:
    run, rejected = pair.run, pair.simulated.log.rejected
    times = {
        f"{side}_{what}_s": [finite(x) for x in values[what].tolist()]
        for what in TIMES
        for side, values in (("measured", pair.measured), ("predicted", pair.predicted))
    }
    return [
        {
            "log": run.name, "run": number, "where": run.where[i], "arrival_s": float(run.arrival[i]), "prompt": int(run.prompt[i]),
            "output": int(run.output[i]), **{name: column[i] for name, column in times.items()}, "rejected": bool(rejected[i]),
        }
        for i in range(len(run))
    ]  # fmt: skip


def comparison_rows(c: Comparison) -> list[dict[str, Any]]:
    """Return every request with what was measured and predicted of it, for ``--csv``."""
    return [row for number, pair in enumerate(c.pairs) for row in _rows(number, pair)]
