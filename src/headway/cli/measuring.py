"""What `headway measure` does with its words, and what it prints."""

from __future__ import annotations

import os
from typing import Any

from headway import units
from headway.cli.asking import given
from headway.cli.evidence import folder, told_fit
from headway.cli.loading import How
from headway.cli.output import emit, emit_csv, names
from headway.cli.progress import Bar
from headway.cli.terminal import show
from headway.errors import HeadwayError, InputError, quoted
from headway.measure.measuring import Measured, measure_endpoint
from headway.measure.runs import Run
from headway.measure.sweeps import Loads, Sweep
from headway.questions import Request


class BrokenOffError(HeadwayError):
    """An endpoint failed in the middle; what was measured by then was given (exit code 1)."""

    exit_code = 1


def numbers(text: str, option: str) -> tuple[int, ...]:
    """Return the numbers of a list.

    Parameters
    ----------
    text : str
        Like ``1,2,4`` or ``1k,8k``.
    option : str
        That it was given to.

    Raises
    ------
    InputError
        When one is none.
    """
    return tuple(sorted({round(units.parse(x, units.TOKENS, option)) for x in names(text)}))


def loads(text: str | None) -> tuple[Loads, ...]:
    """Return loads by their words.

    Parameters
    ----------
    text : str or None
        Like ``closed:8,poisson:2``.

    Raises
    ------
    InputError
        When one cannot be read.
    """
    found: list[Loads] = []
    for part in names(text or ""):
        kind, _, number = part.partition(":")
        try:
            value = float(number.removesuffix("/s"))
        except ValueError:
            value = 0.0
        if kind not in ("closed", "poisson") or not 0 < value <= 1e4 or (kind == "closed" and value != round(value)):
            raise InputError(f"--load {quoted(part)}: reads like closed:8 (requests in flight) or poisson:2 (a second)")
        found.append(Loads(round(value)) if kind == "closed" else Loads(0, value))
    return tuple(found)


def _sweep(o: How) -> Sweep:
    return Sweep(
        numbers(o.batches, "--batches"), numbers(o.contexts, "--contexts"), numbers(o.prompts or "", "--prompts"), o.answer, o.runs,
        units.parse(o.spend, units.SECONDS, "--spend"), loads(o.load), o.requests, o.served, o.pid,
    )  # fmt: skip


def _request(model: str | None, asked: dict[str, Any], o: How) -> Request | None:
    named = given(asked)
    if model is None and "system" not in named:
        if o.save:
            raise InputError("--save: a profile is of a model on a machine: give --model and --on")
        return None
    if model is None or "system" not in named:
        raise InputError("--model and --on: the roofline needs both, or leave both out and measure alone")
    longest, answer = max(numbers(o.contexts, "--contexts")), o.answer
    return Request(model=model, prompt=longest, output=answer, **named)


def measured(
    url: str, model: str | None, asked: dict[str, Any], o: How, out: str | None, *, json: bool, csv: bool
) -> None:
    """Measure, print, draw and save.

    Raises
    ------
    BrokenOffError
        When the endpoint failed in the middle: what there was has been printed.
    """
    from headway import figures

    if out:
        figures.check(out)
    target = folder(o.profiles) / "profiles" / f"{o.save}.toml" if o.save else None
    if target is not None and os.path.exists(target) and not o.replace:
        raise InputError(f"--save {o.save}: {target} is there; --replace writes over it")
    bar, done = Bar("measuring"), 0

    def tell(run: Run, most: int) -> None:
        nonlocal done
        done += 1
        bar(min(done, most), most, run.key)

    found = measure_endpoint(
        url, _sweep(o), _request(model, asked, o), patience=units.parse(o.patience, units.SECONDS, "--patience"), insecure=o.insecure,
        chat=o.chat, journal=o.journal, tell=tell,
    )  # fmt: skip
    _print(found, json=json, csv=csv)
    if out:
        figures.write_figure(figures.measured_figure(found), out)
        if not (json or csv):
            show(f"\nchart written to {out}")
    if o.save and target is not None:
        from headway.fitting.profiles import write
        from headway.measure.saving import profile_of

        own = profile_of(found, o.save)
        write(target, own.profile)
        if not (json or csv):
            show("")
            told_fit(own, o.save, target, [], o.profiles)
    if found.swept.stopped:
        raise BrokenOffError(f"it ended early: {found.swept.stopped}; what had been measured stands above")


def _print(found: Measured, *, json: bool, csv: bool) -> None:
    if json:
        emit(found.to_dict())
    elif csv:
        from headway.measure.saving import rows_of

        emit_csv(rows_of(found))
    else:
        show(found.text())
