"""What the words of `headway serve` make of a lab engine."""

from __future__ import annotations

import json
from pathlib import Path

from headway import units
from headway.cli.output import names
from headway.cli.serving import Engine
from headway.errors import InputError, quoted, unknown
from headway.lab.engine.settings import TIERS, Delays, Settings, limits_of
from headway.simulation.admission import ENDLESS, Admission
from headway.writing import replacing


def settings_of(model: str, o: Engine) -> Settings:
    """Return an engine's settings; every option is refused by its own name."""
    from headway.lab import tiny
    from headway.plan import operations

    chosen = operations.policy(o.policy)
    if chosen is None:
        raise InputError("--policy engine: the lab engine is one itself; name a scheduler, like chunked")
    if not 1 <= o.layers <= 32:
        raise InputError(f"--layers: {o.layers} must be in 1..32")
    if not 0 <= o.seed < 1 << 32:
        raise InputError(f"--seed: {o.seed} must be in 0..{(1 << 32) - 1}")
    if o.max_queue is not None and o.max_queue < 0:
        raise InputError(f"--max-queue: {o.max_queue} must be at least 0")
    door = Admission(_seats(o.seats), (), ENDLESS if o.max_queue is None else o.max_queue)
    limits = limits_of(chosen, o.max_tokens, o.max_sequences, o.blocks, o.block, o.max_context)
    return Settings(tiny(model, o.layers), limits, chosen, door, keeps=o.cache, delays=_delays(o), seed=o.seed)


def write_config(model: str, o: Engine, file: str) -> None:
    """Write the config.json of an engine's tiny network."""
    from headway.lab.widths import tiny_config

    with replacing(Path(file), file) as half:
        half.write_text(json.dumps(tiny_config(model, o.layers), indent=1) + "\n", encoding="utf-8")


def _delays(o: Engine) -> Delays:
    told = {"pass": o.delay_pass, "sequence": o.delay_sequence, "token": o.delay_token, "context": o.delay_context}
    found = {f"per_{n}": units.parse(v, units.SECONDS, f"--delay-{n}") for n, v in told.items() if v is not None}
    return Delays(**found)


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
