"""Why an option lost: where its chip-seconds (or seconds) go, beside the best one's."""

from __future__ import annotations

from headway import units
from headway.questions import Query
from headway.roofline import Load, step_time
from headway.search.answer import Option
from headway.serving import decode_tokens


def spent(o: Option) -> dict[str, float]:
    """Return the chip-seconds of one output token by what they are spent on.

    Notes
    -----
    Decode: a pass's kernels by what binds each (weights and cache where memory does), its exposed network, its overheads.
    Idle: chips paid that no replica uses. Prompts: all the rest of chips over output tokens per second.
    """
    where, layout = o.found.where, o.layout
    step = where.step(layout)
    context = where.prompt + where.output / 2
    load = Load.decode(max(o.batch / layout.pp, 1.0), context, new=where.new_tokens, skew=where.skew)
    t = step_time(step, load, where.system.chip, where.numbers)
    seconds = float(where.passes_of(layout).shortest(load, where.overlap))
    spent_on = t.resources
    parts = {
        "weight reads": float(spent_on.weights), "KV reads": float(spent_on.cache), "compute": float(spent_on.compute),
        "overhead": float(spent_on.overhead),
    }  # fmt: skip
    parts["network"] = max(seconds - sum(parts.values()), 0.0)
    each = layout.chips * seconds / (o.batch * decode_tokens(where))
    found = {k: v / sum(parts.values()) * each for k, v in parts.items()}
    idle = o.idle / o.rate
    return {**found, "prompts": max(o.chips / o.rate - each - idle, 0.0), "idle chips": idle}


def reason(best: Option, other: Option, query: Query) -> str:
    """Say in one line why `other` lost against `best` for the goal."""
    goal = query.minimise
    if goal == "latency":
        times = other.request[1] / best.request[1]
        return f"{times:.2f}x the request's time: {_moved(_times(best), _times(other))}"
    if goal == "chips":
        mine, theirs = used_chips(best), used_chips(other)
        if mine != theirs:
            return f"{units.some(theirs, 'chip')} instead of {mine}"
    return f"{_cost(other) / _cost(best):.2f}x the cost: {_moved(_priced(best), _priced(other))}"


def used_chips(o: Option) -> int:
    """Return the chips of one replica, or of both pools."""
    return o.layout.chips if o.deployment.prefill is None else o.deployment.chips


def _cost(o: Option) -> float:
    return o.per_mtok[1] if o.per_mtok else 1 / o.per_chip


def _priced(o: Option) -> dict[str, float]:
    """Chip-seconds by use, in dollars where chips have a price, so that systems compare."""
    parts = spent(o)
    total = sum(parts.values())
    return {k: v / total * _cost(o) for k, v in parts.items()}


def _times(o: Option) -> dict[str, float]:
    output = o.found.where.output
    return {"first token": o.ttft[1], "answer": (output - 1) * o.tpot[1]}


def _moved(best: dict[str, float], other: dict[str, float]) -> str:
    """Name what differs most, as shares of the best one's total."""
    total = sum(best.values())
    change = {k: (other.get(k, 0.0) - v) / total for k, v in best.items()}
    order = sorted(change, key=lambda k: -abs(change[k]))
    shown = [k for k in order if abs(change[k]) >= 0.005][:3] or order[:1]
    rest = sum(v for k, v in change.items() if k not in shown)
    parts = [f"{k} {100 * change[k]:+.0f} %" for k in shown] + (
        [f"other {100 * rest:+.0f} %"] if abs(rest) >= 0.005 else []
    )
    return ", ".join(parts)


def unmet(o: Option, query: Query) -> str:
    """Say which limits an option does not meet; empty when it meets all."""
    end = 2 if query.sure else 1
    says: list[str] = []
    for name, limit, value in (("TTFT", query.ttft, o.ttft[end]), ("TPOT", query.tpot, o.tpot[end])):
        if limit is not None and value > limit:
            says.append(f"{name} {_short(value)} over {_short(limit)}")
    return " and ".join(says)


def _short(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
