"""A run of the lab engine and the simulator beside it as text."""

from __future__ import annotations

from headway import units
from headway.lab.engine.checked import CLOSE, Checked, Told
from headway.records.engine import batch_rows
from headway.tables import table_text


def checked_text(c: Checked) -> str:
    """Return the run by batch, and whether the simulator departs alike."""
    h, run = c.run.head, c.run
    batches = [
        [
            "with prompts" if r["sequences"] is None else f"{r['sequences']:,}", f"{r['passes']:,}", units.seconds(r["median_s"]),
            f"{r['tokens']:,.1f}", f"{r['prompt_tokens']:,.1f}", f"{r['context_tokens']:,.0f}", f"{r['blocks']:,.0f}",
            units.seconds(r["token_s"]),
        ]
        for r in batch_rows(run)
    ]  # fmt: skip
    heads = ["sequences", "passes", "median", "tokens", "of prompts", "in caches", "blocks", "time per token"]
    rows = [_row("lab engine", c.engine), _row("simulator, each pass at what it took", c.replayed),
            _row("simulator, passes at their kind's mean", c.by_kind)]  # fmt: skip
    verdict = (
        f"every pass has the same riders, pieces of prompts, tokens, blocks; requests' times within {c.apart:.2%} (promised: {CLOSE:.0%})"
        if c.alike
        else f"the simulator does not depart alike: {c.difference}"
    )
    return "\n".join(
        [
            f"lab engine: {h['model']}, {h['policy']}, {units.some(len(run.boarded()), 'request')}, {units.some(len(run.passes), 'pass')}",
            "", table_text(heads, batches), "",
            table_text(["", "passes", "TTFT", "per token", "latency", "all"], rows), "",
            verdict, f"with passes at their kind's mean: means and the whole within {c.kinds_apart:.1%}",
        ]
    )  # fmt: skip


def _row(name: str, t: Told) -> list[str]:
    return [name, f"{t.passes:,}", *(units.seconds(x) for x in (t.ttft, t.tpot, t.latency, t.span))]
