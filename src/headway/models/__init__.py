"""Models: Hugging Face `config.json` -> Architecture; attention kinds, experts, precision and counts by subject."""

from headway.models.architecture import Architecture, Attend, Experts, Layer, Linear, State, stored_as
from headway.models.config import build, model
from headway.models.experts import (
    CopiesElsewhere,
    Crowding,
    busiest_group,
    fraction_touched,
    group_reached,
    hottest_expert,
    touched_experts,
)
from headway.models.files import is_path
from headway.models.gguf_mixtures import is_mixture, mixture_name
from headway.models.kv import (
    bytes_per_token_closed_form,
    kv_bytes_per_further_token,
    kv_bytes_per_token,
    kv_bytes_read,
    kv_bytes_stored,
    state_bytes,
)
from headway.models.precision import Format, Precision, number_format
from headway.models.reach import FULL, Reach

__all__ = [
    "FULL",
    "Architecture",
    "Attend",
    "CopiesElsewhere",
    "Crowding",
    "Experts",
    "Format",
    "Layer",
    "Linear",
    "Precision",
    "Reach",
    "State",
    "build",
    "busiest_group",
    "bytes_per_token_closed_form",
    "fraction_touched",
    "group_reached",
    "hottest_expert",
    "is_mixture",
    "is_path",
    "kv_bytes_per_further_token",
    "kv_bytes_per_token",
    "kv_bytes_read",
    "kv_bytes_stored",
    "mixture_name",
    "model",
    "number_format",
    "state_bytes",
    "stored_as",
    "touched_experts",
]
