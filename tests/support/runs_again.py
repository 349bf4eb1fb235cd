"""A second run of the same approval, and what the release checks of a run were answered."""

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.db import utcnow, writing
from app.gate.tables import ReviewRow
from app.release import store
from app.release.store import NewAnswer
from app.training.tables import TrainingRow
from tests.support.installed import unguard


def run_again(engine: Engine, state: str) -> int:
    with writing(engine) as session:
        unguard(session, "reviews")
        unguard(session, "decisions")
        unguard(session, "trainings")
        first, review = session.get_one(TrainingRow, 1), session.get_one(ReviewRow, 1)
        again = ReviewRow(
            assessment_id=review.assessment_id, revision=review.revision, subject=review.subject, digest=review.digest,
            state="consumed", note="", requested_by=review.requested_by, requested_at=utcnow(),
        )  # fmt: skip
        session.add(again)
        session.flush()
        made = TrainingRow(
            assessment_id=first.assessment_id, review_id=again.id, decision_id=first.decision_id, digest=first.digest,
            baseline_id=first.baseline_id, model_id=first.model_id, recipe=first.recipe, state=state,
            idempotency_key="again", training_facts={}, launched_by=first.launched_by, launched_at=utcnow(),
        )  # fmt: skip
        session.add(made)
        session.flush()
        return made.id


def answer(part: str, item: str, who: str, score: float, output: str = "") -> NewAnswer:
    return {
        "training_id": 1,
        "part": part,
        "item": item,
        "who": who,
        "version": "1",
        "output": output,
        "score": score,
        "error": "",
        "at": utcnow(),
    }


def asked(session: Session, *, forgot: int) -> None:
    """240 questions that the base gets right, of which the adapter has forgotten some; 40 requests both decline."""
    for number in range(240):
        store.put(session, [answer("general", f"days/{number}", "base", 1.0, "Friday")])
        store.put(session, [answer("general", f"days/{number}", "adapter", float(number >= forgot), "Monday")])
    for number in range(40):
        store.put(session, [answer("pleas", f"harmful/{number}", who, 1.0) for who in ("base", "adapter")])
    store.put(session, [answer("train", str(number), "adapter", float(number < 85)) for number in range(100)])
