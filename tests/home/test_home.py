"""The home page: what needs you, what runs, the checklist, the list with its filters, and the finished example."""

import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.audit import service as audit
from app.db import reading, utcnow, writing
from app.economics.tables import PriceRow
from app.gate import reviews
from app.gate.tables import ReviewRow
from app.home import store
from app.jobs.tables import JobRow
from app.users.tables import UserRow
from tests.support.factories import PASSWORD, Make

People = Callable[[UserRow], TestClient]


def count_of(page: str, label: str) -> int:
    """The number that a filter's link shows."""
    found = re.search(rf">{label} <small>(\d+)</small>", page)
    assert found, label
    return int(found[1])


# ------------------------------------------------------------------ what needs you


def test_a_reviewer_sees_what_waits_with_one_button(make: Make, engine: Engine, people: People) -> None:
    author, rob = make.author("Ada"), make.reviewer("Rob")
    row = make.ready(author, title="Tickets")
    with writing(engine) as session:
        review = reviews.request_review(session, row.id, author, "This is a trial run.", rob.id)

    page = people(rob).get("/").text

    assert "Needs you <small>1</small>" in page
    assert "Review requested of you:" in page
    assert "This is a trial run." in page
    assert f'href="/reviews/{review.id}"' in page
    assert "Needs you" not in people(author).get("/").text


def test_a_failure_is_gone_once_somebody_looked(make: Make, engine: Engine, people: People) -> None:
    author = make.author()
    with writing(engine) as session:
        job = JobRow(
            kind="convert", title="Prepare a model", subject_id=1, queue="model", status="failed", progress={},
            failure="The disk is full.", created_by=author.id, created_at=utcnow(), finished_at=utcnow(),
        )  # fmt: skip
        session.add(job)
    client = people(author)

    assert "The disk is full." in client.get("/").text
    assert client.post(f"/jobs/{job.id}/seen").headers["location"] == f"/jobs/{job.id}"
    assert "The disk is full." not in client.get("/").text


def test_what_runs_has_its_bar_and_the_time_left(make: Make, engine: Engine, people: People) -> None:
    author = make.author()
    row = make.assessment(author, title="Tickets")
    with writing(engine) as session:
        session.add(
            JobRow(
                kind="measure",
                title="Measure with SmolLM2",
                subject_id=1,
                queue="model",
                status="running",
                progress={"done": 30, "total": 40, "unit": "answers", "seconds_left": 130},
                assessment_id=row.id,
                created_by=author.id,
                created_at=utcnow(),
            )
        )

    page = people(author).get("/").text

    assert 'max="40"' in page
    assert "30 of 40 answers" in page
    assert "about 2 min 10 s left" in page
    assert "Measure with SmolLM2" not in people(make.author()).get("/").text


# ------------------------------------------------------------------ the list


def test_each_line_says_status_score_owner_and_when(make: Make, people: People) -> None:
    ada = make.author("Ada")
    make.ready(ada, title="Tickets", team="Support")
    make.assessment(ada, title="Blank")

    page = people(make.author()).get("/").text

    assert "68.2 % of 90 %" in re.sub(r"\s+", " ", page)
    assert "not measured" in page
    assert "Ada" in page
    assert re.search(r'<time [^>]*title="\d{4}-\d\d-\d\d \d\d:\d\d UTC"[^>]*>just now</time>', page)


def test_filters_are_links_that_say_how_many_there_are(make: Make, engine: Engine, people: People) -> None:
    ada, ben = make.author("Ada"), make.author("Ben")
    asked = make.ready(ada, title="Asked")
    make.assessment(ben, title="Bens")
    old = make.assessment(ada, title="Old")
    with writing(engine) as session:
        reviews.request_review(session, asked.id, ada)
    client = people(ada)
    client.post(f"/assessments/{old.id}/archive")

    page = client.get("/").text

    shown = {label: count_of(page, label) for label in ("All", "Mine", "In review", "Ready", "Trained", "Archived")}
    assert shown == {"All": 2, "Mine": 1, "In review": 1, "Ready": 0, "Trained": 0, "Archived": 1}
    assert 'aria-current="page">All' in page


def test_a_filter_keeps_what_was_searched_for(make: Make, people: People) -> None:
    ada = make.author("Ada")
    make.assessment(ada, title="Tickets")

    page = people(ada).get("/?q=tick&state=mine").text

    assert 'href="/?state=archived&amp;q=tick"' in page
    assert 'name="state" value="mine"' in page


# ------------------------------------------------------------------ the set-up checklist


