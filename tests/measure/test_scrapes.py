"""Metrics of each engine, read by the names of the catalogue: histograms as Prometheus reads them, ranks and replicas counted once."""

from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from headway.catalog import catalogue
from headway.errors import InputError
from headway.measure.scrapes import families, scraped
from headway.measure.watching_load import Met

VLLM = """
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3
vllm:num_requests_running{engine="1",model_name="m"} 5
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.2
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.4
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="16",num_gpu_blocks="100",engine="0"} 1
vllm:cache_config_info{block_size="16",num_gpu_blocks="100",engine="1"} 1
# TYPE vllm:gpu_prefix_cache_hits_total counter
vllm:gpu_prefix_cache_hits_total{engine="0",model_name="m"} 7
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0",model_name="m"} 10
vllm:generation_tokens_total{engine="1",model_name="m"} 20
# TYPE vllm:iteration_tokens_total histogram
vllm:iteration_tokens_total_bucket{engine="0",le="+Inf",model_name="m"} 4
vllm:iteration_tokens_total_count{engine="0",model_name="m"} 4
vllm:iteration_tokens_total_sum{engine="0",model_name="m"} 44
# TYPE vllm:time_per_output_token_seconds histogram
vllm:time_per_output_token_seconds_bucket{engine="0",le="0.1",model_name="m"} 6
vllm:time_per_output_token_seconds_bucket{engine="0",le="+Inf",model_name="m"} 9
vllm:time_per_output_token_seconds_count{engine="0",model_name="m"} 9
vllm:time_per_output_token_seconds_sum{engine="0",model_name="m"} 0.9
"""
SGLANG = """
sglang:num_running_reqs{dp_rank="0",engine_type="unified",model_name="g",tp_rank="0"} 4
sglang:num_running_reqs{dp_rank="0",engine_type="unified",model_name="g",tp_rank="1"} 4
sglang:num_running_reqs{dp_rank="1",engine_type="unified",model_name="g",tp_rank="2"} 6
sglang:num_used_tokens{dp_rank="0",model_name="g",tp_rank="0"} 1000
sglang:num_used_tokens{dp_rank="1",model_name="g",tp_rank="2"} 2000
sglang:token_usage{dp_rank="0",model_name="g",tp_rank="0"} 0.1
sglang:token_usage{dp_rank="1",model_name="g",tp_rank="2"} 0.3
sglang:realtime_tokens_total{mode="prefill_compute",model_name="g",tp_rank="0"} 100
sglang:realtime_tokens_total{mode="prefill_cache",model_name="g",tp_rank="0"} 900
sglang:realtime_tokens_total{mode="decode",model_name="g",tp_rank="0"} 50
sglang:inter_token_latency_seconds_sum{model_name="g"} 2.5
sglang:inter_token_latency_seconds_count{model_name="g"} 45
"""
TRTLLM = """
trtllm_num_requests_running{model_name="t",engine_type="trtllm"} 2
trtllm_kv_cache_used_blocks{model_name="t",engine_type="trtllm"} 10
trtllm_kv_cache_tokens_per_block{model_name="t",engine_type="trtllm"} 32
trtllm_generation_tokens_total{model_name="t",engine_type="trtllm"} 110
trtllm_time_to_first_token_seconds_count{model_name="t",engine_type="trtllm"} 10
trtllm_request_decode_time_seconds_sum{model_name="t",engine_type="trtllm"} 5
"""
TRITON = """
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="scheduled",version="1"} 3
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="max",version="1"} 512
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="tokens_per",model="tensorrt_llm",version="1"} 64
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="used",model="tensorrt_llm",version="1"} 5
"""
TGI = """
tgi_batch_current_size 7
tgi_queue_size 2
tgi_request_input_length_sum 1000
tgi_request_generated_tokens_sum 300
tgi_batch_inference_duration_sum{method="prefill"} 1.5
tgi_batch_inference_duration_count{method="prefill"} 10
tgi_batch_inference_duration_sum{method="decode"} 4.5
tgi_batch_inference_duration_count{method="decode"} 90
"""


