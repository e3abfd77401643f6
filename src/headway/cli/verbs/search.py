"""The verb about many layouts. Nothing heavy is imported until it runs."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json, Out, Why
from headway.questions import Query


@asks(Query, leave_out=("at_most",), optional=("model", "systems"), as_text=("chips",))
def search(
    asked: dict[str, Any],
    *,
    json: Json = False,
    csv: Csv = False,
    why: Why = False,
    out: Out = None,
    grid: Annotated[
        str | None,
        Parameter(help="Search every cell of a TOML file (models, systems, workloads; docs/search.md) instead."),
    ] = None,
    results: Annotated[
        str | None,
        Parameter(
            help="Journal of the grid, one line per finished cell; a rerun goes on from it. Default: FILE.results.jsonl."
        ),
    ] = None,
    workers: Annotated[int | None, Parameter(help="Local processes for the grid; default: one per core.")] = None,
    ray: Annotated[
        str | None, Parameter(help="Run the grid on Ray: auto (this machine), or a cluster's address.")
    ] = None,
    catalog: Folder = (),
) -> None:
    """Find the best layout, batch and pools among all that fit; the frontier; and the cheapest fleet for a request rate.

    --chips ..72 looks at as many chips as a layout uses, at most 72, and pays only those.
    """
    from headway.cli import searching
    from headway.errors import InputError
    from headway.questions import fields_of, option_of

    if grid is not None:
        defaults = {k: d for k, (_, d) in fields_of(Query).items()}
        said = ["--no-split" if k == "split" else option_of(k) for k, v in given(asked).items() if v != defaults.get(k)]
        said += [name for name, value in (("--why", why), ("-o", out)) if value]
        if said:
            raise InputError(
                f"--grid says all of it in its file: leave out {', '.join(said)} (results go to --results)"
            )
        searching.grid(grid, results, workers, ray, json=json, csv=csv, catalog=catalog)
        return
    if results is not None or workers is not None or ray is not None:
        raise InputError("--results, --workers and --ray are for --grid FILE.toml")
    if asked["model"] is None or asked["systems"] is None:
        raise InputError("search needs a model and --on SYSTEM, like: headway search deepseek-v3 --on gb200-nvl72")
    searching.search(asked, json=json, csv=csv, why=why, out=out, catalog=catalog)
