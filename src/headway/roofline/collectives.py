"""Collectives: what each algorithm sends in how many rounds, how it crosses domains, and the one law of their time.

`step_time`, its compiled form, a fit and the table of `headway racks` all time a collective here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from headway.errors import InputError, unknown
from headway.numeric import larger, plain, root, smaller, where
from headway.roofline.load import Load, carried
from headway.roofline.machine import Machine
from headway.roofline.step import Send

Real = Any  # a float or a NumPy array; everything broadcasts
Numbers = Any  # a Calibration, or a view of many with the same names and arrays for values
Algorithm = Literal["ring", "tree", "one-shot", "two-shot", "in-network", "direct"]

ALGORITHMS: dict[str, tuple[Algorithm, ...]] = {
    "all-reduce": ("ring", "tree", "one-shot", "two-shot", "in-network"),
    "all-gather": ("ring", "direct"),
    "reduce-scatter": ("ring", "direct"),
    "all-to-all": ("direct", "ring"),
    "send": ("direct",),
}
ALWAYS = ("new", "logits")  # what every pass carries


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one collective does on one chip: rounds one after another, and bytes sent in one direction."""

    rounds: Real
    sent: Real


def _check(kind: str, algorithm: str, ranks: Real) -> None:
    if kind not in ALGORITHMS:
        raise unknown("collective", kind, list(ALGORITHMS), f"Accepted: {', '.join(ALGORITHMS)}.")
    if algorithm not in ALGORITHMS[kind]:
        raise unknown(
            f"{kind} algorithm", algorithm, list(ALGORITHMS[kind]), f"Accepted: {', '.join(ALGORITHMS[kind])}."
        )
    if np.any(np.asarray(ranks) < 1):
        raise InputError(f"{kind}: {ranks} ranks; it takes at least 1")


def traffic(kind: str, algorithm: str, size: Real, ranks: Real) -> Traffic:
    """Return rounds and bytes of a collective.

    Parameters
    ----------
    kind : str
        ``all-reduce``, ``all-gather``, ``reduce-scatter``, ``all-to-all`` or ``send``.
    algorithm : str
        One of ``ALGORITHMS[kind]``.
    size : float or array
        Of the whole vector: of an all-gather the result, of a reduce-scatter the input, of an all-to-all what one chip
        has for all. [bytes]
    ranks : int or array
        n. [chips]

    Raises
    ------
    InputError
        Unknown kind or algorithm.

    Notes
    -----
    Ring all-reduce: 2 (n-1) rounds, 2 (n-1)/n s (Patarasuk and Yuan 2009). Double binary tree: 2 log2 n rounds, 2 s (Sanders
    et al. 2009; each chip is a leaf in one tree). One-shot: everyone sends all to everyone, (n-1) s in one round. Two-shot:
    reduce-scatter and all-gather, each in one round. In-network: the switch adds, s up and the sum down. Ring all-gather and
    reduce-scatter: n-1 rounds, (n-1)/n s; direct: the same in one. All-to-all: (n-1)/n s.
    """
    _check(kind, algorithm, ranks)
    n = np.asarray(ranks, dtype=float)
    others, several = n - 1, np.where(n > 1, 1.0, 0.0)
    if kind == "send":
        return Traffic(several, size * several)
    part = others / n * size
    if kind == "all-reduce":
        rounds: dict[str, Real] = {
            "ring": 2 * others, "tree": 2 * np.ceil(np.log2(n)), "one-shot": several, "two-shot": 2 * several,
            "in-network": 2 * several,
        }  # fmt: skip
        sent: dict[str, Real] = {
            "ring": 2 * part, "tree": 2 * size * several, "one-shot": others * size, "two-shot": 2 * part,
            "in-network": size * several,
        }  # fmt: skip
        return Traffic(rounds[algorithm], sent[algorithm])
    return Traffic(others if algorithm == "ring" else several, part)


@dataclass(frozen=True, slots=True)
class Transfer:
    """What one kind of collective sends in one pass from one chip.

    Attributes
    ----------
    sent, outside : float or array
        Over the scale-up link; over the scale-out network, where the ranks are more than the link joins. [bytes]
    messages, ranks : float or array
        Collectives one after another; chips of one scale-up domain that take part in each. [1, chips]
    link, scale_out : float or array
        Bandwidths per direction. [bytes/s]
    leaving : float or array
        Messages among them that go outside. [1]
    """

    sent: Real
    messages: Real
    ranks: Real
    link: Real
    outside: Real = 0.0
    scale_out: Real = 1.0
    leaving: Real = 0.0


