"""Names as people write them: chips, models, engines, formats."""

from __future__ import annotations

import pytest

from cases import measured
from headway.errors import InputError
from headway.evidence import case_of as case
from headway.questions import Request
from headway.serving import engine, named_system, served_model, setting, stated_chips


@pytest.mark.parametrize(("said", "found"), [
    ("H100-SXM-80GB", "H100 SXM"), ("H200-SXM", "H200 SXM"), ("MI355X", "MI355X"), ("8xMI355X", "MI355X"), ("dgx b200", "B200 SXM"),
    ("nvidia-h200", "H200 SXM"), ("GB200-NVL72", "GB200"), ("b300_sxm", "B300 SXM"), ("amd instinct mi325x", "MI325X"),
    ("TPU7x (Ironwood)", "TPU v7"), ("4090 24GB", "RTX 4090"), ("A100-SXM4-80GB", "A100 SXM 80GB"),
])  # fmt: skip
def test_chips_as_people_write_them(said, found):
    assert named_system(said).chip.name == found


@pytest.mark.parametrize(("said", "weights", "found", "stored"), [
    ("nvidia/DeepSeek-R1-NVFP4", "", "DeepSeek-V3.1-NVFP4", "nvfp4"), ("DeepSeek-R1-0528", "fp8", "DeepSeek-R1", "fp8"),
    ("DeepSeek-R1-0528", "fp4", "DeepSeek-V3.1-NVFP4", "nvfp4"), ("llama2-7b", "", "Llama-2-7b-hf", "bf16"),
    ("GLM-5-FP8", "", "GLM-5-FP8", "fp8"), ("zai-org/GLM-5", "fp8", "GLM-5-FP8", "fp8"),
    ("openai/gpt-oss-120b", "fp4", "gpt-oss-120b", "mxfp4"),
    ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "", "Llama-3.3-70B-Instruct", "fp8-tensor"),
    ("Qwen/Qwen3-32B-FP8", "", "Qwen3-32B-FP8", "fp8"), ("Qwen3-32B-AWQ", "", "Qwen3-32B", "int4"),
    ("amd/DeepSeek-R1-0528-MXFP4-Preview", "", "DeepSeek-R1", "mxfp4"), ("Kimi-K2.5", "int4", "Kimi-K2.5", "int4-g32"),
    ("Kimi-K2.5", "fp4", "Kimi-K2.5-NVFP4", "nvfp4"), ("Qwen/Qwen3.5-397B-A17B-FP8", "", "Qwen3.5-397B-A17B", "fp8"),
    ("MiniMax-M2.5", "fp8", "MiniMax-M2.5", "fp8"), ("Llama-3-8B", "q4_k_m", "Meta-Llama-3-8B", "q4_k_m"),
])  # fmt: skip
def test_models_as_people_write_them(said, weights, found, stored):
    arch = served_model(said, weights, "")
    assert arch.name.endswith(found)
    assert arch.weights_format == stored


@pytest.mark.parametrize(("said", "found"), [
    ("dynamo-trt", "trtllm"), ("trt", "trtllm"), ("TensorRT-LLM", "trtllm"), ("vllm/vllm-openai:v0.18.0", "vllm"),
    ("sglang", "sglang"), ("dynamo-sglang", "sglang"), ("vllm 0.9.1", "vllm"), ("llama.cpp", "llama.cpp"), ("HF", "transformers"),
])  # fmt: skip
def test_engines_as_people_write_them(said, found):
    assert engine(said).profile == found


@pytest.mark.parametrize(("what", "call"), [
    ("chip", lambda: named_system("H900")), ("model", lambda: served_model("DeepSeek-R9")),
    ("engine", lambda: engine("sgling")), ("precision", lambda: served_model("llama-3-8b", "fp3")),
])  # fmt: skip
def test_what_does_not_resolve_is_refused_by_name(what, call):
    with pytest.raises(InputError, match=what):
        call()


def test_the_cache_format_is_what_is_asked_then_the_sources_recipe_then_the_checkpoints():
    """16 bits unless something says otherwise (vLLM and SGLang document `auto` as the model's own format)."""
    assert served_model("DeepSeek-R1", "fp8").kv_format.name == "bf16"
    assert served_model("DeepSeek-R1", "fp8", "fp8").kv_format.bytes < 1.1
    assert served_model("Qwen3-235B-A22B-NVFP4").kv_format.bytes < 1.1  # stated by the checkpoint
    said = {"engine": "vllm", "weights_dtype": "fp8"}
    assert case(measured(**said)).model.kv_format.name == "bf16"
    assert case(measured(**said, source="InferenceX (SemiAnalysis) dump")).model.kv_format.bytes < 1.1
    assert (
        case(measured(**said, source="InferenceX (SemiAnalysis) dump", kv_dtype="bf16")).model.kv_format.name == "bf16"
    )
    assert case(measured(source="InferenceX (SemiAnalysis) dump")).model.kv_format.name == "bf16"  # SGLang's recipes


@pytest.mark.parametrize(("name", "chips"), [
    ("RTX 4090", 1), ("rtx4090", 1), ("GeForce RTX 3090", 1), ("RTX 6000 Ada", 1), ("H200-SXM", 1), ("8xMI355X", 8),
    ("H200x8", 8), ("h200x8", 8), ("4 x H100", 4), ("GB200-NVL72", 1), ("gb200-nvl72", 1), ("8x H200-SXM-141GB", 8),
])  # fmt: skip
def test_chips_that_a_name_states(name, chips):
    assert stated_chips(name) == chips


@pytest.mark.parametrize(
    "image", ["lmsysorg/sglang:v0.5.9-cu130", "nvcr.io/nvidia/tensorrt-llm/release:1.2.0rc2", "rocm/vllm:7.0"]
)
def test_images_name_their_engine(image):
    assert engine(image).profile in ("sglang", "trtllm", "vllm")


@pytest.mark.parametrize("name", ["xeon 8480+", "8480+", "Xeon Platinum 8480+", "xeon 8480", "xeon 8592+"])
def test_a_plus_is_part_of_the_name_or_left_out(name):
    assert named_system(name).chip.name.startswith(("Xeon Platinum 8480+", "Xeon Platinum 8592+"))


@pytest.mark.parametrize("name", ["fp8", "fp8_e4m3", "fp8_e5m2"])
def test_caches_as_engines_spell_them(name):
    assert served_model("llama-3.1-8b", kv=name).kv_format.bytes == 1


def test_the_engine_that_nobody_names_is_the_one_people_run_there():
    used = {on: setting(Request("llama-3.1-8b", on)).engine.name for on in ("h200", "rtx4090", "m4-max", "mi300x")}
    assert used == {"h200": "modern", "rtx4090": "llama.cpp", "m4-max": "llama.cpp", "mi300x": "modern"}
    assert setting(Request("llama-3.1-8b", "rtx4090", engine="vllm")).engine.name == "vllm"
