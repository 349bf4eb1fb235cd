"""What people do with the output constraint: have it proposed, look at what it allows, keep it, take it out of use."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.audit import service as audit
from app.constraints import fit, inferring, store
from app.constraints.fit import Fit, Wanted
from app.constraints.inferring import Choices, Proposal
from app.constraints.tables import ConstraintRow
from app.datasets import masked_rows
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.inference import grammars
from app.inference.constraints import Constraint, Unusable, checked
from app.users.tables import UserRow
from app.wording import percent

SPLITS = ("train", "dev")  # test rows choose nothing


@dataclass(frozen=True, slots=True)
class Preview:
    """A constraint that can be used, and the expected answers that it allows; those listed are as they may be read."""

    constraint: Constraint
    fit: Fit

    @property
    def against(self) -> str:
        """Why it is not kept like this; empty where it is."""
        for split in SPLITS:
            share = self.fit.share(split)
            if share is not None and share < fit.LEAST:
                return (
                    f"It forbids {percent(1 - share, 1)} of the expected {split} answers, which are right. At least "
                    f"{percent(fit.LEAST, 0)} have to be allowed: no model can give an answer that is forbidden."
                )
        return ""


def infer(session: Session, assessment_id: int, choices: Choices) -> Proposal:
    """A proposal from the answers of the training rows.

    Raises:
        Conflict: there are no rows, or their answers have no form to infer.
    """
    dataset = _dataset(session, assessment_id)
    masker = masked_rows.masker_for_measurements(dataset)
    answers = [row.target for row in dataset_store.rows(session, dataset.id, "train")]
    proposal = inferring.propose(answers, masker.text, choices)
    if proposal is None:
        raise Conflict(
            "The training answers are neither JSON nor labels that come again and again, so there is nothing to infer. "
            "Write a regular expression if they have a form of their own."
        )
    return proposal


def preview(session: Session, assessment_id: int, kind: str, text: str) -> Preview:
    """Check a constraint, and the expected answers of the training and dev set against it.

    Raises:
        Conflict: there are no rows yet.
        Invalid: it cannot be used.
    """
    dataset = _dataset(session, assessment_id)
    try:
        constraint = checked(kind, text)
    except Unusable as unusable:
        raise Invalid("This cannot be used.", [FieldError("#/text", " ".join(unusable.faults))]) from None
    if against := grammars.fault(constraint):
        raise Invalid("This cannot be used.", [FieldError("#/text", against)])
    seen = fit.of(constraint, _wanted(session, dataset))
    masker = masked_rows.masker_for_measurements(dataset)
    masked = tuple(replace(row, answer=masker.text(row.answer), why=masker.text(row.why)) for row in seen.forbidden)
    return Preview(constraint, replace(seen, forbidden=masked))


def save(session: Session, assessment_id: int, kind: str, text: str, *, by: UserRow) -> ConstraintRow:
    """Keep a constraint as the next version. The one that is in use for these rows already is given
    back as it is.

    Raises:
        Conflict: there are no rows yet, or the assessment is archived.
        Invalid: it cannot be used, or forbids too many right answers.
    """
    assessment = assessment_store.opened(session, assessment_id)
    seen = preview(session, assessment_id, kind, text)
    if seen.against:
        raise Invalid("This forbids right answers.", [FieldError("#/text", seen.against)])
    before = store.current(session, assessment_id)
    dataset = _dataset(session, assessment_id)
    if before is not None and before.constraint == seen.constraint and before.dataset_id == dataset.id:
        return before
    versions = store.versions(session, assessment_id)
    row = ConstraintRow(
        assessment_id=assessment_id,
        version=1 + (versions[0].version if versions else 0),
        kind=seen.constraint.kind,
        text=seen.constraint.text,
        sha256=seen.constraint.sha256,
        dataset_id=dataset.id,
        fit=seen.fit,
        created_by=by.id,
        created_at=utcnow(),
    )
    session.add(row)
    session.flush()
    # A reviewer sees it in what was measured with it; until then it is a draft that no approval hangs on.
    assessments.contribute(session, assessment, by, "measure", changed=False)
    detail = {"assessment": assessment_id, "kind": row.kind, "version": row.version, "sha256": row.sha256}
    audit.record(session, by, "constraint.save", "assessment", assessment_id, detail)
    return row


def take_over(session: Session, source_id: int, copy: AssessmentRow, me: UserRow) -> None:
    """Give a copy of an assessment the constraint that is in use there. It counts once it was checked against the
    copy's own rows: until then it has the rows of the other one, and no fit."""
    row = store.current(session, source_id)
    if row is None:
        return
    made = ConstraintRow(
        assessment_id=copy.id,
        version=1,
        kind=row.kind,
        text=row.text,
        sha256=row.sha256,
        dataset_id=row.dataset_id,
        fit=Fit({}),
        created_by=me.id,
        created_at=utcnow(),
    )
    session.add(made)
    detail = {"assessment": copy.id, "kind": row.kind, "version": 1, "sha256": row.sha256, "from": source_id}
    audit.record(session, me, "constraint.save", "assessment", copy.id, detail)


def remove(session: Session, assessment_id: int, *, by: UserRow) -> ConstraintRow:
    """Take the version in use out of use; it stays in the list, and what was measured with it keeps it.

    Raises:
        NotFound: none is in use.
    """
    assessment = assessment_store.opened(session, assessment_id)
    row = store.current(session, assessment_id)
    if row is None:
        raise NotFound("No output constraint is in use.")
    row.removed_by, row.removed_at = by.id, utcnow()
    session.flush()
    assessments.contribute(session, assessment, by, "measure", changed=False)
    detail = {"assessment": assessment_id, "kind": row.kind, "version": row.version}
    audit.record(session, by, "constraint.remove", "assessment", assessment_id, detail)
    return row


def _dataset(session: Session, assessment_id: int) -> DatasetRow:
    assessment_store.get(session, assessment_id)
    dataset = dataset_store.current(session, assessment_id)
    if dataset is None or dataset.state != "ready":
        raise Conflict("Upload examples first: a constraint is checked against the answers that are expected.")
    return dataset


def _wanted(session: Session, dataset: DatasetRow) -> Iterator[Wanted]:
    for split in SPLITS:
        for row in dataset_store.rows(session, dataset.id, split)[: fit.MOST]:
            yield Wanted(split, row.line, row.target)
