"""What a review lacks is said before it is asked for and given; a void approval reads so everywhere."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.db import reading, utcnow, writing
from app.gate.tables import DecisionRow
from app.standing import service as dossier
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.gated import Gated, gated_installation, settings
from tests.support.installed import unguard

__all__ = ["gated_installation", "settings"]

People = Callable[[UserRow], TestClient]
VOID = '<span class="tag fail">invalidated</span>'


@pytest.fixture
def gated(make: Make, people: People, engine: Engine) -> Gated:
    return Gated(make, people, engine)


def test_a_review_of_answers_alone_says_so_before_and_after(make: Make, people: People) -> None:
    author, reviewer = make.author("Ada"), make.reviewer("Rob")
    bare = make.assessment(author)
    lines = ("There is no data", "Nothing was measured", "Training is locked")

    step = people(author).get(f"/assessments/{bare.id}/review").text
    review = people(author).post(f"/api/v1/assessments/{bare.id}/reviews", json={}).json()
    page = people(reviewer).get(f"/reviews/{review['id']}").text

    for line in lines:
        assert line in step
        assert line in page
        assert any(line in one for one in review["remarks"])


def test_a_review_of_what_is_ready_has_nothing_to_remark(gated: Gated) -> None:
    assert gated.requested()["remarks"] == []


def test_a_locked_assessment_is_approved_with_open_eyes(gated: Gated) -> None:
    gated.edit(owner=None)

    review = gated.requested()

    assert review["remarks"] == [
        "Training is locked: 1 criterion is open. An approval agrees with the verdict and unlocks nothing."
    ]
    assert review["remarks"][0] in gated.review_page(review)


def everywhere(gated: Gated, review: int) -> list[bool]:
    client = gated.people(gated.author)
    with reading(gated.engine) as session:
        steps = {step.slug: step for step in dossier.steps(session, session.get_one(AssessmentRow, gated.id))}
    return [
        VOID in client.get("/reviews").text,
        VOID in client.get(f"/reviews/{review}").text,
        VOID in client.get(f"/assessments/{gated.id}/review").text,
        bool(client.get(f"/api/v1/reviews/{review}").json()["void_because"]),
        steps["review"].state in ("invalidated", "outdated"),
    ]


def test_an_approval_that_holds_is_nowhere_void(gated: Gated) -> None:
    review = gated.approved()

    assert everywhere(gated, review["id"]) == [False] * 5


def test_an_edit_voids_it_everywhere(gated: Gated) -> None:
    review = gated.approved()
    gated.edit(calls_per_month=60_000)

    assert everywhere(gated, review["id"]) == [True] * 5


def test_time_voids_it_everywhere(gated: Gated) -> None:
    review = gated.approved()
    with writing(gated.engine) as session:
        unguard(session, "decisions")
        session.execute(update(DecisionRow).values(expires_at=utcnow() - timedelta(days=1)))

    assert everywhere(gated, review["id"]) == [True] * 5


def test_a_target_that_was_changed_late_is_said_where_people_decide(gated: Gated) -> None:
    with writing(gated.engine) as session:
        assessment_store.note_result(session, gated.id, utcnow())
    gated.edit(target=0.8)
    client = gated.people(gated.author)

    said = "changed 1 time after results"
    assert said in client.get(f"/assessments/{gated.id}/describe").text
    assert said in client.get(f"/assessments/{gated.id}/describe/success").text
    assert said in client.get(f"/assessments/{gated.id}/review").text
    page = gated.review_page(gated.requested())
    assert "1 time, after results on these test rows were known" in page
