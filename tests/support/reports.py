"""A stored quality report with something in every part that pages show, and ways to read parts of one."""

from typing import Any

from app.datasets.checks.report import Report

FULL: dict[str, Any] = {
    "waterfall": [
        {"step": "uploaded", "label": "rows uploaded", "count": 100, "dropped": 0, "status": ""},
        {"step": "valid", "label": "could be read", "count": 98, "dropped": 2, "status": "fault"},
        {"step": "unique", "label": "ask something different", "count": 98, "dropped": 0, "status": "duplicate"},
        {"step": "later", "label": "a step of a later check", "count": 95, "dropped": 3, "status": "unheard_of"},
        {"step": "not_in_test", "label": "not in the test file", "count": 90, "dropped": 5, "status": "leak"},
        {"step": "usable", "label": "usable", "count": 70, "dropped": 20, "status": "usable"},
    ],
    "split": {"train": 60, "dev": 10, "test": 20, "usable": 70, "own_test": False},
    "counts": {"contradiction": 4, "leak": 5, "leaks": 3},
    "lengths": {
        "unit": "tokens", "median": 10, "p95": 90, "longest": 2000, "limit": 1024, "over": 3,
        "of": "usable", "rows": 93,
        "histogram": [
            {"from": 0, "to": 1024, "rows": 90}, {"from": 1025, "to": 2000, "rows": 0},
            {"from": 2001, "to": 3000, "rows": 3},
        ],
    },
    "labels": [{"label": f"label {n}", "rows": 40 - 2 * n} for n in range(20)],
    "clusters": {"count": 13, "sizes": [{"size": n, "clusters": 13 - n, "rows": n * (13 - n)} for n in range(2, 13)]},
    "remarks": [{"kind": "refusal", "rows": 60, "lines": [4, 2, 4], "text": "The answer declines."}],
    "identifiers": {"rows": 3, "kinds": [{"kind": "e-mail address", "rows": 3, "lines": [1, 2, 3]}], "decided": None},
    "messages": [
        {"line": 3, "field": "", "text": "It is broken.", "level": "error", "file": 0},
        {"line": 3, "field": "", "text": "It is odd.", "level": "warning", "file": 1},
        {"line": None, "field": "", "text": "All of it.", "level": "error", "file": 0},
    ],
}  # fmt: skip
REPORT = Report.from_json(FULL)


def report_with(**parts: Any) -> Report:
    """The report of which nothing but these parts was stored."""
    return Report.from_json(parts)
