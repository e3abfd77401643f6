"""The run-time type checker of the tests: whole numbers count as floats, as everywhere in Python."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