def values(text):
    (found,) = scraped(text, 0.0)
    return found


def test_vllm_with_two_engines():
    found = values(VLLM)
    assert (found.engine, found.model) == ("vllm", "m")
    assert found.values == {
        "running": 8, "kv_usage": pytest.approx(0.3), "kv_pool": 3200, "found_tokens": 7, "output_tokens": 30, "passes": 4,
        "gap_seconds": 0.9, "gap_count": 9,
    }  # fmt: skip
    assert found.counters == {"found_tokens", "output_tokens", "passes", "gap_seconds", "gap_count"}
    assert found.histograms["tpot"].counts == (6, 9)


def test_sglang_counts_each_scheduler_once():
    found = values(SGLANG)
    assert found.values == {
        "running": 10, "kv_tokens": 3000, "kv_usage": pytest.approx(0.2), "prompt_tokens": 1000, "found_tokens": 900, "output_tokens": 50,
        "gap_seconds": 2.5, "gap_count": 45,
    }  # fmt: skip


def test_tensorrt_llm():
    found = values(TRTLLM)
    assert found.values["kv_tokens"] == 320
    assert found.values["gap_count"] == 100
    assert (found.engine, found.family) == ("trtllm", "trtllm-serve")
    triton = values(TRITON)
    assert (triton.engine, triton.model) == ("trtllm", "tensorrt_llm")
    assert triton.values == {"running": 3, "kv_tokens": 320}


def test_tgi_times_its_passes():
    before = values(TGI)
    after = values(
        TGI.replace("1000", "1500")
        .replace("300", "600")
        .replace("} 90", "} 140")
        .replace("4.5", "7.0")
        .replace("1.5", "2.0")
    )
    met = Met.between(
        before, after.__class__(**{**{f: getattr(after, f) for f in after.__dataclass_fields__}, "at": 5.0})
    )
    assert met.pass_seconds == pytest.approx(2.5 / 50)
    assert met.batch == pytest.approx(300 * 0.05 / 5)  # tokens x the time of the pass that makes each
    assert met.busy == pytest.approx(3.0 / 5)
    assert met.output_rate == 60


def test_names_are_data_with_sources():
    rows = catalogue().table("scraped_metrics").rows
    assert set(families()) == {"vllm", "sglang", "trtllm-serve", "triton", "tgi", "llama.cpp"}
    for row in rows:
        assert row["source"]
        assert row["date"] >= "2025"
        assert catalogue().table("engines").find(row["engine"]) is not None
        assert row["kind"] in ("prefix", "label", "gauge", "counter", "histogram")


def test_quantiles_are_linear_inside_buckets():
    registry = CollectorRegistry()
    made = Histogram(
        "vllm:time_to_first_token_seconds", "", ["model_name"], buckets=(0.1, 0.2, 0.4, 0.8), registry=registry
    ).labels("m")
    drawn = np.random.default_rng(0).uniform(0, 0.8, 4000)
    for x in drawn:
        made.observe(x)
    h = values(generate_latest(registry).decode()).histograms["ttft"]
    assert h.mean == pytest.approx(drawn.mean())
    for q in (0.1, 0.5, 0.9, 0.99):
        assert h.quantile(q) == pytest.approx(np.quantile(drawn, q), abs=0.02)
        assert h.within(h.quantile(q)) == pytest.approx(q)
    made.observe(5.0)
    beyond = values(generate_latest(registry).decode()).histograms["ttft"]
    assert beyond.quantile(1.0) == 0.8  # nothing is known beyond the last bound
    assert beyond.within(1.0) < 1
    assert beyond.less(h).count == 1


@pytest.mark.parametrize(("text", "said"), [
    ("", "no metrics at all"), ("<html></html>", "not in Prometheus's text format"), ("up 1\n", "no metric of an engine that is known"),
])  # fmt: skip
def test_what_is_none_is_refused(text, said):
    with pytest.raises(InputError, match=said):
        scraped(text, 0.0)
