"""Reading a config.json so that no architecture key is missed: every key is read, known to be irrelevant, or an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headway.errors import InputError, near_misses

_MISSING: Any = object()

# Keys that change no size, no count and no cost of a forward pass: names, token ids, training and sampling settings,
# scalings and position encodings that live inside existing kernels.
IRRELEVANT = frozenset(
    [
        "_name_or_path",
        "_attn_implementation",
        "_commit_hash",
        "architectures",
        "auto_map",
        "attribute_map",
        "chunk_size_feed_forward",
        "transformers_version",
        "torch_dtype",
        "dtype",
        "model_type",
        "use_cache",
        "tokenizer_class",
        "task_specific_params",
        "license",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "sep_token_id",
        "decoder_start_token_id",
        "image_token_id",
        "video_token_id",
        "audio_token_id",
        "boa_token_id",
        "boi_token_id",
        "eoa_token_id",
        "eoa_token_index",
        "eoi_token_id",
        "image_token_index",
        "boi_token_index",
        "eoi_token_index",
        "mm_tokens_per_image",
        "vision_start_token_id",
        "vision_end_token_id",
        "image_placeholder",
        "media_placeholder_token_id",
        "video_placeholder",
        "ignore_index",
        "vision_soft_tokens_per_image",
        "use_unified_vision_chunk",
        "initializer_range",
        "initializer_factor",
        "init_std",
        "rescale_prenorm_residual",
        "initial_context_length",
        "attention_dropout",
        "hidden_dropout",
        "resid_pdrop",
        "embd_pdrop",
        "attn_pdrop",
        "dropout",
        "layerdrop",
        "activation_dropout",
        "attention_probs_dropout_prob",
        "hidden_dropout_prob",
        "resid_dropout",
        "embedding_dropout",
        "classifier_dropout",
        "ffn_dropout",
        "rms_norm_eps",
        "layer_norm_eps",
        "layer_norm_epsilon",
        "layernorm_epsilon",
        "norm_eps",
        "norm_epsilon",
        "hc_eps",
        "rope_theta",
        "rope_scaling",
        "rope_parameters",
        "rope_interleave",
        "rotary_dim",
        "partial_rotary_factor",
        "rotary",
        "rotary_pct",
        "swa_rope_theta",
        "compress_rope_theta",
        "rope_local_base_freq",
        "mla_use_nope",
        "rope_ratio",
        "original_max_position_embeddings",
        "scale_attn_weights",
        "scale_attn_by_inverse_layer_idx",
        "reorder_and_upcast_attn",
        "attention_value_scale",
        "attention_softmax_in_fp32",
        "query_pre_attn_scalar",
        "attn_logit_softcapping",
        "final_logit_softcapping",
        "routed_scaling_factor",
        "norm_topk_prob",
        "scoring_func",
        "topk_method",
        "n_group",
        "topk_group",
        "num_expert_group",
        "use_grouped_topk",
        "seq_aux",
        "aux_loss_alpha",
        "router_aux_loss_coef",
        "output_router_logits",
        "router_jitter_noise",
        "router_z_loss_coef",
        "moe_renormalize",
        "moe_router_activation_func",
        "moe_router_dtype",
        "moe_router_scaling_factor",
        "moe_router_topk_scaling_factor",
        "ep_size",
        "pretraining_tp",
        "residual_in_fp32",
        "use_mamba_kernels",
        "mamba_hidden_act",
        "mamba_dt_rank",
        "time_step_floor",
        "time_step_max",
        "time_step_min",
        "time_step_limit",
        "time_step_rank",
        "num_logits_to_keep",
        "swiglu_alpha",
        "swiglu_limit",
        "activation_situ_beta",
        "activation_situ_linear_beta",
        "gate_lower_bound",
        "latent_moe_use_norm",
        "indexer_rope_interleave",
        "index_skip_topk_offset",
        "index_topk_freq",
        "index_share_for_mtp_iteration",
        "hc_sinkhorn_iters",
        "moe_shared_expert_overlap",
        "use_bidirectional_attention",
        "use_mrope",
        "scale_fmt",
        "pretrain_mask_type",
        "summary_activation",
        "summary_first_dropout",
        "summary_proj_to_labels",
        "summary_type",
        "summary_use_proj",
        "activation_function",
        "gradient_checkpointing",
        "n_ctx",
        "return_dict",
        "output_attentions",
        "output_hidden_states",
        "problem_type",
        "id2label",
        "label2id",
        "is_decoder",
        "cross_attention_hidden_size",
        "tie_encoder_decoder",
        "pruned_heads",
        "finetuning_task",
        "prefix",
        "temperature",
        "top_k",
        "top_p",
        "typical_p",
        "num_beams",
        "num_beam_groups",
        "num_return_sequences",
        "length_penalty",
        "repetition_penalty",
        "diversity_penalty",
        "max_length",
        "min_length",
        "no_repeat_ngram_size",
        "encoder_no_repeat_ngram_size",
        "early_stopping",
        "do_sample",
        "remove_invalid_values",
        "bad_words_ids",
        "begin_suppress_tokens",
        "suppress_tokens",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "exponential_decay_length_penalty",
        "output_scores",
        "return_dict_in_generate",
        "tf_legacy_loss",
        "use_bfloat16",
        "torchscript",
        "mtp_use_dedicated_embeddings",
        "use_routing_bias",
        "use_moe_router_bias",
        "embedding_fraction",
        "bias_dropout_fusion",
        "quantization_config",
        "vision_config",
        "audio_config",
        "_note",
        "_comment",
    ]
)


class Keys:
    """A config (or one of its sections) that remembers which keys were read.

    Parameters
    ----------
    values : mapping
        The section.
    where : str
        File name for messages.
    """

    def __init__(self, values: Mapping[str, Any], where: str, prefix: str = "") -> None:
        self.values = values
        self.where = where
        self.prefix = prefix
        self._read: set[str] = set()

    def _take(self, names: tuple[str, ...], default: Any) -> tuple[str, Any]:
        self._read.update(n for n in names if n in self.values)
        for name in names:
            if self.values.get(name) is not None:
                return name, self.values[name]
        if default is _MISSING:
            close = [k for k in near_misses(names[0], self.values, most=2) if k not in self._read]
            hint = f"; is it the one called {' or '.join(close)}?" if close else ""
            raise InputError(f"{self.where}: key {self.prefix}{names[0]!r} is missing{hint}")
        return names[0], default

    def int(self, *names: str, default: Any = _MISSING, least: int = 1) -> int:
        """Return the first of `names` as a whole number of at least `least`; a default is returned as it is.

        Parameters
        ----------
        *names : str
            The key and its other names.
        default : object
            When none is there; without one that is an error.
        least : int
            Smallest value allowed. [1]
        """
        name, value = self._take(names, default)
        if value is default and default is not _MISSING:
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < least:
            raise InputError(f"{self.where}: {self.prefix}{name} is {value!r}; it must be a whole number >= {least}")
        return int(value)

    def number(self, *names: str, default: Any = _MISSING) -> float:
        """Return the first of `names` as a positive number."""
        name, value = self._take(names, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise InputError(f"{self.where}: {self.prefix}{name} is {value!r}; it must be a positive number")
        return float(value)

    def flag(self, *names: str, default: bool = False) -> bool:
        """Return the first of `names` as true or false."""
        name, value = self._take(names, default)
        if not isinstance(value, bool) and value not in (0, 1):
            raise InputError(f"{self.where}: {self.prefix}{name} is {value!r}; it must be true or false")
        return bool(value)

    def expect(self, name: str, *harmless: Any) -> None:
        """Refuse any value of `name` but None and the harmless ones: headway does not know what it would change."""
        value = self.raw(name)
        if value is not None and value not in harmless:
            known = f" (known: {', '.join(repr(h) for h in harmless)})" if harmless else ""
            raise InputError(f"{self.where}: {self.prefix}{name} = {value!r} is not known to headway{known}")

    def kinds(self, *names: str, length: int, known: tuple[str, ...]) -> list[str] | None:
        """Return a list of layer kinds, each one of `known`.

        Parameters
        ----------
        *names : str
            The key and its other names.
        length : int
            Entries that the list must have. [layers]
        known : tuple of str
            Kinds that are accepted.
        """
        found = self.list(*names, length=length)
        for kind in found or []:
            if kind not in known:
                accepted = ", ".join(known)
                raise InputError(f"{self.where}: {self.prefix}{names[0]} has a layer {kind!r}; known: {accepted}")
        return found

    def text(self, *names: str, default: Any = _MISSING) -> str:
        """Return the first of `names` as text."""
        return str(self._take(names, default)[1])

    def list(self, *names: str, length: int | None = None, more: int = 0) -> list[Any] | None:
        """Return the first of `names` as a list (None when absent) of `length` entries, or up to `more` beyond.

        Parameters
        ----------
        *names : str
            The key and its other names.
        length : int or None
            Entries that the list must have (None: any number). [layers]
        more : int
            Entries allowed beyond those. [layers]
        """
        name, value = self._take(names, None)
        if value is None:
            return None
        if not isinstance(value, list):
            raise InputError(f"{self.where}: {self.prefix}{name} must be a list, not {type(value).__name__}")
        if length is not None and not length <= len(value) <= length + more:
            raise InputError(f"{self.where}: {self.prefix}{name} has {len(value)} entries for {length} layers")
        return value

    def raw(self, name: str, default: Any = None) -> Any:
        """Return a key as it is."""
        return self._take((name,), default)[1]

    def section(self, name: str) -> Keys | None:
        """Return a nested section, or None; its own unread keys are errors too."""
        value = self._take((name,), None)[1]
        if value is None:
            return None
        if not isinstance(value, dict):
            raise InputError(f"{self.where}: {self.prefix}{name} must be an object")
        return Keys(value, self.where, f"{self.prefix}{name}.")

    def ignore(self, *names: str) -> None:
        """Mark keys as looked at: they are known not to matter for this family."""
        self._read.update(names)

    def finish(self) -> None:
        """Refuse keys that nobody read.

        Raises
        ------
        InputError
            Naming each unread key: a key with another name must never turn into a silent default.
        """
        left = sorted(
            k
            for k, v in self.values.items()
            if k not in self._read and k not in IRRELEVANT and v not in (None, False, [], {})
        )
        if left:
            names = ", ".join(f"{self.prefix}{k}" for k in left)
            raise InputError(
                f"{self.where}: unknown architecture key{'s' if len(left) > 1 else ''} {names}: headway would have to "
                "guess what the model is; remove the key if it changes nothing, or report the architecture"
            )
