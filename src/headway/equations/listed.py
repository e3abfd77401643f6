"""The list of equations, by id."""

from __future__ import annotations

from headway.equations import batch, beyond, context, prices, racks, training, whatif
from headway.equations.declared import Equation
from headway.errors import InputError, unknown, worded

# systems of the specification that no closed form answers, and what does
_ELSEWHERE = {
    "SYS-B2": ("a decode engine", "headway lab decode"), "SYS-B6": ("chunked prefill", "headway lab prefill"),
    "SYS-C1": ("an MoE layer", "headway lab experts"), "SYS-C3": ("expert parallelism at work", "headway lab dispatch"),
    "SYS-D6": ("advice on what to cut", "headway racks MODEL --on SYSTEM"), "SYS-E6": ("an RL loop", "headway lab rl"),
    "SYS-F6": ("a prompt cache at work", "headway cache"), "SYS-G2": ("an avalanche probe", "headway lab avalanche"),
    "SYS-G3": ("reversible training at work", "headway lab reversible"), "SYS-H1": ("an integrated server", "headway lab engine"),
    "SYS-H2": ("practice questions", "headway learn"), "SYS-H3": ("the register of contradictions", "headway catalog claims"),
    "SYS-H6": ("every headline at once", "headway lecture"),
    "SYS-I1": ("cost at the load there is", "headway cost MODEL --on SYSTEM --against load"),
    "SYS-I2": ("trains that wait for riders", "headway trains MODEL --on SYSTEM --rate 1/s"),
    "SYS-I3": ("classes of speed", "headway simulate MODEL --on SYSTEM --tiers"),
    "SYS-I4": ("the knee of one's own endpoint", "headway measure URL"),
    "SYS-I5": ("a cap on spending", "headway bill --usage FILE --cap 100"),
    "SYS-I6": ("what a batch tier is worth", "headway tiers MODEL --on SYSTEM --fill poisson:5/s"),
    "SYS-I7": ("hosted models under rate limits", "headway choose"),
    "SYS-I8": ("padded against continuous batching", "headway simulate MODEL --on SYSTEM --policy static"),
    "SYS-I9": ("the least cost of a life", "headway lifetime MODEL --on SYSTEM --tokens 15T --demand 100T"),
    "SYS-I10": ("the lesson as one file", "headway lecture --markdown"), "SYS-I11": ("entries of the register", "headway catalog claims"),
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
            raise InputError(f"{system} ({what}) is no closed form; `{verb}` answers it")
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
