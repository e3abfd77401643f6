"""The search: every feasible layout x batch x pool split, with intervals; the frontier, the best, and the cheapest fleet."""

from headway.search.answer import Option, SearchAnswer, Searched
from headway.search.find import STAGES, search_layouts
from headway.search.fleet import Fleet
from headway.search.frontier import frontier
from headway.search.space import Space, layouts, replica_sizes, space
from headway.search.split import AnswerPool, PromptPool
from headway.search.why import spent

__all__ = [
    "STAGES",
    "AnswerPool",
    "Fleet",
    "Option",
    "PromptPool",
    "SearchAnswer",
    "Searched",
    "Space",
    "frontier",
    "layouts",
    "replica_sizes",
    "search_layouts",
    "space",
    "spent",
]
