"""GGUF: llama.cpp's mixtures by tensor, and files as they stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headway.errors import InputError
from headway.models import build, kv_bytes_per_token, model, number_format, state_bytes
from headway.models.gguf_mixtures import Mixture, Shape
from headway.models.precision import uniform

GIB = 2**30


# Sizes of files that people report: ollama issues 9245 and 9362, llama.cpp issue 14235, ollama pull request 6279; of
# Meta-Llama-3.1-8B the table of llama.cpp's quantize README, in bytes.
@pytest.mark.parametrize(
    ("name", "mixture", "size"),
    [
        ("qwen3-30b-a3b", "q4_k_m", 17.28 * GIB),
        ("llama-3.1-70b", "q4_0", 37.22 * GIB),
        ("llama-3.1-8b", "q4_k_m", 4.92e9),
        ("llama-3.1-8b", "q8_0", 8.54e9),
        ("llama-3.1-8b", "q6_k", 6.60e9),
        ("llama-3.1-8b", "q3_k_m", 4.02e9),
        ("llama-3.1-8b", "q2_k", 3.18e9),
        ("llama-3.1-8b", "iq4_xs", 4.45e9),
        ("llama-3.1-8b", "iq2_m", 2.95e9),
        ("llama-3.1-8b", "q5_k_m", 5.73e9),
        ("llama-3.1-8b", "q4_k_s", 4.69e9),
    ],
)
def test_a_mixture_weighs_what_its_file_does(name, mixture, size):
    assert model(name, precision=mixture).weight_bytes == pytest.approx(size, rel=0.006)


def test_blocks_are_what_the_gguf_package_says():
    from gguf import GGML_QUANT_SIZES

    for kind, (block, size) in GGML_QUANT_SIZES.items():
        name = kind.name.lower()
        try:
            found = number_format(name if name[-2:] in ("_0", "_1") and name[0] == "q" else f"{name}-block")
        except InputError:
            continue
        assert found.block == block
        assert found.bytes * block == pytest.approx(size, rel=1e-6), kind.name


def test_head_and_embedding_are_quantised_too():
    arch = model("llama-3.1-8b", precision="q4_k_m")
    assert (arch.head.format.name, arch.embedding.format.name) == ("q6_k-block", "q4_k-block")
    assert model("qwen3-0.6b", precision="q4_k_m").embedding.format.name == "q6_k-block"  # tied: it is the head as well


def test_more_bits_lie_in_the_first_eighth_the_last_and_every_third_layer():
    of = Mixture("q4_k_m", Shape(32, 0, 4.0, False, "llama")).of
    wide = [i for i in range(32) if of(f"layers.{i}.mlp.down_proj", "dense", 14336).name == "q6_k-block"]
    assert wide == [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]
    assert of("layers.5.mlp.down_proj", "dense", 14336).name == "q4_k-block"
    assert of("layers.5.mlp.down_proj", "dense", 14336 + 32).name == "q5_0"  # rows that blocks of 256 do not divide
    assert of("layers.5.mlp.down_proj", "dense", 100).name == "fp16"
    assert of("layers.0.mlp.gate", "router", 4096).name == "fp32"


def test_eight_experts_keep_their_attention_in_eight_bits():
    of = Mixture("q4_k_m", Shape(32, 8, 4.0, False, "mixtral")).of
    kinds = {leaf: of(f"layers.5.self_attn.{leaf}", "attention", 4096).name for leaf in ("k_proj", "v_proj", "o_proj")}
    assert kinds == {"k_proj": "q8_0", "v_proj": "q8_0", "o_proj": "q5_k-block"}


def test_caches_in_gguf_blocks():
    """q8_0: 34 bytes per 32 values; q4_0: 18."""
    wide = kv_bytes_per_token(model("llama-3.1-8b"), 1000.0)
    assert kv_bytes_per_token(model("llama-3.1-8b", kv_precision="q8_0"), 1000.0) / wide == pytest.approx(34 / 64)
    assert kv_bytes_per_token(model("llama-3.1-8b", kv_precision="q4_0"), 1000.0) / wide == pytest.approx(18 / 64)


def _written(path, arch, facts, tensors):
    """A small real GGUF file: every tensor of zeros in its own type."""
    from gguf import GGMLQuantizationType, GGUFWriter, quant_shape_to_byte_shape

    writer = GGUFWriter(path, arch)
    for name, value in facts.items():
        if isinstance(value, list):
            writer.add_array(f"{arch}.{name}", value)
        else:
            writer.add_uint32(f"{arch}.{name}", value)
    size = 0
    for name, shape, kind in tensors:  # shapes as NumPy has them: rows first
        if kind == "F32":
            data = np.zeros(shape, np.float32)
            writer.add_tensor(name, data)
        else:
            data = np.zeros(quant_shape_to_byte_shape(shape, GGMLQuantizationType[kind]), np.uint8)
            writer.add_tensor(name, data, raw_dtype=GGMLQuantizationType[kind])
        size += data.nbytes
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return size


DENSE = {
    "block_count": 2,
    "embedding_length": 256,
    "attention.head_count": 4,
    "attention.head_count_kv": 2,
    "attention.key_length": 64,
    "attention.value_length": 64,
    "feed_forward_length": 512,
    "context_length": 4096,
}


def _dense_layer(i):
    return [
        (f"blk.{i}.attn_norm.weight", (256,), "F32"),
        (f"blk.{i}.attn_q.weight", (256, 256), "Q4_K"),
        (f"blk.{i}.attn_k.weight", (128, 256), "Q4_K"),
        (f"blk.{i}.attn_v.weight", (128, 256), "Q6_K"),
        (f"blk.{i}.attn_output.weight", (256, 256), "Q4_K"),
        (f"blk.{i}.ffn_norm.weight", (256,), "F32"),
        (f"blk.{i}.ffn_gate.weight", (512, 256), "Q4_K"),
        (f"blk.{i}.ffn_up.weight", (512, 256), "Q4_K"),
        (f"blk.{i}.ffn_down.weight", (256, 512), "Q6_K"),
    ]


ENDS = [
    ("token_embd.weight", (1024, 256), "Q4_K"),
    ("output_norm.weight", (256,), "F32"),
    ("output.weight", (1024, 256), "Q6_K"),
]


def test_a_file_is_counted_to_the_byte(tmp_path):
    file = tmp_path / "small-Q4_K_M.gguf"
    size = _written(file, "llama", DENSE, [*ENDS, *_dense_layer(0), *_dense_layer(1)])
    arch = model(str(file))
    assert arch.weight_bytes == pytest.approx(size, rel=1e-9)
    assert arch.total_parameters == 2 * (2 * 65536 + 2 * 32768 + 3 * 131072 + 512) + 2 * 262144 + 256
    assert kv_bytes_per_token(arch, 100.0) == 2 * 2 * 128 * 2
    assert (arch.layer_count, arch.max_context, arch.tied) == (2, 4096, False)
    assert (arch.hidden, arch.vocabulary) == (256, 1024)
    assert model(str(tmp_path)).weight_bytes == arch.weight_bytes  # the only GGUF file of a folder


def test_experts_windows_and_state_of_a_file(tmp_path):
    moe = [
        *[t for t in _dense_layer(0) if "ffn_" not in t[0]],
        ("blk.0.ffn_norm.weight", (256,), "F32"),
        ("blk.0.ffn_gate_inp.weight", (8, 256), "F32"),
        ("blk.0.ffn_gate_exps.weight", (8, 256, 256), "Q4_K"),
        ("blk.0.ffn_up_exps.weight", (8, 256, 256), "Q4_K"),
        ("blk.0.ffn_down_exps.weight", (8, 256, 256), "Q4_K"),
        ("blk.1.attn_norm.weight", (256,), "F32"),
        ("blk.1.ssm_in.weight", (1152, 256), "Q8_0"),
        ("blk.1.ssm_conv1d.weight", (640, 4), "F32"),
        ("blk.1.ssm_out.weight", (256, 512), "Q8_0"),
    ]
    facts = {
        **DENSE,
        "expert_count": 8,
        "expert_used_count": 2,
        "attention.sliding_window": 128,
        "ssm.conv_kernel": 4,
        "ssm.inner_size": 512,
        "ssm.state_size": 64,
        "ssm.group_count": 1,
        "ssm.time_step_rank": 8,
    }
    file = tmp_path / "hybrid.gguf"
    size = _written(file, "nemotron_h", facts, [*ENDS[:2], *moe])
    arch = model(str(file), kv_precision="q8_0")
    assert arch.weight_bytes == pytest.approx(size, rel=1e-9)
    assert (arch.experts.count, arch.experts.active, arch.tied) == (8, 2, True)
    routed = {x.path for layer in arch.layers for x in layer.linears if x.role == "expert"}
    assert routed == {"mlp.experts.gate_proj", "mlp.experts.up_proj", "mlp.experts.down_proj"}
    assert arch.layers[0].attends[0].reach.width == 128
    assert arch.layers[0].attends[0].stored_bytes(1e6) == 128 * 256 * 34 / 32
    assert state_bytes(arch) == 4 * (512 * 64 + 3 * (512 + 2 * 64))


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "not a readable GGUF"), (b"GGUFxxxx", "not a readable GGUF"), (b"PK" * 50, "not a readable")],
)
def test_a_broken_file_is_one_line(tmp_path, content, says):
    file = tmp_path / "x.gguf"
    file.write_bytes(content)
    with pytest.raises(InputError, match=says):
        model(str(file))


def test_a_file_that_is_no_decoder_and_a_precision_that_cannot_change_it(tmp_path):
    file = tmp_path / "clip.gguf"
    _written(file, "clip", {"x": 1}, [("v.patch_embd.weight", (256, 256), "F32")])
    with pytest.raises(InputError, match="'clip' is no decoder"):
        model(str(file))
    _written(file, "llama", DENSE, [*ENDS, *_dense_layer(0), *_dense_layer(1)])
    with pytest.raises(InputError, match="cannot change it"):
        model(str(file), precision="fp8")


def test_a_split_file_needs_all_its_parts(tmp_path):
    file = tmp_path / "big-00001-of-00003.gguf"
    file.write_bytes(b"")
    with pytest.raises(InputError, match="2 of 3 parts are missing"):
        model(str(file))


def test_per_layer_embeddings_are_quantised_as_the_embedding_is():
    """Gemma 3n E2B: 4.46 billion parameters in 8.5 bits, the table of per-layer embeddings (2.0 billion) among them."""
    import json

    rows = json.loads((Path(__file__).parent / "families.json").read_text())
    config = next(
        r["config"] for r in (rows["families"] if isinstance(rows, dict) else rows) if r["name"] == "gemma-3n-E2B"
    )
    found = build(config, "g", uniform("q8_0"), where="c")
    assert found.total_parameters == pytest.approx(4.46e9, rel=0.01)
    assert found.weight_bytes == pytest.approx(found.total_parameters * 8.5 / 8, rel=0.02)
