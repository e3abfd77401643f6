"""A process that answers questions, one at a time: it runs the verb itself and hands on what that prints.

Lines of JSON come in on its standard input and go out on its standard output. It stands in an empty folder of its own, has a limit of
memory, and ends with whoever started it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from headway.cli.progress import Told, told
from headway.errors import HeadwayError, InputError, PhysicsError, shortened, visible

_STATUS = {2: 400, 3: 422}


def main() -> None:
    """Answer until the standard input ends."""
    memory = float(sys.argv[1])
    folders = sys.argv[2:]
    _limited(memory)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")  # nothing that a verb prints gets in between
    os.dup2(2, 1)
    coming: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(coming,), daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="headway-page-") as folder:
        os.chdir(folder)
        _answering(coming, out, folders)


def _limited(memory: float) -> None:
    try:
        import resource
    except ImportError:  # no such limits on this system
        return
    most = int(memory) if memory else resource.RLIM_INFINITY
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _listen(coming: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        coming.put(line)
    os._exit(0)  # nobody is left to take an answer


def _answering(coming: queue.SimpleQueue[str], out: Any, folders: list[str]) -> None:
    def say(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    while True:
        job = json.loads(coming.get())
        say(
            {
                "done": answer(
                    job, folders, lambda what, done, of: say({"progress": {"what": what, "done": done, "of": of}})
                )
            }
        )


def answer(job: dict[str, Any], folders: list[str], tell: Told) -> dict[str, Any]:
    """Return status and body of a question.

    Parameters
    ----------
    job : dict
        `verb`, `form` (record, view, csv, names) and `body`.
    folders : list of str
        Of the user's own catalogue.
    tell : callable
        Gets what is done, how much of it, and of how much, while it runs.
    """
    from headway.catalog import use

    try:
        use(folders)
        if job["form"] == "names":
            from headway.web.names import known_names

            return _ok(known_names())
        return _of_verb(job, tell, folders)
    except HeadwayError as error:
        return _refused(error, job)
    except MemoryError:
        return _failed(422, "memory", "the answer needs more memory than the server gives a question (--memory)")
    except Exception as error:  # one question's fault is no other's
        said = visible(" ".join(str(error).split()))[:200]
        return _failed(500, "fault", f"a fault in headway itself ({error.__class__.__name__}: {said})")


def _ok(value: Any) -> dict[str, Any]:
    return {"status": 200, "body": value}


def _failed(status: int, kind: str, said: str, **more: Any) -> dict[str, Any]:
    return {"status": status, "body": {"error": said, "kind": kind, **more}}


def _refused(error: HeadwayError, job: dict[str, Any]) -> dict[str, Any]:
    from headway.web.nearest import nearest

    said = shortened(visible(str(error)))
    if isinstance(error, PhysicsError):
        return _failed(422, "physics", said, nearest=nearest(job))
    status = _STATUS.get(error.exit_code, 503)
    return _failed(status, "malformed" if status == 400 else "lost", said)


def _of_verb(job: dict[str, Any], tell: Told, folders: list[str]) -> dict[str, Any]:
    from headway.web.asked import read
    from headway.web.in_python import program
    from headway.web.own import FOLDER, written

    a = read(job["verb"], job["body"])
    places = [*folders, *written(a.config, a.chip, a.table)]
    own = [x for f in places for x in ("--catalog", f)] if a.offered.name != "catalog" else []
    form = job["form"]
    if form == "csv":
        if not a.offered.table:
            raise InputError(f"{a.offered.name} has no table")
        return _ok(_printed([*a.words("--csv"), *own], tell))
    chart = Path("chart.json") if form == "view" and _drawn(a) else None
    words = [*a.words("--json", *(["-o", str(chart)] if chart else [])), *own]
    record = _printed(words, tell)
    if form == "record":
        return _ok(json.loads(record))
    figure = json.loads(chart.read_text(encoding="utf-8")) if chart else None
    files = {} if a.chip is None else {"files": {f"{FOLDER}/chips.csv": a.chip}}
    return _ok({"answer": json.loads(record), "figure": figure, "command": a.command(), "python": program(a)} | files)


def _drawn(a: Any) -> bool:
    """Whether the question has a chart: an equation only when it is swept, a bill only beside a system."""
    needs = {"ask": "sweep", "bill": "against"}.get(a.offered.name)
    return a.offered.drawn and (needs is None or needs in a.values)


def _printed(words: list[str], tell: Told) -> str:
    """What the verb prints; every error of the command line's own words is one of input."""
    from cyclopts import CycloptsError

    from headway.cli.app import app

    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), told(tell):
            app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        raise InputError(" ".join(str(error).split())) from None
    return said.getvalue()


if __name__ == "__main__":
    main()
