"""Where the numbers of a training run, a loop of reinforcement and a model's life come from: formula and source of each."""

from __future__ import annotations

from headway import units
from headway.plan.lifetime import Lifetime
from headway.plan.reinforcement import Loop
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
    return _rows(rows)


def loop_why_rows(found: Loop) -> list[dict[str, str]]:
    """Return where each number of a loop of reinforcement comes from.

    Parameters
    ----------
    found : Loop
    """
    b, q, run, step = found.best, found.question, found.simulated, found.plan.step
    d, r = run.deployment, found.plan.step.recipe
    longer = "the longer of answers and of training with its forward passes, + new weights"
    takes = longer if b.way == "ahead" else "answers + forward passes + training + new weights"
    rows = [
        ("answers", f"{len(run.log.requests.output):,} requests at once on {run.replicas} x {d.layout}, until the last has ended; lengths "
         f"{q.answer}, seed {q.seed}", f"the simulator of headway simulate, engine {d.setting.engine.name}"),
        ("training", f"{found.tokens * q.trained:,.0f} tokens / {r.tokens:,.0f} of a step x {units.seconds(step.seconds)} ({r.replicas} x "
         f"{r.layout})", "headway train; lecture E19"),
        ("forward passes", f"{q.forwards:g} x a third of a training step over every token: 2 of 6 FLOP per parameter", "lecture 6.1"),
        ("new weights", "a chip's own part of the weights over the network, or within a system the link", "catalogue systems"),
        ("iteration", f"{takes} ({b.way})", "headway.plan.reinforcement"),
        ("idle", f"{units.per_cent(b.parts['last answers'])} replicas that are done before the last answer, "
         f"{units.per_cent(b.parts['other pool'])} waiting for the other pool", "the simulated ends of the answers"),
        ("rl_factor", f"{b.chips:,} chips x {units.seconds(b.seconds)} / ({found.plan.model.active_parameters:.4g} parameters x "
         f"{found.generated:,.0f} generated tokens) x FLOP a chip-second of training does", "lecture E20, derived"),
    ]  # fmt: skip
    if found.dollars is not None:
        rent = d.setting.system.price or 0.0
        how = f"{q.iterations:,} x {units.seconds(b.seconds)} x {b.chips:,} chips x ${rent * 3600:.2f} per chip-hour"
        rows.append(("dollars", how, "lecture E4"))
    return _rows(rows)


def lifetime_why_rows(found: Lifetime) -> list[dict[str, str]]:
    """Return where each number of a model's life comes from.

    Parameters
    ----------
    found : Lifetime
    """
    p, t, s, n = found.prices, found.training, found.serving, found.training.model.active_parameters
    token, idle = p.token + p.per_parameter * n, f", over {1 - p.idle:.3g}: chips that idle" if p.idle else ""
    rows = [
        ("training", f"{units.large_dollars(t.run.dollars or 0.0)} of the run / {t.run.steps * t.step.model_flops:.4g} FLOP = "
         f"${p.flop * 1e18:.4g} per EFLOP", "headway train, failures included"),
        ("serving", f"{units.dollars(token * 1e6)}/Mtok = {units.dollars(p.token * 1e6)} of caches + "
         f"{p.per_parameter * 1e15:.4g} $/Mtok per billion of active parameters", f"headway plan: {s.layout} on {s.system.name}"),
        ("pre-training", "6 N D x $/FLOP", "lecture E19"),
        ("RL", f"tokens x (a served token + {units.per_cent(p.trained)} trained on x 6 N x $/FLOP){idle}", "lecture E20"),
        ("equal quality", "E + A/N^alpha + B/D^beta is the same for every size", "; ".join(x.source for x in found.laws)),
        ("least over its life", "its derivative with respect to N is zero; looked for from 1/10,000 to 10,000 times the size", "SYS-I9"),
        ("least training", "the same without serving and RL", "Hoffmann et al. 2022"),
        ("over-trained", "tokens per parameter over those of the least training at the same loss", "SYS-E5; lecture 6"),
    ]  # fmt: skip
    return _rows(rows)


def _rows(rows: list[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [{"what": a, "how": b, "source": c} for a, b, c in rows]
