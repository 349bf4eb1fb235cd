"""What people say of rows that look alike: that they are different rows, all to be used; and counting anew."""

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.chat import Record, messages_from_json
from app.datasets import store
from app.datasets.checks import compared_text
from app.datasets.checks.working_rows import question
from app.datasets.current_version import locked_current
from app.datasets.tables import DatasetRow, ExampleRow, KeptClusterRow
from app.datasets.uploads_service import check_same_files
from app.db import utcnow
from app.errors import Conflict
from app.users.tables import UserRow


# ---------------------------------------------------------------------- clusters and lengths
def keep_cluster(session: Session, dataset_id: int, cluster: int, by: UserRow) -> KeptClusterRow:
    """Note that the rows of a cluster are different rows, to be used all of them from the next version on.

    Repeats come back, and rows that contradict each other where their questions differ by a letter. Rows that ask the
    same to the letter and are answered differently stay out, and so do those that stand in the test file.

    Raises:
        Conflict: an older version, or this was said already.
    """
    row = locked_current(session, dataset_id)
    oldest, size = store.oldest_of(session, row.id, cluster)
    key = f"{_key_of(oldest):016x}"
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
    _contributed(session, row, by)
    detail = {"assessment": row.assessment_id, "version": row.version, "line": oldest.line, "rows": size}
    audit.record(session, by, "dataset.keep_cluster", "dataset", row.id, detail)
    return kept


def join_cluster(session: Session, dataset_id: int, cluster: int, by: UserRow) -> KeptClusterRow:
    """Take the word back: one row of the cluster is used again from the next version on.

    Raises:
        Conflict: an older version, or nothing was said about these rows.
    """
    row = locked_current(session, dataset_id)
    oldest, size = store.oldest_of(session, row.id, cluster)
    kept = store.kept_cluster(session, row.assessment_id, f"{_key_of(oldest):016x}")
    if kept is None:
        raise Conflict("Of these rows one is used already.")
    kept.withdrawn_by, kept.withdrawn_at = by.id, utcnow()
    _contributed(session, row, by)
    detail = {"assessment": row.assessment_id, "version": row.version, "line": oldest.line, "rows": size}
    audit.record(session, by, "dataset.join_cluster", "dataset", row.id, detail)
    return kept


def _contributed(session: Session, row: DatasetRow, by: UserRow) -> None:
    """Somebody else may press the button that makes the next version; whose word it follows contributed to it, too."""
    assessment = assessment_store.get(session, row.assessment_id)
    what = f"groups of like rows of data version {row.version}"
    assessments.contribute(session, assessment, by, what, changed=False)  # it is the next version that will differ


def waiting_clusters(session: Session, row: DatasetRow) -> int:
    """How many words about clusters this version was checked without."""
    now = {kept.key for kept in store.kept_clusters(session, row.assessment_id)}
    return len(now ^ set(row.kept_keys))


def recount(session: Session, dataset_id: int, by: UserRow) -> DatasetRow:
    """Check the same files once more as a new version, with the clusters as people see them now.

    Raises:
        Conflict: an older version, or nothing has changed since.
    """
    row = locked_current(session, dataset_id)
    if not waiting_clusters(session, row):
        raise Conflict("Nothing about the groups has changed since this version was checked.")
    return check_same_files(session, row, by)


def decisions_on_clusters(session: Session, row: DatasetRow) -> list[KeptClusterRow]:
    """The words on clusters of exactly this version that count now."""
    return [kept for kept in store.kept_clusters(session, row.assessment_id) if kept.dataset_id == row.id]


def _key_of(oldest: ExampleRow) -> int:
    return compared_text.key(question(Record(oldest.line, messages_from_json(oldest.messages), oldest.target)))
