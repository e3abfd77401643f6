"""How a model lies on chips: Layout, memory fit, Architecture x Layout -> Step, racks and pipelines in closed form."""

from headway.parallel.layout import (
    Deployment,
    Layout,
    Pool,
    candidates,
    check,
    completed,
    read_deployment,
    read_layout,
)
from headway.parallel.memory import Capacity, Fit, capacity_per_chip, fit, kv_per_chip, require_fit, weights_per_chip
from headway.parallel.pipeline import (
    activations_held,
    decode_idle_fraction,
    decode_token_latency,
    latency_with_hops,
    training_bubble,
)
from headway.parallel.racks import (
    Domain,
    ExpertPlacement,
    all_to_all_slowdown,
    crossing_fraction,
    fewest_layers_per_stage,
    hops,
    place_experts,
    scale_up_over_scale_out,
)
from headway.parallel.steps import build_step

__all__ = [
    "Capacity",
    "Deployment",
    "Domain",
    "ExpertPlacement",
    "Fit",
    "Layout",
    "Pool",
    "activations_held",
    "all_to_all_slowdown",
    "build_step",
    "candidates",
    "capacity_per_chip",
    "check",
    "completed",
    "crossing_fraction",
    "decode_idle_fraction",
    "decode_token_latency",
    "fewest_layers_per_stage",
    "fit",
    "hops",
    "kv_per_chip",
    "latency_with_hops",
    "place_experts",
    "read_deployment",
    "read_layout",
    "require_fit",
    "scale_up_over_scale_out",
    "training_bubble",
    "weights_per_chip",
]
