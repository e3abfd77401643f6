"""Inference from prices as text: price by price, all together, and how it did where the truth is public."""

from __future__ import annotations

import math

from headway import units
from headway.economics.hosted_steps import HostedStep
from headway.economics.joint import Belief
from headway.economics.leave_out import Calibration, Checked
from headway.plan.infer import Inference
from headway.tables import table_text

_NAMES = {
    "active": "active parameters", "total": "total parameters", "kv": "KV bytes/token, 16 bits", "batch": "batch per read of the weights",
    "context": "context that output pays", "markup": "price over cost", "dollars": "$ per chip-hour", "utilisation": "utilisation",
    "mfu_decode": "decode MFU over prefill's", "link": "link of cached prompts",
}  # fmt: skip
_KV_SAYS = (
    "without context steps, prices say next to nothing about KV bytes: medians hardly move with the truth, "
    "and intervals stay about as wide as before the prices"
)


def _shown(quantity: str, value: float) -> str:
    match quantity:
        case "active" | "total":
            if value < 1e9:
                return f"{value / 1e6:,.3g} M"
            return f"{value / 1e9:,.1f} B" if value < 1e11 else f"{value / 1e9:,.0f} B"
        case "link":
            return units.si(value, "B/s", 2)
        case "utilisation" | "mfu_decode":
            return f"{value:.0%}"
        case "markup":
            return f"{value:.1f}x"
        case "dollars":
            return units.dollars(value)
        case _:
            return f"{float(f'{value:.3g}'):,.0f}"


def _interval(quantity: str, b: Belief) -> str:
    return f"{_shown(quantity, b.low)} to {_shown(quantity, b.high)}"


def inference_text(i: Inference) -> str:
    """Return readings, the joint inference, and what moved it."""
    p = i.prices
    seller = f" of {p.provider}" if p.provider else f", median of {p.sellers} sellers" if p.sellers > 1 else ""
    prices = [f"input {units.dollars(p.input)}", f"output {units.dollars(p.output)}"]
    prices += [f"cached {units.dollars(p.cached)}"] if p.cached else []
    lines = [f"{p.name}{seller}: {', '.join(prices)} per Mtok" + (f" ({p.source})" if p.source else ""), "",
             f"each price by itself, on {i.on.name} at {units.dollars(i.dollars)}/h"]  # fmt: skip
    for r in i.readings:
        lines += [
            f"  {r.name}: {_value(r.value, r.low, r.high, r.unit)}",
            f"      {r.says}",
            f"      assumes: {r.assumes}; breaks: {r.breaks}",
        ]
    lines += ["", *_joint(i), "", *_moved(i), "", *_assumed(i)]
    return "\n".join([*lines, *(f"! {w}" for w in i.warnings)])


def _value(value: float, low: float, high: float, unit: str) -> str:
    def told(x: float) -> str:
        if unit == "parameters":
            return _shown("active", x)
        if unit == "times":
            return f"{x:.3g}x"
        return f"{float(f'{x:.4g}'):,.0f} {unit}" if abs(x) >= 10 else f"{x:.3g} {unit}"

    if not math.isfinite(value) or value <= 0:
        return "none"
    return told(value) if low == high else f"{told(low)} to {told(high)}"


def _joint(i: Inference) -> list[str]:
    body: list[list[str]] = []
    for q, b in i.beliefs.items():
        prior = _interval(q, i.priors[q]) if q in i.priors else ""
        known = (
            [_shown(q, i.truth[q]) + ("" if b.holds(i.truth[q]) else " MISS") if q in i.truth else ""]
            if i.truth
            else []
        )
        near = _shown(q, i.baseline[q]) if q in i.baseline else ""
        body.append([_NAMES[q], _shown(q, b.median), _interval(q, b), f"{b.width:.3g}x", prior, near, *known])
    heads = [
        "all prices together",
        "median",
        "80 % interval",
        "width",
        "before the prices",
        "baseline",
        *(["truth"] if i.truth else []),
    ]
    wide = i.beliefs["active"].width, i.beliefs["kv"].width
    return [
        table_text(heads, body, left=True),
        f"an honest width: active parameters within a factor of {wide[0]:.2g}, KV bytes of {wide[1]:.2g}; "
        f"baseline: {i.near}, scaled by the input price",
        f"{i.samples:,} samples, {i.effective:,.0f} effective",
    ]  # fmt: skip


def _moved(i: Inference) -> list[str]:
    body: list[list[str]] = []
    for m in i.moved:
        cells = [
            f"{i.beliefs[q].median / b.median:.2f}x, {i.beliefs[q].width / b.width:.2f}x" for q, b in m.without.items()
        ]
        body.append([m.price, f"{m.power:g}", *cells])
    told = [_NAMES[q].split(",")[0] for q in i.moved[0].without]
    out = ["what each price did: the median moved, and the interval's width, against leaving it out",
           table_text(["price", "counts", *told], body, left=True)]  # fmt: skip
    if ignored := [k for k, v in i.learned.powers.items() if v == 0 and (k != "cached" or i.prices.cached)]:
        out.append(f"not used: {', '.join(ignored)}: on open models it does not follow what it would say")
    return out


