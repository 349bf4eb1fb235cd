"""Words for what a report counts, with their plurals."""

from app.datasets.checks.report import Report
from app.datasets.reading import encodings

# Words for kinds of remarks and of personal data; a kind that is not here is shown as it is, without underscores.
KINDS = {
    "error": "errors",
    "warning": "warnings",
    "note": "notes",
    "refusal": "the answer is a refusal",
    "placeholder": "a placeholder was never filled in",
    "repeat": "repetitive (degenerate) text",
    "echo": "the answer repeats the question",
    "cut": "the answer stops in the middle of a sentence",
    "dated": "the answer speaks of a model's last update",
    "other_language": "answered in another language than asked",
    "identifiers": "personal data or secrets",
}


def word(kind: str) -> str:
    """The words for a kind of remark or of personal data."""
    return KINDS.get(kind, kind.replace("_", " "))


def encoding(report: Report) -> str:
    """How the letters of the file were read, in words; empty for plain UTF-8, and for what is no text."""
    if report.layout == "Parquet" or report.encoding in ("", encodings.UTF_8):
        return ""
    chosen = report.encoding == report.read_as.get("encoding", "")
    return f"read as {encodings.title(report.encoding)}{', as chosen' if chosen else ''}"
