"""Fleets are rented by whole systems, and spare ones are paid."""

from __future__ import annotations

import math

import pytest

import headway as hw
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
