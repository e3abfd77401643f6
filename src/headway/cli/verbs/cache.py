"""The verb about prompt caches."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json, Out
from headway.cli.simulated import AnySeed, Count, Duration, Rate, Scale, Start
from headway.questions import Request

_OTHERS = ("arrivals", "concurrency", "overlap", "load", "rounds", "length_spread")
_LENGTHS = ("prompt", "output")  # of traffic that is drawn


@asks(Request, leave_out=_OTHERS, optional=("model", "system"))
def cache(
    asked: dict[str, Any],
    *,
    traffic: Annotated[
        str,
        Parameter(
            help="Whose prompts share beginnings: mooncake-conv, sessions:..., agents:..., or a file with hash_ids."
        ),
    ] = "mooncake-conv",
    requests: Count = None,
    duration: Duration = None,
    start: Start = None,
    rate: Rate = None,
    rate_scale: Scale = None,
    seed: AnySeed = 0,
    ttl: Annotated[str, Parameter(help="Times to live to look at, by comma.")] = "5min,1h",
    cache_below: Annotated[
        str | None,
        Parameter(
            help="Memory below the chips': host, or host:1TB@50GB/s (of a replica), then others; default: the catalogue's host."
        ),
    ] = None,
    json: Json = False,
    csv: Csv = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Hit rate of a prompt cache against its size and time to live; for a model, what its memories hold and what a hit saves.

    Without MODEL and --on, sizes are tokens. -o draws the hit rate against the size.
    """
    from headway.catalog import use
    from headway.cli.output import names
    from headway.plan.prompt_cache import prompt_cache
    from headway.simulation.traffic.specs import duration as seconds

    use(catalog)
    if out:
        from headway.figures.style import check

        check(out)
    window = {"count": requests, "duration": duration, "start": start, "rate": rate, "scale": rate_scale}
    request, come = _come(asked, cache_below, traffic, seed, window)
    ttls = tuple(seconds(t, "--ttl") for t in names(ttl))
    _give(prompt_cache(come, request, ttls=ttls, below=cache_below), json, csv, out)


def _come(asked: dict[str, Any], below: str | None, name: str, seed: int, window: dict[str, str | None]) -> Any:
    """The question about a model, if there is one, and the traffic."""
    from headway.plan.simulated import asked_for
    from headway.simulation.traffic import traffic

    request = _request(asked, below)
    if request is not None:
        return asked_for(request, name, seed=seed, **window)
    options: dict[str, Any] = window | {k: asked[k] for k in _LENGTHS}
    return None, traffic(name, seed=seed, **{k: v for k, v in options.items() if v is not None})


def _request(asked: dict[str, Any], below: str | None) -> Request | None:
    """The question about a model; None without one, and then nothing may be said about it."""
    from headway.errors import InputError
    from headway.questions import fields_of

    if asked["model"] is not None and asked["system"] is not None:
        return Request(**given(asked))
    usual = {name: default for name, (_, default) in fields_of(Request).items()}
    said = [k for k, v in asked.items() if v is not None and v != usual[k] and k not in _LENGTHS]
    if said or below is not None:
        lacks = (
            "--on SYSTEM"
            if asked["model"] is not None
            else "a MODEL"
            if asked["system"] is not None
            else "a MODEL and --on SYSTEM"
        )
        named = {"model": f"MODEL {asked['model']}", "system": "--on"}
        what = ", ".join(named.get(k, f"--{k.replace('_', '-')}") for k in said) or "--cache-below"
        raise InputError(f"{what}: needs {lacks}, too; without both, sizes are counted in tokens")
    return None


def _give(found: Any, json: bool, csv: bool, out: str | None) -> None:
    import sys

    from headway.cli.output import emit, emit_csv
    from headway.cli.terminal import show

    if out:
        from headway import figures

        figures.write_figure(figures.cache_figure(found), out)
    if json:
        emit(found.to_dict())
    elif csv:
        from headway.records.prompt_cache import cache_rows

        emit_csv(cache_rows(found))
    else:
        show(found.text())
    if out and (json or csv):
        print(f"chart written to {out}", file=sys.stderr)
    elif out:
        show(f"\nchart written to {out}")
