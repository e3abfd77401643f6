"""How replicas are run, as people write it: ``static:32,timeout=1s``, ``fast:20%,seats=40%,ttft=500ms``, ``host:1TB@50GB/s``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from headway import units
from headway.errors import InputError, quoted, unknown
from headway.hardware import with_host
from headway.parallel import Layout, kv_per_chip
from headway.serving import Setting
from headway.simulation import Requests
from headway.simulation.autoscaling import Autoscale
from headway.simulation.deployment import Operation
from headway.simulation.policies import Chunked, DecodeFirst, Departures, Policy, PrefillFirst, Static
from headway.simulation.prefixes import Prefix, Store
from headway.simulation.routers import LeastLoaded, PrefixAware, RoundRobin, Router, Tiered
from headway.simulation.tiers import Tier, checked, dealt
from headway.simulation.traffic.specs import Spec, duration, number

POLICIES: dict[str, str] = {
    "engine": "engine", "chunked": "chunked", "prefill-first": "prefill-first", "decode-first": "decode-first",
    "static": "static:32,timeout=1s", "departures": "departures:20ms",
}  # fmt: skip
ROUTERS: dict[str, str] = {
    "round-robin": "round-robin", "least-loaded": "least-loaded", "prefix-aware": "prefix-aware,ahead=32", "tiered": "tiered:2+6",
}  # fmt: skip
_SCALED = {"autoscale": "autoscale:64,least=1,boot=2min,calm=5min,every=15s"}
_PLAIN: dict[str, Callable[[], Policy | None]] = {
    "engine": lambda: None, "chunked": Chunked, "prefill-first": PrefillFirst, "decode-first": DecodeFirst,
}  # fmt: skip


def _kind(text: str, what: str, examples: dict[str, str]) -> Spec:
    name, comma, more = text.partition(",")
    bare = bool(comma) and ":" not in name  # nothing leads: `name,key=value`
    spec = Spec(f"{name}:,{more}" if bare else text, what, examples)
    if spec.kind not in examples:
        raise unknown(what, spec.kind, list(examples), f"Known: {', '.join(examples.values())}.")
    return spec


def whole(text: str | float, where: str) -> int:
    """Read a whole number of at least 1. [1]

    Parameters
    ----------
    text : str or float
    where : str
        Where it stands, for the message.
    """
    found = number(text, where)
    if found < 1 or found != int(found):
        raise InputError(f"{where}: {quoted(text)}; a whole number of at least 1 is needed")
    return int(found)


def share(text: str | float, where: str) -> float:
    """Read a share: ``20%`` or ``0.2``. [share]

    Parameters
    ----------
    text : str or float
    where : str
        Where it stands, for the message.
    """
    found = units.share(str(text))
    if math.isnan(found):
        raise InputError(f"{where}: {quoted(text)}; a share is needed, like 20% or 0.2")
    return found


def margin(text: str) -> float:
    """Read a margin: a share, or none. [share]

    Parameters
    ----------
    text : str
        ``50%``, ``0.5``, ``0``.
    """
    return 0.0 if text in ("0", "0%") else share(text, "--margin")


def policy(text: str) -> Policy | None:
    """Return a scheduler by name; None for ``engine``: the engine's own.

    Parameters
    ----------
    text : str
        ``chunked``, ``prefill-first``, ``decode-first``, ``static:32,timeout=1s``, ``departures:20ms``.

    Raises
    ------
    InputError
        When it is not known or its numbers cannot be read.
    """
    spec = _kind(text, "policy", POLICIES)
    if spec.kind == "static":
        batch, timeout = spec.leading(whole, "batch"), spec.take("timeout", duration, 1.0)
        spec.done()
        return Static(batch, timeout)
    if spec.kind == "departures":
        headway = spec.leading(duration, "headway")
        spec.done()
        return Departures(headway)
    if spec.lead:
        raise InputError(f"policy {quoted(text)}: {spec.kind} takes no number")
    spec.done()
    return _PLAIN[spec.kind]()


def router(text: str, tier: Sequence[int] = ()) -> Router:
    """Return a router by name.

    Parameters
    ----------
    text : str
        ``round-robin``, ``least-loaded``, ``prefix-aware`` (``,ahead=32``), ``tiered:2+6``: replicas of each tier.
    tier : sequence of int
        Of each request. [1]

    Raises
    ------
    InputError
        When it is not known or its numbers cannot be read.
    """
    spec = _kind(text, "router", ROUTERS)
    if spec.kind == "tiered":
        if not spec.lead:
            raise InputError(f"router {quoted(text)}: the replicas of each tier are needed, as in {ROUTERS['tiered']}")
        counts = tuple(whole(part, f"router {quoted(text)}") for part in spec.lead.split("+"))
        spec.done()
        return Tiered(tier, counts)
    if spec.kind == "prefix-aware":
        ahead = spec.take("ahead", whole, 32)
        spec.done()
        return PrefixAware(ahead)
    spec.done()
    return LeastLoaded() if spec.kind == "least-loaded" else RoundRobin()


def tiers(text: str) -> tuple[Tier, ...]:
    """Return tiers, the most urgent first.

    Parameters
    ----------
    text : str
        ``fast:20%,seats=40%,ttft=500ms,tpot=20ms,standard:50%,batch:30%,patience=1h``: the share of the traffic behind the colon;
        ``seats`` it may take at most, ``patience`` after which it is turned away, ``ttft`` and ``tpot`` that it is promised.

    Raises
    ------
    InputError
        When it cannot be read, or the shares do not add up to 1.
    """
    pieces: list[str] = []
    for part in text.split(","):
        key = part.partition("=")[0]
        if ":" in key or not pieces:
            pieces.append(part)
        else:
            pieces[-1] += "," + part
    found: list[Tier] = []
    for piece in pieces:
        name = piece.partition(":")[0].strip().lower()
        spec = Spec(piece, "tier", {name: "fast:20%,seats=40%,ttft=500ms,tpot=20ms"})
        found.append(Tier(
            name, spec.leading(share, "share of the traffic"), spec.take("seats", share, 1.0), spec.take("patience", duration, math.inf),
            spec.take("ttft", duration, math.inf), spec.take("tpot", duration, math.inf),
        ))  # fmt: skip
        spec.done()
    return checked(found)


def autoscale(text: str) -> Autoscale:
    """Return an autoscaler.

    Parameters
    ----------
    text : str
        ``64,least=1,boot=2min,calm=5min,every=15s``: requests that a replica shall have, waiting or running.

    Raises
    ------
    InputError
        When it cannot be read.
    """
    spec = Spec(f"autoscale:{text}", "autoscaler", _SCALED)
    usual = Autoscale()
    found = Autoscale(
        spec.take("least", whole, usual.least), float(spec.leading(whole, "target")), spec.take("every", duration, usual.every),
        spec.take("boot", duration, usual.boot), spec.take("calm", duration, usual.calm),
    )  # fmt: skip
    spec.done()
    return found


def prefix(s: Setting, layout: Layout, ttl: str | None, below: str | None) -> Prefix:
    """Return how prefixes are kept.

    Parameters
    ----------
    s : Setting
    layout : Layout
        Of a replica.
    ttl : str or None
        After which a prefix that nobody has used is forgotten; None: never.
    below : str or None
        Where blocks go that the chips' memory gives up: ``host`` (the catalogue's, a replica's share), ``host:1TB@50GB/s`` (of a
        replica), and others after it.

    Raises
    ------
    InputError
        When it cannot be read.
    """
    size = max(s.prompt, 1.0)
    moved = (
        float(kv_per_chip(s.model, layout, size)) / size * layout.chips
    )  # bytes of a token, if every chip held its part
    held = moved / layout.dp  # it lies on the chips of one group, and comes over their links
    stores: list[Store] = []
    for part in below.split(",") if below else []:
        name, sign, rest = (x.strip() for x in part.partition(":"))
        if name.lower() == "host" and not sign:
            chip = with_host(s.system).chip
            room, rate = (chip.cpu.memory if chip.cpu else 0.0) * layout.chips, chip.cpu_link * layout.chips
        else:
            amount, at, speed = rest.partition("@")
            where = f"--cache-below {quoted(part.strip())}"
            if not at:
                raise InputError(f"{where}: size and rate of one replica are needed, like host:1TB@50GB/s")
            room, rate = units.parse(amount, units.BYTES, where), units.parse(speed, units.BYTES_PER_SECOND, where)
        stores.append(Store(name, room / held, moved / rate))
    return Prefix(math.inf if ttl is None else duration(ttl, "--cache-ttl"), tuple(stores))


@dataclass(frozen=True)
class Words:
    """How replicas are run, in words; see the functions of this module and `Operation`.

    Attributes
    ----------
    policy, router : str
    max_sequences, max_queue : int or None
        Requests that run, and that wait, on a replica at the most. [requests]
    tiers, cache_ttl, cache_below, autoscale : str or None
    cache, swap, contiguous : bool
    watermark : str or None
        Share of the KV blocks that must stay free when somebody boards.
    prefill : str or None
        Replicas that compute prompts only.
    """

    policy: str = "engine"
    router: str = "round-robin"
    max_sequences: int | None = None
    max_queue: int | None = None
    tiers: str | None = None
    cache: bool = True
    cache_ttl: str | None = None
    cache_below: str | None = None
    swap: bool = False
    contiguous: bool = False
    watermark: str | None = None
    prefill: str | None = None
    autoscale: str | None = None


AS_IT_IS = Words()


def operation(words: Words, s: Setting, layout: Layout, traffic: Requests, seed: int = 0) -> Operation:
    """Return how replicas are run, from words.

    Parameters
    ----------
    words : Words
    s : Setting
    layout : Layout
        Of a replica.
    traffic : Requests
        Its longest request is what a contiguous cache takes room for.
    seed : int
        Of who is of which tier. [1]

    Raises
    ------
    InputError
        When something cannot be read.
    """
    w = words
    if not w.cache and (w.cache_ttl or w.cache_below):
        raise InputError("--no-cache keeps no prefixes: leave out --cache-ttl and --cache-below")
    for name, most, least in (("--max-sequences", w.max_sequences, 1), ("--max-queue", w.max_queue, 0)):
        if most is not None and most < least:
            raise InputError(f"{name}: {most}; it must be at least {least}")
    classes = tiers(w.tiers) if w.tiers else ()
    routes = router(w.router)
    if isinstance(routes, Tiered):
        if len(routes.replicas) != max(len(traffic.tiers), len(classes)):
            raise InputError(
                f"--router {w.router}: replicas of {len(routes.replicas)} tiers, of which there are {len(classes) or 1}"
            )
        routes = replace(routes, tier=dealt(traffic, classes, seed).tier.tolist())
    longest = int((traffic.prompt + traffic.output).max(initial=2)) - 1 if w.contiguous else 0
    return Operation(
        policy=policy(w.policy), router=routes, sequences=w.max_sequences, tiers=classes, queue=w.max_queue,
        prefix=prefix(s, layout, w.cache_ttl, w.cache_below) if w.cache else None, swap=w.swap, contiguous=longest,
        watermark=0.0 if w.watermark is None else share(w.watermark, "--watermark"),
        autoscale=None if w.autoscale is None else autoscale(w.autoscale),
    )  # fmt: skip
