"""A finished training run whose adapter was judged, made without a trainer: where tests of results begin."""

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.baselines import arms, runs
from app.baselines.tables import AnswerRow, BaselineRow
from app.datasets.tables import ExampleRow
from app.db import utcnow, writing
from app.gate import launching, reviews
from app.results import job
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support import as_it_stands
from tests.support.factories import Make

# The best arm is right on the first 150 of the 220 test rows (`Make.baseline`). The adapter breaks the last ten of
# these, fixes the fifty after them, and leaves twenty wrong.
AFTER = (1.0,) * 140 + (0.0,) * 10 + (1.0,) * 50 + (0.0,) * 20
WEIGHTS = bytes(range(256)) * 64


def adapter_zip(**more: str) -> bytes:
    """An adapter as training stores it; `more` are further files of it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zipped:
        zipped.writestr("adapter_config.json", json.dumps({"r": 16, "peft_type": "LORA"}))
        zipped.writestr("adapter_model.safetensors", WEIGHTS)
        for name, content in {"training.json": "{}", **more}.items():
            zipped.writestr(name, content)
    return made.getvalue()


def approved_run(
    session: Session, make: Make, assessment_id: int, author: UserRow, reviewer: UserRow, **different: Any
) -> TrainingRow:
    """A run from its review on, as if a trainer had stored its adapter."""
    review = reviews.request_review(session, assessment_id, author)
    reviews.decide(session, review.id, reviewer, "approve", review.digest)
    granted = as_it_stands.permit(session, assessment_id)
    baseline, training = granted.subject.baseline, granted.subject.training
    assert baseline is not None
    assert training is not None
    blob = make.blobs.put_bytes(adapter_zip())
    usual: dict[str, Any] = {
        "assessment_id": assessment_id,
        "review_id": review.id,
        "decision_id": granted.decision.id,
        "digest": granted.digest,
        "baseline_id": baseline.id,
        "model_id": training.model.id,
        "recipe": dict(training.recipe),
        "state": "done",
        "idempotency_key": f"for review {review.id}",
        "best_step": 40,
        "adapter_sha256": blob.sha256,
        "adapter_bytes": blob.size,
        "training_facts": {"attempts": 1, "steps": 60},
        "launched_by": author.id,
        "launched_at": utcnow(),
        "finished_at": utcnow(),
    }
    run = TrainingRow(**(usual | different))
    session.add(run)
    session.flush()
    launching.use(session, granted)
    return run


def trained(
    make: Make,
    after: Sequence[float] = AFTER,
    *,
    by: UserRow | None = None,
    reviewer: UserRow | None = None,
    **different: Any,
) -> AssessmentRow:
    """A run whose adapter answered the test rows and was compared with the best prompt; `after` is its score a row.

    different: see `Make.assessment`.
    """
    author, reviewer = by or make.author("Ada"), reviewer or make.reviewer("Rob")
    assessment = make.ready(author, **different)
    with writing(make.engine) as session:
        run = approved_run(session, make, assessment.id, author, reviewer)
        arm = runs.add_adapter_arm(
            session, run.baseline_id, training_id=run.id, title="Adapter", instructions="Write the comment."
        )
        dataset = select(BaselineRow.dataset_id).where(BaselineRow.id == run.baseline_id).scalar_subquery()
        query = (
            select(ExampleRow.id, ExampleRow.target)
            .where(ExampleRow.dataset_id == dataset, ExampleRow.split == "test")
            .order_by(ExampleRow.id)
        )
        answers = [
            {
                "arm_id": arm.id,
                "split": "test",
                "example_id": row.id,
                "status": "ok",
                "output": row.target if score else "!",
                "score": score,
                "created_at": utcnow(),
            }
            for row, score in zip(session.execute(query), after, strict=True)
        ]
        session.execute(insert(AnswerRow), answers)
        arm.test = arms.tallied([arms.Scored(score) for score in after], binary=True, seed=7)
        run.arm_id = arm.id
        job.conclude(session, run)
    return assessment
