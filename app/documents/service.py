"""What people do with documents: add them, take them out; and what the criteria read of them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import orjson
from sqlalchemy.orm import Session

from app.advice.evidence import Evidence
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.blobs import Blob, Blobs
from app.datasets import store as dataset_store
from app.db import utcnow
from app.documents import leaks, privacy, store
from app.documents.tables import DocumentFileRow, DocumentRow
from app.errors import Conflict, FieldError, Invalid
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.privacy import decisions, masking
from app.privacy.decisions import KEEP_AS_IS, MASK, Decision
from app.uploads.multipart import display_name
from app.users.tables import UserRow

MOST_FILES = 1000  # of one assessment: a folder's worth; more come as a zip


def add(
    session: Session, assessment_id: int, by: UserRow, files: Sequence[tuple[Blob, str]]
) -> Sequence[DocumentFileRow]:
    """Take stored files into the corpus and put their reading in line, both or neither.

    Raises:
        NotFound: there is no such assessment.
        Invalid: no file came, or there would be too many.
    """
    assessment = assessment_store.opened(session, assessment_id)
    if not files:
        raise Invalid("No document came with the form.", [FieldError("#/documents", "Choose files with text in them.")])
    if len(store.files(session, assessment_id)) + len(files) > MOST_FILES:
        text = f"One assessment takes up to {MOST_FILES:,} files. Pack them into a zip; it counts as one."
        raise Invalid("Nothing was added.", [FieldError("#/documents", text)])
    now = utcnow()
    rows = [
        DocumentFileRow(
            assessment_id=assessment_id,
            batch=0,
            filename=display_name(name),
            bytes=blob.size,
            blob_sha256=blob.sha256,
            uploaded_by=by.id,
            uploaded_at=now,
        )
        for blob, name in files
    ]
    session.add_all(rows)
    session.flush()
    for row in rows:
        row.batch = rows[0].id
    what = rows[0].filename if len(rows) == 1 else f"{len(rows):,} files"
    assessments.contribute(session, assessment, by, f"documents: {what}")
    detail = {"assessment": assessment_id, "files": [[row.filename, row.blob_sha256] for row in rows[:50]]}
    audit.record(session, by, "documents.add", "documents", rows[0].id, detail | {"count": len(rows)})
    _read(session, rows[0], by, what)
    return rows


def read_again(session: Session, file_id: int, by: UserRow) -> JobRow:
    """Go on with a reading that was cancelled or failed.

    Raises:
        Conflict: the file was read, or its reading is under way.
    """
    row = _held(session, file_id)
    if row.state != "reading" or row.removed_at is not None:
        raise Conflict("This file has been read.")
    return _read(session, store.file(session, row.batch), by, row.filename)


def _held(session: Session, file_id: int) -> DocumentFileRow:
    """The file, with its assessment locked until the end of the transaction."""
    assessment_store.opened(session, store.file(session, file_id).assessment_id)
    row = store.file(session, file_id)
    session.refresh(row)  # somebody may have changed it while we waited for the lock
    return row


def _read(session: Session, first: DocumentFileRow, by: UserRow, what: str) -> JobRow:
    title = f"Read {what}"[:200]
    return jobs.add(session, "read", first.id, by.id, assessment_id=first.assessment_id, title=title)


def remove(session: Session, file_id: int, by: UserRow) -> DocumentFileRow:
    """Take a file out of the corpus. Its texts stay readable; removing it twice changes nothing."""
    row = _held(session, file_id)
    if row.removed_at is None:
        assessment = assessment_store.get(session, row.assessment_id)
        row.removed_at, row.removed_by = utcnow(), by.id
        assessments.contribute(session, assessment, by, f"documents: {row.filename} taken out")
        detail = {"assessment": row.assessment_id, "file": row.filename, "sha256": row.blob_sha256}
        audit.record(session, by, "documents.remove", "documents", row.id, detail)
    return row


def job_of(session: Session, assessment_id: int) -> JobRow | None:
    """The reading that is under way, or the last one of files that are still unread."""
    waiting = [row for row in store.files(session, assessment_id) if row.state == "reading"]
    return job_store.latest(session, "read", waiting[0].batch) if waiting else None


def reading_of(session: Session, row: DocumentFileRow) -> JobRow | None:
    """The last job that read this file, together with those that came with it."""
    alone = job_store.latest(session, "read", row.id)
    return alone or job_store.latest(session, "read", row.batch)


def measured(session: Session, assessment_id: int) -> Evidence:
    """The size of the reference text (factor F05); None while there is none, or it is still being read.

    Personal data that nobody has decided on counts against the whole assessment (G10), in documents as in rows.
    """
    size = store.size(session, assessment_id)
    return Evidence(
        identifiers_decided=False if size.undecided else None,
        corpus_tokens=size.tokens if size.documents and not size.reading else None,
    )


def decide(
    session: Session, file_id: int, by: UserRow, choices: Mapping[str, str], reason: str = ""
) -> DocumentFileRow:
    """Decide what becomes of each kind of personal data in a file: mask it, or keep it as it is.

    A file that is to be left out is taken out. Masking, and taking a mask back, reads the stored file once more.

    Raises:
        Conflict: the file is being read, or was taken out.
        Invalid: nothing was decided, a kind that was not found, an unknown action, or no reason for keeping.
    """
    row = _held(session, file_id)
    if row.state != "ready" or row.removed_at is not None:
        raise Conflict("This file is not read, or no part of the documents any more.")
    reason = " ".join(reason.split())[:500]
    _see_that_it_can_be_decided(choices, {held_kind["kind"] for held_kind in row.private or ()}, reason, "this file")
    reread = _decided(row, by, choices, reason)
    assessment = assessment_store.get(session, row.assessment_id)
    assessments.contribute(session, assessment, by, f"decision on personal data in {row.filename}")
    detail = {"assessment": row.assessment_id, "file": row.filename, "decisions": dict(choices)}
    audit.record(session, by, "documents.decide", "documents", row.id, detail)
    if reread:
        session.flush()
        _read(session, store.file(session, row.batch), by, row.filename)
    return row


def decide_all(
    session: Session, assessment_id: int, by: UserRow, choices: Mapping[str, str], reason: str = ""
) -> Sequence[DocumentFileRow]:
    """Decide once for all files that hold a kind and on which nobody has decided; where there is none, for all.

    So a mask that somebody chose for one file is not undone by what is said about the others. Files that are still
    being read are left to be decided later.

    Raises:
        NotFound: there is no such assessment.
        Conflict: files that came with one of these are still being read.
        Invalid: nothing was decided, a kind that was not found, an unknown action, or no reason for keeping.
    """
    assessment = assessment_store.opened(session, assessment_id)
    files = {row.id: row for row in store.files(session, assessment_id)}
    for row in files.values():
        session.refresh(row)  # somebody may have changed it while we waited for the lock
    held_kinds = {one.kind: one for one in privacy.by_kind(files.items())}
    reason = " ".join(reason.split())[:500]
    _see_that_it_can_be_decided(choices, held_kinds.keys(), reason, "these documents")
    chosen: dict[int, dict[str, str]] = {}
    for kind, action in choices.items():
        for file_id in held_kinds[kind].concerned:
            chosen.setdefault(file_id, {})[kind] = action
    changed = [files[file_id] for file_id in sorted(chosen)]
    unread = [row for row in changed if _decided(row, by, chosen[row.id], reason)]
    number = f"{len(changed):,} {'file' if len(changed) == 1 else 'files'}"
    assessments.contribute(session, assessment, by, f"decision on personal data in {number}")
    detail = {
        "assessment": assessment_id,
        "files": [row.filename for row in changed[:50]],
        "count": len(changed),
        "decisions": dict(choices),
    }
    audit.record(session, by, "documents.decide", "documents", changed[0].id, detail)
    session.flush()
    for batch, rows in groupby(sorted(unread, key=lambda row: row.batch), key=lambda row: row.batch):
        names = [row.filename for row in rows]
        what = names[0] if len(names) == 1 else f"{len(names):,} files"
        _read(session, store.file(session, batch), by, what)
    return changed


def _see_that_it_can_be_decided(choices: Mapping[str, str], kinds: Collection[str], reason: str, where: str) -> None:
    if not choices:
        raise Invalid("Nothing was decided.", [FieldError("#/decisions", "Choose what to do with at least one kind.")])
    if not choices.keys() <= set(kinds) or not set(choices.values()) <= {MASK, KEEP_AS_IS}:
        text = f"Choose to mask or to keep a kind that was found in {where}."
        raise Invalid("This can't be decided like that.", [FieldError("#/decisions", text)])
    if KEEP_AS_IS in choices.values() and not reason:
        raise Invalid(
            "This can't be decided like that.", [FieldError("#/reason", "Say why they may be kept as they are.")]
        )


def _decided(row: DocumentFileRow, by: UserRow, choices: Mapping[str, str], reason: str) -> bool:
    """Note the decisions on the file; whether it has to be read once more for them."""
    at = utcnow().isoformat(timespec="seconds")
    masked_before = decisions.kinds_with(MASK, row.decisions)
    row.decisions = {
        **row.decisions,
        **{
            kind: Decision(action, reason if action == KEEP_AS_IS else "", by.id, at)
            for kind, action in choices.items()
        },
    }
    row.undecided = len(privacy.undecided(row.private, row.decisions))
    reread = masked_before != decisions.kinds_with(MASK, row.decisions)
    if reread:
        row.state = "reading"
    return reread


def note_opened(session: Session, document_id: int, by: UserRow) -> None:
    """Put on record that somebody looks at the hidden values of a document. What they are is not."""
    row, file = store.document(session, document_id)
    detail = {"assessment": file.assessment_id, "file": file.filename, "document": row.id, "name": row.name}
    audit.record(session, by, "documents.open", "documents", file.id, detail)


def to_export(session: Session, assessment_id: int) -> None:
    """See that the texts may leave.

    Raises:
        Conflict: they hold personal data that nobody has decided on.
    """
    if store.size(session, assessment_id).undecided:
        raise Conflict(
            "Nobody has decided yet about the personal data in these documents. Decide first, then download."
        )


def read_ahead(session: Session, assessment_ids: Sequence[int]) -> None:
    """Find what `measured` looks at for many assessments in one query, for a list that asks for each next."""
    store.read_ahead(session, assessment_ids)


def exported(session: Session, blobs: Blobs, assessment_id: int) -> Iterator[bytes]:
    """Every text of the corpus as a line of JSON. What is in it is decided now, the texts are read as they go out."""
    listed = [(row.id, row.title, row.name, row.text_sha256) for row in store.corpus(session, assessment_id)]
    return (_line(blobs, *document) for document in listed)


def _line(blobs: Blobs, document_id: int, title: str, source: str, sha256: str | None) -> bytes:
    text = _text(blobs, sha256)
    return orjson.dumps({"id": document_id, "title": title, "source": source, "text": text}) + b"\n"


EXCERPT_CHARACTERS = 100_000  # characters of a text where one looks at it; the whole is a download


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The beginning of a text as it may be read, and whether there is more of it. hides: whether values are hidden."""

    text: str
    cut: bool
    hides: bool = False


