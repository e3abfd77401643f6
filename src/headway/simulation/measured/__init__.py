"""What real engines did: logs of requests with their measured times, as runs that can be replayed."""

from headway.simulation.measured.logs import read_log, read_logs
from headway.simulation.measured.runs import Run

__all__ = ["Run", "read_log", "read_logs"]