def transfer(send: Send, payload: Real, chip: Machine) -> Transfer:
    """Return what a collective with so large a payload sends from one chip, inside its scale-up domain and outside.

    Parameters
    ----------
    send : Send
    payload : float or array
        Vectors of all its messages together (of an all-to-all what leaves the chip). [bytes]
    chip : Machine

    Raises
    ------
    InputError
        When the chip has no link in the catalogue, or no scale-out network and the layout needs one.

    Notes
    -----
    Over more ranks than the link joins: an all-reduce, and a direct all-gather or reduce-scatter, is hierarchical (each chip
    carries its share of the payload outside); a token's copies for experts cross once to each other domain that holds one, and
    are handed on inside; of hand-overs between pipeline stages those from one domain to the next cross.
    """
    if send.kind == "host":  # between a chip and its host's processor
        return Transfer(payload, send.messages, 2, chip.cpu_link)
    if not chip.link:
        raise InputError(
            f"{send.name}: the chip has no link in the catalogue, so a layout over several chips has no time"
        )
    local = send.ranks <= chip.joined
    if local if plain(send.ranks) else np.all(local):
        return Transfer(_inside(send, payload, send.ranks), send.messages, _joined(send, send.ranks), chip.link)
    return _crossing(send, payload, chip, np.asarray(local))


def _crossing(send: Send, payload: Real, chip: Machine, local: Real) -> Transfer:
    """What leaves scale-up domains, too, where a collective is not local to one."""
    out = np.asarray(chip.beyond(send.ranks))
    if np.any(~local & (out == 0)):
        raise InputError(
            f"{send.name} over {np.max(send.ranks):g} chips: the link joins {chip.joined}, and the chip has no scale-out "
            "network in the catalogue"
        )
    leaves, out = np.where(local, 0.0, 1.0), np.where(local, 1.0, out)
    inside = np.minimum(send.ranks, chip.joined)
    parts = np.ceil(send.ranks / inside)
    leaving = send.messages * leaves
    if send.kind == "all-to-all":
        away = send.domains(parts) / send.copies if send.domains else (send.ranks - inside) / (send.ranks - 1)
        away = np.minimum(away, 1.0) * leaves
        return Transfer(payload, send.messages, inside, chip.link, payload * away, out, leaving)
    if send.kind == "send":  # between stages: so many of the hand-overs cross from one domain to the next
        crossing = np.minimum(np.ceil(send.ranks / chip.joined) - 1, send.messages)
        away = crossing / send.messages
        return Transfer(payload * (1 - away), send.messages, 2, chip.link, payload * away, out, crossing)
    if (
        send.kind in ("all-gather", "reduce-scatter") and send.algorithm == "direct"
    ):  # every chip carries its share outside
        across = traffic(send.kind, "direct", payload / inside, parts).sent * leaves
        return Transfer(_inside(send, payload, inside), send.messages, inside, chip.link, across, out, leaving)
    if send.kind in ("all-gather", "reduce-scatter"):  # a ring passes everything over its slowest link
        sent = _inside(send, payload, send.ranks)
        return Transfer(sent * (1 - leaves), send.messages, inside, chip.link, sent * leaves, out, leaving)
    across = traffic("all-reduce", "ring", payload / inside, parts).sent * leaves
    return Transfer(_inside(send, payload, inside), send.messages, inside, chip.link, across, out, leaving)


def _inside(send: Send, payload: Real, ranks: Real) -> Real:
    """Bytes that a chip sends inside one domain."""
    if send.kind in ("all-to-all", "send"):
        return payload
    if send.algorithm == "in-network" and plain(ranks):
        return payload if ranks > 1 else 0.0
    return traffic(send.kind, send.algorithm, payload, ranks).sent


def _joined(send: Send, ranks: Real) -> Real:
    return 2 if send.kind == "send" else ranks


