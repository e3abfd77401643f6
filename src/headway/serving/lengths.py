"""Lengths of a request: one load, whichever of prompt, output and context a question gives."""

from __future__ import annotations

from headway import units
from headway.catalog import default
from headway.errors import InputError
from headway.questions import Request


def lengths(request: Request, most: float) -> tuple[float, float]:
    """Return (prompt, output) of a request: one load, whichever of prompt, output and context is given. [tokens]

    Parameters
    ----------
    request : Request
    most : float
        The model's longest context. [tokens]

    Raises
    ------
    InputError
        When they contradict each other.

    Notes
    -----
    The context of decode is a sequence's mean length, prompt + output/2.
    """
    context, prompt, output = request.context, request.prompt, request.output
    if prompt is not None:
        if context is not None and context < prompt:
            raise InputError(
                f"--context {context:,.0f} is shorter than --prompt {prompt:,.0f}: decode keeps the whole prompt"
            )
        if output is None:
            output = default("default_output") if context is None else 2 * (context - prompt)
        elif context is not None and abs(context - prompt - output / 2) > 0.5:
            raise InputError(
                f"--context {context:,.0f}: prompts of {prompt:,.0f} and answers of {units.some(output, 'token')} make a mean context of "
                f"{prompt + output / 2:,.0f}; give two of the three"
            )
    else:
        context = min(default("default_context"), most) if context is None else max(context, 1.0)
        if output is None:
            output = min(default("default_output"), max(2 * (context - 1), 1.0))
        prompt = context - output / 2
        if prompt < 0.5:
            raise InputError(
                f"--context {context:,.0f} leaves no prompt before half of an answer of {units.some(output, 'token')}; "
                "give --prompt instead"
            )
        prompt = max(prompt, 1.0)
    if prompt < 0 or output < 0 or prompt + output < 1:
        raise InputError(f"--prompt {prompt:g} and --output {output:g} must be at least 1 token together")
    return prompt, output
