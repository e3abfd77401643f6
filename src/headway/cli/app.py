"""The application: verbs are in `headway.cli.verbs`; here it runs, and every error becomes one line."""

from __future__ import annotations

import gc
import io
import os
import re
import signal
import sys
from pathlib import Path

from cyclopts import CycloptsError

from headway.cli import verbs
from headway.cli.options import app
from headway.cli.pictures import typed
from headway.errors import HeadwayError, shortened, visible

_VERB = re.compile(r'^def ([a-z]\w*)\(.*?"""(.+?)(?:\n\n|""")', re.MULTILINE | re.DOTALL)

for _file in sorted(Path(verbs.__file__).parent.glob("[a-z]*.py")):  # a verb is imported when it is asked for
    for _name, _about in _VERB.findall(_file.read_text(encoding="utf-8")):
        app.command(f"{verbs.__name__}.{_file.stem}:{_name}", name=_name, help=" ".join(_about.split()))


def main() -> None:
    """Run the command line; every error is one line, and no traceback reaches the user."""
    gc.set_threshold(50_000)  # a verb is short: it makes many small objects and keeps them
    for name in ("SIGTERM", "SIGHUP"):  # SIGHUP is not everywhere, and under nohup it is not heard
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _terminated)
    _sane_width()
    if sys.stdout is None or sys.stderr is None:  # closed by whoever started this
        _reopened()
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show a character must not lose the answer
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line with `arguments` and return the exit status: 0, 2 (malformed) or 3 (physics)."""
    typed(arguments)
    # Linear algebra on one thread: more take a tenth of a second to start, and in a fit's workers only wait for one another.
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()  # a reader that has gone is met here, not at the interpreter's exit
    except HeadwayError as error:
        return _say(str(error), error.exit_code)
    except CycloptsError as error:
        said = " ".join(str(error).split())
        hint = " (quote a value that has a space in it)" if said.startswith("Unused Tokens") else ""
        return _say(said + hint, 2)
    except _Terminated as ended:
        return _say(_stopped(ended), 128 + ended.number)
    except KeyboardInterrupt as ended:
        return _say(_stopped(ended), 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is not None:  # a file of the question that nobody looked at before
            return _say(f"{error.filename}: cannot be used ({error.strerror})", 2)
        # the answer could not be written: a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _say(f"the answer cannot be written ({error.strerror or error})", 1)
    except Exception as error:
        if os.environ.get("HEADWAY_DEBUG"):
            raise
        kind = error.__class__.__name__
        said = " ".join(str(error).split())
        return _say(f"a fault in headway itself ({kind}: {said}); HEADWAY_DEBUG=1 shows where", 1)
    return 0


def _stopped(ended: BaseException) -> str:
    """What is said of a run that somebody ended, with what it noted of itself on the way out."""
    return "; ".join(["stopped", *getattr(ended, "__notes__", ())])


_MOST_COLUMNS = 1000


def _sane_width() -> None:
    """COLUMNS as it is taken: no number of columns (0, minus one, a word) is none, and no terminal has a million."""
    said = os.environ.get("COLUMNS", "")
    if not said.isdigit() or int(said) < 1:
        os.environ.pop("COLUMNS", None)
    else:
        os.environ["COLUMNS"] = str(min(int(said), _MOST_COLUMNS))


class _Terminated(BaseException):
    """Somebody ended the process, or closed its terminal: what is half done is cleaned up on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _terminated(number: int, _: object) -> None:
    raise _Terminated(number)


def _reopened() -> None:
    """Closed streams go nowhere; without a place for the answer nothing is computed."""
    lost = sys.stdout is None
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the rest of the process
    if lost:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        sys.exit(_say("the standard output is closed: there is no place for the answer", 1))


def _say(message: str, code: int) -> int:
    try:
        print(f"headway: {shortened(visible(message))}", file=sys.stderr, flush=True)
    except OSError:  # nobody can be told; the status still says it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return code
