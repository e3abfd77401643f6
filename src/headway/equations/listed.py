"""The list of equations, by id."""

from __future__ import annotations

from headway.equations import batch, beyond, context, prices, racks, training, whatif
from headway.equations.declared import Equation
from headway.errors import InputError, unknown, worded

# systems of the specification that no closed form answers, and what does
_ELSEWHERE = {
    "SYS-B2": ("a decode engine", ""), "SYS-B6": ("chunked prefill", "headway simulate MODEL --on SYSTEM"),
    "SYS-C1": ("an MoE layer", "headway ask SYS-A10"), "SYS-C3": ("expert parallelism at work",
    "headway racks MODEL --on SYSTEM"),
    "SYS-D6": ("advice on what to cut", "headway racks MODEL --on SYSTEM"), "SYS-E6": ("an RL loop", "headway lab rl"),
    "SYS-F6": ("a prompt cache at work", "headway cache"), "SYS-G2": ("an avalanche probe", ""),
    "SYS-G3": ("reversible training at work", "headway ask SYS-G4"), "SYS-H1": ("an integrated server",
    "headway simulate MODEL --on SYSTEM"),
    "SYS-H2": ("practice questions", "headway learn"), "SYS-H3": ("the register of contradictions", "headway catalog claims"),
    "SYS-H6": ("every headline at once", "headway lecture"),
}  # fmt: skip


def equations() -> tuple[Equation, ...]:
    """Return every equation that can be asked, chapter by chapter."""
    rooms = (batch, context, racks, training, prices, beyond, whatif)
    return tuple(e for room in rooms for e in room.EQUATIONS)


def _keys() -> dict[str, Equation]:
    found = {_key(name): e for e in equations() for name in (e.id, *e.aliases)}
    for name, e in list(found.items()):  # A4 means SYS-A4; E1 is the equation, SYS-E1 the system
        found.setdefault(name.removeprefix("sys"), e)
    return found


def _key(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum() or c == ".")


def find(name: str) -> Equation:
    """Return the equation of that id: ``E5``, ``SYS-A4``, ``a4``, ``what-if``.

    Raises
    ------
    InputError
        When there is none; the message says what is near, or which verb answers.
    """
    keys = _keys()
    key = _key(worded(name, "an equation", "E5, SYS-A4"))
    if key in keys:
        return keys[key]
    for system, (what, verb) in _ELSEWHERE.items():
        if key in (_key(system), _key(system).removeprefix("sys")):
            then = f"`{verb}` answers it" if verb else "nothing here answers it"
            raise InputError(f"{system} ({what}) is no closed form; {then}")
    words = name.lower().replace("-", " ").split()
    titled = [e.id for e in equations() if words and all(w in f"{e.title} {e.section}".lower() for w in words)]
    if titled:
        raise InputError(f"no equation has the id {name!r}; by their titles: {', '.join(titled[:6])}")
    raise unknown("equation", name, [n for e in equations() for n in (e.id, *e.aliases)], "`headway ask` lists them.")


def namesake(e: Equation) -> str:
    """Return the id of the system that is called like this equation, or the other way round; "" for none."""
    other = e.id.removeprefix("SYS-") if e.id.startswith("SYS-") else f"SYS-{e.id}"
    found = _keys().get(_key(other))
    return other if found is not None and found is not e else ""
