"""An owned chip-hour: an annuity, a hall, power and failures, by hand; beside others' models of the same chips."""

from __future__ import annotations

import math

import pytest

from headway.catalog import catalogue
from headway.economics import owned_price, read_assumed
from headway.economics.owned import HOURS, recovery
from headway.errors import InputError
from headway.hardware import chip

BARE = {
    "capex": 8766 * 4.0, "power": 1000.0, "host": 1.5, "network": 1.2, "life": 4.0, "capital": 0.0, "residual": 0.0,
    "host_power": 2.0, "drawn": 0.5, "pue": 1.5, "electricity": 0.1, "hall": 8.766, "hall_life": 20.0, "failures": 0.0,
    "repair": 0.0, "replaced": 0.0,
}  # fmt: skip


def test_the_terms_by_hand():
    """$35,064 over four years of 8,766 hours are $1 an hour; servers half as much again; the net a fifth of that."""
    found = {t.name: t.dollars for t in owned_price(chip("h100"), **BARE).terms}
    assert found == pytest.approx({
        "chip": 1.0, "server": 0.5, "network": 0.3, "hall": 8.766 * 2000 / 20 / 8766, "power": 2 * 0.5 * 1.5 * 0.1,
        "replaced": 0.0, "in repair": 0.0,
    })  # fmt: skip
    whole = owned_price(chip("h100"), **BARE)
    assert whole.per_hour == pytest.approx(math.fsum(found.values()))
    assert whole.price == pytest.approx(whole.per_hour / 3600)
    assert whole.capex == pytest.approx(35064 * 1.8)
    assert (whole.low, whole.high) == pytest.approx((whole.per_hour, whole.per_hour))  # nothing is a guess any more


def test_failures_are_replaced_and_stand_idle():
    """One failure a year of 36.525 days: a tenth of the chips serve nothing; half of them are paid for again."""
    found = owned_price(chip("h100"), **BARE | {"failures": 1.0, "repair": 36.525, "replaced": 0.5})
    terms = {t.name: t.dollars for t in found.terms}
    assert terms["replaced"] == pytest.approx(0.5 * 35064 / HOURS)
    rest = found.per_hour - terms["in repair"]
    assert found.per_hour == pytest.approx(rest / 0.9)
    with pytest.raises(InputError, match="leave no time to serve"):
        owned_price(chip("h100"), failures=10.0, repair=40.0)


def test_an_annuity_pays_off_its_purchase():
    """Paid yearly, its present value is the purchase less that of what it sells for."""
    for rate, years, residual in ((0.09, 5, 0.0), (0.07, 3, 0.2), (0.2, 8, 0.1)):
        paid = recovery(rate, years, residual)
        now = math.fsum(paid / (1 + rate) ** k for k in range(1, years + 1)) + residual / (1 + rate) ** years
        assert now == pytest.approx(1.0)
    assert recovery(0.0, 5.0, 0.5) == pytest.approx(0.1)
    assert recovery(1e-9, 5.0, 0.5) == pytest.approx(0.1)


@pytest.mark.parametrize(("name", "up"), [
    ("capex", True), ("host", True), ("network", True), ("life", False), ("capital", True), ("residual", False),
    ("pue", True), ("power", True),
    ("electricity", True), ("hall", True), ("hall_life", False), ("failures", True), ("repair", True), ("replaced", True), ("drawn", True),
    ("host_power", True),
])  # fmt: skip
def test_every_input_moves_the_price_its_way(name, up):
    base = owned_price(chip("h100"))
    value = next(a.value for a in base.inputs if a.name == name)
    more = owned_price(chip("h100"), **{name: value * 1.1 if value else 0.1})
    assert (more.per_hour > base.per_hour) is up
    assert more.per_hour != base.per_hour


def test_an_input_that_is_said_is_no_guess():
    """Its swing is gone, and the interval narrower; every other guess still has one."""
    base, said = owned_price(chip("h100")), owned_price(chip("h100"), capex=23_237.9)
    assert "capex" in base.swings
    assert "capex" not in said.swings
    assert said.high / said.low < base.high / base.low
    assert base.low < base.per_hour < base.high
    for low, high in base.swings.values():
        assert min(low, high) >= base.low * (1 - 1e-12)
        assert max(low, high) <= base.high * (1 + 1e-12)


def test_one_guess_alone_makes_the_interval():
    """With everything else said, the ends are the price at the guess's own ends: six years of life, and three."""
    rest = {k: v for k, v in BARE.items() if k != "life"}
    found = owned_price(chip("h100"), **rest)
    ends = [owned_price(chip("h100"), **rest, life=years).per_hour for years in (6.0, 3.0)]
    assert (found.low, found.high) == pytest.approx(tuple(ends))
    assert found.swings == {"life": pytest.approx((ends[1], ends[0]))}


def test_the_interval_holds_what_others_compute():
    """SemiAnalysis's owners (hyperscaler and neocloud) of every chip that both know: four in five of them lie inside."""
    names = {"GB200 NVL72": "GB200", "GB300 NVL72": "GB300"}
    inside: list[bool] = []
    for row in catalogue().table("rental_prices").rows:
        one = chip(names.get(row["chip"], row["chip"])) if row["kind"].startswith("own-") else None
        if one is None or catalogue().table("chip_purchases").find(one.name) is None:
            continue
        found = owned_price(one)
        inside.append(found.low <= float(row["usd_per_chip_hour"]) <= found.high)
    assert len(inside) >= 14
    assert sum(inside) / len(inside) >= 0.8


def test_what_is_not_known_or_impossible_is_said():
    with pytest.raises(InputError, match=r"no purchase price is known; give it, like --assume capex=25000"):
        owned_price(chip("mi325x"))
    with pytest.raises(InputError, match=r"pue is 0\.5; it must lie between 1 and 10"):
        owned_price(chip("h100"), pue=0.5)
    with pytest.raises(InputError, match="did you mean electricity"):
        owned_price(chip("h100"), electrcity=0.1)
    assert owned_price(chip("mi325x"), capex=20e3).per_hour > 0


def test_inputs_as_people_write_them():
    assert read_assumed("capex=$25k, life=4,capital=8%") == pytest.approx({"capex": 25e3, "life": 4.0, "capital": 0.08})
    wrong = {
        "capex": "name=value",
        "capex=x": "is no number",
        "capx=3": "did you mean capex",
        "life=nan": "is no number",
    }
    for text, says in wrong.items():
        with pytest.raises(InputError, match=says):
            read_assumed(text)
