"""The verbs and their options. Only names and help live here, so that ``headway --help`` starts fast."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from headway._version import __version__
from headway.errors import HeadwayError

app = App(
    name="headway",
    help="What an LLM token costs, and why: from chip and model config to latency, throughput and dollars.",
    version=__version__,
    help_format="plaintext",
)

Quantity = str | None
Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print the answer as JSON.")]
Why = Annotated[
    bool, Parameter(name="--why", negative="", show_default=False, help="Say where each number comes from.")
]
Out = Annotated[str | None, Parameter(name=["-o", "--out"], help="Write a chart: FILE.svg, .png, .pdf, .html, .json.")]
Folder = Annotated[
    tuple[str, ...],
    Parameter(
        name="--catalog", negative="", show_default=False, help="A folder with your own chips.csv, systems.csv, models."
    ),
]
On = Annotated[str, Parameter(name="--on", help="System or chip, CHIPxN, or several by comma: h200x8,gb200-nvl72.")]
Convention = Annotated[
    Literal["kernels", "machine"],
    Parameter(help="kernels: one after another. machine: everything overlaps (the lecture's)."),
]

Engine = Annotated[
    str,
    Parameter(
        name=["--engine", "--calibration"],
        help="modern (pooled), sglang, trtllm, vllm, llama.cpp, transformers, your own, or ideal (the lower bound).",
    ),
]


@app.command
def plan(
    model: Annotated[
        str, Parameter(help="Model name, path to config.json or its folder, or hub id; several by comma.")
    ],
    *,
    on: On,
    chips: int | None = None,
    context: Quantity = None,
    prompt: Quantity = None,
    output: Quantity = None,
    precision: str | None = None,
    kv_precision: str | None = None,
    price: Quantity = None,
    batch: Quantity = None,
    tp: int | None = None,
    dp: int | None = None,
    ep: int | None = None,
    arrivals: Quantity = None,
    reserve: float | None = None,
    skew: float = 0.0,
    engine: Engine = "modern",
    convention: Convention = "kernels",
    json: Json = False,
    why: Why = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Plan a service: what batch to run, what latency to promise, what a token costs, and why.

    Parameters
    ----------
    chips
        Number of chips instead of the system's.
    context
        Tokens in each sequence's cache during decode (32k); default: prompt + half the output, or 8192.
    prompt
        Tokens of a prompt (8k); default: the context.
    output
        Tokens of an answer; default 1024.
    precision
        Store the weights as bf16, fp8, nvfp4, mxfp4, int8, int4 instead of what the config says.
    kv_precision
        Store the KV cache as bf16 or fp8.
    price
        Rent per chip-hour (4.49/h) instead of the catalogue's.
    batch
        Sequences per pass and replica; default: twice the balance batch, or what memory holds.
    tp
        Tensor parallelism.
    dp
        Attention-data-parallel groups.
    ep
        Expert parallelism.
    arrivals
        Requests per second (50/s), for how full the departures are.
    reserve
        Share of memory kept free; default 0.1.
    skew
        Zipf exponent of expert popularity; 0 is balanced routing.
    """
    from headway.cli import commands

    commands.plan(
        model, on, {"chips": chips, "tp": tp, "dp": dp, "ep": ep, "reserve": reserve, "skew": skew},
        {"context": context, "prompt": prompt, "output": output, "price": price, "batch": batch, "arrivals": arrivals},
        {"precision": precision, "kv_precision": kv_precision, "engine": engine, "convention": convention},
        json=json, why=why, out=out, catalog=catalog,
    )  # fmt: skip


