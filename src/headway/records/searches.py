"""The answer of a search as plain data: for ``--json``, ``--csv`` and charts."""

from __future__ import annotations

from typing import Any

from headway.numeric import finite
from headway.search.answer import Option, SearchAnswer, Searched, option
from headway.search.placement import memory_parts, name_of
from headway.search.why import reason, spent

_CUTS = ("tp", "cp", "dp", "ep", "pp")


def search_record(answer: SearchAnswer) -> dict[str, Any]:
    """Return the answer as plain data: SI units, names end in the unit where it is not a count."""
    q, best = answer.query, answer.best

    def told(o: Option) -> dict[str, Any]:
        lost = "" if (o.system, o.index) == (best.system, best.index) else o.reason or reason(best, o, q)
        return placed_record(o) | {"reason": lost}

    return {
        "model": best.found.where.model.name,
        "query": {
            "systems": list(q.systems), "prompt": q.prompt, "output": q.output, "ttft_s": q.ttft, "tpot_s": q.tpot,
            "sure": q.sure, "rate_per_s": q.rate, "minimise": q.minimise, "engine": best.found.where.engine.name, "overlap": q.overlap,
            "drafts": q.drafts,
        },
        "best": placed_record(best),
        "fleets": [fleet_record(f) for f in answer.fleets],
        "frontier": [told(o) for o in answer.frontier],
        "frontier_by_cost": [told(o) for o in answer.by_cost],
        "systems": [o.record() for o in answer.systems],
        "runners_up": [told(x) for x in answer.losers],
        "evaluated": answer.evaluated,
        "warnings": answer.warnings,
    }  # fmt: skip


def placed_record(o: Option) -> dict[str, Any]:
    """Return an option with what its chips do, what their memory holds and what their time goes to."""
    d = o.deployment
    pools = [("all", d.decode)] if d.prefill is None else [("prompts", d.prefill), ("answers", d.decode)]
    return (
        {"name": name_of(o)}
        | o.record()
        | {
            "chip_seconds_per_token": spent(o),
            "memory_parts_bytes_per_chip": memory_parts(o),
            "pools": [
                {"of": name, "replicas": p.replicas, "chips": p.chips, **{k: getattr(p.layout, k) for k in _CUTS}}
                for name, p in pools
            ],
        }
    )


def fleet_record(one: Option) -> dict[str, Any]:
    """Return a fleet as plain data."""
    f = one.fleet
    return {
        "system": one.system, "deployment": str(one.deployment), "replicas": f.replicas,
        "prefill_replicas": f.prompt_replicas or None, "batch_per_replica": one.batch, "chips": f.chips, "spare_systems": f.spare,
        "dollars_per_hour": finite(f.dollars * 3600), "seats_taken": f.utilisation,
        "share_that_waits": f.waiting, "mean_wait_s": f.wait, "ttft_s": f.ttft, "tpot_s": f.tpot, "request_s": f.request,
        "saturates_at_per_s": f.most,
    }  # fmt: skip


def search_rows(answer: SearchAnswer) -> list[dict[str, Any]]:
    """Return a row per point of the frontier, then one for every other layout at its best point."""
    seen = {(o.system, o.index) for o in answer.frontier}
    found = [o.record() | {"frontier": True} for o in answer.frontier]
    for f, chosen in answer.layouts:
        found += [option(f, i).record() | {"frontier": False} for i in chosen if (f.system, i) not in seen]
    return found


def dots(found: Searched, chosen: list[int]) -> list[dict[str, Any]]:
    """Return points for a chart, one per index.

    Parameters
    ----------
    found : Searched
    chosen : list of int
        Indices into its points. [1]
    """
    p, ends = found.points, found.ends
    return [
        {
            "system": found.system, "layout": str(found.deployment(i)), "batch": float(p.batch[i]),
            "user": float(p.per_user[i]), "chip": float(p.per_chip[i]),
            "dollars": float(p.per_mtok[i]) if found.priced else None, "ttft": float(p.ttft[i]), "tpot": float(p.tpot[i]) * 1e3,
            "tpot_low": float(ends["tpot"].low[i]) * 1e3, "tpot_high": float(ends["tpot"].high[i]) * 1e3,
            "kind": "one pool" if p.prompt_layout[i] < 0 else "two pools",
        }
        for i in chosen
    ]  # fmt: skip
