"""What training a model costs: the recipe, a step's time and memory, and the run from end to end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from headway import units
from headway.catalog import default
from headway.errors import InputError, PhysicsError
from headway.hardware import System, system
from headway.models import Architecture, model
from headway.parallel import Layout, read_layout
from headway.shown import Shown
from headway.training.iterations import Iteration, iteration, trainable
from headway.training.memory import TrainingMemory, training_memory
from headway.training.numbers import IDEAL_NUMBERS, Numbers, training_numbers
from headway.training.passes import RECOMPUTES, Recompute
from headway.training.recipes import Rate, Recipe, States, states
from headway.training.runs import Goodput, Reliability, Run, goodput, reliability, run

BATCH_TOKENS = 4e6  # of a step, where nobody says: GPT-3 175B's 3.2M and Llama 2's 4M; on many chips
_CHIP_TOKENS = 1024  # of each: Llama 3's 16M on 16,384 (arXiv 2407.21783, section 3.3)
_LONGEST_SEQUENCE = 8192  # where nobody says: pre-training of Llama 3
_RUNNERS_UP = 5
_MICRO_BATCHES = (1, 2, 4, 8)
_WAYS: tuple[Recompute, ...] = ("none", "full")  # scores that stay on chip need no selective one


@dataclass(frozen=True, slots=True)
class TrainingQuestion:
    """What is asked of a training run.

    Attributes
    ----------
    model, system : str
    tokens : float
        To train on. [tokens]
    chips : int or None
        Of the system; None: all. [chips]
    layout : str or None
        Of a replica, like tp8pp16; None: the fastest that fits.
    batch : str or None
        Of a step: sequences, or tokens with a unit (16Mtok); None: about 4M tokens, or 1,024 a chip where that is more.
    sequence : float or None
        None: 8,192, or the model's context where that is shorter. [tokens]
    micro_batch : int or None
        None: the fastest that fits. [sequences]
    recompute, schedule : str or None
        None: the fastest that fits.
    zero : int or None
        None: the fastest of 1 and 3, of 1 and 2 in pipelines. [1]
    parts : int
        As of `headway.training.Recipe`. [1]
    overlap : float
        As of `headway.training.Recipe`. [share]
    precision, optimizer, engine : str
        Products in bf16, fp8 or fp4; of the catalogue's `optimizers`; of its `training_engines`.
    price : float or None
        Of a chip; None: the system's. [$/s]
    mtbf, restart, checkpoint, interval : float or None
        As of `headway.training.reliability`. [s]
    """

    model: str
    system: str
    tokens: float
    chips: int | None = None
    layout: str | None = None
    batch: str | None = None
    sequence: float | None = None
    micro_batch: int | None = None
    recompute: Recompute | None = None
    schedule: str | None = None
    zero: int | None = None
    parts: int = 1
    overlap: float = 0.0
    precision: Rate = "bf16"
    optimizer: str = "adam"
    engine: str = "llm-foundry"
    price: float | None = None
    mtbf: float | None = None
    restart: float | None = None
    checkpoint: float | None = None
    interval: float | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """A recipe that was looked at.

    Attributes
    ----------
    recipe : Recipe
    seconds : float
        Of a step; NaN where it does not fit. [s]
    memory : float
        On the fullest chip. [bytes]
    """

    recipe: Recipe
    seconds: float
    memory: float


@dataclass(frozen=True, repr=False)
class TrainingPlan(Shown):
    """A training run.

    Attributes
    ----------
    model : Architecture
    system : System
    numbers : Numbers
    states : States
    step, floor : Iteration
        Estimated, and with every efficiency 1.
    memory : TrainingMemory
    usable : float
        Of a chip, less what training leaves to others. [bytes]
    reliability : Reliability
    goodput : Goodput
    run : Run
    tokens : float
        [tokens]
    others : tuple of Tried
        The next best recipes; of a search.
    looked_at, did_not_fit : int
        Recipes. [1]
    """

    RECORD = "headway.records.train:train_record"
    TEXT = "headway.report.train:train_text"

    model: Architecture
    system: System
    numbers: Numbers
    states: States
    step: Iteration
    floor: Iteration
    memory: TrainingMemory
    usable: float
    reliability: Reliability
    goodput: Goodput
    run: Run
    tokens: float
    others: tuple[Tried, ...]
    looked_at: int
    did_not_fit: int

    @property
    def interval(self) -> tuple[float, float]:
        """80 % interval of a step's time, never below its floor. [s, s]"""
        n, least = self.numbers, self.floor.seconds
        return max(self.step.seconds * (1 + n.low), least), max(self.step.seconds * (1 + n.high), least)

    @property
    def tokens_per_parameter(self) -> float:
        """Of active parameters. [tokens/parameter]"""
        return self.tokens / self.model.active_parameters

    def brief(self) -> str:
        """Return the headline in one line."""
        cost = "" if self.run.dollars is None else f", {units.dollars(self.run.dollars)}"
        return (
            f"{self.model.name} on {self.step.recipe.chips:,} of {self.system.name}: {self.run.seconds / 86400:,.3g} days{cost}, "
            f"MFU {units.per_cent(self.step.mfu)}"
        )


