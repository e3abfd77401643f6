"""Traffic through an engine: arrivals, the loop of passes, schedulers, results."""

from headway.simulate.requests import Requests
from headway.simulate.trains import Trains, run_continuous, run_held, run_timetable

__all__ = ["Requests", "Trains", "run_continuous", "run_held", "run_timetable"]
