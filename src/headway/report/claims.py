"""The register of claims as text and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headway.equations import Asked
from headway.equations.values import value_text
from headway.learn.claims import KINDS, Claim, claims


def results_text(a: Asked) -> str:
    """Return the results of a calculation in one line."""
    return ", ".join(f"{r.name.replace('_', ' ')} {value_text(a.results[r.name], r.unit)}" for r in a.equation.results)


def claim_text(c: Claim) -> str:
    """Return a claim: what was said, what holds, why, the calculation, and what leans on it."""
    lines = [
        f"{c.id}: {c.topic}", "", f"said      {c.versions}", f"holds     {c.used}", f"why       {c.reason}",
        f"source    {c.source} ({c.date})", "",
    ]  # fmt: skip
    for command, a in c.calculations:
        lines += [f"$ {command}", f"  {results_text(a)}"]
    lines += ["", f"computed by {', '.join(c.functions)}"]
    if c.defaults:
        lines.append(f"defaults that cite it: {', '.join(c.defaults)}")
    return "\n".join(lines)


def claims_page(files: Mapping[str, Sequence[str]]) -> str:
    """Return the register as markdown.

    Parameters
    ----------
    files : mapping
        Claim -> files of the source that cite it.
    """
    out: list[str] = []
    for kind, title in KINDS.items():
        out += [f"## {title[0].upper()}{title[1:]}", ""]
        for c in (c for c in claims() if c.kind == kind):
            out += [*_entry(c), *_leaning(c, files.get(c.id, ())), ""]
    return "\n".join(out).rstrip()


def _entry(c: Claim) -> list[str]:
    live = "\n".join(f"$ {command}\n  {results_text(a)}" for command, a in c.calculations)
    return [
        f"### {c.id}: {c.topic}", "", f"**Said.** {c.versions}", "", f"**Holds.** {c.used}", "", f"**Why.** {c.reason}", "",
        f"```\n{live}\n```", "", f"From: {c.source}; {c.date}.",
    ]  # fmt: skip


def _leaning(c: Claim, files: Sequence[str]) -> list[str]:
    said = [
        f"Equations {', '.join(e.id for e in c.equations)}, computed by {', '.join(f'`{f}`' for f in c.functions)}."
    ]
    if c.defaults:
        said.append(f"Defaults that cite it: {', '.join(f'`{d}`' for d in c.defaults)}.")
    if files:
        said.append(f"Cited in {', '.join(f'[{f}](../src/headway/{f})' for f in files)}.")
    return ["", " ".join(said)]
