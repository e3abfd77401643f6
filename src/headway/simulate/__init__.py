"""Traffic through an engine: arrivals, the loop of passes, schedulers, results."""

from headway.simulate.requests import Requests

__all__ = ["Requests"]
