"""The verb about prices read backwards."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from headway.cli.inferring import Asked, run
from headway.cli.options import Csv, Folder, Json, Out, Why

_Name = Annotated[
    str, Parameter(help="MODEL or PROVIDER/MODEL of the catalogue: openai/gpt-5.5, deepseek-v3.2.", show_default=False)
]
_Price = Annotated[str | None, Parameter(help="$/Mtok below the first context step, of your own price list.")]
_Cached = Annotated[str | None, Parameter(help="$/Mtok of a cache hit.")]
_Write = Annotated[str | None, Parameter(help="$/Mtok of a cache write for so long.")]
_Step = Annotated[
    tuple[str, ...],
    Parameter(
        help="Context step: 200k:2x:1.5x (tokens, input and output over the base price); may repeat.",
        negative="",
        show_default=False,
    ),
]
_Window = Annotated[
    str | None, Parameter(help="Longest context: the end of the upper tier, for the slope estimator. [1M]")
]
_Fast = Annotated[str | None, Parameter(help="Fast tier: 6x:2.5x (price and speed over the standard tier's).")]
_Active = Annotated[str, Parameter(help="Active parameters in the lecture's estimator of KV bytes.")]
_Chip = Annotated[str, Parameter(help="Chip that prices are read in.")]
_Rent = Annotated[str, Parameter(help="Its rent, for the readings price by price.")]
_Samples = Annotated[str, Parameter(help="Samples of the joint inference; --validate takes a tenth for each shape.")]
_Seed = Annotated[int, Parameter(help="Of the random numbers.")]
_Steps = Annotated[
    bool,
    Parameter(
        name="--steps",
        negative="",
        show_default=False,
        help="List both estimators of KV bytes on models with context steps.",
    ),
]
_Validate = Annotated[
    bool,
    Parameter(
        name="--validate",
        negative="",
        show_default=False,
        help="Infer every open model with its shape left out: coverage, misses, baseline.",
    ),
]


def infer(
    model: _Name = "",
    *,
    input: _Price = None,
    output: _Price = None,
    cached: _Cached = None,
    write_5m: _Write = None,
    write_1h: _Write = None,
    step: _Step = (),
    window: _Window = None,
    fast: _Fast = None,
    active: _Active = "100e9",
    chip: _Chip = "h100",
    price: _Rent = "2/h",
    samples: _Samples = "200k",
    seed: _Seed = 0,
    steps: _Steps = False,
    validate: _Validate = False,
    json: Json = False,
    csv: Csv = False,
    why: Why = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Read prices backwards: active and total parameters, KV bytes, batch and margin behind a price list, with 80 % intervals.

    Each price is read by itself, then all together. -o draws intervals; with --validate, against the truth.
    """
    from headway.catalog import use

    use(catalog)
    own = {"input": input, "output": output, "cached": cached, "write_5m": write_5m, "write_1h": write_1h}
    run(
        Asked(model, own, step, window, fast, active, chip, price, samples, seed),
        steps=steps, validate=validate, json=json, csv=csv, why=why, out=out,
    )  # fmt: skip
