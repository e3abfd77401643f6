"""What a request brings at a price sheet."""

from __future__ import annotations

import math
from dataclasses import dataclass

from headway.economics.price_lists import PriceList, price_list
from headway.errors import InputError, quoted


@dataclass(frozen=True, slots=True)
class Sale:
    """Prices at which tokens are sold.

    Attributes
    ----------
    name : str
    input, output : float
        [$/Mtok]
    source : str
    """

    name: str
    input: float
    output: float
    source: str = ""

    def revenue(self, prompt: float, output: float) -> float:
        """Return what a request brings. [$]

        Parameters
        ----------
        prompt, output : float
            [tokens]
        """
        return (prompt * self.input + output * self.output) / 1e6


def read_sale(text: str, prompt: float) -> Sale:
    """Return the prices of a request: ``input=0.5,output=2`` in $/Mtok, or a price list of the catalogue by ``[PROVIDER/]MODEL``.

    Parameters
    ----------
    text : str
    prompt : float
        Of a request: a list with context steps has the prices of its step. [tokens]

    Raises
    ------
    InputError
        When it is neither.
    """
    if "=" not in text:
        return at_prompt(price_list(text), prompt)
    prices: dict[str, float] = {}
    for part in text.split(","):
        name, _, said = (x.strip() for x in part.partition("="))
        try:
            value = float(said.removeprefix("$"))
        except ValueError:
            value = math.nan
        if name not in ("input", "output") or not 0 <= value < math.inf:
            raise InputError(f"--sell: {quoted(part.strip())} is no price; it reads like input=0.5,output=2 ($/Mtok)")
        prices[name] = value
    if not sum(prices.values()) > 0:
        raise InputError("--sell: a price above 0 is needed, like input=0.5,output=2 ($/Mtok)")
    return Sale("your prices", prices.get("input", 0.0), prices.get("output", 0.0), "given by the user")


def at_prompt(found: PriceList, prompt: float) -> Sale:
    """Return the prices of a list for a prompt's length: crossing a step reprices the whole request.

    Parameters
    ----------
    found : PriceList
    prompt : float
        [tokens]

    Raises
    ------
    InputError
        When the prompt is longer than the list sells.
    """
    prices = found.input, found.output
    if found.edges:
        if prompt > found.edges[-1] and len(found.edges) == len(found.inputs):
            raise InputError(
                f"{found.name} takes prompts of at most {found.edges[-1]:,.0f} tokens; these have {prompt:,.0f}"
            )
        step = sum(prompt > e for e in found.edges[: len(found.inputs) - 1])
        prices = found.inputs[step], found.outputs[step]
    seller = f"{found.provider}/" if found.provider else ""
    many = f", median of {found.sellers} sellers" if found.sellers > 1 else ""
    return Sale(f"{seller}{found.name}{many}", *prices, found.source)
