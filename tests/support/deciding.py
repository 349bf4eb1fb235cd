"""A measurement that a judge decides, from its choice to its end; needs a rubric, labels and the metric set."""

import hashlib
from typing import Any

from app.assessments.tables import AssessmentRow
from app.baselines import job as measuring
from app.baselines import runs
from app.baselines.outlines import Known
from app.baselines.tables import BaselineRow
from app.db import reading, writing
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.judging import deciding
from tests.support.judged import Judgeable, between, fair, says
from tests.support.measured import baseline_of, claim_of, finish_job


def lenient(body: dict[str, Any]) -> str:
    """A judge that passes one in five wrong answers, and fails one in ten right ones."""
    word, luck = fair(body), hashlib.sha256(between(body, "answer").encode()).digest()[0] / 256
    right = between(body, "answer") == between(body, "expected answer")
    return says("fail" if luck < 0.1 else "pass") if right else says("pass" if luck < 0.2 else "fail") if word else ""


def choice(case: Judgeable) -> Any:
    with reading(case.engine) as session:
        (one,) = deciding.choices(session, session.get_one(AssessmentRow, case.case.assessment.id))
        return one


def begun(case: Judgeable, **different: Any) -> BaselineRow:
    order = case.case.order(
        metric_options={"judge": choice(case).key}, variants=("zero_shot", "few_shot_nearest"),
        consents=(case.judge.id,), **different,
    )  # fmt: skip
    with writing(case.engine) as session:
        jobs.bind(session, case.queue)
        known = Known(case.settings, None, deciding.choices)
        return runs.start(session, case.case.assessment.id, order, by=case.case.author, known=known)


def measured(case: Judgeable) -> tuple[BaselineRow, Claim]:
    """Measured by the judge; the job's claim still holds."""
    baseline = begun(case)
    claim = claim_of(case.engine, case.settings, case.queue, baseline.id)
    measuring.measure(claim)
    return baseline_of(case.engine, baseline.id), claim


def decided(case: Judgeable) -> BaselineRow:
    """The same, and the job is over."""
    baseline, claim = measured(case)
    finish_job(case.engine, claim)
    return baseline
