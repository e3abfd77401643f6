"""Families of published models: parameters counted from their configs, against what publishers and checkpoints say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headway.catalog import SHIPPED
from headway.errors import InputError
from headway.models import build, kv_bytes_per_token, kv_bytes_stored, state_bytes
from headway.models.config import stated_precision
from headway.models.precision import uniform


def arch(**config):
    return build(config, "x", uniform("bf16"), where="c")


def spine(hidden, layers, heads, kv, inner, vocabulary, **more):
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "intermediate_size": inner,
        "vocab_size": vocabulary,
        **more,
    }


# Configs as published (sizes only), with the parameters that publishers or checkpoints on the hub state.
ROWS = json.loads((Path(__file__).parent / "families.json").read_text())
CONFIGS = {row["name"]: row["config"] for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_published_parameters(row):
    found, active = arch(**row["config"]), row["active_billions"]
    assert found.total_parameters / 1e9 == pytest.approx(row["total_billions"], rel=0.01)
    if active:
        assert found.active_parameters / 1e9 == pytest.approx(
            active, rel=0.06
        )  # publishers round, and count embeddings or not


def test_falcon_h1_keeps_a_cache_and_a_state_in_every_layer():
    """1.5B at 32,768 tokens: 768.00 MiB of 16-bit cache and 72.98 MiB of 32-bit state; 34B: 288.00 + 4.22 (public logs)."""
    small = build(CONFIGS["Falcon-H1-1.5B"], "x", uniform("q8_0"), where="c")
    assert kv_bytes_per_token(small, 1000.0) * 32_768 == 768 * 2**20
    assert state_bytes(small) / 2**20 == pytest.approx(72.98, abs=0.01)
    big = build(CONFIGS["Falcon-H1-34B"], "x", uniform("q8_0"), where="c")
    assert state_bytes(big) / 2**20 == pytest.approx(292.22, abs=0.01)
    assert 2 * kv_bytes_per_token(big, 1000.0) * 4096 == 1152 * 2**20


@pytest.mark.parametrize(
    ("name", "per_token"),
    [
        ("dbrx", 163_840),
        ("c4ai-command-r7b-12-2024", 2 * 8 * 128 * 2 * 8),
        ("GLM-4.7-Flash", 47 * 576 * 2),
        ("Jamba-v0.1", 4 * 2 * 8 * 128 * 2),
        ("MiniMax-Text-01", 10 * 2 * 8 * 128 * 2),
        ("gemma-3n-E4B", 4 * 2 * 2 * 256 * 2),
        ("OpenELM-3B", 2 * 128 * 2 * (27 + 40 + 50 + 42)),
        ("RWKV7-Goose-1.5B", 0),
        ("Falcon-H1-34B", 72 * 2 * 4 * 128 * 2),
        ("LFM2-1.2B", 6 * 2 * 8 * 64 * 2),
    ],
)
def test_growth_of_the_cache(name, per_token):
    """Bytes per further token of a long context: windows are full, recurrent layers keep nothing, shared caches count once."""
    assert kv_bytes_per_token(arch(**CONFIGS[name]), 200_000.0) == pytest.approx(per_token)


def test_states_of_recurrent_layers():
    rwkv = arch(**CONFIGS["RWKV7-Goose-1.5B"])
    assert state_bytes(rwkv) == 24 * (2048 * 64 * 4 + 2 * 2048 * 2)
    lightning = arch(**CONFIGS["MiniMax-Text-01"])
    assert state_bytes(lightning) == 70 * 64 * 128 * 128 * 4
    mamba = arch(**CONFIGS["mamba-2.8b"])
    assert state_bytes(mamba) == 64 * (5120 * 16 * 4 + 3 * 5120 * 2)
    assert kv_bytes_stored(mamba, 1e6) == state_bytes(mamba)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("t5", "is an encoder-decoder"),
        ("bart", "is an encoder-decoder"),
        ("bert", "is an encoder;"),
        ("mllama", "another model's states"),
        ("lama", "did you mean llama"),
    ],
)
def test_what_is_no_decoder_is_refused_as_such(kind, says):
    with pytest.raises(InputError, match=says):
        arch(model_type=kind, hidden_size=64)


def test_an_empty_list_is_unset_and_settings_of_the_runtime_pass():
    plain = spine(64, 4, 4, 2, 128, 1000)
    more = {
        "layer_types": [],
        "_attn_implementation_autoset": True,
        "cache_implementation": "hybrid",
        "no_rope_layers": [],
    }
    assert (
        arch(model_type="qwen3", **plain, **{k: more[k] for k in ("layer_types", "cache_implementation")}).layers
        == arch(model_type="qwen3", **plain).layers
    )
    assert (
        arch(model_type="smollm3", **plain, **more).total_parameters
        == arch(model_type="smollm3", **plain).total_parameters
    )


def test_a_minimal_gemma_3_takes_the_reference_librarys_defaults():
    """google/gemma-3-4b-it states five sizes; the rest are Gemma3TextConfig's: 3.88 B parameters of language model."""
    text = {
        "model_type": "gemma3_text",
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "num_hidden_layers": 34,
        "sliding_window": 1024,
    }
    found = arch(model_type="gemma3", text_config=text)
    assert found.total_parameters / 1e9 == pytest.approx(3.88, rel=0.005)
    assert sum(x.count for x in found.layers if x.attends[0].reach.kind == "window") == 29


