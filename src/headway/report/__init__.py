"""What is printed: plans, searches, racks, the lecture's headlines, and where numbers came from. Text only."""

from headway.report.plans import comparison_text, lecture_text, plan_text, sections, why_rows, why_text, width
from headway.report.racks import racks_text
from headway.report.searches import search_text

__all__ = [
    "comparison_text",
    "lecture_text",
    "plan_text",
    "racks_text",
    "search_text",
    "sections",
    "why_rows",
    "why_text",
    "width",
]
