"""Load models, one file each: what benchmarks report (TTFT, TPOT, rates), from the times of a handful of passes.

Closed forms of mean values, no simulation: a step's length decides everything. All arguments may be arrays.
"""

from headway.serving.loops import closed, split, static
from headway.serving.loops.closed import work
from headway.serving.loops.split import prompt_seconds
from headway.serving.loops.steps import step_of
from headway.serving.loops.workload import Kind, Loop, Served, Workload, first_token, later_tokens

LOOPS: dict[Kind, Loop] = {x.kind: x for x in (static.LOOP, closed.LOOP, split.LOOP)}

__all__ = [
    "LOOPS",
    "Kind",
    "Loop",
    "Served",
    "Workload",
    "first_token",
    "later_tokens",
    "prompt_seconds",
    "step_of",
    "work",
]
