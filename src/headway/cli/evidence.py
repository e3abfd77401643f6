"""What `predict`, `validate` and `calibrate` do: read tables, compute, print. Imported only when such a verb runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway import catalog as facts
from headway import units
from headway.cli import terminal
from headway.cli.output import emit, emit_csv
from headway.cli.progress import Bar
from headway.errors import InputError
from headway.evidence import COLUMNS, Table, read_file, table
from headway.figures.style import FORMATS
from headway.numeric import finite
from headway.roofline import NUMBERS, profile

if TYPE_CHECKING:
    from headway.fitting.own import Own


def predict(file: str, out: str | None, engine: str | None, *, json: bool, catalog: tuple[str, ...]) -> None:
    """Predict every row of a table."""
    from headway.predictions import ADDED, opened, predict_file, predicted_rows, write_predictions

    facts.use(catalog)
    if engine is not None:
        profile(engine)  # an unknown one is refused before any row is read
    chart = out if out is not None and Path(out).suffix.lower() in FORMATS else None
    if out is None or chart is not None:
        source = opened(file)
        if json or chart is not None:
            _note({"unread": source.unread(COLUMNS, ADDED)})
            found = list(predicted_rows(source.rows, engine))
            if chart is not None:
                _drawn(found, chart, json)
            names = dict(zip(source.keys, source.titles, strict=True))
            if json:
                emit([{names.get(k, k): v for k, v in row.items()} for row in found])
        elif sys.stdout.isatty():
            _shown(source, engine)
        else:
            _note(write_predictions(source, sys.stdout, engine))
        return
    bar = Bar("predicting")
    total = _count(file) if bar.shown else None
    counts = predict_file(file, out, engine, (lambda done: bar(done, total)) if bar.shown else None)
    if json:
        _note(counts)
        emit({**counts, "compared": counts["compared"].record(), "file": out})
        return
    terminal.show(f"{counts['answered']:,} of {counts['rows']:,} rows answered, written to {out}")
    _note(counts)
    _say(counts)


def _drawn(rows: list[dict[str, str]], chart: str, json: bool) -> None:
    """Write the chart of a table, and say so where nothing else is printed."""
    from headway import figures

    figures.check(chart)
    figures.write_figure(figures.predictions_figure(rows), chart)
    if not json:
        terminal.show(f"chart of {units.some(len(rows), 'row')} written to {chart}")


_ON_SCREEN = 100  # rows of a table on a terminal


def _shown(source: Table, engine: str | None) -> None:
    """Print predictions as a table that fits the terminal: there nobody reads CSV."""
    from headway.predictions import Tally, predicted_rows
    from headway.report.predictions import rows_text

    tally, first = Tally(), list[dict[str, str]]()
    for row in predicted_rows(source.rows, engine):
        tally.add(row)
        if len(first) < _ON_SCREEN:
            first.append(row)
    terminal.show(rows_text(first))
    if tally.rows > len(first):
        terminal.show(f"... and {units.some(tally.rows - len(first), 'more row')}; -o FILE.csv writes them all")
    counts = tally.record(source)
    _note(counts)
    _say(counts)


def _say(counts: Mapping[str, Any]) -> None:
    """Print why rows were refused, and how far the predictions lie from what was measured."""
    from headway.report.predictions import compared_text
    from headway.tables import table_text

    reasons = sorted(counts["reasons"].items(), key=lambda x: -x[1])
    if reasons:
        rows = [[f"{count:,}", why] for why, count in reasons[:20]]
        terminal.show("\n" + table_text(["rows", "refused because"], rows, left=True))
        if len(reasons) > 20:
            terminal.show(f"... and {units.some(len(reasons) - 20, 'more reason')}; the column `refused` has them all")
    said = compared_text(counts["compared"])
    if said:
        terminal.show("\n" + said)


def _note(counts: Mapping[str, Any]) -> None:
    """Name columns that look like known ones but are not, and those without the unit that they need."""
    for title, near in counts["unread"].items():
        if near:
            print(f"! column {title!r} is not read; did you mean {near!r}?", file=sys.stderr)


def _count(file: str) -> int | None:
    """Rows of a file, about: lines without the header; None of a packed one, which would have to be unpacked twice."""
    if file.endswith(".gz"):
        return None
    try:
        with Path(file).open("rb") as stream:  # in blocks: a line may be as long as the file
            return max(sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b"")) - 1, 1)
    except OSError:
        return None


def validate(
    by: str | None, out: str | None, left_out: str, *, json: bool, csv: bool, catalog: tuple[str, ...]
) -> None:
    """Validate out of fold and print the tables, or write the page."""
    from headway import figures
    from headway.fitting.data import evidence
    from headway.fitting.refits import Refits
    from headway.report import validation
    from headway.validation.anchors import anchors
    from headway.validation.out_of_fold import GROUPS, LEFT_OUT, By, LeaveOut
    from headway.validation.out_of_fold import validate as run

    facts.use(catalog)
    group: By | None = next((g for g in GROUPS if g == by), None)
    if by is not None and group is None:
        raise InputError(f"--by: {by!r} is not known; accepted: {', '.join(GROUPS)}")
    left: LeaveOut | None = next((x for x in LEFT_OUT if x == left_out), None)
    if left is None:
        raise InputError(f"--leave-out: {left_out!r} is not known; accepted: {', '.join(LEFT_OUT)}")
    if out:
        figures.check(out)
    found = run(Refits(evidence()), Bar("out of fold"), left)
    cases = anchors()
    if out:
        validation.write(found, cases, out)
    rows = found.table(group) if group else found.table()
    if json:
        emit({
            "accuracy": rows, "rows": len(found.data.rows), "floor_violations": found.violations,
            "anchors": [c.record() for c in cases],
        })  # fmt: skip
    elif csv:
        emit_csv(rows)
    else:
        terminal.show(validation.text(found, group, cases))
        if out:
            terminal.show(f"\nreport written to {out}")


def calibrate(
    file: str | None, name: str | None, engine: str | None, out: str | None, show: str | None, *, replace: bool,
    json: bool, catalog: tuple[str, ...],
) -> None:  # fmt: skip
    """Show a profile, fit a user's rows, or refit the shipped evidence."""
    facts.use(catalog)
    if show:
        _numbers(show, json)
    elif file:
        if not name:
            raise InputError("calibrate FILE needs --name: how you will call the profile, like --name mycluster")
        _fit_own(file, name, engine, out, replace, json)
    else:
        _refit(out, json)


