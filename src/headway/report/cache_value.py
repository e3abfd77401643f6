"""What a prompt cache is worth on traffic, as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from headway import units
from headway.plan.cache_value import Rule, Worth
from headway.tables import table_text

_NAMES = {"free": "HBM beside the batch", "pool": "HBM, nothing running"}


def worth_lines(w: Worth, ttls: Sequence[float], levels: Sequence[tuple[str, float, float]]) -> list[str]:
    """Return the table of rules, and what a gigabyte of each memory saves and costs.

    Parameters
    ----------
    w : Worth
    ttls : sequence of float
        [s]
    levels : sequence of (str, float, float)
        As of `Worth.rooms`. [tokens, bytes]
    """
    rules = [*(w.rule(t) for t in ttls), w.oracle()]
    best = rules[-1].saves
    heads = [
        "kept for",
        "in",
        "found",
        "computing",
        "storing",
        "holding",
        "retrieving",
        "saves",
        "of the bill",
        "of the most",
    ]
    body = [_rule(w, r, best) for r in rules]
    rooms = [
        [_NAMES.get(r.name, f"+ {r.name}"), f"${r.saves:.3g}", "—" if math.isnan(r.costs) else f"${r.costs:.3g}", _times(r.saves / r.costs)]
        for r in w.rooms(levels) if not math.isnan(r.saves)
    ]  # fmt: skip
    out = [
        f"worth: {units.seconds(w.own.seconds)} of prompts cost {units.dollars(w.everything)} to compute; caches without a limit of size, "
        "at the rents of their devices",
        table_text(heads, body),
        "as it comes again: an oracle that keeps each block exactly from a use to its next, where that costs least and only if it saves",
        "",
        table_text(["memory of a replica", "a GB saves an hour", "costs", "saves over costs"], rooms),
    ]  # fmt: skip
    late = [t for t in ttls if t >= w.own.seconds]
    if late:
        said = ", ".join(units.seconds(t) for t in late)
        out.append(
            f"! kept for {said}: the traffic ends after {units.seconds(w.own.seconds)}, so what would be found later is not counted, "
            "and its holding is"
        )
    return out


def _rule(w: Worth, r: Rule, best: float) -> list[str]:
    kept = "as it comes again" if r.ttl is None else units.seconds(r.ttl)
    money = [
        units.dollars(x) if x >= 0 else f"-{units.dollars(-x)}"
        for x in (r.computing, r.storing, r.holding, r.retrieving, r.saves)
    ]
    share = r.saves / best if best > 0 else math.nan
    return [
        kept,
        r.place or "—",
        units.per_cent(r.found / w.own.prompt_tokens),
        *money,
        _share(r.saves / w.everything),
        _share(share),
    ]


def _share(value: float) -> str:
    return "—" if math.isnan(value) else f"{100 * value:.3g} %"


def _times(value: float) -> str:
    return "—" if math.isnan(value) else f"{value:,.3g}x"
