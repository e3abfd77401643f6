"""What a machine can do: chips, systems, and the closed forms that need only a machine."""

from headway.hardware.chips import Chip, System
from headway.hardware.hosts import with_host
from headway.hardware.named import chip, chips, counted, system, systems
from headway.hardware.ratios import drain_time, hardware_ratio, weights_read_time

__all__ = [
    "Chip",
    "System",
    "chip",
    "chips",
    "counted",
    "drain_time",
    "hardware_ratio",
    "system",
    "systems",
    "weights_read_time",
    "with_host",
]
