"""What the page draws and says that no verb did before: terms that sum, tiers on their curve, equations with what disputes them."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import pytest

import headway as hw
from headway.catalog import catalogue
from headway.cli import app
from headway.equations import equations
from headway.errors import InputError
from headway.figures.terms import spent_rows
from headway.plan.tiers import design_tiers
from headway.records.equations import equation_record
from headway.web.report_file import POLICY, write_report


@pytest.mark.parametrize("convention", ["kernels", "machine"])
@pytest.mark.parametrize("engine", ["modern", "ideal"])
def test_the_stacked_terms_sum_to_the_step(convention, engine):
    plan = hw.make_plan(
        hw.Request("gpt-oss-120b", "h200x8", prompt=2000, output=500, engine=engine, convention=convention)
    )
    curve = hw.curve(plan, 9)
    sums = defaultdict(float)
    for r in spent_rows(plan, curve):
        assert r["ms"] >= 0
        sums[r["batch"]] += r["ms"]
    assert sums == {float(b): pytest.approx(1e3 * t) for b, t in zip(curve.x, curve.seconds, strict=True)}
    layers = hw.terms_figure(plan, curve)["hconcat"][0]["layer"]
    assert sum(x["mark"]["type"] == "area" for x in layers) == (1 if engine == "ideal" else 2)


def test_stacked_is_against_batch(capsys, tmp_path):
    plan = hw.make_plan(hw.Request("llama-3.1-8b", "h100x1"))
    with pytest.raises(InputError, match="--against batch"):
        hw.terms_figure(plan, hw.sweep_against(plan, "context", 5))
    out = tmp_path / "c.svg"
    assert app.run(["curve", "llama-3.1-8b", "--on", "h100x1", "--stacked", "-o", str(out)]) == 0
    assert "overhead" in out.read_text()


def test_tiers_lie_on_their_curve(capsys, tmp_path):
    sheet = design_tiers(hw.Request("llama-3.1-8b", "h100x1", prompt=500, output=100))
    lines, *marks = hw.tiers_figure(sheet)["layer"]
    assert [(r["speed"], r["dollars"]) for r in lines["data"]["values"]] == [(p.speed, p.cost) for p in sheet.curve]
    tiers = [r for m in marks if m["mark"]["type"] == "point" for r in m["data"]["values"] if "source" not in r]
    assert {(r["name"], r["dollars"]) for r in tiers} == {(t.name, t.price) for t in sheet.tiers}
    real = [r for m in marks if m["mark"]["type"] == "point" for r in m["data"]["values"] if "source" in r]
    named = [n for r in real for n in r["name"]]
    assert sorted(named) == sorted(m.name for m in sheet.market if m.price_times * m.speed_times > 0)
    out = tmp_path / "t.svg"
    assert (
        app.run(["tiers", "llama-3.1-8b", "--on", "h100x1", "--prompt", "500", "--output", "100", "-o", str(out)]) == 0
    )
    assert "real tier" in out.read_text()
    assert f"chart written to {out}" in capsys.readouterr().out


def test_names_with_markup_stay_text_in_a_mailed_page(tmp_path):
    file = tmp_path / "page.html"
    name = "</script><script>alert(1)</script><!--"
    write_report("plan", {"model": name}, {"title": {"text": name}}, f"headway plan {name}", file)
    text = file.read_text()
    whole = re.findall(r"<script[^>]*>", text)
    assert whole == [
        '<script type="importmap">',
        '<script type="application/json" id="report">',
        *['<script type="module">'] * 2,
    ]
    assert "alert(1)</script>" not in text
    inside = re.search(r'id="report">(.*?)</script>', text, re.DOTALL)[1]
    assert json.loads(inside)["answer"]["model"] == name
    assert "connect-src" not in POLICY  # nothing but what is named: no request at all
    assert POLICY.startswith("default-src 'none'")
    with pytest.raises(InputError, match="too large"):
        write_report("plan", {"x": float("inf")}, {}, "", file)
    assert file.read_text() == text


def test_every_dispute_is_about_an_equation_that_is_there():
    ids = {i for e in equations() for i in (e.id, *e.aliases)}
    for row in catalogue().table("claims").rows:
        assert row["equations"], row["id"]
        assert set(row["equations"].split("|")) <= ids, row["id"]
    told = {d["id"] for e in equations() for d in equation_record(e)["disputed"]}
    assert told == {r["id"] for r in catalogue().table("claims").rows}


def test_every_equation_says_where_it_comes_from():
    for e in equations():
        found = equation_record(e)["derivation"]
        assert len(found) == len(e.functions)
        assert all(d["says"] for d in found), e.id
