"""How a model lies on chips: Layout, memory, Architecture x Layout -> Step, racks and pipelines in closed form."""

from headway.parallel.deployment import Deployment, Pool, read_deployment
from headway.parallel.layout import (
    Dimensions,
    Layout,
    LayoutColumns,
    candidates,
    check,
    completed,
    read_layout,
    widest_tensor,
)
from headway.parallel.memory import (
    Capacity,
    activations_per_chip,
    capacity_per_chip,
    kv_per_chip,
    pooled_per_chip,
    reserved_per_chip,
    weights_per_chip,
)
from headway.parallel.offload import host_bytes, least_offload, offload_option, offloaded, places
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
    "Dimensions",
    "Domain",
    "ExpertPlacement",
    "Layout",
    "LayoutColumns",
    "Pool",
    "activations_held",
    "activations_per_chip",
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
    "hops",
    "host_bytes",
    "kv_per_chip",
    "latency_with_hops",
    "least_offload",
    "offload_option",
    "offloaded",
    "place_experts",
    "places",
    "pooled_per_chip",
    "read_deployment",
    "read_layout",
    "reserved_per_chip",
    "scale_up_over_scale_out",
    "training_bubble",
    "weights_per_chip",
    "widest_tensor",
]
