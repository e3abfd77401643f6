"""Where the numbers of a training run come from: formula and source of each."""

from __future__ import annotations

from headway import units
from headway.plan.train import TrainingPlan


def train_why_rows(t: TrainingPlan) -> list[dict[str, str]]:
    """Return where each number of a training run comes from.

    Parameters
    ----------
    t : TrainingPlan
    """
    i, r, m, chip, on, run = t.step, t.step.recipe, t.memory, t.system.chip, t.system, t.run
    rent = "none" if on.price is None else f"${on.price * 3600:.2f} per chip-hour"
    states = t.states
    rows = [
        ("model", f"{t.model.total_parameters:,} parameters, counted from config.json", t.model.source),
        ("chip", f"{chip.name}: {units.si(i.peak, 'FLOP/s')} dense, {units.si(chip.bandwidth, 'B/s')}, {units.si(chip.memory, 'B')}",
         f"{chip.source} ({chip.date})"),
        ("price", rent, on.price_note or "catalogue"),
        ("numbers", f"{t.numbers.name}: fitted on {t.numbers.rows:,} measured steps", t.numbers.about),
        ("step", f"{r.micro_batches:,} x {units.seconds(i.stage)} of the slowest stage + {units.seconds(i.fill)} of waiting + "
         f"{units.seconds(i.exchange + i.gather)} between replicas + {units.seconds(i.update)} of the optimizer + {units.seconds(i.host)}",
         "step_time of the rows of inference: forward, backward twice, what is computed again once (lecture E19)"),
        ("80 % interval", "quantiles of errors out of fold, never below the floor", t.numbers.about),
        ("floor", "the same with every efficiency 1 and no overhead", "lecture E1 to E3"),
        ("MFU", f"{i.model_flops:.4g} FLOP / ({units.seconds(i.seconds)} x {r.chips:,} chips x {i.peak:.4g} FLOP/s)",
         "Chowdhery et al. 2022"),
        ("bubble", f"{r.schedule} of {r.layout.pp} stages and {r.micro_batches:,} micro-batches",
         "SYS-D3; Narayanan et al. 2021; Qi et al. 2023"),
        ("weights, gradients, optimizer", f"{states.weight:g}, {states.gradient:g}, {states.optimizer:g} bytes a parameter; ZeRO {r.zero}",
         f"catalogue optimizers: {states.name}; Rajbhandari et al. 2020"),
        ("activations", f"inputs of every product, of {m.held:g} micro-batches; recompute {r.recompute}",
         "Korthikanti et al. 2022; held against compiled steps by headway lab memory"),
        ("logits", "of the last stage, in 16 bits and in 32", "headway.training.memory"),
        ("temporaries", "of the layer that is gone back through, beyond the logits", "headway.training.memory"),
        ("goodput", f"a failure every {t.goodput.between / 3600:,.3g} h, a checkpoint every {t.reliability.interval / 60:,.3g} min",
         "Young 1974; Daly 2006; --mtbf, --restart, --checkpoint"),
        ("days", f"{run.steps:,.0f} steps x {units.seconds(i.seconds)} / {units.per_cent(t.goodput.share)} goodput", "the rows above"),
    ]  # fmt: skip
    if run.dollars is not None:
        rows.append(("dollars", f"{run.seconds / 3600:,.4g} h x {r.chips:,} chips x {rent}", "lecture E4"))
    return [{"what": a, "how": b, "source": c} for a, b, c in rows]
