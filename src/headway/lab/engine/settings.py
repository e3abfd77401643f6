"""What a lab engine is: its network, its limits, its scheduler, and delays that somebody wants to find again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from headway.errors import InputError, unknown
from headway.models import Architecture
from headway.simulation.admission import Admission
from headway.simulation.limits import Limits
from headway.simulation.policies import Chunked, DecodeFirst, Departures, Policy, PrefillFirst, Static

TIERS = ("priority", "default", "flex", "batch")  # of the server, the most urgent first
POLICIES = ("chunked", "prefill-first", "decode-first", "departures", "static")
LEAST = 16  # tokens of the smallest program for prompts


def rounded(size: int, least: int = 1) -> int:
    """Return the power of two, at least `least`, that a size is rounded up to.

    Parameters
    ----------
    size, least : int
        [1]
    """
    return max(1 << max(size - 1, 0).bit_length(), least)


@dataclass(frozen=True, slots=True)
class Delays:
    """Time that every pass takes beside its work, for tests of what measures it.

    Attributes
    ----------
    per_pass, per_sequence, per_token, per_context : float
        Of each pass; of each sequence in it; of each new token; of each token in its sequences' caches. [s]
    """

    per_pass: float = 0.0
    per_sequence: float = 0.0
    per_token: float = 0.0
    per_context: float = 0.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not 0 <= getattr(self, name) < 3600:
                raise InputError(f"delay {name.replace('_', ' ')}: {getattr(self, name):g} s; it must be in 0..1 h")

    def seconds(self, sequences: int, tokens: int, context: int) -> float:
        """Return the delay of a pass. [s]

        Parameters
        ----------
        sequences, tokens, context : int
            Of the pass: sequences; new tokens; tokens in caches. [sequences, tokens, tokens]
        """
        return (
            self.per_pass + sequences * self.per_sequence + tokens * self.per_token + context * self.per_context
        )  # fmt: skip


def policy_of(name: str, period: float = 0.05, batch: int = 8, hold: float = 0.1) -> Policy:
    """Return a scheduler by its name.

    Parameters
    ----------
    name : str
        Of `POLICIES`.
    period, hold : float
        Between departures; after which a static batch leaves. [s]
    batch : int
        That fills a static batch. [requests]
    """
    if name not in POLICIES:
        raise unknown("policy", name, POLICIES)
    made: dict[str, Any] = {"chunked": Chunked, "prefill-first": PrefillFirst, "decode-first": DecodeFirst}
    if name in made:
        return made[name]()
    return Departures(period) if name == "departures" else Static(batch, hold)


@dataclass(frozen=True)
class Settings:
    """What a lab engine is.

    Attributes
    ----------
    model : Architecture
        At tiny widths.
    limits : Limits
    policy : Policy
    admission : Admission
    tiers : tuple of str
        The most urgent first.
    keeps : bool
        Blocks of prompts are found again (no padded batch has any).
    delays : Delays
    seed : int
        Of the weights. [1]
    """

    model: Architecture
    limits: Limits
    policy: Policy = field(default_factory=Chunked)
    admission: Admission = field(default_factory=Admission)
    tiers: tuple[str, ...] = TIERS
    keeps: bool = True
    delays: Delays = field(default_factory=Delays)
    seed: int = 0

    @property
    def longest_chunk(self) -> int:
        """Of a prompt in a pass. [tokens]"""
        whole = isinstance(self.policy, DecodeFirst | Static)
        return self.limits.context if whole else min(self.limits.tokens, self.limits.context)


def limits_of(
    policy: Policy, tokens: int = 64, sequences: int = 8, blocks: int = 256, block: int = 16, context: int = 512
) -> Limits:
    """Return the limits of an engine.

    Parameters
    ----------
    policy : Policy
        A padded batch takes the room of the longest request for each.
    tokens, sequences : int
        Of a pass; that run at a time. [tokens, sequences]
    blocks, block : int
        Of the KV pool; tokens of each. [blocks, tokens]
    context : int
        Prompt and answer of a request together. [tokens]

    Raises
    ------
    InputError
        Where no pass could ever carry what they allow.
    """
    for name, value, most in (
        ("max sequences", sequences, 256), ("tokens of a pass", tokens, 4096), ("blocks", blocks, 1 << 16),
        ("block", block, 256), ("context", context, 4096),
    ):  # fmt: skip
        if not 1 <= value <= most:
            raise InputError(f"{name}: {value:,} must be in 1..{most:,}")
    if policy.mixes and tokens < sequences:
        raise InputError(
            f"tokens of a pass: {tokens:,} are fewer than the {sequences:,} sequences that may decode in it"
        )
    return Limits(
        tokens=tokens, sequences=sequences, blocks=blocks, block=block, jump=False, reserve=context if policy.padded else 0,
        context=context,
    )  # fmt: skip
