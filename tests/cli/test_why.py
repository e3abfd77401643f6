"""`--why` of a simulation, a bill beside a rented system, prices read backwards: the numbers told are those of the record."""

from __future__ import annotations

import json

import pytest

from headway.cli import app

RUN = [
    "simulate",
    "llama-3.1-8b",
    "--on",
    "h100x1",
    "--traffic",
    "poisson:20/s",
    "--requests",
    "200",
    "--prompt",
    "500",
    "--output",
    "50",
]


def record(capsys, words):
    assert app.run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def reasons(found):
    assert all(r["what"] and r["how"] and r["source"] for r in found["why"])
    return {r["what"]: r["how"] for r in found["why"]}


def numbers(text):
    """Numbers of a sentence, as they are typed."""
    words = (w.strip("$,;()").split("/")[0].replace(",", "") for w in text.split())
    return [float(w) for w in words if w.replace(".", "", 1).isdigit()]


def test_a_simulation_says_where_its_numbers_come_from(capsys):
    found = record(capsys, [*RUN, "--why", "--ttft", "60ms"])
    why = reasons(found)
    chip_s, rent, tokens, dollars = numbers(why["cost"])
    assert chip_s * rent / 3600 / tokens * 1e6 == pytest.approx(dollars, rel=2e-3)
    assert dollars == pytest.approx(found["dollars_per_mtok"], rel=1e-3)
    ended, seconds = numbers(why["carried"])[:2]
    assert ended / seconds == pytest.approx(found["carried_requests_per_s"], rel=1e-3)
    tokens, seconds = numbers(why["output"])[:2]
    assert tokens / seconds == pytest.approx(found["output_tokens_per_s"], rel=1e-3)
    kept, of = numbers(why["within the limits"])[:2]
    assert kept / of == pytest.approx(found["promise"]["kept"])
    assert "why" not in record(capsys, RUN)


def test_a_bill_says_where_renting_begins(capsys):
    words = [
        "bill",
        "llama-3.1-70b",
        "--against",
        "h200x8",
        "--prompt",
        "2k",
        "--output",
        "500",
        "--tpot",
        "50ms",
        "--hits",
        "0",
    ]
    found = record(capsys, [*words, "--why"])
    why = reasons(found)
    assert f"${float(found['cells'][0]['cheapest']['dollars_per_request']):.4g}" in why["cheapest API"]
    for r in found["rents"]:
        assert numbers(why[f"rent, {r['name']}"])[0] == pytest.approx(float(r["dollars_per_hour"]), rel=1e-3)


def test_prices_say_what_was_guessed(capsys):
    found = record(capsys, ["infer", "openai/gpt-5.5", "--samples", "2k", "--why"])
    assert {"prices", "before", "after", "utilisation"} <= reasons(found).keys()


@pytest.mark.parametrize(("words", "says"), [
    ([*RUN, "--why", "--seeds", "2"], "--why is of one run"), ([*RUN, "--why", "--stream", "x.csv"], "--why"),
    (["infer", "--validate", "--why"], "of one price list"),
    (["bill", "deepseek-v3.2", "--prompt", "1k", "--output", "1k", "--why"], "--against"),
])  # fmt: skip
def test_where_there_is_no_why(capsys, words, says):
    assert app.run(words) == 2
    assert says in capsys.readouterr().err
