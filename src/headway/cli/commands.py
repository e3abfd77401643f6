"""What each verb does: read quantities, compute, print. Imported only when a verb runs."""

from __future__ import annotations

import csv as csv_module
import dataclasses
import json as json_module
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from headway import catalog as facts
from headway import lecture as proof
from headway import units
from headway.batching import against_context, against_pass_length
from headway.errors import HeadwayError, InputError
from headway.parallel import fit
from headway.plan import Plan, Request, make_plan, record
from headway.plan import curve as sweep_batches

_QUANTITIES = {
    "context": units.TOKENS,
    "prompt": units.TOKENS,
    "output": units.TOKENS,
    "price": units.DOLLARS_PER_SECOND,
    "batch": units.COUNT,
    "arrivals": units.PER_SECOND,
}


def emit(value: Any) -> None:
    """Print JSON."""
    print(json_module.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def emit_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print CSV with a header."""
    writer = csv_module.DictWriter(sys.stdout, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def request(
    model: str, on: str, numbers: Mapping[str, Any], typed: Mapping[str, str | None], words: Mapping[str, Any]
) -> Request:
    """Return the request that the options ask for."""
    read = {k: None if v is None else units.parse(v, _QUANTITIES[k], f"--{k}") for k, v in typed.items()}
    for key in ("reserve", "skew"):
        value = numbers.get(key)
        most = 1.0 if key == "reserve" else 100.0
        if value is not None and not 0 <= value < most:
            raise InputError(f"--{key}: {value:g} must be zero or more and below {most:g}")
    if read.get("batch") and read["batch"] != int(read["batch"] or 0):
        raise InputError(f"--batch: {typed['batch']!r} must be a whole number of sequences")
    return Request(model=model, system=on, **numbers, **read, **words)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def plan(
    model: str,
    on: str,
    numbers: Mapping[str, Any],
    typed: Mapping[str, str | None],
    words: Mapping[str, Any],
    *,
    json: bool,
    why: bool,
    out: str | None,
    catalog: tuple[str, ...],
) -> None:
    """Print one plan, or several side by side; a refused one does not lose the others."""
    from headway import figures, report

    facts.use(catalog)
    pairs = [(m, s) for m in _split(model) for s in _split(on)]
    if not pairs:
        raise InputError("plan needs a model and --on SYSTEM, like: headway plan deepseek-v3 --on gb200-nvl72")
    plans: list[Plan] = []
    refused: list[tuple[str, HeadwayError]] = []
    for m, s in pairs:
        try:
            plans.append(make_plan(request(m, s, numbers, typed, words)))
        except HeadwayError as error:
            if len(pairs) == 1:
                raise
            refused.append((f"{m} on {s}", error))
    if not plans:
        raise refused[0][1]
    if out:
        charts = [(p, sweep_batches(p)) for p in plans]
        figures.write(figures.comparison_figure(charts) if len(charts) > 1 else figures.curve_figure(*charts[0]), out)
    if json:
        records = [record(p) | ({"why": report.why_rows(p)} if why else {}) for p in plans]
        left = [{"what": name, "why": str(e)} for name, e in refused]
        emit(records[0] if len(pairs) == 1 else {"plans": records, "refused": left})
        return
    print(report.plan_text(plans[0]) if len(pairs) == 1 else report.comparison_text(plans))
    for name, error in refused:
        print(f"! {name}: {error}")
    if why:
        for p in plans:
            print("\n" + report.why_text(p))
    if out:
        print(f"\nchart written to {out}")


def curve(
    model: str,
    on: str,
    numbers: Mapping[str, Any],
    typed: Mapping[str, str | None],
    words: Mapping[str, Any],
    *,
    against: str,
    points: int,
    json: bool,
    csv: bool,
    why: bool,
    out: str | None,
    catalog: tuple[str, ...],
) -> None:
    """Print a sweep as a table, JSON or CSV, or write it as a chart."""
    import numpy as np

    from headway import figures, report, tables

    if not 2 <= points <= 100_000:
        raise InputError(f"--points: {points} must be in 2..100000")
    if len(_split(model)) != 1 or len(_split(on)) != 1:
        raise InputError("curve takes one model and one system; `headway plan` compares several")
    facts.use(catalog)
    p = make_plan(request(model, on, numbers, typed, words))
    chips, price = p.system.chips / p.replicas, p.system.price
    if against == "batch":
        found = sweep_batches(p, points)
    elif against == "context":
        contexts = np.geomspace(1024, max(p.model.max_context, 2048), points).round()
        held = np.array([fit(p.model, p.layout, p.system, c, p.request.reserve).max_batch for c in contexts])
        contexts, batches = contexts[held >= 1], np.minimum(held, p.point.batch)[held >= 1]
        found = against_context(p.scene, contexts, batches, chips, price)
    else:
        tokens = np.unique(np.geomspace(1, 8192, points).round())
        found = against_pass_length(p.scene, tokens, p.point.batch, p.context, chips, price)
    if out:
        figures.write(figures.curve_figure(p, found), out)
    rows = [_sure(p, found.axis, row) for row in found.rows()]
    if json:
        emit({"plan": record(p), "curve": rows} | ({"why": report.why_rows(p)} if why else {}))
        return
    if csv:
        emit_csv(rows)
        return
    heads = [k.replace("_s", "").replace("_", " ") if k != "dollars_per_mtok" else "$/Mtok" for k in rows[0]]
    body = [[_shown(k, v) for k, v in row.items()] for row in rows]
    fixed = {"batch": f"context {p.context:,.0f}", "context": f"batch up to {p.point.batch:,.0f}, as memory allows"}
    at = fixed.get(found.axis, f"batch {p.point.batch:,.0f}, context {p.context:,.0f}")
    print(f"{p.model.name} on {p.system.name}, {p.layout}, {at}\n")
    print(tables.table_text(heads, body))
    print("\n" + "\n".join(f"! {w}" for w in p.warnings))
    if why:
        print("\n" + report.why_text(p))
    if out:
        print(f"\nchart written to {out}")


def _sure(p: Plan, axis: str, row: dict[str, Any]) -> dict[str, Any]:
    """Put the 80 % interval beside the step time, and what the evidence does not cover last; empty for the ideal machine."""
    spread, outside = p.spread_at(axis, row[axis.replace(" ", "_")], row["batch"])
    low, high = spread.around(row["step_s"]) if spread else (None, None)
    at = list(row).index("step_s") + 1
    items = list(row.items())
    last = [("outside", " ".join(outside))] if spread else []
    return dict([*items[:at], ("step_low_s", low), ("step_high_s", high), *items[at:], *last])


def _shown(key: str, value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, str):
        return value
    if key.endswith("_s"):
        return units.seconds(value)
    return units.dollars(value) if key.startswith("dollars") else f"{value:,.0f}"


def lecture(overrides: tuple[str, ...], *, json: bool, why: bool, catalog: tuple[str, ...]) -> None:
    """Print the lecture's headlines beside ours."""
    from headway import report

    facts.use(catalog)
    given: dict[str, str] = {}
    for text in overrides:
        name, sign, value = text.partition("=")
        if not sign:
            raise InputError(f"--set {text!r} must look like name=value, e.g. n_active=37e9")
        given[name.strip()] = value.strip()
    chosen = proof.inputs(given)
    rows = proof.headlines(chosen)
    if json:
        emit([r.record() for r in rows])
        return
    print(report.lecture_text(rows, changed=bool(given)))
    if why:
        print("\ninputs")
        for f in dataclasses.fields(chosen):
            print(f"  {f.name:<18} {getattr(chosen, f.name):<12g} {f.metadata['about']}")


_NAMES = {"prices": "rental_medians", "evidence": "evidence_sources"}


def catalog(table: str, query: str, *, json: bool, csv: bool, catalog: tuple[str, ...]) -> None:
    """List or search catalogue tables."""
    from headway import tables

    known = facts.use(catalog)
    if not table:
        names = known.names()
        rows = [{"table": n, "rows": len(known.table(n).rows)} for n in names]
        if json:
            emit(rows)
        else:
            print(tables.table_text(["table", "rows"], [[r["table"], r["rows"]] for r in rows]))
            print("\nheadway catalog TABLE [WORDS] lists one; your own files go to " + str(facts.user_folder()))
        return
    if table == "evidence" and query:
        found = _evidence(query)
    else:
        found = tables.catalogue_rows(_NAMES.get(table, table), query)
    if not found and query and table in ("chips", "systems", "models"):
        known.row(table, query, table[:-1])  # an unknown name: say what is near
    if json:
        emit(found)
    elif csv:
        emit_csv(found)
    else:
        shown = "measurements" if table == "evidence" and query else _NAMES.get(table, table)
        print(tables.catalogue_text(shown, found))


def _evidence(query: str) -> list[dict[str, str]]:
    """Return the measurements whose cells contain every word of the query."""
    from headway.calibrate.evidence import read_rows

    words = query.lower().split()
    rows = read_rows(facts.SHIPPED / "evidence" / "serving.csv.gz")
    return [r for _, r in rows if all(w in " ".join(r.values()).lower() for w in words)]
