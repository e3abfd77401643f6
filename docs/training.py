"""Refit training's numbers, predict every measured step out of fold, and write both: the catalogue's rows and docs/train.md's table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from headway.report.train import folds_text
from headway.training.evidence import training_cases
from headway.training.fitting import fit_training, validate_training
from headway.training.numbers import FITTED

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "src" / "headway" / "catalog" / "data" / "training_engines.csv"
PAGE = ROOT / "docs" / "train.md"
MARKS = ("<!-- training -->\n", "<!-- end -->")


def main() -> None:
    """Fit, validate, write."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    every = training_cases()
    for row in rows:
        found = fit_training(row["name"], [c for c in every if c.engine == row["name"]])
        row |= {k: f"{getattr(found, k):.4g}" for k in FITTED if k in row["fitted"].split("|")}
        row["rows"] = str(found.rows)
    checked = validate_training()
    for row in rows:
        row["low"], row["high"] = (f"{x:.4g}" for x in checked.interval(row["name"]))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    TABLE.write_text(text.getvalue(), encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(MARKS[0], 1)
    after = rest.split(MARKS[1], 1)[1]
    PAGE.write_text(f"{before}{MARKS[0]}```\n{folds_text(checked.rows())}\n```\n{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
