"""What was measured as rows of a serving benchmark, and a profile of them: `--engine NAME` then predicts the rest."""

from __future__ import annotations

from datetime import date
from typing import Any

from headway.errors import InputError
from headway.evidence.measurements import Measurement, measurement
from headway.fitting.own import Own, own_profile
from headway.measure.measuring import Measured
from headway.measure.roofs import Roof
from headway.questions import Request


def rows_of(m: Measured) -> list[dict[str, Any]]:
    """Return a row per place, in the schema of docs/predict.md: decode steps as static batches, prompts alone.

    Parameters
    ----------
    m : Measured

    Notes
    -----
    The answer of a decode row is twice as long as what was made by the middle of the window: so its mean context is what was met.
    """
    place = _place(m.roof)
    found: list[dict[str, Any]] = []
    for c in m.cells:
        if c.whole:
            made = max(round(2 * (c.context - c.prompt)), 2)
            found.append({
                **place, "batch_or_concurrency": c.batch, "isl": round(c.prompt), "osl": made, "tpot_ms_mean": round(1e3 * c.step, 6),
                "ttft_ms_mean": "", "best_ms": round(1e3 * c.best, 6), "spread": round(c.spread, 4), "runs": len(c.steps),
            })  # fmt: skip
    for tokens, median, best, runs in m.prompts.rows:
        found.append({
            **place, "batch_or_concurrency": 1, "isl": round(tokens), "osl": 1, "tpot_ms_mean": "", "ttft_ms_mean": round(1e3 * median, 6),
            "best_ms": round(1e3 * best, 6), "spread": "", "runs": runs,
        })  # fmt: skip
    return found


def _place(roof: Roof | None) -> dict[str, Any]:
    if roof is None:
        return {"source": "headway measure", "date": date.today().isoformat(), "load": "static_batch"}
    s, asked = roof.setting, roof.setting.question
    if not isinstance(asked, Request):
        return _place(None)
    return {
        "source": "headway measure", "date": date.today().isoformat(), "system": s.named, "chips": roof.layout.chips * roof.copies,
        "model": asked.model, "weights_dtype": asked.precision or "", "kv_dtype": asked.kv_precision or "", "engine": s.engine.name,
        "tp": roof.layout.tp, "pp": roof.layout.pp, "ep": roof.layout.ep, "attention_dp": roof.layout.dp, "load": "static_batch",
    }  # fmt: skip


def measurements_of(m: Measured) -> list[Measurement]:
    """Return what was measured as the fit reads it.

    Parameters
    ----------
    m : Measured

    Raises
    ------
    InputError
        When no model and machine were named, or nothing was timed.
    """
    if m.roof is None:
        raise InputError("--save: a profile is of a model on a machine: give --model and --on")
    rows = rows_of(m)
    if not rows:
        raise InputError("--save: nothing was timed, so there is nothing to fit")
    texts = [{k: str(v) for k, v in r.items() if k not in ("best_ms", "spread", "runs")} for r in rows]
    return [measurement(f"batch {r['batch_or_concurrency']}, prompt {r['isl']}", r) for r in texts]


def profile_of(m: Measured, name: str) -> Own:
    """Fit a profile to what was measured, on top of that of the engine that was named.

    Parameters
    ----------
    m : Measured
    name : str
        Of the new profile.

    Raises
    ------
    InputError
        As of `own_profile`.
    """
    rows = measurements_of(m)
    assert m.roof is not None
    return own_profile(name, rows, None if m.roof.setting.profile.name == "ideal" else m.roof.setting.profile.name)
