"""A model that fits as plain data."""

from __future__ import annotations

from typing import Any

from headway.numeric import finite
from headway.plan.fits import Fitting


def fit_record(f: Fitting) -> dict[str, Any]:
    """Return a model that fits as plain data; bytes, tokens and seconds."""
    return {
        "model": f.model, "weights_format": f.stored, "total_parameters": f.parameters, "active_parameters": f.active,
        "loaded_bytes": f.weights, "host_bytes": f.on_host, "cpu_layers": f.layout.cpu_layers,
        "cpu_experts": f.layout.cpu_experts, "layout": str(f.layout), "longest_context": f.longest, "context": f.context,
        "max_batch": finite(f.sequences), "tpot_s": f.seconds, "tok_s": 1 / f.seconds,
    }  # fmt: skip
