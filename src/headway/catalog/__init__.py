"""Facts as data files (CSV, JSON), with source and date per row, and their one loader. No fact lives in code."""

from headway.catalog.loader import (
    SHIPPED,
    Catalogue,
    Row,
    Table,
    catalogue,
    default,
    normal,
    read_csv,
    use,
    user_folder,
    using,
)
from headway.catalog.schema import column, describe, from_row

__all__ = [
    "SHIPPED",
    "Catalogue",
    "Row",
    "Table",
    "catalogue",
    "column",
    "default",
    "describe",
    "from_row",
    "normal",
    "read_csv",
    "use",
    "user_folder",
    "using",
]
