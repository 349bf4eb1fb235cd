"""Queries on reviews and decisions."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, exists, select, text, update
from sqlalchemy.orm import Session, defer, selectinload

from app.assessments.tables import AssessmentRow, ContributionRow
from app.errors import NotFound
from app.gate.tables import IS_LIVING, LIVING, BarredRow, DecisionRow, ReviewRow


def get(session: Session, review_id: int) -> ReviewRow:
    """A review with its decisions."""
    review = session.scalar(
        select(ReviewRow).where(ReviewRow.id == review_id).options(selectinload(ReviewRow.decisions))
    )
    if review is None:
        raise NotFound("There is no such review.")
    return review


def assessment_of(session: Session, review_id: int) -> int:
    """Whose review it is, without loading it: its assessment is locked first."""
    assessment_id = session.scalar(select(ReviewRow.assessment_id).where(ReviewRow.id == review_id))
    if assessment_id is None:
        raise NotFound("There is no such review.")
    return assessment_id


def move(session: Session, review: ReviewRow, state: str, **more: object) -> bool:
    """Change the state of a review from the one that was seen; False: it has another one by now, and keeps it."""
    moved = session.execute(
        update(ReviewRow)
        .where(ReviewRow.id == review.id, ReviewRow.state == review.state)
        .values(state=state, **more)
        .execution_options(synchronize_session=False)
    )
    session.refresh(review, ["state", *more])
    return cast("CursorResult[Any]", moved).rowcount == 1


def living(session: Session, assessment_id: int) -> ReviewRow | None:
    """The review that is open or decided and not used up, if any."""
    return session.scalar(
        select(ReviewRow)
        .where(ReviewRow.assessment_id == assessment_id, ReviewRow.state.in_(LIVING))
        .options(selectinload(ReviewRow.decisions))
    )


def latest(session: Session, assessment_id: int) -> ReviewRow | None:
    return session.scalar(
        select(ReviewRow)
        .where(ReviewRow.assessment_id == assessment_id)
        .order_by(ReviewRow.id.desc())
        .limit(1)
        .options(selectinload(ReviewRow.decisions))
    )


def of_assessment(session: Session, assessment_id: int) -> Sequence[ReviewRow]:
    """All reviews of an assessment, newest first."""
    return session.scalars(
        select(ReviewRow)
        .where(ReviewRow.assessment_id == assessment_id)
        .order_by(ReviewRow.id.desc())
        .options(selectinload(ReviewRow.decisions))
    ).all()


def decided_before(session: Session, review: ReviewRow) -> ReviewRow | None:
    """The last review of the same assessment that a reviewer decided, for the difference to it."""
    return session.scalar(
        select(ReviewRow)
        .where(
            ReviewRow.assessment_id == review.assessment_id,
            ReviewRow.id < review.id,
            ReviewRow.decisions.any(DecisionRow.kind != "comment"),
        )
        .order_by(ReviewRow.id.desc())
        .limit(1)
    )


def queue(session: Session, states: Sequence[str], limit: int, before: int | None = None) -> Sequence[ReviewRow]:
    """Reviews in these states, newest first; not that of the finished example."""
    recorded = exists().where(AssessmentRow.id == ReviewRow.assessment_id, AssessmentRow.recorded != "")
    query = select(ReviewRow).where(ReviewRow.state.in_(states), ~recorded).order_by(ReviewRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(ReviewRow.id < before)
    return session.scalars(query.options(selectinload(ReviewRow.decisions))).all()


def waiting_for(session: Session, user_id: int, limit: int) -> Sequence[ReviewRow]:
    """Open reviews that a reviewer could decide when they were requested, without what was frozen: those asked of this
    person first, then the oldest. One of an assessment that changed since waits for its author, not for a reviewer."""
    return session.scalars(
        select(ReviewRow)
        .where(*_decidable(user_id))
        .order_by(ReviewRow.asked_of.is_distinct_from(user_id), ReviewRow.id)
        .limit(limit)
        .options(defer(ReviewRow.subject, raiseload=True))
    ).all()


# The same, counted. As text, since every page asks for it.
NUMBER_WAITING = """
select count(*) from reviews r join assessments a on a.id = r.assessment_id
where r.state in ('open', 'approved', 'changes_requested') and r.state = 'open'
  and a.revision = r.revision and a.archived_at is null
  and not exists (select 1 from contributions c where c.assessment_id = r.assessment_id and c.user_id = :me)
  and not exists (select 1 from review_barred b where b.review_id = r.id and b.user_id = :me)
"""
_NUMBER_WAITING = text(NUMBER_WAITING)


def number_waiting_for(session: Session, user_id: int) -> int:
    """How many of them there are."""
    return session.scalar(_NUMBER_WAITING, {"me": user_id}) or 0


def _decidable(user_id: int) -> tuple[ColumnElement[bool], ...]:
    barred = select(BarredRow.review_id).where(BarredRow.review_id == ReviewRow.id, BarredRow.user_id == user_id)
    return (
        IS_LIVING_COLUMN,
        ReviewRow.state == "open",
        _as_requested(),
        ~_worked_on(user_id),
        ~barred.exists(),
    )


IS_LIVING_COLUMN = cast("ColumnElement[bool]", IS_LIVING)


def _as_requested() -> ColumnElement[bool]:
    """Whether the assessment is still at the revision that was put up for review, and not archived."""
    return exists().where(
        AssessmentRow.id == ReviewRow.assessment_id,
        AssessmentRow.revision == ReviewRow.revision,
        AssessmentRow.archived_at.is_(None),
    )


def _worked_on(user_id: int) -> ColumnElement[bool]:
    return exists().where(ContributionRow.assessment_id == ReviewRow.assessment_id, ContributionRow.user_id == user_id)


def answered_for(session: Session, user_id: int, limit: int) -> Sequence[ReviewRow]:
    """Living reviews that were decided, of assessments that this person works on, newest first, with the decisions."""
    return session.scalars(
        select(ReviewRow)
        .where(
            IS_LIVING_COLUMN,
            ReviewRow.state.in_(("approved", "changes_requested")),
            _worked_on(user_id),
            exists().where(AssessmentRow.id == ReviewRow.assessment_id, AssessmentRow.archived_at.is_(None)),
        )
        .order_by(ReviewRow.id.desc())
        .limit(limit)
        .options(selectinload(ReviewRow.decisions), defer(ReviewRow.subject, raiseload=True))
    ).all()


def bar(session: Session, review_id: int, user_ids: Iterable[int]) -> None:
    """Note who could not decide a review when it was requested."""
    session.add_all(BarredRow(review_id=review_id, user_id=user_id) for user_id in sorted(user_ids))


def decision(session: Session, decision_id: int) -> DecisionRow:
    row = session.get(DecisionRow, decision_id)
    if row is None:
        raise NotFound("There is no such decision.")
    return row


def unsealed(session: Session) -> Sequence[DecisionRow]:
    """Living decisions without a seal."""
    return session.scalars(
        select(DecisionRow).where(
            DecisionRow.seal == "", DecisionRow.kind != "comment", DecisionRow.voided_at.is_(None)
        )
    ).all()
