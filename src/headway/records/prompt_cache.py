"""A prompt cache as plain data: a row per size and time to live, and the whole answer for ``--json``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from headway.numeric import finite
from headway.plan.cache_value import Rule, Worth
from headway.plan.prompt_cache import PART, Level, PromptCache, Served

_A_DECADE = 20  # sizes of a curve


def cache_rows(c: PromptCache, a_decade: int = _A_DECADE) -> list[dict[str, Any]]:
    """Return hit rates by time to live and size of each cache, the last of each without limit.

    Parameters
    ----------
    c : PromptCache
    a_decade : int
        Sizes in each. [1]
    """
    s, many = c.served, c.own.caches
    worth = None if s is None else s.worth
    return [
        {"ttl_s": finite(ttl), "size_tokens": finite(size), "size_bytes": None if s is None else finite(size * s.token_bytes),
         "hit_rate": c.own.share(size, ttl), "hit_rate_shared": c.rates.share(size * many, ttl),
         "saves_dollars_per_h": None if worth is None else many * worth.saved(0.0, size, ttl=ttl)}
        for ttl in (math.inf, *c.ttls) for size in (*c.sizes(a_decade), math.inf)
    ]  # fmt: skip


def cache_record(c: PromptCache) -> dict[str, Any]:
    """Return the answer as plain data."""
    r, size = c.rates, c.working_set
    return {
        "traffic": c.traffic.name, "source": c.traffic.source, "requests": r.requests, "prompt_tokens": r.prompt_tokens,
        "hash_tokens": r.unit_tokens, "distinct_tokens": r.distinct * r.unit_tokens, "caches": c.own.caches, "hit_rate": c.own.share(),
        "hit_rate_shared": r.share(),
        "by_ttl": [{"ttl_s": t, "hit_rate": c.own.share(ttl=t), "hit_rate_shared": r.share(ttl=t)} for t in c.ttls],
        "working_set": {"of_the_most": PART, "tokens": size, "bytes": None if c.served is None else size * c.served.token_bytes},
        "served": None if c.served is None else _served(c, c.served),
        "curve": cache_rows(c),
    }  # fmt: skip


def _served(c: PromptCache, s: Served) -> dict[str, Any]:
    p = s.plan
    return {
        "model": p.model.name, "system": p.system.name, "layout": str(p.layout), "replicas": p.replicas, "engine": p.setting.engine.name,
        "batch": p.point.batch, "context": p.context, "bytes_per_token": s.token_bytes, "prefill_s_per_token": s.token_seconds,
        "break_even_bytes_per_s": s.break_even, "prefill_dollars_per_mtok": p.prefill_dollars_per_mtok,
        "cached_input": None if p.cached is None else {"tier": p.cached[0], "dollars_per_mtok": p.cached[1]},
        "memories": [*(_level(c, s, x) for x in s.levels), _level(c, s, Level("no limit", math.inf, math.inf))],
        "worth": None if s.worth is None else _worth(s.worth, c.ttls, s.levels), "warnings": p.warnings,
    }  # fmt: skip


def _worth(w: Worth, ttls: Sequence[float], levels: Sequence[Level]) -> dict[str, Any]:
    return {
        "seconds": w.own.seconds, "computing_dollars": w.everything, "bytes_per_token": w.kv_bytes,
        "rules": [_rule(w, r) for r in (*(w.rule(t) for t in ttls), w.oracle())],
        "rooms": [
            {"name": r.name, "saves_dollars_per_gb_h": finite(r.saves), "costs_dollars_per_gb_h": finite(r.costs)}
            for r in w.rooms([(x.name, x.tokens, x.size) for x in levels])
        ],
    }  # fmt: skip


def _rule(w: Worth, r: Rule) -> dict[str, Any]:
    return {
        "ttl_s": r.ttl, "place": r.place, "hit_rate": r.found / w.own.prompt_tokens, "computing_dollars": r.computing,
        "storing_dollars": r.storing, "holding_dollars": r.holding, "retrieving_dollars": r.retrieving, "saves_dollars": r.saves,
    }  # fmt: skip


def _level(c: PromptCache, s: Served, x: Level) -> dict[str, Any]:
    hit = s.own.share(x.tokens)
    return {
        "name": x.name, "size_bytes": finite(x.size), "reach_tokens": finite(x.tokens), "hit_rate": hit,
        "hit_rate_shared": c.rates.share(x.tokens * s.own.caches), "saved_s_per_request": s.saved(hit),
        "input_dollars_per_mtok": s.dollars_per_mtok(hit), "back_bytes_per_s": finite(x.rate), "back_s_per_token": s.back(x),
    }  # fmt: skip