def look_at(blobs: Blobs, row: DocumentRow, file: DocumentFileRow, *, unmasked: bool = False) -> Excerpt:
    """A document's text, its values hidden until somebody decides on them. unmasked: for whoever is on record."""
    if not row.text_sha256:
        return Excerpt("", cut=False)
    with blobs.open(row.text_sha256) as stored:
        # Hidden before it is cut, with enough behind the cut that a value is whole.
        whole = stored.read(4 * EXCERPT_CHARACTERS + 40_000).decode("utf-8", "ignore")
    masker = masking.UNMASKED if unmasked else masking.masker(decisions.actions(file.decisions))
    masked = masker.text(whole)
    text = masked[:EXCERPT_CHARACTERS]
    cut = len(whole) < row.characters or len(text) == EXCERPT_CHARACTERS
    return Excerpt(text, cut, hides=masked != whole)


MOST_CHARACTERS = 20_000_000  # of the corpus that is searched for test questions: a few seconds


@dataclass(frozen=True, slots=True)
class LeakedQuestion:
    """A test row whose question stands in a document. file: 1 for the own test file. answered: so does its answer."""

    line: int
    file: int
    question: str
    answer: str
    document_id: int
    title: str
    share: float
    answered: bool


@dataclass(frozen=True, slots=True)
class Search:
    """Test questions that stand in the documents; how many there were, and whether all documents were searched.

    dataset_id: whose test rows they are, if any. leaked: the rows whose questions stand in a document.
    """

    dataset_id: int | None
    leaked: list[LeakedQuestion]
    questions: int
    documents: int
    whole: bool


