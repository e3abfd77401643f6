"""What would do, where something does not fit: another layout, more chips, fewer bytes, a shorter context, a larger share.

Every remedy is options of the command line that were tried: the question is put again with them, and what it resolves to fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from headway.catalog import default
from headway.errors import HeadwayError, InputError, PhysicsError
from headway.hardware import counted, with_host
from headway.parallel import Layout, candidates, check, offload_option, offloaded
from headway.questions import AUTO, Query, Request
from headway.serving.capacity import Account, refusal
from headway.serving.setting import Setting, given_ways, left_to_host, place, setting

# Tried in this order: what engines convert by themselves, then what people download, with llama.cpp where the engine was left open.
_NARROWER = (
    ("fp8", ""),
    ("int4", ""),
    ("q4_k_m", ""),
    ("q4_k_m", "llama.cpp"),
    ("q3_k_m", ""),
    ("q3_k_m", "llama.cpp"),
)
_AT_HOME = ("q4_k_m", "llama.cpp")
_SAID = 3  # remedies in a refusal


def matching(s: Setting, question: Request | Query) -> list[Layout]:
    """Return the layouts inside one scale-up domain that a question leaves open."""
    given, away = given_ways(question), left_to_host(question, s.model)
    options = [c for c in candidates(s.model, s.system.joined) if all(getattr(c, k) == v for k, v in given.items())]
    return [replace(c, **away) for c in options if c.tensor_only] if away else options


def remedies(s: Setting) -> str:
    """Name what fits: the nearest layout, and what would make the question fit as it is asked.

    Parameters
    ----------
    s : Setting
        Of a question whose layouts do not fit.
    """
    if s.question is None:
        return ""
    narrower = list(_narrower(s))
    away = _on_host(s) or ("" if narrower else _on_host_narrower(s))
    nearest, others = _nearest(s), [_larger_share(s), *narrower, _shorter(s)]
    found = [away, nearest, *others] if s.system.chip.status == "consumer" else [nearest, *others, away]
    return (
        "; or ".join([x for x in found if x][:_SAID])
        or "nothing near fits: fewer bytes per weight, or chips with more memory"
    )


def refused(s: Setting, layout: Layout, account: Account, remedy: str = "") -> PhysicsError:
    """Build the error for a layout that does not fit, with what would.

    Parameters
    ----------
    s : Setting
    layout : Layout
    account : Account
    remedy : str
        What to say instead of what was tried and fits.
    """
    return refusal(s.model, layout, s.system, account, s.prompt + s.output, remedy or remedies(s))


def _holds(account: Account) -> bool:
    return account.fits >= 1


def _asked(s: Setting, **changes: Any) -> Setting | None:
    """The setting of the same question with some answers changed; None where that is no question."""
    assert s.question is not None
    try:
        question = replace(s.question, **changes)
        return (
            setting(question)
            if isinstance(question, Request)
            else place(question, changes.get("systems", (s.named,))[0])
        )
    except HeadwayError:
        return None


def _fits(s: Setting | None) -> bool:
    if s is None or s.question is None:
        return False
    options = [s.only] if s.question.layout is not None and s.only is not None else matching(s, s.question)
    return any(_holds(s.account(c)) for c in options)


def _nearest(s: Setting) -> str:
    """The nearest layout: on this system, on more chips that a link joins, or as a pipeline over a network."""
    here = [c for c in candidates(s.model, s.system.joined) if _holds(s.account(c))]
    if here:
        best = min(here, key=lambda c: (c.chips, c.dp))
        return f"{best} on this system fits (--layout {best}{_instead(s)})"
    grown = _joined(s)
    for layout in (
        *([grown] if grown and grown.chips <= s.system.domain else []),
        *_pipelines(s),
        *([grown] if grown else []),
    ):
        option = _more_chips(s, layout)
        if option is not None:
            where = "this system" if layout.chips <= s.system.chips else f"{layout.chips} such chips"
            what = "the pipeline " if layout.pp > 1 else ""
            return f"{what}{layout} on {where} fits ({option}--layout {layout}{_instead(s)})"
    return f"{grown} on {grown.chips} such chips would fit, but nothing that is known joins so many" if grown else ""


def _instead(s: Setting) -> str:
    """What a whole layout takes the place of: it says all of it."""
    assert s.question is not None
    given = [f"--{k.replace('_', '-')}" for k in (*given_ways(s.question), *left_to_host(s.question, s.model))]
    return f" in place of {' and '.join(given)}" if given and s.question.layout is None else ""


def _more_chips(s: Setting, layout: Layout) -> str | None:
    """Options that give a layout its chips ("" where it has them); None where it does not fit or nothing joins them."""
    assert s.question is not None
    name = counted(s.system.chip, layout.chips)
    searched = isinstance(s.question, Query)
    named = {"systems": (name,)} if searched else {"system": name}
    ways = {} if searched else dict.fromkeys(("tp", "dp", "ep", "pp", "cpu_layers", "cpu_experts"))
    more = [(f"--chips {layout.chips} ", {"chips": layout.chips}), (f"--on {name} ", {**named, "chips": None})]
    for option, changes in (("", dict[str, Any]()), *(more if layout.chips > s.system.chips else [])):
        found = _asked(s, **changes, **ways, layout=str(layout))
        if found is None or layout.chips > (found.reach if layout.pp > 1 else found.system.joined):
            continue
        if _holds(found.account(layout)):
            return option
    return None


def _joined(s: Setting) -> Layout | None:
    """The layout with the fewest chips that fits if so many were joined."""
    for chips in (2**i for i in range(1, 11) if 2**i > s.system.joined):
        good = [c for c in candidates(s.model, chips) if _holds(s.account(c))]
        if good:
            return min(good, key=lambda c: (c.chips, c.dp))
    return None


def _pipelines(s: Setting) -> Iterator[Layout]:
    if s.system.scale_out <= 0 and s.system.chips <= s.system.joined:
        return
    for stages in range(2, 9):
        layout = Layout(tp=s.system.joined, pp=stages)
        try:
            check(s.model, layout)
        except InputError:
            continue
        yield layout


def _away(s: Setting | None) -> str:
    """Experts or layers in the host's memory, as few as do, as an option of the question's verb; "" where that does not do."""
    if s is None or s.question is None:
        return ""
    q = s.question
    try:
        on = replace(s, system=with_host(s.system, q.host, q.ram))
    except InputError:
        return ""
    found = offloaded(
        s.model, s.system.joined, lambda c: on.account(c).fits_chips >= 1, lambda c: _holds(on.account(c))
    )
    if found is None:
        return ""
    if isinstance(q, Query) or q.layout is not None:
        return f"--layout {found}"
    left = {"cpu_layers": found.cpu_layers or None, "cpu_experts": found.cpu_experts or None}
    return offload_option(found) if _fits(_asked(s, **left)) else ""


def _on_host(s: Setting) -> str:
    option = _away(s)
    what = "experts of so many layers" if "experts" in option or "moe" in option else "so many layers"
    return f"{option} fits ({what} in the host's memory)" if option else ""


def _on_host_narrower(s: Setting) -> str:
    """What people run at home: 4-bit weights, and what of them does not fit in the host's memory."""
    name, engine = _AT_HOME
    assert s.question is not None
    for changes, text in (({}, ""), ({"engine": engine}, f" --engine {engine}")):
        if text and s.question.engine != AUTO:
            continue
        option = _away(_asked(s, precision=name, **changes))
        if option:
            return f"--precision {name}{text} {option} fits (the rest in the host's memory)"
    return ""


