"""Answers as plain data, for ``--json``, ``--csv`` and charts: stable names, SI units, names that end in the unit.

A file per verb; a verb imports only its own.
"""
