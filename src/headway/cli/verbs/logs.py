"""The verb about results of other people's benchmarks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

from cyclopts import Parameter

from headway.cli.options import Csv, Folder, Json, to_write

_Files = Annotated[
    tuple[str, ...],
    Parameter(
        help="GuideLLM's JSON, AIPerf's profile_export.jsonl or its folder, genai-perf's summary, vllm bench serve's JSON, SGLang "
        "bench_serving's JSON lines, llama-bench's JSON.",
        negative="",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True)
class Cells:
    """What files do not say, or say by a name that nobody else knows."""

    system: Annotated[str | None, Parameter(name="--on", help="Chip or system that was measured. [h100x8]")] = None
    model: Annotated[str | None, Parameter(help="Model that was measured.")] = None
    engine: Annotated[str | None, Parameter(help="Engine that was measured. [vllm]")] = None
    chips: Annotated[int | None, Parameter(help="Chips of the deployment.")] = None
    tp: Annotated[int | None, Parameter(help="Tensor parallelism.")] = None
    pp: Annotated[int | None, Parameter(help="Pipeline stages.")] = None
    ep: Annotated[int | None, Parameter(help="Expert parallelism.")] = None
    weights_dtype: Annotated[str | None, Parameter(name="--precision", help="Format of the weights. [fp8]")] = None
    kv_dtype: Annotated[str | None, Parameter(name="--kv-precision", help="Format of the cache. [fp8]")] = None
    batch_or_concurrency: Annotated[
        float | None, Parameter(name="--concurrency", help="Requests in flight, where the file states none.")
    ] = None
    date: Annotated[str | None, Parameter(name="--release", help="Date of the engine's release. [2026-10]")] = None


_NOTHING = Cells()


def logs(
    files: _Files = (),
    *,
    cells: Cells = _NOTHING,
    out: Annotated[str | None, to_write("Write the table for `headway predict` and `calibrate`: FILE.csv.")] = None,
    requests: Annotated[
        str | None, to_write("Write the requests for `headway simulate --compare`: FILE.jsonl.", "--requests")
    ] = None,
    json: Json = False,
    csv: Csv = False,
    catalog: Folder = (),
) -> None:
    """Read results of load generators and benchmarks into the table that `predict` and `calibrate` take, and into requests to replay."""
    import sys

    from headway.catalog import use
    from headway.cli.logging import write_requests, write_table
    from headway.cli.output import emit, emit_csv
    from headway.cli.terminal import show
    from headway.errors import InputError
    from headway.measure.logs import read_benches
    from headway.records.logs import bench_record, bench_rows
    from headway.report.logs import benches_text

    use(catalog)
    if not files:
        raise InputError("logs needs at least one FILE: what a benchmark wrote (docs/logs.md)")
    found = read_benches(files, asdict(cells))
    said = [*write_table(found, out), *write_requests(found, requests)]
    if csv:
        emit_csv(bench_rows(found))
    elif json:
        emit([bench_record(b) for b in found])
    else:
        show("\n".join([benches_text(found), *([""] if said else []), *said]))
        return
    for line in said:
        print(line, file=sys.stderr)
