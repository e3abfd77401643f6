"""Charts as data: pure functions that return Vega-Lite specifications, and one writer (the ``[plots]`` extra)."""

from headway.figures.break_even import break_even_figure
from headway.figures.capacities import capacity_figure
from headway.figures.costs import costs_figure
from headway.figures.curves import against_measured, comparison_figure, curve_figure
from headway.figures.engine import engine_figure
from headway.figures.equations import asked_figure
from headway.figures.fleets import fleet_figure
from headway.figures.gantt import gantt, racks_figure
from headway.figures.holding import holding_figure
from headway.figures.inferences import calibration_figure, inference_figure
from headway.figures.lab import audit_figure, lab_figure
from headway.figures.lifetimes import lifetime_figure
from headway.figures.measured import measured_figure
from headway.figures.predictions import predictions_figure
from headway.figures.prompt_cache import cache_figure
from headway.figures.reinforcement import loop_figure
from headway.figures.searches import search_figure
from headway.figures.simulations import simulation_figure
from headway.figures.style import FORMATS, Spec, check, write_figure
from headway.figures.terms import terms_figure
from headway.figures.tiers import tiers_figure
from headway.figures.training import training_figure
from headway.figures.trains import trains_figure

__all__ = [
    "FORMATS",
    "Spec",
    "against_measured",
    "asked_figure",
    "audit_figure",
    "break_even_figure",
    "cache_figure",
    "calibration_figure",
    "capacity_figure",
    "check",
    "comparison_figure",
    "costs_figure",
    "curve_figure",
    "engine_figure",
    "fleet_figure",
    "gantt",
    "holding_figure",
    "inference_figure",
    "lab_figure",
    "lifetime_figure",
    "loop_figure",
    "measured_figure",
    "predictions_figure",
    "racks_figure",
    "search_figure",
    "simulation_figure",
    "terms_figure",
    "tiers_figure",
    "training_figure",
    "trains_figure",
    "write_figure",
]
