"""Reinforcement learning as a loop: its limits, its split, and what idles."""

import dataclasses
import json

import numpy as np
import pytest

import headway as hw
from headway.cli import app
from headway.errors import InputError
from headway.plan.reinforcement import reinforcement

REQUEST = hw.Request(model="llama-3.1-8b", system="h100x16")
ASKED = hw.LoopQuestion(
    REQUEST, hw.TrainingQuestion("llama-3.1-8b", "h100x16", 1.0), prompts=16, group=4, answer="500-2k"
)


@pytest.fixture(scope="module")
def found():
    return reinforcement(ASKED)


def test_shares_are_all_the_time_of_all_chips(found):
    for x in found.tried:
        assert sum(x.parts.values()) == pytest.approx(1)
        assert 0 <= x.idle < 1
        assert x.chips == 16


def test_iterations_are_made_of_their_parts(found):
    for x in found.tried:
        if x.way == "ahead":
            assert x.seconds == pytest.approx(max(x.answers, x.passes + x.steps) + x.weights)
        else:
            assert x.seconds == pytest.approx(x.answers + x.passes + x.steps + x.weights)
    ahead = {(x.generating, x.layout): x.seconds for x in found.tried if x.way == "ahead"}
    turns = {(x.generating, x.layout): x.seconds for x in found.tried if x.way == "in turns"}
    assert all(ahead[n] < turns[n] for n in ahead)
    assert found.best.seconds == min(x.seconds for x in found.tried)


def test_answers_are_the_simulators_and_training_the_plans(found):
    b, log = found.best, found.simulated.log
    assert b.answers == pytest.approx(float(log.end.max()))
    step = found.plan.step
    assert step.recipe.chips == b.training
    assert b.steps == pytest.approx(found.tokens / step.recipe.tokens * step.seconds)
    assert b.passes == pytest.approx(b.steps / 3)  # lecture 6.1: forward 2 N of 6 N
    assert found.generated == log.requests.output.sum()


def test_every_size_of_replica_is_tried(found):
    by = {x.layout: x for x in found.tried if (x.way, x.generating) == ("ahead", 8)}
    assert {"tp1", "tp2", "tp4", "tp8"} <= by.keys()
    assert found.best in found.splits
    pinned = dataclasses.replace(ASKED, request=dataclasses.replace(REQUEST, layout="tp1"), chips=8, way="ahead")
    (only,) = reinforcement(pinned).tried
    assert only.layout == "tp1"
    assert only.seconds == pytest.approx(by["tp1"].seconds)
    assert found.best.seconds < reinforcement(dataclasses.replace(pinned, chips=None, way=None)).best.seconds


def test_answers_to_a_prompt_share_its_cache_where_they_meet():
    one = reinforcement(dataclasses.replace(ASKED, prompts=4, group=16, chips=1, way="ahead")).simulated
    assert one.replicas == 1
    assert (one.log.cached >= 900).sum() >= 30  # not those that board together with the first of them


def test_the_factor_is_the_cost_over_training_flops(found):
    b, step = found.best, found.plan.step
    n = found.plan.model.active_parameters
    flops = step.model_flops / step.seconds / step.recipe.chips  # of a chip, at its MFU
    assert found.factor == pytest.approx(b.chips * b.seconds * flops / (n * found.generated))
    assert found.factor > 6  # training alone takes six


def test_equal_answers_leave_no_tail(found):
    pinned = dataclasses.replace(ASKED, request=dataclasses.replace(REQUEST, layout="tp1"), chips=8, way="ahead")
    alike = reinforcement(dataclasses.replace(pinned, answer="1k", prompt="1k"))
    spread = next(x for x in found.tried if (x.way, x.generating, x.layout) == ("ahead", 8, "tp1"))
    assert alike.best.tail == pytest.approx(0, abs=0.02)
    assert spread.tail > 0.05
    more = reinforcement(dataclasses.replace(pinned, forwards=0.0, trained=0.5)).best
    assert more.passes == 0
    assert more.steps < spread.steps


def test_dollars_are_the_rent_of_all_chips(found):
    price = found.simulated.deployment.setting.system.price
    assert found.dollars == pytest.approx(1000 * found.best.seconds * 16 * price)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prompts": 0}, "--prompts: 0 must be at least 1"),
        ({"group": 1_000_000}, "answers; at most"),
        ({"trained": 0.0}, "--trained: 0"),
        ({"chips": 16}, "--rollout-chips: 16; 1 to 15 of the 16 chips"),
        ({"chips": 8, "way": "together"}, "--way together: all chips do both by turns"),
        ({"answer": "long"}, "is no length"),
        ({"forwards": np.nan}, "--forwards"),
    ],
)
def test_bad_questions(change, says):
    with pytest.raises(InputError, match=says):
        reinforcement(dataclasses.replace(ASKED, **change))


def test_as_a_verb(capsys, tmp_path):
    words = [
        "rl",
        "llama-3.1-8b",
        "--on",
        "h100x16",
        "--prompts",
        "8",
        "--group",
        "4",
        "--rollout-chips",
        "8",
        "--way",
        "ahead",
        "--layout",
        "tp1",
    ]
    assert app.run([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["best"]["shares"]["last answers"] > 0
    chart = tmp_path / "rl.json"
    assert app.run([*words, "--why", "-o", str(chart)]) == 0
    said = capsys.readouterr().out
    assert "of the chips' time idle" in said
    assert "until the last has ended" in said  # of --why
    drawn = json.loads(chart.read_text())["vconcat"]
    best = [r for r in drawn[0]["data"]["values"] if r["split"] == drawn[0]["encoding"]["y"]["sort"][0]]
    assert sum(r["seconds"] for r in best) == pytest.approx(told["best"]["seconds"])
    left = [r["left"] for r in drawn[1]["data"]["values"]]
    assert (left[0], left[-1]) == (1, 0)
    assert left == sorted(left, reverse=True)
    assert app.run([*words, "--csv"]) == 0
    assert capsys.readouterr().out.startswith("way,layout,generating")
