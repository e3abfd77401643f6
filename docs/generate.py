"""Regenerate the generated parts of README.md and of docs. `--check` says whether they are up to date."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from headway import lecture
from headway.catalog import catalogue
from headway.cli import app
from headway.evidence.measurements import read_rows
from headway.hardware import chips, systems
from headway.measure.exported import METRICS, TOLD, UP, Exported
from headway.predictions.rows import predicted_rows
from headway.questions import Query, Request, fields_of
from headway.report.equations import ask_page
from headway.tables import table_text

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "headway"


def shown(command: str) -> str:
    """Run a headway command and return it with its real output, as a code block."""
    out = io.StringIO()
    os.environ.pop("COLUMNS", None)  # unwrapped, whatever the terminal at hand
    with contextlib.redirect_stdout(out):
        app.run(command.split()[1:])
    return f"```\n$ {command}\n{out.getvalue().rstrip()}\n```"


def python_output(text: str) -> str:
    """Run the README's Python example and return what it prints."""
    code = re.search(r"<!-- python -->\n```python\n(.*?)```", text, re.S)
    assert code is not None
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code[1], "README.md", "exec"), {})
    return f"```\n{out.getvalue().rstrip()}\n```"


def catalogue_summary() -> str:
    """Count what the catalogue holds."""
    models = catalogue().table("models").rows
    families = {r["id"].split("/")[0] for r in models}
    return (
        f"{len(chips())} chips, {len(systems())} systems, {len(models)} model configs from {len(families)} publishers, "
        f"{len(catalogue().table('rental_prices').rows)} dated rental prices, "
        f"{len(catalogue().table('api_prices').rows)} API price rows, and the register of "
        f"{len(catalogue().table('claims').rows)} claims on which sources disagree."
    )


_WHO = {"headway": "headway", "constant": "roofline x one constant", "ideal": "ideal floor"}


def accuracy() -> str:
    """Out-of-fold accuracy as a table, from what `make accuracy` measured last."""
    result = json.loads((ROOT / "docs" / "accuracy.json").read_text(encoding="utf-8"))
    heads = ["", "", "n", "median error", "mean", "p90", "in 80 % interval"]
    body: list[list[str]] = []
    for row in result["accuracy"]:
        share = "" if row["coverage"] is None else f"{100 * row['coverage']:.0f} %"
        errors = [f"{100 * row[k]:.1f} %" for k in ("median", "mean", "p90")]
        body.append([row["what"], _WHO[row["who"]], f"{row['n']:,}", *errors, share])
    return (
        f"```\n{table_text(heads, body)}\n```\n\nPredictions below their physical floor: {result['floor_violations']}."
    )


def predicted() -> str:
    """Predictions for the example table, as columns that fit a page."""
    shown = (
        "tpot_ms_low",
        "predicted_tpot_ms",
        "tpot_ms_high",
        "predicted_ttft_ms",
        "floor_tpot_ms",
        "bound",
        "profile",
    )
    body: list[list[str]] = []
    notes: list[str] = []
    for _, row in enumerate(predicted_rows(read_rows(ROOT / "docs" / "examples" / "cases.csv"))):
        name = f"{row['model'].rsplit('/', 1)[-1]} on {row['chips']} x {row['system']}"
        cells = [f"{float(row[k]):.4g}" if row[k][:1].isdigit() else row[k] for k in shown]
        body.append([name, row["batch_or_concurrency"], *cells])
        if row["refused"]:
            notes.append(f"refused: {row['refused']}")
    heads = ["case", "batch", "TPOT low", "TPOT ms", "high", "TTFT ms", "floor", "bound", "profile"]
    return "```\n" + "\n".join([table_text(heads, body, left=True), "", *notes]) + "\n```"


CHOSEN = (
    "balance batch", "worst wait for a token", "tokens per second of one rack (T = 1/64 s)", "share of 128M tok/s, Gemini-size traffic",
    "scale-up over scale-out time, 32 experts, 1 layer", "KV per chip, 1 rack", "KV per chip, 4 racks",
    "step with 4 rack hops", "D_pre over D_RL", "D_pre over D_inf", "tokens of one model in two months",
    "over-training at 200T tokens", "KV bytes per token from the 200k step", "decode MFU where output costs 5x input",
)  # fmt: skip


def lecture_summary() -> str:
    """A dozen headlines as a table."""
    rows = {h.what: h for h in lecture.headlines()}
    who = {"T": "said", "D": "derived", "X": "beyond"}
    body = [
        [rows[w].id, w, who[rows[w].said], f"{rows[w].lecture:.6g}", f"{rows[w].computed:.6g} {rows[w].unit}".strip()]
        for w in CHOSEN
    ]
    good = sum(h.holds for h in rows.values())
    told = {k: sum(h.said == k for h in rows.values()) for k in "TDX"}
    shown = table_text(["id", "what", "is", "lecture", "headway"], body)
    said = f"{told['T']} of them said in the lecture, {told['D']} derived from it, {told['X']} beyond it."
    return f"```\n{shown}\n```\n\n{good} of {len(rows)} within rounding: {said}"


def _fill(text: str, marker: str, body: str) -> str:
    pattern = re.compile(rf"({re.escape(marker)}\n).*?(<!-- end -->)", re.S)
    assert pattern.search(text), marker
    return pattern.sub(lambda m: f"{m[1]}{body}\n{m[2]}", text, count=1)


def commands(text: str) -> str:
    """Return a page with the output of every command that it shows made anew."""
    for command in re.findall(r"<!-- generated: (.*?) -->", text):
        text = _fill(text, f"<!-- generated: {command} -->", shown(command))
    return text


