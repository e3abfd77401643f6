"""Where the numbers of a simulation, of a bill beside a rented system and of prices read backwards come from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headway import units
from headway.economics.physics_of_prices import Guess
from headway.plan.break_even import BreakEven
from headway.plan.infer import Inference
from headway.roofline import CONVENTIONS
from headway.serving import Setting
from headway.simulation.admission import ENDLESS
from headway.simulation.results import Simulated

Row = dict[str, str]


def _rows(found: Sequence[tuple[str, str, str]]) -> list[Row]:
    return [{"what": a, "how": b, "source": c} for a, b, c in found]


def _most(sequences: int) -> str:
    return f" and {sequences:,} sequences" if sequences < ENDLESS else ""


def _setting_rows(s: Setting) -> list[tuple[str, str, str]]:
    chip, numbers, on = s.system.chip, s.numbers, s.system
    price = "none" if on.price is None else f"${on.price * 3600:.2f} per chip-hour x {units.some(on.chips, 'chip')}"
    return [
        ("model", f"{s.model.total_parameters:,} parameters, counted from config.json", s.model.source),
        ("chip", f"{chip.name}: {units.si(chip.bandwidth, 'B/s')}, {units.si(chip.memory, 'B')}, dense peaks",
         f"{chip.source} ({chip.date})"),
        ("price", price, on.price_note or "catalogue"),
        ("engine", numbers.name, numbers.provenance),
        ("passes", f"each as long as step_time says of what it carries: {CONVENTIONS[s.convention]}", "lecture E1 to E3"),
    ]  # fmt: skip


def simulation_why_rows(s: Simulated, ttft: float | None = None, tpot: float | None = None) -> list[Row]:
    """Return where each number of a simulation comes from.

    Parameters
    ----------
    s : Simulated
    ttft, tpot : float or None
        Limits whose keeping is told. [s]
    """
    log, d, span, ended = s.log, s.deployment, s.span, int(s.ended.sum())
    made = int(log.requests.output[s.ended].sum())
    busy = sum(float(p.seconds.sum()) for p in log.passes)
    passes = sum(len(p.seconds) for p in log.passes)
    every = f"{span:.4g} s from the first arrival to the last token"
    own = [
        ("traffic", f"{log.requests.name}: {units.some(len(log.requests), 'request')}", log.requests.source),
        ("scheduler", f"{d.policy.name}; at most {d.limits.tokens:,} tokens{_most(d.limits.sequences)} in a pass, "
         f"{d.limits.blocks:,} blocks of {d.limits.block} tokens of KV cache", d.setting.engine.memory.source),
        ("requests", f"{ended:,} ended; {int(log.turned_away.sum()):,} turned away, {int(log.rejected.sum()):,} never fit", "the run"),
        ("carried", f"{ended:,} requests / {every}", "the run"),
        ("output", f"{made:,} tokens of the requests that ended / {every}", "the run"),
        ("busy",
         f"{units.seconds(busy)} under way, {passes:,} passes or runs of passes alike / "
         f"({span:.4g} s x {units.some(len(log.passes), 'replica')})", "the run"),
        ("TTFT", "end of the pass that wrote the first token - arrival, the server's handling included", "the run"),
        ("TPOT", "(last token - first token) / (tokens - 1), of each request", "the run"),
        ("p99 of TTFT", f"order statistic of {ended:,} requests, its 80 % interval from the ranks beside it",
         "binomial; requests taken as independent"),
        ("given up", f"{int(log.preempted.sum()):,} caches lost for want of blocks and computed again", "the run"),
    ]  # fmt: skip
    price = d.setting.system.price
    if price is not None and made:
        own.append((
            "cost",
            f"{s.paid:,.4g} chip-seconds x ${price * 3600:.2f}/h / {made:,} output tokens = ${s.dollars_per_mtok:.4g}/Mtok", "lecture E4",
        ))  # fmt: skip
    if ttft is not None or tpot is not None:
        kept = int(np.sum(s.good(*(np.inf if x is None else x for x in (ttft, tpot)))))
        own.append(("within the limits", f"{kept:,} of {len(log.requests):,} requests ended within both", "the run"))
    return _rows([*_setting_rows(d.setting), *own])


def break_even_why_rows(b: BreakEven) -> list[Row]:
    """Return where each number of a bill beside a rented system comes from.

    Parameters
    ----------
    b : BreakEven
    """
    c = b.cells[0]
    rents = [
        (f"rent, {r.name}", f"${r.per_hour:.4g}/h of the whole system, paid {r.hours:g} h a day; requests come {b.busy:g} h",
         r.note or "as given")
        for r in b.rents
    ]  # fmt: skip
    q = c.cheapest
    own = [
        ("a request", f"{b.work.prompt:,.0f} tokens of prompt, {b.work.output:,.0f} of answer", "as given"),
        ("a system carries", "simulated traffic, request by request, until fewer than asked are within the limits, by bisection; "
         "80 % over the seeds", "headway capacity"),
        ("cheapest API",
         f"price list of {q.offer.listed.provider} applied to a request: ${c.least:.4g}; prices far off their peers are left out",
         f"{q.offer.listed.source}, looked up {q.offer.listed.looked_up}"),
        ("median API", f"of {len(c.quotes)} providers", "the catalogue's price lists, each with its date"),
        ("pays from", "rent per second in which requests come / the API's bill of a request; more systems as each is full",
         "lecture E4, SYS-F6"),
        *rents,
    ]  # fmt: skip
    return _rows([*_setting_rows(c.capacity.setting), *own])


def _guess(g: Guess) -> tuple[str, str, str]:
    return (
        g.name.replace("_", " "),
        f"{g.about}: {g.median:g} {g.unit}, one standard deviation a factor of {g.spread:g}",
        g.source,
    )


def inference_why_rows(i: Inference) -> list[Row]:
    """Return where each number of prices read backwards comes from.

    Parameters
    ----------
    i : Inference
    """
    fit = i.learned.fit
    own = [
        ("prices", f"{i.prices.name}: input ${i.prices.input:g}, output ${i.prices.output:g} per Mtok", i.prices.source or "as given"),
        ("read in", f"{i.on.name}; only ratios to it matter", "catalogue"),
        ("before", f"{i.samples:,} samples of guesses and of what {fit.shapes} open models of known shape are sold for",
         "infer_priors, open_models"),
        ("after",
         f"samples weighted by how well they give the prices: {i.effective:,.0f} effective ones; the shortest 80 % of the logarithm",
         "importance sampling; likelihoods to the powers at which left-out shapes were covered"),
        ("each price", "one reading by itself, with what it assumes and what breaks it", "lecture 7.1 to 7.4"),
        *((("truth", "counted from the config of the model that is sold", "catalogue"),) if i.truth else ()),
        *((("nearest", f"{i.near}, scaled by price: what somebody would say without any of this", "open_models"),) if i.near else ()),
        *map(_guess, i.guesses.values()),
    ]  # fmt: skip
    return _rows(own)
