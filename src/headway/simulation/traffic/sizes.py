"""Prompt and answer of a request together: independent of each other, or as pairs that were observed."""

from __future__ import annotations

import abc
from dataclasses import dataclass

import numpy as np

from headway.errors import InputError
from headway.simulation.requests import Ints
from headway.simulation.traffic.lengths import Empirical, Lengths


class Sizes(abc.ABC):
    """A distribution of (prompt, answer)."""

    __slots__ = ()

    @abc.abstractmethod
    def draw(self, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Return lengths of prompts and of answers [tokens].

        Parameters
        ----------
        count : int
            How many of each. [1]
        rng : Generator
        """


@dataclass(frozen=True, slots=True)
class Independent(Sizes):
    """Prompts and answers that know nothing of each other.

    Attributes
    ----------
    prompt, output : Lengths
        Their distributions. [tokens]
    """

    prompt: Lengths
    output: Lengths

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Return lengths of prompts and of answers [tokens].

        Parameters
        ----------
        count : int
            How many of each. [1]
        rng : Generator
        """
        first, second = rng.spawn(2)  # one stream each: another distribution of answers leaves the prompts as they are
        return self.prompt.draw(count, first), self.output.draw(count, second)


@dataclass(frozen=True, slots=True, eq=False)
class Observed(Sizes):
    """Pairs of a trace, each drawn as often as another: long prompts keep the answers that they had.

    Attributes
    ----------
    prompt, output : array of int
        Of the same requests in the same order, each at least 1. [tokens]
    """

    prompt: Ints
    output: Ints

    def __post_init__(self) -> None:
        if len(self.prompt) != len(self.output):
            raise InputError(f"observed lengths: {len(self.prompt)} prompts and {len(self.output)} answers")
        for column in (self.prompt, self.output):
            Empirical(column)  # refuses what no length is

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Return lengths of prompts and of answers [tokens].

        Parameters
        ----------
        count : int
            How many of each. [1]
        rng : Generator
        """
        which = rng.integers(0, len(self.prompt), count)
        return self.prompt[which], self.output[which]
