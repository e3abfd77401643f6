"""SYS-H2: cards drawn and graded. Answers are the library's; the lecture's own are accepted, known mistakes are told."""

from __future__ import annotations

import re
import sqlite3
import zipfile

import pytest

from headway import batching
from headway.cli.app import run
from headway.errors import InputError
from headway.learn import Card, card, cards, draw_card, grade_answer
from headway.learn.formulas import Formula

EVERY = cards()
SAID = {  # lecture 11.1, 11.2 and 11.3: what the specification gives as answers
    "lecture": [
        "max of compute and memory", "B*Na/FLOPs", "(Nt + B*L*k)/BW",
        "compute: a straight line; weights: horizontal; KV: a straight line; upper envelope", "weights must be loaded",
        "compute and KV fetch", "about 300", "equate, B = 300*Nt/Na; DeepSeek 2400", "drain time, Rubin 288/20 about 15 ms",
        "all-to-all suits NVLink, scale-out about 8x slower", "late stages idle at start, early at end", "gradient sync and update first",
        "P micro-batches in flight", "architecture constraints (Kimi residuals, window/global imbalance) slow research",
        "2 forward + 4 backward", "6*N*D_pre + f*N*D_RL/e + 2*N*D_inf/e", "trade-offs balance", "D_pre = 1.5 D_RL = D_inf",
        "about 200T", "2T, 100x", "compute- to memory-bound", "compute flat, memory a rising line, the step at the kink",
        "about 1.7 KB", "decode MFU about 1/5", "load cheaper than recompute", "every output depends on every input",
        "structure to noise vs noise to structure",
    ],
    "quiz": [
        "weights, KV", "input through all layers once", "intensity decides bound, compute or memory", "memory bound (about 125 ns)",
        "weights shared", "per-user KV", "shared die budget", "2400", "picks experts and weights", "sparsity 8",
        "in-rack vs 1/8 between", "cable/connector density", "layers into stages", "in-rack traffic hides cross-rack",
        "avoid re-forwarding the past", "400 MB", "all layers sequential, plus hops", "(B*P)/(E*P)", "1.4T", "lifetime inference cost",
        "KV overtakes", "read vs full prefill", "all-to-all plus KV cancellation", "batch unchanged",
    ],
    "drill": ["5350", "162,760", "4", "7x", "4", "1.333", "100T", "50x", "33%", "30 ms", "128k tok/s"],
}  # fmt: skip


@pytest.mark.parametrize(("deck", "place", "text"), [(d, n, t) for d, ts in SAID.items() for n, t in enumerate(ts, 1)])
def test_answers_of_the_specification_are_accepted(deck, place, text):
    graded = grade_answer(draw_card(card(f"{deck} {place}")), text)
    assert graded.credit == 1, graded.says


def test_the_decks():
    assert [len(v) for v in SAID.values()] == [sum(c.deck == k for c in EVERY) for k in SAID] == [27, 24, 11]
    assert len(EVERY) - 27 >= 40
    assert len({c.id for c in EVERY}) == len(EVERY)


@pytest.mark.parametrize("c", EVERY, ids=lambda c: c.id)
def test_every_card_draws_and_accepts_its_own_answer(c):
    """With eight draws: the answer printed is graded right, and the sentences have no gap."""
    seen = set()
    for seed in (None, *range(8)):
        d = draw_card(c, seed)
        told = " ".join([d.question, d.why, *(d.told(h) for h in (*c.hints, *(s.hint for s in c.slips)))])
        assert "{" not in told
        seen.add((d.question, d.why))
        if c.kind != "formula":
            assert grade_answer(d, d.said).credit == 1, (d.question, d.said)
        assert draw_card(c, seed).answer == d.answer
    assert len(seen) > 1 or not any(len(v) > 1 for v in c.draw.values())


def test_no_card_holds_an_answer():
    """No field of a card is one; numbers come from equations, whose functions are the library's (`Equation.functions`)."""
    assert not {"answer", "value", "result"} & set(Card.__dataclass_fields__)
    for c in EVERY:
        assert c.kind == "words" or c.equation, c.id
        if c.kind == "number":
            assert re.search(r"[A-Za-z]", c.wanted), c.id  # a formula of results, never a number alone
            assert isinstance(draw_card(c).answer, float), c.id


def test_a_changed_formula_changes_the_card(monkeypatch):
    before = draw_card("balance-batch").answer
    monkeypatch.setattr(batching, "balance_batch", lambda ratio, sparsity: 2 * ratio * sparsity)
    assert draw_card("balance-batch").answer == 2 * before
    assert grade_answer(draw_card("balance-batch"), "2400").credit == 0


