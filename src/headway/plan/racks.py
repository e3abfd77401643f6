"""The lecture's second and third chapters for a real model and machine: racks, pipelines, and what to cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from headway.batching import Scene, lines
from headway.catalog import catalogue, default
from headway.errors import InputError
from headway.hardware import Chip, System, chip, weights_read_time
from headway.models import Architecture
from headway.parallel import (
    Layout,
    all_to_all_slowdown,
    build_step,
    crossing_fraction,
    fewest_layers_per_stage,
    latency_with_hops,
    place_experts,
    scale_up_over_scale_out,
    widest_tensor,
)
from headway.parallel.advisor import Advice, Subject, advise
from headway.parallel.racks import ExpertPlacement
from headway.parallel.schedules import SCHEDULES, Play, decode_play, training_play
from headway.questions import AUTO, Request
from headway.roofline import (
    ALGORITHMS,
    IDEAL,
    Calibration,
    Load,
    collective_seconds,
    fastest_algorithm,
    step_time,
    traffic,
)
from headway.serving import Setting, setting
from headway.shown import Shown


@dataclass(frozen=True)
class Across:
    """An expert layer over R racks.

    Attributes
    ----------
    racks : int
        R. [1]
    crossing : float
        Share of uniformly routed copies that leave their rack. [share]
    lecture, own : float
        Slow-down of the all-to-all at the lecture's ratio of bandwidths, and at this machine's. [times]
    once : float or None
        Slow-down when a token crosses once to each other rack, however many of its experts lie there. [times]
    seconds : float or None
        The model's dispatch and combine of one pass, as `once`. [s]
    """

    racks: int
    crossing: float
    lecture: float
    own: float | None
    once: float | None
    seconds: float | None


@dataclass(frozen=True)
class Depth:
    """A pipeline over P racks (lecture 4.2, 5.2, 5.3).

    Attributes
    ----------
    stages, layers : int
        P, layers of the fullest stage. [stages, layers]
    ratio : float
        Scale-up over scale-out time at the lecture's ratio; at least 1 is wanted. [times]
    own_ratio : float or None
        The same at this machine's ratio. [times]
    weights, cache : float
        On one chip. [bytes]
    shortfall : float
        By which a chip's memory is too small; 0 where it fits. [bytes]
    batch : float
        Sequences in flight on all stages. [sequences]
    step, hopped : float
        Decode step of a micro-batch; with a hop after each stage. [s]
    """

    stages: int
    layers: int
    ratio: float
    own_ratio: float | None
    weights: float
    cache: float
    shortfall: float
    batch: float
    step: float
    hopped: tuple[float, float, float]


@dataclass(frozen=True)
class Generation:
    """A scale-up domain of the catalogue."""

    name: str
    chips: int
    used: int
    memory: float | None
    bandwidth: float | None
    weights_read: float | None
    terabyte_read: float | None
    cables: float | None
    note: str


@dataclass(frozen=True)
class Collective:
    """One collective of one size over one scale-up domain and over two, as a step of the engine would take it.

    Attributes
    ----------
    kind, algorithm : str
        What it does, and the fastest way to do it inside a domain.
    size : float
        Of the whole vector. [bytes]
    rounds, sent : float
        Of that algorithm on one chip, inside a domain. [1, bytes]
    inside, across : float
        Over one domain; over two, None where nothing joins them. [s]
    """

    kind: str
    size: float
    algorithm: str
    rounds: float
    sent: float
    inside: float
    across: float | None


_SIZES = (64e3, 1e6, 64e6)  # a small decode's, a large decode's, a prefill's


def collective_table(system: System, numbers: Calibration) -> tuple[Collective, ...]:
    """Return every kind of collective at three sizes on a system, timed by the law of `step_time` under a calibration."""
    domain = system.joined
    if domain < 2:
        return ()
    found: list[Collective] = []
    for kind in ALGORITHMS:
        for size in _SIZES:
            name = fastest_algorithm(kind, size, domain, system.chip, numbers, system.adds_in_network)
            moved = traffic(kind, name, size, domain)
            inside = collective_seconds(kind, size, domain, system.chip, numbers, name)
            across = (
                collective_seconds(kind, size, 2 * domain, system.chip, numbers, name) if system.scale_out else None
            )
            found.append(Collective(kind, size, name, float(moved.rounds), float(moved.sent), inside, across))
    return tuple(found)


@dataclass(frozen=True, repr=False)
class RackReport(Shown):
    """Everything that `headway racks` says. Times in seconds, sizes in bytes."""

    RECORD = "headway.records.racks:racks_record"
    TEXT = "headway.report.racks:racks_text"

    model: Architecture
    system: System
    placement: ExpertPlacement | None
    filled: Layout | None
    ratio: float | None
    lecture_ratio: float
    micro_batch: float
    context: float
    fewest_layers: float | None
    own_fewest_layers: float | None
    across: tuple[Across, ...]
    depths: tuple[Depth, ...]
    hop: float
    collectives: tuple[Collective, ...]
    generations: tuple[Generation, ...]
    decode: tuple[Play, ...]
    training: tuple[Play, ...]
    advice: Advice

    def brief(self) -> str:
        """Return the headline in one line."""
        return f"{self.model.name} on racks of {self.system.name}: {len(self.across)} sizes, micro-batches of {self.micro_batch:,.0f}"


def racks(
    model: str,
    on: str,
    racks: Sequence[int] = (1, 2, 4, 8),
    *,
    context: float = 100e3,
    batch: float | None = None,
    hop: float | None = None,
    engine: str = AUTO,
    precision: str | None = None,
    kv_precision: str | None = None,
    training: bool = False,
) -> RackReport:
    """Return the report for a model on racks of a system.

    Parameters
    ----------
    model, on : str
        Names of model and system; one rack is the system's scale-up domain.
    racks : sequence of int
        Numbers of racks to look at. [1]
    context : float
        Tokens per sequence. [tokens]
    batch : float or None
        Sequences of one micro-batch; default: the balance batch of one copy of the weights (E5), or what memory holds.
        [sequences]
    hop : float or None
        From a rack to the next; default: the lecture's. [s]
    engine : str
        Profile of the step times.
    training : bool
        Advise for training.

    Raises
    ------
    InputError
        Unknown names, or a number of racks below 1 or above the layers.
    """
    if context < 1:
        raise InputError(f"--context: {context:g} must be at least 1 token")
    where = setting(Request(model=model, system=on, context=context, engine=engine,
                            precision=precision, kv_precision=kv_precision))  # fmt: skip
    arch = where.model
    for r in racks:
        if not 1 <= r <= arch.layer_count:
            raise InputError(f"--racks: {r} must be in 1..{arch.layer_count}, the layers of {arch.name}")
    return _report(where, tuple(racks), context, batch, default("rack_hop") if hop is None else hop, training)


def _report(
    where: Setting, racks: tuple[int, ...], context: float, batch: float | None, wait: float, training: bool
) -> RackReport:
    arch, system = where.model, where.system
    domain = system.joined
    placement = place_experts(arch.experts.count, domain) if arch.experts else None
    one = Layout(dp=placement.used, ep=placement.used) if placement and placement.used > 1 else _dense(arch, domain)
    micro = batch or _micro_batch(where, one, racks)
    lecture, own = default("lecture_bandwidth_ratio"), system.link / system.scale_out if system.scale_out else None
    active = arch.experts.active if arch.experts else None
    copies = -arch.experts.count % domain if arch.experts else 0
    return RackReport(
        model=arch, system=system, placement=placement,
        filled=Layout(dp=domain, ep=domain, redundant=copies) if copies and arch.experts and copies <= arch.experts.count else None,
        ratio=own, lecture_ratio=lecture, micro_batch=micro, context=context,
        fewest_layers=float(fewest_layers_per_stage(active, lecture)) if active else None,
        own_fewest_layers=float(fewest_layers_per_stage(active, own)) if active and own else None,
        across=tuple(_across(arch, system, placement, r, micro, lecture, own) for r in racks),
        depths=tuple(_depth(where, replace(one, pp=r), micro, context, wait, (lecture, own)) for r in racks),
        hop=wait, collectives=collective_table(system, where.numbers), generations=generations(arch.weight_bytes),
        decode=tuple(decode_play(_stages(racks), m) for m in range(1, _stages(racks) + 2)),
        training=tuple(training_play(s, _stages(racks), m) for m in (_stages(racks), 4 * _stages(racks)) for s in SCHEDULES),
        advice=advise(Subject.of(arch, context), system.chip, domain, default("memory_reserve"), training=training),
    )  # fmt: skip


def _micro_batch(where: Setting, one: Layout, racks: Sequence[int]) -> float:
    """The balance batch of one copy of the weights (lecture E5, E16), or what memory holds of it at every depth that fits."""
    scene = Scene(where.step(Layout()), where.system.chip, IDEAL)
    balance = lines(scene, 0.0).balance_batch
    held = [where.account(replace(one, pp=p)).fits / p for p in racks]
    room = min((h for h in held if h >= 1), default=balance)
    return max(float(np.floor(min(balance, room))), 1.0)


def _stages(racks: Sequence[int]) -> int:
    """Stages of the schedules shown: the lecture's four, or fewer where no more racks are asked for."""
    return min(max(*racks, 2), 4)


