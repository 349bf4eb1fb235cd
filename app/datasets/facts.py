"""What the gates read of the data."""

from sqlalchemy.orm import Session

from app.advice.evidence import Evidence, Score
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.datasets import store
from app.datasets.checks.report_json import fields_of
from app.datasets.tables import DatasetRow


def measured(session: Session, assessment_id: int) -> Evidence:
    """What the gates may know of the data; what is None was not measured.

    The test rows count only once they are frozen: until then they are a proposal.
    """
    return evidence(assessment_store.get(session, assessment_id), store.current(session, assessment_id))


def evidence(assessment: AssessmentRow, row: DatasetRow | None) -> Evidence:
    """The same from what was read already. row: the version that counts."""
    if row is None or row.state != "ready":
        return Evidence()
    report, frozen = row.report, row.frozen_at is not None
    signals = (
        {key: value for key, value in fields_of(report.signals).items() if key != "evidence"}
        if report.signals
        else None
    )
    decided = None if report.identifiers is None else not report.identifiers.undecided(row.decisions)
    return Evidence(
        uploaded_examples=report.uploaded,
        usable_examples=row.usable_rows,
        contradiction_rate=report.contradiction_rate,
        similar_questions=report.similar_questions,
        test_rows=row.test_rows if frozen else None,
        test_overlap_rows=report.test_overlap_rows if frozen else None,
        test_human_checked=row.human_checked,
        identifiers_decided=decided,
        own_test_rows=True if frozen and report.split and report.split.own_test else None,
        untaught_rows=_untaught(row) if frozen else None,
        signals=signals,
        arms=_best_tried(assessment, row) or None,
    )


def _untaught(row: DatasetRow) -> int | None:
    """Rows of a test file of its own whose label no other row has; None where answers are no labels, or none is."""
    split = row.report.split
    return split.untaught.rows or None if split and split.own_test and split.untaught else None


def _best_tried(assessment: AssessmentRow, row: DatasetRow) -> dict[str, Score]:
    """What a small classifier reached on rows it was not shown, where the metric asks for the label word for word.

    One that is no better than always saying the commonest label is no classifier: then it is that rule which was tried.
    """
    tried = row.report.learnability
    if tried is None or not tried.baseline or tried.baseline.metric != "accuracy" or tried.verdict == "too_few":
        return {}
    if assessment.answers.get("metric") not in ("exact_match", "normalised_match"):
        return {}
    arm, score = "small_classifier", tried.baseline.score
    if tried.verdict == "unlearnable" and tried.trivial:
        arm, score = "trivial", tried.trivial.score
    passed, rows = round(score * tried.baseline.rows), tried.baseline.rows
    return {arm: Score(passed=passed, total=rows, split=tried.of or None)}