def test_rows_in_documents(session: Session, blobs: Blobs, assessment_id: int) -> Search:
    """Look for the test questions in the corpus as it is now."""
    dataset = dataset_store.current(session, assessment_id)
    rows = dataset_store.rows(session, dataset.id, "test") if dataset and dataset.state == "ready" else []
    own_test = int(dataset is not None and dataset.test_blob_sha256 is not None)
    listed, size, whole = [], 0, True
    for row in store.corpus(session, assessment_id):
        size += row.characters
        if size > MOST_CHARACTERS:
            whole = False
            break
        listed.append((row.id, row.title or row.name, row.text_sha256))
    pairs = [(row.messages[-1].content, row.target) for row in rows]
    masker = masking.masker(decisions.actions(dataset.decisions) if dataset else {})
    texts = (_text(blobs, sha256) for _, _, sha256 in listed)
    standings = [
        LeakedQuestion(
            rows[leak.question].line,
            own_test,
            masker.text(pairs[leak.question][0]),
            masker.text(pairs[leak.question][1]),
            listed[leak.document][0],
            listed[leak.document][1],
            leak.share,
            leak.answered,
        )
        for leak in leaks.find(pairs, texts)
    ]
    return Search(dataset.id if dataset else None, standings, len(rows), len(listed), whole)


def _text(blobs: Blobs, sha256: str | None) -> str:
    with blobs.open(sha256 or "") as file:
        return file.read().decode()
