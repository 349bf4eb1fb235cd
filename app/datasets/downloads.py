"""Downloads of a version: its rows in a form, and the manifest of its split."""

from collections.abc import Iterator

from fastapi import Response

from app.datasets import exporting
from app.errors import Conflict
from app.uploads.receive import attachment, download
from app.web.context import AppContext


def export(app: AppContext, dataset_id: int, rows_sha256: str | None, form: exporting.Form, part: str) -> Response:
    """The used rows of a version in a form, as an attachment.

    Raises:
        Conflict: there are none yet.
    """
    if rows_sha256 is None:
        raise Conflict("This version has not been checked yet.")
    name = f"dataset-{dataset_id}-{form}{f'-{part}' if part else ''}.jsonl"
    if form == "rows" and not part:
        return download(app, rows_sha256, name)  # byte for byte what its hash names

    def lines() -> Iterator[bytes]:
        with app.blobs.open(rows_sha256) as rows:
            yield from exporting.lines(form, rows, part)

    return attachment(lines(), name)


def manifest(app: AppContext, dataset_id: int, split_sha256: str | None) -> Response:
    """The manifest of a split, byte for byte what its hash names.

    Raises:
        Conflict: there is none yet.
    """
    if split_sha256 is None:
        raise Conflict("This version has not been checked yet.")
    return download(app, split_sha256, f"dataset-{dataset_id}-split.jsonl")
