"""Profiles from fits: what `headway calibrate` writes, with what it was fitted on, its residuals, intervals and date."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
from headway.fitting.intervals import Widths, added, widths
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
    Out of fold means leave-one-(model, chip)-out. What a missing chip, generation, vendor or engine adds to an interval
    compares residuals of fits without all of its rows with those out of fold.
    """
    fits = Refits(data)
    full, pairs = fits.full, data.pairs
    base = _folds(fits, pairs, "model and chip", progress)
    levels = {k: labels(data.who(k)) for k in ("chip", "generation", "vendor", "engine")}
    wider = {k: _folds(fits, groups, k, progress) for k, groups in levels.items()}
    levels["range"] = labels("large" if r.batch > _LARGE else "rest" for r in data.rows)
    wider["range"] = _folds(fits, levels["range"], "range", progress, only=levels["range"] == "large")
    spreads = _Spreads(data, base, wider, levels)
    engines = sorted({*data.who("engine"), "modern", "transformers"})
    found = {name: _profile(name, data, full, spreads, date) for name in engines}
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


def _profile(name: str, data: Data, full: Fitted, spreads: _Spreads, date: str) -> dict[str, Any]:
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
    error = accuracy(spreads.base.own[mine])
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
        **spreads.of(name),
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


@dataclass(frozen=True)
class _Spreads:
    """Residuals out of fold, and those of fits without whole chips, generations, vendors, engines and ranges."""

    data: Data
    base: OutOfFold
    wider: Mapping[str, OutOfFold]
    levels: Mapping[str, NDArray[np.str_]]

    def of(self, name: str) -> dict[str, Any]:
        """Spreads and what widens them, by kind of load and quantity: of the engine's own rows where they speak for it.

        An engine that nobody measured under load takes its static batches' spread there, too: those of other engines
        say less of it.
        """
        spreads: dict[str, Any] = {}
        more: dict[str, Any] = {}
        closed = np.array([r.load == "closed_loop" for r in self.data.rows])
        mine = np.array(self.data.who("engine")) == name
        alone = name not in present_engines() and not (mine & closed).any()
        for load in ("closed_loop", "static_batch"):
            for what in ("tpot", "ttft"):
                first = (load, what) == ("closed_loop", "ttft")
                source = "static_batch" if alone and not first else load
                voices = self.data.voices
                rows = closed if first else voices.get(f"{source} {what} {name}", voices[f"{source} {what}"])
                found = self.widths(rows, first)
                if found is not None:
                    spreads.setdefault(load, {})[what] = _spread(found.plain)
                    more.setdefault(load, {})[what] = {k: round(v, 3) for k, v in found.more.items()}
        return {"spreads": spreads, "more": more}

    def widths(self, rows: NDArray[np.bool_], first: bool) -> Widths | None:
        """Widths of some rows' own measures, or of their TTFT."""
        everywhere = self.data.residuals(self.base.ttft if first else self.base.own)
        found = widths(everywhere.of(rows))
        if found is None:
            return None
        more = dict(found.more)
        for level, out in self.wider.items():
            values = np.where(rows, out.ttft if first else out.own, np.nan)
            more[level] = added(self.data.residuals(values), everywhere, self.levels[level], found.variance)
        # Beyond every range of the evidence nothing was held out: not less than for a chip that was never seen.
        more["range"] = max(more["range"], more["chip"])
        more["generation"] = max(more["generation"], more["chip"])
        seen = set(self.levels["vendor"].tolist())  # nor less for a vendor than for those that are known
        more["vendor"] = max(more["vendor"], more["generation"], *(v for k, v in more.items() if k in seen))
        return Widths(found.plain, more, found.variance)


def _spread(s: Spread) -> dict[str, float]:
    return {"low": round(s.low, 4), "high": round(s.high, 4), "rows": s.rows}


def _covers(data: Data, mine: NDArray[np.bool_]) -> dict[str, Any]:
    """What the evidence covers: machines, engines, and the ranges of what a case is made of."""
    all_rows = list(zip(data.rows, data.cases, strict=True))
    # The trend is pooled over the engines of the present, so its dates are too.
    years = [y for r, c in all_rows if (y := release_years(r.release, c.engine.profile))]
    everything = covers_of(all_rows)
    found = covers_of([x for x, m in zip(all_rows, mine, strict=True) if m])
    loaded = covers_of([x for x in all_rows if x[0].load == "closed_loop"] or all_rows)
    for k in ("chips", "generations", "vendors"):
        found |= {k: everything[k], f"loaded_{k}": loaded[k]}
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