def test_an_unknown_type_can_be_read_as_a_known_one():
    plain = spine(64, 4, 4, 2, 128, 1000)
    found = build({"model_type": "newest", **plain, "odd_key": 3}, "x", uniform("bf16"), where="c", family="llama")
    assert found.total_parameters == arch(model_type="llama", **plain).total_parameters
    assert any("read as llama" in n and "odd_key" in n for n in found.notes)
    with pytest.raises(InputError, match="--as"):
        arch(model_type="newest", **plain)


MPT = {"model_type": "mpt", "d_model": 64, "n_layers": 2, "n_heads": 4, "vocab_size": 100, "max_seq_len": 128}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"learned_pos_embb": False}, "learned_pos_embb"),  # falsy, and its default is another
        ({"attn_config": {"alibbi": True}}, "attn_config.alibbi"),
        ({"attn_config": {"kv_n_headz": 2}}, "attn_config.kv_n_headz"),
        ({"ffn_config": {"ffn_typo": "mptmlp"}}, "ffn_config.ffn_typo"),
        ({"on_bias": False}, "on_bias"),  # of no_bias: the first two letters changed places
    ],
)
def test_misspelt_keys_are_found_wherever_they_lie(change, says):
    with pytest.raises(InputError, match=says):
        arch(**MPT, **change)


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("hiden_size", "hidden_size"),
        ("depht", "depth"),
        ("patch_sise", "patch_size"),
        ("deepstack_visual_indexs", "deepstack_visual_indexes"),
        ("aptch_size", "patch_size"),
        ("xhidden_size", "hidden_size"),
    ],
)
def test_misspelt_keys_of_a_tower_are_found(key, near):
    tower = {"depth": 2, "hidden_size": 64, "patch_size": 14, "deepstack_visual_indexes": [1], "spatial_merge_size": 2}
    section = {key if k == near else k: v for k, v in tower.items()}
    with pytest.raises(InputError, match=f"unknown key '{key}'; did you mean '{near}'"):
        arch(model_type="llama", **spine(64, 2, 4, 2, 128, 100), vision_config=section)


def test_long_values_are_cut_in_the_one_line():
    """A list of ten thousand where a number should be is quoted in 80 characters."""
    config = json.loads((SHIPPED / "models" / "nvidia--Gemma-4-26B-A4B-NVFP4.json").read_text())
    config["text_config"]["hidden_size_per_layer_input"] = [0] * 10_001
    with pytest.raises(InputError) as refused:
        build(config, "x", stated_precision(config, "c"), where="c")
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("SmolLM3-3B", {"is_llama_config": True}),
        ("phi-4", {"full_attn_mod": 1, "interpolate_factor": 1}),
        ("RWKV7-Goose-1.5B", {"hidden_act": "sqrelu"}),
        ("LFM2-1.2B", {"model_max_length": 1048576}),
        ("gemma-3n-E2B", {"audio_soft_tokens_per_image": 188}),
        ("grok-2", {"global_attn_every_n": 1}),
        ("pythia-6.9b", {"neftune_noise_alpha": 5, "tokenizer_model_max_length": 4096, "max_sequence_length": 4096}),
    ],
)
def test_keys_of_public_configs_that_change_nothing_pass(name, more):
    assert arch(**CONFIGS[name], **more).total_parameters == arch(**CONFIGS[name]).total_parameters


def test_states_in_sixteen_bits_where_an_engine_keeps_them_so():
    """Mamba and delta-rule states follow the model's format in vLLM (mamba_ssm_cache_dtype auto); what a config states stays."""
    granite = arch(**CONFIGS["granite-4.0-h-tiny"])
    assert state_bytes(granite.narrow_states()) == pytest.approx(
        sum(x.count * 2 * (x.state.elements + x.state.conv_elements) for x in granite.layers if x.state)
    )
    lightning = arch(**CONFIGS["MiniMax-Text-01"])
    assert lightning.narrow_states() == lightning


def test_mistral_4_has_latent_attention():
    """36 layers, a latent of 256 + 64: 46,080 bytes per token in 16 bits, not 32 heads of 128."""
    found = arch(
        model_type="mistral4", hidden_size=4096, num_hidden_layers=36, num_attention_heads=32, num_key_value_heads=32, vocab_size=131072,
        intermediate_size=12288, moe_intermediate_size=2048, n_routed_experts=128, num_experts_per_tok=4, n_shared_experts=1,
        kv_lora_rank=256, q_lora_rank=1024, qk_nope_head_dim=64, qk_rope_head_dim=64, v_head_dim=128, first_k_dense_replace=0,
    )  # fmt: skip
    assert kv_bytes_per_token(found, 100_000.0) == 36 * (256 + 64) * 2
    assert found.experts.count == 128
