"""The machine at hand, measured: memory bandwidth and products by precision, over several runs, beside its datasheet."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from headway.catalog import Row, catalogue
from headway.errors import HeadwayError, InputError
from headway.hardware import Chip, chip
from headway.hardware.cpu import found_faster
from headway.hardware.probes import array_bytes, cores, last_cache, memory_bytes
from headway.measure.machine_load import Others
from headway.serving.names import named_system
from headway.shown import Shown

LIBRARIES = ("numpy", "jax", "torch")
_LONGEST = 300.0  # seconds of a probe, beside what each thing is given
_THINGS = 40  # that a probe measures at the most
_NARROW = ("bfloat16", "float16")
_STEADY = 0.1  # of the median: runs that lie further apart are said to
_CROWD = 0.25  # cores that others may take before it is said
_PEAKS = {"16-bit": "bf16", "int8": "int8"}
_UNLIKE = 0.9  # of the datasheet: what falls short by more is pointed out


@dataclass(frozen=True)
class Rate:
    """One thing measured, run by run.

    Attributes
    ----------
    device : str
        ``cpu``, or the name of an accelerator.
    what, kind : str
        ``read``, ``copy``, ``triad`` or ``product``; of which numbers.
    by : str
        Library.
    threads : int
        0: as many as the library takes. [1]
    runs : tuple of float
        Of each run its fastest repetition. [bytes/s or FLOP/s]
    size : int
        Of an array, or rows of a product. [bytes or rows]
    """

    device: str
    what: str
    kind: str
    by: str
    threads: int
    runs: tuple[float, ...]
    size: int

    @property
    def best(self) -> float:
        """Of the fastest run. [bytes/s or FLOP/s]"""
        return max(self.runs)

    @property
    def median(self) -> float:
        """Of the runs. [bytes/s or FLOP/s]"""
        return statistics.median(self.runs)

    @property
    def spread(self) -> float:
        """How far the runs lie apart, over their median. [share]"""
        return (max(self.runs) - min(self.runs)) / self.median

    @property
    def steady(self) -> bool:
        """Whether the runs agree."""
        return self.spread <= _STEADY


@dataclass(frozen=True)
class Beside:
    """What was measured beside what the datasheet says.

    Attributes
    ----------
    what : str
    measured, stated : float
        [bytes/s or FLOP/s]
    """

    what: str
    measured: float
    stated: float

    @property
    def share(self) -> float:
        """Of the datasheet. [share]"""
        return self.measured / self.stated

    @property
    def short(self) -> bool:
        """Whether it is less than most machines reach of their datasheet."""
        return self.share < _UNLIKE


@dataclass(frozen=True, repr=False)
class Machine(Shown):
    """A device of the machine at hand.

    Attributes
    ----------
    device, model : str
        ``cpu`` or an accelerator's name; what the system calls it.
    cores : int
        That this process may use. [cores]
    memory : float
        0 where the library does not tell. [bytes]
    cache, array : int
        Largest cache that the system tells of; each array of the bandwidths. [bytes]
    rates : tuple of Rate
    others : tuple of float or None
        What other processes took in each run. [cores]
    sheet : Chip or None
        Its row of the catalogue.
    missing : tuple of str
        What could not be measured, and why.
    date : str
    """

    RECORD = "headway.records.machine:machine_record"
    TEXT = "headway.report.machine:machine_text"

    device: str
    model: str
    cores: int
    memory: float
    cache: int
    array: int
    rates: tuple[Rate, ...]
    others: tuple[float | None, ...]
    sheet: Chip | None
    missing: tuple[str, ...]
    date: str

    @property
    def bandwidth(self) -> Rate:
        """The fastest read: what an engine does with its weights."""
        return max((r for r in self.rates if r.what == "read"), key=lambda r: r.best)

    def product(self, *kinds: str) -> Rate | None:
        """Return the fastest product of these numbers; None where none was measured."""
        found = [r for r in self.rates if r.what == "product" and r.kind in kinds]
        return max(found, key=lambda r: r.best) if found else None

    @property
    def wide(self) -> Rate:
        """The fastest product that stands for the 16-bit rate: where 16 bits are no faster than 32, the weights are widened first."""
        found = self.product(*_NARROW, "float32")
        assert found is not None
        return found

    @property
    def crowded(self) -> float:
        """The most that others took in a run; 0 where nobody knows. [cores]"""
        return max((x for x in self.others if x is not None), default=0.0)

    @property
    def disturbed(self) -> bool:
        """Whether others took so much that the figures may be low."""
        return self.crowded > _CROWD

    @property
    def beside(self) -> tuple[Beside, ...]:
        """Measured beside stated, where the chip is in the catalogue."""
        if self.sheet is None:
            return ()
        found = [Beside("memory bandwidth", self.bandwidth.best, self.sheet.bandwidth)]
        for what, kind in _PEAKS.items():
            stated = getattr(self.sheet, kind)
            best = self.wide if kind == "bf16" else self.product("int8")
            if stated and best is not None:
                found.append(Beside(f"{what} products", best.best, stated))
        return tuple(found)

    def row(self, name: str) -> Row:
        """Return the row of `chips.csv` that it makes: best rates of the runs.

        Parameters
        ----------
        name : str
            To be called by ``--on``.
        """
        narrow, memory = self.product("int8"), self.memory or (self.sheet.memory if self.sheet else 0.0)
        read, wide = self.bandwidth, self.wide
        runs = f"best of {len(read.runs)} runs"
        return {
            "name": name, "aliases": "", "vendor": self.sheet.vendor if self.sheet else platform.machine(),
            "generation": self.sheet.generation if self.sheet else "",
            "bf16_TFLOPS": f"{wide.best / 1e12:.4g}", "int8_TOPS": f"{narrow.best / 1e12:.4g}" if narrow else "",
            "memory_GB": f"{memory / 1e9:.4g}" if memory else "", "memory_GBps": f"{read.best / 1e9:.4g}",
            "onchip_MB": f"{self.cache / 1e6:.4g}" if self.cache else "", "status": "measured",
            "note": f"{self.model}, {self.cores} cores; 16-bit rate: {wide.kind} products in {wide.by}; reads in {read.by}; {runs}, "
                    f"apart by {max(read.spread, wide.spread):.0%} at the most; others took {self.crowded:.1f} cores",
            "source": "headway machine", "date": self.date,
        }  # fmt: skip

    def brief(self) -> str:
        """Return the headline in one line."""
        return f"{self.model}: reads {self.bandwidth.best / 1e9:.3g} GB/s, {self.wide.kind} products {self.wide.best / 1e12:.3g} TFLOP/s"


def measure_machine(
    runs: int = 3, spend: float = 0.3, sheet: str = "", told: Callable[[str], None] | None = None
) -> list[Machine]:
    """Measure the processor with NumPy, and what JAX and PyTorch run on where they are installed.

    Parameters
    ----------
    runs : int
        Whole runs, each in processes of its own: they differ by more than one run's repetitions do. [1]
    spend : float
        On each thing in a run. [s]
    sheet : str
        Name in the catalogue of the accelerator, or of the processor where there is none; else it is looked for by what the system
        calls it.
    told : callable or None
        Hears of each probe that has ended.

    Raises
    ------
    InputError
        When the catalogue has no such chip, or NumPy's probe fails.
    """
    stated = named_system(sheet).chip if sheet else None
    found: dict[tuple[str, str, str, str, int], list[tuple[float, int]]] = {}
    memory: dict[str, float] = {"cpu": memory_bytes()}
    others: list[float | None] = []
    missing: dict[str, None] = {}
    for _ in range(runs):
        with Others() as crowd:
            for by in LIBRARIES:
                lines, why = probed(by, spend)
                if why:
                    missing[why] = None
                for line in lines:
                    key = (line["device"], line["what"], line["kind"], line["by"], line["threads"])
                    found.setdefault(key, []).append((line["amount"] / min(line["seconds"]), line["size"]))
                    memory.setdefault(line["device"], line["memory"])
                if told is not None:
                    told(by)
        others.append(crowd.cores)
    rates = [Rate(*key, tuple(r for r, _ in all_), all_[-1][1]) for key, all_ in found.items()]
    whole = [d for d in memory if {"read", "product"} <= {r.what for r in rates if r.device == d}]
    if not whole:
        raise InputError(f"the machine cannot be measured: {'; '.join(missing)}")
    _kept(rates)
    return [
        _machine(d, memory[d], [r for r in rates if r.device == d], others, stated if d == whole[-1] else None, tuple(missing))
        for d in whole
    ]  # fmt: skip


def _kept(rates: Sequence[Rate]) -> None:
    """Reads and float32 products of the processor, for the chip ``cpu``."""
    here = [r for r in rates if (r.device, r.by) == ("cpu", "numpy")]
    found_faster(
        max((r.best for r in here if r.what == "read"), default=0.0),
        max((r.best for r in here if (r.what, r.kind) == ("product", "float32")), default=0.0),
    )


def _machine(
    device: str,
    memory: float,
    own: list[Rate],
    others: list[float | None],
    stated: Chip | None,
    missing: tuple[str, ...],
) -> Machine:
    here = device == "cpu"
    model = processor() if here else device
    return Machine(
        device, model, cores(), memory, last_cache() if here else 0,
        array_bytes() if here else max(r.size for r in own if r.what == "read"), tuple(own), tuple(others),
        stated or listed(model), missing,
        date.today().isoformat(),
    )  # fmt: skip


def probed(by: str, spend: float) -> tuple[list[dict[str, Any]], str]:
    """Run one library's probe in a process of its own; return its lines, and why there are no more of them.

    Parameters
    ----------
    by : str
        Of `LIBRARIES`.
    spend : float
        On each thing. [s]
    """
    if importlib.util.find_spec(by) is None:
        return [], f"{by} is not installed"
    single = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "MKL", "OMP")} if by == "numpy" else {}
    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    words = [sys.executable, "-m", "headway.measure.machine_probe", by, str(spend)]
    try:
        done = subprocess.run(
            words, env=free | single, capture_output=True, text=True, timeout=_LONGEST + _THINGS * spend, check=False
        )
        out, said, code = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as late:
        out, said, code = _text(late.stdout), "it did not end in time", 1
    lines = [json.loads(x) for x in out.splitlines() if x.startswith("{") and x.endswith("}")]
    last = (said.strip().splitlines() or [f"it ended with {code}"])[-1]
    return lines, f"{by} broke off: {last[:200]}" if code else ""


def _text(said: bytes | str | None) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said or ""


def processor() -> str:
    """Return what the system calls the processor."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


_CALLED = re.compile(r"\((?:R|TM)\)|\b(?:CPU|Processor|with Radeon.*|\d+-Core)\b|@.*$", re.IGNORECASE)


def listed(model: str) -> Chip | None:
    """Return the catalogue's row of a chip by what its system calls it; None where there is none."""
    plain = " ".join(_CALLED.sub(" ", model).split())
    rows = catalogue().table("chips")
    for name in (plain, plain.split(" ", 1)[-1]):
        if rows.find(name) is not None:
            return chip(name)
    try:
        return named_system(plain).chip
    except HeadwayError:
        return None
