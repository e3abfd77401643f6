"""Long questions of the page as programs: traffic, prices read backwards, bills, tables of cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from headway import units
from headway.plan.operations import AS_IT_IS

_WINDOW = {"requests": "count", "duration": "duration", "start": "start", "rate": "rate", "rate_scale": "scale"}
_LIST = ("cached", "write_5m", "write_1h")


def keywords(given: Mapping[str, Any]) -> str:
    """Return keyword arguments, each behind a comma. [1]"""
    return "".join(f", {k}={v!r}" for k, v in given.items() if v is not None)


def simulated(v: Mapping[str, Any], request: str) -> str:
    """Return a program that runs traffic.

    Parameters
    ----------
    v : mapping
        Values of the page's question.
    request : str
        The `Request`, as Python.
    """
    window = {w: v.get(n) for n, w in _WINDOW.items()}
    words = {f.name: v[f.name] for f in fields(AS_IT_IS) if f.name in v}
    words |= {k: int(v[k]) for k in ("max_sequences", "max_queue") if k in v}
    seed = keywords({"seed": int(v["seed"])} if "seed" in v else {})
    limits = "".join(f", {'None' if n not in v else f'parsed({n!r}, {v[n]!r})'}" for n in ("ttft", "tpot"))
    prefill = keywords({"prefill": v.get("prefill")})
    more = f", operation(Words({keywords(words).removeprefix(', ')}), place.setting, place.layout, traffic{seed})"
    return "\n".join((
        "from headway.plan.operations import Words, operation",
        "from headway.plan.simulated import asked_for, placed",
        *(("from headway.questions import parsed",) if "parsed" in limits else ()),
        "from headway.records.simulations import simulation_record",
        "",
        f"request, traffic = asked_for({request}, {v.get('traffic', 'poisson:1/s')!r}{seed}{keywords(window)})",
        "place = placed(request)",
        f"found = place.run(traffic{more}{prefill}{seed})",
        f"record = simulation_record(found{limits if 'parsed' in limits else ''})",
    ))  # fmt: skip


def inferred(v: Mapping[str, Any]) -> str:
    """Return a program that reads prices backwards.

    Parameters
    ----------
    v : mapping
        Values of the page's question.
    """
    samples, chip, seed = _number(v.get("samples", "200k")), v.get("chip", "h100"), int(v.get("seed", 0))
    if v.get("validate"):
        return "\n".join((
            "from headway.economics.leave_out import check",
            "from headway.records.inferences import calibration_record",
            "",
            f"record = calibration_record(check({max(int(samples) // 10, 1)}, {seed}, {chip!r}))",
        ))  # fmt: skip
    lines = ["from headway.records.inferences import inference_record", ""]
    name = repr(v["model"]) if "model" in v else "prices"
    if "model" not in v:
        own: dict[str, Any] = {k: _number(v[k]) for k in _LIST if k in v}
        if "fast" in v:
            own["fast"] = tuple(float(x.removesuffix("x")) for x in v["fast"].split(":"))
        lines.insert(0, "from headway.economics.price_lists import PriceList")
        prices = f"'your prices', {_number(v['input'])!r}, {_number(v['output'])!r}{keywords(own)}"
        lines.append(f"prices = PriceList({prices})")
    more = {"n_active": _number(v["active"])} if "active" in v else {}
    more |= {"dollars": 3600 * _rent(v["price"])} if "price" in v else {}
    more |= {"samples": int(samples)} if "samples" in v else {}
    given = more | {k: kind(v[k]) for k, kind in (("chip", str), ("seed", int)) if k in v}
    return "\n".join((*lines, f"record = inference_record(hw.infer({name}{keywords(given)}))"))


def billed(v: Mapping[str, Any]) -> str:
    """Return a program that bills a workload, or sets renting a system beside it.

    Parameters
    ----------
    v : mapping
        Values of the page's question.
    """
    counts = ", ".join(f"read_tokens({v.get(n, '0')!r}, {n!r})" for n in ("prompt", "output", "cached"))
    work = f"work = Workload({counts}{keywords({'tier': v.get('tier')})})"
    today = "today = datetime.datetime.now(datetime.UTC).date()"
    models = [m.strip() for m in v["models"].split(",") if m.strip()]
    reading = "from headway.economics.quotes import Workload, read_tokens"
    if "against" not in v:
        return "\n".join((
            "import datetime", "", reading, "from headway.records.bills import billed_record", "", work, today,
            f"record = billed_record(hw.bill_workload({models!r}, work, today))",
        ))  # fmt: skip
    rented = {n: v.get(n) for n in ("layout", "precision", "engine")}
    rented["price"] = _rent(v["price"]) if "price" in v else None
    within = _share(v["within"]) if "within" in v else None
    tpots = [_seconds(t) for t in v["tpot"].split(",")] if "tpot" in v else [None]
    limits = ", ".join(
        f"Limits({_seconds(v['ttft']) if 'ttft' in v else None!r}, {t!r}{keywords({'within': within})})" for t in tpots
    )
    more = {"reserved": _rent(v["reserved_price"]) if "reserved_price" in v else None}
    busy = f", busy=Decimal({str(v['hours'])!r})" if "hours" in v else ""
    return "\n".join((
        "import datetime", *(("from decimal import Decimal",) if busy else ()), "", reading,
        "from headway.plan.break_even import Limits, against_api, read_hits",
        "from headway.records.bills import break_even_record", "", work, today,
        f"request = hw.Request({models[0]!r}, {v['against']!r}{keywords(rented)})",
        f"found = against_api(request, work, today, limits=[{limits}], hits=read_hits({v.get('hits')!r}, work){keywords(more)}{busy})",
        "record = break_even_record(found)",
    ))  # fmt: skip


_TRAINING = {
    "sequence": units.TOKENS, "price": units.DOLLARS_PER_SECOND, "mtbf": units.SECONDS, "restart": units.SECONDS,
    "checkpoint": units.SECONDS, "interval": units.SECONDS,
}  # fmt: skip


def trained(v: Mapping[str, Any], model: str) -> str:
    """Return a program that trains a model.

    Parameters
    ----------
    v : mapping
        Values of the page's question.
    model : str
    """
    given: dict[str, Any] = {n: int(v[n]) for n in ("chips", "micro_batch", "zero", "parts") if n in v}
    given |= {n: v[n] for n in ("layout", "recompute", "schedule", "precision", "optimizer", "engine") if n in v}
    given |= {n: units.parse(str(v[n]), kind, n) for n, kind in _TRAINING.items() if n in v}
    given |= {"batch": v["global_batch"]} if "global_batch" in v else {}
    given |= {"overlap": units.share(str(v["overlap"]))} if "overlap" in v else {}
    tokens = units.parse(str(v["tokens"]), units.TOKENS, "tokens")
    return f"record = hw.train(hw.TrainingQuestion({model!r}, {v['on']!r}, {tokens!r}{keywords(given)})).to_dict()"


def lived(v: Mapping[str, Any], model: str, request: str) -> str:
    """Return a program that finds the cheapest size over a life.

    Parameters
    ----------
    v : mapping
        Values of the page's question.
    model : str
    request : str
        The `Request`, as Python.
    """
    tokens = units.parse(str(v["tokens"]), units.TOKENS, "tokens")
    price = keywords({"price": _rent(v["train_price"]) if "train_price" in v else None})
    if "demand" in v:
        demand = repr(units.parse(str(v["demand"]), units.TOKENS, "demand"))
    else:
        rate = units.parse(str(v["traffic"]).removesuffix("/s"), units.TOKENS, "traffic")
        demand = f"{rate!r} * {float(v.get('days', 60.0))!r} * 86400"
    more: dict[str, Any] = (
        {"rollouts": units.parse(str(v["rl_tokens"]), units.TOKENS, "rl_tokens")} if "rl_tokens" in v else {}
    )
    more |= {word: units.portion(str(v[n])) for n, word in (("trained", "trained"), ("rl_idle", "idle")) if n in v}
    more |= {"law": v.get("law")}
    return "\n".join((
        f"training = hw.TrainingQuestion({model!r}, {v.get('train_on', 'h100x1024')!r}, {tokens!r}{price})",
        f"record = hw.lifetime_plan({request}, training, {demand}{keywords(more)}).to_dict()",
    ))  # fmt: skip


_LOOP_WORDS = {
    "prompts": ("prompts", int), "group": ("group", int), "prompt": ("prompt", str), "answers": ("answer", str),
    "iterations": ("iterations", int), "forwards": ("forwards", float), "trained": ("trained", units.share),
    "rollout_chips": ("chips", int), "way": ("way", str), "seed": ("seed", int),
}  # fmt: skip


def looped(v: Mapping[str, Any], model: str, request: str) -> str:
    """Return a program that runs a loop of reinforcement learning.

    Parameters
    ----------
    v : mapping
        Values of the page's question.
    model : str
    request : str
        The `Request`, as Python.
    """
    given = {
        w: v.get(n) for n, w in (("train_layout", "layout"), ("global_batch", "batch"), ("train_engine", "engine"))
    }
    given["price"] = _rent(v["price"]) if "price" in v else None
    words = {word: kind(v[n]) for n, (word, kind) in _LOOP_WORDS.items() if n in v}
    return "\n".join((
        f"training = hw.TrainingQuestion({model!r}, {v['system']!r}, 1.0{keywords(given)})",
        f"record = hw.reinforcement(hw.LoopQuestion({request}, training{keywords(words)})).to_dict()",
    ))  # fmt: skip


def predicted(v: Mapping[str, Any]) -> str:
    """Return a program that predicts a table of cases.

    Parameters
    ----------
    v : mapping
        Values of the page's question.
    """
    return f"rows = hw.predict('./cases.csv'{keywords({'engine': v.get('engine')})})"


def _number(text: Any) -> float:
    return units.parse(str(text), units.COUNT, "number")


def _rent(text: Any) -> float:
    return units.parse(str(text), units.DOLLARS_PER_SECOND, "price")


def _seconds(text: Any) -> float:
    return units.parse(str(text), units.SECONDS, "time")


def _share(text: Any) -> float | None:
    from headway.plan.slo import share_of

    return share_of(str(text))
