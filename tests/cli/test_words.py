"""What is counted reads like it: one of a thing is no plural, and a label names the number that it was computed with."""

from __future__ import annotations

import dataclasses
import re

import pytest

from headway import lecture, units
from headway.cli.app import run

ONES = [
    "plan llama-3.1-8b --on h100 --prompt 1 --output 2 --batch 1 --why",
    "search llama-3.1-8b --on h100 --batch 1 --layout tp1 --no-split --prompt 1 --output 2 --drafts 1 --rate 1/s --spare 1",
    "racks gpt-oss-120b --on h200x8 --racks 1", "racks llama-3.1-8b --on h100 --racks 1 --batch 1 --context 2",
    "racks gpt-oss-120b --on h200 --racks 1,2 --training", "speculate llama-3.1-8b --on h100 --length 1",
    "trains llama-3.1-8b --on h100 --rate 1/s --batch 1 --output 2 --prompt 1 --why", "catalog chips t4",
    "fit --on h100 qwen3-8b", "lecture --set pipeline_stages=1 --set active_experts=1", "ask C2 chips=1",
    "ask E17 chips=1 stages=1 batch=1",
]  # fmt: skip


@pytest.mark.parametrize("verb", ONES)
def test_one_is_no_plural(capsys, verb):
    assert run(verb.split()) == 0
    out = capsys.readouterr().out
    found = re.findall(r"(?:^|[^0-9.,\n])1 [a-z-]+s(?= |$|[,;:)])", out, re.M)
    assert [x for x in found if not x.endswith((" keeps", "trains", "context"))] == []


def test_counted_nouns():
    said = [
        units.some(n, what)
        for n, what in ((1, "batch"), (2, "batch"), (3, "layer per stage"), (2, "pair of pools"), (1.2, "token"))
    ]
    assert said == ["1 batch", "2 batches", "3 layers per stage", "2 pairs of pools", "1 token"]


def test_labels_of_the_lecture_follow_its_inputs():
    """With every input changed, no label says a number that was the input's before."""
    changed = lecture.inputs(
        {"company_rate": "100M", "days": "30", "step_context": "1e5", "train_seconds": "0.03", "batch": "2k"}
    )
    assert changed.batch == 2000
    labels = {h.what for h in lecture.headlines(changed)}
    for said in ("racks for 100M tok/s", "tokens of a family in 30 days", "tokens of one model in 30 days",
                 "KV bytes per token from the 100k step", "mean cost from 100k to 200k",
                 "tokens per second of one rack (T = 30 ms)"):  # fmt: skip
        assert said in labels
    own = {h.what for h in lecture.headlines()}
    assert {"racks for 500M tok/s", "tokens of one model in two months", "mean cost from 200k to 400k"} <= own
    for f in dataclasses.fields(lecture.Inputs):  # a value reads as messages say that it does
        assert getattr(lecture.inputs({f.name: "64"}), f.name) == 64
