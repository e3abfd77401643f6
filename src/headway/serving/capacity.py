"""The one memory account: what lies on a chip, and how many sequences that leaves room for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from headway.catalog import default
from headway.errors import PhysicsError
from headway.hardware import System
from headway.models import Architecture
from headway.parallel import Layout, activations_per_chip, candidates, kv_per_chip, weights_per_chip

Policy = Literal["whole", "growing", "as run"]
_LOGIT_BYTES = 4.0  # samplers work on 32-bit logits


@dataclass(frozen=True, slots=True)
class Account:
    """Bytes on the fullest chip of a replica, and the sequences that it holds.

    Attributes
    ----------
    capacity, reserve : float
        Memory of one chip; what is kept free of it. [bytes]
    weights, activations : float
        Weights; workspace of the largest pass: the widest part of a layer, all its inputs and outputs at once. [bytes]
    kv_per_sequence : float
        Cache and state that a sequence keeps on each chip of its group, at the length that the policy counts. [bytes]
    logits_per_sequence : float
        [bytes]
    groups : int
        Data-parallel groups: sequences on a chip are those of the replica over the groups. [groups]
    tokens : float
        The length that the policy counts. [tokens]
    policy : str
        ``whole``: every sequence is held to its last token. ``growing``: at its mean length. ``as run``: a batch that was
        run is not doubted (no reserve, an even share of the weights per stage).
    kv_whole : float
        Cache and state of a sequence at its last token. [bytes]
    """

    capacity: float
    reserve: float
    weights: float
    kv_per_sequence: float
    groups: int
    activations: float = 0.0
    logits_per_sequence: float = 0.0
    tokens: float = 0.0
    policy: Policy = "whole"
    kv_whole: float = 0.0

    @property
    def free(self) -> float:
        """Bytes left for sequences on one chip; negative when the weights do not fit."""
        return self.capacity - self.reserve - self.weights - self.activations

    @property
    def per_sequence(self) -> float:
        """Bytes that one sequence takes on each chip of its group: cache and logits."""
        return self.kv_per_sequence + self.logits_per_sequence

    @property
    def fits(self) -> float:
        """Sequences that fit beside weights, activations and reserve (all groups together); infinite where one keeps nothing."""
        if self.free < 0:
            return 0.0
        if self.kv_per_sequence <= 0:
            return math.inf
        if self.kv_whole + self.logits_per_sequence > self.free * (1 + 1e-9):
            return 0.0  # not even one reaches its last token
        return float(math.floor(self.free / self.per_sequence + 1e-9) * self.groups)

    @property
    def tight(self) -> bool:
        """Whether only an engine that is started with less in reserve holds a sequence."""
        return self.fits < 1 and self.capacity - self.weights >= self.kv_whole + self.logits_per_sequence

    @property
    def holds(self) -> float:
        """Sequences that run at a time: those that fit, and one at least before an engine is not started at all."""
        return 1.0 if self.tight else self.fits

    @property
    def held_whole(self) -> float:
        """Sequences that fit if each is held to its last token."""
        if self.kv_whole <= 0 or self.free < 0:
            return self.fits
        return float(math.floor(self.free / (self.kv_whole + self.logits_per_sequence) + 1e-9) * self.groups)

    def used(self, batch: float) -> float:
        """Return the bytes in use on a chip with so many sequences in the replica, reserve left out.

        Parameters
        ----------
        batch : float
            In the replica. [sequences]
        """
        return self.weights + self.activations + self.per_sequence * math.ceil(batch / self.groups)


def memory_account(
    model: Architecture,
    layout: Layout,
    system: System,
    prompt: float,
    output: float = 0.0,
    *,
    reserve: float | None = None,
    chunk_tokens: float | None = None,
    policy: Policy = "whole",
) -> Account:
    """Return the memory account of the fullest chip.

    Parameters
    ----------
    model : Architecture
    layout : Layout
    system : System
    prompt, output : float
        Of each request. [tokens]
    reserve : float or None
        Share of memory kept free; None takes the catalogue's default. [share]
    chunk_tokens : float or None
        New tokens of the largest pass in each data-parallel group; None takes the catalogue's `prefill_tokens`. [tokens]
    policy : str
        As of `Account`: which length of a sequence counts.

    Notes
    -----
    Sequences of one load are at random places of their answers, so that the mean length is prompt + output/2.
    """
    share = default("memory_reserve") if reserve is None else reserve
    tokens = prompt + (output / 2 if policy == "growing" else output)
    kept, whole = (float(kv_per_chip(model, layout, t)) for t in (tokens, prompt + output))
    logits = model.head.outputs * _LOGIT_BYTES / layout.tp / layout.pp
    memory, run = system.chip.memory, policy == "as run"
    largest = default("prefill_tokens") if chunk_tokens is None else chunk_tokens
    return Account(
        # Cards sold as 24 GB hold 24 GiB: a batch that was run is not doubted for that.
        capacity=memory * default("bytes_per_sold_byte") if run else memory,
        reserve=0.0 if run else share * memory,
        weights=weights_per_chip(model, layout, even=run), kv_per_sequence=kept, groups=layout.dp,
        activations=0.0 if run else activations_per_chip(model, layout, largest), logits_per_sequence=0.0 if run else logits,
        tokens=tokens, policy=policy, kv_whole=whole,
    )  # fmt: skip


def refusal(
    model: Architecture, layout: Layout, system: System, account: Account, reserve: float | None, remedy: str = ""
) -> PhysicsError:
    """Build the error for what does not fit: the shortfall, and the nearest layout that fits (design rule 6).

    Parameters
    ----------
    model : Architecture
    layout : Layout
    system : System
    account : Account
    reserve : float or None
        Share of memory kept free; None takes the catalogue's default. [share]
    remedy : str
        What to say instead of the nearest layout that fits.
    """
    tokens = account.tokens
    if account.free < 0:
        lack = -account.free
        what = f"{account.weights / 1e9:,.1f} GB of weights and {account.activations / 1e9:,.1f} GB of activations per chip"
    else:
        lack = account.kv_whole + account.logits_per_sequence - account.free
        what = f"one sequence of {tokens:,.0f} tokens beside the weights"
    return PhysicsError(
        f"{model.name} as {layout} does not fit on {system.name}: {what} exceed the "
        f"{(account.capacity - account.reserve) / 1e9:,.3g} GB usable of {account.capacity / 1e9:,.3g} GB by "
        f"{_gigabytes(lack)} per chip; {remedy or _remedy(model, system, tokens, reserve)}"
    )


def too_many(system: System, held: Mapping[Layout, Account], batch: float) -> PhysicsError:
    """Build the error for a batch that no layout's memory holds.

    Parameters
    ----------
    system : System
    held : mapping
        Memory account of each layout looked at.
    batch : float
        Of one replica. [sequences]
    """
    most = max(held, key=lambda c: held[c].holds)
    account = held[most]
    lack = (batch - account.holds) / most.dp * account.per_sequence
    return PhysicsError(
        f"--batch {batch:,.0f}: memory holds at most {account.holds:,.0f} sequences of {account.tokens:,.0f} tokens per replica "
        f"on {system.name} (as {most}); the cache exceeds it by {lack / 1e9:,.1f} GB per chip"
    )


def _gigabytes(amount: float) -> str:
    return f"{amount / 1e9:,.1f} GB" if amount >= 5e7 else f"{max(amount, 1.0) / 1e6:,.2g} MB"


def require_fit(
    model: Architecture,
    layout: Layout,
    system: System,
    prompt: float,
    output: float = 0.0,
    reserve: float | None = None,
) -> Account:
    """Return the memory account of a layout, or refuse with the shortfall and the nearest layout that fits (design rule 6).

    Parameters
    ----------
    model : Architecture
    layout : Layout
    system : System
    prompt, output : float
        Of each request. [tokens]
    reserve : float or None
        Share of memory kept free; None takes the catalogue's default. [share]

    Raises
    ------
    PhysicsError
        When the weights, or one sequence of prompt + output tokens, do not fit.
    """
    found = memory_account(model, layout, system, prompt, output, reserve=reserve)
    if found.fits >= 1:
        return found
    raise refusal(model, layout, system, found, reserve)


def _remedy(model: Architecture, system: System, tokens: float, reserve: float | None) -> str:
    """Name the nearest layout that fits: on this system, else on the smallest number of such chips."""
    for chips in (system.joined, *(2**i for i in range(1, 11) if 2**i > system.joined)):
        good = [
            c for c in candidates(model, chips) if memory_account(model, c, system, tokens, reserve=reserve).fits >= 1
        ]
        if good:
            best = min(good, key=lambda c: (c.chips, c.dp))
            if chips == system.joined:
                return f"{best} on this system fits"
            joined = f"{system.name} joins {system.joined}" if system.chips > 1 else "this is one"
            return f"{best} on {best.chips} such chips in one scale-up domain fits ({joined})"
    return "no layout on up to 1,024 such chips fits; use a smaller context or fewer bytes per weight"
