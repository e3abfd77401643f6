"""Cases and load models as the tests of several rooms write them."""

from __future__ import annotations

from headway.evidence import measurements as evidence
from headway.serving import LOOPS, answer

# The smallest Llama that has every part; small enough to write its tensors to a file.
TINY_LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 128,
    "vocab_size": 256,
    "tie_word_embeddings": False,
}


def closed_loop(w, seconds, c):
    return LOOPS["closed_loop"].served(w, seconds, c, 0.0)


def static_batch(w, seconds, c):
    return LOOPS["static_batch"].served(w, seconds, c, 0.0)


def disaggregated(w, seconds, c, transfer):
    return LOOPS["disaggregated"].served(w, seconds, c, transfer)


def loads(w, chunk):
    return LOOPS[w.kind].passes(w, chunk)


def predict_cases(cases):
    return [answer(c) for c in cases]


def row(**cells):
    base = {"system": "H200-SXM", "chips": "8", "model": "DeepSeek-R1-0528", "weights_dtype": "fp8", "engine": "sglang",
            "tp": "8", "load": "closed_loop", "batch_or_concurrency": "16", "isl": "1024", "osl": "1024"}  # fmt: skip
    return base | {k: str(v) for k, v in cells.items()}


def measured(**cells):
    return evidence.measurement("here", row(**cells))
