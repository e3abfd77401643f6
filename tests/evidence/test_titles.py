"""Titles as benchmarks and people write them: each means its column, in its unit, and nothing is guessed."""

from __future__ import annotations

import pytest

import headway as hw
from headway.catalog import catalogue
from headway.cli.app import run
from headway.errors import InputError
from headway.evidence import COLUMNS, measurement, read_file, table
from headway.evidence.titles import meanings
from headway.predictions import ADDED

MEANT = [
    ("Max concurrency", "batch_or_concurrency", 1), ("Maximum request concurrency", "batch_or_concurrency", 1),
    ("concurrency", "batch_or_concurrency", 1), ("batch", "batch_or_concurrency", 1), ("conc", "batch_or_concurrency", 1),
    ("Input tokens", "isl", 1), ("input_len", "isl", 1), ("Input Sequence Length (tokens)", "isl", 1), ("random_input_len", "isl", 1),
    ("n_gen", "osl", 1), ("Output Sequence Length (tokens)", "osl", 1), ("gpu", "system", 1), ("Hardware", "system", 1),
    ("hw", "system", 1), ("model_id", "model", 1), ("tensor_parallel_size", "tp", 1), ("framework", "engine", 1),
    ("TPOT (ms)", "tpot_ms_mean", 1), ("Mean TPOT (ms)", "tpot_ms_mean", 1), ("mean_tpot_ms", "tpot_ms_mean", 1),
    ("itl_ms", "tpot_ms_mean", 1), ("Inter Token Latency (ms)", "tpot_ms_mean", 1), ("TPOT [s]", "tpot_ms_mean", 1e3),
    ("Mean TTFT (ms)", "ttft_ms_mean", 1), ("Median TTFT (ms)", "ttft_ms_median", 1), ("Median TTFT (s)", "ttft_ms_median", 1e3),
    ("ttft_s", "ttft_ms_mean", 1e3), ("Time To First Token (us)", "ttft_ms_mean", 1e-3), ("mean_e2el_ms", "e2e_ms_mean", 1),
    ("tok/s", "output_tok_s", 1), ("output_throughput", "output_tok_s", 1), ("Output token throughput (tok/s)", "output_tok_s", 1),
    ("Output Token Throughput (tokens/sec)", "output_tok_s", 1), ("output_tput_per_gpu", "output_tok_s_per_chip", 1),
]  # fmt: skip
NOT = [
    "mean_ttft",
    "TTFT",
    "TPOT (kg)",
    "P99 TTFT (ms)",
    "Total token throughput (tok/s)",
    "median_itl_ms",
    "n_batch",
    "Batch (GB)",
]


@pytest.mark.parametrize(("title", "column", "factor"), MEANT)
def test_what_a_title_means(title, column, factor):
    ((found, times),) = meanings([title], COLUMNS).values()
    assert (found, times) == (column, pytest.approx(factor))


@pytest.mark.parametrize("title", NOT)
def test_what_no_title_means_is_not_guessed(title):
    assert meanings([title], COLUMNS) == {}


def test_the_names_are_of_known_columns_and_unambiguous():
    rows = catalogue().table("columns").rows
    names = [a for r in rows for a in r["aliases"].split("|")]
    assert len(names) == len(set(names))
    assert {r["name"] for r in rows} <= set(COLUMNS)
    assert not {*names} & {*COLUMNS, *ADDED}


ROWS = (
    "GPU,num_gpus,Model,Max concurrency,concurrency,Input tokens,output_len,framework,TPOT (s),Median TTFT (ms),tok/s\n"
    '8xH200,8,DeepSeek-R1-0528,16,15.2,1024,1024,sglang,0.0142,"1,400",1100\n'
    "8xH200,8,DeepSeek-R1-0528,16,15.2,1024,1024,sglang,soon,,\n"
)


def test_a_benchmarks_own_table_is_read(tmp_path):
    (tmp_path / "in.csv").write_text(ROWS)
    (good, bad), refused = read_file(tmp_path / "in.csv")
    assert refused == []
    assert (good.system, good.chips, good.batch, good.prompt, good.engine) == ("8xH200", 8, 16, 1024, "sglang")
    assert good.measured == {
        "tpot_mean": pytest.approx(0.0142),
        "ttft_median": pytest.approx(1.4),
        "output_tok_s": 1100,
    }
    assert bad.measured == {}
    opened = table(tmp_path / "in.csv")
    (_, row), *_ = opened.rows
    assert row["TPOT (s)"] == "0.0142"  # as it came, beside what it means
    assert opened.unread(COLUMNS, ADDED) == {"concurrency": ""}


def test_mappings_are_read_as_tables_are():
    plain = {"system": "8xH200", "model": "DeepSeek-R1-0528", "batch_or_concurrency": 16, "isl": 1024, "osl": 1024}
    other = {"GPU": "8xH200", "Model": "DeepSeek-R1-0528", "concurrency": 16, "Input tokens": 1024, "output_len": 1024}
    (a,), (b,) = hw.predict([plain]), hw.predict([other])
    assert a["predicted_tpot_ms"] == b["predicted_tpot_ms"] != ""
    assert measurement("row 1", {k: str(v) for k, v in plain.items()}).batch == 16


def test_what_is_not_read_is_told_with_what_would_be(tmp_path):
    head = "system,model,batch_or_concurrency,isl,osl,mean_ttft,predicted_tpot_m,weight_dtyp\n"
    (tmp_path / "in.csv").write_text(head + "h200,qwen3-8b,1,1,2,,,\n")
    opened = table(tmp_path / "in.csv")
    told = opened.unread(COLUMNS, ADDED)
    assert told["mean_ttft"] == "mean_ttft (ms)"
    assert told["predicted_tpot_m"] == ""  # what is written is no hint for what is read
    assert told["weight_dtyp"] == "weights_dtype"
    list(opened.rows)
    (tmp_path / "in.csv").write_text("GPU,colour,shape\nh200,red,round\n")
    with pytest.raises(InputError, match=r"missing; .*found: GPU, colour, shape"):
        table(tmp_path / "in.csv")


def test_all_names_are_listed(capsys):
    assert run(["catalog", "columns"]) == 0
    out = capsys.readouterr().out
    assert "max_concurrency, maximum_request_concurrency, max_request_concurrency, concurrency" in out
    assert all(name in out for r in catalogue().table("columns").rows for name in r["aliases"].split("|"))
