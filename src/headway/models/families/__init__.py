"""Readers of config.json, one file per family of architectures; `READERS` maps model_type to its reader."""

from __future__ import annotations

from collections.abc import Callable

from headway.models.families import classic, decoder, deepseek, gemma, hybrid, nas, sparse
from headway.models.families.common import Draft
from headway.models.keys import Keys

Reader = Callable[[Keys], Draft]

READERS: dict[str, Reader] = {
    **dict.fromkeys(("llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe", "mimo", "phi3"), decoder.read),
    **dict.fromkeys(
        ("qwen3_vl_text", "qwen3_vl_moe_text", "qwen2_moe", "glm4_moe", "ministral", "olmo2"), decoder.read
    ),
    "gpt_oss": decoder.read_gpt_oss,
    "minimax_m2": decoder.read_minimax_m2,
    "llama4_text": decoder.read_llama4,
    "step3p7": sparse.read_step3p7,
    "mimo_v2_flash": sparse.read_mimo_v2_flash,
    "minimax_m3": sparse.read_minimax_m3,
    "deepseek_v2": deepseek.read,
    "deepseek_v3": deepseek.read,
    "deepseek_v32": deepseek.read,
    "kimi_k2": deepseek.read,
    "glm_moe_dsa": deepseek.read,
    "deepseek_v4": deepseek.read_v4,
    "deepseek_ref": deepseek.read_v4,
    "gemma2": gemma.read,
    "gemma3_text": gemma.read,
    "gemma4_text": gemma.read_gemma4,
    "qwen3_next": hybrid.read_qwen,
    "qwen3_5_text": hybrid.read_qwen,
    "qwen3_5_moe_text": hybrid.read_qwen,
    "nemotron_h": hybrid.read_nemotron_h,
    "kimi_linear": hybrid.read_kimi_linear,
    "nemotron-nas": nas.read,
    "gpt2": classic.read_gpt2,
    "gptj": classic.read_gptj,
    "opt": classic.read_opt,
    "falcon": classic.read_falcon,
    "mpt": classic.read_mpt,
    "bloom": classic.read_bloom,
    "palm": classic.read_palm,
}
