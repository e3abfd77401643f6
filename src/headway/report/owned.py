"""What an hour of an owned chip costs, as text."""

from __future__ import annotations

from headway import units
from headway.catalog import catalogue, normal
from headway.economics.owned import OwnedPrice
from headway.tables import table_text

_MOVES = 4  # inputs that move the price most


def owned_text(o: OwnedPrice) -> str:
    """Return an owned price as text: its terms, what moves it, and what others say of the same chip.

    Parameters
    ----------
    o : OwnedPrice
    """
    body = [[t.name, f"${t.dollars:.3f}", f"{100 * t.dollars / o.per_hour:.0f} %", t.why] for t in o.terms]
    body.append(
        [
            "together",
            f"${o.per_hour:.3f}",
            "100 %",
            f"with its 80 % interval: ${o.low:.2f} to ${o.high:.2f}" if o.swings else "no input is a guess",
        ]
    )
    head = [f"an owned {o.chip}", "$/h", "share", "made of"]
    return "\n".join([*table_text(head, body).splitlines(), *_moves(o), *_others(o)])


def _moves(o: OwnedPrice) -> list[str]:
    """The guesses that the price hangs on."""
    widest = sorted(o.swings.items(), key=lambda x: -abs(x[1][1] - x[1][0]))[:_MOVES]
    known = {a.name: a for a in o.inputs}
    found = [
        f"{n} ({known[n].low:g} to {known[n].high:g} {known[n].unit}) ${min(ends):.2f} to ${max(ends):.2f}"
        for n, ends in widest
    ]
    return [f"hangs on: {'; '.join(found)} (`headway catalog owned` has the sources)"] if found else []


def _others(o: OwnedPrice) -> list[str]:
    """Models of owners and rents of the same chip."""
    own: list[str] = []
    rents: list[float] = []
    for r in catalogue().table("rental_prices").rows:
        if not normal(r["chip"]).startswith(normal(o.chip)):
            continue
        price = float(r["usd_per_chip_hour"])
        if r["kind"].startswith("own-"):
            own.append(f"{r['kind'].removeprefix('own-')} {units.dollars(price)}")
        else:
            rents.append(price)
    found: list[str] = []
    if own:
        found.append(f"others' models of owners: {', '.join(own)} (SemiAnalysis, in the catalogue)")
    if rents:
        found.append(
            f"rents: {units.dollars(min(rents))} to {units.dollars(max(rents))} in {units.some(len(rents), 'price')} of the catalogue"
        )
    return found
