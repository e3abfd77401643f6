"""The hand-over of a prompt's cache from the pool that computed it to the one that answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.batching import mean_queue_wait, waiting_chance
from headway.hardware import System
from headway.roofline import Calibration
from headway.serving.setting import Setting

Real = Any  # a float or a NumPy array; everything broadcasts


@dataclass(frozen=True, slots=True)
class Link:
    """What carries caches from one pool to the other.

    Attributes
    ----------
    rate : float
        Of each chip and direction. [bytes/s]
    seconds : float
        Latency of a transfer. [s]
    """

    rate: float
    seconds: float


def link_between(
    prompts: System, answers: System, numbers: tuple[Calibration, Calibration], inside: bool
) -> Link | None:
    """Return the link between two pools; None where nothing joins them.

    Parameters
    ----------
    prompts, answers : System
    numbers : (Calibration, Calibration)
        Of the two pools.
    inside : bool
        Both lie in one scale-up domain: its link carries the caches, else the slower scale-out network of the two, with
        the latency of leaving a domain.
    """
    rate = answers.link if inside else min(prompts.scale_out, answers.scale_out)
    efficiency = float(min(n.network_efficiency for n in numbers))
    n = numbers[1]
    latency = float(n.message_seconds + (0.0 if inside else n.outside_seconds))
    return Link(rate * efficiency, latency) if rate > 0 else None


def handover(
    link: Link, sent: Real, lanes_out: Real, received: Real, lanes_in: Real, requests: Real
) -> tuple[Real, Real]:
    """Return (seconds to move a prompt's cache, utilisation of the busier side), the link as a resource.

    Parameters
    ----------
    sent, received : array
        Cache of one prompt on each chip that sends or receives it. [bytes]
    lanes_out, lanes_in : array
        Groups of chips on either side, all replicas together, each moving one prompt at a time. [groups]
    requests : array
        Prompts per second. [requests/s]

    Notes
    -----
    The side with more bytes per chip decides how long; transfers of one length queue for their lane (M/D/c).
    """
    took = np.maximum(sent, received) / link.rate + link.seconds
    lanes = np.minimum(lanes_out, lanes_in)
    load = requests * took
    wait = mean_queue_wait(waiting_chance(lanes, load), lanes, load, took, alike=True)
    return took + wait, load / lanes


def servers(prompts: Setting, answers: Setting) -> float:
    """Return a request's way through the servers of two pools, each of which takes it in. [s]

    Parameters
    ----------
    prompts, answers : Setting
    """
    return float(prompts.numbers.request_seconds) + float(answers.numbers.request_seconds)


def joining(prompts: Setting, answers: Setting, chips: float | None = None) -> Link | None:
    """Return the link between two pools; None where nothing joins them.

    Parameters
    ----------
    prompts, answers : Setting
    chips : float or None
        Of both pools together; None takes the system's. [chips]
    """
    system = answers.system
    count = system.chips if chips is None else chips
    inside = prompts is answers and count <= system.joined and system.link > 0
    return link_between(prompts.system, system, (prompts.numbers, answers.numbers), inside)
