"""Reading what an adapter got wrong is no edit: it takes nothing back that was found or approved."""

from collections.abc import Callable

from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.baselines.tables import AnswerRow, ArmRow
from app.db import reading
from app.standing import service
from app.users.tables import UserRow

People = Callable[[UserRow], TestClient]


def test_a_tag_on_an_answer_of_the_adapter_leaves_the_result_the_newest_word(engine: Engine, people: People) -> None:
    with reading(engine) as session:
        author = session.scalars(select(UserRow).where(UserRow.name == "Ada")).one()
        before = session.get_one(AssessmentRow, 1)
        failed = session.scalars(
            select(AnswerRow).join(ArmRow, ArmRow.id == AnswerRow.arm_id)
            .where(ArmRow.family == "adapter", AnswerRow.score == 0).order_by(AnswerRow.id)
        ).first()  # fmt: skip
        assert failed is not None

    tagged = people(author).post(f"/answers/{failed.id}/cause", data={"cause": "facts"})

    assert tagged.status_code == 303
    with reading(engine) as session:
        after = session.get_one(AssessmentRow, 1)
        assert session.get_one(AnswerRow, failed.id).cause == "facts"
        assert after.revision == before.revision
        assert service.standing(session, after).state == "improved"
