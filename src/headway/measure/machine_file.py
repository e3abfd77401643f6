"""A measured machine as a row of `chips.csv` in a catalogue folder: beside what is there, in place of a row of that name."""

from __future__ import annotations

import csv
from pathlib import Path

from headway.catalog import Row, using
from headway.catalog.loader import normal, read_csv
from headway.errors import InputError
from headway.hardware import chip
from headway.writing import replacing


def checked_folder(folder: str | Path) -> Path:
    """Return a folder that is there, or that can be made in one that is.

    Raises
    ------
    InputError
        When it is neither.
    """
    place = Path(folder).expanduser()
    if not place.is_dir() and (place.exists() or not place.parent.is_dir()):
        raise InputError(f"-o {folder}: is no folder, and none can be made there; name a folder for chips.csv")
    return place


def write_chip(row: Row, folder: str | Path) -> Path:
    """Write a chip's row, and read it back as ``--catalog FOLDER`` does.

    Parameters
    ----------
    row : dict
        Of `chips.csv`.
    folder : str or Path
        Made where it is not there, in one that is.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    InputError
        When it cannot be written, or would not be taken as a chip: then the file stays as it was.
    """
    place = checked_folder(folder)
    place.mkdir(exist_ok=True)
    file = place / "chips.csv"
    before = [r for _, r in read_csv(file)] if file.is_file() else []
    kept = [r for r in before if normal(r.get("name", "")) != normal(row["name"])]
    titles = list(dict.fromkeys([*(k for r in before for k in r), *row]))
    old = file.read_bytes() if file.is_file() else None
    with replacing(file, str(file)) as half, half.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, titles, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, row])
    try:
        with using(place):
            chip(row["name"])
    except InputError:
        if old is None:
            file.unlink()
        else:
            file.write_bytes(old)
        raise
    return file
