"""Answers as plain data, for ``--json``, ``--csv`` and charts: stable names, SI units, names that end in the unit."""

from headway.records.drafting import drafting_record, drafting_rows
from headway.records.plans import curve_rows, plan_record
from headway.records.racks import racks_record
from headway.records.searches import dots, search_record, search_rows

__all__ = [
    "curve_rows",
    "dots",
    "drafting_record",
    "drafting_rows",
    "plan_record",
    "racks_record",
    "search_record",
    "search_rows",
]
