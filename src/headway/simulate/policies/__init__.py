"""Schedulers, one file each."""

from headway.simulate.policies.base import Chunk, Policy, Scheduled
from headway.simulate.policies.chunked import Chunked
from headway.simulate.policies.decode_first import DecodeFirst
from headway.simulate.policies.prefill_first import PrefillFirst

__all__ = ["Chunk", "Chunked", "DecodeFirst", "Policy", "PrefillFirst", "Scheduled"]