def _dense(arch: Architecture, domain: int) -> Layout:
    """Tensor slices over as much of the domain as the heads divide."""
    return Layout(tp=widest_tensor(arch, domain))


def _across(
    arch: Architecture, system: System, placed: ExpertPlacement | None, racks: int, micro: float, lecture: float,
    own: float | None,
) -> Across:  # fmt: skip
    """All-to-all over racks: the lecture's uniform law, and the model's own copies sent once per rack."""
    slow = float(all_to_all_slowdown(racks, lecture))
    mine = float(all_to_all_slowdown(racks, own)) if own else None
    many = arch.experts is not None and placed is not None and placed.used * racks > 2 * arch.experts.count
    if placed is None or arch.experts is None or placed.used < 2 or (racks > 1 and not own) or many:
        return Across(racks, float(crossing_fraction(racks)), slow, mine, None, None)
    one = _exchange(arch, system, placed, 1, micro)
    seconds = _exchange(arch, system, placed, racks, micro)
    return Across(racks, float(crossing_fraction(racks)), slow, mine, seconds / one if one else None, seconds)


def _exchange(arch: Architecture, system: System, placed: ExpertPlacement, racks: int, micro: float) -> float:
    """Time of dispatch and combine of one pass with as many sequences per chip as on one rack, on an ideal network."""
    assert arch.experts is not None
    chips = placed.used * racks
    extra = -arch.experts.count % chips
    layout = Layout(dp=chips, ep=chips, redundant=extra)
    domain = replace(system.chip, domain=placed.used)  # racks of the chips in use
    step = build_step(arch, layout, system.adds_in_network)
    t = step_time(step, Load.decode(micro * racks, 1.0), domain, IDEAL)
    return float(sum(r.network for r in t.rows if r.name in ("dispatch", "combine")))


