"""Grids: many models, systems and workloads, each cell a search of its own, on local processes or Ray, with a journal."""

from headway.grids.grid import Cell, read_grid, solve, summary
from headway.grids.journal import Journal
from headway.grids.runners import run_here, run_local, run_ray

__all__ = ["Cell", "Journal", "read_grid", "run_here", "run_local", "run_ray", "solve", "summary"]
