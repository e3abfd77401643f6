"""What `headway speculate` does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from headway import catalog as facts
from headway import units
from headway.cli.commands import emit, emit_csv, request
from headway.plan.speculate import Drafting, draft_plan
from headway.tables import table_text


def speculate(
    model: str, on: str, numbers: Mapping[str, Any], typed: Mapping[str, str | None], words: Mapping[str, Any], *,
    draft: str | None, acceptance: float | None, length: int | None, json: bool, csv: bool, catalog: tuple[str, ...],
) -> None:  # fmt: skip
    """Print where drafting helps."""
    facts.use(catalog)
    found = draft_plan(request(model, on, numbers, typed, words), acceptance, length, draft)
    rows = table(found)
    if json:
        emit({
            "model": found.plan.model.name, "system": found.plan.system.name, "layout": str(found.plan.layout),
            "context": found.plan.context, "drafter": found.drafter, "acceptance": found.acceptance, "length": found.length,
            "tokens_per_pass": float(found.found.tokens), "hurts_from_batch": _finite(found.hurts),
            "hurts_from_batch_ideal": _finite(found.hurts_ideal), "best_length_at_batch": found.best_length,
            "operating_batch": found.plan.point.batch, "batches": rows,
        })  # fmt: skip
        return
    if csv:
        emit_csv(rows)
        return
    print(text(found, rows))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def table(d: Drafting) -> list[dict[str, Any]]:
    """Return a row per batch."""
    s, i = d.found, d.ideal
    return [
        {"batch": float(b), "plain_s": float(s.plain[n]), "verify_s": float(s.verify[n]), "draft_s": float(s.draft[n]),
         "per_token_s": float(s.seconds[n]), "gain": float(s.gain[n]), "gain_ideal": float(i.gain[n])}
        for n, b in enumerate(d.batches)
    ]  # fmt: skip


def text(d: Drafting, rows: list[dict[str, Any]]) -> str:
    """Return the table and what it means."""
    heads = ["batch", "step", "check", "draft", "per token", "gain", "ideal machine"]
    body = [
        [f"{r['batch']:,.0f}", *(units.seconds(r[k]) if r[k] else "—" for k in ("plain_s", "verify_s", "draft_s", "per_token_s")),
         f"{r['gain']:.2f}x", f"{r['gain_ideal']:.2f}x"]
        for r in rows
    ]  # fmt: skip
    p = d.plan
    lines = [
        f"{p.model.name} on {p.system.name}, {p.layout}, context {p.context:,.0f}",
        f"{d.length} tokens drafted by {d.drafter}, each accepted with chance {d.acceptance:.2f}: "
        f"{float(d.found.tokens):.3g} tokens per pass", "", table_text(heads, body), "",
        _verdict("engine " + p.request.engine, d.hurts, p.max_batch), _verdict("ideal machine", d.hurts_ideal, p.max_batch),
    ]  # fmt: skip
    at = f"at the batch of the plan, {p.point.batch:,.0f},"
    best = f"{at} {d.best_length} drafted tokens gain most" if d.best_length else f"{at} no draft length helps"
    return "\n".join([*lines, best, *(f"! {w}" for w in p.warnings if "MTP" not in w and "multi-token" not in w)])


def _verdict(who: str, hurts: float, most: float) -> str:
    if math.isinf(hurts):
        return f"{who}: helps at every batch that memory holds ({most:,.0f})"
    return f"{who}: hurts at every batch" if hurts <= 1 else f"{who}: hurts from batch {hurts:,.0f} on"
