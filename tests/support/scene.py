"""A ready assessment, its author, and a reviewer who had no hand in it: where tests of the gate begin."""

from collections.abc import Callable
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.db import reading, writing
from app.jobs.tables import JobRow
from app.training import service as trainings
from app.users.tables import Role, UserRow
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]


class Scene:
    """What is there, and what its people do through the API."""

    def __init__(self, make: Make, people: People, engine: Engine) -> None:
        self.make, self.people, self.engine = make, people, engine
        with reading(engine) as session:
            self.author = session.scalars(select(UserRow).where(UserRow.name == "Ada")).one()
            self.reviewer = session.scalars(select(UserRow).where(UserRow.name == "Rob")).one()
            self.assessment = session.scalars(select(AssessmentRow)).one()
        self.id = self.assessment.id

    def ask(self, by: UserRow | None = None) -> dict[str, Any]:
        answer = self.people(by or self.author).post(f"/api/v1/assessments/{self.id}/reviews", json={})
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def decide(self, review: dict[str, Any], by: UserRow | None = None, **body: Any) -> Any:
        sent = {"kind": "approve", "digest": review["digest"], **body}
        return self.people(by or self.reviewer).post(f"/api/v1/reviews/{review['id']}/decisions", json=sent)

    def approve(self) -> dict[str, Any]:
        review = self.ask()
        assert self.decide(review).status_code == 201
        return review

    def launch(self, by: UserRow | None = None, key: str = "one", **more: Any) -> Any:
        return self.people(by or self.author).post(
            f"/api/v1/assessments/{self.id}/trainings", headers={"Idempotency-Key": key}, **more
        )

    def withdraw(self, review: dict[str, Any]) -> Any:
        return self.people(self.author).post(f"/api/v1/reviews/{review['id']}/withdraw")

    def change(self, table: type, **values: Any) -> None:
        """Change every row of a table behind the app's back."""
        with writing(self.engine) as session:
            session.execute(update(table).values(**values))

    def started(self) -> int:
        with reading(self.engine) as session:
            return len(session.scalars(select(JobRow).where(JobRow.kind == "train")).all())

    def denials(self) -> int:
        with reading(self.engine) as session:
            return len(session.scalars(select(EntryRow).where(EntryRow.act == "gate.denied")).all())


def lay_out(make: Make) -> None:
    """Make what a scene is of; the addresses are none that `Make` gives to others."""
    author = make.user(Role.AUTHOR, "Ada", email="ada@example.org")
    make.user(Role.REVIEWER, "Rob", email="rob@example.org")
    assessment = make.ready(author)
    # Pretend that a preflight of exactly this recipe has passed; `tests/training` runs real ones.
    with writing(make.engine) as session:
        made = trainings.plan(session, assessment.id)
        made.row.preflight, made.row.preflight_of = {"blockers": []}, made.digest
