"""Refusals name what fits: every remedy is options that are put to the same verb again, and answered."""

from __future__ import annotations

import re

import pytest

from headway.cli import app
from headway.errors import PhysicsError
from headway.parallel import Layout
from headway.plan import make_plan
from headway.questions import Request
from headway.serving import setting

REFUSED = [
    ("plan", "deepseek-v3", "--on", "h100x8"),
    ("search", "deepseek-v3", "--on", "h100x8"),
    ("plan", "llama-3.1-405b", "--on", "h100x8"),
    ("plan", "kimi-k2", "--on", "h100x8"),
    ("plan", "deepseek-v3", "--on", "m3-ultra"),
    ("plan", "kimi-k2", "--on", "h200x8", "--memory-share", "0.92"),
    ("plan", "llama-3.1-8b", "--on", "rtx4090", "--context", "32k", "--memory-share", "0.864", "--engine", "modern"),
    ("plan", "llama-3.1-70b", "--on", "rtx4090x2"),
    ("plan", "llama-3.1-70b", "--on", "rtx4090"),
    ("search", "llama-3.1-70b", "--on", "rtx4090"),
    ("plan", "llama-3.1-70b", "--on", "h100"),
    ("plan", "llama-3.1-70b", "--on", "h100", "--layout", "tp2", "--context", "100k"),
    ("search", "gpt-oss-120b", "--on", "h100", "--prompt", "200k"),
    ("plan", "llama-3.1-405b", "--on", "h100x8", "--tp", "4"),
    ("plan", "gpt-oss-120b", "--on", "rtx4090", "--cpu-experts", "2"),
]


@pytest.mark.parametrize("asked", REFUSED, ids=" ".join)
def test_what_a_refusal_names_works_as_it_is_written(capsys, asked):
    assert app.run(list(asked)) == 3
    said = capsys.readouterr().err.rstrip("\n").split("per chip; ")[1]
    options = [m[0] or m[1] for m in re.findall(r"\((--[^()]*)\)|(--\S+ \S+(?: --\S+ \S+)*) fits", said)]
    assert options, said
    assert "exceed" not in said
    for said_option in options:
        option, _, instead = said_option.partition(" in place of ")
        words = option.split()
        changed = dict(zip(words[::2], words[1::2], strict=True))
        again = [*asked[:2]]
        for name, value in zip(asked[2::2], asked[3::2], strict=True):
            if name in instead.split(" and "):
                continue
            again += [name, changed.pop(name, value)]
        for pair in changed.items():
            again += pair
        assert app.run(again) == 0, (again, capsys.readouterr().err)
        capsys.readouterr()


def test_what_does_not_fit_is_not_what_fits():
    """At the limit the layout that is refused is no remedy for itself, and the shortfall reads like an amount."""
    low, high = 0.92, 0.93
    while (middle := (low + high) / 2) not in (low, high):
        s = setting(Request("kimi-k2", "h200x8", memory_share=middle))
        low, high = (low, middle) if s.account(Layout(tp=8)).fits >= 1 else (middle, high)
    for share in (0.92, low):
        with pytest.raises(PhysicsError) as caught:
            make_plan(Request("kimi-k2", "h200x8", memory_share=share))
        assert "tp8 on this system" not in str(caught.value)
        assert not re.search(r"\de-\d", str(caught.value))


def test_narrower_weights_are_offered_where_they_do():
    with pytest.raises(PhysicsError, match=r"--precision q4_k_m fits"):
        make_plan(Request("llama-3.1-70b", "rtx4090x2"))
    with pytest.raises(PhysicsError, match=r"--precision q4_k_m --engine llama\.cpp fits"):
        make_plan(Request("llama-3.1-70b", "l40s"))
    with pytest.raises(PhysicsError, match=r"--precision q4_k_m --cpu-layers \d+ fits"):
        make_plan(Request("llama-3.1-70b", "rtx4090"))
    with pytest.raises(PhysicsError, match="nothing that is known joins so many"):
        make_plan(Request("deepseek-v3", "m3-ultra"))
