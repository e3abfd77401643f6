"""Schedulers, one file each."""

from headway.simulation.policies.base import Chunk, Policy, Scheduled
from headway.simulation.policies.chunked import Chunked
from headway.simulation.policies.decode_first import DecodeFirst
from headway.simulation.policies.departures import Departures
from headway.simulation.policies.prefill_first import PrefillFirst
from headway.simulation.policies.static import Static

__all__ = ["Chunk", "Chunked", "DecodeFirst", "Departures", "Policy", "PrefillFirst", "Scheduled", "Static"]
