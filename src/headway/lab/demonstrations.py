"""Systems of the lecture by name: what may be asked of each, and the modules that run them."""

from __future__ import annotations

import importlib
from typing import Any

from headway.errors import InputError, unknown
from headway.lab.findings import Demonstration
from headway.lab.listing import SYSTEMS

_OF_AUDIT = ("layout", "leave-out")


def demonstrate(name: str, model: str = "", **options: Any) -> Demonstration:
    """Run a system by its name or id.

    Parameters
    ----------
    name : str
        ``decode``, ``experts``, ...; or SYS-B2, B2, ...
    model : str
        "" takes the system's own choice.
    options
        What else is asked, by the verb's options; one that is None is not asked.

    Raises
    ------
    InputError
        When the lab does not have it, or the system does not take what is asked of it.
    """
    key = name.lower().removeprefix("sys-")
    found = next((s for s in SYSTEMS if key in (s.name, s.number.removeprefix("SYS-").lower())), None)
    names = [s.name for s in SYSTEMS]
    if found is None:
        raise unknown("system of the lab", name, names, f"It has: audit, {', '.join(names)}.")
    asked = {k: v for k, v in options.items() if v is not None}
    for option in asked:
        if option not in found.takes:
            takers = [*(["audit"] if option in _OF_AUDIT else []), *(s.name for s in SYSTEMS if option in s.takes)]
            raise InputError(f"--{option}: belongs to `headway lab {' or '.join(takers)}`")
    if model and not found.model:
        raise InputError(f"{found.name}: runs no network of a model; leave {model} out")
    module, function = found.home.split(":")
    given = (model or found.model,) if found.model else ()
    return getattr(importlib.import_module(f"headway.lab.{module}"), function)(*given, **asked)
