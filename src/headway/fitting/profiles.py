"""Profiles from fits: what `headway calibrate` writes, with what it was fitted on, its residuals, intervals and date."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.errors import InputError
from headway.evidence.measurements import Measurement
from headway.fitting.compare import accuracy
from headway.fitting.factors import SHARES, Fitted, present_engines
from headway.fitting.fit import Data, release_years
from headway.fitting.folds import OutOfFold, labels, out_of_fold
from headway.fitting.intervals import spread_of, widening
from headway.fitting.refits import Refits
from headway.roofline import Spread
from headway.serving import Case
from headway.writing import replacing

Progress = Callable[[str, int, int], None]
_LARGE = 64  # batches above it are the range that a fit of the others extrapolates to


def shipped_profiles(data: Data, date: str, progress: Progress | None = None) -> dict[str, dict[str, Any]]:
    """Fit all evidence and return every shipped profile as TOML data.

    Parameters
    ----------
    data : Data
    date : str
        Date that the profiles carry.
    progress : callable
        Called with (what, done, of).

    Notes
    -----
    Out of fold means leave-one-(model, chip)-out. The factors by which intervals widen compare residuals of a fit
    without a whole chip, generation, vendor or engine with those out of fold.
    """
    fits = Refits(data)
    full, pairs = fits.full, data.pairs
    base = _folds(fits, pairs, "model and chip", progress)
    wider = {
        level: widening(_folds(fits, labels(data.who(level)), level, progress).own, base.own)
        for level in ("chip", "generation", "vendor", "engine")
    }
    large = labels("large" if r.batch > _LARGE else "rest" for r in data.rows)
    wider["range"] = widening(_folds(fits, large, "range", progress, only=large == "large").own, base.own)
    # Beyond every range of the evidence nothing was held out: not less than for a chip that was never seen.
    wider["range"] = max(wider["range"], wider["chip"])
    engines = sorted({*data.who("engine"), "modern", "transformers"})
    found = {name: _profile(name, data, full, base, wider, date) for name in engines}
    pooled = found["modern"]
    return {k: v if k == "modern" else _beside(pooled, v) for k, v in found.items()}


def _beside(pooled: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a profile what it shares with the pooled one, and name that as its base."""
    kept = {k: v for k, v in own.items() if k in ("numbers", "releases") or v != pooled[k]}
    kept["covers"] = {k: v for k, v in own["covers"].items() if v != pooled["covers"][k]}
    return {"base": "modern", **kept}


def _folds(
    fits: Refits,
    fold: NDArray[np.str_],
    what: str,
    progress: Progress | None,
    only: NDArray[np.bool_] | None = None,
) -> OutOfFold:
    def told(done: int, of: int) -> None:
        if progress:
            progress(what, done, of)

    return out_of_fold(fits, fold, only=only, progress=told)


def _profile(
    name: str, data: Data, full: Fitted, base: OutOfFold, wider: Mapping[str, float], date: str
) -> dict[str, Any]:
    engine = np.array(data.who("engine"))
    mine = _rows_for(name, engine)
    numbers = full.numbers(name)
    seen = name in engine
    if not seen and name not in present_engines():
        numbers = _pooled_old(full, sorted({e for e in engine if e not in present_engines()}))
    machines = {k: dict(v) for k, v in full.machines().items()}
    for number, value in numbers.items():
        if number in SHARES and value > 1:  # what the product of its factors is, not the clipped share times them
            for vendor in sorted(set(data.who("vendor"))):
                machines.setdefault(vendor, {})[number] = machines.get(vendor, {}).get(number, 1.0) * value
            numbers[number] = 1.0
    error = accuracy(base.own[mine])
    found: dict[str, Any] = {
        "about": _about(name, seen),
        "fitted_on": f"{int(mine.sum()):,} of {len(data.rows):,} rows of the serving evidence, all fitted together",
        "rows": int(mine.sum()),
        "residual": round(error.median, 4) if error else 1.0,
        "date": date,
        "undetermined": full.undetermined("pooled") if name == "modern" else [],
        "numbers": {k: _short(v) for k, v in numbers.items()},
        "machines": {k: {n: _short(x) for n, x in v.items()} for k, v in sorted(machines.items())},
        "releases": {k: _short(v) if name in present_engines() else 0.0 for k, v in full.releases(name).items()},
        "spreads": _spreads(data, base, name),
        "widen": {k: round(v, 3) for k, v in wider.items()},
        "covers": _covers(data, mine if seen else np.ones(len(data.rows), dtype=bool)),
    }
    return found


