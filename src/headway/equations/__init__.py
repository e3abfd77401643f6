"""Every closed form of the lecture by its id, evaluated with one's own numbers by the library's own functions."""

from headway.equations.asked import Asked, ask
from headway.equations.declared import SAID, Equation, Parameter, Result
from headway.equations.listed import equations, find, namesake

__all__ = ["SAID", "Asked", "Equation", "Parameter", "Result", "ask", "equations", "find", "namesake"]
