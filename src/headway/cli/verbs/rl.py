"""The verb about reinforcement learning as a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from headway.cli.asking import asks, given
from headway.cli.options import Csv, Folder, Json, Out, Why
from headway.cli.telling import tell
from headway.questions import Request

if TYPE_CHECKING:
    from headway.plan.reinforcement import Loop

_OTHERS = (
    "batch",
    "concurrency",
    "arrivals",
    "load",
    "prompt",
    "output",
    "context",
    "chips",
    "prefix_hits",
    "length_spread",
)
_Prompts = Annotated[int, Parameter(help="Of an iteration.")]
_Group = Annotated[int, Parameter(help="Answers to each prompt.")]
_Prompt = Annotated[str, Parameter(help="Tokens of a prompt. [1k]")]
_Answers = Annotated[
    str,
    Parameter(
        help="Tokens of an answer, as lengths of traffic are written. [4k~0.8, 500-8k, lognormal:4k,cv=1,most=32k]"
    ),
]
_Iterations = Annotated[int, Parameter(help="Of the run.")]
_Forwards = Annotated[
    float, Parameter(help="Forward passes over each answer besides training: old and reference weights.")
]
_Trained = Annotated[str, Parameter(help="Share of the answers that is trained on. [100%]")]
_Rollout = Annotated[
    int | None,
    Parameter(name="--rollout-chips", help="Chips that generate; default: the fastest of eighths, or all by turns."),
]
_Way = Annotated[
    Literal["together", "in turns", "ahead"] | None,
    Parameter(
        help="All chips do both; two pools that wait for each other; answers one iteration ahead. Default: the fastest."
    ),
]
_TrainLayout = Annotated[str | None, Parameter(help="Of training, like tp8pp4; default: the fastest that fits.")]
_TrainEngine = Annotated[str, Parameter(help="Of `headway catalog training_engines`, or ideal.")]
_GlobalBatch = Annotated[str | None, Parameter(help="Of an optimizer's step; default: 4M tokens, or the iteration's.")]
_Seed = Annotated[int, Parameter(help="Of the answers' lengths.")]


@asks(Request, leave_out=_OTHERS)
def rl(
    asked: dict[str, Any],
    *,
    prompts: _Prompts = 128,
    group: _Group = 16,
    prompt: _Prompt = "1k",
    answers: _Answers = "4k~0.8",
    iterations: _Iterations = 1000,
    forwards: _Forwards = 1.0,
    trained: _Trained = "100%",
    rollout_chips: _Rollout = None,
    way: _Way = None,
    train_layout: _TrainLayout = None,
    train_engine: _TrainEngine = "llm-foundry",
    global_batch: _GlobalBatch = None,
    seed: _Seed = 0,
    json: Json = False,
    csv: Csv = False,
    why: Why = False,
    out: Out = None,
    catalog: Folder = (),
) -> None:
    """Run reinforcement learning as a loop: answers by the inference plan, training by its own, their split, and what idles.

    Answers of spread lengths are simulated until the last has ended. Without --layout every layout that fits is simulated for them.
    --csv is the splits, layout by layout.
    """
    from headway import units
    from headway.catalog import use
    from headway.plan.reinforcement import LoopQuestion, reinforcement
    from headway.plan.train import TrainingQuestion

    use(catalog)
    if out:
        from headway.figures.style import check

        check(out)
    request = Request(**given(asked))
    training = TrainingQuestion(
        request.model, request.system, 1.0, layout=train_layout, batch=global_batch, engine=train_engine, price=request.price
    )  # fmt: skip
    found = reinforcement(LoopQuestion(
        request, training, prompts, group, prompt, answers, iterations, forwards, units.share(trained), rollout_chips, way, seed
    ))  # fmt: skip
    _tell(found, out, json=json, csv=csv, why=why)


def _tell(found: Loop, out: str | None, *, json: bool, csv: bool, why: bool) -> None:
    from headway.records.reinforcement import iterated_record
    from headway.report.why_training import loop_why_rows

    tell(
        found, out, json=json, csv=csv, figure="loop_figure", why=(lambda: loop_why_rows(found)) if why else None,
        rows=lambda: [{k: v for k, v in iterated_record(x).items() if k != "shares"} for x in found.tried],
    )  # fmt: skip
