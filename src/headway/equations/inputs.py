"""Parameters that several equations take, each said once."""

from __future__ import annotations

from headway.equations.declared import (
    BANDWIDTH,
    BYTES,
    COUNT,
    FLOPS,
    NUMBER,
    PER_HOUR,
    RATIO,
    SECONDS,
    TOKENS,
    WHOLE,
    ZERO_BYTES,
    Parameter,
)

DEEPSEEK = "DeepSeek V3, lecture 1.2"
FRONTIER = "a frontier model, lecture 6.3 and 7.2 (LIM-3)"
NVL72 = "64 of a GB200 rack's 72, lecture 3.2"

ACTIVE = Parameter("active", "N_active", COUNT, "parameters", "touched per token", 37e9, DEEPSEEK)
TOTAL = Parameter("total", "N_total", COUNT, "parameters", "stored", 700e9, DEEPSEEK)
BATCH = Parameter(
    "batch", "B", COUNT, "sequences", "in one pass, one new token each", 2400.0, "H x s, lecture 1.3 (DIS-6)"
)
CONTEXT = Parameter("context", "L", TOKENS, "tokens", "in each sequence's cache", 8192.0, "an example; none is said")
KV = Parameter(
    "kv_bytes", "k", ZERO_BYTES, "bytes", "of KV cache per token", 2048.0, "1 layer x 2 x 128 x 8, lecture 7.2 (DIS-10)"
)
WIDTH = Parameter(
    "bytes_per_parameter", "w", BYTES, "bytes", "per stored parameter: FP4 0.5, FP8 1, BF16 2", 0.5, "FP4"
)
PEAK = Parameter("flops", "FLOPS", FLOPS, "FLOP/s", "dense peak of one chip, 2 per multiply-add", 10e15, "GB200, FP4")
BANDWIDTH_ = Parameter("bandwidth", "BW", BANDWIDTH, "bytes/s", "memory bandwidth of one chip", 8e12, "GB200")
CHIPS = Parameter("chips", "n", COUNT, "chips", "used in parallel", 64.0, NVL72)
CAPACITY = Parameter("capacity", "C", BYTES, "bytes", "memory of one chip", 192e9, "GB200")
H = Parameter("ratio", "H", RATIO, "", "multiply-adds per parameter read", 300.0, "'about 300', lecture 1.3 (LIM-2)")
PRICE = Parameter("price", "p", PER_HOUR, "$/h", "rent of one chip", 2.0, "lecture 1.2 (LIM-4)")
INTERVAL = Parameter("interval", "T", SECONDS, "s", "from one departure to the next", 0.020, "lecture 1.4 (LIM-2)")
EXPERTS = Parameter("experts", "E", WHOLE, "experts", "routed, per layer", 256.0, "DeepSeek, lecture 1.3", whole=True)
RACK_RATIO = Parameter(
    "bandwidth_ratio", "r", RATIO, "", "scale-up over scale-out bandwidth", 8.0, "lecture 3.3 (LIM-5)"
)
STAGES = Parameter("stages", "P", COUNT, "racks", "of the pipeline", 4.0, "lecture 4.3", whole=True)
MFU = Parameter(
    "relative_mfu", "e", RATIO, "", "decode's MFU over training's", 1 / 3, "1/3 of the flashcards, lecture 6.2 (CAV-5)"
)
RL = Parameter("rl_factor", "f", RATIO, "", "RL FLOPs per parameter and token, 2 to 6", 3.0, "lecture 6.2 (CAV-5)")
STEP = Parameter(
    "step_context", "L*", TOKENS, "tokens", "where the price steps up", 200e3, "Gemini 3.1, lecture 7.1 (DIS-15)"
)
GOLDILOCKS = Parameter(
    "goldilocks", "L*", TOKENS, "tokens", "where KV reads take as long as compute", 200e3, "lecture 7.1"
)
NEW = Parameter("new_tokens", "p", NUMBER, "tokens", "per sequence in a pass; 1 is decode", 1.0, "lecture 7.3")
