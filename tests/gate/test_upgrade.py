"""A database of the version before opens in this one: what was approved has its digest, and goes on to count.

Made by going back and forth: a database of today, taken down to the step before and brought up again.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from sqlalchemy import func, select, text, update

from app import schema
from app.assessments.tables import AssessmentRow
from app.baselines import store as baseline_store
from app.baselines.tables import BaselineRow
from app.datasets import store as dataset_store
from app.datasets.tables import KeyRow
from app.db import engine_for, reading, writing
from app.gate import reviews
from app.gate.subject import digest
from app.gate.tables import DecisionRow, ReviewRow
from app.settings import Settings
from tests.support import as_it_stands
from tests.support.factories import Make

BEFORE = "0011"  # the step before approvals were sealed


class Old:
    """An approved assessment in a database that is about to be of the version before."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine = engine_for(settings)
        make = Make(self.engine, settings)
        self.reviewer, author = make.reviewer(), make.author()
        self.id = make.ready(author).id
        with writing(self.engine) as session:
            review = reviews.request_review(session, self.id, author)
            reviews.decide(session, review.id, self.reviewer, "approve", review.digest)
        self.review, self.digest = review.id, review.digest

    def back(self, *statements: str) -> None:
        """Go back, and do what could be done there."""
        command.downgrade(schema.config(self.settings.url), BEFORE)
        with writing(self.engine) as session:
            for statement in statements:
                session.execute(text(statement))

    def forth(self) -> None:
        schema.upgrade(self.settings)

    def one(self, query: Any) -> Any:
        with reading(self.engine) as session:
            return session.scalars(query).one()


@pytest.fixture
def old(either: Settings) -> Iterator[Old]:
    made = Old(either)
    yield made
    made.engine.dispose()


def test_an_approval_goes_on_to_count_under_the_same_digest(old: Old) -> None:
    old.back()
    old.forth()

    with reading(old.engine) as session:
        made = as_it_stands.subject(session, session.get_one(AssessmentRow, old.id))
        reasons = as_it_stands.reasons_against(session, old.id)
    assert digest(made) == old.digest
    assert reasons == []


def test_measurements_keep_what_their_model_is_and_test_rows_are_known_again(old: Old) -> None:
    old.back()
    old.forth()

    baseline = old.one(select(BaselineRow))
    assert baseline.model_as["name"] == "Model 3"
    with reading(old.engine) as session:
        assert session.scalar(select(func.count()).select_from(KeyRow)) == 220
        assert dataset_store.of_same_test_rows(session, baseline.dataset_id) == {baseline.dataset_id: old.id}
        assert session.get_one(AssessmentRow, old.id).result_seen_at is not None
        assert baseline_store.on_same_rows(session, baseline.dataset_id)[0].id == baseline.id


def test_what_two_people_at_once_could_leave_behind_is_put_right(old: Old) -> None:
    """Two living approvals by one person, and an approved review that another one asked to change."""
    copied = "select review_id, reviewer_id, '{}', digest, comment, at, expires_at from decisions where id = 1"
    into = "insert into decisions (review_id, reviewer_id, kind, digest, comment, at, expires_at)"
    old.back(f"{into} {copied.format('approve')}")
    old.forth()
    with reading(old.engine) as session:
        living = session.scalars(select(DecisionRow).where(DecisionRow.voided_at.is_(None))).all()
    assert [row.id for row in living] == [2]

    old.back(f"{into} {copied.format('request_changes')}")
    old.forth()

    assert old.one(select(ReviewRow)).state == "changes_requested"


def test_an_approval_that_nobody_gave_is_not_sealed_by_an_upgrade(old: Old) -> None:
    old.back()
    with writing(old.engine) as session:
        session.execute(text("drop trigger audit_no_delete" + _on(old, "audit")))
        session.execute(text("delete from audit where act = 'review.approve'"))
        session.execute(text(_again(old)))
    old.forth()

    with reading(old.engine) as session:
        assert any("seal" in reason for reason in as_it_stands.reasons_against(session, old.id))


def _on(old: Old, table: str) -> str:
    return "" if old.settings.url.startswith("sqlite") else f" on {table}"


def _again(old: Old) -> str:
    """The trigger that a step down will look for."""
    if old.settings.url.startswith("sqlite"):
        return "create trigger audit_no_delete before delete on audit when 0 begin select 1; end"
    return "create trigger audit_no_delete before delete on audit for each row execute function audit_no_delete()"


def test_the_seals_are_made_in_one_upgrade_only(old: Old) -> None:
    with writing(old.engine) as session:
        session.execute(text("drop trigger decisions_frozen" + _on(old, "decisions")))
        session.execute(update(DecisionRow).values(seal=""))

    schema.upgrade(old.settings)

    with reading(old.engine) as session:
        assert any("seal" in reason for reason in as_it_stands.reasons_against(session, old.id))
