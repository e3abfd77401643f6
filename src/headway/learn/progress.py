"""Progress: one line of JSON per review in a plain file, on disk before the next card is shown.

Nothing else is stored: when a card is due follows from its reviews, so a new version, of headway or of the scheduler, loses none.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headway.errors import InputError
from headway.writing import LineFile

VERSION = 1  # of a line


@dataclass(frozen=True, slots=True)
class Review:
    """One review of a card.

    Attributes
    ----------
    card : str
        Its id.
    time : str
        When, ISO 8601 in UTC.
    credit : float
        1 right, 0 wrong. [share]
    rating : int
        As the scheduler counts: 1 again, 2 hard, 3 good, 4 easy. [1]
    seed : int or None
        Of its numbers. [1]
    answer : str
        What was answered.
    verdict : str
    hints : int
        That were asked for. [1]
    """

    card: str
    time: str
    credit: float
    rating: int
    seed: int | None = None
    answer: str = ""
    verdict: str = ""
    hints: int = 0

    @property
    def when(self) -> datetime.datetime:
        """The time of the review."""
        return datetime.datetime.fromisoformat(self.time)


def progress_file() -> Path:
    """Return where progress is kept unless another file is named."""
    import platformdirs

    return Path(platformdirs.user_data_dir("headway", appauthor=False)) / "learn.jsonl"


class Progress(LineFile):
    """The file of reviews, open for one more.

    Attributes
    ----------
    reviews : list of Review
    """

    START = b'{"review": '
    WHAT = "a review; name another file with --progress"
    WAITS = True  # a review takes a moment

    def __init__(self, file: str | Path) -> None:
        super().__init__(file)
        self.reviews: list[Review] = []

    def keep(self, found: Any) -> bool:
        """Take a review; False when a line is none that this version reads: it stays in the file."""
        review = _review(found)
        if review is not None:
            self.reviews.append(review)
        return review is not None or (isinstance(found, dict) and "review" in found)  # of a later version


def _review(found: Any) -> Review | None:
    if not isinstance(found, dict) or not isinstance(found.get("review"), int):
        return None
    known: dict[str, Any] = {k: v for k, v in found.items() if k in Review.__dataclass_fields__}
    rating, card = known.get("rating"), known.get("card")
    if not isinstance(rating, int) or not 1 <= rating <= 4 or not isinstance(card, str):
        return None
    try:
        review = Review(**known)
        return None if review.when.tzinfo is None else review
    except (TypeError, ValueError):
        return None


def save(file: str | Path, review: Review) -> None:
    """Append a review to a file of progress; it is on disk when this returns.

    Parameters
    ----------
    file : str or path
        Made with its folder when it is not there.
    review : Review

    Raises
    ------
    InputError
        When it cannot be written, or is another file.
    """
    path = Path(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    with Progress(path) as progress:
        progress.append({"review": VERSION, **asdict(review)})


def reviews(file: str | Path) -> Sequence[Review]:
    """Return the reviews of a file of progress, oldest first; none when there is no file.

    Raises
    ------
    InputError
        When it is another file.
    """
    if not Path(file).exists():
        return []
    with Progress(file) as progress:
        return sorted(progress.reviews, key=lambda r: r.when)
