"""Bills to the last digit: context steps, cache lines, tiers, storage; and the price lists of the catalogue."""

from __future__ import annotations

import datetime
from decimal import Decimal as D
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.economics import ContextStep, Prices, PriceSheet, Usage, Workload, bill, offers, quote
from headway.economics.quotes import read_per_day, read_stored, read_tokens, read_writes
from headway.errors import InputError

DAY = datetime.date(2026, 11, 27)
SHEET = PriceSheet(1.25, 10.0, cache_hit=0.31, threshold=200_000, input_above=2.5, output_above=15.0, cache_hit_above=0.625,
                   speed={"fast": 6.0})  # fmt: skip
OPUS = PriceSheet(
    5, 25, "0.5", "6.25", 10, tiers={"batch": Prices(D("2.5"), D("12.5"), None), "own": Prices(D(10), D(50), D(3))}
)


def gemini(**work):
    return quote(
        Workload(**{k: D(v) if isinstance(v, int) else v for k, v in work.items()}),
        offers("gemini-3.1-pro", DAY).found[0],
    )


def test_a_long_request_on_gemini():
    """300k in, 1k out: 300k x $4 + 1k x $18; 200k in is the last at half of that. Of the prices in the catalogue."""
    assert gemini(prompt=300_000, output=1_000).bill.total == D("1.218")
    assert gemini(prompt=200_000, output=1_000).bill.total == D("0.412")
    assert gemini(prompt=200_001, output=0).bill.total == D("0.800004")


def test_cached_tokens_count_towards_the_threshold():
    """5k fresh tokens behind 257,955 cached ones are a long prompt: each line takes its higher price."""
    found = bill(Usage(input=5005, cache_hit=257_955, output=1744), SHEET)
    assert found.lines["input"] == D("0.0125125")
    assert found.lines["cache_hit"] == D("0.161221875")
    assert found.lines["output"] == D("0.02616")
    assert found.total == D("0.199894375")
    assert bill(Usage(input=200_000, output=1), SHEET).total == D("0.25001")
    written = PriceSheet(3, 15, cache_write_5m="3.75", threshold=200_000, input_above=6, output_above="22.5")
    assert bill(Usage(input=1, cache_write_5m=200_000), written).total == D("1.500006")  # writes move as input does


def test_tiers_apply_to_every_line():
    use = Usage(input=10**6, output=10**6, cache_hit=10**6, cache_write_5m=10**6, cache_write_1h=10**6)
    assert bill(use, OPUS).total == D("46.75")
    assert bill(use, OPUS, "batch").total == D("23.375")  # half of all, cache lines as well
    assert bill(use, OPUS, "batch").lines["cache_hit"] == D("0.25")
    assert bill(use, OPUS, "batch").lines["cache_write_1h"] == 5
    own = bill(use, OPUS, "own")
    assert own.lines == {"input": 10, "output": 50, "cache_hit": 3, "cache_write_5m": D("12.5"), "cache_write_1h": 20,
                         "cache_write_30m": 0, "cache_write_12h": 0}  # fmt: skip
    times = PriceSheet(5, 25, "0.5", "6.25", 10, speed={"fast": 6})
    assert bill(use, times, "fast").total == 6 * D("46.75")


def test_tiers_beyond_a_threshold():
    """Batch halves Gemini's higher prices, too: 300k x $2 + 1k x $9; hits of 100k x $0.2."""
    assert gemini(prompt=300_000, output=1_000, tier="batch").bill.total == D("0.609")
    assert gemini(prompt=300_000, output=1_000, cached=D(100_000), tier="batch").bill.total == D("0.429")


def test_several_steps():
    sheet = PriceSheet(
        1, 5, "0.1", steps=(ContextStep(D(128), Prices(D(3), D(15))), ContextStep(D(32), Prices(D("1.8"), D(9))))
    )
    totals = [bill(Usage(input=n), sheet).total * 10**6 / n for n in (32, 33, 128, 129)]
    assert totals == [1, D("1.8"), D("1.8"), 3]
    assert (
        bill(Usage(input=1, cache_hit=128), sheet).lines["cache_hit"] == D(128) * D("0.3") / 10**6
    )  # a hit moves as input


