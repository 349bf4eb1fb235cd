"""Whether a version is the one that counts, and holding it fast while somebody changes something about it."""

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.datasets import store
from app.datasets.tables import DatasetRow
from app.errors import Conflict


def locked(session: Session, dataset_id: int) -> DatasetRow:
    """The version, with its assessment locked until the end of the transaction: of two people who press at once the
    second sees what the first did. Locked before anything is put on record, so that no two wait for each other.
    """
    assessment_store.opened(session, store.assessment_of(session, dataset_id))
    return store.get(session, dataset_id)


def locked_current(session: Session, dataset_id: int) -> DatasetRow:
    """The version, if it is the one that counts and its check has ended."""
    row = locked(session, dataset_id)
    current = store.current(session, row.assessment_id)
    if row.state == "checking":
        raise Conflict("The check of this version has not ended.")
    if current is not None and current.id != row.id:
        raise Conflict(why_overtaken(current))
    return row


def why_overtaken(newer: DatasetRow) -> str:
    """Why nothing is decided on a version any more. A newer one that is still being checked may yet be refused."""
    if newer.state != "checking":
        return f"Version {newer.version} counts now; this one is only to be read. Decide there."
    waiting = f"Version {newer.version} is newer and its check has not ended"
    return f"{waiting}. Wait for it; if it can't be used, it replaces nothing."


def counts_now(session: Session, dataset: DatasetRow) -> bool:
    """Whether this is the checked version that counts, on which people may still decide."""
    current = store.current(session, dataset.assessment_id)
    return dataset.state == "ready" and current is not None and current.id == dataset.id
