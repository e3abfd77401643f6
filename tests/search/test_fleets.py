"""Fleets are rented by whole systems, and spare ones are paid."""

from __future__ import annotations

import math
import re

import pytest

import headway as hw
from headway.cli.app import run
from headway.errors import InputError
from headway.search import search_layouts

ASKED = {"model": "llama-3.1-70b", "prompt": "4k", "output": "512", "tpot": "30ms", "rate": "20/s"}


@pytest.mark.parametrize("system", ["b200x8", "h200x8"])
def test_whole_systems_are_paid(system):
    found = search_layouts(hw.Query(**ASKED, systems=system)).fleets[0].fleet
    size = hw.system(system).chips
    assert found.chips % size == 0
    assert found.dollars == pytest.approx(found.chips * hw.system(system).price)
    fewest = search_layouts(hw.Query(**ASKED, systems=system, chips=size, at_most=True)).fleets[0].fleet
    assert fewest.chips <= found.chips <= math.ceil(fewest.chips / size) * size + size


@pytest.mark.parametrize("spare", [1, 3])
def test_spare_systems_are_paid_and_carry_nothing(spare):
    one, more = (search_layouts(hw.Query(**ASKED, systems="b200x8", spare=n)).fleets[0].fleet for n in (0, spare))
    assert more.chips == one.chips + spare * 8
    assert (more.most, more.utilisation, more.ttft) == (one.most, one.utilisation, one.ttft)
    assert more.spare == spare


def test_two_kinds_of_system_are_each_whole():
    query = hw.Query(**ASKED, systems="b200x8", prefill_on="h100x8", spare=1)
    found = search_layouts(query).fleets[0]
    assert found.fleet.chips % 8 == 0
    if found.fleet.prompt_replicas:
        assert found.fleet.chips >= 32  # one of each kind, and a spare one of each


def test_a_bound_on_chips_is_no_box():
    """`--chips ..72` pays what a layout uses; what stands by is a replica, not 72 chips."""
    one, more = (
        search_layouts(hw.Query(**ASKED, systems="b200", chips=72, at_most=True, split=split, spare=n)).fleets[0]
        for split, n in ((False, 0), (False, 2))
    )
    assert more.fleet.chips == one.fleet.chips + 2 * one.layout.chips
    both = search_layouts(hw.Query(**ASKED, systems="b200", chips=72, at_most=True, spare=1)).fleets[0]
    most = max(p.layout.chips for p in (both.deployment.decode, both.deployment.prefill) if p)
    assert both.fleet.chips == both.deployment.chips + most


def test_what_is_spare_is_said(capsys):
    base = [
        "search",
        "llama-3.1-8b",
        "--tpot",
        "30ms",
        "--rate",
        "0.2/s",
        "--spare",
        "1",
        "--prompt",
        "1k",
        "--output",
        "100",
    ]
    for on, says in (
        (["--on", "h200x8"], "2 x h200x8, 1 of them spare"),
        (["--on", "h200x8", "--prefill-on", "h100x8"], "1 of each spare"),
        (["--on", "h200", "--chips", "..8"], ", 1 replica spare"),
    ):
        assert run([*base, *on]) == 0
        assert says in capsys.readouterr().out
    with pytest.raises(InputError, match="--spare is for a fleet"):
        hw.Query("llama-3.1-8b", "h200x8", spare=1)


def test_a_small_rate_reads_like_one(capsys):
    """Chances and waits next to nothing are no powers of ten, and of a whole box nothing smaller can be paid."""
    asked = "search llama-3.1-8b --on h200x8 --rate 0.001/s --batch 64 --layout tp1 --no-split --prompt 1k --output 100"
    assert run(asked.split()) == 0
    out = capsys.readouterr().out
    fleet = out[out.index("fleet for") : out.index("frontier")]
    assert "below 0.01 % find no seat" in fleet
    assert not re.search(r"\de-\d|\d p?s on average|\d [pn]s ", fleet)
    assert "h200x8 is rented whole, and less is not to be had; --chips ..8 pays only what a layout uses" in out
    assert run([*asked.replace("h200x8", "h200").split(), "--chips", "..8"]) == 0
    assert "rented whole" not in capsys.readouterr().out
