"""What the gates read of the data."""

from typing import Any

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.datasets import store
from app.datasets.checks.report_json import plain
from app.datasets.tables import DatasetRow


def measured(session: Session, assessment_id: int) -> dict[str, Any]:
    """What the gates may know of the data (decision-rules 7); a key that is absent was not measured.

    The test rows count only once they are frozen: until then they are a proposal.
    """
    row = store.current(session, assessment_id)
    if row is None or row.state != "ready":
        return {}
    report = row.report
    facts: dict[str, Any] = {
        "uploaded_examples": report.uploaded,
        "usable_examples": row.usable_rows,
        "contradiction_rate": report.contradiction_rate,
    }
    if report.similar_questions is not None:
        facts["similar_questions"] = report.similar_questions
    if arms := _best_tried(session, row):
        facts["arms"] = arms
    if report.signals:
        facts["signals"] = {key: value for key, value in plain(report.signals).items() if key != "evidence"}
    if report.identifiers is not None:
        facts["identifiers_decided"] = not report.identifiers.undecided(row.decisions)
    if row.frozen_at:
        facts["test_rows"] = row.test_rows
        facts["test_overlap_rows"] = report.test_overlap_rows
    if row.human_checked is not None:
        facts["test_human_checked"] = row.human_checked
    return facts


def _best_tried(session: Session, row: DatasetRow) -> dict[str, dict[str, Any]]:
    """What a small classifier reached on rows it was not shown, where the metric asks for the label word for word.

    One that is no better than always saying the commonest label is no classifier: then it is that rule which was tried.
    """
    tried = row.report.learnability
    if tried is None or not tried.baseline or tried.baseline.metric != "accuracy" or tried.verdict == "too_few":
        return {}
    if assessment_store.get(session, row.assessment_id).answers.get("metric") not in (
        "exact_match",
        "normalised_match",
    ):
        return {}
    arm, score = "small_classifier", tried.baseline.score
    if tried.verdict == "unlearnable" and tried.trivial:
        arm, score = "trivial", tried.trivial.score
    result: dict[str, Any] = {"passed": round(score * tried.baseline.rows), "total": tried.baseline.rows}
    return {arm: result | ({"split": tried.of} if tried.of else {})}
