"""What a replica does with requests beside scheduling them: whom it lets in, what it keeps, how it drafts, where caches come from."""

from __future__ import annotations

from typing import NamedTuple

from headway.simulation.admission import Admission
from headway.simulation.drafting import Drafts
from headway.simulation.prefixes import Prefix

FREE = Admission()


class Transfer(NamedTuple):
    """How a cache that others computed comes here.

    Attributes
    ----------
    token_seconds : float
        Of each token. [s/token]
    latency : float
        Of each cache. [s]
    """

    token_seconds: float
    latency: float


class Habits(NamedTuple):
    """What else a replica does with requests.

    Attributes
    ----------
    admission : Admission
    prefix : Prefix or None
        Of its prompt cache; None: it keeps nothing.
    drafts : Drafts or None
    transfer : Transfer or None
        Its prompts are computed elsewhere, and their caches come over this.
    """

    admission: Admission = FREE
    prefix: Prefix | None = None
    drafts: Drafts | None = None
    transfer: Transfer | None = None


USUAL = Habits()
