"""`headway choose` (SYS-I7): the cheapest split under rate limits and a floor, against every split tried out."""

from __future__ import annotations

import csv
import datetime
import io
import itertools
import json
import math
from decimal import Decimal

import numpy as np
import pytest

from headway.cli import app
from headway.economics.quotes import Workload
from headway.errors import InputError, PhysicsError
from headway.plan.bills import bill_workload
from headway.plan.model_choice import Account, choose_models, read_accounts

DAY = datetime.date(2026, 11, 27)
WORK = Workload(Decimal(8000), Decimal(1000))
NAMES = ("claude-sonnet-5", "claude-haiku-4.5", "gpt-6-sol", "gpt-6-luna", "gemini-3.8-flash")
HEAD = "model,provider,tier,requests_per_min,tokens_per_min,quality,tokens_per_s,ttft_s"


def test_no_split_of_whole_requests_is_cheaper():
    """Every way to split up to 12 requests a minute over four models within their limits, with prices as `headway bill` has them."""
    rng = np.random.default_rng(3)
    feasible = 0
    for _ in range(25):
        caps, quality = rng.integers(0, 8, 4), rng.uniform(0, 1, 4)
        rate, floor = int(rng.integers(1, 13)), float(rng.uniform(0, 0.5))
        some = rng.permutation(NAMES)[:4]
        accounts = [
            Account(str(n), requests=float(cap) or 1e-9, quality=float(q))
            for n, cap, q in zip(some, caps, quality, strict=True)
        ]
        prices = [float(bill_workload([str(n)], WORK, DAY).models[0].quotes[0].bill.total) for n in some]
        splits = [
            s for s in itertools.product(*(range(c + 1) for c in caps))
            if sum(s) == rate and all(n == 0 or q >= floor for n, q in zip(s, quality, strict=True))
        ]  # fmt: skip
        if not splits:
            with pytest.raises(PhysicsError):
                choose_models(accounts, WORK, DAY, rate=rate, floor=floor)
            continue
        feasible += 1
        found = choose_models(accounts, WORK, DAY, rate=rate, floor=floor)
        best = min(sum(n * p for n, p in zip(s, prices, strict=True)) for s in splits)
        assert found.dollars * rate == pytest.approx(best, rel=1e-6)
        assert found.taken == pytest.approx(rate)
        assert all(s.candidate.account.quality >= floor for s in found.shares)
        assert all(s.rate <= s.candidate.most for s in found.shares)
    assert feasible > 8


def test_limits_by_hand():
    """The tightest limit binds: requests, all tokens, prompts' or answers'."""

    def most(**limits):
        found = choose_models([Account("gpt-6-luna", **limits)], WORK, DAY).candidates[0]
        return found.most, found.binds

    assert most() == (math.inf, "")
    assert most(requests=50.0) == (50, "requests a minute")
    assert most(requests=50.0, tokens=180_000.0) == (20, "tokens a minute")
    assert most(tokens=180_000.0, inputs=80_000.0) == (10, "input tokens a minute")
    assert most(tokens=180_000.0, inputs=80_000.0, outputs=5_000.0) == (5, "output tokens a minute")


def test_floor_time_and_tier():
    fast = Account("claude-haiku-4.5", quality=0.7, speed=100.0, ttft=0.5)
    slow = Account("gpt-6-luna", quality=0.6, speed=20.0)
    free = choose_models([fast, slow], WORK, DAY)
    assert [s.candidate.account.model for s in free.shares] == ["gpt-6-luna"]
    assert free.candidates[0].seconds == pytest.approx(0.5 + 999 / 100)
    for limits in ({"floor": 0.65}, {"within": 20.0}):
        assert choose_models([fast, slow], WORK, DAY, **limits).shares[0].candidate.account is fast
    assert "quality 0.6 below 0.65" in choose_models([fast, slow], WORK, DAY, floor=0.65).text()
    assert choose_models([slow], WORK, DAY, floor=0.6).shares[0].candidate.account is slow  # the floor itself is enough
    both = [Account("claude-opus-4-8", "anthropic", t) for t in ("standard", "batch")]
    plain, half = (c.dollars for c in choose_models(both, WORK, DAY).candidates)
    assert half == pytest.approx(plain / 2)
    unknown = choose_models([Account("claude-haiku-4.5"), fast], WORK, DAY, floor=0.1, within=60.0)
    assert unknown.candidates[0].refused == "no quality in the table"