def _depth(
    where: Setting, layout: Layout, micro: float, context: float, hop: float, ratios: tuple[float, float | None]
) -> Depth:
    arch = where.model
    layers = -(-arch.layer_count // layout.pp)
    active = arch.experts.active if arch.experts else 1
    lecture, own = ratios
    seconds = float(where.passes_of(replace(layout, pp=1)).seconds(Load.decode(micro, context)))
    wide = default("rack_hop_uncertainty")
    hops = 0 if layout.pp == 1 else layout.pp
    ends = tuple(float(latency_with_hops(seconds, hops, h)) for h in (hop / wide, hop, hop * wide))
    held = where.account(layout)
    here = float(np.ceil(micro * layout.pp / layout.dp))
    return Depth(
        stages=layout.pp, layers=layers, ratio=float(scale_up_over_scale_out(active, layers, lecture)),
        own_ratio=float(scale_up_over_scale_out(active, layers, own)) if own else None,
        weights=held.weights, cache=held.kv_per_sequence * here,
        shortfall=max(held.per_sequence * here - held.free, 0.0), batch=micro * layout.pp, step=seconds,
        hopped=(ends[0], ends[1], ends[2]),
    )  # fmt: skip


def generations(weights: float) -> tuple[Generation, ...]:
    """Return the catalogue's scale-up domains, and how long each takes to read `weights` bytes once (lecture E18).

    Parameters
    ----------
    weights : float
        Of the whole model. [bytes]
    """
    found: list[Generation] = []
    for row in catalogue().table("domains").rows:
        count, used = int(row["chips"]), int(row["used"] or row["chips"])
        one: Chip | None = chip(row["chip"]) if row["chip"] else None
        found.append(
            Generation(
                row["name"], count, used, one.memory * count if one else None, one.bandwidth * count if one else None,
                float(weights_read_time(weights, 1, count, one.bandwidth)) if one else None,
                float(weights_read_time(1e12, 1, count, one.bandwidth)) if one else None,
                float(row["cables_per_chip"]) * count if row["cables_per_chip"] else None, row["note"],
            )
        )  # fmt: skip
    return tuple(found)
