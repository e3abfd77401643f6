"""What can be asked: every field's unit, meaning and bounds, once. Options, grids, tables' schema and documents come from here.

Nothing here imports NumPy: the command line's help is made of it.
"""

from headway.questions.fields import AUTO, ENGINE, FIELDS, Field, LoadKind, asked, fields_of, option_of, parsed, schema
from headway.questions.request import Query, Request, chips_of, decoded

__all__ = [
    "AUTO",
    "ENGINE",
    "FIELDS",
    "Field",
    "LoadKind",
    "Query",
    "Request",
    "asked",
    "chips_of",
    "decoded",
    "fields_of",
    "option_of",
    "parsed",
    "schema",
]