def test_a_slip_in_one_row_and_a_limit_of_none():
    """An unknown name is said in its row and the others answer; a limit of 0 lets nothing through, an empty one everything."""
    accounts = [Account("nothing-9", requests=5.0), Account("gpt-6-luna", requests=0.0), Account("claude-haiku-4.5")]
    found = choose_models(accounts, WORK, DAY, rate=40.0)
    assert found.candidates[0].refused.startswith("unknown priced model 'nothing-9'")
    assert found.candidates[1].refused == "its limit is 0 requests a minute"
    assert [(s.candidate.account.model, s.rate) for s in found.shares] == [("claude-haiku-4.5", 40.0)]
    assert "take any number together" in found.text()
    with pytest.raises(InputError, match="--floor"):
        choose_models(accounts, WORK, DAY, floor=math.nan)


def test_one_alone_costs_more_than_the_mix():
    accounts = [Account("gpt-6-luna", requests=10.0), Account("claude-haiku-4.5", requests=100.0)]
    found = choose_models(accounts, WORK, DAY, rate=40.0)
    assert [s.rate for s in found.shares] == [10, 30]
    assert found.alone.account.model == "claude-haiku-4.5"
    assert found.dollars < found.alone.dollars
    assert found.most == 110
    assert choose_models(accounts, WORK, DAY, rate=105.0).alone is None


def test_every_way_to_see_it(capsys, tmp_path):
    file = tmp_path / "limits.csv"
    file.write_text(
        f"{HEAD}\ngpt-6-luna,openai,,10,,0.6,150,0.5\nclaude-haiku-4.5,anthropic,standard,100,,0.7,120,0.6\n"
    )
    options = ["choose", str(file), "--prompt", "8k", "--output", "1k", "--rate", "40/min", "--date", "2026-11-27"]
    found = choose_models(read_accounts(file), WORK, DAY, rate=40.0)
    assert app.run([*options, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(json.dumps(found.to_dict()))
    assert [c["requests_per_min"] for c in said["choice"]] == pytest.approx([10, 30])
    assert app.run([*options, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(r["takes_requests_per_min"]) for r in rows] == pytest.approx([10, 30])
    assert app.run(options) == 0
    out = capsys.readouterr().out
    assert out.rstrip() == found.text()
    assert "alone      claude-haiku-4.5" in out
    assert "gpt-6-luna" in repr(found)
    assert app.run([*options[:6], "--date", "2026-11-27"]) == 0
    assert "cheapest   gpt-6-luna" in capsys.readouterr().out


@pytest.mark.parametrize(("rows", "options", "code", "says"), [
    ("", [], 2, "has no rows"), ("gpt-6-luna,,slow,,,,,", [], 2, "unknown tier 'slow'"),
    ("nothing-9,,,,,,,", [], 2, "nothing-9"),
    ("gpt-6-luna,,,-5,,,,", [], 2, "limits.csv line 2: column 'requests_per_min'"),
    ("gpt-6-luna,,,,,,,\ngpt-6-luna,,,,,,,", [], 2, "is there already"),
    ("gpt-6-luna,,,5,,0.5,,", ["--rate", "9/min"], 3, "let 5 through"),
    ("gpt-6-luna,,,5,,0.5,,", ["--floor", "0.8"], 3, "quality 0.5 below 0.8"),
    ("gpt-6-luna,,,5,,0.5,,", ["--within", "5s"], 3, "no tokens_per_s in the table"),
    ("gpt-6-luna,,,5,,0.5,,", ["--rate", "9"], 2, "--rate: '9' is no rate"),
    (",,,5,,0.5,,", [], 2, "needs a value for model"),
])  # fmt: skip
def test_refusals(capsys, tmp_path, rows, options, code, says):
    file = tmp_path / "limits.csv"
    file.write_text(f"{HEAD}\n{rows}\n")
    assert app.run(["choose", str(file), "--prompt", "8k", "--output", "1k", *options]) == code
    out, err = capsys.readouterr()
    assert not out
    assert says in err
    assert err.count("\n") == 1


def test_a_request_needs_tokens():
    with pytest.raises(InputError, match="--prompt and --output"):
        choose_models([Account("gpt-6-luna")], Workload(Decimal(0), Decimal(0)), DAY)
