"""llama.cpp's server (the wheel xllamacpp) with a small Llama of random F32 weights, in a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np

HIDDEN, LAYERS, HEADS, KV_HEADS, FEED_FORWARD = 1024, 4, 16, 4, 2816


def letters():
    """The 256 tokens of a byte-level vocabulary, as GPT-2 spells them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    spelled = {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(others)}
    return [spelled[b] for b in range(256)]


def write(file, hidden=HIDDEN, layers=LAYERS, heads=HEADS, kv_heads=KV_HEADS, feed_forward=FEED_FORWARD, context=8192):
    """A GGUF file of a Llama with random 32-bit weights, whose tokens are bytes."""
    rng = np.random.default_rng(0)
    tokens = [*letters(), "<|end|>"]
    w = gguf.GGUFWriter(str(file), "llama")
    w.add_name("random-llama")
    w.add_context_length(context)
    w.add_embedding_length(hidden)
    w.add_block_count(layers)
    w.add_feed_forward_length(feed_forward)
    w.add_head_count(heads)
    w.add_head_count_kv(kv_heads)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(hidden // heads)
    w.add_vocab_size(len(tokens))
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("default")
    w.add_token_list(tokens)
    w.add_token_types([gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL])
    w.add_token_merges(["a b"])
    w.add_eos_token_id(256)
    w.add_bos_token_id(256)
    w.add_add_bos_token(False)

    def matrix(name, rows, columns):
        w.add_tensor(name, rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(columns**0.5))

    kv = hidden // heads * kv_heads
    matrix("token_embd.weight", len(tokens), hidden)
    w.add_tensor("output_norm.weight", np.ones(hidden, np.float32))
    matrix("output.weight", len(tokens), hidden)
    for i in range(layers):
        b = f"blk.{i}."
        w.add_tensor(b + "attn_norm.weight", np.ones(hidden, np.float32))
        w.add_tensor(b + "ffn_norm.weight", np.ones(hidden, np.float32))
        matrix(b + "attn_q.weight", hidden, hidden)
        matrix(b + "attn_k.weight", kv, hidden)
        matrix(b + "attn_v.weight", kv, hidden)
        matrix(b + "attn_output.weight", hidden, hidden)
        matrix(b + "ffn_gate.weight", feed_forward, hidden)
        matrix(b + "ffn_up.weight", feed_forward, hidden)
        matrix(b + "ffn_down.weight", hidden, feed_forward)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return Path(file)


def serve(file, parallel, context, name, cache, threads):
    """Serve until the standard input ends; prints the address."""
    import xllamacpp as x

    p = x.CommonParams()
    p.model.path = str(file)
    p.model_alias = {name}
    p.n_parallel, p.n_ctx, p.n_batch, p.n_ubatch = parallel, context, 512, 512
    p.hostnames, p.port = ["127.0.0.1"], 0
    p.n_gpu_layers, p.warmup, p.cont_batching, p.cache_prompt = 0, True, True, cache
    p.cache_ram_mib, p.kv_unified = 0, False
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = threads
    p.endpoint_metrics = True
    server = x.Server(p)
    print("ADDRESS", server.listening_address, flush=True)
    sys.stdin.read()


@contextlib.contextmanager
def serving(file, parallel=8, context=8192, name="random-llama", cache=True, threads=1):
    """The address of a server of a file, as long as the block lasts."""
    words = [sys.executable, __file__, str(file), str(parallel), str(context), name, str(int(cache)), str(threads)]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        address = ""
        for line in process.stdout:
            if line.startswith("ADDRESS"):
                address = line.split()[1]
                break
        assert address, "the server has not started"
        yield address
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5] == "1", int(sys.argv[6]))
