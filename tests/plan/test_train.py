"""A training run from a question: the recipe found, refusals, what the command line says."""

from __future__ import annotations

import dataclasses
import json

import pytest

from headway.cli.app import run as cli
from headway.errors import InputError, PhysicsError
from headway.plan.train import TrainingQuestion, batch_sequences, train

ASK = TrainingQuestion("llama-3.1-8b", "h100x16", 1e12)


@pytest.fixture(scope="module")
def plan():
    return train(ASK)


def test_the_recipe_found_is_the_fastest_that_fits(plan):
    assert plan.memory.total <= plan.usable
    times = [plan.step.seconds, *(x.seconds for x in plan.others)]
    assert times == sorted(times)
    assert plan.looked_at > plan.did_not_fit > 0
    named = train(dataclasses.replace(ASK, layout="tp8", recompute="full"))
    assert named.step.recipe.layout.tp == 8
    assert named.step.seconds / named.step.recipe.tokens > plan.step.seconds / plan.step.recipe.tokens


def test_runs_add_up(plan):
    assert plan.run.steps * plan.step.recipe.tokens == pytest.approx(1e12)
    assert plan.run.seconds * plan.goodput.share == pytest.approx(plan.run.steps * plan.step.seconds)
    twice = train(dataclasses.replace(ASK, tokens=2e12))
    assert twice.run.dollars == pytest.approx(2 * plan.run.dollars)  # cost rises with tokens
    low, high = plan.interval
    assert plan.floor.seconds <= low < plan.step.seconds < high
    assert plan.tokens_per_parameter == pytest.approx(1e12 / plan.model.active_parameters)


def test_a_batch_in_tokens_is_rounded_to_what_divides():
    assert batch_sequences("2048", 8192) == (2048, False)
    assert batch_sequences("16Mtok", 8192) == (1953, True)
    assert batch_sequences("4M tokens", 4096) == (977, True)
    with pytest.raises(InputError, match="at least one sequence"):
        batch_sequences("10tok", 8192)
    found = train(dataclasses.replace(ASK, batch="1Mtok", layout="tp4"))
    assert found.step.recipe.batch % found.step.recipe.ranks == 0
    assert found.step.recipe.tokens == pytest.approx(1e6, rel=0.05)


def test_many_chips_have_a_larger_batch_by_default():
    """Llama 3 405B: 16M tokens on 16,384 chips (arXiv 2407.21783)."""
    asked = TrainingQuestion("llama-3.1-405b", "h100x16384", 15.6e12, layout="tp8pp16", recompute="full", micro_batch=1)
    assert train(asked).step.recipe.tokens == pytest.approx(16.8e6, rel=0.01)
    few = train(dataclasses.replace(asked, chips=2048)).step.recipe
    assert few.tokens == pytest.approx(4e6, rel=0.05)


def test_moe_models_spread_their_experts():
    found = train(TrainingQuestion("mixtral-8x7b", "h100x32", 1e11))
    assert found.step.recipe.layout.ep > 1
    assert found.step.recipe.chips == 32


def test_states_and_rates_change_what_they_should():
    light = train(
        dataclasses.replace(ASK, layout="tp4", zero=0, optimizer="adam-8bit", micro_batch=1, recompute="full")
    )
    heavy = train(dataclasses.replace(ASK, layout="tp4", zero=0, micro_batch=1, recompute="full"))
    assert light.memory.optimizer == pytest.approx(heavy.memory.optimizer / 2)
    assert train(dataclasses.replace(ASK, layout="tp4", precision="fp8")).step.seconds < heavy.step.seconds


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"model": "llama-3.1-405b"}, PhysicsError, "is not trained on H100 SXM x16: .* exceed the"),
        ({"tokens": 0.0}, InputError, "like 15T"),
        ({"layout": "tp3"}, InputError, "nearest is tp4"),
        ({"layout": "tp8pp4"}, PhysicsError, "takes 32 chips"),
        ({"batch": "30", "layout": "tp4"}, InputError, "the nearest is 32"),
        ({"sequence": 2**20}, InputError, "context of 131,072"),
        ({"sequence": 0}, InputError, "--sequence: 0 must be at least 1"),
        ({"micro_batch": 0}, InputError, "--micro-batch: 0 must be at least 1"),
        ({"layout": "tp8+cpu4"}, InputError, "leaves nothing to a host"),
        ({"interval": 1e-9}, PhysicsError, "checkpoints take 100% of the time"),
        ({"engine": "nobody"}, InputError, "unknown training engine"),
        ({"chips": 10**7, "layout": "tp8"}, PhysicsError, "leave no time for progress"),
    ],
)
def test_runs_that_cannot_be(changes, error, says):
    with pytest.raises(error, match=says):
        train(dataclasses.replace(ASK, **changes))


def test_the_command_line(capsys, tmp_path):
    ask = ["train", "llama-3.1-8b", "--on", "h100x8", "--tokens", "100B", "--layout", "tp8"]
    picture = tmp_path / "step.json"
    assert cli([*ask, "--json", "-o", str(picture)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(found["parts_s"].values()) == pytest.approx(found["step_s"])
    bars = json.loads(picture.read_text())["vconcat"][0]["data"]["values"]
    assert bars[-1]["end"] == pytest.approx(found["step_s"])
    assert cli([*ask, "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "part,seconds"
    assert cli([*ask, "--mtbf", "1h", "--restart", "1min"]) == 0
    assert "goodput" in capsys.readouterr().out
    assert cli([*ask, "--overlap", "150%"]) == 2
    assert "--overlap" in capsys.readouterr().err
    assert cli(["train", "llama-3.1-405b", "--on", "h100x8", "--tokens", "1T"]) == 3
