"""Files and batches of the Batch API in one SQLite database that several servers may share.

A line of a batch is queued, claimed by a server, and done: its answer is written in the transaction that says so. A server
holds a lock on a file of its own while it lives; the system takes it away with the process, killed or not, and the others
queue its claimed lines again. An answer of somebody who has lost a claim is dropped: no line is lost, and none answered twice.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from headway.errors import HeadwayError, InputError

_TABLES = """
CREATE TABLE IF NOT EXISTS files (id TEXT PRIMARY KEY, name TEXT, purpose TEXT, created INTEGER, content BLOB);
CREATE TABLE IF NOT EXISTS batches (id TEXT PRIMARY KEY, input TEXT, endpoint TEXT, status TEXT, metadata TEXT, errors TEXT,
  created INTEGER, started INTEGER, expires INTEGER, finished INTEGER, output TEXT, failures TEXT);
CREATE TABLE IF NOT EXISTS lines (batch TEXT, number INTEGER, custom TEXT, body TEXT, state TEXT, owner TEXT, ok INTEGER, answer TEXT,
  PRIMARY KEY (batch, number));
CREATE INDEX IF NOT EXISTS open_lines ON lines (state, owner);
"""
DAY = 24 * 3600  # the only window that the Batch API has
_WAITS = 10.0  # seconds for another server's transaction
OPEN = ("in_progress", "cancelling")


class FullError(HeadwayError):
    """The database cannot take it: the disk, or the room given to it, is full."""


class Jobs:
    """The database.

    Parameters
    ----------
    file : str
        Made where it is not there.
    most : int
        Bytes that it may take; 0: as many as the disk has. [bytes]

    Raises
    ------
    InputError
        Where it cannot be opened or is no such database.
    """

    def __init__(self, file: str, most: int = 0) -> None:
        self.file, self.owner = file, uuid.uuid4().hex
        self._turn = threading.RLock()
        mine = Path(f"{file}.server-{self.owner}")
        with ExitStack() as opened:
            try:
                self._alive = opened.enter_context(_held(mine))
                opened.callback(mine.unlink)
                self._db = sqlite3.connect(file, timeout=_WAITS, check_same_thread=False, isolation_level=None)
                opened.callback(self._db.close)
                self._log_ahead()
                self._db.execute("PRAGMA synchronous=FULL")  # what is said to be kept is on the disk
                self._db.executescript(_TABLES)
                if most:
                    page = int(self._db.execute("PRAGMA page_size").fetchone()[0])
                    self._db.execute(f"PRAGMA max_page_count={max(most // page, 1)}")
            except (OSError, sqlite3.Error) as error:
                said = getattr(error, "strerror", None) or error
                raise InputError(f"--database {file}: cannot be used ({said})") from None
            self._opened = opened.pop_all()

    def _log_ahead(self) -> None:
        """Let writers log ahead; the switch itself does not wait for others who open the file, as all else does."""
        end = time.monotonic() + _WAITS
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def close(self) -> None:
        """Give up the database, and the claim on its lines."""
        self.release()
        self._opened.close()

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """One transaction: all of it, or nothing."""
        with self._turn:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                self._back()
                raise FullError(f"the database cannot take it ({error}); nothing of it was kept") from None
            except BaseException:
                self._back()
                raise

    def _back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _rows(self, query: str, *given: Any) -> list[tuple[Any, ...]]:
        with self._turn:
            try:
                return self._db.execute(query, given).fetchall()
            except sqlite3.Error as error:
                raise FullError(f"the database cannot be read now ({error})") from None

    def add_file(self, name: str, purpose: str, content: bytes) -> dict[str, Any]:
        """Keep a file; returns it as the API has it."""
        number, now = f"file-{uuid.uuid4().hex[:24]}", int(time.time())
        with self._writing() as db:
            db.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?)", (number, name, purpose, now, content))
        return _file(number, name, purpose, now, len(content))

    def files(self) -> list[dict[str, Any]]:
        """Return all files, the latest first."""
        rows = self._rows(
            "SELECT id, name, purpose, created, length(content) FROM files ORDER BY created DESC, rowid DESC"
        )
        return [_file(*r) for r in rows]

    def file_of(self, number: str) -> dict[str, Any] | None:
        """Return a file, or None."""
        rows = self._rows("SELECT id, name, purpose, created, length(content) FROM files WHERE id = ?", number)
        return _file(*rows[0]) if rows else None

    def content(self, number: str) -> bytes | None:
        """Return what a file holds, or None."""
        rows = self._rows("SELECT content FROM files WHERE id = ?", number)
        return bytes(rows[0][0]) if rows else None

    def remove_file(self, number: str) -> bool:
        """Remove a file; False where there is none."""
        with self._writing() as db:
            return db.execute("DELETE FROM files WHERE id = ?", (number,)).rowcount > 0

    def add_batch(
        self,
        source: str,
        endpoint: str,
        metadata: Any,
        lines: Sequence[tuple[str, Any]],
        errors: Sequence[dict[str, Any]],
    ) -> dict[str, Any]:
        """Queue a batch, or keep why its file is malformed; returns it as the API has it.

        Parameters
        ----------
        source, endpoint : str
            The file; where its lines are asked.
        metadata : any
            The user's own.
        lines : sequence of (str, any)
            Each one's own name and body.
        errors : sequence of dict
            Of the file; any makes the batch fail.
        """
        number, now = f"batch_{uuid.uuid4().hex[:24]}", int(time.time())
        status, ended = ("failed", now) if errors else ("in_progress", None)
        with self._writing() as db:
            db.execute(
                "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
                (number, source, endpoint, status, json.dumps(metadata), json.dumps(list(errors)), now, now, now + DAY, ended),
            )  # fmt: skip
            db.executemany(
                "INSERT INTO lines VALUES (?, ?, ?, ?, 'queued', NULL, NULL, NULL)",
                [(number, i, custom, json.dumps(body)) for i, (custom, body) in enumerate([] if errors else lines)],
            )
        return self.batch_of(number) or {}

    def batch_of(self, number: str) -> dict[str, Any] | None:
        """Return a batch as the API has it, or None."""
        rows = self._rows("SELECT * FROM batches WHERE id = ?", number)
        if not rows:
            return None
        total, good, bad = self._rows(
            "SELECT count(*), count(ok = 1 OR NULL), count(ok = 0 OR NULL) FROM lines WHERE batch = ?", number
        )[0]
        return _batch(rows[0], {"total": total, "completed": good, "failed": bad})

    def batches(self) -> list[dict[str, Any]]:
        """Return all batches, the latest first."""
        rows = self._rows("SELECT id FROM batches ORDER BY created DESC, rowid DESC")
        return [b for r in rows if (b := self.batch_of(r[0])) is not None]

    def cancel(self, number: str) -> bool:
        """Let a batch's queued lines go; those under way still end. False where it has ended.

        Parameters
        ----------
        number : str
        """
        with self._writing() as db:
            found = db.execute(
                "UPDATE batches SET status = 'cancelling' WHERE id = ? AND status = 'in_progress'", (number,)
            )
            if found.rowcount:
                db.execute("UPDATE lines SET state = 'cancelled' WHERE batch = ? AND state = 'queued'", (number,))
                self._finish(db, number)
            return found.rowcount > 0

    def claim(self, most: int) -> list[tuple[str, int, str, Any]]:
        """Take queued lines, the oldest batch's first: (batch, number, endpoint, body).

        Parameters
        ----------
        most : int
            [lines]
        """
        self._expire()
        queued = "SELECT 1 FROM lines WHERE state = 'queued' LIMIT 1"
        if most < 1 or not self._rows(queued):
            return []
        with self._writing() as db:
            rows = db.execute(
                "SELECT l.batch, l.number, b.endpoint, l.body FROM lines l JOIN batches b ON b.id = l.batch WHERE l.state = 'queued' "
                "ORDER BY b.created, b.rowid, l.number LIMIT ?", (most,),
            ).fetchall()  # fmt: skip
            for batch, number, _, _ in rows:
                db.execute(
                    "UPDATE lines SET state = 'running', owner = ? WHERE batch = ? AND number = ?",
                    (self.owner, batch, number),
                )
        return [(batch, number, endpoint, json.loads(body)) for batch, number, endpoint, body in rows]

    def done(self, batch: str, number: int, ok: bool, answer: dict[str, Any]) -> bool:
        """Keep a line's answer, and the batch's files with the last one; False where the claim was lost meanwhile.

        Parameters
        ----------
        batch, number : str, int
            The line. [1]
        ok : bool
            It was answered, not refused.
        answer : dict
            Status and body.
        """
        with self._writing() as db:
            found = db.execute(
                "UPDATE lines SET state = 'done', ok = ?, answer = ? WHERE batch = ? AND number = ? AND state = 'running' AND owner = ?",
                (int(ok), json.dumps(answer), batch, number, self.owner),
            )
            if found.rowcount:
                self._finish(db, batch)
            return found.rowcount > 0

    def _finish(self, db: sqlite3.Connection, batch: str) -> None:
        """Write the output of a batch none of whose lines is open."""
        if db.execute(
            "SELECT 1 FROM lines WHERE batch = ? AND state IN ('queued', 'running') LIMIT 1", (batch,)
        ).fetchone():
            return
        status = db.execute("SELECT status FROM batches WHERE id = ?", (batch,)).fetchone()[0]
        now = int(time.time())
        made: list[str | None] = []
        for ok, name in ((1, "output"), (0, "errors")):
            rows = db.execute(
                "SELECT number, custom, answer FROM lines WHERE batch = ? AND ok = ? ORDER BY number", (batch, ok)
            ).fetchall()
            number = f"file-{uuid.uuid4().hex[:24]}" if rows else None
            made.append(number)
            if rows:
                content = "".join(_line(batch, *row) for row in rows)
                db.execute(
                    "INSERT INTO files VALUES (?, ?, 'batch_output', ?, ?)",
                    (number, f"{batch}_{name}.jsonl", now, content.encode()),
                )
        ended = {"cancelling": "cancelled", "expired": "expired"}.get(status, "completed")
        db.execute(
            "UPDATE batches SET status = ?, finished = ?, output = ?, failures = ? WHERE id = ?",
            (ended, now, *made, batch),
        )

    def _expire(self) -> None:
        """Batches whose window has passed keep what they have."""
        late = self._rows(f"SELECT id FROM batches WHERE status IN {OPEN} AND expires < ?", int(time.time()))
        for (batch,) in late:
            with self._writing() as db:
                db.execute(
                    "UPDATE lines SET state = 'expired' WHERE batch = ? AND state IN ('queued', 'running')", (batch,)
                )
                db.execute("UPDATE batches SET status = 'expired' WHERE id = ?", (batch,))
                self._finish(db, batch)

    def release(self) -> None:
        """Queue again what this server has claimed and not answered."""
        with self._writing() as db:
            db.execute(
                "UPDATE lines SET state = 'queued', owner = NULL WHERE state = 'running' AND owner = ?", (self.owner,)
            )

    def take_over(self) -> int:
        """Queue again the lines of servers that have died; returns how many."""
        owners = [
            r[0] for r in self._rows("SELECT DISTINCT owner FROM lines WHERE state = 'running'") if r[0] != self.owner
        ]
        count = 0
        for owner in owners:
            file = Path(f"{self.file}.server-{owner}")
            if _lives(file):
                continue
            with self._writing() as db:
                found = db.execute(
                    "UPDATE lines SET state = 'queued', owner = NULL WHERE state = 'running' AND owner = ?", (owner,)
                )
                count += found.rowcount
            file.unlink(missing_ok=True)
        return count


def _held(file: Path) -> IO[bytes]:
    """A file that is locked as long as this process lives."""
    import fcntl

    stream = open(file, "wb")  # noqa: SIM115 - as long as the process
    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.set_inheritable(stream.fileno(), False)
    return stream


def _lives(file: Path) -> bool:
    """Whether the server whose file this is still runs."""
    import fcntl

    try:
        with open(file, "rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _line(batch: str, number: int, custom: str, answer: str) -> str:
    """A line of a batch's output."""
    row = {"id": f"{batch}-{number}", "custom_id": custom, "response": json.loads(answer), "error": None}
    return json.dumps(row, ensure_ascii=False) + "\n"


def _file(number: str, name: str, purpose: str, created: int, size: int) -> dict[str, Any]:
    return {"id": number, "object": "file", "bytes": size, "created_at": created, "filename": name, "purpose": purpose,
            "status": "processed"}  # fmt: skip


def _batch(row: tuple[Any, ...], counts: dict[str, int]) -> dict[str, Any]:
    number, source, endpoint, status, metadata, errors, created, started, expires, finished, output, failures = row
    said = json.loads(errors)
    ends = {
        f"{name}_at": finished if status == name else None for name in ("completed", "failed", "expired", "cancelled")
    }
    return {
        "id": number, "object": "batch", "endpoint": endpoint, "errors": {"object": "list", "data": said} if said else None,
        "input_file_id": source, "completion_window": "24h", "status": status, "output_file_id": output, "error_file_id": failures,
        "created_at": created, "in_progress_at": None if said else started, "expires_at": expires, **ends, "request_counts": counts,
        "metadata": json.loads(metadata),
    }  # fmt: skip
