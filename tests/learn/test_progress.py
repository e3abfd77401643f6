"""Progress: what FSRS says, on disk review by review, read by every version, and never lost by a kill."""

from __future__ import annotations

import datetime
import io
import json
import subprocess
import sys
from pathlib import Path

import fsrs
import pytest

from headway.cli.app import run
from headway.errors import InputError
from headway.learn import cards, draw_card, grade_answer
from headway.learn.progress import Review, reviews, save
from headway.learn.schedule import rating, reviewed, session, standings

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
RATINGS = [3, 3, 1, 2, 3, 3, 4, 1, 3]


def at(days):
    return BEGIN + datetime.timedelta(days=days)


def test_intervals_are_those_of_fsrs():
    ids, made = [c.id for c in cards()[:5]], []
    scheduler, wanted = fsrs.Scheduler(enable_fuzzing=False), {}
    for day, mark in enumerate(RATINGS):
        for n, name in enumerate(ids):
            time = at(2.5 * day * (n + 1))
            made.append(Review(name, time.isoformat(), 1.0, mark))
    for r in sorted(made, key=lambda r: r.when):
        wanted[r.card], _ = scheduler.review_card(
            wanted.get(r.card) or fsrs.Card(due=r.when), fsrs.Rating(r.rating), r.when
        )
    found = {s.card.id: s for s in standings(sorted(made, key=lambda r: r.when))}
    for name in ids:
        assert (found[name].due, found[name].stability, found[name].reviews) == (
            wanted[name].due,
            wanted[name].stability,
            len(RATINGS),
        )
    assert found[cards()[7].id].due is None


def test_what_is_due_comes_first_then_what_is_new():
    first, second = cards()[0].id, cards()[1].id
    made = [Review(second, at(0).isoformat(), 1.0, 3), Review(first, at(0).isoformat(), 0.0, 1)]
    found = session(standings(made), at(1), 2)
    assert [s.card.id for s in found] == [first, second, cards()[2].id, cards()[3].id]
    assert [s.card.id for s in session(standings(made), BEGIN, 1)] == [cards()[2].id]


def test_marks():
    right, half, wrong = (grade_answer(draw_card("balance-batch"), x) for x in ("2400", "2400 tokens", "3"))
    assert [rating(right), rating(right, 1), rating(half), rating(wrong)] == [3, 2, 2, 1]
    r = reviewed(half, BEGIN, 2)
    assert (r.card, r.credit, r.rating, r.verdict, r.hints, r.when) == ("balance-batch", 0.5, 2, "unit", 2, BEGIN)


def test_a_file_of_other_versions_is_read(tmp_path):
    """Fields that are not known are left alone, cards that are gone stay in the file, half a line is what a kill left."""
    file = tmp_path / "p.jsonl"
    old = {"review": 1, "card": "balance-batch", "time": at(0).isoformat(), "credit": 1.0, "rating": 3}
    lines = [
        old,
        {**old, "card": "gone"},
        {**old, "mood": "good", "time": at(2).isoformat()},
        {"review": 9, "what": "later"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    file.write_text(text + '{"review": 1, "card": "balan')
    assert [r.card for r in reviews(file)] == ["balance-batch", "gone", "balance-batch"]
    save(file, Review("balance-batch", at(9).isoformat(), 1.0, 3))
    assert file.read_text().startswith(text)
    assert len(reviews(file)) == 4
    found = {s.card.id: s for s in standings(reviews(file))}
    assert found["balance-batch"].reviews == 3


@pytest.mark.parametrize("text", ["not JSON\n", "[1, 2]\n", '{"key": "a grid"}\n', "\x00\x01"])
def test_another_file_is_left_alone(tmp_path, text):
    file = tmp_path / "other"
    file.write_text(text)
    with pytest.raises(InputError, match="--progress"):
        save(file, Review("balance-batch", at(0).isoformat(), 1.0, 3))
    assert file.read_text() == text


def test_a_kill_loses_no_review():
    """`make kills` does a thousand."""
    done = subprocess.run(
        [sys.executable, Path(__file__).parent / "killed.py", "60"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 lost" in done.stdout


def test_a_session(tmp_path, capsys, monkeypatch):
    file = tmp_path / "new" / "p.jsonl"
    monkeypatch.setattr("sys.stdin", io.StringIO("?\nmax(t_compute, t_mem)\n\n"))
    assert run(["learn", "--progress", str(file), "--new", "5"]) == 0
    said = capsys.readouterr().out
    assert "Both happen at once" in said
    assert "2 cards, 1 right" in said
    kept = reviews(file)
    assert [(r.card, r.rating, r.hints) for r in kept] == [("step-time", 2, 1), ("compute-time", 1, 0)]
    monkeypatch.setattr("sys.stdin", io.StringIO("q\n"))
    assert run(["learn", "--progress", str(file), "--new", "1"]) == 0
    assert "memory-time" in capsys.readouterr().out  # the two are not due yet
    assert run(["learn", "--progress", str(file), "--json"]) == 0
    found = {s["id"]: s for s in json.loads(capsys.readouterr().out)}
    assert found["step-time"]["reviews"] == 1
    assert found["memory-time"]["due"] is None


def test_one_card_changes_nothing(tmp_path, capsys):
    file = tmp_path / "p.jsonl"
    assert run(["learn", "--card", "lecture 8", "--answer", "H*Nt/Na", "--json", "--progress", str(file)]) == 0
    assert json.loads(capsys.readouterr().out)["credit"] == 1
    assert run(["learn", "--card", "balance-batch", "--seed", "5"]) == 0
    assert "answer: a number" in capsys.readouterr().out
    assert not file.exists()


def test_one_card_that_is_kept_is_a_review(tmp_path, capsys):
    file = tmp_path / "p.jsonl"
    ask = ["learn", "--card", "balance-batch", "--progress", str(file)]
    assert run([*ask, "--answer", "2400", "--hints", "1", "--keep", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    (kept,) = reviews(file)
    assert (kept.card, kept.rating, kept.hints, kept.seed) == ("balance-batch", 2, 1, None)
    (standing,) = (s for s in standings([kept]) if s.card.id == "balance-batch")
    assert said["due"] == standing.due.isoformat()
    assert run([*ask, "--answer", "2400", "--keep"]) == 0
    assert f"kept in {file}; due again" in capsys.readouterr().out
    assert len(reviews(file)) == 2
    assert run([*ask, "--keep"]) == 2
    assert "--keep and --hints are about an answer" in capsys.readouterr().err