def _assumed(i: Inference) -> list[str]:
    f, g = i.learned.fit, i.guesses
    told = (g[k] for k in ("dollars", "utilisation", "prefill_mfu", "context"))
    stated = [f"{x.name} {x.median:g} {x.unit} within {x.spread:g}x" for x in told]
    apart = f", everything of the shape of {i.prices.name} left out" if i.truth else ""
    return [
        f"fitted to {f.shapes} shapes of open models{apart}: parameters, KV bytes and how they are spread; "
        f"what sellers ask per chip-second (a factor {math.exp(f.rate.sd):.1f} either way); "
        f"batch {f.batch:,.0f} and context {f.context:,.0f} tokens, at which output prices come out; "
        f"errors of input {math.exp(f.input_error):.2f}x, output {math.exp(f.output_error):.2f}x, cached {math.exp(f.cached.sd):.1f}x"
        + (f", steps {math.exp(f.step.sd):.1f}x" if f.step else ""),
        f"stated (`headway catalog infer_priors` has the sources): {', '.join(stated)}",
        "price over cost, $ per chip-hour and utilisation only enter as their product: prices say nothing about one without the others; "
        "closed models are taken to be of the kind that open ones are",
    ]  # fmt: skip


_WHAT = {
    "models": "open models, median prices",
    "sellers": "open models, every seller's list",
    "hosted": "hosted, with context steps",
}


def calibration_text(c: Calibration) -> str:
    """Return the leave-one-out table with its coverage."""
    body = [
        [_WHAT[what], _NAMES[s.quantity].split(",")[0], f"{s.lists:,}", str(s.shapes), f"{s.coverage:.0%}", f"{s.by_shape:.0%}",
         f"{s.width:.3g}x", f"{s.factor:.2f}x", f"{s.baseline:.2f}x"]
        for what, rows in c.scores.items() for s in rows
    ]  # fmt: skip
    heads = [
        "price lists",
        "quantity",
        "lists",
        "shapes",
        "in 80 % interval",
        "by shape",
        "median width",
        "median error",
        "baseline's error",
    ]
    lines = [
        f"every shape left out of what its prices are read with; {c.samples:,} samples",
        "",
        table_text(heads, body, left=True),
        "",
    ]
    for q in ("active", "total", "kv"):
        rows = [_checked(r, q) for r in (*c.models, *c.hosted)]
        lines += [table_text([_NAMES[q], "truth", "median", "80 % interval", "baseline", ""], rows, left=True), ""]
    missed = [f"{r.prices.name} ({', '.join(r.misses())})" for r in (*c.models, *c.hosted) if r.misses()]
    lines += [f"misses: {'; '.join(missed) or 'none'}", _KV_SAYS]
    return "\n".join(lines)


def _checked(r: Checked, q: str) -> list[str]:
    b, t = r.beliefs[q], r.truth[q]
    return [
        r.prices.name,
        _shown(q, t),
        _shown(q, b.median),
        _interval(q, b),
        _shown(q, r.baseline[q]),
        "" if b.holds(t) else "MISS",
    ]


def steps_text(found: list[HostedStep]) -> str:
    """Return both estimators of KV bytes per token, beside the truth where the model is public."""
    body: list[list[str]] = []
    for h in found:
        off = f"{h.truth / h.lecture:.0f}x" if h.truth and h.lecture else ""
        each = ", ".join(f"{h.truth / k:.1f}x" for k in h.slopes) if h.truth else ""
        body.append([
            h.prices.name, "|".join(units.si(e, "", 4).replace(" ", "") for e in h.prices.edges),
            "|".join(f"{x:g}" for x in h.prices.outputs),
            "" if h.lecture is None else f"{h.lecture:,.0f}", ", ".join(f"{k:,.0f}" for k in h.slopes),
            "" if h.truth is None else f"{h.truth:,.0f}", off, each, "" if h.attention is None else f"{h.attention:,.0f}",
        ])  # fmt: skip
    heads = [
        "model",
        "tiers up to",
        "output $/Mtok",
        "lecture's k",
        "slope's k",
        "true k, 16 bits",
        "true/lecture",
        "true/slope",
        "attention = 2N at",
    ]
    return "\n".join([
        table_text(heads, body, left=True), "",
        "lecture's: k = N/(300 L) at the first step, N = 100e9 where it is not public; slope's: k = dP/dL x bandwidth / rent, H100 at $2/h",
        "of a closed model the slope's is an upper bound where prices are above cost; "
        "input steps may be prefill attention (last column) and no KV bytes at all",
    ])  # fmt: skip
