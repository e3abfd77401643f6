"""What comes with a question instead of a name: a config.json, a chip's facts, a table of cases; as files in the process's own folder."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from headway import units
from headway.errors import InputError, near_misses, quoted
from headway.web.limits import MOST_TEXT
from headway.web.names import PASTED, PASTED_TABLE

CHIP = "mychip"  # what the chip is called; several of it are mychipx8
FOLDER = "mine"  # as a folder of one's own on the command line
PLACE = str(Path(PASTED).parent)


class Fact(NamedTuple):
    """One fact of a chip: its column of ``chips.csv``, how it is written, what one of the column's unit is in SI, what it says."""

    column: str
    quantity: units.Quantity
    unit: float
    about: str


FACTS = {
    "memory": Fact("memory_GB", units.BYTES, 1e9, "Memory of one chip."),
    "bandwidth": Fact("memory_GBps", units.BYTES_PER_SECOND, 1e9, "Bandwidth of that memory."),
    "compute": Fact("bf16_TFLOPS", units.FLOPS, 1e12, "Dense peak rate in bf16, without sparsity."),
    "link": Fact("scaleup_GBps", units.BYTES_PER_SECOND, 1e9, "Scale-up bandwidth of one chip, one direction."),
    "price": Fact("price_usd_h", units.DOLLARS_PER_SECOND, 1 / 3600, "Rent of one chip."),
    "domain": Fact("scaleup_domain", units.COUNT, 1.0, "Chips that the scale-up links join."),
}
_NEEDED = ("memory", "bandwidth", "compute")
_LEFT_OUT = {"link": "100GB/s", "domain": "8"}  # so that several can be joined; said in the row's note


def chip_table(facts: Any) -> str:
    """Return the ``chips.csv`` of facts as people type them.

    Parameters
    ----------
    facts : Any
        An object of `FACTS`.

    Raises
    ------
    InputError
        For another form, a fact that is none, one that is missing.
    """
    if not isinstance(facts, Mapping):
        raise InputError(
            'own_chip must be an object like {"memory": "192GB", "bandwidth": "8TB/s", "compute": "2.2PFLOP/s"}'
        )
    given = {k: v for k, v in facts.items() if v not in (None, "")}
    for name, value in given.items():
        if name not in FACTS:
            close = near_misses(str(name), FACTS)
            said = f"did you mean {close[0]}?" if close else f"there are {', '.join(FACTS)}"
            raise InputError(f"own_chip: {quoted(name)} is no fact; {said}")
        if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > MOST_TEXT:
            raise InputError(f"own_chip {name}: {quoted(value)} must be text or a number")
    missing = [n for n in _NEEDED if n not in given]
    if missing:
        raise InputError(f"own_chip needs {' and '.join(missing)}, like {FACTS[missing[0]].quantity.example}")
    row = {"name": CHIP}
    for name, value in {**_LEFT_OUT, **given}.items():
        f = FACTS[name]
        row[f.column] = f"{units.parse(value, f.quantity, f'own_chip {name}') / f.unit:.9g}"
    said = ", ".join(f"{k} {v}" for k, v in _LEFT_OUT.items() if k not in given)
    row |= {"source": "typed on the page", "date": datetime.datetime.now(datetime.UTC).date().isoformat()}
    row |= {"note": f"not given, taken as {said}"} if said else {}
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row), lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    return text.getvalue()


def written(config: Mapping[str, Any] | None, chip: str | None, table: str | None) -> tuple[str, ...]:
    """Write what came with a question, remove what came with another, and return the folders that are a catalogue of it."""
    place = Path(PLACE)
    place.mkdir(exist_ok=True)
    for file in place.iterdir():
        file.unlink()
    if config is not None:
        Path(PASTED).write_text(json.dumps(config), encoding="utf-8")
    if table is not None:
        Path(PASTED_TABLE).write_text(table, encoding="utf-8")
    if chip is None:
        return ()
    Path(PLACE, "chips.csv").write_text(chip, encoding="utf-8")
    return (PLACE,)
