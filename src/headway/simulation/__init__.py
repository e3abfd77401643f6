"""Traffic through an engine: arrivals, the loop of passes, schedulers, results."""

from headway.simulation.requests import Requests
from headway.simulation.trains import Trains, run_continuous, run_held, run_timetable

__all__ = ["Requests", "Trains", "run_continuous", "run_held", "run_timetable"]
