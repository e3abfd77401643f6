"""The cheapest size over a life as text."""

from __future__ import annotations

from headway import units
from headway.plan.lifetime import ByLaw, Lifetime
from headway.tables import table_text
from headway.training.optimum import Life


def lifetime_text(found: Lifetime) -> str:
    """Return the cheapest size over a life as text: by law the model, compute-optimal and lifetime-optimal, and released models beside."""
    p, t, s = found.prices, found.training, found.serving
    n = t.model.active_parameters
    token = p.token + p.per_parameter * n
    lines = [
        f"as good as {t.model.name} ({_b(n)} active) on {units.tokens(t.tokens)} tokens, with {units.tokens(p.demand)} tokens to serve",
        "",
        f"training    {t.system.name} at MFU {units.per_cent(t.step.mfu)}: ${p.flop * 1e18:,.3g} per EFLOP, failures included",
        f"serving     {s.system.name} as {s.layout}: {units.dollars(token * 1e6)}/Mtok under load, "
        f"{units.per_cent(p.token / token)} of it for reading caches",
    ]
    if p.rollouts:
        lines.append(
            f"RL          {units.tokens(p.rollouts)} tokens generated there, {units.per_cent(p.trained)} trained on"
            f"{f', chips idle {units.per_cent(p.idle)} of the time' if p.idle else ''}: "
            f"{found.rl_factor:.3g} FLOP per parameter and token at training's price (the lecture's 2 to 6 over its MFU)"
        )
    for x in found.laws:
        lines += ["", *_law(x)]
    return "\n".join([*lines, "", *_released(found.laws[0])])


def _b(n: float) -> str:
    return f"{n / 1e9:,.3g} B"


def _law(x: ByLaw) -> list[str]:
    o = x.optimum
    rows = [("the model itself", x.asked), ("least training", o.compute_optimal), ("least over its life", o.best)]
    body = [[name, _b(v.n), units.tokens(v.tokens), f"{v.tokens / v.n:,.3g}", *_money(v)] for name, v in rows]
    head = [x.name, "active", "tokens", "tokens/parameter", "pre-training", "RL", "serving", "together"]
    return [
        *table_text(head, body).splitlines(),
        f"over-trained {o.over_training:,.3g}x; flat: {_b(o.low)} to {_b(o.high)} cost at most {units.per_cent(o.within)} more",
        x.source,
    ]


def _money(v: Life) -> list[str]:
    return [units.large_dollars(d) for d in (v.pretraining, v.reinforcement, v.serving, v.total)]


def _released(x: ByLaw) -> list[str]:
    body = [
        [
            r.name,
            str(r.year),
            _b(r.n),
            units.tokens(r.tokens),
            f"{r.tokens / r.n:,.3g}",
            f"{r.over:,.3g}x",
            units.tokens(r.demand) if r.demand else "—",
        ]
        for r in x.released
    ]
    head = ["released", "year", "active", "tokens", "tokens/parameter", "over-trained", "justified by serving"]
    return [
        *table_text(head, body).splitlines(),
        f"over-trained: tokens per parameter over those of the least training of the same loss, by {x.name}; justified by serving: so many "
        "tokens at these prices, without RL, and no other size is cheaper",
    ]
