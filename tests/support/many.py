"""Very many assessments, straight into the tables."""

from sqlalchemy import Engine, insert

from app.assessments.tables import AssessmentRow, ContributionRow
from app.db import utcnow, writing
from app.standing.rules_version import rules_version
from app.standing.tables import StandingRow
from app.users.tables import UserRow


def put_in(engine: Engine, author: UserRow, number: int) -> None:
    """Straight into the tables: assessments that need data, with their owner as contributor and a kept status."""
    if not number:
        return
    now = utcnow()
    same = {"created_by": author.id, "created_at": now, "updated_at": now}
    with writing(engine) as session:
        ids = session.scalars(
            insert(AssessmentRow.__table__).returning(AssessmentRow.__table__.c.id),  # type: ignore[arg-type]
            [{"title": f"Many {one}", "answers": {}, "team": "", "note": "", "questions_version": "", "version": 1,
              "last_tab": "", "revision": 1, "target_changes": 0, "demo": False, **same} for one in range(number)],
        ).all()  # fmt: skip
        session.execute(
            insert(ContributionRow.__table__),  # type: ignore[arg-type]
            [{"assessment_id": one, "user_id": author.id, "what": "created", "at": now} for one in ids],
        )
        session.execute(
            insert(StandingRow.__table__),  # type: ignore[arg-type]
            [{"assessment_id": one, "state": "draft", "label": "Draft", "sentence": "", "why": "", "tone": "soft",
              "action_label": "", "action_url": "", "answered": 0, "asked": 24, "list_filter": "", "archived": False,
              "owner_id": author.id, "updated_at": now, "steps": "[]", "situation": "{}", "evidence": "{}",
              "evidence_sha256": "", "revision": 1, "code": rules_version(), "stale": False,
              "worked_out_at": now} for one in ids],
        )  # fmt: skip
