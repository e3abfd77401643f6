"""What training needs: a loss, and steps of an optimiser."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

Array = Any
_RATE, _FIRST, _SECOND, _SMALL = 3e-3, 0.9, 0.99, 1e-8


def cross_entropy(logits: Array, wanted: Array) -> Array:
    """Return the mean negative log likelihood of the tokens that came. [nats]

    Parameters
    ----------
    logits : array
        [batch, tokens, vocabulary] [1]
    wanted : array
        [batch, tokens] [1]
    """
    said = jax.nn.log_softmax(logits, axis=-1)
    return -jnp.mean(jnp.take_along_axis(said, wanted[..., None], axis=-1))