def _larger_share(s: Setting) -> str:
    least = default("least_reserve")
    now = default("memory_reserve") if s.reserve is None else s.reserve
    if now <= least:
        return ""
    assert s.question is not None
    name, value = ("memory_share", 1 - least) if s.question.reserve is None else ("reserve", least)
    return f"--{name.replace('_', '-')} {value:g} fits" if _fits(_asked(s, **{name: value})) else ""


def _narrower(s: Setting) -> Iterator[str]:
    """The first of the usual formats with which the question fits as it is asked otherwise."""
    assert s.question is not None
    own = s.engine.profile == _AT_HOME[1]  # its files are mixtures: those come first
    for name, engine in sorted(_NARROWER, key=lambda way: own and not way[0].startswith("q")):
        if engine and s.question.engine != AUTO:
            continue
        found = _asked(s, precision=name, **({"engine": engine} if engine else {}))
        if found is not None and found.model.weight_bytes < 0.95 * s.model.weight_bytes and _fits(found):
            yield f"--precision {name}{f' --engine {engine}' if engine else ''} fits"
            return


def _shorter(s: Setting) -> str:
    """Half the length, and so on: of the prompt where the question names one, else of the context."""
    assert s.question is not None
    by_prompt = isinstance(s.question, Query) or s.question.prompt is not None
    name, whole = ("prompt", s.prompt) if by_prompt else ("context", s.prompt + s.output / 2)
    for part in range(1, 8):
        shorter = float(int(whole / 2**part))
        if shorter < default("default_output"):
            break
        if _fits(_asked(s, **{name: shorter})):
            return f"--{name} {shorter:,.0f} fits"
    return ""
