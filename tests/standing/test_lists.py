"""Lists by what is kept: filters, counts, pages, words, and the API's filter by state."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event

from app.assessments.tables import AssessmentRow
from app.db import reading, utcnow, writing
from app.standing import service, store
from app.standing.store import MOST_COUNTED, Wanted
from app.standing.tables import StandingRow
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.many import put_in

People = Callable[[UserRow], TestClient]


def titles(engine: Engine, wanted: Wanted, number: int = 1, size: int = 20) -> list[str]:
    with reading(engine) as session:
        return [line.title for line in store.page(session, wanted, number, size).lines]


@pytest.fixture
def three(make: Make) -> UserRow:
    """One that needs data, one that is ready, one in the archive; the first two are one person's."""
    author = make.author()
    make.assessment(author, title="Tickets", team="Support")
    make.ready(author, title="Comments")
    old = make.assessment(title="Old")
    with writing(make.engine) as session:
        session.get_one(AssessmentRow, old.id).archived_at = utcnow()
    return author


@pytest.mark.parametrize(
    ("list_filter", "text", "listed"),
    [
        ("", "", {"Tickets", "Comments"}),
        ("mine", "", {"Tickets", "Comments"}),
        ("ready", "", {"Comments"}),
        ("in_review", "", set()),
        ("trained", "", set()),
        ("archived", "", {"Old"}),
        ("", "support", {"Tickets"}),
        ("", "tickets comments", set()),
    ],
)
def test_a_filter_shows_what_it_names(
    engine: Engine, three: UserRow, list_filter: str, text: str, listed: set[str]
) -> None:
    assert set(titles(engine, Wanted(list_filter, three.id, text))) == listed


def test_each_filter_is_counted(engine: Engine, three: UserRow) -> None:
    with reading(engine) as session:
        assert store.counts(session, three.id) == {
            "": 2, "mine": 2, "in_review": 0, "ready": 1, "trained": 0, "archived": 1}  # fmt: skip


def test_what_was_changed_last_comes_first_and_pages_go_on(engine: Engine, make: Make) -> None:
    author = make.author()
    for number in range(5):
        make.assessment(author, title=f"Case {number}")

    assert titles(engine, Wanted(), 1, 2) == ["Case 4", "Case 3"]
    assert titles(engine, Wanted(), 3, 2) == ["Case 0"]
    with reading(engine) as session:
        assert store.page(session, Wanted(), 2, 2).total == 5


def test_a_line_that_is_stale_is_worked_out_for_the_page(engine: Engine, make: Make) -> None:
    row = make.ready()
    with writing(engine) as session:
        held = session.get_one(StandingRow, row.id)
        held.stale, held.label = True, "As it was"
    with reading(engine) as session:
        lines = service.fresh_lines(session, store.page(session, Wanted(), 1, 20).lines)

    assert [(line.standing.label, line.stale) for line in lines] == [("Needs a preflight", False)]


@pytest.mark.past_the_app
def test_nobody_waits_for_a_count_of_very_many(engine: Engine, make: Make) -> None:
    author, other = make.author(), make.author()
    put_in(engine, author, 2 * MOST_COUNTED + 500)
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))

    with reading(engine) as session:
        counts = store.counts(session, author.id)
        page = store.page(session, Wanted("mine", author.id), 2, 20)
        nobodys = store.page(session, Wanted("mine", other.id), 1, 20)

    assert counts[""] == counts["mine"] == MOST_COUNTED
    assert (len(page.lines), page.total) == (20, 20 + MOST_COUNTED)
    assert nobodys.lines == []
    assert len(asked) < 20


# ------------------------------------------------------------------ programs


def test_programs_get_the_status_and_ask_for_those_in_a_state(three: UserRow, people: People) -> None:
    client = people(three)

    every = client.get("/api/v1/assessments").json()["data"]
    assert {one["title"]: one["standing"]["state"] for one in every} == {
        "Tickets": "needs_data", "Comments": "ready_for_review"}  # fmt: skip
    assert every[0]["standing"]["action"].keys() == {"label", "url"}

    def states(query: str) -> list[str]:
        return [one["title"] for one in client.get(f"/api/v1/assessments?{query}").json()["data"]]

    assert states("state=needs_data") == ["Tickets"]
    assert states("state=needs_data&state=ready_for_review") == ["Comments", "Tickets"]
    assert states("state=archived") == ["Old"]
    assert states("state=needs_data&q=comments") == []
    assert client.get("/api/v1/assessments?state=green").status_code == 422


def test_an_edit_answers_with_the_status_after_it(three: UserRow, people: People) -> None:
    client = people(three)

    changed = client.patch("/api/v1/assessments/1", json={"answers": {"target": None}})

    assert changed.json()["standing"]["label"] == "Needs a target"
    assert client.get("/api/v1/assessments/1").json()["standing"] == changed.json()["standing"]
