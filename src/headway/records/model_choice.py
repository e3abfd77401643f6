"""Which models take requests, as plain data."""

from __future__ import annotations

from typing import Any

from headway.numeric import finite
from headway.plan.model_choice import Candidate, ModelChoice


def choice_record(c: ModelChoice) -> dict[str, Any]:
    """Return the choice as plain data for ``--json``."""
    alone = c.alone
    return {
        "prompt": float(c.work.prompt), "output": float(c.work.output), "cached": float(c.work.cached), "day": str(c.day),
        "requests_per_min": c.rate, "floor": c.floor, "within_s": c.within, "dollars_per_request": c.dollars,
        "most_requests_per_min": finite(c.most),
        "choice": [
            {"model": s.candidate.account.model, "provider": _provider(s.candidate), "tier": s.candidate.account.tier,
             "requests_per_min": finite(s.rate), "dollars_per_request": s.candidate.dollars}
            for s in c.shares
        ],
        "alone": None if alone is None else {"model": alone.account.model, "dollars_per_request": alone.dollars},
        "candidates": candidate_rows(c), "warnings": [*c.warnings],
    }  # fmt: skip


def candidate_rows(c: ModelChoice) -> list[dict[str, Any]]:
    """Return a row per model of the table.

    Parameters
    ----------
    c : ModelChoice
    """
    taken = {id(s.candidate): s.rate for s in c.shares}
    return [
        {"model": x.account.model, "provider": _provider(x), "tier": x.account.tier, "quality": x.account.quality,
         "dollars_per_request": finite(x.dollars), "most_requests_per_min": finite(x.most), "binds": x.binds,
         "answer_s": finite(x.seconds), "takes_requests_per_min": finite(taken.get(id(x), 0.0)), "refused": x.refused}
        for x in c.candidates
    ]  # fmt: skip


def _provider(c: Candidate) -> str:
    return c.account.provider if c.quote is None else c.quote.offer.listed.provider
