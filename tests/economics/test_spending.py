"""A cap on spending (SYS-I5): never exceeded by more than one request, and how long it lasts at a log's pace."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from headway.cli import app
from headway.economics.spending import Entry, capped
from headway.economics.usage_logs import bill_log
from headway.errors import InputError

BEGIN = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
DAY = datetime.date(2026, 11, 27)


def entry(line, dollars, seconds=None, provider="p"):
    when = None if seconds is None else BEGIN + datetime.timedelta(seconds=seconds)
    return Entry(line, when, provider, "m", Decimal(str(dollars)))


def test_never_over_by_more_than_one_request():
    rng = np.random.default_rng(5)
    reached = 0
    for _ in range(300):
        some = [entry(i, round(x, 4)) for i, x in enumerate(rng.lognormal(0, 2, rng.integers(1, 30)))]
        cap = Decimal(str(round(float(rng.lognormal(2, 2)), 4)))
        (found,) = capped(some, cap)
        assert found.spent <= cap + found.taken[-1].dollars
        assert found.spent - found.taken[-1].dollars < cap  # the last was let through with money left
        assert found.over <= found.taken[-1].dollars <= found.dearest.dollars
        assert found.taken + found.refused == tuple(some)
        assert found.without == sum(e.dollars for e in some)
        if found.refused:
            reached += 1
            assert found.spent >= cap
            assert found.at is found.taken[-1]
    assert reached > 50


def test_by_hand():
    """$3, $4 and $5 come in that order of time, a day between them: a cap of $6 lets two through and is over by $1."""
    some = [entry(1, 5, 172800), entry(2, 3, 0), entry(3, 4, 86400), entry(4, 100, 0, "q")]
    mine, other = capped(some, Decimal(6))
    assert ([e.line for e in mine.taken], [e.line for e in mine.refused]) == ([2, 3], [1])
    assert (mine.spent, mine.over, mine.without, mine.at.line) == (7, 1, 12, 3)
    assert (mine.per_day, mine.lasts) == (6, 1)
    assert mine.dearest_share() == Decimal(5) / 12
    assert (other.over, other.per_day) == (94, None)
    exact = capped([entry(1, 3), entry(2, 3), entry(3, 3)], Decimal(6))[0]
    assert (len(exact.taken), exact.over, exact.seconds) == (2, 0, 0)
    (free,) = capped([entry(1, 1)], Decimal(6))
    assert free.at is None
    with pytest.raises(InputError, match="above 0"):
        capped(some, Decimal(0))


def test_a_log_under_a_cap(capsys, tmp_path):
    file = tmp_path / "log.csv"
    rows = [f"gpt-5.4,100000,1000,2026-11-{day:02d}T08:00:00Z" for day in (3, 1, 2)]
    file.write_text("\n".join(["model,prompt_tokens,completion_tokens,timestamp", *rows]) + "\n")
    ledger = bill_log(file, DAY)
    each = ledger.entries[0].dollars
    assert [e.dollars for e in ledger.entries] == [each] * 3
    assert sum(e.dollars for e in ledger.entries) == ledger.dollars["openai"]
    assert app.run(["bill", "--usage", str(file), "--cap", f"${each * 3 / 2}", "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)["capped"]
    assert (said["requests"], said["refused_requests"], said["reached_at_line"]) == (
        2,
        1,
        4,
    )  # the first and second of November
    assert Decimal(said["over_dollars"]) == each / 2
    assert Decimal(said["dollars_per_day"]) == each * 3 / 2
    assert app.run(["bill", "--usage", str(file), "--cap", "$1000"]) == 0
    out = capsys.readouterr().out
    assert "not reached" in out
    assert "3 requests in 48 h" in out or "3 requests in 2 days" in out
    assert app.run(["bill", "--usage", str(file)]) == 0
    assert "cap" not in capsys.readouterr().out


@pytest.mark.parametrize(("options", "says"), [
    (["gpt-5.4", "--prompt", "1k", "--output", "1k", "--cap", "5"], "--cap: only with --usage"),
    (["--usage", "docs/examples/usage.jsonl", "--cap", "much"], "--cap is 'much'"),
    (["--usage", "docs/examples/usage.jsonl", "--cap", "0"], "above 0"),
])  # fmt: skip
def test_refusals(capsys, monkeypatch, options, says):
    monkeypatch.chdir(Path(__file__).parents[2])
    assert app.run(["bill", *options]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert says in err
    assert err.count("\n") == 1
