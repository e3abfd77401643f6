"""Physical floors of many cases at once, and which rows beat them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headway.fitting.estimate import Batch, estimate, numbers_of
from headway.fitting.fit import Data
from headway.roofline import IDEAL
from headway.serving import Floors, floors

Array = NDArray[np.float64]


def batch_floors(batch: Batch) -> Floors:
    """Return the physical floors of each case, as arrays: with as many waiting for their prompt as its profile says. [s]"""
    decode = estimate(batch, numbers_of([c.profile.on(c.chip) for c in batch.cases])).served.decoding
    by_name = batch.flat.named(batch.flat.seconds(IDEAL.numbers()))
    found = Floors(*(np.zeros(len(batch.cases)) for _ in Floors._fields))
    for k in batch.kinds:
        mine = floors(k.workload, {name: t[k.chosen] for name, t in by_name.items()}, k.chunk_tokens, decode[k.chosen])
        for whole, part in zip(found, mine, strict=True):
            whole[k.chosen] = part
    return found


def below_floors(data: Data, own: Array, ttft: Array) -> NDArray[np.bool_]:
    """Return which rows beat a physical floor, with their own measure or their TTFT.

    Parameters
    ----------
    data : Data
    own, ttft : array
        log(predicted/measured) of `compare.ratios`; zeros ask about the measurements themselves. [1]
    """
    least, known, names = batch_floors(data.batch), data.truth, data.truth.names
    rate = np.isin(names, ("output", "input"))
    predicted = known.values * np.exp(np.where(rate, -own, own))
    tokens = np.array([r.output if n == "output" else r.prompt for r, n in zip(data.rows, names, strict=True)])
    inverse = least.request / np.maximum([r.batch for r in data.rows], 1.0) / np.maximum(tokens, 1.0)
    floor = np.select([names == "tpot", names == "ttft", names == "request"], [least.tpot, least.ttft, least.request])
    seconds, bound = np.where(rate, 1 / predicted, predicted), np.where(rate, inverse, floor)
    first, when = np.full(len(own), np.nan), np.full(len(own), np.nan)
    for rows, values in (known.ttft, known.ttft_median):
        first[rows], when[rows] = values * np.exp(ttft[rows]), least.ttft[rows]
    return (seconds < bound * (1 - 1e-9)) | (first < when * (1 - 1e-9))
