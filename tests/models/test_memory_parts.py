"""What lies in memory beside plain weights and caches: towers, drafting layers, caches by part, reserved windows and states."""

from __future__ import annotations

import pytest

from headway.models import kv_bytes_per_token, kv_bytes_stored, model, number_format


def test_towers_and_drafting_layers_lie_in_memory_and_not_in_totals():
    """Qwen3.5-27B: 51.7 GiB in 16 bits with the vision tower's 921,460,192 bytes and the MTP layer (vllm recipes, request 810)."""
    arch = model("Qwen/Qwen3.5-27B")
    assert [(t.kind, t.bytes) for t in arch.towers] == [("vision", 921_460_192)]
    assert arch.loaded_bytes == pytest.approx(51.7 * 2**30, rel=2e-3)
    assert arch.loaded_bytes == arch.weight_bytes + arch.mtp_bytes + 921_460_192
    assert arch.loaded(towers=False, mtp=False).loaded_bytes == arch.weight_bytes
    assert arch.loaded(mtp=False).loaded_bytes == arch.weight_bytes + 921_460_192
    assert model("Qwen/Qwen3-VL-32B-Instruct").total_parameters == model("Qwen/Qwen3-32B").total_parameters


@pytest.mark.parametrize(
    ("section", "published"),
    [
        # SigLIP so400m/14 of Gemma 3: 417 M and a projector of 1152 x 2560 (Gemma 3 report, table 1)
        (
            {
                "model_type": "siglip_vision_model",
                "hidden_size": 1152,
                "intermediate_size": 4304,
                "num_hidden_layers": 27,
                "image_size": 896,
                "patch_size": 14,
            },
            417e6,
        ),
        # Qwen2.5-VL: 32 gated layers, "ViT of 675 M parameters" with its merger (Qwen2.5-VL report)
        (
            {
                "model_type": "qwen2_5_vl",
                "depth": 32,
                "hidden_size": 1280,
                "intermediate_size": 3420,
                "patch_size": 14,
                "temporal_patch_size": 2,
                "spatial_merge_size": 2,
                "out_hidden_size": 3584,
            },
            675e6,
        ),
        # CLIP ViT-L/14-336 of LLaVA: 304 M
        (
            {
                "model_type": "clip_vision_model",
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_hidden_layers": 24,
                "image_size": 336,
                "patch_size": 14,
            },
            304e6,
        ),
    ],
)
def test_vision_towers_as_published(section, published):
    from headway.models.towers import towers

    (tower,), notes = towers({"vision_config": section}, 2560, number_format("bf16"))
    assert tower.parameters == pytest.approx(published, rel=0.03)
    assert not notes


def test_positions_of_an_image_lie_in_its_tower():
    from headway.models.towers import towers

    def size(image):
        section = {"model_type": "clip_vision_model", "hidden_size": 1024, "num_hidden_layers": 24, "patch_size": 14}
        ((tower,), _) = towers({"vision_config": section | image}, 2560, number_format("bf16"))
        return tower.parameters

    assert size({"image_size": 336}) - size({}) == 24 * 24 * 1024


def test_an_audio_tower_as_published():
    """Whisper large v3's encoder: 637 M (Radford et al. 2022, table 1: 32 layers of 1,280); it names its width d_model."""
    from headway.models.towers import towers

    section = {"model_type": "whisper", "encoder_layers": 32, "d_model": 1280, "encoder_ffn_dim": 5120}
    (tower,), notes = towers({"audio_config": section}, 1280, number_format("bf16"))
    assert (tower.kind, notes) == ("audio", [])
    assert tower.parameters == pytest.approx(637e6, rel=0.02)


def test_a_tower_without_sizes_is_said():
    from headway.models.towers import towers

    found, notes = towers({"vision_config": {"model_type": "x"}}, 1024, number_format("bf16"))
    assert not found
    assert "vision tower is not counted" in notes[0]


@pytest.mark.parametrize(
    ("name", "cache", "per_token"),
    [
        # GLM-5.2: 78 layers of 512 + 16 + 128 and 21 index keys of 132 (two observers: 54,728 and 54,743 with the MTP layer's 788)
        ("zai-org/GLM-5.2-FP8", "fp8", 53_940),
        ("zai-org/GLM-5.2-FP8", "bf16", 78 * 1152 + 21 * 132),
        # DeepSeek-V3: plain MLA keeps 576 one-byte values under one scale
        ("deepseek-v3", "fp8", 61 * 576),
        ("deepseek-v3", "bf16", 61 * 1152),
    ],
)
def test_caches_of_latent_attention(name, cache, per_token):
    assert kv_bytes_per_token(model(name, kv_precision=cache), 100_000.0) == pytest.approx(per_token)


def test_compressed_attention_reserves_windows_and_states_for_a_pass():
    """DeepSeek-V4-Flash: 584 bytes an entry; compressors keep 32-bit inputs, 2.8e9 bytes a sequence at 8,192 tokens a pass."""
    arch = model("deepseek-v4-flash", kv_precision="fp8")
    entry = {a.entry_bytes for _, a in arch.attends() if not a.index}
    assert entry == {584.0}
    steady = kv_bytes_stored(arch, 1e6) - 1e6 * kv_bytes_per_token(arch, 1e6)
    assert steady < 2e7
    aside = sum(n * a.reserved_bytes(2.0**20, 8192.0) for n, a in arch.attends())
    assert aside - 2**20 * kv_bytes_per_token(arch, 1e6) == pytest.approx(2.8e9, rel=0.1)