def test_storage_is_by_the_hour_and_has_no_tiers():
    sheet = PriceSheet(2, 12, "0.2", storage="4.5", speed={"batch": "0.5"})
    assert bill(Usage(stored=200_000), sheet, "batch").lines["storage"] == D("0.9")
    assert read_stored("100k:2h") == 200_000
    assert read_stored("100k:30min") == 50_000


@pytest.mark.parametrize(("usage", "speed", "says"), [
    ({"input": -1}, "standard", "negative"), ({"cache_write_1h": 5}, "standard", "no price"),
    ({"input": 1}, "slow", "standard, fast"), ({"input": "many"}, "standard", "finite number"),
    ({"stored": 1}, "standard", "no price"),
])  # fmt: skip
def test_what_a_sheet_does_not_price(usage, speed, says):
    with pytest.raises(InputError, match=says):
        bill(Usage(**usage), SHEET, speed)
    with pytest.raises(InputError, match="negative"):
        PriceSheet(-1, 1)


_PRICE = st.decimals(0, 200, places=4)
_TOKENS = st.integers(0, 10**9)


@given(
    prices=st.tuples(_PRICE, _PRICE, _PRICE),
    tokens=st.tuples(_TOKENS, _TOKENS, _TOKENS),
    times=st.sampled_from(["1", "0.5", "6"]),
)
def test_bills_are_exact(prices, tokens, times):
    """Beside fractions: no digit is lost, however large or small."""
    sheet = PriceSheet(*prices, speed={"t": D(times)})
    total = bill(Usage(input=tokens[0], output=tokens[1], cache_hit=tokens[2]), sheet, "t").total
    assert (
        Fraction(total) == sum(Fraction(p) * n for p, n in zip(prices, tokens, strict=True)) * Fraction(times) / 10**6
    )


def test_what_workloads_read_like():
    assert read_tokens("300k", "--prompt") == 300_000
    assert read_writes(("5min:100k", "1h:1k", "5min:1")) == {"cache_write_5m": 100_001, "cache_write_1h": 1000}
    assert [read_per_day(x) for x in ("1000/day", "2/s", "3/h", "5/min", None)] == [1000, 172_800, 72, 7200, None]
    for bad in (lambda: read_writes(("100k",)), lambda: read_writes(("7min:1k",)), lambda: read_stored("100k"),
                lambda: read_per_day("1000"),
                lambda: read_per_day("1/week"), lambda: read_tokens("1.5", "--prompt"),
                lambda: Workload(D(10), D(1), cached=D(11)).usage):  # fmt: skip
        with pytest.raises(InputError, match="--"):
            bad()


def test_what_no_provider_prices_apart():
    """Without a price for hits they are input; without any for writes, those are; another time to live is refused."""
    claude = offers("claude-opus-4-5", DAY, providers=["anthropic"]).found[0]
    assert quote(Workload(D(1000), D(0), writes={"cache_write_5m": D(1000)}), claude).bill.total == D("0.00625")
    refused = quote(Workload(D(1000), D(0), writes={"cache_write_12h": D(1000)}), claude)
    assert (refused.bill, refused.notes) == (None, ("no writes for 12 h; it has 5 min, 1 h",))
    assert "longer than its 200,000" in quote(Workload(D(300_000), D(1)), claude).notes[0]
    assert quote(Workload(D(199_000), D(1000)), claude).bill  # prompt and answer share the window
    assert quote(Workload(D(199_000), D(1001)), claude).bill is None
    assert "no flex tier" in quote(Workload(D(1), D(1), tier="flex"), claude).notes[0]
    old = gemini(prompt=1000, output=0, writes={"cache_write_1h": D(1000)})
    assert (old.bill.total, old.notes) == (D("0.002"), ("writes cost what input does",))
    pro = offers("o1-pro", DAY).found[0]
    assert pro.sheet.cache_hit is None
    cold, warm = (quote(Workload(D(1000), D(0), cached=D(c)), pro) for c in (0, 900))
    assert cold.bill.total == warm.bill.total
    assert "billed as input" in warm.notes[0]
    assert "no price for storage" in quote(Workload(D(1), D(1), stored=D(1)), pro).notes[0]
