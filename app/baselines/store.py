"""Queries on measurements and their arms."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from sqlalchemy import and_, not_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, selectinload

from app.baselines import answer_store, arm_settings, arms, outdated, standing, tag_store
from app.baselines.tables import ArmRow, BaselineRow, OpeningRow
from app.datasets import store as dataset_store
from app.db import memo, prefill
from app.errors import NotFound


def get(session: Session, baseline_id: int) -> BaselineRow:
    """A measurement with its arms."""
    row = session.scalar(
        select(BaselineRow).where(BaselineRow.id == baseline_id).options(selectinload(BaselineRow.arms))
    )
    if row is None:
        raise NotFound("There is no such measurement.")
    return _marked(session, [row])[0]


def _marked(session: Session, rows: Sequence[BaselineRow]) -> Sequence[BaselineRow]:
    """The same rows, each arm with whether its passages are those of today."""
    outdated.mark(session, rows)
    return rows


def assessment_of(session: Session, baseline_id: int) -> int:
    """Whose measurement it is, without loading it: its assessment is locked first."""
    assessment_id = session.scalar(select(BaselineRow.assessment_id).where(BaselineRow.id == baseline_id))
    if assessment_id is None:
        raise NotFound("There is no such measurement.")
    return assessment_id


def current(session: Session, assessment_id: int) -> BaselineRow | None:
    """The newest measurement of an assessment that was not put aside, with its arms."""
    return memo(
        session,
        ("baseline", assessment_id),
        lambda: next(iter(_marked(session, _newest(session, assessment_id))), None),
    )


def _newest(session: Session, assessment_id: int) -> Sequence[BaselineRow]:
    """The same, or none."""
    query = select(BaselineRow).where(BaselineRow.assessment_id == assessment_id, BaselineRow.archived_at.is_(None))
    return session.scalars(query.order_by(BaselineRow.id.desc()).limit(1).options(selectinload(BaselineRow.arms))).all()


def read_ahead(session: Session, assessment_ids: Sequence[int]) -> None:
    """Find the current measurement of many assessments at once, for a page that will ask for each (`db.prefill`)."""
    rows = session.scalars(
        select(BaselineRow)
        .where(BaselineRow.assessment_id.in_(assessment_ids))
        .order_by(BaselineRow.id.desc())
        .options(selectinload(BaselineRow.arms))
    ).all()
    outdated.read_ahead(session, rows)
    outdated.mark(session, rows)
    every: dict[int, list[BaselineRow]] = {assessment_id: [] for assessment_id in assessment_ids}
    for row in rows:
        every[row.assessment_id].append(row)
    prefill(session, {("measurements", assessment_id): measurements for assessment_id, measurements in every.items()})
    newest = {
        assessment_id: next((row for row in measurements if row.archived_at is None), None)
        for assessment_id, measurements in every.items()
    }
    prefill(session, {("baseline", assessment_id): measurement for assessment_id, measurement in newest.items()})
    alike = dataset_store.read_ahead_same_test_rows(session, sorted({row.dataset_id for row in rows}))
    measured = _on_rows(session, {dataset_id for ids in alike.values() for dataset_id in ids})
    prefill(
        session,
        {
            ("on same rows", dataset_id): [row for row in measured if row.dataset_id in ids]
            for dataset_id, ids in alike.items()
        },
    )
    tags = answer_store.tagged_of(session, [row.id for row in rows])
    prefill(session, {("tagged", row.id): tags.get(row.id, []) for row in rows})
    tag_store.read_ahead(session, [row.id for row in rows])
    first = [leader.id for row in rows if tags.get(row.id) and (leader := standing.leading(row)) is not None]
    wrong = answer_store.imperfect(session, first)
    prefill(session, {("imperfect", arm_id): wrong.get(arm_id, {}) for arm_id in first})


def of_assessment(session: Session, assessment_id: int) -> Sequence[BaselineRow]:
    """All measurements, the newest first, those put aside included."""
    return memo(
        session,
        ("measurements", assessment_id),
        lambda: _marked(session, _every(session, assessment_id)),
    )


def _every(session: Session, assessment_id: int) -> Sequence[BaselineRow]:
    return session.scalars(
        select(BaselineRow)
        .where(BaselineRow.assessment_id == assessment_id)
        .order_by(BaselineRow.id.desc())
        .options(selectinload(BaselineRow.arms))
    ).all()


def arm(session: Session, arm_id: int) -> ArmRow:
    """An arm with its measurement and that one's other arms."""
    row = session.scalar(
        select(ArmRow).where(ArmRow.id == arm_id).options(selectinload(ArmRow.baseline).selectinload(BaselineRow.arms))
    )
    if row is None:
        raise NotFound("There is no such variant.")
    outdated.mark(session, [row.baseline])
    return row


