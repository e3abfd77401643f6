"""What `headway cache` asks and how it answers: traffic and a cache, or a cache that is held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headway.cli.asking import given
from headway.errors import InputError
from headway.questions import Request, fields_of

_LENGTHS = ("prompt", "output")  # of traffic that is drawn


def refuse(why: str, options: dict[str, Any]) -> None:
    """Refuse options that the question has no use for.

    Raises
    ------
    InputError
        When one of them was given.
    """
    said = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if said:
        names = {"--count": "--requests", "--scale": "--rate-scale"}
        raise InputError(f"{', '.join(names.get(n, n) for n in said)}: {why}")


def held(asked: dict[str, Any], hold: str, tiers: str | None, kv_bytes: str | None, margin: str | None) -> Any:
    """Answer where a cache is held."""
    from headway import units
    from headway.plan.holding import hold_cache
    from headway.plan.operations import margin as read_margin

    request = _request(asked, (), "without both, say the cache of a token as --kv-bytes 70kB and nothing of a model")
    k = None if kv_bytes is None else units.parse(kv_bytes, units.BYTES, "--kv-bytes")
    part = 0.0 if margin is None else read_margin(margin)
    return hold_cache(request, holds=_times(hold, "--hold"), tiers=tiers, kv_bytes=k, margin=part)


def looked_at(
    asked: dict[str, Any],
    name: str | None,
    seed: int,
    window: dict[str, str | None],
    ttl: str | None,
    below: str | None,
    tiers: str | None,
) -> Any:
    """Answer what a cache finds of traffic."""
    from headway.plan.prompt_cache import prompt_cache

    needy = [f"--{n}" for n, v in (("cache-below", below), ("tiers", tiers)) if v is not None]
    request = _request(asked, needy, "without both, sizes are counted in tokens", _LENGTHS)
    request, come = _come(request, asked, name or "mooncake-conv", seed, window)
    return prompt_cache(come, request, ttls=_times(ttl or "5min,1h", "--ttl"), below=below, tiers=tiers)


def _times(text: str, where: str) -> tuple[float, ...]:
    from headway.cli.output import names
    from headway.simulation.traffic.specs import duration

    return tuple(duration(t, where) for t in names(text))


def _come(request: Request | None, asked: dict[str, Any], name: str, seed: int, window: dict[str, str | None]) -> Any:
    """The question about a model, if there is one, and the traffic."""
    from headway.plan.simulated import asked_for
    from headway.simulation.traffic import traffic

    if request is not None:
        return asked_for(request, name, seed=seed, **window)
    options: dict[str, Any] = window | {k: asked[k] for k in _LENGTHS}
    return None, traffic(name, seed=seed, **{k: v for k, v in options.items() if v is not None})


def _request(asked: dict[str, Any], needy: Sequence[str], else_: str, free: tuple[str, ...] = ()) -> Request | None:
    """The question about a model; None without one, and then nothing may be said about it."""
    if asked["model"] is not None and asked["system"] is not None:
        return Request(**given(asked))
    usual = {name: default for name, (_, default) in fields_of(Request).items()}
    said = [k for k, v in asked.items() if v is not None and v != usual[k] and k not in free]
    named = {"model": f"MODEL {asked['model']}", "system": "--on"}
    what = ", ".join([*(named.get(k, f"--{k.replace('_', '-')}") for k in said), *needy])
    if said or needy:
        lacks = (
            "--on SYSTEM"
            if asked["model"] is not None
            else "a MODEL"
            if asked["system"] is not None
            else "a MODEL and --on SYSTEM"
        )
        raise InputError(f"{what}: needs {lacks}, too; {else_}")
    return None


def give(found: Any, json: bool, csv: bool, out: str | None) -> None:
    """Print an answer, and draw it."""
    import sys

    from headway.cli.output import emit, emit_csv
    from headway.cli.terminal import show
    from headway.plan.holding import Holding

    holds = isinstance(found, Holding)
    if out:
        from headway import figures

        figures.write_figure(figures.holding_figure(found) if holds else figures.cache_figure(found), out)
    if json:
        emit(found.to_dict())
    elif csv:
        from headway.records import holding, prompt_cache

        emit_csv(holding.place_rows(found) if holds else prompt_cache.cache_rows(found))
    else:
        show(found.text())
    if out and (json or csv):
        print(f"chart written to {out}", file=sys.stderr)
    elif out:
        show(f"\nchart written to {out}")
