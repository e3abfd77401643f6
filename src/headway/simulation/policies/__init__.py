"""Schedulers, one file each."""

from headway.simulation.policies.base import Chunk, Policy, Scheduled
from headway.simulation.policies.chunked import Chunked
from headway.simulation.policies.decode_first import DecodeFirst
from headway.simulation.policies.prefill_first import PrefillFirst

__all__ = ["Chunk", "Chunked", "DecodeFirst", "Policy", "PrefillFirst", "Scheduled"]