def _numbers(name: str, json: bool) -> None:
    from headway.tables import table_text

    found = profile(name)
    values = found.on().numbers()
    rows = [
        [f.name, f"{values[f.name]:.4g}", f"{f.default:g}", f.metadata["unit"], f.metadata["about"]] for f in NUMBERS
    ]
    if json:
        emit({
            "name": found.name, "about": dict(found.about), "numbers": {n: finite(v) for n, v in values.items()},
            "machines": {k: dict(v) for k, v in found.machines.items()}, "releases": dict(found.releases),
            "more": {k: {w: dict(x) for w, x in v.items()} for k, v in found.more.items()}, "covers": dict(found.covers),
        })  # fmt: skip
        return
    terminal.show(f"{found.name}: {found.sentence()}\n")
    terminal.show(table_text(["number", "value", "ideal", "unit", "what"], rows, left=True))
    unsure = found.about.get("undetermined")
    if unsure:
        terminal.show(f"\nleft at their priors by the evidence: {', '.join(unsure)}")
    terminal.show(f"\non a chip these are multiplied by what its vendor, generation and the chip itself differ in "
          f"({len(found.machines)} machines; --json lists them)")  # fmt: skip


_FAR_OFF = 0.25  # twice the median error of the engines that headway knows, and more


def _fit_own(file: str, name: str, engine: str | None, out: str | None, replace: bool, json: bool) -> None:
    from headway.fitting.own import own_profile
    from headway.fitting.profiles import write

    target = folder(out) / "profiles" / f"{name}.toml"
    if os.path.exists(target) and not replace:
        raise InputError(f"--name {name}: {target} is there; --replace writes over it")
    source = table(file)
    _note({"unread": source.unread(COLUMNS)})
    rows, malformed = read_file(source)
    found = own_profile(name, rows, engine)
    write(target, found.profile)
    left = [(p, r) for p, _, r in malformed] + [(m.place, r) for m, r in found.refused]
    if json:
        emit({
            "file": str(target), "base": found.base, "rows": found.profile["rows"],
            "before": found.before and found.before.record(), "after": found.after and found.after.record(),
            "determined": found.determined, "undetermined": found.undetermined,
            "refused": [{"where": a, "why": b} for a, b in left],
        })  # fmt: skip
        return
    told_fit(found, name, target, left, out)


