"""The dossier: an assessment's seven steps with a word for each, put together from all concepts below."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.advice.verdict import Advice
from app.assessments import service as assessments
from app.assessments.tables import AssessmentRow
from app.datasets.tables import DatasetRow
from app.gate import reviews
from app.gate import store as review_store
from app.gate.evidence import Facts, gather, judge
from app.training import store as trainings
from app.training.tables import TrainingRow
from app.web.protocols import Step
from app.wording import plural


def steps(session: Session, assessment: AssessmentRow) -> Sequence[Step]:
    """The way through, each step with its address, its state in a word or two, and the tone of that word."""
    base = f"/assessments/{assessment.id}"
    answered, asked = assessments.progress(assessment)
    facts = gather(session, assessment)
    baseline, advice = facts.baseline, judge(session, facts)
    training, judged = trainings.latest(session, assessment.id), trainings.judged(session, assessment.id)
    measured = [arm for arm in baseline.arms if arm.dev or arm.test] if baseline else []
    verdict = ("ready", "pass") if advice.training == "ready" else ("not yet", "unknown") if advice.leaning else (
        advice.approach.replace("_", "-"), "")  # fmt: skip
    return (
        Step("describe", "Use case", f"{base}/describe", f"{answered} of {asked}", "pass" if answered == asked else ""),
        Step("data", "Data", f"{base}/data", *_data(facts.dataset)),
        Step("measure", "Baselines", f"{base}/measure", plural(len(measured), "variant") if measured else "", ""),
        Step("verdict", "Verdict", f"{base}/verdict", *verdict),
        Step("review", "Review", f"{base}/review", *_review(session, facts, advice)),
        Step("train", "Training", f"{base}/train", *_train(advice.training, training)),
        Step("result", "Result", f"{base}/result", *_result(judged)),
    )


def _data(dataset: DatasetRow | None) -> tuple[str, str]:
    if dataset is None:
        return "", ""
    if dataset.state == "checking":
        return "checking", "info"
    if dataset.state == "rejected":
        return "rejected", "fail"
    return f"{dataset.usable_rows:,} usable", "pass" if dataset.frozen_at else ""


def _review(session: Session, facts: Facts, advice: Advice) -> tuple[str, str]:
    review = review_store.latest(session, facts.assessment.id)
    if review is None or review.state in {"withdrawn", "superseded"}:
        return "", ""
    if review.state == "consumed":
        return "launched", "pass"
    if review.revision != facts.assessment.revision:
        return "out of date", "unknown"
    if reviews.outdated(session, review, facts, advice):
        return "invalidated", "fail"
    return {"open": ("waiting", "info"), "approved": ("approved", "pass")}.get(review.state, ("changes", "fail"))


def _train(state: str, training: TrainingRow | None) -> tuple[str, str]:
    if training is not None and training.state not in {"cancelled", "failed", "refused"}:
        return ("trained", "pass") if training.state == "done" else (training.state, "info")
    if training is not None:
        return training.state, "fail"
    return ("", "") if state == "ready" else ("locked", "")


def _result(training: TrainingRow | None) -> tuple[str, str]:
    if training is None or training.state != "done" or not training.result:
        return "", ""
    verdict = str(training.result.get("verdict", ""))
    tones = {"improved": "pass", "regressed": "fail", "inconclusive": "unknown", "not better": "unknown"}
    return verdict, tones.get(verdict, "")
