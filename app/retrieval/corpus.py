"""The documents of an assessment as retrieval sees them: their texts with values hidden that nobody decided to keep."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.blobs import Blobs
from app.documents import store
from app.documents.tables import DocumentFileRow, DocumentRow
from app.privacy import decisions, masking
from app.privacy.decisions import KEEP_AS_IS
from app.privacy.masking import UNMASKED, Masker


@dataclass(frozen=True, slots=True)
class Source:
    """A document that is searched. masker: what hides values of its text."""

    id: int
    kind: str
    title: str
    text_sha256: str
    characters: int
    masker: Masker

    def text(self, blobs: Blobs, most: int | None = None) -> str:
        """The text as it may be read; the whole of it, or its first characters.

        Raises:
            Damaged: it is missing.
        """
        with blobs.open(self.text_sha256) as file:
            if most is None:
                return self.masker.text(file.read().decode())
            # Hidden before it is cut, with enough behind the cut that a value is whole.
            return self.masker.text(file.read(4 * most + 40_000).decode("utf-8", "ignore"))[:most]


def digest(session: Session, assessment_id: int) -> str | None:
    """What the corpus is now, as one hash: its files, what was read from them, what is hidden in them.

    None while there is no document with a text.
    """
    return digests(session, [assessment_id]).get(assessment_id)


def digests(session: Session, assessment_ids: Collection[int]) -> dict[int, str]:
    """The same for several assessments in one query; those without a text are left out."""
    query = (
        select(DocumentFileRow, func.min(DocumentRow.id), func.max(DocumentRow.id), func.count())
        .join(DocumentRow, DocumentRow.file_id == DocumentFileRow.id)
        .where(
            DocumentFileRow.assessment_id.in_(sorted(assessment_ids)),
            DocumentFileRow.removed_at.is_(None),
            DocumentFileRow.state == "ready",
            DocumentRow.text_sha256.is_not(None),
        )
        .group_by(DocumentFileRow.id)
        .order_by(DocumentFileRow.id)
    )
    files: dict[int, list[object]] = {}
    for row, *numbers in session.execute(query):
        files.setdefault(row.assessment_id, []).append([row.id, row.blob_sha256, numbers, sorted(_kept(row))])
    return {assessment_id: hashlib.sha256(orjson.dumps(each)).hexdigest() for assessment_id, each in files.items()}


def _kept(file: DocumentFileRow) -> Iterable[str]:
    return decisions.kinds_with(KEEP_AS_IS, file.decisions)


def sources(session: Session, assessment_id: int) -> list[Source]:
    """Every document with a text, in the order of upload."""
    maskers = {row.id: masking.masker(decisions.actions(row.decisions)) for row in store.files(session, assessment_id)}
    return [source_of(row, maskers[row.file_id]) for row in store.corpus(session, assessment_id)]


def source_of(row: DocumentRow, masker: Masker) -> Source:
    """A document with a text. masker: by the decisions on its file."""
    clean = row.private is not None and not row.private  # searched, and nothing was in it
    return Source(
        row.id, row.kind, row.title or row.name, row.text_sha256 or "", row.characters, UNMASKED if clean else masker
    )