@app.command
def curve(
    model: Annotated[str, Parameter(help="Model name, path to config.json or its folder, or hub id.")],
    *,
    on: Annotated[str, Parameter(name="--on", help="System or chip, or CHIPxN.")],
    against: Literal["batch", "context", "tokens"] = "batch",
    points: int = 25,
    chips: int | None = None,
    context: Quantity = None,
    precision: str | None = None,
    kv_precision: str | None = None,
    price: Quantity = None,
    batch: Quantity = None,
    tp: int | None = None,
    dp: int | None = None,
    ep: int | None = None,
    reserve: float | None = None,
    skew: float = 0.0,
    engine: Engine = "modern",
    convention: Convention = "kernels",
    json: Json = False,
    csv: Annotated[
        bool, Parameter(name="--csv", negative="", show_default=False, help="Print the sweep as CSV.")
    ] = False,
    why: Why = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Sweep latency and cost against batch, context or tokens per pass, with the lines they are made of.

    Parameters
    ----------
    against
        batch, context, or tokens (new tokens per sequence and pass: 1 is decode, many is prefill).
    points
        How many points on the log scale.
    chips
        Number of chips instead of the system's.
    context
        Tokens in each sequence's cache.
    precision
        Store the weights as bf16, fp8, nvfp4, ...
    kv_precision
        Store the KV cache as bf16 or fp8.
    price
        Rent per chip-hour instead of the catalogue's.
    batch
        Sequences per pass and replica, for context and tokens sweeps.
    tp
        Tensor parallelism.
    dp
        Attention-data-parallel groups.
    ep
        Expert parallelism.
    reserve
        Share of memory kept free; default 0.1.
    skew
        Zipf exponent of expert popularity.
    """
    from headway.cli import commands

    commands.curve(
        model, on, {"chips": chips, "tp": tp, "dp": dp, "ep": ep, "reserve": reserve, "skew": skew},
        {"context": context, "price": price, "batch": batch},
        {"precision": precision, "kv_precision": kv_precision, "engine": engine, "convention": convention},
        against=against, points=points, json=json, csv=csv, why=why, out=out, catalog=catalog,
    )  # fmt: skip


@app.command
def search(
    model: Annotated[str, Parameter(help="Model name, path to config.json or its folder, or hub id.")],
    *,
    on: On,
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
        What to minimise: cost per token, chips, or the latency of a whole request.
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
    """
    from headway.cli import searching

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


@app.command
def speculate(
    model: Annotated[str, Parameter(help="Model name, path to config.json or its folder, or hub id.")],
    *,
    on: Annotated[str, Parameter(name="--on", help="System or chip, or CHIPxN.")],
    draft: str | None = None,
    acceptance: float | None = None,
    length: int | None = None,
    chips: int | None = None,
    context: Quantity = None,
    prompt: Quantity = None,
    output: Quantity = None,
    batch: Quantity = None,
    precision: str | None = None,
    kv_precision: str | None = None,
    tp: int | None = None,
    dp: int | None = None,
    ep: int | None = None,
    engine: Engine = "modern",
    json: Json = False,
    csv: Annotated[
        bool, Parameter(name="--csv", negative="", show_default=False, help="Print the batches as CSV.")
    ] = False,
    catalog: Folder = (),
) -> None:
    """Say where drafting tokens helps (speculative decoding, MTP), and the batch from which it hurts.

    Parameters
    ----------
    draft
        What drafts: a small model, mtp (the model's own module) or lookup (costs nothing); default: mtp where there is one.
    acceptance
        Chance that a drafted token is accepted (0.8); default: the engine's, from runs with multi-token prediction.
    length
        Drafted tokens per pass; default 3.
    chips
        Number of chips instead of the system's.
    context
        Tokens in each sequence's cache (32k).
    prompt
        Tokens of a prompt (8k).
    output
        Tokens of an answer.
    batch
        Sequences per pass for the best draft length; default: the plan's.
    precision
        Store the weights as bf16, fp8, nvfp4, ...
    kv_precision
        Store the KV cache as bf16 or fp8.
    tp
        Tensor parallelism.
    dp
        Attention-data-parallel groups.
    ep
        Expert parallelism.
    """
    from headway.cli import speculating

    speculating.speculate(
        model, on, {"chips": chips, "tp": tp, "dp": dp, "ep": ep},
        {"context": context, "prompt": prompt, "output": output, "batch": batch},
        {"precision": precision, "kv_precision": kv_precision, "engine": engine},
        draft=draft, acceptance=acceptance, length=length, json=json, csv=csv, catalog=catalog,
    )  # fmt: skip


@app.command
def lecture(
    *,
    set_: Annotated[
        tuple[str, ...],
        Parameter(name="--set", negative="", show_default=False, help="Override an input: --set n_active=37e9."),
    ] = (),
    json: Json = False,
    why: Annotated[
        bool, Parameter(name="--why", negative="", show_default=False, help="List the inputs and what they are.")
    ] = False,
    catalog: Folder = (),
) -> None:
    """Reproduce every headline of the lecture from about a dozen inputs, ours beside the lecture's."""
    from headway.cli import commands

    commands.lecture(set_, json=json, why=why, catalog=catalog)


@app.command
def catalog(
    table: Annotated[
        str, Parameter(help="chips, systems, models, prices, claims, formats, ...", show_default=False)
    ] = "",
    query: Annotated[str, Parameter(help="Words that a row must contain.", show_default=False)] = "",
    *,
    json: Json = False,
    csv: Annotated[
        bool, Parameter(name="--csv", negative="", show_default=False, help="Print the rows as CSV.")
    ] = False,
    folder: Folder = (),
) -> None:
    """List or search the facts that headway knows, each with source and date."""
    from headway.cli import commands

    commands.catalog(table, query, json=json, csv=csv, catalog=folder)


@app.command
def predict(
    file: Annotated[
        str, Parameter(help="CSV with a row per case, in the schema of serving benchmarks (docs/predict.md).")
    ],
    *,
    out: Annotated[
        str | None, Parameter(name=["-o", "--out"], help="Write the table with predictions here; else it is printed.")
    ] = None,
    engine: Annotated[str | None, Parameter(help="Take this engine or profile for every row.")] = None,
    json: Json = False,
    catalog: Folder = (),
) -> None:
    """Predict TTFT, TPOT and throughput for every row of a table, each with its 80 % interval and its floor.

    A row that cannot be answered says why in the column `refused`; the others are answered.
    """
    from headway.cli import evidence

    evidence.predict(file, out, engine, json=json, catalog=catalog)


@app.command
def validate(
    *,
    by: Annotated[
        Literal["chip", "model", "engine", "layout", "set"] | None, Parameter(help="Split the tables.")
    ] = None,
    out: Annotated[
        str | None,
        Parameter(name=["-o", "--out"], help="Write the report: FILE.html, or its chart: .svg, .png, .pdf, .json."),
    ] = None,
    json: Json = False,
    csv: Annotated[
        bool, Parameter(name="--csv", negative="", show_default=False, help="Print the table as CSV.")
    ] = False,
    catalog: Folder = (),
) -> None:
    """Predict all shipped evidence out of fold and say how wrong that is, beside two simpler models. Takes a minute."""
    _one_thread()
    from headway.cli import evidence

    evidence.validate(by, out, json=json, csv=csv, catalog=catalog)


@app.command
def calibrate(
    file: Annotated[
        str | None,
        Parameter(help="Your measurements, in the schema of docs/predict.md; none refits the shipped evidence."),
    ] = None,
    *,
    name: Annotated[str | None, Parameter(help="Name of your profile, used as --engine NAME.")] = None,
    engine: Annotated[str | None, Parameter(help="Profile to start from; default: the engine of most rows.")] = None,
    out: Annotated[
        str | None,
        Parameter(name=["-o", "--out"], help="Catalogue folder that gets profiles/NAME.toml; default: yours."),
    ] = None,
    show: Annotated[str | None, Parameter(help="Print a profile's numbers instead: --show sglang.")] = None,
    json: Json = False,
    catalog: Folder = (),
) -> None:
    """Fit a profile to your own measurements; it says which numbers they could not determine."""
    _one_thread()
    from headway.cli import evidence

    evidence.calibrate(file, name, engine, out, show, json=json, catalog=catalog)


def _one_thread() -> None:
    """Keep linear algebra on one thread: the matrices of a fit are small, more threads only get in each other's way."""
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def main() -> None:
    """Run the command line; every error is one line, and no traceback reaches the user."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show a character must not lose the answer
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line with `arguments` and return the exit status: 0, 2 (malformed) or 3 (physics)."""
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()  # a reader that has gone is met here, not at the interpreter's exit
    except HeadwayError as error:
        return _say(str(error), error.exit_code)
    except CycloptsError as error:
        said = " ".join(str(error).split())
        hint = " (quote a value that has a space in it)" if said.startswith("Unused Tokens") else ""
        return _say(said + hint, 2)
    except KeyboardInterrupt:
        return _say("stopped", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("HEADWAY_DEBUG"):
            raise
        kind = error.__class__.__name__
        return _say(f"a fault in headway itself ({kind}: {error}); HEADWAY_DEBUG=1 shows where", 1)
    return 0


def _say(message: str, code: int) -> int:
    print(f"headway: {message}", file=sys.stderr)
    return code