def train(q: TrainingQuestion) -> TrainingPlan:
    """Return what a training run takes: time, dollars, MFU, memory.

    Parameters
    ----------
    q : TrainingQuestion

    Raises
    ------
    InputError
        For names that are not known, layouts that do not divide, a batch that does not.
    PhysicsError
        When nothing fits in memory, or failures leave no time.
    """
    arch, on = trainable(model(q.model)), system(q.system)
    on = (on if q.chips is None else on.resized(q.chips)).priced(q.price)
    if not q.tokens > 0:
        raise InputError(f"--tokens: {q.tokens:g} must be positive, like 15T")
    kept, numbers = states(q.optimizer), training_numbers(q.engine)
    usable = on.chip.usable * (1 - default("training_reserve"))
    tried = [_tried(arch, on, r, kept, numbers, usable) for r in _recipes(q, arch, on)]
    fits = sorted((t for t in tried if not math.isnan(t.seconds)), key=lambda t: t.seconds)
    if not fits:
        raise PhysicsError(_refusal(arch, on, tried, usable))
    best = fits[0].recipe
    step = iteration(arch, on, best, kept, numbers)
    floor = iteration(arch, on, best, kept, IDEAL_NUMBERS)
    whole = arch.total_parameters * (kept.weight + kept.optimizer)
    r = reliability(best.chips, whole, mtbf=q.mtbf, restart=q.restart, checkpoint=q.checkpoint, interval=q.interval)
    g = goodput(best.chips, r)
    found = run(q.tokens, best.tokens, step.seconds, best.chips, g, whole, price=on.price, power=on.chip.power)
    memory = training_memory(arch, best, kept, numbers.scores)
    return TrainingPlan(
        arch, on, numbers, kept, step, floor, memory, usable, r, g, found, q.tokens, tuple(fits[1 : 1 + _RUNNERS_UP]), len(tried),
        len(tried) - len(fits),
    )  # fmt: skip


def _tried(arch: Architecture, on: System, r: Recipe, kept: States, n: Numbers, usable: float) -> Tried:
    memory = training_memory(arch, r, kept, n.scores).total
    return Tried(r, iteration(arch, on, r, kept, n).seconds if memory <= usable else math.nan, memory)


def _refusal(arch: Architecture, on: System, tried: Sequence[Tried], usable: float) -> str:
    least = min(tried, key=lambda t: t.memory)
    r = least.recipe
    return (
        f"{arch.name} is not trained on {on.name}: {least.memory / 1e9:,.1f} GB on the fullest chip as {r.replicas} x {r.layout} "
        f"(micro-batch {r.micro_batch}, recompute {r.recompute}, ZeRO {r.zero}) exceed the {usable / 1e9:,.1f} GB usable by "
        f"{(least.memory - usable) / 1e9:,.1f} GB; more chips, --zero 3, --recompute full or --optimizer adam-8bit need less"
    )


