"""What people do with files of examples: upload them, read them in another way, have them checked, freeze, vouch."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.blobs import Blob
from app.datasets import store
from app.datasets.current_version import locked, why_overtaken
from app.datasets.reading import encodings
from app.datasets.reading.read_as import GUESS, REASONING, ReadAs
from app.datasets.reading.shapes import COLUMNS, SHAPES
from app.datasets.split_plan import DroppedTestFile, SplitPlan
from app.datasets.tables import DatasetRow
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.privacy.decisions import Decisions
from app.uploads.multipart import display_name
from app.users.tables import UserRow


@dataclass(frozen=True, slots=True)
class Uploaded:
    """Files that are in the content store, and what was said about them.

    how: how the file is to be read, where a person has said so. test: None keeps the test file of the version that
    counts, read as it was there, with the word on who checked its rows; drop_test: not even that, so that test rows are
    drawn from the examples. human_checked: the uploader's word on the test rows, None when nothing was said. It is
    taken over with the test file, and only with it: else that word was about other rows. decisions: about personal
    data; None takes over those of the version before. The word that values may stay as they are holds only if the check
    finds no other values (`job`). split_plan: None goes on with the way the version before was split.
    """

    file: Blob
    filename: str
    test: Blob | None = None
    test_filename: str = ""
    human_checked: bool | None = None
    how: ReadAs = GUESS
    decisions: Decisions | None = None
    split_plan: SplitPlan | None = None
    drop_test: bool = False


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the content store, under the name that it was sent with."""

    blob: Blob
    name: str


def upload(session: Session, assessment_id: int, by: UserRow, uploaded: Uploaded) -> DatasetRow:
    """Take stored files as the next version and put its check in line, both or neither.

    Raises:
        NotFound: there is no such assessment.
        Invalid: the file is empty.
    """
    assessment = assessment_store.opened(session, assessment_id)
    if not uploaded.file.size:
        raise Invalid("The file is empty.", [FieldError("#/file", "Choose a file with examples; this one is empty.")])
    last = store.newest(session, assessment_id)
    inherited = _with_inherited(uploaded, last, store.current(session, assessment_id))
    row = _new_row(session, assessment_id, by, inherited, last)
    session.add(row)
    session.flush()
    assessments.contribute(session, assessment, by, f"data, version {row.version}")
    detail = {"assessment": assessment_id, "version": row.version, "file": row.filename, "sha256": row.blob_sha256}
    if row.read_as != GUESS:
        detail["read_as"] = row.read_as.to_json()
    audit.record(session, by, "dataset.upload", "dataset", row.id, detail)
    _check(session, row, by)
    return row


def _with_inherited(uploaded: Uploaded, last: DatasetRow | None, current: DatasetRow | None) -> Uploaded:
    """The same with what is taken over from the versions before, where nothing was said about it."""
    decisions = uploaded.decisions
    if decisions is None:
        decisions = last.decisions if last else {}
    if uploaded.split_plan is not None:
        return replace(uploaded, decisions=decisions, split_plan=uploaded.split_plan.chosen_now())
    plan = last.split_plan.for_next_upload() if last else SplitPlan()
    if uploaded.test is not None or current is None or not current.test_blob_sha256:
        return replace(uploaded, decisions=decisions, split_plan=plan)
    if uploaded.drop_test:
        dropped = DroppedTestFile(current.test_filename, current.version)
        return replace(uploaded, decisions=decisions, split_plan=replace(plan, test_dropped=dropped))
    how = current.split_plan.test_read_as
    return replace(
        uploaded,
        decisions=decisions,
        split_plan=replace(plan, test_kept=current.version, test_read_as=current.read_as if how is None else how),
        test=Blob(current.test_blob_sha256, 0),
        test_filename=current.test_filename,
        human_checked=current.human_checked if uploaded.human_checked is None else uploaded.human_checked,
    )


