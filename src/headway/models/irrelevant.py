"""Keys of config.json that may go unread: they change no size, no count, no byte and no cost of a forward pass."""

from __future__ import annotations

# Names, token ids, training and sampling settings, scalings and position encodings that live inside existing kernels.
IN_ARCHITECTURE = frozenset({
    "_name_or_path", "_attn_implementation", "_commit_hash", "architectures", "auto_map", "attribute_map",
    "chunk_size_feed_forward", "transformers_version", "torch_dtype", "dtype", "model_type", "use_cache",
    "tokenizer_class", "task_specific_params", "license", "bos_token_id", "eos_token_id", "pad_token_id",
    "sep_token_id", "decoder_start_token_id", "image_token_id", "video_token_id", "audio_token_id", "boa_token_id",
    "boi_token_id", "eoa_token_id", "eoa_token_index", "eoi_token_id", "image_token_index", "boi_token_index",
    "eoi_token_index", "mm_tokens_per_image", "vision_start_token_id", "vision_end_token_id", "image_placeholder",
    "media_placeholder_token_id", "video_placeholder", "ignore_index", "vision_soft_tokens_per_image",
    "use_unified_vision_chunk", "initializer_range", "initializer_factor", "init_std", "rescale_prenorm_residual",
    "initial_context_length", "attention_dropout", "hidden_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop",
    "dropout", "layerdrop", "activation_dropout", "attention_probs_dropout_prob", "hidden_dropout_prob",
    "resid_dropout", "embedding_dropout", "classifier_dropout", "ffn_dropout", "rms_norm_eps", "layer_norm_eps",
    "layer_norm_epsilon", "layernorm_epsilon", "norm_eps", "norm_epsilon", "hc_eps", "rope_theta", "rope_scaling",
    "rope_parameters", "rope_interleave", "rotary_dim", "partial_rotary_factor", "rotary", "rotary_pct",
    "swa_rope_theta", "compress_rope_theta", "rope_local_base_freq", "mla_use_nope", "rope_ratio",
    "original_max_position_embeddings", "scale_attn_weights", "scale_attn_by_inverse_layer_idx",
    "reorder_and_upcast_attn", "attention_value_scale", "attention_softmax_in_fp32", "query_pre_attn_scalar",
    "attn_logit_softcapping", "final_logit_softcapping", "routed_scaling_factor", "norm_topk_prob", "scoring_func",
    "topk_method", "n_group", "topk_group", "num_expert_group", "use_grouped_topk", "seq_aux", "aux_loss_alpha",
    "router_aux_loss_coef", "output_router_logits", "router_jitter_noise", "router_z_loss_coef", "moe_renormalize",
    "moe_router_activation_func", "moe_router_dtype", "moe_router_scaling_factor", "moe_router_topk_scaling_factor",
    "ep_size", "pretraining_tp", "residual_in_fp32", "use_mamba_kernels", "mamba_hidden_act", "mamba_dt_rank",
    "time_step_floor", "time_step_max", "time_step_min", "time_step_limit", "time_step_rank", "num_logits_to_keep",
    "swiglu_alpha", "swiglu_limit", "activation_situ_beta", "activation_situ_linear_beta", "gate_lower_bound",
    "latent_moe_use_norm", "indexer_rope_interleave", "index_skip_topk_offset", "index_topk_freq",
    "index_share_for_mtp_iteration", "hc_sinkhorn_iters", "moe_shared_expert_overlap",
    "use_bidirectional_attention", "use_mrope", "scale_fmt", "pretrain_mask_type", "summary_activation",
    "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj", "activation_function",
    "gradient_checkpointing", "n_ctx", "return_dict", "output_attentions", "output_hidden_states", "problem_type",
    "id2label", "label2id", "is_decoder", "cross_attention_hidden_size", "tie_encoder_decoder", "pruned_heads",
    "finetuning_task", "prefix", "temperature", "top_k", "top_p", "typical_p", "num_beams", "num_beam_groups",
    "num_return_sequences", "length_penalty", "repetition_penalty", "diversity_penalty", "max_length", "min_length",
    "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "early_stopping", "do_sample", "remove_invalid_values",
    "bad_words_ids", "begin_suppress_tokens", "suppress_tokens", "forced_bos_token_id", "forced_eos_token_id",
    "exponential_decay_length_penalty", "output_scores", "return_dict_in_generate", "tf_legacy_loss",
    "use_bfloat16", "torchscript", "mtp_use_dedicated_embeddings", "use_routing_bias", "use_moe_router_bias",
    "embedding_fraction", "bias_dropout_fusion", "quantization_config", "compression_config", "quantization",
    "vision_config", "audio_config", "_note", "_comment", "_attn_implementation_autoset", "cache_implementation",
    "_experts_implementation", "_experts_implementation_internal", "_flash_attn_2_enabled", "attn_implementation",
    "unsloth_fixed", "unsloth_version", "mamba_ssm_cache_format", "is_causal", "bias_dropout_add_fusion",
    "output_past", "keys_to_ignore_at_inference", "onnx_export", "vision_feature_layer",
    "vision_feature_select_strategy", "projector_hidden_act", "multimodal_projector_bias", "image_seq_length",
    "image_grid_pinpoints", "bos_id", "eos_id", "pad_id", "transformers_weights", "tokenizer_path",
    "flash_attention", "use_flash_attn", "use_flash_attention", "_use_flash_attention_2",
})  # fmt: skip

