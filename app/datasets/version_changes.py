"""Versions beside each other: what differs between two, with the rows themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.blobs import Blobs
from app.datasets import store, versions
from app.datasets.tables import DatasetRow, ExampleRow
from app.errors import Conflict, NotFound

# ---------------------------------------------------------------------- versions beside each other
Pair = tuple[ExampleRow | None, ExampleRow | None]


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs from `before`. counts: of every kind; rows: some of each kind that was asked for, as (new, old)."""

    before: DatasetRow
    counts: Mapping[str, int]
    rows: Mapping[str, Sequence[Pair]]


def changes_since(
    session: Session,
    blobs: Blobs,
    row: DatasetRow,
    *,
    since: int | None = None,
    kinds: Sequence[str] = versions.KINDS,
    skip: int = 0,
    limit: int = 25,
) -> Changes | None:
    """What changed since another version: that of the number `since`, else the last usable one before.

    None where there is none to compare with. kinds: of which rows are wanted, `limit` of each after `skip`.

    Raises:
        NotFound: there is no version with this number.
        Conflict: one of the two has no checked rows.
    """
    before = store.before(session, row) if since is None else store.version(session, row.assessment_id, since)
    if before is None:
        if since is None:
            return None
        raise NotFound("There is no version with this number.")
    for version in (row, before):
        if version.rows_sha256 is None:
            raise Conflict(f"Version {version.version} has no checked rows to compare.")
    old, new = (index_of(blobs, version.report.index_sha256, version.rows_sha256) for version in (before, row))
    difference = versions.compare(old, new)
    listed = {kind: difference.listed(kind, skip, limit) for kind in kinds}
    rows = store.by_ids(session, {row_id for pairs in listed.values() for pair in pairs for row_id in pair if row_id})
    return Changes(
        before,
        difference.counts(),
        {kind: [(rows.get(mine), rows.get(theirs)) for mine, theirs in pairs] for kind, pairs in listed.items()},
    )


def index_of(blobs: Blobs, index_sha256: str | None, rows_sha256: str | None) -> versions.Index:
    """What a version is compared by; versions checked before there were indexes are read from their rows."""
    if index_sha256:
        with blobs.open(index_sha256) as file:
            return versions.Index.load(file.read())
    if rows_sha256 is None:
        return versions.Index.of_lines(())
    with blobs.open(rows_sha256) as lines:
        return versions.Index.of_lines(lines)
