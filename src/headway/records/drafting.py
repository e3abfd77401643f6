"""Drafting as plain data: a row per batch, and the whole answer for ``--json``."""

from __future__ import annotations

from typing import Any

from headway.numeric import finite
from headway.plan.speculate import Drafting


def drafting_rows(d: Drafting) -> list[dict[str, Any]]:
    """Return a row per batch. Times in seconds."""
    s, i = d.found, d.ideal
    return [
        {"batch": float(b), "plain_s": float(s.plain[n]), "verify_s": float(s.verify[n]), "draft_s": float(s.draft[n]),
         "per_token_s": float(s.seconds[n]), "gain": float(s.gain[n]), "gain_ideal": float(i.gain[n])}
        for n, b in enumerate(d.batches)
    ]  # fmt: skip


def drafting_record(d: Drafting) -> dict[str, Any]:
    """Return the answer as plain data."""
    return {
        "model": d.plan.model.name, "system": d.plan.system.name, "layout": str(d.plan.layout), "context": d.plan.context,
        "drafter": d.drafter, "acceptance": d.acceptance, "length": d.length, "tokens_per_pass": float(d.found.tokens),
        "hurts_from_batch": finite(d.hurts), "hurts_from_batch_ideal": finite(d.hurts_ideal),
        "best_length_at_batch": d.best_length, "operating_batch": d.plan.point.batch, "batches": drafting_rows(d),
    }  # fmt: skip