# Versions, kernels, calibration: nothing about where or how weights are stored.
IN_QUANTIZATION = frozenset({
    "quant_method", "fmt", "scale_fmt", "activation_scheme", "activation_scale_ub", "version", "backend",
    "producer", "quantization_status", "global_compression_ratio", "sparsity_config", "transform_config", "format",
    "ignored_scales", "dequantize", "batch_size", "desc_act", "sym", "damp_percent", "damp_auto_increment",
    "true_sequential", "static_groups", "checkpoint_format", "meta", "quantizer", "pack_dtype",
    "model_name_or_path", "model_file_base_name", "is_marlin_format", "exllama_config", "use_cuda_fp16",
    "use_exllama", "max_input_length", "cache_block_outputs", "tokenizer", "dataset", "pad_token_id",
    "module_name_preceding_first_block", "block_name_to_quantize", "zero_point", "do_fuse", "fuse_max_seq_len",
    "modules_to_fuse", "mse", "hyb_act", "act_group_aware", "bnb_4bit_compute_dtype", "bnb_4bit_quant_type",
    "bnb_4bit_quant_storage", "llm_int8_enable_fp32_cpu_offload", "llm_int8_has_fp16_weight", "llm_int8_threshold",
    "_load_in_4bit", "_load_in_8bit", "amp", "act_bits", "act_data_type", "act_dynamic", "act_group_size",
    "act_sym", "autoround_version", "data_type", "gradient_accumulate_steps", "iters", "lr", "low_gpu_mem_usage",
    "minmax_lr", "nsamples", "packing_format", "seqlen", "super_bits", "super_group_size", "to_quant_block_names",
    "enable_quanted_input", "enable_minmax_tuning", "enable_norm_bias_tuning", "calibration", "out_scales",
    "linear_class", "quantization_mode", "use_rms_norm", "rms_norm_eps", "pre_quant_scale", "has_zero_point",
    "moe_quant_algo", "weight_only", "offload_meta", "view_as_float", "axis", "quant_backend", "algo_config",
    "export", "json_export_params", "softmax_quant_spec", "quant_mode", "kv_cache_group", "kv_cache_post_rope",
    "kv_cache_quant_config", "inference_exec_device", "untie_word_embeddings", "include_input_output_embeddings",
})  # fmt: skip

# How scales were found and ordered, and what the reader takes from the scheme itself.
IN_A_SCHEME = frozenset({
    "dynamic", "observer", "observer_kwargs", "actorder", "block_structure", "symmetric", "zp_dtype", "scale_dtype",
    "strategy", "type", "num_bits", "group_size", "targets", "weights", "input_activations", "output_activations",
    "format",
})  # fmt: skip