def readme() -> str:
    """Return README.md with every generated part made anew."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = commands(text)
    text = _fill(text, "<!-- output -->", python_output(text))
    text = _fill(text, "<!-- catalogue -->", catalogue_summary())
    text = _fill(text, "<!-- accuracy -->", accuracy())
    text = _fill(text, "<!-- predicted -->", predicted())
    return _fill(text, "<!-- lecture -->", lecture_summary())


def questions() -> str:
    """Return what can be asked, field by field, from the one place that says it."""
    out = [
        "# What can be asked", "",
        "Generated by `make docs` from `headway.questions.FIELDS`: the options of the command line, the fields of grids, the",
        "arguments of `hw.Request` and `hw.Query`, and the JSON schema (`headway.questions.schema`). Quantities may be given as",
        'people write them (`"32k"`, `"30ms"`, `"2.5/h"`) or as numbers in the unit named.', "",
    ]  # fmt: skip
    for question in (Request, Query):
        out += [
            f"## {question.__name__}",
            "",
            "| field | option | unit | default | meaning |",
            "| --- | --- | --- | --- | --- |",
        ]
        for name, (f, default) in fields_of(question).items():
            option = (
                "`" + "`, `".join(f.flags or (f"--{name.replace('_', '-')}",)) + "`" if name != "model" else "`MODEL`"
            )
            kind = f.unit or {"choice": "one of " + ", ".join(f.choices), "flag": "yes or no"}.get(f.kind, f.kind)
            given = "needed" if default is dataclasses.MISSING else "" if default is None else f"`{default}`"
            example = f" Like `{f.example}`." if f.example else ""
            out.append(f"| `{name}` | {option} | {kind} | {given} | {f.about}{example} |")
        out.append("")
    return "\n".join(out).rstrip() + "\n"


def predict_page() -> str:
    """Return docs/predict.md with the other names of columns, from the catalogue."""
    rows = [
        f"| `{r['name']}` | {r['unit']} | {', '.join(f'`{a}`' for a in r['aliases'].split('|'))} |"
        for r in catalogue().table("columns").rows
    ]
    text = (ROOT / "docs" / "predict.md").read_text(encoding="utf-8")
    return _fill(text, "<!-- columns -->", "\n".join(["| column | unit | other names |", "| --- | --- | --- |", *rows]))


def watch_page() -> str:
    """docs/watch.md with the metrics that are served."""
    rows = [
        f"| `{m.name}` | {', '.join(f'`{x}`' for x in m.labels)} | {m.about} |"
        for m in (*METRICS, UP, *(Exported(f"{n}_total", about, "", (), lambda r: {}) for n, about in TOLD))
    ]
    text = (ROOT / "docs" / "watch.md").read_text(encoding="utf-8")
    heads = ["| metric | labels beside `model`, `system` | what |", "| --- | --- | --- |"]
    return _fill(text, "<!-- exported -->", "\n".join([*heads, *rows]))


_CITED = re.compile(r"\b(E\d{1,2}(?: to E\d{1,2})?|SYS-[A-I]\d{1,2}|DIS-\d+)\b")


def formulas() -> str:
    """Return the index of equations: every function whose docstring cites the lecture, with its file."""
    found: list[tuple[str, str, str, str]] = []
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            text = ast.get_docstring(node) or ""
            cited = list(dict.fromkeys(_CITED.findall(text)))
            if cited and ("lecture" in text or "SYS-" in text or "(E" in text):
                where = file.relative_to(SOURCE).as_posix()
                found.append((", ".join(cited), node.name, where, text.splitlines()[0]))
    found.sort(key=lambda row: (row[0][0] != "E", [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", row[0])]))
    rows = "\n".join(f"| {a} | `{b}` | [{c}](../src/headway/{c}) | {d} |" for a, b, c, d in found)
    return (
        "# Equations and where they are computed\n\nGenerated by `make docs` from the docstrings. Equation numbers (E1 to "
        "E26), systems (SYS-..) and\ndisagreements (DIS-..) are those of the lecture's specification; "
        "`headway catalog claims` prints the last.\n\n| cites | name | file | what |\n| --- | --- | --- | --- |\n"
        f"{rows}\n"
    )


def examples() -> dict[Path, str]:
    """Run every example in a process of its own and return what it prints, by the file that keeps it."""
    found: dict[Path, str] = {}
    for file in sorted((ROOT / "examples").glob("*.py")):
        done = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True)
        found[file.with_suffix(".txt")] = done.stdout
    return found


def main() -> int:
    """Write or check the generated documents."""
    docs = ROOT / "docs"
    wanted = {ROOT / "README.md": readme(), docs / "formulas.md": formulas(), docs / "questions.md": questions()}
    wanted[docs / "predict.md"] = predict_page()
    wanted[docs / "watch.md"] = watch_page()
    pages = (
        "trains",
        "simulate",
        "capacity",
        "cache",
        "cost",
        "tiers",
        "fleet",
        "choose",
        "infer",
        "bill",
        "lab",
        "train",
        "logs",
    )
    for page in (f"{name}.md" for name in pages):
        wanted[docs / page] = commands((docs / page).read_text(encoding="utf-8"))
    text = commands((docs / "ask.md").read_text(encoding="utf-8"))
    wanted[docs / "ask.md"] = _fill(text, "<!-- equations -->", ask_page())
    if "--check" not in sys.argv:  # the tests run the examples one by one
        wanted |= examples()
    stale = [p for p, text in wanted.items() if not p.is_file() or p.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run make docs")
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
