"""Layouts as tables of benchmarks state them: what a row's tp, ep, attention_dp and chips mean, of one pool or of two."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from headway.catalog import Row
from headway.errors import InputError
from headway.evidence.cells import NOTHING, flag, number
from headway.serving import named_system, stated_chips

_RUN_NAME = re.compile(r"_tp(\d+)(?:_\d+)?_ep(\d+)")
_MOST_CHIPS = 1_000_000


@dataclass(frozen=True)
class Ways:
    """How one replica lies on chips, as a row says it.

    Attributes
    ----------
    tp, pp, ep, dp : int
        `dp` counts attention-data-parallel groups. [chips, stages, groups, groups]
    """

    tp: int = 1
    pp: int = 1
    ep: int = 1
    dp: int = 1

    @property
    def chips(self) -> int:
        """Chips of the replica."""
        return self.tp * self.dp * self.pp


@dataclass(frozen=True)
class Pools:
    """Split pools as a row states them.

    Attributes
    ----------
    prefill : Ways
        Of a replica that computes prompts.
    prefill_replicas, decode_replicas : float
        A worker of a table may be a part of a replica that its chips and layout imply. [1]
    """

    prefill: Ways
    prefill_replicas: float
    decode_replicas: float


def layout(row: Row) -> tuple[int, Ways, Pools | None]:
    """Return (chips, layout of a replica, the pools where they are split and stated).

    Raises
    ------
    InputError
        When the numbers do not go together; the message names the column.

    Notes
    -----
    `attention_dp` as a flag cuts tp into groups of one chip. As a number it is so many groups inside tp (SGLang), or beside it
    (vLLM) where the chips stated have room for that. The InferenceX dump of 2026-04-06 multiplies `tp` (or `attention_dp`) and
    `chips` by `ep`; its run names tell the truth. Tables of TPUs and Neuron chips may count tp in cores. Of split pools a
    row's layout is that of the decode replica; its chips and workers say what the layout leaves open.
    """
    pp = ways(row, "pp")
    boxed = float(stated_chips(row["system"]))
    told = row.get("chips", "").strip().lower() not in NOTHING or boxed > 1
    implied = boxed if boxed > 1 else number(row, "tp", 1.0, low=1, whole=True) * pp
    chips = int(number(row, "chips", implied, low=1, whole=True))
    pools = _pools(row, pp)
    if pools is not None:
        _bounded(chips)
        return chips, *pools
    tp = int(number(row, "tp", max(chips // pp, 1), low=1, whole=True))
    ep, groups, beside = ways(row, "ep"), _groups(row, "attention_dp", tp), not flagged(row)
    run = _RUN_NAME.search(row.get("source_path", ""))
    if run and "InferenceX" in row.get("source", "") and ep > 1:
        ranks, ep = int(run[1]), int(run[2])
        chips, tp, groups, beside = ranks, ranks, ranks if groups > 1 else 1, False
    found = _one(row, Ways(tp, pp, ep, groups), chips if told else None, beside)
    chips = max(chips, found.chips)
    _bounded(chips)
    return chips, found, None


def _bounded(chips: int) -> None:
    if chips > _MOST_CHIPS:
        raise InputError(f"{chips:,} chips; no machine has more than {_MOST_CHIPS:,}")


def ways(row: Row, key: str) -> int:
    """Read a number of ways; 0 means, as 1 does, that nothing is cut."""
    return max(int(number(row, key, 1.0, whole=True)), 1)


def flagged(row: Mapping[str, str], key: str = "attention_dp") -> bool:
    """Say whether a flag, not a number, says that attention is data-parallel."""
    return row.get(key, "").strip().lower() in ("true", "yes")


def _groups(row: Row, key: str, tp: int) -> int:
    """Attention-data-parallel groups: all of tp where a flag says so."""
    if flagged(row, key):
        return tp
    return 1 if row.get(key, "").strip().lower() in ("", "false", "no", "unknown") else ways(row, key)


def _one(row: Row, w: Ways, chips: int | None, beside: bool) -> Ways:
    """A replica in a deployment of so many chips (None: not stated), whose groups may stand beside tp."""
    tp, pp, ep, groups = w.tp, w.pp, w.ep, w.dp
    apart = chips is not None and tp * groups * pp <= chips and beside
    if groups > 1 and tp > 1 and not apart:
        if tp % groups:
            raise InputError(f"attention_dp {groups} does not divide tp {tp}")
        tp //= groups
    if chips is not None and tp * groups * pp > chips:
        tp = max(tp // named_system(row["system"]).chip.cores, 1)
    if chips is not None and tp * groups * pp > chips:
        raise InputError(f"tp x attention_dp x pp = {tp * groups * pp} is more than the {chips} chips stated")
    most = max(chips or 1, tp * groups * pp)
    if ep > most:
        raise InputError(f"ep {ep} is more than the {most} chips")
    room = most // pp
    if groups == 1 and tp < ep <= room and ep % tp == 0:  # experts over more chips than attention is cut over
        groups = ep // tp
    return Ways(tp, pp, ep, groups)


def _pools(row: Row, pp: int) -> tuple[Ways, Pools] | None:
    """(decode replica, pools) of a split row that states the chips of both; None of any other."""
    if not flag(row, "disaggregated"):
        return None
    parts = [int(number(row, f"{pool}_chips", 0.0, whole=True)) for pool in ("prefill", "decode")]
    if min(parts) < 1:
        return None
    _bounded(sum(parts))
    prefill, prefills = _replicas(row, "prefill_", parts[0], 1)
    decode, decodes = _replicas(row, "", parts[1], pp)
    return decode, Pools(prefill, prefills, decodes)


def _replicas(row: Row, prefix: str, chips: int, pp: int) -> tuple[Ways, float]:
    """(layout, number) of a pool's replicas: a worker with attention_dp is one replica with a group on each chip."""
    workers = int(number(row, f"{prefix or 'decode_'}workers", 0.0, whole=True))
    tp, ep = ways(row, f"{prefix}tp"), ways(row, f"{prefix}ep")
    groups = _groups(row, f"{prefix}attention_dp", tp)
    each = chips // workers if workers and chips % workers == 0 else 0
    if groups > 1 or flagged(row, f"{prefix}attention_dp"):
        ranks = max(each, tp)
        return Ways(1, pp, max(ep, ranks // pp if ep > 1 or ranks > tp else 1), ranks // pp), chips / ranks
    tp = min(tp, chips)
    found = Ways(tp, pp, min(ep, tp), 1)
    return found, chips / found.chips