def test_the_checklist_ticks_itself(make: Make, engine: Engine, people: People) -> None:
    admin = make.admin("Amy")
    client = people(admin)
    assert "Set up Tunegate <small>1 of 4</small>" in client.get("/").text

    make.author()
    assert "<small>2 of 4</small>" in client.get("/").text
    make.model()
    assert "<small>3 of 4</small>" in client.get("/").text
    with writing(engine) as session:
        session.add(
            PriceRow(
                name="m",
                unit="gpu_hour",
                price=1.0,
                currency="EUR",
                dated=utcnow().date(),
                source="a list",
                edited_by=admin.id,
                edited_at=utcnow(),
            )
        )
    assert "Set up Tunegate" not in client.get("/").text


def test_accounts_of_ones_own_making_are_no_second_person_and_the_list_says_what_to_do(
    make: Make, engine: Engine, people: People
) -> None:
    amy, ada, rob = make.admin("Amy"), make.author("Ada"), make.reviewer("Rob")
    make.user(name="Gone", active=False)
    with writing(engine) as session:
        audit.record(session, amy, "user.add", "user", ada.id, {})
        audit.record(session, amy, "user.add", "user", rob.id, {})
    assert "Add two more people" not in people(amy).get("/").text, "Ada and Rob are two"

    with writing(engine) as session:
        session.get_one(UserRow, rob.id).active = False
    page = people(amy).get("/").text
    assert "Add two more people" in page
    assert "whoever made an account is no second person beside it" in page
    assert "reset-password" in page


def test_the_checklist_can_be_dismissed_and_is_no_authors_business(make: Make, people: People) -> None:
    admin = people(make.admin())

    assert admin.post("/checklist/dismiss").headers["location"] == "/"
    assert "Set up Tunegate" not in admin.get("/").text
    author = people(make.author())
    assert "Set up Tunegate" not in author.get("/").text
    assert author.post("/checklist/dismiss").status_code == 403


def test_the_accounts_of_the_worked_example_are_no_second_person(make: Make, engine: Engine) -> None:
    make.admin()
    make.user(name="Dana (demo)", email="dana@demo.invalid")

    with reading(engine) as session:
        assert store.there(session).people == 1


def test_whoever_takes_an_account_up_lands_on_home(make: Make, people: People) -> None:
    form = {"current": PASSWORD, "password": "another long enough phrase", "again": "another long enough phrase"}

    first = people(make.user(must_change_password=True)).post("/account/password", data=form)
    later = people(make.user()).post("/account/password", data=form)

    assert first.headers["location"] == "/"
    assert later.headers["location"] == "/account"


# ------------------------------------------------------------------ an empty home


def test_an_authors_empty_home_offers_a_beginning_and_something_to_look_at(make: Make, people: People) -> None:
    page = people(make.author()).get("/").text

    assert "New assessment" in page
    assert "Look at the finished example" in page
    assert 'action="/demo"' not in page


# ------------------------------------------------------------------ choosing the reviewer


def test_the_form_offers_those_who_may_decide(make: Make, people: People, engine: Engine) -> None:
    author, rob = make.author(), make.reviewer("Rob")
    row = make.ready(author)
    client = people(author)

    page = client.get(f"/assessments/{row.id}/review").text
    assert "Anyone who may decide" in page
    assert re.search(rf'<option value="{rob.id}">Rob ', page)

    answer = client.post(
        f"/assessments/{row.id}/review", data={"about": "Look at the target.", "reviewer": str(rob.id)}
    )
    assert answer.status_code == 303
    with reading(engine) as session:
        assert session.scalars(select(ReviewRow)).one().asked_of == rob.id


@pytest.mark.parametrize("chosen", ["0", "99999", "rob", "-1"])
def test_a_bad_choice_keeps_the_form(make: Make, people: People, chosen: str) -> None:
    author = make.author()
    make.reviewer()
    row = make.ready(author)

    answer = people(author).post(f"/assessments/{row.id}/review", data={"about": "Look here.", "reviewer": chosen})

    assert answer.status_code == 422
    assert "This person cannot decide it" in answer.text
    assert "Look here.</textarea>" in answer.text


def test_programs_choose_one_too(make: Make, people: People) -> None:
    author, rob = make.author(), make.reviewer()
    row = make.ready(author)
    client = people(author)

    refused = client.post(f"/api/v1/assessments/{row.id}/reviews", json={"reviewer": author.id})
    made = client.post(f"/api/v1/assessments/{row.id}/reviews", json={"reviewer": rob.id})

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/reviewer")
    assert (made.status_code, made.json()["asked_of"]) == (201, rob.id)