def _rows_for(name: str, engine: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Rows that speak for an engine: its own, all modern ones for the pooled profile, all others for one without any."""
    if name in engine:
        return engine == name
    present = np.isin(engine, sorted(present_engines()))
    return present if name in present_engines() else ~present


def _about(name: str, seen: bool) -> str:
    if name == "modern":
        return "the pooled modern engine: what SGLang, TensorRT-LLM and vLLM have in common"
    if not seen:
        return f"{name}: no row of the evidence; pooled over the engines without continuous batching"
    return f"{name}: its own overheads on the pooled machine"


def _pooled_old(full: Fitted, engines: list[str]) -> dict[str, float]:
    """Geometric mean over engines of each number."""
    each = [full.numbers(e) for e in engines]
    return {
        k: float(np.exp(np.mean([np.log(e[k]) for e in each]))) if min(e[k] for e in each) > 0 else each[0][k]
        for k in each[0]
    }


def _spreads(data: Data, base: OutOfFold, name: str) -> dict[str, dict[str, dict[str, float]]]:
    """Spreads by kind of load and quantity: of the engine's own rows where they speak for it, else of all."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    closed = np.array([r.load == "closed_loop" for r in data.rows])
    for load in ("closed_loop", "static_batch"):
        for what in ("tpot", "ttft"):
            rows = data.voices.get(f"{load} {what} {name}", data.voices[f"{load} {what}"])
            first = (load, what) == ("closed_loop", "ttft")
            values, chosen = (base.ttft, closed) if first else (base.own, rows)
            s = spread_of(values[chosen], base.fold[chosen])
            if s:
                found.setdefault(load, {})[what] = _spread(s)
    return found


def _spread(s: Spread) -> dict[str, float]:
    return {"low": round(s.low, 4), "high": round(s.high, 4), "rows": s.rows}


def _covers(data: Data, mine: NDArray[np.bool_]) -> dict[str, Any]:
    """What the evidence covers: machines, engines, and the ranges of what a case is made of."""
    all_rows = list(zip(data.rows, data.cases, strict=True))
    # The trend is pooled over the engines of the present, so its dates are too.
    years = [y for r, c in all_rows if (y := release_years(r.release, c.engine.profile))]
    everything = covers_of(all_rows)
    found = covers_of([x for x, m in zip(all_rows, mine, strict=True) if m])
    found |= {k: everything[k] for k in ("chips", "generations", "vendors")}
    found["engines"] = sorted({c.engine.profile for _, c in all_rows})
    found["release"] = [round(v, 3) for v in (min(years), max(years))] if years else [0.0, 0.0]
    return found


def covers_of(rows: Sequence[tuple[Measurement, Case]]) -> dict[str, Any]:
    """Return the machines that rows were measured on and the ranges of what their cases are made of."""

    def span(values: list[float]) -> list[float]:
        return [float(min(values)), float(max(values))]

    return {
        "chips": sorted({c.chip.name for _, c in rows}),
        "generations": sorted({c.chip.generation for _, c in rows}),
        "vendors": sorted({c.chip.vendor for _, c in rows}),
        "batch": span([r.batch for r, _ in rows]),
        "prompt": span([r.prompt for r, _ in rows]),
        "output": span([r.output for r, _ in rows]),
        "ranks": span([c.layout.chips for _, c in rows]),
    }


def _short(value: float) -> float:
    """Four significant figures: more would claim what a fit does not know."""
    return float(f"{value:.4g}")


def write(file: Path, profile: Mapping[str, Any]) -> None:
    """Write a profile as TOML.

    Raises
    ------
    InputError
        When the folder cannot be written, or tomli-w is missing.
    """
    try:
        import tomli_w  # pyright: ignore[reportMissingImports] - an extra
    except ImportError:
        raise InputError("writing a profile needs tomli-w: install headway[fit]") from None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror})") from None
    with replacing(file, str(file)) as half:
        half.write_text(tomli_w.dumps(dict(profile)), encoding="utf-8")


def today() -> str:
    """Return today's date."""
    return datetime.date.today().isoformat()
