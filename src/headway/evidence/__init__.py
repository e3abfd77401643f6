"""Evidence: tables of measurements, their traps, and the case that each row states."""

from headway.evidence.cases import case_of
from headway.evidence.measurements import (
    COLUMNS,
    MEASURES,
    NEEDED,
    Measurement,
    measurement,
    read,
    read_file,
    read_rows,
    shipped,
    table,
)
from headway.evidence.tabular import FAULT, Table, read_mappings, read_table

__all__ = [
    "COLUMNS",
    "FAULT",
    "MEASURES",
    "NEEDED",
    "Measurement",
    "Table",
    "case_of",
    "measurement",
    "read",
    "read_file",
    "read_mappings",
    "read_rows",
    "read_table",
    "shipped",
    "table",
]
