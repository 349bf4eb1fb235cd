"""The addresses of the rows that a number of the report counts: every number leads to them."""

from collections.abc import Mapping
from urllib.parse import urlencode

from app.datasets.checks.report_parts import LengthReport

Query = Mapping[str, str | int | None]
"""Filters by name; what is empty or None narrows nothing."""


def rows_url(rows: str, **only: str | int | None) -> str:
    """The address of the rows that a number counts. rows: of all rows of the version."""
    set_filters = {name: value for name, value in only.items() if value not in (None, "")}
    return f"{rows}?{urlencode(set_filters)}" if set_filters else rows


def of_lengths(lengths: LengthReport, least: int, most: int | None = None) -> Query:
    """What to ask the rows for: so long, and of those that the chart counts."""
    return {"status": "usable" if lengths.of == "usable" else "", "size_from": least, "size_to": most}


def too_long(lengths: LengthReport, rows: str) -> str:
    """The address of the rows that would be cut; empty where the table does not carry lengths."""
    if not lengths.of or not lengths.over or lengths.limit is None:
        return ""
    return rows_url(rows, **of_lengths(lengths, lengths.limit + 1))
