"""A `.gguf` file as a model: its header names every tensor with shape and type, so that bytes are what they are in the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from headway.catalog import catalogue
from headway.errors import InputError, quoted
from headway.models.architecture import (
    Architecture,
    Attend,
    Experts,
    Layer,
    Linear,
    State,
    group,
    kernel_counts,
    order,
)
from headway.models.attention import indexer, latent_cache
from headway.models.files import PART
from headway.models.formats import Format, number_format
from headway.models.keys import MOST_LAYERS
from headway.models.precision import Precision
from headway.models.reach import FULL, Reach
from headway.models.state import state_flops

_BLOCK = re.compile(r"blk\.(\d+)\.(.+)\.(?:weight|bias)$")
_KINDS = {"F32": "fp32", "F16": "fp16", "BF16": "bf16", "MXFP4": "mxfp4-block", "NVFP4": "nvfp4"}
_PLAIN_BLOCKS = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
# What a tensor of a layer is: module path and role of the matrix, by the name that llama.cpp gives it.
_NAMES = {
    "attn_q": ("self_attn.q_proj", "attention"), "attn_k": ("self_attn.k_proj", "attention"),
    "attn_v": ("self_attn.v_proj", "attention"), "attn_qkv": ("self_attn.qkv_proj", "attention"),
    "attn_output": ("self_attn.o_proj", "attention"), "ffn_gate": ("mlp.gate_proj", "dense"),
    "ffn_up": ("mlp.up_proj", "dense"), "ffn_down": ("mlp.down_proj", "dense"),
    "ffn_gate_exps": ("mlp.experts.gate_proj", "expert"), "ffn_up_exps": ("mlp.experts.up_proj", "expert"),
    "ffn_down_exps": ("mlp.experts.down_proj", "expert"), "ffn_gate_up_exps": ("mlp.experts.gate_up_proj", "expert"),
    "ffn_gate_shexp": ("mlp.shared_experts.gate_proj", "shared"), "ffn_up_shexp": ("mlp.shared_experts.up_proj", "shared"),
    "ffn_down_shexp": ("mlp.shared_experts.down_proj", "shared"), "ffn_gate_inp": ("mlp.gate", "router"),
    "ffn_gate_inp_shexp": ("mlp.shared_expert_gate", "router"), "ssm_conv1d": ("mixer.conv1d", "conv"),
}  # fmt: skip


@dataclass
class _Tensor:
    name: str
    shape: tuple[int, ...]
    format: Format
    elements: int

    @property
    def is_matrix(self) -> bool:
        return len(self.shape) > 1 and min(self.shape[:2]) > 1

    @property
    def copies(self) -> int:
        return self.shape[2] if len(self.shape) > 2 else 1


@dataclass
class _Block:
    """The tensors of one layer."""

    linears: list[Linear] = field(default_factory=list[Linear])
    vectors: int = 0
    names: set[str] = field(default_factory=set[str])


def read_gguf(file: Path, name: str, kv: Format, where: str, precision: str | None = None) -> Architecture:
    """Read the header of a GGUF file (all parts of a split one).

    Parameters
    ----------
    file : path
    name : str
        Label of the model.
    kv : Format
        Of the KV cache.
    where : str
        File name for messages.
    precision : str or None
        Another format of the weights, which a file refuses.

    Raises
    ------
    InputError
        No GGUF file, or one that is no language model that headway knows.
    """
    if precision:
        raise InputError(
            f"{where}: a GGUF file says how its tensors are stored; --precision {precision} cannot change it"
        )
    facts, tensors = _header(file, where)
    return _Reader(facts, tensors, where).architecture(name, kv)


def _parts(file: Path, where: str) -> list[Path]:
    found = PART.match(file.name)
    if not found:
        return [file]
    parts = [file.with_name(f"{found[1]}-{i:05}-of-{found[3]}.gguf") for i in range(1, int(found[3]) + 1)]
    missing = [p.name for p in parts if not p.is_file()]
    if missing:
        raise InputError(f"{where}: {len(missing)} of {len(parts)} parts are missing, {missing[0]} first")
    return parts


def _header(file: Path, where: str) -> tuple[dict[str, Any], list[_Tensor]]:
    from gguf import GGUFReader  # pyright: ignore[reportMissingTypeStubs]

    facts: dict[str, Any] = {}
    tensors: list[_Tensor] = []
    for part in _parts(file, where):
        try:
            reader: Any = GGUFReader(part)
        except (OSError, ValueError, IndexError, OverflowError, MemoryError, UnicodeDecodeError) as error:
            raise InputError(
                f"{part}: not a readable GGUF file ({error.__class__.__name__}: {str(error)[:80]})"
            ) from None
        for key, one in reader.fields.items():
            if key.startswith("tokenizer.") and key != "tokenizer.ggml.tokens":
                continue
            facts.setdefault(key, len(one.data) if key == "tokenizer.ggml.tokens" else one.contents())
        for one in reader.tensors:
            shape = tuple(int(n) for n in one.shape)
            tensors.append(_Tensor(one.name, shape, _format(one.tensor_type.name, where), int(one.n_elements)))
    return facts, tensors


def _format(kind: str, where: str) -> Format:
    name = _KINDS.get(kind) or (kind.lower() if kind in _PLAIN_BLOCKS else f"{kind.lower()}-block")
    if catalogue().table("formats").find(name) is None:
        raise InputError(f"{where}: tensors of type {kind} are not known to headway")
    return number_format(name)


class _Reader:
    """One header on its way to an Architecture."""

    def __init__(self, facts: Mapping[str, Any], tensors: list[_Tensor], where: str) -> None:
        self.facts, self.where = facts, where
        self.arch = str(facts.get("general.architecture", ""))
        self.tensors = {t.name: t for t in tensors}
        if f"{self.arch}.block_count" not in facts or "token_embd.weight" not in self.tensors:
            raise InputError(
                f"{where}: architecture {quoted(self.arch)} is no decoder with layers and a token embedding"
            )
        if any(n.startswith(("enc.", "dec.")) for n in self.tensors):
            raise InputError(
                f"{where}: architecture {quoted(self.arch)} is an encoder-decoder, not a decoder-only language model"
            )
        if facts.get(f"{self.arch}.attention.causal") is False:
            raise InputError(
                f"{where}: architecture {quoted(self.arch)} is an encoder, not a decoder-only language model"
            )
        if self.arch.startswith("rwkv"):
            raise InputError(f"{where}: RWKV's state is not read from GGUF files; give the model's config.json")
        self.layers = self.int("block_count")
        if not 1 <= self.layers <= MOST_LAYERS:
            raise InputError(f"{where}: {self.arch}.block_count is {self.layers:,}; no model has so many layers")

    def int(self, name: str, default: int | None = None, layer: int = 0) -> int:
        value = self.facts.get(f"{self.arch}.{name}", default)
        if isinstance(value, list):
            value = value[min(layer, len(value) - 1)] if value else default
        if value is None:
            raise InputError(f"{self.where}: key {self.arch}.{name} is missing")
        return int(value)

    def architecture(self, name: str, kv: Format) -> Architecture:
        blocks = [_Block() for _ in range(self.layers)]
        vectors, tables = 0, list[Linear]()
        for tensor in self.tensors.values():
            found = _BLOCK.match(tensor.name)
            if found and int(found[1]) < self.layers:
                self._add(blocks[int(found[1])], found[2], tensor)
            elif tensor.name not in ("token_embd.weight", "output.weight"):
                if not tensor.is_matrix:
                    vectors += tensor.elements
                else:
                    tables.append(
                        Linear(
                            tensor.name.removesuffix(".weight"),
                            "embed",
                            *tensor.shape[:2],
                            copies=tensor.copies,
                            format=tensor.format,
                        )
                    )
        spare = self.int("nextn_predict_layers", 0)
        every = [self._layer(i, b, kv) for i, b in enumerate(blocks)]
        embedding, head = self.tensors["token_embd.weight"], self.tensors.get("output.weight")
        hidden, vocabulary = embedding.shape[0], embedding.shape[1]
        last = head or embedding
        usual = max((m for x in every for m in x.linears), key=lambda m: m.parameters, default=None)
        return Architecture(
            name=name, family=self.arch, hidden=hidden, vocabulary=vocabulary,
            layers=group(every[: self.layers - spare]), mtp=group(every[self.layers - spare :]),
            embedding=Linear("embed_tokens", "embed", vocabulary, hidden, format=embedding.format),
            head=Linear("lm_head", "head", hidden, vocabulary, format=last.format), tied=head is None,
            max_context=self.int("context_length", 1 << 20), kv_format=kv,
            precision=Precision(number_format("fp32"), usual.format if usual else last.format, kv, source=self.where),
            final_parameters=vectors, tables=tuple(tables), source=self.where,
            side_by_side=bool(self.facts.get(f"{self.arch}.use_parallel_residual")),
            notes=("read from a GGUF header: every tensor as it stands in the file",),
            kernel_counts=kernel_counts(), order=order(every[: self.layers - spare]),
        )  # fmt: skip

    def _add(self, block: _Block, stem: str, tensor: _Tensor) -> None:
        block.names.add(stem)
        if not tensor.is_matrix:
            block.vectors += tensor.elements
            return
        path, role = _NAMES.get(
            stem, (f"mixer.{stem}", "state" if stem.startswith(("ssm", "time_mix")) else "attention")
        )
        if stem.startswith("indexer"):
            role = "index"
        heads, shared = self.int("attention.head_count", 1), self.int("attention.head_count_kv", 1)
        ways = {"attn_q": heads, "attn_output": heads, "attn_k": shared, "attn_v": shared, "attn_qkv": shared}
        latent_parts = ("attn_q_a", "attn_kv_a_mqa", "indexer")
        block.linears.append(
            Linear(path, role, tensor.shape[0], tensor.shape[1], copies=tensor.copies, format=tensor.format,
                   ways=1 if role == "router" or stem.startswith(latent_parts) else max(ways.get(stem, 0), 0))
        )  # fmt: skip

    def _layer(self, index: int, block: _Block, kv: Format) -> Layer:
        attends = tuple(replace(a, format=kv) for a in self._attends(index, block))
        experts = None
        if any(m.role == "expert" for m in block.linears):
            experts = Experts(self.int("expert_count"), self.int("expert_used_count"))
        state = self._state(block) if any(n.startswith("ssm") for n in block.names) else None
        kind = " + ".join(
            x for x in ("attention" * bool(attends), "state" * bool(state), "experts" if experts else "dense") if x
        )
        return Layer(kind, tuple(block.linears), attends, state, experts, block.vectors)

    def _attends(self, index: int, block: _Block) -> tuple[Attend, ...]:
        if "attn_kv_a_mqa" in block.names:
            return self._latent(block)
        heads, shared = self.int("attention.head_count", 0, index), self.int("attention.head_count_kv", 0, index)
        recurrent = any(n.startswith("ssm") for n in block.names)  # a delta rule's own queries and keys are fused
        own = "attn_k" in block.names or ("attn_qkv" in block.names and not recurrent)
        if not (own or "attn_q" in block.names) or not heads or not shared:
            return ()
        stores = own and index < self.layers - self.int("attention.shared_kv_layers", 0)
        width = self.int("attention.key_length", self.int("embedding_length") // heads)
        value = self.int("attention.value_length", width)
        pair = 2.0 * heads * (width + value)
        return (Attend(self._reach(index), shared * (width + value), shared, pair, stores=stores),)

    def _latent(self, block: _Block) -> tuple[Attend, ...]:
        heads, rank = self.int("attention.head_count"), self.int("attention.kv_lora_rank")
        rope = self.int("rope.dimension_count")
        key = self.int("attention.key_length_mla", self.int("attention.key_length"))
        value = self.int("attention.value_length_mla", self.int("attention.value_length"))
        top = self.int("attention.indexer.top_k", 0)
        reach = Reach("top-k", top) if top else FULL
        found = (latent_cache(heads, rank, key - rope, rope, value, reach),)
        if top and any(n.startswith("indexer") for n in block.names):
            sizes = self.int("attention.indexer.head_count"), self.int("attention.indexer.key_length")
            return (*found, *indexer(1, 1, *sizes).attends)
        return found

    def _reach(self, index: int) -> Reach:
        """Windows: by layer where the file says so, else as the architecture has them (catalogue `gguf_windows`)."""
        width = self.int("attention.sliding_window", 0)
        if width <= 0:
            return FULL
        listed = self.facts.get(f"{self.arch}.attention.sliding_window_pattern")
        if isinstance(listed, list):
            return Reach("window", width) if listed[min(index, len(listed) - 1)] else FULL
        row = next((r for r in catalogue().table("gguf_windows").rows if r["name"] == self.arch), None)
        every = int(listed or (row["every"] if row else 1))
        if every > 1 and (index + 1) % every == 0:
            return FULL
        return Reach("chunk" if row and row["kind"] == "chunk" else "window", width)

    def _state(self, block: _Block) -> State:
        inner, size = self.int("ssm.inner_size"), self.int("ssm.state_size")
        groups, kernel = self.int("ssm.group_count", 0), self.int("ssm.conv_kernel")
        heads = max(self.int("ssm.time_step_rank", 1), 1)
        mixed = inner + 2 * groups * size if groups else inner
        law = "delta rule" if "attn_qkv" in block.names else "selective"
        wide = number_format("fp32")
        elements = float(inner * size)
        return State(elements, float((kernel - 1) * mixed), state_flops(law, elements), heads, wide, wide)