def told_fit(found: Own, name: str, target: Path, left: list[tuple[str, str]], out: str | None) -> None:
    """Say what a fit to somebody's rows found.

    Parameters
    ----------
    found : Own
    name, out : str
        Of the profile; the catalogue folder that was named, if one was.
    target : Path
        Where it was written.
    left : list of (str, str)
        Rows that were left out, and why.
    """
    from headway.tables import table_text

    terminal.show(f"{name}: {units.some(found.profile['rows'], 'row')} on top of {found.base}, written to {target}")
    if found.before and found.after:
        terminal.show(f"median error {found.before.median:.1%} with {found.base}, {found.after.median:.1%} with {name}")
    if found.before and found.after and found.after.median > found.before.median:
        terminal.show(f"! no better than {found.base} on these rows: prefer that, or give more rows")
    if found.after and found.after.median > _FAR_OFF:
        terminal.show("! the fit misses these rows by much: do they share one machine, engine and way of measuring?")
    body = [[n, f"{a:.4g}", f"{b:.4g}", f"{b / a:.2f}x"] for n, (a, b) in found.determined.items()]
    if body:
        terminal.show("\n" + table_text(["number", found.base, name, "change"], body))
    if found.undetermined:
        terminal.show(f"\nnot determined by these rows, so kept as in {found.base}: {', '.join(found.undetermined)}")
    for where, why in left[:10]:
        terminal.show(f"! {where}: {why}")
    if len(left) > 10:
        terminal.show(f"! ... and {units.some(len(left) - 10, 'more row')} left out")
    terminal.show(f"\nuse it: --engine {name}" + ("" if out is None else f" --catalog {out}"))


def folder(out: str | None) -> Path:
    """Return the catalogue folder to write to: the user's own, or one that is there or can be made in one that is.

    Parameters
    ----------
    out : str or None
        As named.

    Raises
    ------
    InputError
        When it can be neither.
    """
    if out is None:
        return facts.user_folder()
    if not Path(out).parent.is_dir():
        raise InputError(f"-o {out}: there is no folder {Path(out).parent}")
    return Path(out)


def _refit(out: str | None, json: bool) -> None:
    from headway.fitting.data import evidence
    from headway.fitting.profiles import shipped_profiles, today, write
    from headway.tables import table_text

    bar = Bar("")

    def progress(what: str, done: int, of: int) -> None:
        bar.what = f"without each {what}"
        bar(done, of)

    told: Callable[[str, int, int], None] = progress
    place = folder(out) / "profiles"
    found = shipped_profiles(evidence(), today(), told)
    for name, data in found.items():
        write(place / f"{name}.toml", data)
    rows: list[list[Any]] = [[n, p["rows"], f"{p['residual']:.1%}"] for n, p in found.items()]
    if json:
        emit(
            {
                "folder": str(place),
                "profiles": {r[0]: {"rows": r[1], "residual": found[r[0]]["residual"]} for r in rows},
            }
        )
        return
    terminal.show(f"refitted on the shipped evidence, written to {place}\n")
    terminal.show(table_text(["profile", "rows", "median error out of fold"], rows))


def validate_training(*, json: bool, csv: bool, catalog: tuple[str, ...]) -> None:
    """Predict measured training steps by fits that have not seen their models.

    Parameters
    ----------
    json, csv : bool
    catalog : tuple of str
    """
    import dataclasses

    from headway.training.fitting import validate_training as found

    facts.use(catalog)
    rows = [dataclasses.asdict(r) for r in found().rows()]
    if json:
        emit(rows)
    elif csv:
        emit_csv(rows)
    else:
        from headway.report.train import folds_text

        terminal.show(folds_text(found().rows()))
