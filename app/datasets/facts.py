"""What the gates read of the data."""

from typing import Any

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.datasets import store
from app.datasets.tables import DatasetRow
from app.privacy import decisions


def measured(session: Session, assessment_id: int) -> dict[str, Any]:
    """What the gates may know of the data (decision-rules 7); a key that is absent was not measured.

    The test rows count only once they are frozen: until then they are a proposal.
    """
    row = store.current(session, assessment_id)
    if row is None or row.state != "ready":
        return {}
    facts: dict[str, Any] = {
        "uploaded_examples": row.report["uploaded"],
        "usable_examples": row.usable_rows,
        "contradiction_rate": row.report["contradiction_rate"],
    }
    if (similar := row.report.get("similar_questions")) is not None:
        facts["similar_questions"] = similar
    if arms := _best_tried(session, row):
        facts["arms"] = arms
    if signals := row.report.get("signals"):
        facts["signals"] = {key: value for key, value in signals.items() if key != "evidence"}
    if (identifiers := row.report.get("identifiers")) is not None:
        facts["identifiers_decided"] = not decisions.undecided(identifiers, row.decisions)
    if row.frozen_at:
        facts["test_rows"] = row.test_rows
        facts["test_overlap_rows"] = row.report.get("test_overlap_rows", 0)
    if row.human_checked is not None:
        facts["test_human_checked"] = row.human_checked
    return facts


def _best_tried(session: Session, row: DatasetRow) -> dict[str, dict[str, Any]]:
    """What a small classifier reached on rows it was not shown, where the metric asks for the label word for word.

    One that is no better than always saying the commonest label is no classifier: then it is that rule which was tried.
    """
    learnability = row.report.get("learnability") or {}
    baseline = learnability.get("baseline")
    if not baseline or baseline["metric"] != "accuracy" or learnability.get("verdict") == "too_few":
        return {}
    if assessment_store.get(session, row.assessment_id).answers.get("metric") not in (
        "exact_match",
        "normalised_match",
    ):
        return {}
    arm, score = "small_classifier", baseline["score"]
    if learnability.get("verdict") == "unlearnable":
        arm, score = "trivial", learnability["trivial"]["score"]
    result: dict[str, Any] = {"passed": round(score * baseline["rows"]), "total": baseline["rows"]}
    return {arm: result | ({"split": learnability["of"]} if "of" in learnability else {})}
