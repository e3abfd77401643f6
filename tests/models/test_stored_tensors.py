"""A model folder's safetensors files: bytes per tensor as stored overrule what the config lets one guess."""

from __future__ import annotations

import json
import struct

import pytest

from cases import TINY_LLAMA
from headway.errors import InputError
from headway.models import model

_BYTES = {"BF16": 2, "F32": 4, "F8_E4M3": 1, "U8": 1, "I32": 4, "F16": 2}


def _file(path, tensors):
    """A real safetensors file: header and zeros."""
    header, at = {}, 0
    for name, (kind, shape) in tensors.items():
        size = _BYTES[kind]
        for n in shape:
            size *= n
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(at))
    return at


def _layer(i, kind="BF16", prefix="model."):
    base = f"{prefix}layers.{i}."
    shapes = {
        "self_attn.q_proj": (64, 64),
        "self_attn.k_proj": (32, 64),
        "self_attn.v_proj": (32, 64),
        "self_attn.o_proj": (64, 64),
        "mlp.gate_proj": (128, 64),
        "mlp.up_proj": (128, 64),
        "mlp.down_proj": (64, 128),
    }
    found = {f"{base}{name}.weight": (kind, shape) for name, shape in shapes.items()}
    return found | {f"{base}{n}.weight": ("BF16", (64,)) for n in ("input_layernorm", "post_attention_layernorm")}


ENDS = {
    "model.embed_tokens.weight": ("BF16", (256, 64)),
    "model.norm.weight": ("BF16", (64,)),
    "lm_head.weight": ("BF16", (256, 64)),
}


def _folder(tmp_path, config=TINY_LLAMA):
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def test_plain_files_change_nothing(tmp_path):
    folder = _folder(tmp_path)
    bare = model(str(folder))
    size = _file(folder / "model.safetensors", {**ENDS, **_layer(0), **_layer(1)})
    found = model(str(folder))
    assert found.loaded_bytes == bare.loaded_bytes == size
    assert found.notes == bare.notes


def test_what_is_stored_overrules_the_config(tmp_path):
    """Layer 1 in FP8 with a scale, layer 0 in 16 bits, and a head in FP8: no config says so here."""
    folder = _folder(tmp_path)
    scales = {f"model.layers.1.{n}.weight_scale": ("F32", (128,)) for n in ("mlp.up_proj", "mlp.gate_proj")}
    parts = {**ENDS, "lm_head.weight": ("F8_E4M3", (256, 64)), **_layer(0), **_layer(1, "F8_E4M3"), **scales}
    half = dict(list(parts.items())[:9])
    rest = {k: v for k, v in parts.items() if k not in half}
    size = _file(folder / "model-00001-of-00002.safetensors", half) + _file(
        folder / "model-00002-of-00002.safetensors", rest
    )
    where = {k: "model-00001-of-00002.safetensors" if k in half else "model-00002-of-00002.safetensors" for k in parts}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": size}, "weight_map": where})
    )
    found = model(str(folder))
    assert found.loaded_bytes == size
    (up,) = (m for m in found.layers[1].linears if m.path == "mlp.up_proj")
    assert up.bytes == 128 * 64 + 4 * 128
    assert found.head.bytes == 256 * 64
    assert up.format.chain == ("bf16",)  # what multiplies them is what the config says


def test_packed_experts_fused_projections_and_towers(tmp_path):
    config = {
        **TINY_LLAMA,
        "model_type": "mixtral",
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "num_hidden_layers": 1,
        "vision_config": {"depth": 1, "hidden_size": 8},
    }
    folder = _folder(tmp_path, config)
    base = "model.layers.0."
    tensors = {
        **ENDS,
        f"{base}self_attn.qkv_proj.weight": ("BF16", (128, 64)),
        f"{base}self_attn.o_proj.weight": ("BF16", (64, 64)),
        f"{base}mlp.gate.weight": ("BF16", (4, 64)),
        f"{base}input_layernorm.weight": ("BF16", (64,)),
        f"{base}post_attention_layernorm.weight": ("BF16", (64,)),
        "visual.blocks.0.attn.weight": ("BF16", (100,)),
        **{
            f"{base}mlp.experts.{e}.{n}.weight_packed": ("U8", (64, 64))
            for e in range(4)
            for n in ("gate_proj", "up_proj", "down_proj")
        },
        **{
            f"{base}mlp.experts.{e}.{n}.weight_scale": ("F8_E4M3", (512,))
            for e in range(4)
            for n in ("gate_proj", "up_proj", "down_proj")
        },
    }
    size = _file(folder / "model.safetensors", tensors)
    found = model(str(folder))
    assert found.loaded_bytes == pytest.approx(size)
    assert [(t.kind, t.bytes) for t in found.towers] == [("vision", 200)]
    expert = next(m for m in found.layers[0].linears if m.role == "expert")
    assert expert.bytes == 4 * (64 * 64 + 512)
    assert found.layers[0].linears[0].bytes == 64 * 64 * 2


def test_an_index_without_its_files_overrules_the_count(tmp_path):
    """Its total is all that is known: the layers' matrices take up what is left; one that cannot be is only told."""
    bare = model(str(_folder(tmp_path)))
    layers = sum(x.count * m.bytes for x in bare.layers for m in x.linears)

    def indexed(total):
        folder = tmp_path / f"{total:.0f}"
        folder.mkdir()
        _folder(folder)
        listed = {
            "metadata": {"total_size": total},
            "weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"},
        }
        (folder / "model.safetensors.index.json").write_text(json.dumps(listed))
        return model(str(folder))

    half = indexed(bare.loaded_bytes - layers / 2)
    assert half.loaded_bytes == pytest.approx(bare.loaded_bytes - layers / 2)
    assert half.embedding.bytes == bare.embedding.bytes
    assert any("0.5 times as wide" in n for n in half.notes)
    assert indexed(bare.loaded_bytes).notes == bare.notes
    absurd = indexed(bare.loaded_bytes * 50)
    assert absurd.loaded_bytes == bare.loaded_bytes
    assert any("its files hold" in n for n in absurd.notes)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 20, struct.pack("<Q", 10**12), struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 8) + b'{"a": 1}'],
)
def test_a_broken_file_is_one_line(tmp_path, content):
    folder = _folder(tmp_path)
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="not a readable safetensors file"):
        model(str(folder))


def test_a_broken_index_is_one_line(tmp_path):
    folder = _folder(tmp_path)
    (folder / "model.safetensors.index.json").write_text("[1")
    with pytest.raises(InputError, match="not a readable index"):
        model(str(folder))
