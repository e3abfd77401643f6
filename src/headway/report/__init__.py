"""What is printed: plans, searches, racks, drafting, the lecture's headlines, and where numbers came from. Text only."""

from headway.report.lecture import lecture_text
from headway.report.plans import comparison_text, curve_text, plan_text, sections, width
from headway.report.racks import racks_text
from headway.report.searches import grid_text, search_text
from headway.report.speculation import speculation_text
from headway.report.why import search_why_rows, search_why_text, why_rows, why_text

__all__ = [
    "comparison_text",
    "curve_text",
    "grid_text",
    "lecture_text",
    "plan_text",
    "racks_text",
    "search_text",
    "search_why_rows",
    "search_why_text",
    "sections",
    "speculation_text",
    "why_rows",
    "why_text",
    "width",
]
