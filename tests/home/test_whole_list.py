"""The list's filters look at every assessment, however many there are."""

from collections.abc import Callable

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.db import utcnow, writing
from app.home import listing
from app.users.tables import UserRow
from tests.support.factories import Make

LATER = 305

People = Callable[[UserRow], TestClient]


def test_what_is_ready_is_found_behind_many_newer_ones(make: Make, people: People, engine: Engine) -> None:
    author = make.author()
    make.ready(author, title="The ready one")
    same = {"created_by": author.id, "created_at": utcnow(), "updated_at": utcnow()}
    with writing(engine) as session:
        session.add_all(AssessmentRow(**{"title": f"Later {number}", "answers": {}, **same}) for number in range(LATER))

    page = people(author).get("/", params={"state": "ready"}).text

    assert "The ready one" in page
    assert "Later" not in page


def test_a_filter_has_pages_and_counts_all(make: Make, people: People, engine: Engine) -> None:
    author = make.author()
    for number in range(listing.PAGE + 1):
        leaning = make.assessment(
            author, title=f"Leaning {number:02}", answers={"goals": ["style"], "main_goal": "style"}
        )
        assert leaning.id
    client = people(author)

    first, second = (client.get("/", params={"state": "mine", "page": page}).text for page in (1, 2))

    assert first.count("Leaning ") == listing.PAGE
    assert second.count("Leaning ") == 1