def send_amounts(send: Send, load: Load, chip: Machine) -> Transfer:
    """Return what a collective sends in a pass from the busiest chip (see `transfer`)."""
    tokens = load.busiest(send.groups, carried(send.carries, send.ways))
    payload = tokens * send.payload
    if load.skew and send.crowding is not None:
        payload = payload * send.crowding(load.skew)
    found = transfer(send, payload, chip)
    if send.carries in ALWAYS:
        return found
    sent = where(tokens > 0, 1.0, 0.0)
    return replace(found, messages=found.messages * sent, leaving=found.leaving * sent)


class Wire(NamedTuple):
    """The law of a collective's time, as coefficients of its payload (relative to the one that they were taken at).

    Attributes
    ----------
    linear, ramp : float or array
        Inside the domain: of the payload, and of its square root. [s]
    outside : float or array
        Over the scale-out network. [s]
    latency : float or array
        Whatever the payload. [s]
    at_once : bool
        Both networks are used at the same time (an all-to-all); else one after the other.
    """

    linear: Real
    ramp: Real
    outside: Real
    latency: Real
    at_once: bool

    def seconds(self, times: Real = 1.0) -> Real:
        """Return the time on the wire at so many times the payload, latency left out. [s]

        Parameters
        ----------
        times : float or array
            Payload relative to the one that the coefficients were taken at. [times]
        """
        inside, outside = self.linear * times + self.ramp * root(times), self.outside * times
        return larger(inside, outside) if self.at_once else inside + outside


def wire(kind: str, t: Transfer, c: Numbers) -> Wire:
    """Return the law of a collective under a calibration.

    Parameters
    ----------
    kind : str
        ``all-reduce``, ``all-to-all``, ``all-gather``, ``reduce-scatter``, ``send``, ``host``.
    t : Transfer
    c : Calibration

    Notes
    -----
    Per message of s bytes over n ranks: s/(B e) + (n - 1) sqrt(s s0)/(B e), plus a latency. The square-root term is
    what NVLink all-reduces of 0.1 to 100 MB measure between their latency and their full bandwidth; s0 is
    `message_bytes`. An all-reduce that leaves its domain runs inside, then outside; an all-to-all uses both networks at
    once. Leaving costs a latency of its own.
    """
    rate = t.link * c.network_efficiency
    each = t.sent / larger(t.messages, 1.0)
    ramp = (smaller(t.ranks, c.ramp_ranks) - 1.0) * root(each * c.message_bytes) * t.messages
    apart = kind == "all-to-all"
    latency = t.messages * (c.exchange_seconds if apart else c.message_seconds) + t.leaving * c.outside_seconds
    return Wire(t.sent / rate, ramp / rate, t.outside / (t.scale_out * c.network_efficiency), latency, apart)


def collective_seconds(
    kind: str, size: Real, ranks: int, chip: Machine, c: Numbers, algorithm: str | None = None
) -> float:
    """Return the time of one collective, as `step_time` would take it. [s]

    Parameters
    ----------
    kind : str
        One of ``ALGORITHMS``.
    size : float
        Of the whole vector (see `traffic`). [bytes]
    ranks : int
        Chips that take part; beyond those that the link joins it crosses the scale-out network. [chips]
    chip : Machine
    c : Calibration
    algorithm : str or None
        Inside a domain; default: the first of its kind.
    """
    chosen = algorithm or ALGORITHMS[kind][0]
    moved = traffic(kind, chosen, size, ranks).sent if kind == "all-to-all" else size
    send = Send(kind, kind, 1.0, 1.0, ranks=float(ranks), algorithm=chosen)
    found = wire(kind, transfer(send, moved, chip), c)
    return float(found.seconds() + found.latency)


def fastest_algorithm(kind: str, size: float, ranks: int, chip: Machine, c: Numbers, adds_in_network: bool) -> str:
    """Return which algorithm takes least time inside a domain; ties go to the one with the fewest rounds.

    Parameters
    ----------
    kind : str
        One of ``ALGORITHMS``.
    size : float
        Of the whole vector (see `traffic`). [bytes]
    ranks : int
        Chips that take part. [chips]
    chip : Machine
    c : Calibration
    adds_in_network : bool
        Whether the switches add; without it ``in-network`` is no option.
    """
    options = [a for a in ALGORITHMS[kind] if a != "in-network" or adds_in_network]

    def cost(a: str) -> tuple[float, float]:
        rounds = float(traffic(kind, a, size, ranks).rounds)
        return round(collective_seconds(kind, size, ranks, chip, c, a), 12), rounds

    return min(options, key=cost)
