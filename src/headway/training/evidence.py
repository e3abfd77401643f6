"""Measured training steps of the catalogue as cases: model, system, recipe, seconds."""

from __future__ import annotations

import csv
import functools
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace

from headway.catalog import SHIPPED
from headway.hardware import System, system
from headway.models import Architecture, build, model
from headway.models.precision import uniform
from headway.parallel import Layout
from headway.training.iterations import iteration, trainable
from headway.training.numbers import Numbers
from headway.training.recipes import Rate, Recipe, States, states

_VOCABULARY = 51_200  # of vTrain's models, padded for tensor parallelism (its README)
_LONG = 1 << 20  # sequences of MPT are as long as asked: ALiBi has no table of positions
_AGAIN = 1.15  # hardware over model FLOPs from which a row has computed activations again
_SHARDED = {"FULL_SHARD": 3, "SHARD_GRAD_OP": 2}
_CHIPS = {"A100-40GB": "a100-40gb", "A100-80GB": "a100", "H100-SXM-80GB": "h100", "A100-SXM-80GB": "a100"}
_OTHER_NAMES = {"MPT-7b": "mpt-7b-llmfoundry", "MPT-30b": "mpt-30b-llmfoundry"}


@dataclass(frozen=True)
class TrainingCase:
    """One measured training step.

    Attributes
    ----------
    engine : str
        Of the catalogue's `training_engines`.
    model : Architecture
    system : System
    recipe : Recipe
    states : States
    seconds : float
        Measured, of a step. [s]
    fold : str
        What is left out together: width and depth, or the model.
    nodes : int
        Scale-up domains that it ran on. [1]
    """

    engine: str
    model: Architecture
    system: System
    recipe: Recipe
    states: States
    seconds: float
    fold: str
    nodes: int

    def predicted(self, numbers: Numbers) -> float:
        """Return the time of the step under some numbers. [s]"""
        return iteration(self.model, self.system, self.recipe, self.states, numbers).seconds


@functools.cache
def training_cases() -> tuple[TrainingCase, ...]:
    """Return every measured step: vTrain's (Megatron-DeepSpeed) and llm-foundry's (FSDP)."""
    return (*_iterations(), *_foundry())


def _rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(SHIPPED / "evidence" / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@functools.cache
def gpt(hidden: int, layers: int, heads: int, context: int, vocabulary: int = _VOCABULARY) -> Architecture:
    """Return a model of GPT's shape, as it is trained.

    Parameters
    ----------
    hidden, layers, heads, vocabulary : int
        Width, depth, attention heads, rows of the embedding. [1]
    context : int
        [tokens]
    """
    config = {
        "model_type": "gpt2", "n_embd": hidden, "n_layer": layers, "n_head": heads, "n_positions": context, "vocab_size": vocabulary,
    }  # fmt: skip
    return trainable(build(config, f"GPT {hidden}x{layers}", uniform("bf16"), where="GPT"))


def _iterations() -> Iterator[TrainingCase]:
    kept = states("adam-bf16-gradients")
    for r in _rows("training_iterations"):
        n = {
            k: int(float(v))
            for k, v in r.items()
            if k not in ("source", "licence", "chip", "iteration_s", "parameters_b")
        }
        recipe = Recipe(
            Layout(tp=n["tp"], pp=n["pp"]), n["dp"], n["seq_len"], n["global_batch"], n["micro_batch"], "full", 0,
            sequence_parallel=False,
        )  # fmt: skip
        on = system(f"{_CHIPS[r['chip']]}x{n['chips']}")
        several = n["chips"] > on.domain
        arch = gpt(n["hidden"], n["layers"], n["heads"], n["seq_len"])
        fold = f"{r['parameters_b']} B" if several else f"{n['hidden']}x{n['layers']}"
        nodes = -(-n["chips"] // on.domain)
        yield TrainingCase("megatron-deepspeed", arch, on, recipe, kept, float(r["iteration_s"]), fold, nodes)


@functools.cache
def _mpt(name: str) -> Architecture:
    return replace(trainable(model(f"mosaicml/{name}")), max_context=_LONG)


def _foundry() -> Iterator[TrainingCase]:
    kept = states("adam")
    for r in _rows("training"):
        notes = dict(x.split("=", 1) for x in r["notes"].split("; ") if "=" in x)
        chips, each = int(float(r["chips"])), int(float(notes["microbatch"]))
        again = float(r["hfu_pct"]) / float(r["mfu_pct"]) > _AGAIN
        rate: Rate = "fp8" if "fp8" in r["dtype"] else "bf16"
        recipe = Recipe(
            Layout(), chips, int(float(r["seq_len"])), chips * each * int(float(notes.get("grad_accum") or 1)), each,
            "full" if again else "none", _SHARDED[notes["sharding"]], rate=rate,
        )  # fmt: skip
        on = system(f"{_CHIPS[r['system']]}x{chips}")
        arch = _mpt(_OTHER_NAMES.get(r["model"], r["model"].lower()))
        seconds = recipe.tokens / (float(r["tok_s_per_chip"]) * chips)
        yield TrainingCase("llm-foundry", arch, on, recipe, kept, seconds, r["model"], -(-chips // on.domain))
