"""Traffic: who asks what and when; drawn from processes, or replayed from files and the catalogue's traces."""

from headway.simulation.traffic.arrivals import Constant, Gamma, Poisson, Process, Weibull, weibull_cv, weibull_shape
from headway.simulation.traffic.changing import Diurnal, OnOff
from headway.simulation.traffic.chats import Chats
from headway.simulation.traffic.files import read
from headway.simulation.traffic.lengths import Empirical, Fixed, Lengths, LogNormal, Uniform, lengths, spread
from headway.simulation.traffic.named import Options, traffic
from headway.simulation.traffic.sessions import ClosedLoop, Sessions, agent_loops, conversations
from headway.simulation.traffic.shipped import shipped, trace_names
from headway.simulation.traffic.sizes import Independent, Observed, Sizes
from headway.simulation.traffic.slices import between, first
from headway.simulation.traffic.specs import EXAMPLES
from headway.simulation.traffic.traces import Trace

__all__ = [
    "EXAMPLES",
    "Chats",
    "ClosedLoop",
    "Constant",
    "Diurnal",
    "Empirical",
    "Fixed",
    "Gamma",
    "Independent",
    "Lengths",
    "LogNormal",
    "Observed",
    "OnOff",
    "Options",
    "Poisson",
    "Process",
    "Sessions",
    "Sizes",
    "Trace",
    "Uniform",
    "Weibull",
    "agent_loops",
    "between",
    "conversations",
    "first",
    "lengths",
    "read",
    "shipped",
    "spread",
    "trace_names",
    "traffic",
    "weibull_cv",
    "weibull_shape",
]
