"""headway: what an LLM token costs, and why.

>>> import headway as hw
>>> step = hw.build_step(hw.model("deepseek-v3"), hw.Layout(tp=8))
>>> round(float(hw.step_time(step, hw.Load.decode(32, 1024), hw.chip("h200")).seconds) * 1e3, 1)
12.0
"""

from __future__ import annotations

import importlib
from typing import Any

from headway._version import __version__ as __version__

_WHERE = {
    "headway.hardware": ("Chip", "System", "chip", "chips", "drain_time", "hardware_ratio", "system", "systems"),
    "headway.models": ("Architecture", "kv_bytes_read", "kv_bytes_stored", "model", "number_format", "touched_experts"),
    "headway.roofline": ("Calibration", "Load", "Step", "Work", "calibration", "roofline", "step_time"),
    "headway.parallel": ("Deployment", "Layout", "build_step", "fit", "read_deployment", "read_layout", "require_fit"),
    "headway.batching": ("Scene", "against_batch", "balance_batch", "cost_per_token", "goldilocks_context"),
    "headway.search": ("Query", "search_layouts"),
    "headway.economics": ("PriceSheet", "Usage", "bill", "kv_bytes_from_step"),
    "headway.plan": ("Plan", "Request", "make_plan"),
    "headway.lecture": ("headlines",),
    "headway.errors": ("HeadwayError", "InputError", "PhysicsError"),
}
_HOME = {name: module for module, names in _WHERE.items() for name in names}

__all__ = list(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import a public name from its room on first use: `import headway` itself stays cheap."""
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'headway' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
