"""Which verbs the page may ask, and which of their options: none that reads or writes a file."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from headway.questions import FIELDS

Lane = Literal["short", "long"]


@dataclass(frozen=True)
class Offered:
    """A verb on the page.

    Attributes
    ----------
    name, file : str
        Of the verb, and of its file in `headway.cli.verbs`.
    own : tuple of str
        Its options beside the question's fields that the page may give.
    lane : str
        ``short``: answered while one waits; ``long``: streams how far it is.
    drawn, table, cases : bool
        Whether it has ``-o``, ``--csv``, and a table of cases to read.
    """

    name: str
    file: str
    own: tuple[str, ...] = ()
    lane: Lane = "short"
    drawn: bool = False
    table: bool = False
    cases: bool = False

    @property
    def verb(self) -> Callable[..., None]:
        """The verb as the command line runs it."""
        return getattr(importlib.import_module(f"headway.cli.verbs.{self.file}"), self.name)


_RUN = (
    "traffic", "requests", "duration", "start", "rate", "rate_scale", "seed", "policy", "router", "ttft", "tpot",
    "max_sequences", "max_queue", "tiers", "prefill", "autoscale", "why",
)  # fmt: skip
_PRICES = (
    "model", "input", "output", "cached", "write_5m", "write_1h", "window", "fast", "active", "chip", "price", "samples",
    "seed", "validate", "why",
)  # fmt: skip
_BILL = (
    "models", "prompt", "output", "cached", "tier", "against", "ttft", "tpot", "within", "hits", "hours", "price",
    "reserved_price", "layout", "precision", "engine", "why",
)  # fmt: skip
_TRAIN = (
    "model", "on", "tokens", "chips", "layout", "global_batch", "sequence", "micro_batch", "recompute", "zero", "schedule", "parts",
    "overlap", "precision", "optimizer", "engine", "price", "mtbf", "restart", "checkpoint", "interval", "why",
)  # fmt: skip
_LIFE = (
    "tokens",
    "demand",
    "traffic",
    "days",
    "rl_tokens",
    "trained",
    "rl_idle",
    "train_on",
    "train_price",
    "law",
    "why",
)
_LOOP = (
    "prompts", "group", "prompt", "answers", "iterations", "forwards", "trained", "rollout_chips", "way", "train_layout",
    "train_engine", "global_batch", "seed", "why",
)  # fmt: skip
OFFERED = {
    o.name: o
    for o in (
        Offered("plan", "plan", ("why",), drawn=True),
        Offered("curve", "plan", ("against", "points", "stacked", "why"), drawn=True, table=True),
        Offered("cost", "cost", ("against", "points", "owned", "assume"), drawn=True, table=True),
        Offered("tiers", "tiers", ("tiers", "standard", "margin", "steps", "fill", "rate", "ttft", "check"), "long", True, True),
        Offered("ask", "ask", ("equation", "numbers", "model", "kv_bytes", "on", "precision", "sweep"), drawn=True, table=True),
        Offered("lecture", "facts"),
        Offered("learn", "learn", ("lesson", "card", "answer", "seed", "hints", "keep")),
        Offered("catalog", "facts", ("table", "query"), table=True),
        Offered("search", "search", ("why",), "long", True, True),
        Offered("simulate", "simulate", _RUN, "long", True, True),
        Offered("infer", "infer", _PRICES, "long", True, True),
        Offered("bill", "bill", _BILL, "long", True, True),
        Offered("train", "train", _TRAIN, "long", True, True),
        Offered("lifetime", "lifetime", _LIFE, "long", True, True),
        Offered("rl", "rl", _LOOP, "long", True, True),
        Offered("predict", "evidence", ("engine",), "long", drawn=True, cases=True),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Option:
    """One thing that a verb takes.

    Attributes
    ----------
    name : str
    about : str
    said : str
        How the command line names it; "" where it only stands in its place.
    kind : str
        JSON's type: string, integer, number, boolean, array or object.
    default : Any
        None: left out. [its own]
    needed, asked : bool
        Whether it must be given; whether it is a field of the question (`headway.questions.FIELDS`).
    choices : tuple of str
    """

    name: str
    about: str
    said: str
    kind: str
    default: Any
    needed: bool
    asked: bool
    choices: tuple[str, ...] = ()


def options_of(offered: Offered) -> dict[str, Option]:
    """Return what a verb takes of the page, by name: fields of its question, then its own options."""
    verb = offered.verb
    taken = inspect.signature(verb).parameters
    hints = get_type_hints(verb, include_extras=True)
    question = getattr(verb, "__wrapped__", None)
    own = set(inspect.signature(question, follow_wrapped=False).parameters) if question else set(taken)
    found: dict[str, Option] = {}
    for name, p in taken.items():
        asked = name in FIELDS and name not in own
        if dataclasses.is_dataclass(p.default):  # options that are declared together
            inner = get_type_hints(type(p.default), include_extras=True)
            for f in dataclasses.fields(p.default):
                if f.name in offered.own:
                    one = inspect.Parameter(f.name, p.KEYWORD_ONLY, default=getattr(p.default, f.name))
                    found[f.name] = _option(f.name, one, inner[f.name], False)
        elif asked or name in offered.own:
            found[name] = _option(name, p, hints.get(name, p.annotation), asked)
    return found


def _option(name: str, p: inspect.Parameter, hint: Any, asked: bool) -> Option:
    kind, said = hint, None
    if get_origin(hint) is Annotated:
        kind, said = get_args(hint)[0], get_args(hint)[1]
    many = p.kind is inspect.Parameter.VAR_POSITIONAL
    placed = many or p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = tuple(getattr(said, "name", None) or ())
    option = "" if placed else names[0] if names else f"--{name.strip('_').replace('_', '-')}"
    f = FIELDS[name] if asked else None
    needed, default = p.default is p.empty and not many, None if p.default is p.empty else p.default
    choices = tuple(str(x) for x in get_args(kind)) if get_origin(kind) is Literal else ()
    about = f.about if f else str(getattr(said, "help", "") or "")
    return Option(name, about, option, "object" if many else _kind(kind), default, needed, asked, choices)


def _kind(hint: Any) -> str:
    """JSON's type of an annotation."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(x for x in get_args(hint) if x is not type(None))
    if get_origin(hint) is tuple:
        return "array"
    return {bool: "boolean", int: "integer", float: "number"}.get(hint, "string")
