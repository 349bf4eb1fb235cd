"""A ready assessment at the gate: its author, a reviewer who had no hand in it, and the requests they send."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, text

from app.assessments.tables import AssessmentRow
from app.baselines import facts
from app.baselines import store as baseline_store
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow
from app.db import reading, utcnow, writing
from app.inference.tables import ModelRow
from app.settings import Settings
from app.training import service as trainings
from app.users.tables import UserRow
from tests.support import as_it_stands, scene
from tests.support.factories import Make
from tests.support.installed import copied, laid_out

People = Callable[[UserRow], TestClient]


def lay_out(make: Make) -> None:
    """Make what a `Gated` begins with; the addresses are none that `Make` gives to others."""
    scene.lay_out(make)
    with writing(make.engine) as session:
        for dataset in session.scalars(select(DatasetRow)):
            dataset_store.keep_test_keys(session, dataset.id)


@pytest.fixture(scope="session")
def gated_installation(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    """A data folder with that in it. A module that imports this and `settings` has a copy in each of its tests."""
    return laid_out(tmp_path_factory.mktemp("gated"), template, lay_out)


@pytest.fixture
def settings(tmp_path: Path, gated_installation: Path) -> Settings:
    """An installation in which only the review is missing."""
    return copied(gated_installation, tmp_path)


class Gated:
    """`id` is the assessment's.

    Where there is an assessment already (`lay_out`), it is that one, else one is made.
    """

    def __init__(self, make: Make, people: People, engine: Engine, author: UserRow | None = None) -> None:
        self.make, self.people, self.engine = make, people, engine
        with reading(engine) as session:
            there = session.scalars(select(AssessmentRow)).one_or_none()
            team = {user.name: user for user in session.scalars(select(UserRow))} if there else {}
        self.author = team.get("Ada") or author or make.author("Ada")
        self.reviewer = team.get("Rob") or make.reviewer("Rob")
        self.assessment = there or make.ready(self.author)
        self.id = self.assessment.id
        with writing(engine) as session:
            dataset = dataset_store.current(session, self.id)
            assert dataset is not None
            self.dataset = dataset
            if there is None:
                dataset_store.keep_test_keys(session, dataset.id)
        if there is None:
            self.preflight()

    def preflight(self) -> None:
        """Pretend that a preflight of exactly this recipe has passed; `tests/training` runs real ones."""
        with writing(self.engine) as session:
            made = trainings.plan(session, self.id)
            made.row.preflight, made.row.preflight_of = {"blockers": []}, made.digest

    # -------------------------------------------------------- requests

    def post(self, path: str, by: UserRow | None = None, **more: Any) -> Any:
        return self.people(by or self.author).post(path, **more)

    def edit(self, by: UserRow | None = None, **answers: Any) -> Any:
        body = {"answers": answers}
        answer = self.people(by or self.author).patch(f"/api/v1/assessments/{self.id}", json=body)
        assert answer.status_code == 200, answer.text
        return answer

    def ask(self) -> Any:
        return self.post(f"/api/v1/assessments/{self.id}/reviews", json={})

    def requested(self) -> dict[str, Any]:
        answer = self.ask()
        assert answer.status_code == 201, answer.text
        review: dict[str, Any] = answer.json()
        return review

    def decide(self, review: dict[str, Any], by: UserRow | None = None, **body: Any) -> Any:
        sent = {"kind": "approve", "digest": review["digest"], **body}
        return self.post(f"/api/v1/reviews/{review['id']}/decisions", by or self.reviewer, json=sent)

    def approved(self) -> dict[str, Any]:
        review = self.requested()
        answer = self.decide(review)
        assert answer.status_code == 201, answer.text
        return review

    def launch(self, key: str = "one") -> Any:
        return self.post(f"/api/v1/assessments/{self.id}/trainings", headers={"Idempotency-Key": key})

    def review_page(self, review: dict[str, Any]) -> str:
        return str(self.people(self.author).get(f"/reviews/{review['id']}").text)

    # -------------------------------------------------------- behind the app

    def sql(self, *statements: str) -> None:
        with writing(self.engine) as session:
            for statement in statements:
                session.execute(text(statement))

    def measured(self, assessment_id: int = 0) -> dict[str, Any]:
        """What the measurement says to the criteria."""
        with reading(self.engine) as session:
            return facts.measured(session, assessment_id or self.id).to_json()

    def subject(self, assessment_id: int = 0) -> dict[str, Any]:
        with reading(self.engine) as session:
            return as_it_stands.subject(session, session.get_one(AssessmentRow, assessment_id or self.id))

    def model(self) -> ModelRow:
        with reading(self.engine) as session:
            return session.scalars(select(ModelRow).order_by(ModelRow.id).limit(1)).one()

    def measure(self, assessment_id: int = 0, version: int = 2, **rows: int) -> DatasetRow:
        """Freeze rows as a version and measure on them: by default those of the first version."""
        assessment_id = assessment_id or self.id
        with reading(self.engine) as session:
            assessment = session.get_one(AssessmentRow, assessment_id)
        dataset = self.make.dataset(assessment, self.author, version=version, **rows)
        with writing(self.engine) as session:
            dataset_store.keep_test_keys(session, dataset.id)
            if (before := baseline_store.current(session, assessment_id)) is not None:
                before.archived_at = utcnow()
        self.make.baseline(assessment, dataset, self.model(), self.author)
        return dataset
