"""Traffic by name: the catalogue's traces against their publishers' numbers, specs, slices, scaling, seeds, near misses."""

from __future__ import annotations

import csv
import gzip
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.catalog import SHIPPED, use
from headway.errors import InputError
from headway.simulation import Requests
from headway.simulation.traffic import EXAMPLES, Poisson, between, first, shipped, trace_names, traffic

LENGTHS = {"prompt": "1k~0.8", "output": "100-200"}


def same(a: Requests, b: Requests) -> bool:
    columns = ("arrival", "prompt", "output", "after", "think", "hashes", "first_hash")
    return all(np.array_equal(getattr(a, c), getattr(b, c)) for c in columns)


# Counts: the publishers' (github.com/Azure/AzurePublicDataset, Splitwise; Mooncake FAST25-release README: 12,031 requests, mean
# prompt 12,035 and answer 343). Sums of tokens, last times and longest: counted from the published files with csv and json alone.
@pytest.mark.parametrize(("name", "count", "prompts", "outputs", "last", "longest"), [
    ("azure-conv", 19_366, 22_361_870, 4_088_665, 3501.721937, (14_050, 1000)),
    ("azure-code", 8_819, 18_059_974, 245_896, 3435.948056, (7437, 1899)),
    ("mooncake-conv", 12_031, 144_793_823, 4_122_048, 3536.999, (126_195, 2000)),
])  # fmt: skip
def test_published_totals(name, count, prompts, outputs, last, longest):
    found = traffic(name)
    assert len(found) == count
    assert (found.prompt.sum(), found.output.sum()) == (prompts, outputs)
    assert (found.prompt.max(), found.output.max()) == longest
    assert (found.arrival[0], found.arrival[-1]) == (0, pytest.approx(last, abs=1e-6))
    assert "CC-BY-4.0" in found.source or "Apache-2.0" in found.source


