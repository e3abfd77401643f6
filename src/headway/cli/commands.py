"""What each verb does: read quantities, compute, print. Imported only when a verb runs."""

from __future__ import annotations

import csv as csv_module
import dataclasses
import json as json_module
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from headway import catalog as facts
from headway import units
from headway.batching import Curve, against_context, against_pass_length
from headway.cli.asking import given
from headway.errors import HeadwayError, InputError
from headway.plan import Plan, make_plan
from headway.plan import curve as sweep_batches
from headway.questions import Request


def emit(value: Any) -> None:
    """Print JSON."""
    print(json_module.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def emit_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print CSV with a header."""
    writer = csv_module.DictWriter(sys.stdout, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def plan(asked: dict[str, Any], *, json: bool, why: bool, out: str | None, catalog: tuple[str, ...]) -> None:
    """Print one plan, or several side by side; a refused one does not lose the others."""
    from headway.records.plans import plan_record
    from headway.report.plans import comparison_text, plan_text
    from headway.report.why import why_rows, why_text

    facts.use(catalog)
    pairs = [(m, s) for m in _split(asked["model"]) for s in _split(asked["system"])]
    if not pairs:
        raise InputError("plan needs a model and --on SYSTEM, like: headway plan deepseek-v3 --on gb200-nvl72")
    plans: list[Plan] = []
    refused: list[tuple[str, HeadwayError]] = []
    for m, s in pairs:
        try:
            plans.append(make_plan(Request(**given(asked | {"model": m, "system": s}))))
        except HeadwayError as error:
            if len(pairs) == 1:
                raise
            refused.append((f"{m} on {s}", error))
    if not plans:
        raise refused[0][1]
    if out:
        from headway import figures

        charts = [(p, sweep_batches(p)) for p in plans]
        figures.write_figure(
            figures.comparison_figure(charts) if len(charts) > 1 else figures.curve_figure(*charts[0]), out
        )
    if json:
        records = [plan_record(p) | ({"why": why_rows(p)} if why else {}) for p in plans]
        left = [{"what": name, "why": str(e)} for name, e in refused]
        emit(records[0] if len(pairs) == 1 else {"plans": records, "refused": left})
        return
    print(plan_text(plans[0]) if len(pairs) == 1 else comparison_text(plans))
    for name, error in refused:
        print(f"! {name}: {error}")
    if why:
        for p in plans:
            print("\n" + why_text(p))
    if out:
        print(f"\nchart written to {out}")


def _sweep(p: Plan, against: str, points: int) -> Curve:
    """Sweep a plan against what is asked for."""
    import numpy as np

    chips, price = p.system.chips / p.replicas, p.system.price
    if against == "batch":
        return sweep_batches(p, points)
    if against == "context":
        contexts = np.geomspace(1024, max(p.model.max_context, 2048), points).round()
        at = [dataclasses.replace(p.setting, prompt=max(float(c) - p.output / 2, 1.0)) for c in contexts]
        held = np.array([s.account(p.layout).holds for s in at])
        contexts, batches = contexts[held >= 1], np.minimum(held, p.point.batch)[held >= 1]
        return against_context(p.scene, contexts, batches, chips, price)
    tokens = np.unique(np.geomspace(1, 8192, points).round())
    return against_pass_length(p.scene, tokens, p.point.batch, p.context, chips, price)


def curve(
    asked: dict[str, Any],
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
    from headway.records.plans import curve_rows, plan_record
    from headway.report.plans import curve_text
    from headway.report.why import why_rows, why_text

    if not 2 <= points <= 100_000:
        raise InputError(f"--points: {points} must be in 2..100000")
    if len(_split(asked["model"])) != 1 or len(_split(asked["system"])) != 1:
        raise InputError("curve takes one model and one system; `headway plan` compares several")
    facts.use(catalog)
    p = make_plan(Request(**given(asked)))
    found = _sweep(p, against, points)
    if out:
        from headway import figures

        figures.write_figure(figures.curve_figure(p, found), out)
    rows = curve_rows(p, found)
    if json:
        emit({"plan": plan_record(p), "curve": rows} | ({"why": why_rows(p)} if why else {}))
        return
    if csv:
        emit_csv(rows)
        return
    print(curve_text(p, found.axis, rows))
    if why:
        print("\n" + why_text(p))
    if out:
        print(f"\nchart written to {out}")


def speculate(
    asked: dict[str, Any],
    draft: str | None,
    acceptance: float | None,
    length: int | None,
    *,
    json: bool,
    csv: bool,
    catalog: tuple[str, ...],
) -> None:
    """Print where drafting helps."""
    from headway.plan.speculate import draft_plan
    from headway.records.drafting import drafting_record, drafting_rows
    from headway.report.speculation import speculation_text

    facts.use(catalog)
    found = draft_plan(Request(**given(asked)), acceptance, length, draft)
    if json:
        emit(drafting_record(found))
    elif csv:
        emit_csv(drafting_rows(found))
    else:
        print(speculation_text(found))


def racks(
    asked: dict[str, Any],
    counts: str,
    hop: str | None,
    training: bool,
    *,
    json: bool,
    out: str | None,
    catalog: tuple[str, ...],
) -> None:
    """Print the racks' report, or write its Gantt charts."""
    from headway.plan.racks import rack_report
    from headway.records.racks import racks_record
    from headway.report.racks import racks_text

    facts.use(catalog)
    if out:
        from headway.figures.style import check

        check(out)
    r = Request(**given(asked))
    found = rack_report(
        r.model, r.system, _numbers(counts), context=100e3 if r.context is None else r.context, batch=r.batch,
        hop=None if hop is None else units.parse(hop, units.SECONDS, "--hop"), engine=r.engine, precision=r.precision,
        kv_precision=r.kv_precision, training=training,
    )  # fmt: skip
    if out:
        from headway import figures

        figures.write_figure(figures.racks_figure(found), out)
    if json:
        emit(racks_record(found))
        return
    print(racks_text(found))
    if out:
        print(f"\nchart written to {out}")


def _numbers(text: str) -> list[int]:
    parts = [p.strip() for p in text.split(",") if p.strip()]
    if not parts or not all(p.isdigit() and int(p) > 0 for p in parts):
        raise InputError(f"--racks: {text!r} must be numbers of racks by comma, like 1,2,4,8")
    return sorted({int(p) for p in parts})


def lecture(overrides: tuple[str, ...], *, json: bool, why: bool, catalog: tuple[str, ...]) -> None:
    """Print the lecture's headlines beside ours."""
    from headway import lecture as proof
    from headway.report.lecture import lecture_text

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
    print(lecture_text(rows, changed=bool(given)))
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
    from headway.evidence import read_rows

    words = query.lower().split()
    rows = read_rows(facts.SHIPPED / "evidence" / "serving.csv.gz")
    return [r for _, r in rows if all(w in " ".join(r.values()).lower() for w in words)]
