"""A run of the lab engine and the simulator beside it as plain data."""

from __future__ import annotations

from typing import Any

import numpy as np

from headway.lab.engine.checked import Checked, Told
from headway.lab.engine.tracing import Recorded


def told_record(t: Told) -> dict[str, Any]:
    """Return what engine or simulator say of a run."""
    return {"passes": t.passes, "ttft_s": t.ttft, "tpot_s": t.tpot, "latency_s": t.latency, "span_s": t.span}


def checked_record(c: Checked) -> dict[str, Any]:
    """Return the comparison."""
    h = c.run.head
    return {
        "model": h["model"], "policy": h["policy"], "requests": len(c.run.boarded()), "alike": c.alike,
        "difference": c.difference or None, "agrees": c.passes, "apart": c.apart, "kinds_apart": c.kinds_apart,
        "engine": told_record(c.engine), "replayed": told_record(c.replayed), "by_kind": told_record(c.by_kind),
        "batches": batch_rows(c.run),
    }  # fmt: skip


def batch_rows(run: Recorded) -> list[dict[str, Any]]:
    """Return passes without prompts by how many sequences rode, and all passes with prompts in one row."""
    groups: dict[int, list[dict[str, Any]]] = {}
    for p in run.passes:
        groups.setdefault(0 if p["chunks"] else len(p["riders"]), []).append(p)
    return [
        {
            "sequences": n or None, "passes": len(ps), "median_s": float(np.median([p["seconds"] for p in ps])),
            "tokens": float(np.mean([p["tokens"] for p in ps])), "prompt_tokens": float(np.mean([p["prompt_tokens"] for p in ps])),
            "context_tokens": float(np.mean([p["context_tokens"] for p in ps])), "blocks": float(np.mean([p["blocks"] for p in ps])),
            "token_s": float(sum(p["seconds"] for p in ps) / max(sum(p["tokens"] for p in ps), 1)),
        }
        for n, ps in sorted(groups.items(), key=lambda g: g[0] or 1 << 30)
    ]  # fmt: skip


def pass_rows(run: Recorded) -> list[dict[str, Any]]:
    """Return every pass, as ``--csv`` has them."""
    return [
        {
            "pass": p["pass"], "start_s": p["start_s"], "seconds": p["seconds"], "sequences": len(p["riders"]) + len(p["chunks"]),
            "decoding": len(p["riders"]), "prompts": len(p["chunks"]), "tokens": p["tokens"], "prompt_tokens": p["prompt_tokens"],
            "context_tokens": p["context_tokens"], "blocks": p["blocks"],
        }
        for p in run.passes
    ]  # fmt: skip
