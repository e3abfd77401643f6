"""Usage logs in the shapes that APIs write: what counts as what, which tier, which price, and rows that are no use."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal as D

import pytest

from headway.catalog import use
from headway.economics import bill_log
from headway.economics.usage_rows import used
from headway.errors import InputError

DAY = datetime.date(2026, 11, 27)
CHAT = {"prompt_tokens": 300_000, "completion_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 100_000}}


def read(**record):
    return used(record, 1)


def book(tmp_path, *rows, providers=(), name="log.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows) + "\n")
    return bill_log(path, DAY, providers)


def test_openai_counts_the_whole_prompt():
    u = read(model="gpt-5.4", usage=CHAT).usage
    assert (u.input, u.cache_hit, u.output) == (200_000, 100_000, 1000)
    new = {
        "input_tokens": 50,
        "output_tokens": 7,
        "input_tokens_details": {"cached_tokens": 20},
        "output_tokens_details": {"reasoning_tokens": 3},
    }
    u = read(model="gpt-5.4", usage=new).usage
    assert (u.input, u.cache_hit, u.output) == (30, 20, 7)
    written = read(
        model="gpt-6-sol", usage={**CHAT, "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 90}}
    )
    assert (written.usage.input, written.written) == (299_900, 90)


def test_anthropic_counts_what_was_cached_apart():
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 1000, "output_tokens": 5,
             "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}}  # fmt: skip
    r = read(model="claude-opus-4-5", usage=usage)
    assert (r.usage.input, r.usage.cache_hit, r.usage.cache_write_5m, r.usage.cache_write_1h, r.written) == (
        10,
        1000,
        100,
        200,
        0,
    )
    assert r.usage.prompt == 1310
    del usage["cache_creation"]
    assert read(model="claude-opus-4-5", usage=usage).written == 300
    gateway = {
        "prompt_tokens": 1310,
        "completion_tokens": 5,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 1000,
    }
    assert read(model="claude-opus-4-5", usage=gateway).usage.input == 10


def test_gemini_and_deepseek_and_columns():
    g = read(modelVersion="gemini-3.1-pro", usageMetadata={"promptTokenCount": 9, "cachedContentTokenCount": 4, "candidatesTokenCount": 2,
                                                           "thoughtsTokenCount": 3})  # fmt: skip
    assert (g.usage.input, g.usage.cache_hit, g.usage.output) == (5, 4, 5)
    d = read(
        model="deepseek-v4-flash", usage={"prompt_tokens": 9, "prompt_cache_hit_tokens": 4, "completion_tokens": 2}
    )
    assert (d.usage.input, d.usage.cache_hit) == (5, 4)
    c = read(model="m", prompt_tokens="9", completion_tokens="2", cached_tokens="", service_tier="flex")
    assert (c.usage.input, c.usage.output, c.tier) == (9, 2, "flex")


def test_the_tier_that_served_counts():
    """Asked for flex, served by default (or the other way round): the answer says which."""
    r = read(request={"service_tier": "flex"}, response={"model": "gpt-5.4", "usage": CHAT, "service_tier": "default"})
    assert (r.tier, r.asked) == ("standard", "flex")
    assert read(model="gpt-5.4", usage=CHAT, service_tier="priority").tier == "priority"
    assert read(model="claude-opus-5", usage={"input_tokens": 1, "output_tokens": 1, "speed": "fast"}).tier == "fast"
    batch = {"custom_id": "x", "response": {"status_code": 200, "body": {"model": "gpt-5.4", "usage": CHAT}}}
    assert used(batch, 1).tier == "batch"
    anthropic = {"custom_id": "x", "result": {"type": "succeeded", "message": {"model": "claude-opus-5", "usage": {
        "input_tokens": 1, "output_tokens": 1, "service_tier": "batch"}}}}  # fmt: skip
    assert used(anthropic, 1).tier == "batch"


def test_times():
    want = datetime.datetime(2026, 8, 20, 2, 30, tzinfo=datetime.UTC)
    seconds = want.timestamp()
    for said in (
        seconds,
        1000 * seconds,
        str(int(seconds)),
        "2026-08-20T02:30:00Z",
        "2026-08-20T04:30:00+02:00",
        "2026-08-20 02:30:00",
    ):
        assert read(model="m", usage=CHAT, created=said).when == want
    assert read(model="m", usage=CHAT).when is None


def chat(**more):
    return {"model": "m", "usage": {**CHAT, **more}}


@pytest.mark.parametrize(("record", "says"), [
    ({"model": "m"}, "no usage"), ({"usage": CHAT}, "no model"), ({"model": "m", "usage": 3}, "an object is needed"),
    ({"model": "m", "usage": {"prompt_tokens": 1}}, "no output tokens"), ([1], "no record"),
    ({"model": "m", "usage": {"completion_tokens": 1}}, "no prompt tokens"),
    (chat(prompt_tokens=-1), "whole number"), (chat(completion_tokens=1.5), "whole number"),
    (chat(completion_tokens=True), "whole number"), (chat(prompt_tokens="many"), "whole number"),
    (chat(prompt_tokens=99_999), "100000 cached tokens of a prompt of 99999"),
    ({**chat(), "service_tier": "gold"}, "service_tier is 'gold'"), ({**chat(), "created": "soon"}, "time is 'soon'"),
    (chat(completion_tokens=D("1.5")), "completion_tokens is 1.5; a whole number"),
    (chat(prompt_tokens=D("1e400")), "no row has more than 1,000,000,000,000,000 tokens"),
    ({**chat(), "created": 99_999_999_999_999}, "time is 99999999999999"), ({**chat(), "created": "1970-01-01"}, "time is '1970-01-01'"),
])  # fmt: skip
def test_records_that_are_no_use(record, says):
    with pytest.raises(InputError, match=says):
        used(record, 1)


def test_good_rows_are_billed_and_bad_ones_named(tmp_path):
    """By hand: 200k x $5 + 100k x $0.5 + 1k x $22.5 (above 272k); 300k x $4 + 1k x $18; the others are named by line."""
    gemini = {"model": "gemini-3.1-pro", "usage": {"prompt_tokens": 300_000, "completion_tokens": 1000}}
    gpt = {"model": "gpt-5.4", "usage": CHAT}
    bad = [
        {"model": "nope-1", "usage": CHAT},
        "",
        {"model": "gpt-5.4", "usage": {}},
        gpt | {"service_tier": "ultrafast"},
    ]
    found = book(tmp_path, gpt, "nonsense", gemini, *bad)
    assert found.dollars == {"openai": D("1.0725"), "google": D("1.218")}
    assert [b.line for b in found.bad] == [2, 4, 6, 7]
    said = ("not JSON", "unknown priced model 'nope-1'", "no output tokens", "openai gpt-5.4 has no ultrafast tier")
    assert all(b.why.startswith(s) for b, s in zip(found.bad, said, strict=True))
    assert found.rows == 6
    assert "4 of 6 rows not billed" in found.brief()


def test_a_row_has_the_price_of_its_day_and_hour(tmp_path):
    """$0.15 in an ordinary hour, $0.3 in a dear one; before its hours began there was one price of $0.14."""
    tokens = {"prompt_tokens": 10**6, "completion_tokens": 0}
    times = ("2026-11-01T00:59:00Z", "2026-11-01T01:00:00Z", "2026-01-01T01:00:00Z")
    found = book(tmp_path, *({"model": "deepseek-v4-flash", "usage": tokens, "created": t} for t in times))
    assert found.dollars == {"deepseek": D("0.15") + D("0.3") + D("0.14")}


def test_tiers_of_a_log(tmp_path):
    rows = [
        {"model": "gpt-5.4-mini", "usage": {"prompt_tokens": 10**6, "completion_tokens": 0}, "service_tier": t}
        for t in ("default", "flex", "priority")
    ]
    found = book(tmp_path, *rows)
    assert found.dollars == {"openai": D("0.75") + D("0.375") + D("1.5")}
    assert dict(found.totals[0].tiers) == {"standard": 1, "flex": 1, "priority": 1}
    asked = {
        "request": {"service_tier": "flex"},
        "response": {"model": "gpt-5.4-mini", "usage": CHAT, "service_tier": "default"},
    }
    assert any("1 request asked for one tier" in n for n in book(tmp_path, asked).notes)


def test_writes_without_a_time_take_the_providers_usual_one(tmp_path):
    tokens = {"input_tokens": 0, "cache_creation_input_tokens": 10**6, "cache_read_input_tokens": 0, "output_tokens": 0}
    assert book(tmp_path, {"model": "claude-opus-4-5", "usage": tokens}).dollars == {"anthropic": D("6.25")}
    tokens = {"prompt_tokens": 10**5, "completion_tokens": 0, "prompt_tokens_details": {"cache_write_tokens": 10**5}}
    assert book(tmp_path, {"model": "gpt-6-sol", "usage": tokens}).dollars == {"openai": D("0.25")}


def test_an_answer_that_is_logged_twice_counts_once(tmp_path):
    rows = [
        {"id": "a", "model": "gpt-5.4-mini", "usage": {"prompt_tokens": 10**6, "completion_tokens": n}}
        for n in (1, 10**6)
    ]
    found = book(tmp_path, *rows)
    assert found.dollars == {"openai": D("5.25")}
    assert "1 row with an answer's id" in found.notes[0]


def test_several_providers_bill_the_same_log(tmp_path):
    row = {"model": "claude-opus-4-5", "usage": {"input_tokens": 10**5, "output_tokens": 0}}
    found = book(tmp_path, row, providers=["anthropic", "google", "nobody"])
    assert found.dollars == {"anthropic": D("0.5"), "google": D("0.5")}
    assert "unknown provider 'nobody'" in found.bad[0].why
    unknown = book(tmp_path, row | {"model": "nope-1"}, providers=["anthropic", "google"])
    assert (len(unknown.bad), unknown.missed) == (2, 1)
    assert "1 row of 1 not billed" in unknown.text()
    named = book(tmp_path, {**row, "provider": "google"})
    assert named.dollars == {"google": D("0.5")}


def test_csv_and_arrays(tmp_path):
    heads = "model,prompt_tokens,completion_tokens,cached_tokens,service_tier"
    rows = ("gpt-5.4-mini,1000000,0,0,batch", "gpt-5.4-mini,x,0,0,", "gpt-5.4-mini,1,2,3,4,5")
    found = book(tmp_path, heads, *rows, name="log.csv")
    assert found.dollars == {"openai": D("0.375")}
    assert [(b.line, b.why[:10]) for b in found.bad] == [(3, "prompt_tok"), (4, "more cells")]
    both = json.dumps([{"model": "gpt-5.4-mini", "usage": CHAT}, {"model": "gpt-5.4-mini"}])
    found = book(tmp_path, both, name="log.json")
    assert (len(found.totals), [b.line for b in found.bad]) == (1, [2])


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        bill_log(tmp_path / "none.jsonl", DAY)
    with pytest.raises(InputError, match="has no rows"):
        book(tmp_path, "")


def test_odd_and_old_prices_are_said_before(tmp_path):
    rows = "\n".join(
        f"p{i},mine-1,{price},2,{date},me"
        for i, (price, date) in enumerate([(1, "2026-10"), (1, "2026-01"), (50, "2026-10")])
    )
    (tmp_path / "api_prices.csv").write_text(f"provider,model,input,output,date,source\n{rows}\n")
    use(tmp_path)
    found = book(tmp_path, {"model": "mine-1", "usage": CHAT}, providers=["p1", "p2"])
    assert any("p2 mine-1: input $50/Mtok is 50x" in w for w in found.warnings)
    assert any("330 days old" in w for w in found.warnings)
    assert (
        "sold by 3 providers; name one with --provider: p0, p1, p2"
        in book(tmp_path, {"model": "mine-1", "usage": CHAT}).bad[0].why
    )
