"""Drafting as text: a table over batches, and from where it hurts."""

from __future__ import annotations

import math

from headway import units
from headway.plan.speculate import Drafting
from headway.records.drafting import drafting_rows
from headway.tables import table_text


def speculation_text(d: Drafting) -> str:
    """Return the table and what it means."""
    heads = ["batch", "step", "check", "draft", "per token", "gain", "ideal machine"]
    body = [
        [f"{r['batch']:,.0f}", *(units.seconds(r[k]) if r[k] else "—" for k in ("plain_s", "verify_s", "draft_s", "per_token_s")),
         f"{r['gain']:.2f}x", f"{r['gain_ideal']:.2f}x"]
        for r in drafting_rows(d)
    ]  # fmt: skip
    p = d.plan
    lines = [
        f"{p.model.name} on {p.system.name}, {p.layout}, context {p.context:,.0f}",
        f"{units.some(d.length, 'token')} drafted by {d.drafter}, each accepted with chance {d.acceptance:.2f}: "
        f"{float(d.found.tokens):.3g} tokens per pass", "", table_text(heads, body), "",
        _verdict("engine " + p.setting.engine.name, d.hurts, p.max_batch), _verdict("ideal machine", d.hurts_ideal, p.max_batch),
    ]  # fmt: skip
    at = f"at the batch of the plan, {p.point.batch:,.0f},"
    best = f"{at} {d.best_length} drafted tokens gain most" if d.best_length else f"{at} no draft length helps"
    return "\n".join([*lines, best, *(f"! {w}" for w in p.warnings if "MTP" not in w and "multi-token" not in w)])


def _verdict(who: str, hurts: float, most: float) -> str:
    if math.isinf(hurts):
        return f"{who}: helps at every batch that memory holds ({most:,.0f})"
    return f"{who}: hurts at every batch" if hurts <= 1 else f"{who}: hurts from batch {hurts:,.0f} on"
