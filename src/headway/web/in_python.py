"""A question of the page as a program that answers it."""

from __future__ import annotations

from typing import Any

from headway.questions import FIELDS
from headway.web import in_python_runs as runs
from headway.web.asked import Asked
from headway.web.names import PASTED
from headway.web.offered import options_of
from headway.web.own import FOLDER


def program(a: Asked) -> str:
    """Return Python that gives the same record.

    Parameters
    ----------
    a : Asked
    """
    body = {
        "plan": _plan, "curve": _curve, "cost": _cost, "tiers": _tiers, "ask": _ask, "search": _search, "lecture": _lecture,
        "catalog": _catalog, "simulate": _simulate, "infer": _infer,
        "bill": _bill, "predict": _predict, "train": _train, "learn": _learn, "lifetime": _lifetime,
        "rl": _rl,
    }[a.offered.name]  # fmt: skip
    own = "" if a.chip is None else f"from headway.catalog import use\n\nuse({'./' + FOLDER!r})\n"
    return f"import headway as hw\n{own}\n{body(a)}"


def _fields(a: Asked, skip: tuple[str, ...] = ("model", "system", "systems")) -> str:
    """Keyword arguments of the question's fields; what differs from nothing."""
    kinds = {n: o for n, o in options_of(a.offered).items() if o.asked}
    given = {n: _value(n, v) for n, v in a.values.items() if n in kinds and n not in skip}
    return "".join(f", {n}={v!r}" for n, v in given.items())


def _value(name: str, value: Any) -> Any:
    f = FIELDS[name]
    if f.kind == "whole":
        return int(float(value))
    return float(value) if f.kind == "number" else value


def _place(name: str) -> str:
    return "./config.json" if name == PASTED else name


def _request(a: Asked, model: str | None = None, system: str | None = None) -> str:
    where = system or a.values["system"]
    return f"hw.Request({_place(model or a.values['model'])!r}, {where!r}{_fields(a)})"


def _plan(a: Asked) -> str:
    pairs = [(m, s) for m in a.values["model"].split(",") for s in a.values["system"].split(",")]
    if len(pairs) == 1:
        return f"record = hw.make_plan({_request(a, *pairs[0])}).to_dict()"
    lines = "\n".join(f"    {_request(a, m, s)}," for m, s in pairs)
    return f"questions = [\n{lines}\n]\nrecords = [hw.make_plan(q).to_dict() for q in questions]"


def _curve(a: Asked) -> str:
    against, points = a.values.get("against", "batch"), int(a.values.get("points", 25))
    return f"plan = hw.make_plan({_request(a)})\ncurve = hw.sweep_against(plan, {against!r}, {points}).rows()"


def _cost(a: Asked) -> str:
    v = a.values
    own = ""
    first = f"question = {_request(a)}\n"
    if v.get("owned") or v.get("assume"):
        assumed = dict(x.split("=", 1) for x in v.get("assume", "").split(",") if "=" in x)
        first += f"own = hw.owned_price(hw.setting(question).system.chip, **{assumed!r})\n"
        own = ", owned=own"
    sweep = f"hw.costs_against(question, {v.get('against', 'batch')!r}, {int(v.get('points', 8))}{own})"
    return f"{first}record = hw.costs(question{own}).to_dict()\nsweep = {sweep}"


def _tiers(a: Asked) -> str:
    v = a.values
    more = f", {v['tiers']!r}" if "tiers" in v else ""
    more += f", standard={float(v['standard'])}" if "standard" in v else ""
    if "margin" in v:
        more += f", margin={float(v['margin'].removesuffix('%')) / (100 if v['margin'].endswith('%') else 1):.6g}"
    return f"record = hw.design_tiers({_request(a)}{more}).to_dict()"


def _ask(a: Asked) -> str:
    v = a.values
    if "equation" not in v:
        return "from headway.records.equations import listed_records\n\nrecords = listed_records()"
    named = {"model": "model", "kv_bytes": "kv_bytes", "on": "system", "precision": "precision", "sweep": "sweep"}
    more = "".join(f", {p}={v[n]!r}" for n, p in named.items() if n in v)
    return f"record = hw.ask({v['equation']!r}, {v.get('numbers', {})!r}{more}).to_dict()"


def _search(a: Asked) -> str:
    question = f"hw.Query({_place(a.values['model'])!r}, systems={a.values['systems']!r}{_fields(a)})"
    return f"record = hw.search_layouts({question}).to_dict()"


def _simulate(a: Asked) -> str:
    return runs.simulated(a.values, _request(a))


def _infer(a: Asked) -> str:
    return runs.inferred(a.values)


def _bill(a: Asked) -> str:
    return runs.billed(a.values)


def _predict(a: Asked) -> str:
    return runs.predicted(a.values)


def _train(a: Asked) -> str:
    return runs.trained(a.values, _place(a.values["model"]))


def _lifetime(a: Asked) -> str:
    return runs.lived(a.values, _place(a.values["model"]), _request(a))


def _rl(a: Asked) -> str:
    return runs.looped(a.values, _place(a.values["model"]), _request(a))


def _catalog(a: Asked) -> str:
    v = a.values
    if "table" not in v:
        return "from headway.catalog import catalogue\n\nrecords = catalogue().names()"
    more = f", {v['query']!r}" if v.get("query") else ""
    return f"from headway.tables import catalogue_rows\n\nrecords = catalogue_rows({v['table']!r}{more})"


def _lecture(a: Asked) -> str:
    return "records = [h.record() for h in hw.headlines()]"


def _learn(a: Asked) -> str:
    v = a.values
    if "lesson" in v:
        wanted = "lessons()" if v["lesson"] == "lessons" else f"[lesson({v['lesson']!r})]"
        return f"from headway.learn.lessons import lesson, lessons\n\nrecords = [x.to_dict() for x in {wanted}]"
    if "card" not in v:
        return "cards = hw.cards()"
    seed = f", {int(v['seed'])}" if "seed" in v else ""
    drawn = f"hw.draw_card({v['card']!r}{seed})"
    drawn = drawn if "answer" not in v else f"hw.grade_answer({drawn}, {v['answer']!r})"
    return f"record = {drawn}.to_dict()"