def batch_sequences(text: str | None, sequence: int) -> tuple[int | None, bool]:
    """Read the batch of a step: sequences, and whether it was given in tokens, which are rounded to what divides.

    Parameters
    ----------
    text : str or None
        ``2048``, ``16Mtok``.
    sequence : int
        Tokens of each. [tokens]

    Raises
    ------
    InputError
        When it cannot be read, or is less than a sequence.
    """
    if text is None:
        return None, True
    plain = text.strip()
    unit = next((u for u in ("tokens", "token", "tok") if plain.endswith(u)), "")
    kind, each = (units.TOKENS, sequence) if unit else (units.COUNT, 1)
    found = round(units.parse(plain.removesuffix(unit).strip(), kind, "--global-batch") / each)
    if found < 1:
        raise InputError(f"--global-batch {text}: at least one sequence of {sequence:,} tokens is needed")
    return found, bool(unit)


def _recipes(q: TrainingQuestion, arch: Architecture, on: System) -> list[Recipe]:
    """Every recipe that the question leaves open."""
    sequence = int(min(_LONGEST_SEQUENCE, arch.max_context) if q.sequence is None else q.sequence)
    for name, value in (("sequence", sequence), ("micro-batch", q.micro_batch)):
        if value is not None and value < 1:
            raise InputError(f"--{name}: {value} must be at least 1")
    batch, rounded = batch_sequences(q.batch, sequence)
    wanted = batch or max(BATCH_TOKENS, _CHIP_TOKENS * on.chips) / sequence
    again = (q.recompute,) if q.recompute else _WAYS if training_numbers(q.engine).scores.fused else RECOMPUTES
    found: list[Recipe] = []
    why: list[str] = []
    for layout in _layouts(q, arch, on):
        replicas = on.chips // layout.chips
        zeros = (q.zero,) if q.zero is not None else (1, 3) if layout.pp == 1 else (1, 2)
        micros = _MICRO_BATCHES if q.micro_batch is None else (q.micro_batch,)
        for micro, how, zero, (schedule, parts) in itertools.product(micros, again, zeros, _schedules(q, arch, layout)):
            once = replicas * layout.dp * micro * (layout.pp if schedule == "interleaved" else 1)
            size = max(round(wanted / once), 1) * once if rounded else int(wanted)
            try:
                r = Recipe(layout, replicas, sequence, size, micro, how, zero, schedule, parts, q.precision, q.overlap)
                r.check(arch)
            except InputError as error:
                why.append(str(error))
            else:
                found.append(r)
    if not found:
        raise InputError(why[0] if why else f"no layout of {arch.name} uses the {on.chips:,} chips of {on.name}")
    return found


def _schedules(q: TrainingQuestion, arch: Architecture, layout: Layout) -> list[tuple[str, int]]:
    """Schedules of a pipeline: what is asked for, else 1F1B, plain and interleaved over whole layers."""
    if q.schedule or q.parts > 1:
        return [(q.schedule or "interleaved", q.parts)]
    each = arch.layer_count // layout.pp
    several = [("interleaved", v) for v in (2, 4, 8) if v <= each] if layout.pp > 1 else []
    return [("1f1b", 1), *several]


def _layouts(q: TrainingQuestion, arch: Architecture, on: System) -> list[Layout]:
    if q.layout:
        layout = read_layout(q.layout)
        if layout.offloads:
            raise InputError(f"--layout {q.layout}: training leaves nothing to a host's processor")
        if layout.chips > on.chips:
            raise PhysicsError(f"{layout} takes {layout.chips:,} chips; {on.name} has {on.chips:,}")
        return [layout]
    powers = [2**i for i in range(15)]
    experts = arch.experts.count if arch.experts else 1
    found: list[Layout] = []
    for tp in (x for x in powers if x <= on.joined and (arch.attention_heads or 1) % x == 0):
        for ep in (x for x in powers if x <= experts and experts % x == 0):
            groups = max(ep // tp, 1)
            for pp in (x for x in powers if x <= arch.layer_count):
                layout = Layout(tp=tp, dp=groups, ep=min(ep, tp * groups), pp=pp)
                if on.chips % layout.chips == 0 and layout not in found:
                    found.append(layout)
    return found
