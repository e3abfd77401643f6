"""SYS-I9: the least lifetime cost at equal quality."""

from __future__ import annotations

import dataclasses
import math

import pytest

from headway.errors import InputError
from headway.training import scaling_law
from headway.training.allocation import ScalingLaw
from headway.training.optimum import Prices, equal_loss_tokens, justified_demand, life_at, lifetime_optimum

LAWS = ("besiroglu2024", "hoffmann2022")
N, D = 70e9, 15e12
PRICES = Prices(flop=3e-18, token=1e-6, per_parameter=3e-17, demand=2e14)


@pytest.mark.parametrize("name", LAWS)
def test_without_inference_it_is_chinchilla(name):
    law = scaling_law(name)
    found = lifetime_optimum(law, N, D, dataclasses.replace(PRICES, demand=0.0))
    best = found.best
    assert best == found.compute_optimal
    flops = 6 * best.n * best.tokens
    assert best.tokens / best.n == pytest.approx(law.optimal_tokens_per_parameter(flops), rel=1e-4)
    assert law.loss(best.n, best.tokens) == pytest.approx(law.loss(N, D), rel=1e-9)
    assert found.over_training == 1


@pytest.mark.parametrize("name", LAWS)
def test_demand_makes_models_smaller_and_longer_trained(name):
    law = scaling_law(name)
    found = [lifetime_optimum(law, N, D, dataclasses.replace(PRICES, demand=d)) for d in (0, 1e12, 1e13, 1e14, 1e15)]
    sizes = [f.best.n for f in found]
    assert sizes == sorted(sizes, reverse=True)
    assert [f.best.tokens for f in found] == sorted(f.best.tokens for f in found)
    for f in found:
        assert f.low < f.best.n < f.high
        assert law.loss(f.best.n, f.best.tokens) == pytest.approx(law.loss(N, D), rel=1e-9)
    more = lifetime_optimum(law, N, D, dataclasses.replace(PRICES, rollouts=1e14, trained=0.25))
    assert more.best.n < lifetime_optimum(law, N, D, PRICES).best.n  # rollouts are served, too


def test_the_cost_is_flat_at_the_optimum_and_so_much_higher_at_the_edges():
    law = scaling_law()
    loss, found = float(law.loss(N, D)), lifetime_optimum(law, N, D, PRICES, 0.05)

    def cost(n):
        return life_at(law, n, loss, PRICES).total

    n, h = found.best.n, 1e-4
    assert (cost(n * (1 + h)) - cost(n * (1 - h))) / (2 * h) / cost(n) == pytest.approx(0, abs=1e-5)  # gradient zero
    assert cost(found.low) == pytest.approx(1.05 * cost(n), rel=1e-6)
    assert cost(found.high) == pytest.approx(1.05 * cost(n), rel=1e-6)


def test_the_optimum_of_a_power_law_is_its_closed_form():
    """Without a floor of the loss from N: D = (B/L)^(1/b) / ..., here with A so small that D hardly depends on N: the least N wins."""
    law = ScalingLaw(0.0, 100.0, 100.0, 0.5, 0.5)
    n, d = 1e10, 1e10
    found = lifetime_optimum(law, n, d, Prices(1e-18, 0, 0, 0))
    assert found.best.n == pytest.approx(1e10, rel=1e-4)  # symmetric: N = D
    assert found.best.pretraining == pytest.approx(6e20 * 1e-18, rel=1e-6)


def test_demand_that_justifies_a_size():
    law = scaling_law()
    for n in (40e9, 100e9):
        tokens = equal_loss_tokens(law, n, float(law.loss(N, D)))
        demand = justified_demand(law, n, tokens, PRICES)
        found = lifetime_optimum(law, n, tokens, dataclasses.replace(PRICES, demand=demand))
        assert found.best.n == pytest.approx(n, rel=1e-3)
    assert (
        justified_demand(law, 175e9, 300e9, PRICES) == 0
    )  # larger than compute alone asks: no demand makes it cheapest


def test_costs_are_what_they_say():
    p = dataclasses.replace(PRICES, rollouts=1e12, trained=0.5)
    assert p.pretraining(1e9, 2e10) == pytest.approx(6 * 1e9 * 2e10 * 3e-18)  # lecture E19
    assert p.serving(1e9) == pytest.approx(2e14 * (1e-6 + 3e-8))
    assert p.reinforcement(1e9) == pytest.approx(1e12 * (1e-6 + 3e-8 + 6 * 0.5 * 1e9 * 3e-18))
    assert dataclasses.replace(p, idle=0.75).reinforcement(1e9) == pytest.approx(4 * p.reinforcement(1e9))
    assert equal_loss_tokens(scaling_law(), 1e6, 1.9) == math.inf  # so small a model never gets there
    with pytest.raises(InputError, match="above 0"):
        lifetime_optimum(scaling_law(), 0, D, PRICES)
