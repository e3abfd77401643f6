"""Where a search's numbers came from."""

from __future__ import annotations

from headway import units
from headway.search import SearchAnswer


def search_why_rows(answer: SearchAnswer) -> list[dict[str, str]]:
    """Return where the numbers of a search come from."""
    best = answer.best
    where, numbers = best.found.where, best.found.where.numbers
    chip, m = where.system.chip, where.model
    price = "none" if where.system.price is None else f"${where.system.price * 3600:.2f} per chip-hour"
    return [
        {"what": "model", "value": f"{m.total_parameters:,} parameters from config.json", "source": m.source},
        {"what": "chip", "value": f"{chip.name}: {units.si(chip.bandwidth, 'B/s')}, {units.si(chip.memory, 'B')}",
         "source": f"{chip.source} ({chip.date})"},
        {"what": "price", "value": price, "source": where.system.price_note or "no price in the catalogue"},
        {"what": "engine", "value": numbers.name, "source": numbers.provenance},
        {"what": "passes", "value": "step_time of every layout and batch, kernels one after another", "source": "lecture E1 to E3"},
        {"what": "load", "value": "closed loop in mean values; pools for prompts by rate matching",
         "source": "Schweitzer 1979; Allen and Cunneen"},
        {"what": "queue", "value": "chance that a request finds every seat taken", "source": "Erlang 1917; Halfin and Whitt 1981"},
        {"what": "intervals", "value": "80 % of out-of-fold errors of the engine's evidence", "source": numbers.provenance},
    ]  # fmt: skip


def search_why_text(answer: SearchAnswer) -> str:
    """Return the provenance of a search as text."""
    rows = [f"  {r['what']:<12} {r['value']}  [{r['source']}]" for r in search_why_rows(answer)]
    return "\n".join(["where the numbers come from", *rows])
