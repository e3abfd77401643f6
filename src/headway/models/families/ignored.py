"""Keys of single families that change no size, no count and no cost: scalings, scheduling of experts in training, vision beside."""

from __future__ import annotations

IGNORED: dict[str, tuple[str, ...]] = {
    "scalings": (
        "attn_output_multiplier", "embedding_multiplier_scale", "output_multiplier_scale", "max_attn_value",
        "attn_logit_softcapping", "router_logit_softcapping", "attn_temperature_len", "rope_type",
        "extrapolation_factor", "attn_factor", "beta_fast", "beta_slow", "scaling_factor",
    ),
    "arctic": (
        "enable_expert_tensor_parallelism", "moe_eval_capacity_factor", "moe_min_capacity",
        "moe_token_dropping", "moe_train_capacity_factor", "enc_index", "quantization", "sliding_window",
    ),
    "fine": (
        "use_bias", "use_rmsnorm", "norm_head", "norm_softmax", "multi_gate", "output_dropout", "rope_theta",
        "score_function", "moe_router_enable_expert_bias", "routed_scaling_factor", "sliding_window",
        "max_window_layers", "use_sliding_window", "layer_types", "num_expert_group", "topk_group",
        "mtp_loss_scaling_factor", "router_dtype", "using_split_qkv_in_self_attention", "partial_rotary_factor",
        "ep_size", "seq_aux", "norm_topk_prob", "topk_method", "scoring_func",
    ),
    "ernie": (
        "moe_capacity", "moe_gate", "moe_use_aux_free", "moe_norm_min", "moe_norm_gate_logits",
        "moe_dense_experts_token_type_id", "fuse_rope", "num_nextn_predict_layers", "max_sequence_length",
        "sinkhorn_2gate", "sinkhorn_temp", "moe_use_hard_gate", "moe_group",
        "moe_multimodal_dispatch_use_allgather", "enable_delay_scale_loss", "weight_share_add_bias",
        "compression_ratio",
    ),
    "hunyuan": (
        "moe_drop_tokens", "moe_layer_num_skipped", "moe_random_routing_dropped_token", "capacity_factor",
        "use_cla", "cla_share_factor", "norm_type", "org_vocab_size", "eod_token_id", "im_end_id",
        "im_newline_id", "im_start_id", "mask_init_id", "text_end_id", "text_start_id", "pad_id", "pool_type",
        "position_embedding_xdrope", "class_num", "anyres_pooling_size", "anyres_vit_max_image_size",
        "anyres_vit_two_views", "add_classification_head", "dense_list", "enable_lm_head_fp32",
        "group_limited_greedy", "kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim",
        "v_head_dim", "use_mla", "routed_scaling_factor", "skip_cls_token", "vit_add_patchemb_bias",
        "vit_input_resolution", "vit_mapping_type", "vit_norm_type", "vit_patch", "vit_path",
        "vit_remove_prenorm", "vit_token", "vit_type", "vit_used_rms_norm", "xdrope_section",
        "num_media_embeds", "max_position_embeddings", "unified_position", "moe_head_dim", "norm_topk_prob",
        "n_group", "topk_group", "video_end_id", "video_start_id",
    ),
    "falcon_h1": (
        "mamba_expand", "mamba_chunk_size", "mamba_norm_before_gate", "mamba_use_mlp", "projectors_bias",
        "mlp_expansion_factor", "attention_in_multiplier", "attention_out_multiplier", "embedding_multiplier",
        "key_multiplier", "lm_head_multiplier", "mlp_multipliers", "ssm_in_multiplier", "ssm_multipliers",
        "ssm_out_multiplier", "attn_layer_indices", "sliding_window", "time_step_rank", "rope_traditional",
    ),
    "granite_hybrid": (
        "mamba_expand", "mamba_chunk_size", "embedding_multiplier", "logits_scaling", "residual_multiplier",
        "attention_multiplier", "position_embedding_type", "normalization_function", "init_method",
        "shared_intermediate_size", "intermediate_size",
    ),
    "mamba": (
        "expand", "time_step_init_scheme", "time_step_scale", "mixer_rms_eps", "use_mambapy",
        "use_falcon_mambapy", "use_associative_scan", "ssm_cfg", "rms_norm", "fused_add_norm",
        "pad_vocab_size_multiple", "residual_in_fp32", "d_inner", "intermediate_size",
    ),
    "mamba2": (
        "expand", "chunk_size", "rms_norm", "norm_before_gate", "residual_in_fp32", "time_step_scale",
    ),
    "rwkv7": (
        "attn", "attn_mode", "fuse_cross_entropy", "fuse_norm", "fuse_linear_cross_entropy", "hidden_ratio",
        "norm_bias", "norm_first", "num_heads", "value_dim", "use_l2warp", "expand_k", "expand_v",
        "rescale_every", "max_position_embeddings",
    ),
    "minimax_01": (
        "postnorm", "layernorm_full_attention_alpha", "layernorm_full_attention_beta",
        "layernorm_linear_attention_alpha", "layernorm_linear_attention_beta", "layernorm_mlp_alpha",
        "layernorm_mlp_beta", "shared_moe_mode", "block_size", "sliding_window", "linear_attn_alpha_factor",
        "linear_attn_beta_factor", "full_attn_alpha_factor", "full_attn_beta_factor", "mlp_alpha_factor",
        "mlp_beta_factor",
    ),
    "lfm2": (
        "full_attn_idxs", "block_dim", "block_mlp_init_scale", "block_norm_eps", "block_out_init_scale",
        "block_use_swiglu", "block_use_xavier_init", "conv_dim", "conv_dim_out", "conv_use_xavier_init",
        "num_heads", "use_pos_enc", "theta", "block_ff_dim", "norm_topk_prob", "routed_scaling_factor",
        "use_expert_bias",
    ),
    "chatglm": (
        "add_bias_linear", "apply_query_key_layer_scaling", "apply_residual_connection_post_layernorm",
        "rmsnorm", "fp32_residual_connection", "original_rope", "post_layer_norm", "pre_seq_len",
        "prefix_projection", "quantization_bit", "interleaved_qkv", "num_hidden_layers",
        "multi_query_group_num", "tie_word_embeddings",
    ),
    "openelm": (
        "num_gqa_groups", "qkv_multipliers", "rope_freq_constant", "rope_max_length",
        "normalization_layer_name", "activation_fn_name",
    ),
    "qwen1": (
        "bf16", "fp16", "fp32", "emb_dropout_prob", "attn_dropout_prob", "no_bias", "onnx_safe",
        "rotary_emb_base", "seq_length", "use_dynamic_ntk", "use_flash_attn", "use_logn_attn",
        "use_cache_quantization", "use_cache_kernel", "softmax_in_fp32", "tie_word_embeddings",
    ),
    "gpt_bigcode": (
        "attention_softmax_in_fp32", "scale_attention_softmax_in_fp32", "inference_runner", "max_batch_size",
        "max_sequence_length", "pad_key_length", "pre_allocate_kv_cache", "validate_runner_input",
    ),
    "cohere2": (
        "logit_scale", "order_of_interleaved_layers", "position_embedding_type", "rotary_pct",
        "use_embedding_sharing", "use_gated_activation", "use_parallel_block", "use_parallel_embedding",
        "layer_switch",
    ),
    "granite": (
        "embedding_multiplier", "logits_scaling", "residual_multiplier", "attention_multiplier",
    ),
    "smollm3": (
        "no_rope_layers", "no_rope_layer_interval", "layer_types", "max_window_layers", "use_sliding_window",
    ),
    "ernie4_5": (
        "compression_ratio", "fuse_rope", "weight_share_add_bias", "max_sequence_length",
    ),
    "hunyuan_v1_dense": (
        "use_qk_norm", "use_cla", "cla_share_factor", "norm_type", "org_vocab_size", "eod_token_id",
        "im_end_id", "im_newline_id", "im_start_id", "mask_init_id", "sep_token_id", "text_end_id",
        "text_start_id", "pad_id", "pool_type", "dense_list", "enable_lm_head_fp32", "class_num",
        "anyres_pooling_size", "anyres_vit_max_image_size", "vit_type", "vit_path",
    ),
    "mpt attention": (
        "attn_impl", "attn_pdrop", "attn_uses_sequence_id", "alibi_bias_max", "clip_qkv", "prefix_lm", "qk_ln",
        "softmax_scale", "rope", "rope_theta", "rope_impl", "rope_dail_config", "rope_hf_config",
        "sliding_window_size", "fused_qkv", "qk_gn",
    ),
}  # fmt: skip