def _new_row(
    session: Session, assessment_id: int, by: UserRow, uploaded: Uploaded, last: DatasetRow | None
) -> DatasetRow:
    test = uploaded.test
    return DatasetRow(
        assessment_id=assessment_id,
        version=last.version + 1 if last else 1,
        filename=display_name(uploaded.filename),
        bytes=uploaded.file.size,
        blob_sha256=uploaded.file.sha256,
        test_filename=display_name(uploaded.test_filename) if test else "",
        test_blob_sha256=test.sha256 if test else None,
        read_as=uploaded.how,
        kept_keys=sorted({kept.key for kept in store.kept_clusters(session, assessment_id)}),
        lengths_model_id=last.lengths_model_id if last else None,
        human_checked=uploaded.human_checked,
        decisions=uploaded.decisions,
        split_plan=uploaded.split_plan,
        uploaded_by=by.id,
        uploaded_at=utcnow(),
    )


@dataclass(frozen=True, slots=True)
class SentFiles:
    """What came with one request, from a page or from a program: examples, a test file, or both."""

    file: StoredFile | None = None
    test: StoredFile | None = None
    human_checked: bool | None = None
    drop_test: bool = False


def take(session: Session, assessment_id: int, by: UserRow, sent: SentFiles) -> DatasetRow:
    """Make a version of what was sent; a test file alone is added to the examples that are there.

    Raises:
        NotFound: there is no such assessment.
        Conflict: a test file came alone, and there are no examples.
        Invalid: nothing came, or an empty file.
    """
    test = sent.test
    if sent.file is None:
        if test is None:
            fault = FieldError("#/file", "Choose a file with examples, or paste some.")
            raise Invalid("No file came with the form.", [fault])
        return add_test(session, assessment_id, by, test.blob, test.name)
    uploaded = Uploaded(
        sent.file.blob,
        sent.file.name,
        test=test.blob if test else None,
        test_filename=test.name if test else "",
        human_checked=sent.human_checked,
        drop_test=sent.drop_test,
    )
    return upload(session, assessment_id, by, uploaded)


def add_test(session: Session, assessment_id: int, by: UserRow, test: Blob, filename: str) -> DatasetRow:
    """Take a test file of the team's own for the examples that are there: a new version of both.

    Raises:
        Conflict: no examples were uploaded yet.
        Invalid: the file is empty.
    """
    if test.size == 0:
        fault = FieldError("#/test", "Choose a file with test rows; this one is empty.")
        raise Invalid("The file is empty.", [fault])
    assessment_store.opened(session, assessment_id)
    last = store.current(session, assessment_id)
    if last is None or last.state == "rejected":
        raise Conflict("Upload the examples first, then the test file.")
    file = Blob(last.blob_sha256, last.bytes)
    return upload(
        session, assessment_id, by, Uploaded(file, last.filename, test=test, test_filename=filename, how=last.read_as)
    )


def reread(session: Session, dataset_id: int, by: UserRow, how: ReadAs) -> DatasetRow:
    """Take the files of a version once more, read in another way: a new version, checked from the start.

    Raises:
        Invalid: the choice names no known format, or lacks a column.
    """
    row = store.get(session, dataset_id)
    if faults := list(unreadable(how)):
        raise Invalid("The file can't be read like that.", faults)
    same_files = replace(_same_files(row), how=how, drop_test=not row.test_blob_sha256)
    return upload(session, row.assessment_id, by, same_files)


def unreadable(how: ReadAs) -> Iterator[FieldError]:
    """What a choice lacks, by field."""
    if how.shape and how.shape not in SHAPES:
        yield FieldError("#/shape", "Choose one of the formats in the list.")
    if how.encoding and how.encoding not in encodings.CHOICES:
        yield FieldError("#/encoding", f"Choose one of {', '.join(encodings.CHOICES)}; empty is UTF-8.")
    if how.reasoning not in dict(REASONING):
        yield FieldError("#/reasoning", "Choose train; empty leaves it out.")
    chosen = how.shape == COLUMNS.name
    for name in ("question", "answer"):
        if chosen and not getattr(how, name):
            yield FieldError(f"#/{name}", f"Choose the column that holds the {name}.")
    if chosen and how.question and how.question == how.answer:
        yield FieldError("#/answer", "Question and answer can't be the same column.")


def without_columns(how: ReadAs) -> ReadAs:
    """What of a choice can be used even where its columns can't."""
    return ReadAs(header=how.header, encoding=how.encoding if how.encoding in encodings.CHOICES else "")


