"""Tables as people's tools write them: every row is answered or refused in its place, and nothing of it is lost."""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
import sys

import pytest

from headway.errors import InputError
from headway.evidence import COLUMNS, table
from headway.predictions import predict_file

HEAD = "system,chips,model,weights_dtype,engine,tp,load,batch_or_concurrency,isl,osl\n"
GOOD = "H200-SXM,8,DeepSeek-R1-0528,fp8,sglang,8,closed_loop,16,1024,1024\n"


def predicted(tmp_path, data, name="in.csv"):
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    counts = predict_file(str(tmp_path / name), str(tmp_path / "out.csv"))
    raw = (tmp_path / "out.csv").read_bytes()
    return counts, list(csv.reader(io.StringIO(raw.decode("utf-8", "surrogateescape")))), raw


def test_a_stray_quote_costs_one_row(tmp_path):
    stray = GOOD.replace("DeepSeek", '"DeepSeek')
    counts, (_, *rows), _ = predicted(tmp_path, HEAD + GOOD + stray + GOOD * 60 + stray + GOOD)
    assert (counts["rows"], counts["answered"]) == (64, 62)
    assert counts["reasons"] == {'a quote (") is opened and not closed': 2}
    assert [i for i, r in enumerate(rows) if r[-1]] == [1, 62]  # each in its place
    assert rows[1][0] == "H200-SXM"  # what could be read is kept


def test_a_stray_quote_never_takes_its_neighbour_in(tmp_path):
    """The next row's own quotes close the stray one, but leave text behind them: that is no record."""
    head = HEAD.replace("\n", ",note\n")
    text = head + GOOD.replace("\n", ',"24 GB\n') + GOOD.replace("\n", ',"x"\n') + GOOD.replace("\n", ',rack 19"\n')
    counts, (_, *rows), _ = predicted(tmp_path, text)
    assert (counts["rows"], counts["answered"]) == (3, 2)
    assert [r[10] for r in rows] == ['"24 GB', "x", 'rack 19"']


def test_decimal_commas_are_refused_and_thousands_read(tmp_path):
    for isl, answered in (('"1,024"', 1), ('"12,5"', 0), ('"0,9"', 0), ('"1,02,4"', 0)):
        counts, _, _ = predicted(tmp_path, HEAD + GOOD.replace("16,1024", f"16,{isl}"))
        assert counts["answered"] == answered


def test_ways_of_none_are_one(tmp_path):
    head = HEAD.replace("\n", ",attention_dp,pp,ep\n")
    _, (_, off, plain), _ = predicted(tmp_path, head + GOOD.replace("\n", ",0,0,0\n") + GOOD.replace("\n", ",,,\n"))
    assert off[13:] == plain[13:]


def test_two_columns_of_one_unknown_title_pass_through(tmp_path):
    text = HEAD.replace("\n", ",note,note\n") + GOOD.replace("\n", ",a,b\n")
    _, (head, row), _ = predicted(tmp_path, text)
    assert (head[10:12], row[10:12]) == (["note", "note"], ["a", "b"])


