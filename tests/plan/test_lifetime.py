"""A model's size over its life, from plans of training and of serving."""

from __future__ import annotations

import json

import pytest

from headway.cli.app import run as cli
from headway.errors import InputError
from headway.plan.lifetime import lifetime_plan
from headway.plan.make import make_plan
from headway.plan.train import TrainingQuestion, train
from headway.questions import Request

SERVED = Request("llama-3.1-8b", "h100x1", prompt=2000, output=300)
TRAINED = TrainingQuestion("llama-3.1-8b", "h100x64", 15e12, layout="tp2", micro_batch=1, recompute="none", zero=1)


@pytest.fixture(scope="module")
def found():
    return lifetime_plan(SERVED, TRAINED, 1e14, rollouts=1e13, trained=0.25)


def test_prices_are_the_plans(found):
    p, n = found.prices, found.training.model.active_parameters
    served, learned = make_plan(SERVED).loaded.dollars_per_mtok, train(TRAINED)
    assert (p.token + p.per_parameter * n) * 1e6 == pytest.approx(served)
    assert 0 < p.token * 1e6 < served
    assert p.flop * learned.step.model_flops * learned.run.steps == pytest.approx(learned.run.dollars)
    assert found.rl_factor == pytest.approx((p.token + p.per_parameter * n) / (n * p.flop) + 6 * 0.25)


def test_idle_chips_of_reinforcement_are_paid(found):
    idle = lifetime_plan(SERVED, TRAINED, 1e14, rollouts=1e13, trained=0.25, idle=0.6)
    assert idle.rl_factor == pytest.approx(found.rl_factor / 0.4)
    for a, b in zip(idle.laws, found.laws, strict=True):
        assert a.asked.reinforcement == pytest.approx(b.asked.reinforcement / 0.4)
        assert (a.asked.serving, a.asked.pretraining) == (b.asked.serving, b.asked.pretraining)
        assert a.optimum.best.n < b.optimum.best.n  # what costs by the token makes models smaller


def test_each_law_answers_at_equal_loss(found):
    assert [x.name for x in found.laws] == ["besiroglu2024", "hoffmann2022"]
    for x in found.laws:
        loss = x.law.loss(x.asked.n, x.asked.tokens)
        assert x.law.loss(x.optimum.best.n, x.optimum.best.tokens) == pytest.approx(loss, rel=1e-6)
        assert x.optimum.best.total <= x.asked.total
        assert x.optimum.best.total <= x.optimum.compute_optimal.total
        assert len(x.released) == 21
    by = {r.name: r for r in found.laws[0].released}
    assert by["GPT-3"].demand == 0 < by["Llama-3 70B"].demand
    assert by["Chinchilla"].over == pytest.approx(1, abs=0.2)
    assert by["Lecture guess (frontier)"].over == pytest.approx(100, rel=0.3)


def test_what_cannot_be():
    with pytest.raises(InputError, match="must not be negative"):
        lifetime_plan(SERVED, TRAINED, -1.0)
    with pytest.raises(InputError, match="from 0 to 1"):
        lifetime_plan(SERVED, TRAINED, 1e12, trained=2.0)
    with pytest.raises(InputError, match="--rl-idle: 1; a share is needed"):
        lifetime_plan(SERVED, TRAINED, 1e12, rollouts=1e12, idle=1.0)
    with pytest.raises(InputError, match="unknown scaling law"):
        lifetime_plan(SERVED, TRAINED, 1e12, law="nobody")


def test_the_command_line(capsys, tmp_path):
    ask = ["lifetime", "llama-3.1-8b", "--on", "h100x1", "--train-on", "h100x16", "--tokens", "15T"]
    picture = tmp_path / "valley.json"
    assert cli([*ask, "--traffic", "1M/s", "--days", "30", "--law", "epoch", "--json", "-o", str(picture)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["demand_tokens"] == pytest.approx(1e6 * 30 * 86400)
    rows = json.loads(picture.read_text())["layer"][0]["data"]["values"]
    best = answer["laws"][0]["best"]["total_dollars"]
    assert min(r["dollars"] for r in rows if r["part"] == "together") * 1e6 == pytest.approx(best, rel=0.01)
    assert cli([*ask, "--demand", "1T", "--rl-tokens", "1T", "--rl-idle", "60%", "--trained", "0%", "--why"]) == 0
    said = capsys.readouterr().out
    assert "justified by serving" in said
    assert "chips idle 60 % of the time" in said
    assert "over 0.4: chips that idle" in said
    assert cli([*ask, "--demand", "1T", "--csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 7  # two laws of three sizes
    assert cli(ask) == 2
    assert "--demand" in capsys.readouterr().err
