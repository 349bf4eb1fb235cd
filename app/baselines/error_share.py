"""How many rows of an arm may end in errors before nothing is concluded from it: the policy says."""

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.baselines.tables import BaselineRow


def limit(session: Session, baseline: BaselineRow) -> float:
    """The share, 0 to 1, by the policy that the assessment is judged by (threshold `error_rate`)."""
    assessment = assessment_store.get(session, baseline.assessment_id)
    return assessments.policy_of(session, assessment).limit("error_rate")
