"""What `headway infer` does: words to a price list, the answer to text, JSON, CSV or a chart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.cli.output import emit, emit_csv
from headway.cli.pictures import draw
from headway.cli.terminal import show
from headway.errors import InputError, quoted

if TYPE_CHECKING:
    from headway.economics.price_lists import PriceList

_TIMES = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*x\s*")
_SHARE = 10  # of the samples, one in so many for each shape of a validation


@dataclass(frozen=True)
class Asked:
    """The words of a question."""

    model: str
    own: Mapping[str, str | None]
    step: tuple[str, ...]
    window: str | None
    fast: str | None
    active: str
    chip: str
    price: str
    samples: str
    seed: int


def run(asked: Asked, *, steps: bool, validate: bool, json: bool, csv: bool, why: bool, out: str | None) -> None:
    """Answer and show."""
    if out:
        from headway.figures.style import check

        check(out)
    if sum((steps, validate, bool(asked.model), any(asked.own.values()))) > 1:
        raise InputError(
            "infer takes one of: a MODEL of the catalogue, your own --input and --output, --steps, --validate"
        )
    if why and (steps or validate):
        raise InputError("--why: of one price list; leave out --steps and --validate")
    if steps:
        _steps(json, csv, out)
    elif validate:
        _validate(asked, json, csv, out)
    else:
        _infer(asked, json, csv, why, out)


def _steps(json: bool, csv: bool, out: str | None) -> None:
    from headway.economics.hosted_steps import hosted_steps
    from headway.records.inferences import steps_rows
    from headway.report.inferences import steps_text

    if out:
        raise InputError("-o: --steps is a table; --csv prints it for your own charts")
    found = hosted_steps()
    if json:
        emit(steps_rows(found))
    elif csv:
        emit_csv(steps_rows(found))
    else:
        show(steps_text(found))


def _many(asked: Asked) -> int:
    from headway import units

    return int(units.parse(asked.samples, units.COUNT, "--samples"))


def _validate(asked: Asked, json: bool, csv: bool, out: str | None) -> None:
    from headway.economics.leave_out import check
    from headway.records.inferences import calibration_record, checked_rows
    from headway.report.inferences import calibration_text

    found = check(max(_many(asked) // _SHARE, 1), asked.seed, asked.chip)
    if out:
        from headway import figures

        draw(out, "infer", lambda: figures.calibration_figure(found), lambda: calibration_record(found))
    if json:
        emit(calibration_record(found))
    elif csv:
        emit_csv(checked_rows(found))
    else:
        show(calibration_text(found))
        if out:
            show(f"\nchart written to {out}")


def _infer(asked: Asked, json: bool, csv: bool, why: bool, out: str | None) -> None:
    from headway import units
    from headway.plan.infer import infer
    from headway.records.inferences import beliefs_rows, inference_record
    from headway.report.inferences import inference_text
    from headway.report.why import rows_text
    from headway.report.why_runs import inference_why_rows

    found = infer(
        asked.model or own_list(asked), n_active=units.parse(asked.active, units.COUNT, "--active"), chip=asked.chip,
        dollars=3600 * units.parse(asked.price, units.DOLLARS_PER_SECOND, "--price"), samples=_many(asked), seed=asked.seed,
    )  # fmt: skip
    because = {"why": inference_why_rows(found)}
    if out:
        from headway import figures

        draw(out, "infer", lambda: figures.inference_figure(found), lambda: inference_record(found) | because)
    if json:
        emit(inference_record(found) | (because if why else {}))
    elif csv:
        emit_csv(beliefs_rows(found))
    else:
        show(inference_text(found) + (f"\n\n{rows_text(because['why'])}" if why else ""))
        if out:
            show(f"\nchart written to {out}")


def _times(text: str, where: str) -> float:
    match = _TIMES.fullmatch(text)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"{where}: {quoted(text)} is no multiple; it reads like 2x or 1.5x")
    return float(match[1])


def own_list(asked: Asked) -> PriceList:
    """Return the user's own words as a price list.

    Raises
    ------
    InputError
        When input or output is missing, or a word cannot be read.
    """
    from headway import units
    from headway.economics.price_lists import PriceList

    named = {k: f"--{k.replace('_', '-')}" for k in asked.own}
    prices = {k: None if v is None else units.parse(v, units.COUNT, named[k]) for k, v in asked.own.items()}
    base = prices["input"], prices["output"]
    if base[0] is None or base[1] is None:
        raise InputError(
            "infer needs a MODEL (openai/gpt-5.5), or your own --input and --output in $/Mtok, or --steps, or --validate"
        )
    tiers = sorted(_step(text) for text in asked.step)
    window = None if asked.window is None else units.parse(asked.window, units.TOKENS, "--window")
    if window is not None and tiers and window <= tiers[-1][0]:
        raise InputError(f"--window: {window:,.0f} tokens end before the last --step at {tiers[-1][0]:,.0f}")
    parts = (asked.fast or "").split(":")
    if asked.fast is not None and len(parts) != 2:
        raise InputError(f"--fast: {quoted(asked.fast)} reads like 6x:2.5x (price and speed over the standard tier's)")
    fast = (_times(parts[0], "--fast"), _times(parts[1], "--fast")) if asked.fast is not None else None
    if fast and fast[1] <= 1:
        raise InputError(f"--fast: a speed of {fast[1]:g}x is not faster than the standard tier")
    if fast and fast[0] < 1:
        raise InputError(f"--fast: a price of {fast[0]:g}x is below the standard tier's: nobody would buy that one")
    edges = (*(t[0] for t in tiers), *((window,) if window and tiers else ()))
    inputs, outputs = (
        ((base[0], *(base[0] * t[1] for t in tiers)), (base[1], *(base[1] * t[2] for t in tiers)))
        if tiers
        else ((), ())
    )
    return PriceList(
        "your prices", base[0], base[1], cached=prices["cached"], write_5m=prices["write_5m"], write_1h=prices["write_1h"],
        edges=edges, inputs=inputs, outputs=outputs, fast=fast,
    )  # fmt: skip


def _step(text: str) -> tuple[float, float, float]:
    from headway import units

    parts = text.split(":")
    if len(parts) != 3:
        raise InputError(
            f"--step: {quoted(text)} reads like 200k:2x:1.5x (tokens, input and output over the base price)"
        )
    return units.parse(parts[0], units.TOKENS, "--step"), _times(parts[1], "--step"), _times(parts[2], "--step")
