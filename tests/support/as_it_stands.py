"""What the gate says of an assessment as it stands, for tests that ask one thing of it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.advice.verdict import Advice
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.baselines.tables import BaselineRow
from app.economics import service as economics
from app.gate import launching, people, reviews
from app.gate.evidence import gather, judge, judge_today, measured
from app.gate.launching import Permit
from app.gate.subject_builder import snapshot
from app.gate.tables import ReviewRow
from app.inference.tables import ModelRow


def evidence(session: Session, assessment: AssessmentRow) -> dict[str, Any]:
    return dict(measured(session, assessment))


def advice(session: Session, assessment: AssessmentRow) -> Advice:
    return judge(gather(session, assessment))


def advice_today(session: Session, assessment: AssessmentRow) -> Advice:
    facts = gather(session, assessment)
    return judge_today(session, facts, judge(facts))


def subject(session: Session, assessment: AssessmentRow) -> dict[str, Any]:
    return snapshot(session, assessment).subject.to_json()


def counting(session: Session, assessment_id: int) -> BaselineRow | None:
    return gather(session, assessment_store.get(session, assessment_id)).baseline


def changed_since(session: Session, review: ReviewRow) -> list[tuple[str, Any, Any]]:
    return reviews.changed_since(review, snapshot(session, assessment_store.get(session, review.assessment_id)))


def hands(session: Session, assessment_id: int) -> Mapping[int, list[str]]:
    return people.involved(session, gather(session, assessment_store.get(session, assessment_id))).hands


def contributors(session: Session, assessment_id: int) -> frozenset[int]:
    return frozenset(hands(session, assessment_id))


def reasons_against(session: Session, assessment_id: int) -> list[str]:
    return list(launching.weigh(session, assessment_store.get(session, assessment_id)).reasons)


def permit(session: Session, assessment_id: int) -> Permit:
    return launching.permit(session, launching.weigh(session, assessment_store.get(session, assessment_id)))


def costs(session: Session, assessment_id: int, base: ModelRow | None = None) -> dict[str, Any]:
    """What its costs say to the criteria, by the names of a case file."""
    return economics.measured(session, assessment_store.get(session, assessment_id), base).to_json()
