"""What bounds a pass and the memory of a replica."""

from __future__ import annotations

from dataclasses import dataclass

from headway.errors import InputError


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a pass and the pool of a replica.

    Attributes
    ----------
    tokens : int
        Most new tokens of a pass. [tokens]
    sequences : int
        Most requests that run at a time. [sequences]
    blocks, block : int
        KV blocks, and tokens of each. [blocks, tokens]
    whole : bool
        A request is admitted when its last token will fit, not when its prompt does.
    reserve : int
        Tokens that every request takes room for, whatever its length (a contiguous cache); 0: its own. [tokens]
    watermark : int
        Blocks that must stay free when somebody boards. [blocks]
    swap : float
        To move the cache of one token to the host or back, for who loses its place; 0: it is computed again. [s/token]
    context : int
        Most tokens of a request, prompt and answer: the model's own limit. [tokens]
    groups : int
        Data-parallel groups, of which each has its part of `tokens`: a prompt lies in one of them. [groups]
    jump : bool
        Runs of decode passes are summed in one go; False adds them up one by one (the same to rounding).
    """

    tokens: int
    sequences: int
    blocks: int
    block: int = 16
    whole: bool = False
    jump: bool = True
    reserve: int = 0
    watermark: int = 0
    swap: float = 0.0
    context: int = 1 << 40
    groups: int = 1

    def __post_init__(self) -> None:
        for name, least in {
            "tokens": 1,
            "sequences": 1,
            "groups": 1,
            "blocks": 1,
            "block": 1,
            "reserve": 0,
            "watermark": 0,
            "swap": 0,
        }.items():
            if not getattr(self, name) >= least:
                raise InputError(f"limits: {name} is {getattr(self, name):,}; it must be at least {least}")
