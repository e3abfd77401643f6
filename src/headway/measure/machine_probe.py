"""Benchmarks of one run, in a process of their own: ``python -m headway.measure.machine_probe numpy`` prints a JSON line for each.

Its parent has set how many threads a BLAS takes; JAX and PyTorch are imported in no other process.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from headway.hardware.probes import Timed, array_bytes, cores, product, repeated, streams

Line = dict[str, Any]
_KINDS = ("float32", "bfloat16", "float16")
_ON_DEVICE = 2_000_000_000  # bytes of an array on an accelerator: beyond every cache
_ENOUGH = 0.02  # seconds of a product: shorter ones time the call
_TOO_LONG = 1.0  # seconds: what a processor emulates is not multiplied at length
_LARGEST = 16384  # rows


def _line(by: str, device: str, what: str, kind: str, threads: int, timed: Timed, memory: float = 0.0) -> Line:
    return {
        "by": by, "device": device, "what": what, "kind": kind, "threads": threads, "amount": timed.amount,
        "seconds": list(timed.seconds), "size": timed.size, "memory": memory,
    }  # fmt: skip


def with_numpy(spend: float) -> Iterator[Line]:
    """Yield bandwidths and products of the processor, by one thread and by all.

    Parameters
    ----------
    spend : float
        On each. [s]
    """
    for threads in sorted({1, cores()}):
        for what, timed in streams(array_bytes(), threads, spend).items():
            yield _line("numpy", "cpu", what, "float64", threads, timed)
        for kind in ("float32", "float64"):
            yield _line("numpy", "cpu", "product", kind, threads, product(kind, threads, spend))


def _grown(make: Callable[[int], Callable[[], object]], spend: float) -> Timed:
    """Products of ever larger squares, until one takes a while."""
    n = 512
    while True:
        action = make(n)
        once = min(repeated(action, 0.0, 1))
        if once >= _ENOUGH or n >= _LARGEST:
            least = 1 if once > _TOO_LONG else 3
            return Timed(2.0 * n**3, repeated(action, spend, least), n)
        n *= 2


def _more(x: Any) -> Any:
    return x + 1


def _triad(x: Any, y: Any) -> Any:
    return x + 3 * y


def with_jax(spend: float) -> Iterator[Line]:
    """Yield what JAX's default device does: products by precision, and bandwidths where it is no processor.

    Parameters
    ----------
    spend : float
        On each. [s]
    """
    jax: Any = importlib.import_module("jax")
    np: Any = jax.numpy
    device = jax.devices()[0]
    name = "cpu" if device.platform == "cpu" else str(device.device_kind)
    if device.platform != "cpu":
        memory = float((device.memory_stats() or {}).get("bytes_limit", 0))
        count = _ON_DEVICE // 4
        a, b = np.ones(count, np.float32), np.ones(count, np.float32)
        works: dict[str, tuple[int, Any, tuple[Any, ...]]] = {
            "read": (1, jax.jit(np.sum), (a,)),
            "copy": (2, jax.jit(_more), (a,)),
            "triad": (3, jax.jit(_triad), (a, b)),
        }
        for what, (arrays, work, given) in works.items():

            def action(work: Any = work, given: tuple[Any, ...] = given) -> object:
                return work(*given).block_until_ready()

            timed = Timed(arrays * count * 4.0, repeated(action, spend), count * 4)
            yield _line("jax", name, what, "float32", 0, timed, memory)
    for kind in (*_KINDS, "int8"):
        into = "int32" if kind == "int8" else "float32"

        def made(n: int, kind: str = kind, into: str = into) -> Callable[[], object]:
            x = np.ones((n, n), kind)
            multiply = jax.jit(functools.partial(np.matmul, preferred_element_type=into))
            return lambda: multiply(x, x).block_until_ready()

        yield _line("jax", name, "product", kind, 0, _grown(made, spend))


def with_torch(spend: float) -> Iterator[Line]:
    """Yield what PyTorch does on its GPU, or on the processor where it has none.

    Parameters
    ----------
    spend : float
        On each. [s]
    """
    torch: Any = importlib.import_module("torch")
    on = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    name = torch.cuda.get_device_name() if on == "cuda" else on

    def settled(action: Callable[[], object]) -> Callable[[], object]:
        def whole() -> None:
            action()
            if on != "cpu":
                getattr(torch, on).synchronize()

        return whole

    if on != "cpu":
        memory = float(torch.cuda.get_device_properties(0).total_memory) if on == "cuda" else 0.0
        count = _ON_DEVICE // 4
        a, b, c = (torch.ones(count, device=on) for _ in range(3))
        works = {
            "read": (1, a.sum), "copy": (2, lambda: b.copy_(a)), "triad": (3, lambda: torch.add(a, b, alpha=3.0, out=c)),
        }  # fmt: skip
        for what, (arrays, work) in works.items():
            timed = Timed(arrays * count * 4.0, repeated(settled(work), spend), count * 4)
            yield _line("torch", name, what, "float32", 0, timed, memory)
    for kind in _KINDS:

        def made(n: int, kind: str = kind) -> Callable[[], object]:
            x = torch.ones((n, n), device=on, dtype=getattr(torch, kind))
            return settled(lambda: torch.matmul(x, x))

        yield _line("torch", name, "product", kind, 0, _grown(made, spend))


PROBES: dict[str, Callable[[float], Iterator[Line]]] = {"numpy": with_numpy, "jax": with_jax, "torch": with_torch}


def main() -> None:
    """Run one probe (the first argument), so long on each thing (the second, in seconds)."""
    by, spend = sys.argv[1], float(sys.argv[2])
    for line in PROBES[by](spend):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
