"""Files of traffic: every format that is read, and what is said about those that cannot be."""

from __future__ import annotations

import gzip
import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headway.errors import InputError
from headway.simulation.traffic import Chats, Poisson, Trace, lines, read

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:15:51.2224670,879,55
"""
MOONCAKE = [
    {"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [*range(46, 58), 2353, 2354]},
    {"timestamp": 30535, "input_length": 6472, "output_length": 26, "hash_ids": [*range(46, 58), 2366]},
]


def put(folder, content, name="t.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def jsonl(records):
    return "\n".join(json.dumps(r) for r in records) + "\n"


def said(path, **options):
    with pytest.raises(InputError) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_azure(tmp_path):
    found = read(put(tmp_path, AZURE))
    assert found.arrival == pytest.approx([0, 4.314579, 4.541877], abs=1e-9)
    assert found.prompt.tolist() == [374, 396, 879]
    assert found.output.tolist() == [44, 109, 55]
    assert len(found.requests()) == 3
    packed = read(
        put(tmp_path, gzip.compress(AZURE.replace("\n", "\r\n").encode()), "packed")
    )  # told by content, not name
    assert np.array_equal(packed.arrival, found.arrival)
    later = AZURE.replace("0,", "0+02:00,").replace("2023", "2024")
    assert read(put(tmp_path, later)).arrival == pytest.approx([0, 4.314579, 4.541877], abs=1e-6)


def test_mooncake(tmp_path):
    found = read(put(tmp_path, jsonl(MOONCAKE))).requests()
    assert found.arrival.tolist() == [27.482, 30.535]
    assert found.hash_tokens == 512
    assert found.blocks_of(0).tolist() == [*range(46, 58), 2353, 2354]
    assert found.blocks_of(1).tolist() == [*range(46, 58), 2366]
    assert np.array_equal(read(put(tmp_path, json.dumps(MOONCAKE, indent=1))).hashes, found.hashes)  # as one list, too


@pytest.mark.parametrize(("head", "times"), [
    ("arrival", [1.5, 2]), ("time (ms)", [1500, 2000]), ("arrival_us", [1_500_000, 2_000_000]), ("Timestamp [s]", [1.5, 2]),
    ("arrived_at", [1.5, 2]), ("request_time_ns", [1.5e9, 2e9]), ("start_time_ms", ["1500.0", " 2000 "]),
])  # fmt: skip
def test_units_of_times(tmp_path, head, times):
    for columns in (
        f"{head},prompt,output",
        f"{head},isl,osl",
        f"{head},Request tokens,Response tokens",
        f"{head},num_prefill_tokens,x (y),num_decode_tokens",
    ):
        rows = "".join(f"{t},10,{'?,' * columns.count('x (y)')}20\n" for t in times)
        found = read(put(tmp_path, f"{columns}\n{rows}"))
        assert found.arrival == pytest.approx([1.5, 2])
        assert found.prompt.tolist() == [10, 10]
        assert found.output.tolist() == [20, 20]


@pytest.mark.parametrize(
    "times", [[1.7e9, 1.7e9 + 3], [1.7e12, 1.7e12 + 3e3], [1_700_000_000_000_000, 1_700_000_003_000_000]]
)
def test_times_since_1970(tmp_path, times):
    assert read(put(tmp_path, f"t,prompt,output\n{times[0]},1,1\n{times[1]},1,1\n")).arrival == pytest.approx([0, 3])
    rows = [{"timestamp": t, "input_length": 1, "output_length": 1} for t in times]
    assert read(put(tmp_path, jsonl(rows))).arrival == pytest.approx([0, 3])


def test_units_as_told(tmp_path):
    rows = jsonl([{"arrival": 1, "prompt_tokens": 2, "completion_tokens": 3.0}])
    assert read(put(tmp_path, rows)).arrival.tolist() == [1]
    assert read(put(tmp_path, rows), unit="ms").arrival.tolist() == [0.001]
    assert read(put(tmp_path, "timestamp;prompt;output\n5;1;1\n"), unit="ms").arrival.tolist() == [0.005]
    assert "accepted: s, ms, us, ns" in said(put(tmp_path, rows), unit="hours")


def test_without_times(tmp_path):
    found = read(put(tmp_path, "prompt,output\n5,6\n7,8\n"))
    assert not found.timed
    with pytest.raises(InputError, match="has no times of arrival; say how requests arrive, like poisson:20/s"):
        found.requests()
    drawn = found.requests(Poisson(1), np.random.default_rng(1))
    assert drawn.prompt.tolist() == [5, 7]
    assert drawn.arrival[1] > drawn.arrival[0] > 0


def test_blocks_in_tables_and_by_name(tmp_path):
    found = read(
        put(
            tmp_path,
            'arrival,prompt,output,hash_ids\n0,1500,1,0-1 7\n1,1500,1,"[0, 1, 9]"\n2,9,1,\n3,512,1,ab-c\n4,512,1,ab-c\n',
        )
    ).requests()
    assert [found.blocks_of(i).tolist() for i in range(5)] == [[0, 1, 7], [0, 1, 9], [], [-1], [-1]]
    rows = [
        {"timestamp": 0, "input_length": 1000, "output_length": 1, "hash_ids": ids}
        for ids in (["x", 2**64], [2**64, "x"], None, [-5])
    ]
    assert read(put(tmp_path, jsonl(rows))).hashes.tolist() == [-1, -2, -2, -1, -3]


def test_sharegpt(tmp_path):
    talk = [{"from": "system", "value": "x" * 4}, {"from": "human", "value": "x" * 400}, {"from": "gpt", "value": "y" * 41},
            {"from": "human", "value": "z"}, {"from": "gpt", "value": ""}, {"from": "human", "value": "left open"}]  # fmt: skip
    counted = [
        {"role": "user", "content": [{"type": "text", "text": "?"}]},
        {"role": "assistant", "content": "!", "tokens": 77},
    ]
    greeting = [
        {"from": "gpt", "value": "a" * 8},
        {"from": "human", "value": "b" * 8},
        {"from": "gpt", "value": "c" * 8},
        {"from": "gpt", "value": "d" * 8},
    ]
    records = [
        {"id": "a", "conversations": talk},
        {"messages": counted},
        {"conversations": []},
        {"conversations": greeting},
    ]
    for content in (jsonl(records), json.dumps(records), json.dumps(records, indent=2)):
        found = read(put(tmp_path, content))
        assert isinstance(found, Chats)
        assert found.turns.tolist() == [2, 1, 1]
        assert found.new.tolist() == [101, 1, 1, 4]
        assert found.output.tolist() == [11, 1, 77, 4]
        assert "estimated at 4 characters a token; 1 conversations without an answer left out" in found.source
    streams = np.random.default_rng(0).spawn(2)
    played = found.requests(Poisson(1), *streams, most_turns=5, think=2.0, hash_tokens=16)
    assert played.prompt.tolist() == [101, 1, 4, 113]
    assert played.after.tolist() == [-1, -1, -1, 0]
    assert played.blocks_of(3)[:6].tolist() == played.blocks_of(0).tolist()
    assert len(found.requests(Poisson(1), *streams)) == 3  # first turns alone, as benchmarks play them


def test_order(tmp_path):
    path = put(tmp_path, "arrival,prompt,output,hash_ids\n3,1,1,5\n\n1,2,2,6\n2,3,3,7\n")
    assert (
        said(path)
        == "t.csv line 4: arrives 2 s before line 2, which stands above it; times must not fall: sort the file by arrival "
        "(in Python: sort=True)"
    )
    found = read(path, sort=True)
    assert found.arrival.tolist() == [1, 2, 3]
    assert found.prompt.tolist() == [2, 3, 1]
    assert found.hashes.tolist() == [6, 7, 5]
    dates = AZURE.splitlines()
    assert read(put(tmp_path, "\n".join([dates[0], *dates[:0:-1]])), sort=True).arrival == pytest.approx(
        [0, 4.314579, 4.541877]
    )


def test_first_of_a_file(tmp_path):
    path = put(tmp_path, "arrival,prompt,output,hash_ids\n0,1,1,5\n1,2,2,6\n2,3,3,broken,\n")
    assert read(path, most=2).hashes.tolist() == [5, 6]
    talks = [{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}] * 9
    assert len(read(put(tmp_path, jsonl(talks)), most=4)) == 4


BAD = [
    ("arrival,prompt\n0,1\n", "t.csv line 1: no column of output lengths"),
    ("arrival,promt_tokens,output\n0,1,1\n", "did you mean prompt_tokens?"),
    ('arrival,"a\nb",output\n0,1,1\n', "found: arrival, a?b, output"),
    ('{"a": 1, "input_length": 5, "output_length": 5, "time\\nstamp": 1}\n{"a": 1, "input_length": 5}\n', "line 2: has no output_length"),
    ("1,2,3\n4,5,6\n", "no column of prompt and output lengths"),
    ("", "t.csv: is empty"),
    ("\n \n", "t.csv: is empty"),
    ("arrival,prompt,output\n", "t.csv: has no requests"),
    ("arrival,prompt,output\n0,5,5\n1,-5,5\n", "t.csv line 3: prompt is '-5'; a whole number of 1 to"),
    ("arrival,prompt,output\n0,5,5\n1,5,0\n", "line 3: output is '0'; a whole number of 1 to 1,000,000,000 is needed; drop_empty leaves"),
    ("arrival,prompt,output\n0,5,5\n1,5,nan\n", "line 3: output is 'nan'"),
    ("arrival,prompt,output\n0,5,5\n1,5.5,5\n", "line 3: prompt is '5.5'"),
    ("arrival,prompt,output\n0,5,5\n1,1e300,5\n", "line 3: prompt is '1e300'"),
    ("arrival,prompt,output\n0,5,5\n1,,5\n", "line 3: prompt is missing"),
    ("arrival,prompt,output\n0,5,5\nnan,5,5\n", "line 3: time of arrival is 'nan'; a finite number of at least 0"),
    ("arrival,prompt,output\n0,5,5\n-1,5,5\n", "line 3: time of arrival is '-1'"),
    ("arrival,prompt,output\n0,5,5\nnoon,5,5\n", "line 3: time of arrival is 'noon'; accepted: seconds like 1.25 or a date like"),
    ("arrival,prompt,output\n0,5,5\n2023-11-16 10:00:00,5,5\n", "line 3: time of arrival is '2023-11-16 10:00:00', a date; the lines"),
    ("arrival,prompt,output\n2023-11-16 10:00:00,5,5\n7,5,5\n", "line 3: time of arrival is '7', a number; the lines before it have dates"),
    ("arrival,prompt,output\n2023-13-16 10:00:00,5,5\n", "line 2: time of arrival is '2023-13-16"),
    ("arrival,prompt,output\n0,5,5\n1,5\n", "line 3: 2 cells, 3 in the header"),
    ("arrival,prompt,output\n0,5,5\n1,5,5,5\n", "line 3: 4 cells, 3 in the header"),
    ('arrival,prompt,output\n0,5,5\n1,"5,5\n2,5,5\n', "line 3: 2 cells, 3 in the header"),
    ("arrival,prompt,output,hash_ids\n0,5,5,9-1\n", "line 2: hash_ids holds the run '9-1'"),
    ("arrival,prompt,output,hash_ids\n0,5,5,0-99999999\n", "line 2: hash_ids holds the run"),
    ("arrival,prompt,output,hash_ids\n0,513,5,1 2 3\n", "line 2: 3 hash_ids for a prompt of 513 tokens, which has at most 2 blocks of 512"),
    ("\x7fELF\x00\x01\x02binary,\x00\n", "holds bytes that are no text"),
    (bytes(range(128, 256)) * 9, "no column of prompt and output lengths"),
    (b"arrival,prompt,output\n0,\xff\xfe,5\n", r"line 2: prompt is '\udcff\udcfe'"),
    (gzip.compress(AZURE.encode())[:-30], "the file breaks off here (EOFError)"),
    (b"\x1f\x8bno gzip, though it begins like one", "the file breaks off here (BadGzipFile)"),
    ('{"timestamp": 0, "input_length": 5}\n', "t.csv line 1: no column of output lengths"),
    ('{"timestamp": 0, "input_length": 5, "output_length": 5}\n{"timestamp": 0, "input_length": 5}\n', "line 2: has no output_length"),
    ('{"timestamp": 0, "input_length": 5, "output_length": 5}\n{"timestamp":\n', "line 2: not JSON: Expecting value at character"),
    ('{"timestamp": 0, "input_length": 5, "output_length": 5}\n[1]\n', "line 2: [1] is no JSON object"),
    ('{"timestamp": 0, "input_length": true, "output_length": 5}\n', "line 1: prompt is True"),
    ('{"timestamp": 0, "input_length": "x", "output_length": 5}\n', "line 1: prompt is 'x'"),
    ('{"timestamp": NaN, "input_length": 5, "output_length": 5}\n', "line 1: time of arrival is nan"),
    ('{"timestamp": null, "input_length": 5, "output_length": 5}\n', "line 1: time of arrival is None"),
    ('{"timestamp": 0, "input_length": 5, "output_length": 5, "hash_ids": 7}\n', "line 1: hash_ids is 7"),
    ('{"timestamp": 0, "input_length": 5, "output_length": 5, "hash_ids": [1.5]}\n', "line 1: hash_ids holds 1.5"),
    ('{"timestamp": 0, "input_length": 1' + "0" * 5000 + "}\n", "line 1: not JSON: a number of too many digits"),
    ('{"a": ' + "[" * 100_000 + "\n", "line 1: not JSON: nested too deep"),
    ("[" * 100_000, "line 1: an element is nested too deep"),
    ("[", "the list is not closed by ]"),
    ("[]", "t.csv: is empty"),
    ('[\n{"timestamp": 0, "input_length": 5, "output_length": 5},\n{"timestamp" 0}\n]', "line 3: not JSON"),
    ('{"conversations": 5}\n', "line 1: has no list of turns"),
    ('{"conversations": [5]}\n', "line 1: a turn is 5"),
    ('{"conversations": [{"value": "a"}]}\n', "line 1: a turn does not say whose it is"),
    ('{"conversations": [{"from": "human"}]}\n', "line 1: a turn has no text"),
    ('{"conversations": [{"from": "human", "tokens": -3}]}\n', "line 1: tokens is -3"),
    ('{"conversations": [{"from": "human", "value": "a"}]}\n', "no conversation has a question and an answer"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "says"), BAD, ids=range(len(BAD)))
def test_what_is_wrong_and_where(tmp_path, content, says):
    assert says in said(put(tmp_path, content))


def test_five_bad_lines_are_enough(tmp_path):
    rows = ["arrival,prompt,output"] + [f"{i},{'x' if i % 10 == 0 else 5},5" for i in range(100_000)]
    message = said(put(tmp_path, "\n".join(rows)))
    assert [f"line {n}:" in message for n in (2, 12, 22, 32, 42, 52)] == [True] * 5 + [False]
    assert message.endswith("(reading stopped after 5 bad lines)")
    assert len(message) < 700


def test_answers_of_nothing_are_left_out_when_told(tmp_path):
    found = read(put(tmp_path, "arrival,prompt,output,hash_ids\n0,5,0,1\n1,5,3,2\n2,5,0,3\n"), drop_empty=True)
    assert found.arrival.tolist() == [1]
    assert found.hashes.tolist() == [2]


def test_a_line_that_never_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST_LINE", 1000)
    long = "arrival,prompt,output\n0,5,5\n1," + "5" * 5000 + ",5\n"
    assert "t.csv line 3: more than 1,000 characters" in said(put(tmp_path, long))
    assert "t.csv line 1: more than 1,000 characters" in said(put(tmp_path, "5" * 5000))
    assert "line 2: more than 1,000 characters" in said(put(tmp_path, jsonl(MOONCAKE[:1]) + '{"a": "' + "x" * 5000))


def test_no_file(tmp_path):
    assert said(tmp_path / "none.csv").endswith("none.csv: cannot be read: No such file or directory")
    assert "Is a directory" in said(tmp_path)
    assert "no file can have this name" in said("a\0b")
    if os.path.exists("/dev/zero"):
        assert "holds bytes that are no text" in said("/dev/zero")  # and does not read on for ever


trace_rows = st.lists(
    st.tuples(st.integers(0, 10**7), st.integers(1, 10**6), st.integers(1, 10**5)), min_size=1, max_size=60
)


@given(rows=trace_rows, form=st.sampled_from(["csv", "float", "jsonl", "list"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_written_is_read(tmp_path, rows, form):
    if form in ("csv", "float"):
        end = ".0" if form == "float" else ""  # through the cell-by-cell path
        content = "arrival_ms,prompt,output\n" + "".join(f"{a}{end},{p}{end},{o}{end}\n" for a, p, o in rows)
    else:
        records = [{"timestamp": a, "input_length": p, "output_length": o} for a, p, o in rows]
        content = jsonl(records) if form == "jsonl" else json.dumps(records)
    found = read(put(tmp_path, content), sort=True)
    assert isinstance(found, Trace)
    wanted = sorted(rows, key=lambda r: r[0])
    assert found.arrival.tolist() == [a / 1000 for a, _, _ in wanted]
    assert found.prompt.tolist() == [p for _, p, _ in wanted]
    assert found.output.tolist() == [o for _, _, o in wanted]


KEYS = ["timestamp", "input_length", "output_length", "hash_ids", "conversations", "from", "value"]


@given(content=st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=60).map(lambda b: b"arrival,prompt,output,hash_ids\n0,5,5,0-3\n" + b),
    st.binary(max_size=60).map(lambda b: jsonl(MOONCAKE).encode() + b),
    st.binary(max_size=60).map(lambda b: b'[{"conversations": [{"from": "human", "value": "a"}]},' + b),
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
                 | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
                 max_leaves=8).map(lambda v: json.dumps(v).encode()),
))  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
def test_anything_at_all_is_read_or_refused(tmp_path, content):
    try:
        found = read(put(tmp_path, content))
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either is right
    else:
        assert len(found) > 0
