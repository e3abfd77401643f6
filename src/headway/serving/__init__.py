"""Serving: what a question resolves to (Setting, Case), the memory account, load models, and the answer under load."""

from headway.serving.answer import Answer, Floors, answer, floors, ideal_times, interval, pass_times
from headway.serving.capacity import Account, Pool, kv_pool, memory_account, require_fit, too_many
from headway.serving.case import Case, PromptPool, beat, case, decode_tokens, passes_of, workload
from headway.serving.engine_memory import MemoryHabits
from headway.serving.engines import Engine, engine, engine_on
from headway.serving.handover import Link, handover, joining, link_between, servers
from headway.serving.loops import LOOPS, Loop, Served, Workload, first_token, later_tokens, prompt_seconds
from headway.serving.names import named_system, served_model, stated_chips
from headway.serving.numbers import numbers_on
from headway.serving.remedies import matching, refused
from headway.serving.setting import (
    Setting,
    asked_layout,
    checked_layout,
    given_ways,
    left_to_host,
    lengths,
    place,
    setting,
    step_of,
    system_of,
)

__all__ = [
    "LOOPS",
    "Account",
    "Answer",
    "Case",
    "Engine",
    "Floors",
    "Link",
    "Loop",
    "MemoryHabits",
    "Pool",
    "PromptPool",
    "Served",
    "Setting",
    "Workload",
    "answer",
    "asked_layout",
    "beat",
    "case",
    "checked_layout",
    "decode_tokens",
    "engine",
    "engine_on",
    "first_token",
    "floors",
    "given_ways",
    "handover",
    "ideal_times",
    "interval",
    "joining",
    "kv_pool",
    "later_tokens",
    "left_to_host",
    "lengths",
    "link_between",
    "matching",
    "memory_account",
    "named_system",
    "numbers_on",
    "pass_times",
    "passes_of",
    "place",
    "prompt_seconds",
    "refused",
    "require_fit",
    "served_model",
    "servers",
    "setting",
    "stated_chips",
    "step_of",
    "system_of",
    "too_many",
    "workload",
]
