"""Experts over host devices (SYS-C3): who sends how many copies of tokens to whom, within racks and across them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.errors import InputError
from headway.lab.findings import Check, Demonstration, Picture
from headway.lab.mixtures import with_experts
from headway.lab.networks import network
from headway.lab.place import ALONE, Place, place_of
from headway.lab.routing import drawn
from headway.lab.sharded import Chips, Ran
from headway.lab.widths import tiny
from headway.models import Architecture
from headway.models.experts import group_reached
from headway.parallel import all_to_all_slowdown, crossing_fraction, read_layout

EXPERTS, ACTIVE = 32, 4
BATCH, PROMPT = 64, 16  # sequences, tokens
RATIO = 8.0  # scale-up over scale-out bandwidth, the lecture's
_SAME = 1e-4  # of the largest logit
_NOISE = 0.05  # of copies: a thousand tokens


def dispatch(model: str, layout: str = "dp8ep8") -> Demonstration:
    """SYS-C3: a network whose experts lie on several devices, each with tokens of its own.

    Parameters
    ----------
    model : str
    layout : str
        ``dpNepN``: chips with their own sequences, groups over which experts are spread.

    Raises
    ------
    InputError
        For a layout that sends no tokens to experts.
    """
    place = place_of(read_layout(layout))
    if place.way != "dp" or place.ep < 2:
        raise InputError(f"dispatch: layout {layout} sends no tokens to experts elsewhere; try dp8ep8 or dp4ep4")
    arch = with_experts(tiny(model), EXPERTS, ACTIVE)
    net = network(arch)
    weights = net.weights()
    many, alone = (Chips(net, weights, p, BATCH, PROMPT) for p in (place, ALONE))
    tokens = np.random.default_rng(2).integers(0, arch.vocabulary, (BATCH, PROMPT))
    even = drawn(np.full(EXPERTS, ACTIVE / EXPERTS), tokens.size, np.random.default_rng(3)).reshape(BATCH, PROMPT, -1)
    runs = {
        name: tuple(chips.holding(0).run(tokens, routes, True) for chips in (many, alone))
        for name, routes in (("even", even), ("own", None))
    }
    seen = _Traffic(arch, place, runs["even"][0])
    rows = tuple(seen.row(i) for i in range(place.chips))
    checks = (
        *(_outputs(name, *ran) for name, ran in runs.items()),
        *seen.checks(), *(seen.racks(n) for n in (1, 2, 4) if n < place.chips),
    )  # fmt: skip
    points = [(str(i), float(j), float(n)) for i, line in enumerate(seen.sent) for j, n in enumerate(line)]
    picture = Picture("to chip", "from chip", tuple(points), "map")
    own = _Traffic(arch, place, runs["own"][0])
    title = f"dispatch and combine as {layout}"
    return Demonstration("dispatch", "SYS-C3", title, arch.name, checks, rows, picture, own.notes())


def _outputs(name: str, many: Ran, alone: Ran) -> Check:
    apart = float(np.max(np.abs(many.logits - alone.logits)) / np.max(np.abs(alone.logits)))
    what = "even choices" if name == "even" else "its own router"
    return Check(f"logits against one worker, {what}", f"within {_SAME:g}", f"{apart:.1e}", apart <= _SAME)


@dataclass(frozen=True)
class _Traffic:
    """What chips sent each other in one pass, over all layers with experts."""

    model: Architecture
    place: Place
    ran: Ran

    @functools.cached_property
    def sent(self) -> Any:
        """Copies of tokens by sender and receiver, as senders counted them. [from, to]"""
        return self.ran.rows["sent to"]

    @property
    def layers(self) -> int:
        """Layers with experts."""
        return sum(
            n for n, layer in ((self.model.order.count(i), x) for i, x in enumerate(self.model.layers)) if layer.experts
        )

    @property
    def tokens(self) -> float:
        """Tokens of a chip, over all layers."""
        return BATCH * PROMPT / self.place.chips * self.layers

    def row(self, chip: int) -> dict[str, Any]:
        """What one chip sent to each."""
        away = self.sent[chip].sum() - self.sent[chip, chip]
        sent = {f"to_{j}": int(n) for j, n in enumerate(self.sent[chip])}
        return {"chip": chip, **sent, "sent_on": int(away), "copies_per_token": float(away / self.tokens)}

    def crossing(self, racks: int) -> float:
        """Share of copies whose receiver lies in another rack, where chips lie in racks one after another."""
        rack = np.arange(self.place.chips) * racks // self.place.chips
        return float(self.sent[rack[:, None] != rack[None]].sum() / self.sent.sum())

    def racks(self, racks: int) -> Check:
        """The share that crosses, and the slowdown that follows."""
        said, found = float(crossing_fraction(racks)), self.crossing(racks)
        slow = max(1 / racks, RATIO * found)
        wanted = f"{said:.0%}, {float(all_to_all_slowdown(racks, RATIO)):.2f}x as long as in one"
        what = f"copies that leave their rack, {racks} rack{'s' if racks > 1 else ''}"
        return Check(what, wanted, f"{found:.1%}, {slow:.2f}x", abs(found - said) <= _NOISE * max(said, 0.0))

    def checks(self) -> list[Check]:
        """What arrived, between whom, how often, and how much of it."""
        came = self.ran.rows["came from"].T
        away = self.sent[~np.eye(len(self.sent), dtype=bool)]
        times = {
            name: sum(c.times for c in self.ran.counted.collectives if c.name == name and c.kind == "all-to-all")
            for name in ("dispatch", "combine")
        }
        reached = float(group_reached(EXPERTS, ACTIVE, self.place.ep))
        each = float(away.mean() / self.tokens)
        return [
            Check("copies that arrived, pair by pair", "as sent", f"{int(came.sum()):,}", bool(np.array_equal(came, self.sent))),
            Check("pairs of chips that exchange tokens", "all", f"{np.count_nonzero(away)} of {away.size}", bool(np.all(away > 0))),
            Check(
                "all-to-alls of the compiled program", f"{self.layers} + {self.layers}, two a layer",
                f"{times['dispatch']} + {times['combine']}", set(times.values()) == {self.layers},
            ),
            Check(
                "chance that a token goes to a given chip (group_reached)", f"{reached:.4f}", f"{each:.4f}",
                abs(each / reached - 1) <= _NOISE,
            ),
        ]  # fmt: skip

    def notes(self) -> tuple[str, ...]:
        """How far the busiest chip lies above the mean with the network's own router, against the formula at its skew."""
        counts = [v.sum(axis=0) for k, v in self.ran.rows.items() if k.startswith("layer")]
        hottest = max(float(c.max() / c.mean()) for c in counts)
        received = self.sent.sum(axis=0)
        return (
            f"with its own router the busiest chip receives {received.max() / received.mean():.2f} times the mean, the busiest expert of a "
            f"layer {hottest:.2f} times",
        )