def test_inverted_sparsity_is_rejected_with_its_hint():
    graded = grade_answer(draw_card("balance-batch"), "37.5")
    assert (graded.credit, graded.verdict) == (0, "slip")
    assert "total over active" in graded.says
    other = draw_card("balance-batch", 3)
    p = other.letters()
    assert "total over active" in grade_answer(other, f"{p['H'] * p['active'] / p['total']:.6g}").says


@pytest.mark.parametrize(("name", "text", "credit", "verdict", "says"), [
    ("drain-time", "14.4 s", 0.5, "unit", "14.4 ms, not 14.4 s"), ("drain-time", "14.4", 0.5, "unit", "unit is missing"),
    ("drain-time", "14.4 GB", 0.5, "unit", "not GB"), ("drain-time", "0.0144 s", 1, "right", "right"),
    ("drain-time", "69.4 ms", 0, "wrong", "14.4 ms"), ("balance-batch", "2,400 tokens", 0.5, "unit", "not tokens"),
    ("balance-batch", "H * N_total / N_active", 0.5, "formula", "2,400"),
    ("balance-batch", "H*N_total/N_active = 2500", 0.5, "formula", "2,400"),
    ("balance-batch", "B = H*N_total/N_active = 2400", 1, "right", ""), ("balance-batch", "300*256/32", 1, "right", ""),
    ("balance-batch", "4800", 0, "slip", "twice"), ("balance-batch", "", 0, "none", "2,400"),
    ("balance-batch", "no idea", 0, "none", "like"),
    ("decode-mfu", "20", 0.5, "unit", "0.2"), ("decode-mfu", "5", 0, "slip", "inverse"),
    ("kv-from-price", "1.7 GB", 0.5, "unit", "1.667 kB"),
    ("step-time", "t_compute + t_mem", 0, "wrong", "other numbers"), ("balance-batch-formula", "2400", 0.5, "partly", "formula"),
    ("two-reads", "the weights", 0.5, "partly", "kv"), ("two-reads", "nothing", 0, "wrong", "weight"),
    ("tier", "disk", 0, "wrong", "flash"), ("chip-cache", "1.875 GB", 0, "slip", "cancels"), ("token-price", "1.7 s", 0, "wrong", "$0.400"),
])  # fmt: skip
def test_grades(name, text, credit, verdict, says):
    graded = grade_answer(draw_card(name), text)
    assert (graded.credit, graded.verdict) == (credit, verdict), graded.says
    assert says in graded.says


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "9**9**9**9", "(" * 500, "a.b", "[1]", "1 if 1 else 2", "x" * 5000, "1e999", "\x00", "=" * 50],
)
def test_an_answer_is_only_arithmetic(text):
    for name in ("balance-batch", "step-time", "tier", "two-reads"):
        assert grade_answer(draw_card(name), text).credit in (0, 0.5)


@pytest.mark.parametrize(("text", "value"), [
    ("2^10", 1024), ("max(1, 2) + ceil(0.2)", 3), ("300*671B/37B", 300 * 671 / 37), ("1,000 * 2", 2000), ("-3 + 50%", -2.5),
])  # fmt: skip
def test_formulas(text, value):
    assert Formula(text).value({}) == pytest.approx(value)


def test_unknown_cards_name_the_nearest(capsys):
    with pytest.raises(InputError, match="did you mean balance-batch"):
        card("balance-bath")
    for command in (
        "learn --answer 3",
        "learn --deck nine",
        "learn --card nothing-like-it",
        "learn --anki x.txt",
        "learn --new -1",
    ):
        assert run(command.split()) == 2, command
        said = capsys.readouterr().err
        assert said.startswith("headway: ")
        assert said.count("\n") == 1


def test_the_deck_for_anki(tmp_path):
    file = tmp_path / "deck.apkg"
    assert run(["learn", "--anki", str(file), "--variants", "2"]) == 0
    with zipfile.ZipFile(file) as package:
        package.extract("collection.anki2", tmp_path)
    with sqlite3.connect(tmp_path / "collection.anki2") as base:
        notes = [r[0].split("\x1f") for r in base.execute("select flds from notes")]
        tags = {r[0].strip() for r in base.execute("select tags from notes")}
        assert base.execute("select count(distinct guid) from notes").fetchone()[0] == len(notes)
    base.close()
    assert len(notes) == sum(2 if c.draw else 1 for c in EVERY)
    assert any(answer == "2,400 sequences" and "300" in question for question, answer, *_ in notes)
    assert any("headway::lecture" in t for t in tags)
