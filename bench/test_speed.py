"""`make bench`: speed as ratios within one run, and the promises of the README (points per second, CPU seconds).

Timings on shared machines are noisy: each figure is the median of several, CPU time where a process is measured,
and the limits of processes are multiples of a bare import of NumPy at the same time.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import pytest

from headway.hardware import chip
from headway.models import model
from headway.parallel import Layout, build_step
from headway.roofline import Load, compiled, profile, step_time

GRID = (1000, 1000)


@pytest.fixture(scope="module")
def scene():
    return build_step(model("deepseek-v3"), Layout(tp=8)), chip("h200")


def _median_seconds(action, rounds=7):
    times = []
    for _ in range(rounds):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return statistics.median(times)


def test_grid_points_per_second(benchmark, scene):
    """DeepSeek-V3 over a batch x context grid: at least a million points per second on one core."""
    step, on = scene
    batch, context = np.geomspace(1, 4096, GRID[0])[:, None], np.linspace(0, 131072, GRID[1])
    points = GRID[0] * GRID[1]

    def run():
        return step_time(step, Load.decode(batch, context), on).seconds

    reference = _median_seconds(lambda: np.multiply(np.empty(GRID), 1.0001))
    seconds = _median_seconds(run)
    benchmark(run)
    rate = points / seconds
    print(
        f"\n  grid: {rate / 1e6:.1f} M points/s on one core; {seconds / reference:.0f}x one NumPy multiply of the same size"
    )
    assert rate > 1e6


def test_paired_points_per_second(benchmark, scene):
    """The same with no broadcasting to profit from: every point its own batch and context."""
    step, on = scene
    rng = np.random.default_rng(0)
    batch, context = rng.uniform(1, 4096, 1_000_000), rng.uniform(0, 131072, 1_000_000)

    def run():
        return step_time(step, Load.decode(batch, context), on).seconds

    seconds = _median_seconds(run, 5)
    benchmark.pedantic(run, rounds=3)
    print(f"\n  pairs: {1 / seconds:.1f} M points/s on one core")
    assert seconds < 1.0


def test_compiled_passes():
    """One pass in about ten microseconds, and millions a second of points that all differ, under an engine's calibration."""
    numbers = profile("vllm").on(chip("h200"))
    rng = np.random.default_rng(0)
    for name, layout in (
        ("llama-3.1-70b", Layout(tp=8)),
        ("gpt-oss-120b", Layout(tp=4)),
        ("deepseek-v3", Layout(dp=8, ep=8)),
    ):
        step = build_step(model(name), layout)
        found, loads = (
            compiled(step, chip("h200"), numbers),
            [Load.decode(64, float(c)) for c in rng.uniform(1, 1e5, 2000)],
        )
        one = _median_seconds(lambda f=found, xs=loads: [f.seconds(x) for x in xs]) / len(loads)
        rows = _median_seconds(lambda s=step, x=loads[0]: step_time(s, x, chip("h200"), numbers), 50)
        many = Load.decode(rng.uniform(1, 4096, 1_000_000), rng.uniform(0, 131_072, 1_000_000))
        rate = 1e6 / _median_seconds(lambda f=found, x=many: f.seconds(x), 3)
        print(
            f"\n  {name}: {one * 1e6:.1f} us a pass, {rows / one:.0f}x faster than its rows one by one; {rate / 1e6:.1f} M points/s"
        )
        assert one < 40e-6
        assert rate > 1.5e6


def _cpu_seconds(*arguments, rounds=5):
    """Median CPU seconds of a fresh process."""
    times = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times)


def test_cold_start():
    """`headway plan` under 5 bare imports of NumPy in CPU time, `headway --help` under 2.5."""
    bare = _cpu_seconds("-c", "pass")
    numpy = _cpu_seconds("-c", "import numpy")
    plan = _cpu_seconds("-m", "headway", "plan", "deepseek-v3", "--on", "gb200-nvl72", "--context", "32k")
    usage = _cpu_seconds("-m", "headway", "--help")
    print(
        f"\n  CPU seconds: python {bare:.2f}, import numpy {numpy:.2f}, headway --help {usage:.2f}, headway plan {plan:.2f}"
    )
    print(f"  ratios: help {usage / numpy:.1f}x and plan {plan / numpy:.1f}x of importing NumPy")
    assert plan < 5 * numpy
    assert usage < 2.5 * numpy


def test_search():
    """Every layout and batch of DeepSeek-V3 in CPU time: under 16 bare imports of NumPy on a GB200 rack, 12 on 32 H200."""
    import json

    numpy = _cpu_seconds("-c", "import numpy")
    readme = ("--ttft", "2s", "--tpot", "30ms", "--rate", "50/s")  # with limits and a fleet: README's own question
    for on, more, limit in (("gb200-nvl72", (), 16), ("h200x32", (), 12), ("gb200-nvl72", readme, 30)):
        asked = ["-m", "headway", "search", "deepseek-v3", "--on", on, "--prompt", "8k", "--output", "1k", *more]
        seconds = _cpu_seconds(*asked)
        done = subprocess.run([sys.executable, *asked, "--json"], check=True, capture_output=True, text=True)
        looked = json.loads(done.stdout)["evaluated"]
        counts = (
            f"{looked['layouts']:,} layouts, {looked['points']:,} points, {looked['pairs_of_pools']:,} pairs of pools"
        )
        print(
            f"\n  {' '.join((on, *more))}: {counts} in {seconds:.2f} CPU seconds, {seconds / numpy:.1f}x of importing NumPy"
        )
        assert seconds < limit * numpy
