"""What `headway watch` shows: a page that stays on a terminal, a line for each reading elsewhere, JSON lines."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

from headway import units
from headway.cli.asking import given
from headway.cli.endpoints import How
from headway.cli.terminal import fitted
from headway.errors import InputError
from headway.measure.exported import Exporter, dashboard
from headway.measure.scrapes_source import Source
from headway.measure.watching_loop import Asked, Told, watch
from headway.questions import Request, parsed
from headway.records.watch import reading_record
from headway.report.watch import reading_line, reading_text
from headway.tables import columns
from headway.writing import replacing


def address(text: str) -> tuple[str, int]:
    """Return (host, port) of ``9401`` or ``0.0.0.0:9401``.

    Parameters
    ----------
    text : str

    Raises
    ------
    InputError
        When it is neither.
    """
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise InputError(f"--export {text}: is no port; it reads like 9401, or 0.0.0.0:9401")
    return host or "127.0.0.1", int(port)


def write_dashboard(file: str) -> None:
    """Write the Grafana dashboard of what ``--export`` serves."""
    path = Path(file)
    if path.suffix.lower() != ".json" or not path.parent.is_dir():
        raise InputError(
            f"--dashboard {file}: is no file that can be written; it reads like headway.json, in a folder that is there"
        )
    with replacing(path, file) as half:
        half.write_text(json.dumps(dashboard(), indent=1) + "\n", encoding="utf-8")
    print(f"dashboard written to {file}; Grafana imports it, and --export serves what it draws")


class Shown:
    """Prints what happens as it was asked for.

    Parameters
    ----------
    json : bool
        A JSON line for each reading.
    exporter : Exporter or None
    """

    def __init__(self, *, json: bool, exporter: Exporter | None) -> None:
        self.json, self.exporter, self.live = json, exporter, None
        self.readings, self.last, self._page = 0, "", list[str]()

    @contextlib.contextmanager
    def screen(self) -> Generator[Shown]:
        """Keep a page on a terminal."""
        if self.json or not sys.stdout.isatty():
            yield self
            return
        from rich.live import Live
        from rich.text import Text

        with Live(Text("waiting for the second scrape ..."), auto_refresh=False) as live:
            self.live: Any = live
            yield self

    def tell(self, told: Told) -> None:
        """Show one thing."""
        if told.reading is not None:
            self.readings += 1
            if self.exporter is not None:
                self.exporter.show(told.reading)
        elif told.kind != "note":
            self.last = told.text
            if self.exporter is not None:
                self.exporter.failed(restarted=told.kind == "restarted")
        if self.json:
            self._said_json(told)
        elif self.live is not None:
            self._drawn(told)
        elif told.reading is None:
            print(f"! {told.text}", flush=True)
        else:
            self._remarked(told)
            print(reading_line(told.reading), flush=True)

    def _said_json(self, told: Told) -> None:
        if told.reading is not None:
            print(json.dumps(reading_record(told.reading), ensure_ascii=False, allow_nan=False), flush=True)
        else:
            print(f"! {told.text}", file=sys.stderr, flush=True)

    def _remarked(self, told: Told) -> None:
        """What holds for every reading is said before the first."""
        if self.readings == 1 and told.reading is not None:
            for remark in told.reading.remarks:
                print(f"! {remark}", flush=True)

    def _drawn(self, told: Told) -> None:
        from rich.text import Text

        if told.reading is not None:
            self._page = [reading_text(told.reading)]
        page = "\n".join([*self._page, *([f"! {told.text}"] if told.text else [])])
        assert self.live is not None
        self.live.update(Text(fitted(page, columns() or 100)), refresh=True)


def watched(url: str, model: str | None, asked: dict[str, Any], how: How, *, json: bool) -> None:
    """Watch until it is done, or somebody stops it.

    Raises
    ------
    InputError
        When nothing could be read at all, by the time that it ends.
    """
    if not url or not model or asked["system"] is None:
        raise InputError(
            "watch needs URL, --model and --on, like http://127.0.0.1:8000/metrics --model llama-3.1-8b --on h100"
        )
    question = _asked(Request(model, **given(asked)), how)
    exporter, at = None, None if how.export is None else address(how.export)
    if at is not None:
        exporter = Exporter(how.served or model, question.request.system)
    with Source(url, insecure=how.insecure) as source, Shown(json=json, exporter=exporter).screen() as shown:
        happens = watch(source, question)
        if exporter is not None and at is not None:
            print(f"metrics at http://{at[0]}:{exporter.serve(at[1], at[0])}/metrics", file=sys.stderr, flush=True)
        for told in happens:
            if how.once and told.kind == "failed":
                shown.last = told.text  # said once, as the error
            else:
                shown.tell(told)
    if not shown.readings:
        raise InputError(shown.last or "no reading: nothing was scraped twice")


def _asked(request: Request, how: How) -> Asked:
    if how.count is not None and how.count < 1:
        raise InputError(f"--count: {how.count} must be at least 1")
    return Asked(
        request, how.served, units.parse(how.every, units.SECONDS, "--every"), 1 if how.once else how.count or math.inf,
        parsed("ttft", how.ttft) or math.inf, parsed("tpot", how.tpot) or math.inf, how.past,
    )  # fmt: skip
