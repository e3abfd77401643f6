"""`headway measure` against engines whose truth is known, many times: a, b and c of a lab engine with known delays; llama.cpp's bandwidth.

    python bench/measured.py [SWEEPS]          # default 50; 25 minutes on an idle machine

What the engine itself says of its passes (its own log) is the truth: injected delays and what it computes. Exits with 1 where the medians
are more than 5 % away, or intervals cover it less often than in 80 % of the sweeps (within what so few sweeps can tell).
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "measure"))
import llama

import lab_server
from headway.hardware.probes import memory_read
from headway.measure.measuring import measure_endpoint as measure
from headway.measure.sweeps import Sweep
from headway.questions import Request

DELAYS = ("--delay-pass", "12ms", "--delay-sequence", "1.5ms", "--delay-context", "15us", "--max-tokens", "512")
ASKED = Sweep(batches=(2, 4, 8), contexts=(32, 200), prompts=(32,), answer=24, runs=3, spend=60)
CLOSE, COVERS, IDLE, TIMES, NEAR = 0.05, 0.8, 0.2, 5, 0.15


def own_line(trace):
    """Least squares over the engine's log: a, b, c of passes without prompts."""
    rows = [json.loads(x) for x in trace.read_text().splitlines()]
    rows = [r for r in rows if len(r.get("riders", ())) > 1 and not r["chunks"]]
    design = np.array([[1.0, len(r["riders"]), r["context_tokens"]] for r in rows])
    took = np.array([r["seconds"] for r in rows])
    kept = took < 2 * np.median(took / (design @ [1, 0.1, 0.001])) * (design @ [1, 0.1, 0.001])
    return np.linalg.lstsq(design[kept] / took[kept, None], np.ones(int(kept.sum())), rcond=None)[0]


def coefficients(sweeps):
    """Whether a, b and c come back."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "passes.jsonl"
        with lab_server.serving(*DELAYS, "--trace", str(trace)) as server:
            lines = []
            for i in range(sweeps):
                found = measure(str(server.client.base_url), ASKED)
                if found.line is not None:
                    lines.append(found.line)
                    print(f"{i + 1}: " + ", ".join(f"{n} {getattr(found.line, n).value:.4g}" for n in "abc"),
                          f"others {found.foreign:.2f} cores", flush=True)  # fmt: skip
        truth = own_line(trace)
    good = True
    least = COVERS - 1.3 * (COVERS * (1 - COVERS) / len(lines)) ** 0.5
    for name, true in zip("abc", truth, strict=True):
        values = [getattr(x, name) for x in lines]
        off = float(np.median([v.value for v in values])) / true - 1
        inside = float(np.mean([v.low <= true <= v.high for v in values]))
        each = float(np.median([abs(v.value / true - 1) for v in values]))
        print(
            f"{name}: truth {true:.4g}, median {off:+.1%} away, a sweep {each:.1%}; 80 % intervals cover {inside:.0%}"
        )
        good &= abs(off) <= CLOSE and inside >= least
    return good


def own_share(address, nbytes):
    """What llama.cpp itself says of one sequence: bytes of its file over its own time per token, over the memory read right then."""
    asked = {"prompt": "abcdef" * 8, "n_predict": 64, "ignore_eos": True, "cache_prompt": False}
    shares = []
    for _ in range(TIMES):
        found = httpx.post(f"{address}/completion", json=asked, timeout=60, trust_env=False).json()["timings"]
        shares.append(nbytes / (found["predicted_per_token_ms"] / 1e3) / memory_read())
    return float(np.median(shares))


def told_of(share, own, knee, seconds):
    return f"read at {share:.0%} of the bandwidth (llama.cpp's own timings: {own:.0%}); knee {knee:.2f} of the estimate's; {seconds:.0f} s"


def once():
    """Share of the machine's own bandwidth at C = 1, by measure and by the engine, knee over the estimate's, seconds; None if busy."""
    with tempfile.TemporaryDirectory() as folder:
        file = llama.write(Path(folder) / "random.gguf", hidden=1536, feed_forward=4096)
        with llama.serving(file, threads=2) as address:
            request = Request(model=str(file), system="cpu", engine="llama.cpp")
            found = measure(address, Sweep(answer=32, spend=75, contexts=(64, 256)), request)
            own = own_share(address, file.stat().st_size)
    print(found.text())
    one = min((c for c in found.cells if c.batch == 1 and c.context == c.context), key=lambda c: c.context)
    share = found.roof.read_bytes(1, one.context) / one.step / found.roof.bandwidth
    told = found.line is not None and found.estimate is not None
    knee = found.line.knee / found.estimate.knee if told else float("nan")
    print(f"\n{told_of(share, own, knee, found.swept.seconds)}")
    print("memory:", ", ".join(f"{x / 1e9:.1f}" for x in found.swept.reads), "GB/s")
    if found.foreign > IDLE:
        print(f"this machine is not idle ({found.foreign:.1f} cores): nothing is judged")
        return None
    return share, own, knee, found.swept.seconds


def llama_cpp():
    """Whether medians of several measurements are near: a shared machine's memory changes its pace within one.

    The share of the bandwidth is either near one, or what the engine itself says of its passes: then it does not read faster.
    """
    seen = [x for x in (once() for _ in range(TIMES)) if x is not None]
    if not seen:
        return True
    share, own, knee, seconds = np.median(np.array(seen), axis=0)
    print(f"\nof {len(seen)}: {told_of(share, own, knee, seconds)}")
    return min(abs(share - 1), abs(share / own - 1)) <= NEAR and 0.5 <= knee <= 2 and seconds < 90


if __name__ == "__main__":
    results = [coefficients(int(sys.argv[1]) if len(sys.argv) > 1 else 50), llama_cpp()]
    sys.exit(0 if all(results) else 1)
