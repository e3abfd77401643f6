"""The verb about prompt caches."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks
from headway.cli.options import Csv, Folder, Json, Out
from headway.cli.simulated import AnySeed, Count, Duration, Rate, Scale, Start
from headway.questions import Request

_OTHERS = (
    "arrivals",
    "concurrency",
    "overlap",
    "load",
    "rounds",
    "length_spread",
    "hits",
)  # traffic says what is found
_Traffic = Annotated[
    str | None,
    Parameter(
        help="Whose prompts share beginnings: mooncake-conv, sessions:..., agents:..., or a file with hash_ids; default: mooncake-conv."
    ),
]
_Ttl = Annotated[str | None, Parameter(help="Times to live to look at, by comma; default: 5min,1h.")]
_Below = Annotated[
    str | None,
    Parameter(
        help="Memory below the chips': host, or host:1TB@50GB/s (of a replica), then others; default: the catalogue's host."
    ),
]
_Hold = Annotated[
    str | None,
    Parameter(
        help="Where to keep a cache for so long, and what to ask for it, instead of looking at traffic. [5min,1h]"
    ),
]
_Tiers = Annotated[
    str | None,
    Parameter(
        help="CSV of your memories with their prices, as `headway catalog memory_devices`; default: the catalogue's."
    ),
]
_KvBytes = Annotated[str | None, Parameter(help="Cache of a token, with --hold and without a MODEL. [70kB]")]
_Margin = Annotated[str | None, Parameter(help="Of the prices of --hold; default: at cost. [50%]")]


@asks(Request, leave_out=_OTHERS, optional=("model", "system"))
def cache(
    asked: dict[str, Any],
    *,
    traffic: _Traffic = None,
    requests: Count = None,
    duration: Duration = None,
    start: Start = None,
    rate: Rate = None,
    rate_scale: Scale = None,
    seed: AnySeed = 0,
    ttl: _Ttl = None,
    cache_below: _Below = None,
    hold: _Hold = None,
    tiers: _Tiers = None,
    kv_bytes: _KvBytes = None,
    margin: _Margin = None,
    json: Json = False,
    csv: Csv = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Hit rate of a prompt cache against its size and time to live; for a model, what its memories hold and what a hit saves.

    Without MODEL and --on, sizes are tokens. --hold 5min,1h: where a cache lies cheapest between uses, what to ask for it, and how
    many hits pay for it. -o draws the hit rate against the size, or the cost against the hold time.
    """
    from headway.catalog import use
    from headway.cli import caching

    use(catalog)
    if out:
        from headway.figures.style import check

        check(out)
    window = {"count": requests, "duration": duration, "start": start, "rate": rate, "scale": rate_scale}
    if hold is not None:
        others = {"traffic": traffic, **window, "cache_below": cache_below, "ttl": ttl}
        caching.refuse("--hold looks at no traffic", others)
        found = caching.held(asked, hold, tiers, kv_bytes, margin)
    else:
        caching.refuse("says nothing without --hold", {"kv_bytes": kv_bytes, "margin": margin})
        found = caching.looked_at(asked, traffic, seed, window, ttl, cache_below, tiers)
    caching.give(found, json, csv, out)