def test_published_means_and_blocks():
    found = traffic("mooncake")
    assert round(found.prompt.mean()) == 12_035
    assert round(found.output.mean()) == 343
    assert len(found.hashes) == 288_500
    assert len(np.unique(found.hashes)) == 182_790
    assert np.array_equal(np.diff(found.first_hash), -(-found.prompt // 512))
    assert found.blocks_of(4).tolist() == [0, *range(46, 59)]
    assert [traffic("azure-conv").arrival[i] for i in (1, 2)] == pytest.approx([4.314579, 4.541877], abs=1e-9)


def test_shipped_files_have_their_licences():
    folder = SHIPPED / "traces"
    rows = list(csv.DictReader((SHIPPED / "traces.csv").read_text().splitlines()))
    assert {r["file"] for r in rows} == {f.name for f in folder.glob("*.gz")}
    attribution = (folder / "ATTRIBUTION.txt").read_text()
    for row in rows:
        assert (folder / f"LICENSE-{row['licence'].upper()}.txt").is_file()
        assert row["file"] in attribution
        assert gzip.decompress((folder / row["file"]).read_bytes()).count(b"\n") == int(row["requests"]) + 1
    assert sum(f.stat().st_size for f in folder.glob("*.gz")) < 400_000
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["license-files"]
    assert "src/headway/catalog/data/traces/LICENSE-*.txt" in declared


def test_a_users_own_trace(tmp_path):
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "mine.csv").write_text("arrival,prompt,output\n0,1,2\n3,4,5\n")
    (tmp_path / "traces.csv").write_text(
        "name,aliases,file,requests,source,date\nours,o2,mine.csv,2,me,2026\nlost,,lost.csv,,me,2026\n"
    )
    use(tmp_path)
    assert trace_names()[-2:] == ["ours", "lost"]
    assert traffic("o2").prompt.tolist() == [1, 4]
    with pytest.raises(InputError, match=r"traces/lost\.csv"):
        shipped("lost")


@pytest.mark.parametrize("text", EXAMPLES.values())
def test_every_example_draws_and_repeats(text):
    options = {} if "prompt=" in text else LENGTHS
    found = traffic(text, **options, seed=5)
    assert len(found) == pytest.approx(1000, rel=0.4)
    assert found.name == text
    assert same(found, traffic(text, **options, seed=5))
    if not text.startswith("constant"):
        other = traffic(text, **options, seed=6)
        assert not (np.array_equal(found.arrival, other.arrival) and np.array_equal(found.think, other.think))


def test_text_and_options_say_the_same():
    written = traffic("gamma:20/s,cv=3,prompt=1k~0.8,output=100-200,count=300,scale=2x")
    assert same(written, traffic("gamma:20/s,cv=3", **LENGTHS, count="300", scale=2))
    assert same(traffic("gamma:20/s,burstiness=0.25", **LENGTHS), traffic("gamma:20/s,cv=2", **LENGTHS))
    assert np.allclose(
        traffic("weibull:20/s,shape=0.5", **LENGTHS).arrival, traffic(f"weibull:20/s,cv={5**0.5}", **LENGTHS).arrival
    )
    assert same(traffic("Closed-loop:8", **LENGTHS, count=30), traffic("closed:8,rounds=4", **LENGTHS))
    with pytest.raises(InputError, match="prompt is given twice"):
        traffic("poisson:2/s,prompt=5", **LENGTHS)


def test_streams_are_apart():
    """The same seed: other lengths leave the arrivals alone, and other arrivals the lengths."""
    a, b = traffic("poisson:20/s", **LENGTHS), traffic("poisson:20/s", prompt=5, output=6)
    assert np.array_equal(a.arrival, b.arrival)
    assert np.array_equal(a.prompt, traffic("gamma:5/s,cv=2", **LENGTHS).prompt)


def test_durations():
    found = traffic("poisson:20/s", **LENGTHS, duration="10min", start="5min")
    assert found.arrival[-1] < 600
    assert len(found) == pytest.approx(12_000, abs=5 * 110)
    whole = traffic("poisson:20/s", **LENGTHS, duration=900)
    assert np.allclose(found.arrival, whole.arrival[whole.arrival >= 300] - 300)
    assert len(traffic("poisson:20/s", **LENGTHS, duration="1h", count=7)) == 7
    assert traffic("sessions:2/s,turns=3,prompt=9,output=9,new=9", duration=100).arrival.max() < 100


def test_lengths_of_a_trace():
    found = traffic("poisson:20/s", lengths="azure-code", count=3000)
    code = shipped("azure-code")
    assert set(zip(found.prompt.tolist(), found.output.tolist(), strict=True)) <= set(
        zip(code.prompt.tolist(), code.output.tolist(), strict=True)
    )
    assert found.prompt.mean() == pytest.approx(code.prompt.mean(), abs=5 * code.prompt.std() / 3000**0.5)


def test_other_arrivals_and_rates_for_a_trace():
    found = traffic("mooncake-conv", arrivals="poisson:20/s")
    assert found.rate == pytest.approx(20, rel=0.05)
    assert np.array_equal(found.hashes, shipped("mooncake-conv").hashes)
    assert np.array_equal(found.arrival, traffic("mooncake-conv", arrivals=Poisson(20)).arrival)
    assert traffic("azure-conv", rate="20/s").rate == pytest.approx(20)


@given(start=st.integers(0, 3000), length=st.integers(1, 400), power=st.integers(-3, 5), count=st.integers(1, 500))
@settings(max_examples=30, deadline=None)
def test_slices_and_scales_commute(start, length, power, count):
    """Factors of two keep every bit, so that the two ways must agree to the last one."""
    whole, factor = shipped("mooncake-conv").requests(), 2.0**power
    asked = {"start": float(start), "duration": float(length), "scale": factor, "count": count}
    came = whole.arrival[(whole.arrival >= start) & (whole.arrival < start + length)]
    if not len(came):
        with pytest.raises(InputError, match="nothing arrives"):
            traffic("mooncake-conv", **asked)
        return
    found = traffic("mooncake-conv", **asked)
    assert len(found) == min(len(came), count)
    assert same(found, first(between(whole, start, start + length), count).scaled(factor))
    assert same(found, first(between(whole.scaled(factor), start / factor, (start + length) / factor), count))
    i = len(found) - 1
    where = int(np.searchsorted(whole.arrival, start)) + i
    assert np.array_equal(found.blocks_of(i), whole.blocks_of(where))


def test_files(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("arrival,prompt,output\n0,1,2\n5,3,4\n4,5,6\n")
    with pytest.raises(InputError, match=r"own\.csv line 4"):
        traffic(path)
    assert traffic(path, sort=True, count=2).arrival.tolist() == [0, 4]
    assert traffic(str(path), count=2).arrival.tolist() == [0, 5]
    chats = tmp_path / "talk.json"
    chats.write_text('[{"conversations": [{"from": "human", "value": "abcd"}, {"from": "gpt", "value": "efgh"}]}]')
    with pytest.raises(InputError, match="conversations have no times; say how they arrive"):
        traffic(chats)
    assert traffic(chats, arrivals="poisson:1/s").prompt.tolist() == [1]
    assert traffic("poisson:1/s", lengths=chats, count=3).output.tolist() == [1, 1, 1]


@pytest.mark.parametrize(("what", "options", "says"), [
    ("poison:20/s", {}, "unknown traffic 'poison': did you mean poisson?"),
    ("azur-conv", {}, "did you mean azure-conv"),
    ("nofile.csv", {}, "nofile.csv: cannot be read: No such file"),
    ("", {}, "unknown traffic ''"),
    ("poisson", LENGTHS, "its mean rate is needed behind the colon, as in poisson:20/s"),
    ("poisson:20/s", {}, "needs lengths: prompt= and output="),
    ("poisson:20/s", {"prompt": 5}, "needs lengths"),
    ("poisson:20/s", {**LENGTHS, "lengths": "azure-conv"}, "one of both is enough"),
    ("poisson:20/s", {"lengths": "azur-conv"}, "did you mean azure-conv"),
    ("poisson:20/s,20", LENGTHS, "'20' is no key=value of its own"),
    ("poisson:20/s,cv=1", LENGTHS, "unknown key of traffic"),
    ("gamma:20/s", LENGTHS, "cv is needed, as in gamma:20/s,cv=3"),
    ("gamma:20/s,cv=1,burstiness=2", LENGTHS, "cv and burstiness say the same"),
    ("gamma:20/s,cv=3,cv=4", LENGTHS, "no key=value of its own"),
    ("weibull:20/s,cv=banana", LENGTHS, "cv: 'banana' is not a count"),
    ("on-off:20/s,on=5,off=3s", LENGTHS, "on: '5' has no unit"),
    ("poisson:20/s", {**LENGTHS, "seed": -1}, "seed: -1"),
    ("poisson:20/s", {**LENGTHS, "count": 0}, "count: 0 must be positive"),
    ("poisson:20/s", {**LENGTHS, "count": "1.5"}, "no whole number"),
    ("poisson:20/s", {**LENGTHS, "count": True}, "count: True"),
    ("poisson:20/s", {**LENGTHS, "scale": 2, "rate": 2}, "scale and rate both"),
    ("poisson:20/s", {**LENGTHS, "sort": True}, "sort: is for files and traces"),
    ("closed:8", {**LENGTHS, "duration": 5}, "a closed loop goes as fast as it is served"),
    ("closed:8", {**LENGTHS, "rate": 5}, "has no mean rate"),
    ("sessions:2/s,turns=5,new=5", {}, "prompt is needed, as in sessions:2/s"),
    ("agents:2/s,turns=5,new=5,prompt=5,output=5", {}, "shared is needed, as in agents:"),
    ("sessions:2/s,turns=5,new=5", {"lengths": "azure-conv"}, "grow their prompts"),
    ("azure-conv", {"prompt": 5}, "azure-conv has lengths of its own"),
    ("azure-conv", {"sort": True}, "sort: is for files"),
    ("azure-conv", {"start": "10h"}, "nothing arrives from 36000 s on; the last request comes at 3501.72 s"),
    ("azure-conv", {"turns": 2}, "turns and think are for files of conversations"),
    ("azure-conv", {"arrivals": "closed:3"}, "unknown process of arrivals 'closed'"),
    ("azure-conv", {"scale": 0}, "must be positive"),
])  # fmt: skip
def test_what_is_refused(what, options, says):
    with pytest.raises(InputError) as caught:
        traffic(what, **options)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
