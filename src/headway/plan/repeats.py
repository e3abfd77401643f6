"""Traffic drawn several times on what a plan would run."""

from __future__ import annotations

from collections.abc import Mapping

from headway.errors import InputError, quoted
from headway.plan.operations import AS_IT_IS, Words, operation
from headway.plan.simulated import asked_for, placed
from headway.questions import Request
from headway.simulation.repeats import Repeated, alike, counted_seeds


def repeated(
    request: Request,
    traffic: str,
    *,
    seeds: int,
    seed: int = 0,
    words: Words = AS_IT_IS,
    once: bool = False,
    window: Mapping[str, str | None] | None = None,
) -> Repeated:
    """Run traffic on a model and a system with several seeds, all on the layout of the first.

    Parameters
    ----------
    request : Request
    traffic : str
        As of `headway.simulation.traffic.traffic`.
    seeds, seed : int
        Repeats, and the seed of the first. [1]
    words : Words
        How replicas are run.
    once : bool
        Whether traffic that no seed changes is run once; else it is refused.
    window : mapping or None
        ``count``, ``duration``, ``start``, ``rate``, ``scale``, as of `asked_for`.

    Raises
    ------
    InputError
        As of `simulate`, and for traffic that every seed leaves as it is.
    """
    count = counted_seeds(seeds)
    asked, first = asked_for(request, traffic, seed=seed, **(window or {}))
    drawn = [first]
    for n in range(1, count):
        drawn.append(asked_for(request, traffic, seed=seed + n, **(window or {}))[1])
        if n == 1 and alike(first, drawn[1]):
            if not once:
                raise InputError(f"--seeds: every seed of {quoted(traffic)} is the same run; it is for what is drawn")
            drawn.pop()
            break
    place = placed(asked)
    how = (operation(words, place.setting, place.layout, r, seed + n) for n, r in enumerate(drawn))
    runs = (
        place.run(r, o, prefill=words.prefill, seed=seed + n) for n, (r, o) in enumerate(zip(drawn, how, strict=True))
    )
    return Repeated(tuple(runs))
