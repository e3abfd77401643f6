"""Prompts of a wanted length that nobody has seen before: no cache can know them."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field

from headway.measure.endpoint import Endpoint

_SIZES = (80, 240)  # characters of the prompts that a tokeniser is learned from
_GUESS = 4.0  # characters of a token, where a server does not count


@dataclass
class Texts:
    """Makes prompts.

    Attributes
    ----------
    per_token : float
        Characters of a token. [1]
    around : float
        Tokens that a server puts around a prompt. [tokens]
    counted : bool
        Whether the server counts prompts; else lengths are guessed.
    """

    per_token: float = _GUESS
    around: float = 0.0
    counted: bool = False
    _random: random.Random = field(default_factory=random.Random, repr=False)

    def text(self, characters: int) -> str:
        """Return a text of random words.

        Parameters
        ----------
        characters : int
            [1]
        """
        letters = self._random.choices(string.ascii_lowercase, k=max(characters, 1))
        letters[4::5] = " " * len(letters[4::5])
        return "".join(letters).rstrip() or "a"

    def prompt(self, tokens: float) -> str:
        """Return a prompt of about so many tokens.

        Parameters
        ----------
        tokens : float
            [tokens]
        """
        return self.text(round((tokens - self.around) * self.per_token))

    async def learn(self, endpoint: Endpoint) -> None:
        """Ask for two short answers, and learn from them how many characters a token has. It warms the server up, too.

        Parameters
        ----------
        endpoint : Endpoint
        """
        counts: list[tuple[int, float]] = []
        for size in _SIZES:
            text = self.text(size)
            counts.append((len(text), (await endpoint.ask(text, 2)).prompt))
        (short, few), (long, many) = counts
        if many > few > 0:
            self.per_token, self.counted = (long - short) / (many - few), True
            self.around = max(few - short / self.per_token, 0.0)
