"""From a row of a table to the case that it states: the row becomes a Request, resolved as every other question is."""

from __future__ import annotations

import dataclasses

from headway.catalog import catalogue
from headway.errors import InputError
from headway.evidence.layouts import Ways, flagged
from headway.evidence.measurements import Measurement
from headway.models import Architecture
from headway.parallel import Layout
from headway.questions import AUTO, Request
from headway.roofline import Calibration
from headway.serving import Case, PromptPool, Setting, case, setting
from headway.serving.numbers import budgeted


def request_of(m: Measurement, engine: str | None = None) -> Request:
    """Return the question that a row asks.

    Parameters
    ----------
    m : Measurement
    engine : str or None
        Engine to take instead of the row's.
    """
    return Request(
        model=_then(m.model, m.date), system=m.system, chips=m.chips, prompt=m.prompt, output=m.output, precision=m.weights or None,
        kv_precision=m.kv or None, engine=engine or m.engine or AUTO, load=m.load, concurrency=max(m.batch, 1.0),
        drafts=m.drafts, release=m.release or None, rounds=m.rounds, length_spread=m.spread,
    )  # fmt: skip


def _then(name: str, date: str) -> str:
    """What a name without a version meant on a row's date."""
    table = catalogue().table("dated_names")
    number = table.find(name)
    return table.rows[number]["model"] if number is not None and date and date < table.rows[number]["until"] else name


def case_of(m: Measurement, policy: Calibration | None = None, engine: str | None = None) -> Case:
    """Return the case of a measurement.

    Parameters
    ----------
    m : Measurement
    policy : Calibration or None
        Whose budget of prompt tokens and rounds of the run hold (a fit's priors); default: the engine's profile.
    engine : str or None
        Engine to take instead of the row's.

    Raises
    ------
    InputError
        When a name does not resolve or the layout does not divide the model.
    PhysicsError
        When the weights do not fit in memory.
    """
    s = setting(request_of(m, engine))
    if policy is not None:
        s = dataclasses.replace(s, numbers=budgeted(policy, s.engine.prompt_piece))
    layout = _ran(s, Ways(m.tp, m.pp, m.ep, m.dp), flagged(m.row))
    if layout.chips > 1 and not s.system.link:
        raise InputError(
            f"{s.system.name} has no link in the catalogue, so {layout} over {layout.chips} chips has no time"
        )
    copies, prompts = max(m.chips // layout.chips, 1), None
    if m.pools is not None:
        copies = max(round(m.pools.decode_replicas), 1)
        prompts = PromptPool(_ran(s, m.pools.prefill, True), m.pools.prefill_replicas)
    return case(
        s,
        layout,
        concurrency=m.batch,
        copies=copies,
        split=m.disaggregated,
        remedy="more chips or fewer bytes per weight",
        prompts=prompts,
    )


def _ran(s: Setting, w: Ways, doubted: bool) -> Layout:
    """The layout that was run: where a flag says attention_dp, and no sequence fits beside weights that every group has
    whole, the chips slice them instead."""
    stated = _layout(s.model, w)
    if stated.dp > 1 and doubted and s.kind != "static_batch" and s.account(stated).fits < 1:
        return _layout(s.model, dataclasses.replace(w, tp=w.tp * w.dp, dp=1))
    return stated


def _layout(arch: Architecture, w: Ways) -> Layout:
    """The layout of a replica that was run: heads that tp does not divide were padded."""
    ep, redundant = _expert_groups(arch, w.tp * w.dp, w.ep)
    return Layout(tp=w.tp, dp=w.dp, ep=ep, pp=w.pp, redundant=redundant, padded=arch.attention_heads % w.tp > 0)


def _expert_groups(arch: Architecture, chips: int, ep: int) -> tuple[int, int]:
    """Return expert-parallel groups, at most those stated, and how many experts have a second copy to fill them.

    Engines copy some experts where they do not divide (288 slots on 144 chips for 256 experts).
    """
    if arch.experts is None:
        return 1, 0
    groups = max(d for d in range(1, chips + 1) if chips % d == 0 and d <= ep)
    redundant = -arch.experts.count % groups
    if redundant <= arch.experts.count:
        return groups, redundant
    return max(d for d in range(1, groups + 1) if chips % d == 0 and arch.experts.count % d == 0), 0