def on_same_rows(session: Session, dataset_id: int) -> Sequence[BaselineRow]:
    """Every measurement on the test rows of this version, of whichever version, assessment or time, oldest first."""
    return memo(
        session,
        ("on same rows", dataset_id),
        lambda: _on_rows(session, dataset_store.of_same_test_rows(session, dataset_id)),
    )


def _on_rows(session: Session, dataset_ids: Collection[int]) -> Sequence[BaselineRow]:
    return session.scalars(
        select(BaselineRow)
        .where(BaselineRow.dataset_id.in_(sorted(dataset_ids)))
        .order_by(BaselineRow.id)
        .options(selectinload(BaselineRow.arms))
    ).all()


def openings(session: Session, baseline_ids: Collection[int]) -> Sequence[OpeningRow]:
    """When answers to test rows were shown to people, first ones first."""
    return session.scalars(
        select(OpeningRow).where(OpeningRow.baseline_id.in_(sorted(baseline_ids))).order_by(OpeningRow.id)
    ).all()


class NewOpening(TypedDict):
    """A row of `OpeningRow` to be stored."""

    baseline_id: int
    arm_id: int
    user_id: int
    round: int
    how: str
    at: datetime


def note_opening(session: Session, opening: NewOpening) -> None:
    """Write down that somebody was shown them, unless it is written down already."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    unique = ["arm_id", "user_id", "round"]
    session.execute(dialect.insert(OpeningRow).values(**opening).on_conflict_do_nothing(index_elements=unique))


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a model answered in one arm: seconds from one answer to the next, and the tokens of a call.

    counted: the model said how many tokens, they are not estimated. baseline_id: where it was measured. labels: hash of
    the label set, where labels were scored and no answer written; empty else.
    """

    seconds: float
    prompt_tokens: float
    completion_tokens: float
    counted: bool
    baseline_id: int
    labels: str = ""


def paces(session: Session, model_id: int) -> list[Pace]:
    """What was measured last with a model, as a run's own or beside one, the newest first; empty when it was never
    asked."""
    by_others = ArmRow.family == "stronger_model"
    rows = session.scalars(
        select(ArmRow)
        .join(BaselineRow, BaselineRow.id == ArmRow.baseline_id)
        .where(
            or_(
                and_(BaselineRow.model_id == model_id, not_(by_others)),
                ArmRow.name.startswith(f"stronger_model/{model_id}/"),
            ),
            ArmRow.family.not_in(arms.FREE),
        )
        .where(ArmRow.dev.is_not(None) | ArmRow.test.is_not(None))
        .order_by(ArmRow.id.desc())
        .limit(12)
    )
    return [
        Pace(
            seconds=result.pace,
            prompt_tokens=result.tokens_in,
            completion_tokens=result.tokens_out,
            counted=result.counted and result.tokens_in > 0,
            baseline_id=row.baseline_id,
            labels=arm_settings.labels_of(row.settings),
        )
        for row in rows
        for result in (row.dev, row.test)
        if result and result.pace
    ]
