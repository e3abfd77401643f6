"""A prompt cache as text: hit rates by size, what a replica's memories hold, what a hit saves."""

from __future__ import annotations

import math

from headway import units
from headway.plan.cache_value import Worth
from headway.plan.prompt_cache import PART, Level, PromptCache, Served
from headway.report.cache_value import worth_lines
from headway.report.loads import money
from headway.tables import table_text


def cache_text(c: PromptCache) -> str:
    """Return the tables and what they mean."""
    r, s = c.rates, c.served
    of = f" of {c.traffic.name}" if c.traffic.name else ""
    out = [] if s is None else [_where(s)]
    out += [
        f"{units.some(r.requests, 'request')}{of}, {_tokens(r.prompt_tokens)} of prompts in blocks of {r.unit_tokens:,}; "
        f"{_tokens(r.distinct * r.unit_tokens)} of them in different blocks",
        "",
        *_curve(c),
        "",
        f"working set   {_size(c, c.working_set)} for {units.per_cent(PART)} of the most that is found",
    ]
    if s is not None:
        out += ["", *_memories(c, s), "", *_said(s)]
        out += (
            []
            if s.worth is None
            else ["", *worth_lines(s.worth, c.ttls, [(x.name, x.tokens, x.size) for x in s.levels])]
        )
    return "\n".join(out)


def _where(s: Served) -> str:
    p = s.plan
    many = "" if s.own.caches == 1 else "; requests go round robin"
    return f"{p.model.name} on {p.system.name}, {p.layout} x {p.replicas}: {units.si(s.token_bytes, 'B')} of cache per token{many}"


def _tokens(number: float) -> str:
    return f"{units.si(number)} tokens" if number >= 1000 else units.some(number, "token")


def _size(c: PromptCache, tokens: float) -> str:
    """A size in tokens, and in bytes where a model says how many they are."""
    each = "" if c.own.caches == 1 else " of each"
    return _tokens(tokens) + each + ("" if c.served is None else f", {units.si(tokens * c.served.token_bytes, 'B')},")


def _curve(c: PromptCache) -> list[str]:
    """A row per size: what is found without a time to live, with each, and by one cache of all."""
    own, s = c.own, c.served
    each = "" if own.caches == 1 else " of each"
    priced = s is not None and s.worth is not None
    heads = [
        f"size{each}",
        *(["bytes"] if s else []),
        *(["a GB more saves"] if priced else []),
        "hit rate",
        *(f"within {units.seconds(t)}" for t in c.ttls),
    ]
    heads += [f"one of all {own.caches}"] if own.caches > 1 else []
    body: list[list[str]] = []
    before = 0.0
    for size in (*c.sizes(2), math.inf):
        limit = math.isinf(size)
        row = ["no limit" if limit else _tokens(size)]
        if s:
            row.append("—" if limit else units.si(size * s.token_bytes, "B"))
            row += [] if s.worth is None else ["—" if limit else _more(s.worth, s.token_bytes, before, size)]
            before = size
        row += [_share(own.share(size, t)) for t in (math.inf, *c.ttls)]
        body.append([*row, *([_share(c.rates.share(size * own.caches))] if own.caches > 1 else [])])
    said = "hit rate: share of the prompts' tokens that is found; requests one after another, the longest unused given up first"
    told = [
        "a GB more saves: computing, an hour, of each GB beyond the size before; what it costs stands in the last table"
    ]
    return [table_text(heads, _thinned(body, 1 + (s is not None) + priced)), said, *(told if priced else [])]


def _more(worth: Worth, token_bytes: float, low: float, high: float) -> str:
    """What each further gigabyte saves in an hour between two sizes."""
    saves = worth.saved(low, high) / ((high - low) * token_bytes / 1e9)
    return f"${saves:.3g}"


def _thinned(body: list[list[str]], first: int) -> list[list[str]]:
    """Rows without those inside a run of the same rates."""
    rates = [row[first:] for row in body]
    last = len(body) - 1
    return [row for i, row in enumerate(body) if i in (0, last) or not rates[i - 1] == rates[i] == rates[i + 1]]


def _share(value: float) -> str:
    return units.per_cent(value) if value else "0"


def _memories(c: PromptCache, s: Served) -> list[str]:
    """A row per memory of a replica, with those above it."""
    several, priced = s.own.caches > 1, s.dollars_per_mtok(0.0) is not None
    heads = [
        "memory of a replica",
        "bytes",
        "reaches",
        "hit rate",
        *([f"one of all {s.own.caches}"] if several else []),
    ]
    heads += ["saved per request", *(["input"] if priced else []), "a token back", "as fast as computing"]
    body: list[list[str]] = []
    for x in (Level("none", 0.0, 0.0), *s.levels, Level("no limit", math.inf, math.inf)):
        hit, named = s.own.share(x.tokens), x.name in ("none", "no limit")
        row = [_name(s, x), "—" if named else units.si(x.size, "B"), "—" if named else _tokens(x.tokens), _share(hit)]
        row += [_share(c.rates.share(x.tokens * s.own.caches))] if several else []
        row.append(units.seconds(s.saved(hit)) if hit else "—")
        row += [money(s.dollars_per_mtok(hit))] if priced else []
        row += (
            [units.seconds(s.back(x)), f"{s.token_seconds / s.back(x):.3g}x"] if math.isfinite(x.rate) else ["—", "—"]
        )
        body.append(row)
    return [table_text(heads, body)]


def _name(s: Served, x: Level) -> str:
    if x.name == "free":
        return f"HBM beside {units.some(s.plan.point.batch, 'request')}"
    if x.name == "pool":
        return "HBM, nothing running"
    return f"+ {x.name}, {units.si(x.rate, 'B/s')}" if math.isfinite(x.rate) else x.name


def _said(s: Served) -> list[str]:
    p = s.plan
    out = [
        f"computing a token takes {units.seconds(s.token_seconds)} of a replica: bringing its cache back is quicker from "
        f"{units.si(s.break_even, 'B/s')} on",
        f"saved per request: time of a replica, of the {units.seconds(s.saved(1.0))} that a prompt of "
        f"{s.own.prompt_tokens / s.own.requests:,.0f} tokens takes on average",
    ]
    if p.cached is not None and p.prefill_dollars_per_mtok is not None:
        out.append(
            f"input: {money(p.prefill_dollars_per_mtok)} for what is computed, {money(p.cached[1])} for what is found, as "
            f"`headway plan` says (input, cached input: 5 min in {p.cached[0]})"
        )
    if any(x.state for x in p.model.layers):
        out.append(
            "! recurrent layers keep a state for each sequence, not for each block: what engines save of it is not counted"
        )
    kept = [w for w in p.warnings if "price" in w or "outside" in w or "context" in w]
    return [*out, *(f"! {w}" for w in kept)]
