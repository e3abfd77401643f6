"""JAX, the lab's one dependency (the ``[lab]`` extra), with as many devices as layouts have chips."""

from __future__ import annotations

from typing import Any

from headway.errors import InputError

DEVICES = 8  # of the host: what the largest layout of the lab has

# How XLA translates what runs a few times and is counted: quickly, with the same products, and every collective by itself.
QUICK: dict[str, Any] = {
    "xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False,
    "xla_disable_hlo_passes": "all-reduce-combiner,cpu-all-reduce-combiner",
}  # fmt: skip


def jax_with(devices: int = DEVICES) -> Any:
    """Return JAX with at least so many host devices.

    Parameters
    ----------
    devices : int
        The host is divided into so many. [chips]

    Raises
    ------
    InputError
        When JAX is not installed, or already runs with fewer devices.
    """
    try:
        import jax
    except ImportError:
        raise InputError("the lab runs networks on JAX: it needs the [lab] extra: pip install 'headway[lab]'") from None
    try:
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_num_cpu_devices", max(devices, DEVICES))
    except RuntimeError:  # it has opened its devices already: their number is fixed
        pass
    if len(jax.devices("cpu")) < devices:
        raise InputError(
            f"a layout of {devices} chips: JAX already runs with {len(jax.devices('cpu'))} host devices; start a new process"
        )
    return jax
