"""The verbs about one layout: plan, curve, speculate. Names and help only, so that ``headway --help`` starts fast."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from headway.cli.options import Convention, Engine, Folder, Json, On, Out, Quantity, Why, app


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
    layout: str | None = None,
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
    layout
        The whole layout as people write it instead: tp8, dp8ep64, tp4cp2, dp72ep72r32.
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
        {"precision": precision, "kv_precision": kv_precision, "layout": layout, "engine": engine, "convention": convention},
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
    layout: str | None = None,
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
    layout
        The whole layout as people write it instead: tp8, dp8ep64, tp4cp2, dp72ep72r32.
    reserve
        Share of memory kept free; default 0.1.
    skew
        Zipf exponent of expert popularity.
    """
    from headway.cli import commands

    commands.curve(
        model, on, {"chips": chips, "tp": tp, "dp": dp, "ep": ep, "reserve": reserve, "skew": skew},
        {"context": context, "price": price, "batch": batch},
        {"precision": precision, "kv_precision": kv_precision, "layout": layout, "engine": engine, "convention": convention},
        against=against, points=points, json=json, csv=csv, why=why, out=out, catalog=catalog,
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
