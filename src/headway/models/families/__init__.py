"""Readers of config.json, one file per family of architectures; `READERS` maps model_type to its reader."""

from __future__ import annotations

from collections.abc import Callable

from headway.models.families import classic, decoder, deepseek, gemma, hybrid, kin, mixtures, nas, recurrent, sparse
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
    **dict.fromkeys(kin.KIN, kin.read),
    "mistral3": decoder.read,
    "ministral3": decoder.read,
    "mistral4": deepseek.read_mistral4,
    "chatglm": kin.read_chatglm,
    "openelm": kin.read_openelm,
    "qwen": kin.read_qwen1,
    "exaone": kin.read_exaone,
    "gpt_bigcode": kin.read_gpt_bigcode,
    "dbrx": mixtures.read_dbrx,
    "grok-1": mixtures.read_grok1,
    "grok1": mixtures.read_grok1,
    "git": mixtures.read_grok2,
    "arctic": mixtures.read_arctic,
    "phimoe": mixtures.read_phimoe,
    "granitemoe": mixtures.read_granitemoe,
    "granitemoeshared": mixtures.read_granitemoe,
    "olmoe": mixtures.read_olmoe,
    **dict.fromkeys(("dots1", "bailing_moe", "bailing_moe_v2", "deepseek"), mixtures.read_fine),
    "ernie4_5_moe": mixtures.read_ernie,
    **dict.fromkeys(("hunyuan_v1_moe", "hunyuan"), mixtures.read_hunyuan),
    "glm4_moe_lite": deepseek.read,
    "minicpm3": deepseek.read_dense,
    "falcon_h1": recurrent.read_falcon_h1,
    "jamba": recurrent.read_jamba,
    "granitemoehybrid": recurrent.read_granite_hybrid,
    **dict.fromkeys(("mamba", "falcon_mamba"), recurrent.read_mamba),
    "mamba2": recurrent.read_mamba2,
    "rwkv7": recurrent.read_rwkv7,
    **dict.fromkeys(("minimax", "minimax_text_01", "minimax_m1"), recurrent.read_minimax_01),
    **dict.fromkeys(("lfm2", "lfm2_moe"), recurrent.read_lfm2),
    "gemma3n_text": gemma.read_gemma3n,
}

# Architectures that are no decoders, and what they are: refused by name, not as unknown.
REFUSED: dict[str, str] = {
    **dict.fromkeys(("t5", "mt5", "umt5", "bart", "mbart", "pegasus", "longt5", "switch_transformers", "m2m_100", "nllb_moe", "led",
                     "blenderbot", "t5gemma", "whisper", "marian"), "an encoder-decoder"),
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "deberta-v2", "electra", "modernbert", "distilbert", "albert", "nomic_bert"),
                    "an encoder"),
    **dict.fromkeys(("clip", "siglip", "vit", "dinov2", "sam"), "a vision encoder"),
    **dict.fromkeys(("mllama", "mllama_text_model"), "a decoder that attends to another model's states"),
}  # fmt: skip
