"""What the words of `headway serve` make of a lab engine."""

from __future__ import annotations

from headway.cli.output import names
from headway.errors import InputError, quoted, unknown
from headway.lab.engine.settings import TIERS, Delays, Settings, limits_of
from headway.simulation.admission import ENDLESS, Admission


def settings_of(
    model: str,
    policy: str,
    limits: dict[str, int],
    *,
    seats: str | None,
    queue: int | None,
    cache: bool,
    delays: Delays,
    layers: int,
    seed: int,
) -> Settings:
    """Return an engine's settings; every option is refused by its own name."""
    from headway.lab import tiny
    from headway.plan import operations

    chosen = operations.policy(policy)
    if chosen is None:
        raise InputError("--policy engine: the lab engine is one itself; name a scheduler, like chunked")
    if not 1 <= layers <= 32:
        raise InputError(f"--layers: {layers} must be in 1..32")
    if not 0 <= seed < 1 << 32:
        raise InputError(f"--seed: {seed} must be in 0..{(1 << 32) - 1}")
    if queue is not None and queue < 0:
        raise InputError(f"--max-queue: {queue} must be at least 0")
    door = Admission(_seats(seats), (), ENDLESS if queue is None else queue)
    return Settings(
        tiny(model, layers), limits_of(chosen, **limits), chosen, door, keeps=cache, delays=delays, seed=seed
    )


def _seats(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    found = dict.fromkeys(TIERS, ENDLESS)
    for part in names(text):
        name, _, number = part.partition("=")
        if name not in found:
            raise unknown("tier", name, TIERS)
        if not number.isdigit() or int(number) < 1:
            raise InputError(f"--seats {quoted(part)}: a number of seats, at least 1, like {name}=4")
        found[name] = int(number)
    return tuple(found.values())
