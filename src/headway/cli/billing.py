"""What `headway bill` does: read the options, bill, print."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from headway import units
from headway.cli.output import emit, emit_csv, names
from headway.cli.progress import Stages
from headway.cli.renting import Renting, Work
from headway.cli.terminal import show
from headway.economics.bills import exact
from headway.economics.price_rows import day_of
from headway.economics.quotes import Workload, read_per_day, read_stored, read_tokens, read_writes
from headway.economics.spending import capped
from headway.economics.usage_logs import bill_log
from headway.errors import InputError, quoted
from headway.plan.bills import bill_workload
from headway.plan.break_even import Limits, against_api, read_hits
from headway.plan.slo import share_of
from headway.questions import Request
from headway.records import bills as records
from headway.report.bills import billed_text, capped_text, ledger_text
from headway.report.break_even import break_even_text
from headway.report.why import rows_text
from headway.report.why_runs import break_even_why_rows


@dataclass(frozen=True)
class Answer:
    """How it is shown. [1]"""

    json: bool
    csv: bool
    out: str | None
    why: bool = False


@dataclass(frozen=True)
class Common:
    """What every bill is asked with, as typed. [1]"""

    models: str
    provider: str | None
    date: str | None
    at: str | None

    @property
    def day(self) -> datetime.date:
        """Of the prices: today in UTC unless one is given."""
        found = day_of(self.date or "", "--date")
        return found or datetime.datetime.now(datetime.UTC).date()

    @property
    def providers(self) -> list[str]:
        """These alone; empty: all."""
        return names(self.provider or "")

    @property
    def minute(self) -> int | None:
        """Time of day, after midnight UTC. [min]"""
        if self.at is None:
            return None
        try:
            time = datetime.time.fromisoformat(self.at.strip())
        except ValueError:
            raise InputError(f"--at: {quoted(self.at)} is no time of day; it reads like 02:30 (UTC)") from None
        return 60 * time.hour + time.minute


def workload(work: Work) -> Workload:
    """Return the workload that options describe. [1]"""
    return Workload(
        read_tokens(work.prompt or 0, "--prompt"), read_tokens(work.output or 0, "--output"), read_tokens(work.cached or 0, "--cached"),
        read_writes(work.cache_write), read_stored(work.store), work.tier.strip().lower(), read_per_day(work.requests),
    )  # fmt: skip


def workloads(work: Work, common: Common, answer: Answer) -> None:
    """Bill a workload at every provider."""
    found = bill_workload(
        names(common.models), workload(work), common.day, providers=common.providers, minute=common.minute
    )
    if answer.json:
        emit(records.billed_record(found))
    elif answer.csv:
        emit_csv(records.billed_rows(found))
    else:
        show(billed_text(found))


def log(path: str, common: Common, answer: Answer, cap: str | None) -> None:
    """Bill a usage log, under a cap if there is one."""
    limit = None if cap is None else exact(cap.strip().removeprefix("$"), "--cap")
    found = bill_log(path, common.day, common.providers)
    under = [] if limit is None else capped(found.entries, limit)
    if answer.json:
        emit(records.ledger_record(found) | ({} if limit is None else {"capped": records.capped_records(under)}))
    elif answer.csv:
        emit_csv(records.ledger_rows(found))
    else:
        show(ledger_text(found) + (f"\n\n{capped_text(under)}" if under else ""))


def self_hosted(work: Work, common: Common, answer: Answer, system: str, renting: Renting) -> None:
    """Say where renting a system pays."""
    if answer.out:
        from headway.figures.style import check

        check(answer.out)
    models, wanted = names(common.models), workload(work)
    if len(models) != 1:
        raise InputError("--against takes one open-weight model, like: headway bill llama-3.3-70b --against h200x8")
    if wanted.prompt < 1 or wanted.output < 2:
        raise InputError(
            "--against needs --prompt and --output, an answer of at least 2 tokens: --prompt 8k --output 300"
        )
    if wanted.writes or wanted.stored or wanted.per_day or common.at:
        raise InputError(
            "--against looks at every rate and at shares of --hits: leave out --cache-write, --store, --requests and --at"
        )
    options: dict[str, Any] = {"layout": renting.layout, "precision": renting.precision, "engine": renting.engine}
    said = {k: v for k, v in options.items() if v is not None}
    request = Request(models[0], system, price=_rent(renting.price, "--price"), **said)
    ttft = _seconds(renting.ttft, "--ttft")
    tpots = [_seconds(t, "--tpot") for t in names(renting.tpot or "")] or [None]
    limits = [Limits(ttft, t, share_of(renting.within)) for t in tpots]
    with Stages() as tell:
        found = against_api(
            request, wanted, common.day, providers=common.providers, limits=limits, hits=read_hits(renting.hits, wanted),
            reserved=_rent(renting.reserved_price, "--reserved-price"), busy=exact(renting.hours, "--hours"), tell=tell,
        )  # fmt: skip
    if answer.out:
        from headway import figures

        figures.write_figure(figures.break_even_figure(found), answer.out)
    if answer.json:
        emit(records.break_even_record(found) | ({"why": break_even_why_rows(found)} if answer.why else {}))
    elif answer.csv:
        emit_csv(records.break_even_rows(found))
    else:
        because = f"\n\n{rows_text(break_even_why_rows(found))}" if answer.why else ""
        show(break_even_text(found) + because + (f"\n\nchart written to {answer.out}" if answer.out else ""))


def _seconds(text: str | None, where: str) -> float | None:
    return None if text is None else units.parse(text, units.SECONDS, where)


def _rent(text: str | None, where: str) -> float | None:
    return None if text is None else units.parse(text, units.DOLLARS_PER_SECOND, where)