def check_again(session: Session, dataset_id: int, by: UserRow) -> JobRow:
    """Run a check that was cancelled or failed once more.

    Raises:
        Conflict: it is done, or under way.
    """
    row = locked(session, dataset_id)
    if row.state != "checking":
        raise Conflict("This version has been checked; its rows do not change any more.")
    return _check(session, row, by)


def _check(session: Session, row: DatasetRow, by: UserRow) -> JobRow:
    title = f"Check {row.filename}"[:200]
    return jobs.add(session, "check", row.id, by.id, assessment_id=row.assessment_id, title=title)


def freeze(session: Session, dataset_id: int, by: UserRow, *, human_checked: bool | None = None) -> DatasetRow:
    """Fix which rows judge, for good: measuring starts from here, and nothing unfreezes a split.

    human_checked: whether people wrote or checked the answers of the test rows, kept in the same transaction
    (`vouch`); None says nothing about it, and what was said before stands.

    Raises:
        Conflict: it is not checked, replaced by a newer version, frozen already, or has no rows in a split.
    """
    row = locked(session, dataset_id)
    assessment = assessment_store.get(session, row.assessment_id)
    latest = store.current(session, row.assessment_id)
    reasons = []
    if row.state != "ready":
        reasons.append("The check of this version has not ended with usable rows.")
    elif not (row.train_rows and row.dev_rows and row.test_rows):
        reasons.append("Each of train, dev and test needs at least one row; upload more examples.")
    if latest is not None and latest.id != row.id:
        reasons.append(why_overtaken(latest))
    if row.frozen_at:
        reasons.append("The split is frozen already.")
    if reasons:
        raise Conflict.because(reasons)
    if human_checked is not None:
        vouch(session, row.id, by, human_checked=human_checked)
    row.frozen_at = utcnow()
    row.frozen_by = by.id
    store.keep_test_keys(session, row.id)
    assessments.contribute(session, assessment, by, f"split of data version {row.version}")
    detail = {
        "assessment": row.assessment_id,
        "version": row.version,
        "rows_sha256": row.rows_sha256,
        "split_sha256": row.split_sha256,
        "human_checked": row.human_checked,
    }
    audit.record(session, by, "dataset.freeze", "dataset", row.id, detail)
    return row


def vouch(session: Session, dataset_id: int, by: UserRow, *, human_checked: bool) -> DatasetRow:
    """Record the word of a person on who wrote or checked the answers of the test rows.

    Raises:
        Conflict: another version counts; what was said of this one is part of what was measured and approved.
    """
    row = locked(session, dataset_id)
    current = store.current(session, row.assessment_id)
    if current is not None and current.id != row.id:
        raise Conflict(why_overtaken(current))
    if row.human_checked != human_checked:
        assessment = assessment_store.get(session, row.assessment_id)
        row.human_checked = human_checked
        assessments.contribute(session, assessment, by, f"word on test rows of data version {row.version}")
        detail = {"assessment": row.assessment_id, "version": row.version, "human_checked": human_checked}
        audit.record(session, by, "dataset.vouch", "dataset", row.id, detail)
    return row


def check_same_files(
    session: Session,
    row: DatasetRow,
    by: UserRow,
    *,
    decisions: Decisions | None = None,
    split_plan: SplitPlan | None = None,
) -> DatasetRow:
    """The same files as the next version, checked anew. The word on the test rows holds on: they are the same rows."""
    uploaded = replace(
        _same_files(row),
        decisions=row.decisions if decisions is None else decisions,
        split_plan=row.split_plan.for_same_files() if split_plan is None else split_plan,
    )
    return upload(session, row.assessment_id, by, uploaded)


def _same_files(row: DatasetRow) -> Uploaded:
    """The files of a version, read as they were."""
    return Uploaded(
        Blob(row.blob_sha256, row.bytes),
        row.filename,
        test=Blob(row.test_blob_sha256, 0) if row.test_blob_sha256 else None,
        test_filename=row.test_filename,
        human_checked=row.human_checked,
        how=row.read_as,
    )


def job_of(session: Session, row: DatasetRow) -> JobRow | None:
    """The last check of this version."""
    return job_store.latest(session, "check", row.id)
