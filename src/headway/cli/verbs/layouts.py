"""The verbs about many layouts: search, racks. Names and help only."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from headway.cli.options import Engine, Folder, Json, Out, Quantity, Why, app


@app.command
def search(
    model: Annotated[
        str | None, Parameter(help="Model name, path to config.json or its folder, or hub id.", show_default=False)
    ] = None,
    *,
    on: Annotated[
        str | None, Parameter(name="--on", help="System, CHIPxN, or several by comma, ranked by cost.")
    ] = None,
    chips: str | None = None,
    prompt: Quantity = None,
    output: Quantity = None,
    ttft: Quantity = None,
    tpot: Quantity = None,
    sure: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    rate: Quantity = None,
    minimise: Annotated[Literal["cost", "chips", "latency"], Parameter(name=["--minimise", "--minimize"])] = "cost",
    split: bool = True,
    prefill_on: str | None = None,
    overlap: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    drafts: int = 0,
    layout: str | None = None,
    precision: str | None = None,
    kv_precision: str | None = None,
    price: Quantity = None,
    reserve: float | None = None,
    skew: float = 0.0,
    engine: Engine = "modern",
    json: Json = False,
    csv: Annotated[
        bool, Parameter(name="--csv", negative="", show_default=False, help="Print layouts and frontier as CSV.")
    ] = False,
    why: Why = False,
    out: Out = None,
    grid: str | None = None,
    results: str | None = None,
    workers: int | None = None,
    ray: str | None = None,
    catalog: Folder = (),
) -> None:
    """Find the best layout, batch and pools among all that fit; the frontier; and the cheapest fleet for a request rate.

    Parameters
    ----------
    chips
        Number of chips instead of the system's, all paid; ..72 for as many as a layout uses, at most 72.
    prompt
        Tokens of a prompt (8k); default 8192.
    output
        Tokens of an answer (1k); default 1024.
    ttft
        Longest mean time to first token (2s).
    tpot
        Longest mean time per output token (30ms).
    sure
        The upper ends of the 80 % intervals must meet the limits.
    rate
        Requests per second (50/s): find the fleet that carries them with room for its queue.
    minimise
        What to minimise: cost per token, chips (of one replica, or of the fleet), or the latency of a whole request.
    split
        Look also at separate pools for prompts and answers.
    prefill_on
        Another system for the prompts' pool.
    overlap
        Hide communication behind a second half of the batch (two-batch overlap) where that is faster.
    drafts
        Tokens drafted per step (speculative decoding, MTP).
    layout
        Look at this layout alone: tp8, tp4pp2, dp8ep64, dp144ep144r32.
    precision
        Store the weights as bf16, fp8, nvfp4, mxfp4, int8, int4 instead of what the config says.
    kv_precision
        Store the KV cache as bf16 or fp8.
    price
        Rent per chip-hour (4.49/h) instead of the catalogue's.
    reserve
        Share of memory kept free; default 0.1.
    skew
        Zipf exponent of expert popularity; 0 is balanced routing.
    grid
        Search every cell of a TOML file (models, systems, workloads; docs/search.md) instead.
    results
        Journal of the grid, one line per finished cell; a rerun goes on from it. Default: FILE.results.jsonl.
    workers
        Local processes for the grid; default: one per core.
    ray
        Run the grid on Ray: auto (this machine), or a cluster's address.
    """
    from headway.cli import gridding, searching
    from headway.errors import InputError

    if grid is not None:
        given = {"MODEL": model, "--on": on, "--chips": chips, "--prompt": prompt, "--output": output, "--ttft": ttft, "--tpot": tpot,
                 "--sure": sure, "--rate": rate, "--minimise": minimise != "cost", "--no-split": not split,
                 "--prefill-on": prefill_on, "--overlap": overlap, "--drafts": drafts, "--layout": layout,
                 "--precision": precision, "--kv-precision": kv_precision, "--price": price, "--reserve": reserve,
                 "--skew": skew, "--engine": engine != "modern", "--why": why, "-o": out}  # fmt: skip
        said = [name for name, value in given.items() if value]
        if said:
            raise InputError(
                f"--grid says all of it in its file: leave out {', '.join(said)} (results go to --results)"
            )
        gridding.grid(grid, results, workers, ray, json=json, csv=csv, catalog=catalog)
        return
    if results is not None or workers is not None or ray is not None:
        raise InputError("--results, --workers and --ray are for --grid FILE.toml")
    if model is None or on is None:
        raise InputError("search needs a model and --on SYSTEM, like: headway search deepseek-v3 --on gb200-nvl72")
    asked = searching.query(
        model, on, chips,
        {"prompt": prompt, "output": output, "ttft": ttft, "tpot": tpot, "rate": rate, "price": price},
        {"sure": sure, "minimise": minimise, "split": split, "prefill_on": prefill_on, "overlap": overlap,
         "drafts": drafts, "layout": layout, "precision": precision, "kv_precision": kv_precision, "reserve": reserve,
         "skew": skew, "engine": engine},
    )  # fmt: skip
    searching.run(asked, json=json, csv=csv, why=why, out=out, catalog=catalog)


@app.command
def racks(
    model: Annotated[str, Parameter(help="Model name, path to config.json or its folder, or hub id.")],
    *,
    on: Annotated[str, Parameter(name="--on", help="System whose scale-up domain is one rack.")],
    racks: Annotated[str, Parameter(help="Numbers of racks by comma.")] = "1,2,4,8",
    context: Quantity = None,
    batch: Quantity = None,
    hop: Quantity = None,
    precision: str | None = None,
    kv_precision: str | None = None,
    training: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    engine: Engine = "modern",
    json: Json = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Lay a model over racks: all-to-all across them, pipeline depth, memory, latency, schedules, and what to cut.

    Parameters
    ----------
    context
        Tokens per sequence; default 100k.
    batch
        Sequences of one micro-batch; default: the balance batch (E5), or what memory holds of it.
    hop
        Latency from a rack to the next; default 2.5ms.
    precision
        Store the weights as bf16, fp8, nvfp4, mxfp4, int8, int4 instead of what the config says.
    kv_precision
        Store the KV cache as bf16 or fp8.
    training
        Advise for training instead of inference.
    """
    from headway.cli import racking

    racking.racks(
        model, on, racks, {"context": context, "batch": batch, "hop": hop},
        {"precision": precision, "kv_precision": kv_precision, "training": training, "engine": engine},
        json=json, out=out, catalog=catalog,
    )  # fmt: skip
