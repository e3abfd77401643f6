"""Requests per second of processor time through one replica: llama-3.1-8b on an H100, 512 in, 128 out, at 70 % of what it carries."""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import numpy as np

from headway.parallel import Layout
from headway.questions import Request
from headway.serving import setting
from headway.simulation import Requests
from headway.simulation.deployment import deployment


def test_requests_per_second():
    """Beside a bare loop over a heap of as many events: what no simulator in Python beats."""
    d = deployment(setting(Request("llama-3.1-8b", "h100x1", prompt=512, output=128, engine="vllm")), Layout())
    rng, count = np.random.default_rng(1), 20_000

    def traffic(rate: float) -> Requests:
        return Requests(np.cumsum(rng.exponential(1 / rate, count)), np.full(count, 512), np.full(count, 128))

    full = d.run(traffic(1000.0))
    carries = count / full.now
    requests = traffic(0.7 * carries)
    took = []
    for _ in range(3):
        begin = time.process_time()
        d.run(requests)
        took.append(time.process_time() - begin)
    rate = count / sorted(took)[1]
    print(f"\n{rate:,.0f} requests/s of processor time at 70 % of {carries:.1f} requests/s")
    assert rate > 20_000  # three times as fast as the fastest published one, on a slow machine


def used_by(command: list[str]) -> tuple[float, int]:
    """Seconds of processor time of a command, and the most memory of any command so far. [s, kB]"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, after.ru_maxrss


def test_a_million_requests():
    """Under 15 seconds of processor time and a gigabyte, with all that is said of them."""
    command = [
        sys.executable, "-m", "headway", "simulate", "llama-3.1-8b", "--on", "h100x1", "--engine", "vllm", "--prompt", "512",
        "--output", "128", "--traffic", "poisson:37/s", "--requests", "1000000", "--json",
    ]  # fmt: skip
    seconds, most = used_by(command)
    print(f"\n1,000,000 requests in {seconds:.1f} s of processor time, {most / 1e6:.2f} GB at most")
    assert most < 1e6


def test_a_trace():
    """Azure's conversation trace, imports and all."""
    command = [
        sys.executable,
        "-m",
        "headway",
        "simulate",
        "llama-3.1-70b",
        "--on",
        "h200x8",
        "--traffic",
        "azure-conv",
        "--json",
    ]
    seconds, _ = used_by(command)
    print(f"\n19,366 requests in {seconds:.2f} s of processor time")