def test_cells_beyond_any_size_are_one_line(tmp_path):
    with pytest.raises(InputError, match="header is not CSV"):
        table(_file(tmp_path, b"system," + b"x" * 200_000 + b"\n1,2\n"))
    (tmp_path / "in.csv").write_text(HEAD + GOOD.replace("sglang", "x" * 200_000) + GOOD)
    counts = predict_file(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"))
    assert (counts["rows"], counts["answered"]) == (2, 1)


def test_a_cell_may_hold_lines_commas_and_quotes(tmp_path):
    head = HEAD.replace("\n", ",note\n")
    text = head + GOOD.replace("\n", ',"two\nlines, and ""quotes"""\n') + GOOD.replace("\n", ',5" disk\n')
    counts, (_, *rows), _ = predicted(tmp_path, text)
    assert (counts["rows"], counts["answered"]) == (2, 2)
    assert [r[10] for r in rows] == ['two\nlines, and "quotes"', '5" disk']


def test_empty_rows_are_refused_in_their_place(tmp_path):
    counts, (_, *rows), _ = predicted(tmp_path, HEAD + GOOD + ",,,,,,,,,\n" + "\n" + GOOD)
    assert [r[-1] for r in rows] == ["", "the row is empty", ""]
    assert counts["answered"] == 2


def test_columns_without_a_name_and_of_no_meaning_pass_through(tmp_path):
    text = "," + HEAD.replace("\n", ",colour,\n") + "".join(f"{i}," + GOOD.replace("\n", ",red,x\n") for i in range(2))
    counts, (head, *rows), _ = predicted(tmp_path, text)
    assert head[:13] == ["", *HEAD.strip().split(","), "colour", ""]
    assert [(r[0], r[11], r[12]) for r in rows] == [("0", "red", "x"), ("1", "red", "x")]
    assert counts["unread"] == {"colour": ""}


def test_titles_in_other_letters_are_read_and_kept(tmp_path):
    text = (
        HEAD.replace("tp,", "TP,").replace("isl", " ISL ").replace("batch_or_concurrency", "Batch or concurrency")
        + GOOD
    )
    _, (head, row), _ = predicted(tmp_path, text)
    plain = predicted(tmp_path, HEAD + GOOD)[1][1]
    assert "TP" in head
    assert row == plain


def test_a_title_like_a_known_one_is_pointed_at(tmp_path):
    counts, _, _ = predicted(tmp_path, HEAD.replace("weights_dtype", "weights_dtyp") + GOOD)
    assert counts["unread"] == {"weights_dtyp": "weights_dtype"}


def test_bytes_that_are_not_text_go_out_as_they_came_in(tmp_path):
    data = (HEAD.replace("\n", ",note\n") + GOOD.replace("\n", ",caf\xe9\n") + GOOD.replace("\n", ",\n")).encode(
        "latin-1"
    )
    counts, _, raw = predicted(tmp_path, data)
    assert counts["answered"] == 2
    assert b"caf\xe9" in raw
    with pytest.raises(InputError, match="UTF-8"):
        table(_file(tmp_path, (HEAD + GOOD).encode("utf-16")))
    counts, (head, _), _ = predicted(tmp_path, (HEAD + GOOD).encode("utf-8-sig"))
    assert head[0] == "system"


def _file(tmp_path, data):
    (tmp_path / "other.csv").write_bytes(data)
    return tmp_path / "other.csv"


def test_a_file_that_breaks_off_keeps_what_came_before(tmp_path):
    import random

    rng = random.Random(1)  # noise that gzip cannot shorten: the cut lies inside the rows
    noisy = "".join(GOOD.replace("\n", f",{rng.random()}{rng.random()}\n") for _ in range(3000))
    whole = gzip.compress((HEAD.replace("\n", ",note\n") + noisy).encode())
    counts, (_, *rows), _ = predicted(tmp_path, whole[: len(whole) // 2], "in.csv.gz")
    assert 500 < counts["answered"] < 3000
    assert counts["answered"] >= counts["rows"] - 2
    assert "breaks off" in rows[-1][-1]


def test_a_million_rows_stream_through(tmp_path):
    """Reading takes no more memory for a million rows than for a thousand (the head of them is answered as usual)."""
    with (tmp_path / "big.csv").open("w") as stream:
        stream.write(HEAD)
        for _ in range(1000):
            stream.write(GOOD * 1000)
    code = f"""
import resource
from headway.evidence import read_rows
rows = read_rows({str(tmp_path / "big.csv")!r})
for _ in range(1000): next(rows)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(sum(1 for _ in rows) + 1000, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, grown = map(int, done.stdout.split())
    assert count == 1_000_000
    assert grown < 20_000  # kB


def test_known_columns_are_the_schema_of_the_evidence():
    assert len(set(COLUMNS)) == len(COLUMNS) == 39


def test_a_file_of_one_endless_line_is_never_held(tmp_path):
    """Half a gigabyte on one line, packed or not, in the header or after it: one line, and little memory."""
    bomb = tmp_path / "bomb.csv.gz"
    endless = gzip.compress(b"a" * 5_000_000) * 100
    for start in (HEAD, ""):
        bomb.write_bytes(gzip.compress(start.encode()) + endless)
        code = f"""
import re, sys
from pathlib import Path
from headway.cli import app
code = app.run(["predict", {str(bomb)!r}])
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])  # its own peak: ru_maxrss begins with the parent's
sys.exit(code)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert int(done.stdout) < 300_000  # kB
        assert done.stderr.count("\n") == 1
        assert "characters on one line" in done.stderr


def test_columns_are_bounded(tmp_path):
    with pytest.raises(InputError, match="at most 10,000"):
        table(_file(tmp_path, (HEAD.strip() + "," * 100_000 + "\n" + GOOD).encode()))
    wide = HEAD.strip() + "".join(f",x{i}" for i in range(9_000)) + "\n"
    found = table(_file(tmp_path, (wide + "," * 9_009 + "\n").encode()))
    assert len(found.keys) == 9_010
    assert len(list(found.rows)) == 1
