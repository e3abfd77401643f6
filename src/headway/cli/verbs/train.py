"""The verb about training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from headway.cli.options import Csv, Folder, Json, Out, Why
from headway.cli.telling import tell

if TYPE_CHECKING:
    from headway.plan.train import TrainingPlan
    from headway.units import Quantity


_Model = Annotated[str, Parameter(help="Catalogue name, config.json, or hub id.")]
_On = Annotated[str, Parameter(help="System: h100x1024, gb200-nvl72.")]
_Tokens = Annotated[str, Parameter(help="To train on. [15T]")]
_Chips = Annotated[int | None, Parameter(help="Of the system; default: all.")]
_Layout = Annotated[
    str | None, Parameter(help="Of a replica, like tp8pp16, dp8ep64pp4; default: the fastest that fits.")
]
_GlobalBatch = Annotated[
    str | None,
    Parameter(
        help="Of a step: sequences, or tokens like 16Mtok; default: about 4M tokens, 1,024 a chip on more than 4,096."
    ),
]
_Sequence = Annotated[str | None, Parameter(help="Tokens of each; default: 8192, or the model's context.")]
_MicroBatch = Annotated[int | None, Parameter(help="Sequences of a pass; default: the fastest that fits.")]
_Recompute = Annotated[
    Literal["none", "selective", "full"] | None,
    Parameter(help="Activations that the backward pass computes again; default: the fastest that fits."),
]
_Zero = Annotated[int | None, Parameter(help="Stage of ZeRO, 3 is FSDP; default: the fastest that fits.")]
_Schedule = Annotated[
    Literal["gpipe", "1f1b", "interleaved", "zero-bubble"] | None,
    Parameter(help="Of a pipeline; default: 1f1b, interleaved where that is faster."),
]
_Parts = Annotated[int, Parameter(help="Parts of the model on each stage, when interleaved.")]
_Overlap = Annotated[
    str | None,
    Parameter(help="Share of a pass's collectives that hides behind its kernels, as DualPipe does. [90%]"),
]
_Precision = Annotated[Literal["bf16", "fp8", "fp4"], Parameter(help="In which matrix products multiply.")]
_Optimizer = Annotated[str, Parameter(help="Of `headway catalog optimizers`.")]
_Engine = Annotated[str, Parameter(help="Of `headway catalog training_engines`, or ideal.")]
_Price = Annotated[str | None, Parameter(help="Of a chip. [2.5/h]")]
_Mtbf = Annotated[str | None, Parameter(help="Between failures of one chip that stop the run. [50000h]")]
_Restart = Annotated[str | None, Parameter(help="From a failure to the next step. [10min]")]
_Checkpoint = Annotated[str | None, Parameter(help="That the run waits for each. [30s]")]
_Interval = Annotated[str | None, Parameter(help="Between checkpoints; default: what loses least.")]


def train(
    model: _Model,
    *,
    on: _On,
    tokens: _Tokens,
    chips: _Chips = None,
    layout: _Layout = None,
    global_batch: _GlobalBatch = None,
    sequence: _Sequence = None,
    micro_batch: _MicroBatch = None,
    recompute: _Recompute = None,
    zero: _Zero = None,
    schedule: _Schedule = None,
    parts: _Parts = 1,
    overlap: _Overlap = None,
    precision: _Precision = "bf16",
    optimizer: _Optimizer = "adam",
    engine: _Engine = "llm-foundry",
    price: _Price = None,
    mtbf: _Mtbf = None,
    restart: _Restart = None,
    checkpoint: _Checkpoint = None,
    interval: _Interval = None,
    json: Json = False,
    csv: Csv = False,
    why: Why = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Train a model: time, dollars, MFU and where the rest goes, memory by part, failures and checkpoints.

    Without --layout the fastest recipe that fits is found, and the runners-up said. --csv is the parts of a step.
    """
    from headway import units
    from headway.catalog import use
    from headway.plan import train as plans

    use(catalog)
    if out:
        from headway.figures.style import check

        check(out)
    lasts = {"--mtbf": mtbf, "--restart": restart, "--checkpoint": checkpoint, "--interval": interval}
    q = plans.TrainingQuestion(
        model, on, units.parse(tokens, units.TOKENS, "--tokens"), chips, layout, global_batch,
        _read(sequence, units.TOKENS, "--sequence"), micro_batch, recompute, schedule, zero, parts,
        0.0 if overlap is None else units.share(overlap), precision, optimizer, engine,
        _read(price, units.DOLLARS_PER_SECOND, "--price"), *(_read(text, units.SECONDS, name) for name, text in lasts.items()),
    )  # fmt: skip
    _tell(plans.train(q), out, json=json, csv=csv, why=why)


def _read(text: str | None, quantity: Quantity, name: str) -> float | None:
    from headway import units

    return None if text is None else units.parse(text, quantity, name)


def _tell(found: TrainingPlan, out: str | None, *, json: bool, csv: bool, why: bool) -> None:
    from headway.report.why_training import train_why_rows

    tell(
        found, out, json=json, csv=csv, figure="training_figure", why=(lambda: train_why_rows(found)) if why else None,
        rows=lambda: [{"part": k, "seconds": v} for k, v in found.step.parts().items()],
    )  # fmt: skip
