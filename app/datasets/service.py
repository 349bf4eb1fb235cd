"""What people do with data: upload it, freeze its split, vouch for it; and what the gates read of it."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.blobs import Blob
from app.datasets import duplicates, store
from app.datasets.formats import COLUMNS, GUESS, SHAPES, Message, ReadAs, Record, read_as
from app.datasets.rows import question
from app.datasets.tables import DatasetRow, ExampleRow, KeptClusterRow
from app.datasets.uploads import display_name
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.users.tables import UserRow


def upload(
    session: Session,
    assessment_id: int,
    by: UserRow,
    file: Blob,
    filename: str,
    *,
    test: Blob | None = None,
    test_filename: str = "",
    human_checked: bool | None = None,
    how: ReadAs = GUESS,
) -> DatasetRow:
    """Take stored files as the next version and put its check in line, both or neither.

    how: how the file is to be read, where a person has said so.
    human_checked: the uploader's word on the test rows, None when nothing was said. It is not taken over from the
    version before: that word was about other rows.

    Raises:
        NotFound: there is no such assessment.
        Invalid: the file is empty.
    """
    assessment = assessment_store.get(session, assessment_id)
    if not file.size:
        raise Invalid("The file is empty.", [FieldError("#/file", "Choose a file with examples; this one is empty.")])
    last = store.newest(session, assessment_id)
    row = DatasetRow(
        assessment_id=assessment_id,
        version=last.version + 1 if last else 1,
        filename=display_name(filename),
        bytes=file.size,
        blob_sha256=file.sha256,
        test_filename=display_name(test_filename) if test else "",
        test_blob_sha256=test.sha256 if test else None,
        read_as=how.to_json(),
        kept_keys=sorted({kept.key for kept in store.kept_clusters(session, assessment_id)}),
        lengths_model_id=last.lengths_model_id if last else None,
        human_checked=human_checked,
        uploaded_by=by.id,
        uploaded_at=utcnow(),
    )
    session.add(row)
    session.flush()
    assessments.contribute(session, assessment, by, f"data, version {row.version}")
    detail = {"assessment": assessment_id, "version": row.version, "file": row.filename, "sha256": row.blob_sha256}
    detail |= {"read_as": row.read_as} if row.read_as else {}
    audit.record(session, by, "dataset.upload", "dataset", row.id, detail)
    _check(session, row, by)
    return row


def add_test(session: Session, assessment_id: int, by: UserRow, test: Blob, filename: str) -> DatasetRow:
    """Take a test file of the team's own for the examples that are there: a new version of both.

    Raises:
        Conflict: no examples were uploaded yet.
    """
    assessment_store.get(session, assessment_id)
    last = store.current(session, assessment_id)
    if last is None or last.state == "rejected":
        raise Conflict("Upload the examples first, then the test file.")
    file = Blob(last.blob_sha256, last.bytes)
    how = read_as(last.read_as)
    return upload(session, assessment_id, by, file, last.filename, test=test, test_filename=filename, how=how)


def reread(session: Session, dataset_id: int, by: UserRow, how: ReadAs) -> DatasetRow:
    """Take the files of a version once more, read in another way: a new version, checked from the start.

    Raises:
        Invalid: the choice names no known format, or lacks a column.
    """
    row = store.get(session, dataset_id)
    if wrong := list(unreadable(how)):
        raise Invalid("The file can't be read like that.", wrong)
    return upload(
        session,
        row.assessment_id,
        by,
        Blob(row.blob_sha256, row.bytes),
        row.filename,
        test=Blob(row.test_blob_sha256, 0) if row.test_blob_sha256 else None,
        test_filename=row.test_filename,
        how=how,
    )


def unreadable(how: ReadAs) -> Iterator[FieldError]:
    """What a choice lacks, by field."""
    if how.shape and how.shape not in SHAPES:
        yield FieldError("#/shape", "Choose one of the formats in the list.")
    chosen = how.shape == COLUMNS.name
    for name in ("question", "answer"):
        if chosen and not getattr(how, name):
            yield FieldError(f"#/{name}", f"Choose the column that holds the {name}.")
    if chosen and how.question and how.question == how.answer:
        yield FieldError("#/answer", "Question and answer can't be the same column.")


def check_again(session: Session, dataset_id: int, by: UserRow) -> JobRow:
    """Run a check that was cancelled or failed once more.

    Raises:
        Conflict: it is done, or under way.
    """
    row = store.get(session, dataset_id)
    if row.state != "checking":
        raise Conflict("This version has been checked; its rows do not change any more.")
    return _check(session, row, by)


def _check(session: Session, row: DatasetRow, by: UserRow) -> JobRow:
    title = f"Check {row.filename}"[:200]
    return jobs.add(session, "check", row.id, by.id, assessment_id=row.assessment_id, title=title)


def freeze(session: Session, dataset_id: int, by: UserRow) -> DatasetRow:
    """Fix which rows judge, for good: measuring starts from here, and nothing unfreezes a split.

    Raises:
        Conflict: it is not checked, replaced by a newer version, frozen already, or has no rows in a split.
    """
    row = store.get(session, dataset_id)
    assessment = assessment_store.get(session, row.assessment_id)
    latest = store.current(session, row.assessment_id)
    against = []
    if row.state != "ready":
        against.append("The check of this version has not ended with usable rows.")
    elif not (row.train_rows and row.dev_rows and row.test_rows):
        against.append("Each of train, dev and test needs at least one row; upload more examples.")
    if latest is not None and latest.id != row.id:
        against.append(f"Version {latest.version} has replaced this one.")
    if row.frozen_at:
        against.append("The split is frozen already.")
    if against:
        raise Conflict(" ".join(against))
    row.frozen_at = utcnow()
    row.frozen_by = by.id
    assessments.contribute(session, assessment, by, f"split of data version {row.version}")
    detail = {
        "assessment": row.assessment_id,
        "version": row.version,
        "rows_sha256": row.rows_sha256,
        "split_sha256": row.split_sha256,
    }
    audit.record(session, by, "dataset.freeze", "dataset", row.id, detail)
    return row


def vouch(session: Session, dataset_id: int, by: UserRow, *, human_checked: bool) -> DatasetRow:
    """Record the word of a person on who wrote or checked the answers of the test rows."""
    row = store.get(session, dataset_id)
    if row.human_checked != human_checked:
        assessment = assessment_store.get(session, row.assessment_id)
        row.human_checked = human_checked
        assessments.contribute(session, assessment, by, f"word on test rows of data version {row.version}")
        detail = {"assessment": row.assessment_id, "version": row.version, "human_checked": human_checked}
        audit.record(session, by, "dataset.vouch", "dataset", row.id, detail)
    return row


# ---------------------------------------------------------------------- clusters and lengths
def keep_cluster(session: Session, dataset_id: int, cluster: int, by: UserRow) -> KeptClusterRow:
    """Note that the rows of a cluster are different rows, to be used all of them from the next version on.

    Only repeats come back. Rows that contradict each other, or that stand in the test file too, stay out.

    Raises:
        Conflict: an older version, or this was said already.
    """
    row = _counting(session, dataset_id)
    oldest, size = store.oldest_of(session, row.id, cluster)
    key = f"{_key(oldest):016x}"
    if store.kept_cluster(session, row.assessment_id, key):
        raise Conflict("These rows are noted as different rows already.")
    kept = KeptClusterRow(
        assessment_id=row.assessment_id,
        dataset_id=row.id,
        key=key,
        cluster=cluster,
        rows=size,
        decided_by=by.id,
        decided_at=utcnow(),
    )
    session.add(kept)
    detail = {"assessment": row.assessment_id, "version": row.version, "line": oldest.line, "rows": size}
    audit.record(session, by, "dataset.keep_cluster", "dataset", row.id, detail)
    return kept


def join_cluster(session: Session, dataset_id: int, cluster: int, by: UserRow) -> KeptClusterRow:
    """Take the word back: one row of the cluster is used again from the next version on.

    Raises:
        Conflict: an older version, or nothing was said about these rows.
    """
    row = _counting(session, dataset_id)
    oldest, size = store.oldest_of(session, row.id, cluster)
    kept = store.kept_cluster(session, row.assessment_id, f"{_key(oldest):016x}")
    if kept is None:
        raise Conflict("Of these rows one is used already.")
    kept.withdrawn_by, kept.withdrawn_at = by.id, utcnow()
    detail = {"assessment": row.assessment_id, "version": row.version, "line": oldest.line, "rows": size}
    audit.record(session, by, "dataset.join_cluster", "dataset", row.id, detail)
    return kept


def waiting_clusters(session: Session, row: DatasetRow) -> int:
    """How many words about clusters this version was checked without."""
    now = {kept.key for kept in store.kept_clusters(session, row.assessment_id)}
    return len(now ^ set(row.kept_keys))


def recount(session: Session, dataset_id: int, by: UserRow) -> DatasetRow:
    """Check the same files once more as a new version, with the clusters as people see them now.

    Raises:
        Conflict: an older version, or nothing has changed since.
    """
    row = _counting(session, dataset_id)
    if not waiting_clusters(session, row):
        raise Conflict("Nothing about the groups has changed since this version was checked.")
    return _once_more(session, row, by)


def _once_more(session: Session, row: DatasetRow, by: UserRow) -> DatasetRow:
    test = Blob(row.test_blob_sha256, 0) if row.test_blob_sha256 else None
    return upload(
        session,
        row.assessment_id,
        by,
        Blob(row.blob_sha256, row.bytes),
        row.filename,
        test=test,
        test_filename=row.test_filename,
        human_checked=row.human_checked,
        how=read_as(row.read_as),
    )


def count_with(session: Session, dataset_id: int, model_id: int, by: UserRow) -> JobRow:
    """Count the tokens of a version with the tokenizer of another model.

    Raises:
        Invalid: a model whose tokenizer is not on this machine.
        Conflict: the version has not been checked, or a count is under way.
    """
    row = store.get(session, dataset_id)
    if row.state != "ready":
        raise Conflict("The check of this version has not ended with usable rows.")
    model = next((one for one in countable(session) if one.id == model_id), None)
    if model is None:
        text = "Choose a model on this machine; of a model server nobody knows the tokenizer."
        raise Invalid("This model can't be counted with.", [FieldError("#/model_id", text)])
    row.lengths_model_id = model.id
    audit.record(session, by, "dataset.count_tokens", "dataset", row.id, {"model": model.name, "version": row.version})
    title = f"Count tokens of {row.filename}"[:200]
    return jobs.add(session, "lengths", row.id, by.id, assessment_id=row.assessment_id, title=title)


def countable(session: Session) -> list[ModelRow]:
    """Models whose tokenizer is on this machine."""
    return [model for model in model_store.usable(session) if model.trainable and model.files]


def said_of_clusters(session: Session, row: DatasetRow) -> list[KeptClusterRow]:
    """The words on clusters of exactly this version that count now."""
    return [kept for kept in store.kept_clusters(session, row.assessment_id) if kept.dataset_id == row.id]


def _counting(session: Session, dataset_id: int) -> DatasetRow:
    """The version, if it is the one that counts and its check has ended."""
    row = store.get(session, dataset_id)
    current = store.current(session, row.assessment_id)
    if row.state == "checking":
        raise Conflict("The check of this version has not ended.")
    if current is None or current.id != row.id:
        raise Conflict("Another version counts now; decide there.")
    return row


def _key(oldest: ExampleRow) -> int:
    turns = tuple(Message(turn["role"], turn["content"]) for turn in oldest.messages)
    return duplicates.key(question(Record(oldest.line, turns, oldest.target)))


def job_of(session: Session, row: DatasetRow) -> JobRow | None:
    """The last check of this version."""
    return job_store.latest(session, "check", row.id)


def measured(session: Session, assessment_id: int) -> dict[str, Any]:
    """What the gates may know of the data (decision-rules 7); a key that is absent was not measured.

    The test rows count only once they are frozen: until then they are a proposal.
    """
    row = store.current(session, assessment_id)
    if row is None or row.state != "ready":
        return {}
    found: dict[str, Any] = {
        "uploaded_examples": row.report["uploaded"],
        "usable_examples": row.usable_rows,
        "contradiction_rate": row.report["contradiction_rate"],
    }
    if row.frozen_at:
        found["test_rows"] = row.test_rows
        found["test_overlap_rows"] = row.report.get("test_overlap_rows", 0)
    if row.human_checked is not None:
        found["test_human_checked"] = row.human_checked
    return found
