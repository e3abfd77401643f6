"""Traffic: who asks what and when; drawn from processes, or replayed from files and the catalogue's traces."""

from headway.simulate.traffic.arrivals import Constant, Gamma, Poisson, Process, Weibull, weibull_cv, weibull_shape
from headway.simulate.traffic.changing import Diurnal, OnOff
from headway.simulate.traffic.chats import Chats
from headway.simulate.traffic.files import read
from headway.simulate.traffic.lengths import Empirical, Fixed, Lengths, LogNormal, Uniform, lengths, spread
from headway.simulate.traffic.named import Options, traffic
from headway.simulate.traffic.sessions import ClosedLoop, Sessions, agent_loops, conversations
from headway.simulate.traffic.shipped import shipped, trace_names
from headway.simulate.traffic.sizes import Independent, Observed, Sizes
from headway.simulate.traffic.slices import between, first
from headway.simulate.traffic.specs import EXAMPLES
from headway.simulate.traffic.traces import Trace

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
