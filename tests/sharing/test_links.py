"""A link shows the advice to whoever has it, and nothing else, until it ends."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.audit.tables import EntryRow
from app.db import reading, utcnow, writing
from app.economics import service as prices
from app.errors import NotFound
from app.recipes.tables import RecipeRow
from app.settings import Settings
from app.sharing import service
from app.sharing.tables import ShareRow
from app.users.tables import UserRow
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]
PRICE = {"name": "GPU", "unit": "machine_hour", "price": "2", "currency": "EUR", "dated": "2026-10-01", "source": "x"}


def made(browser: TestClient, assessment_id: int, label: str = "The budget round", days: int = 7) -> str:
    """Makes a link in the browser; gives its path."""
    answer = browser.post(f"/assessments/{assessment_id}/share", data={"label": label, "days": days})
    assert answer.status_code == 201, answer.text
    start = answer.text.index("/shared/")
    return answer.text[start : answer.text.index("<", start)]


def test_a_stranger_reads_the_advice_and_nothing_else(web: TestClient, people: People, make: Make) -> None:
    author = make.author("Dana")
    assessment = make.ready(author, title="Comments", note="A private remark", team="Docs")

    page = web.get(made(people(author), assessment.id))

    assert page.status_code == 200
    assert "Comments" in page.text
    assert "Fine-tune" in page.text
    for private in ("A private remark", "Dana", "Comment function number", "/** Does", "pairs.jsonl", "Model 1"):
        assert private not in page.text
    assert "<form" not in page.text
    assert f"/assessments/{assessment.id}" not in page.text
    assert page.headers["x-robots-tag"] == "noindex"
    assert page.headers["cache-control"] == "no-store"


def test_the_secret_is_shown_once_and_kept_as_a_hash(people: People, make: Make) -> None:
    author = make.author()
    assessment = make.assessment(author)
    browser = people(author)

    secret = made(browser, assessment.id).removeprefix("/shared/")

    assert len(secret) >= 43
    assert secret not in browser.get(f"/assessments/{assessment.id}/share").text
    with reading(make.engine) as session:
        row = session.scalars(select(ShareRow)).one()
        assert secret not in {row.token_sha256, row.label}
        assert secret[-4:] == row.last4
        assert not any(secret in str(entry.detail) for entry in session.scalars(select(EntryRow)))


@pytest.mark.parametrize("how", ["unknown", "revoked", "expired", "archived", "account closed"])
def test_a_link_that_ended_says_no_more_than_one_that_never_was(
    web: TestClient, people: People, make: Make, how: str
) -> None:
    author = make.author()
    assessment = make.assessment(author, title="Secret plan")
    path = "/shared/nothing" if how == "unknown" else made(people(author), assessment.id)
    with writing(make.engine) as session:
        row = session.scalar(select(ShareRow))
        if how == "revoked":
            service.revoke(session, assessment.id, 1, author)
        elif how == "expired" and row:
            row.expires_at = utcnow()
        elif how == "archived":
            session.merge(assessment).archived_at = utcnow()
        elif how == "account closed":
            session.merge(author).active = False

    page = web.get(path)

    assert page.status_code == 404
    assert "does not open anything" in page.text
    assert "Secret plan" not in page.text


def test_an_operator_who_shortens_lives_ends_links_that_are_older(settings: Settings, make: Make) -> None:
    author = make.author()
    assessment = make.assessment(author)
    with writing(make.engine) as session:
        _, secret = service.share(session, assessment.id, author, label="Them", days=30, most_days=90)

    with reading(make.engine) as session:
        later = utcnow() + timedelta(days=2)
        assert service.opens(session, secret, 90, later)[1].id == assessment.id
        for shorter in (1, 0):
            with pytest.raises(NotFound):
                service.opens(session, secret, shorter, later)


def test_making_opening_and_ending_are_in_the_record(web: TestClient, people: People, make: Make) -> None:
    author = make.author()
    assessment = make.assessment(author)
    browser = people(author)

    path = made(browser, assessment.id)
    web.get(path)
    web.get(path)
    ended = browser.post(f"/assessments/{assessment.id}/share/1/revoke")

    assert ended.headers["location"].endswith("/share")
    with reading(make.engine) as session:
        acts = [entry.act for entry in session.scalars(select(EntryRow).order_by(EntryRow.id))]
    assert [act for act in acts if act.startswith("share.")] == ["share.add", "share.open", "share.revoke"]


def test_a_link_needs_a_name_and_a_day_that_is_offered(people: People, make: Make) -> None:
    author = make.author()
    assessment = make.assessment(author)

    answer = people(author).post(f"/assessments/{assessment.id}/share", data={"label": " ", "days": "365"})

    assert answer.status_code == 422
    assert "Say whom it is for" in answer.text
    assert "Pick one of 1, 7, 30, 90 days" in answer.text


def test_a_link_of_another_assessment_is_not_ended_by_mistake(people: People, make: Make) -> None:
    author = make.author()
    first, second = make.assessment(author), make.assessment(author)
    browser = people(author)
    made(browser, first.id)

    assert browser.post(f"/assessments/{second.id}/share/1/revoke").status_code == 404


def test_too_many_links_are_refused(people: People, make: Make) -> None:
    author = make.author()
    assessment = make.assessment(author)
    with writing(make.engine) as session:
        for number in range(service.MOST):
            service.share(session, assessment.id, author, label=f"Link {number}", days=1, most_days=90)

    answer = people(author).post(f"/assessments/{assessment.id}/share", data={"label": "One more", "days": "1"})

    assert answer.status_code == 409


def test_programs_make_list_and_end_links(web: TestClient, people: People, make: Make) -> None:
    author = make.author()
    assessment = make.assessment(author)
    client, at = people(author), f"/api/v1/assessments/{assessment.id}/shares"

    made = client.post(at, json={"label": "The board", "days": 30})
    listed = client.get(at).json()["data"]
    url = made.json()["url"]
    opened = web.get(url[url.index("/shared/") :]).status_code
    ended = client.post(f"{at}/{made.json()['id']}/revoke")

    assert made.status_code == 201
    assert [(one["label"], one["state"], one["url"]) for one in listed] == [("The board", "open", None)]
    assert opened == 200
    assert ended.json()["state"] == "revoked"
    assert client.post(at, json={"label": "The board", "days": 365}).status_code == 422


def test_costs_are_shown_only_where_the_link_was_made_with_them(web: TestClient, people: People, make: Make) -> None:
    author = make.author()
    assessment = make.ready(author)
    client = people(author)
    with writing(make.engine) as session:
        prices.add_price(session, PRICE, author)

    plain = web.get(made(client, assessment.id)).text
    answer = client.post(f"/assessments/{assessment.id}/share", data={"label": "Finance", "days": 7, "costs": "true"})
    start = answer.text.index("/shared/")
    with_costs = web.get(answer.text[start : answer.text.index("<", start)]).text

    assert "Best prompt" in plain
    assert "Break-even" not in plain
    assert "Compare options" in plain
    assert "Per month" not in plain
    assert "Per month" in with_costs
    assert [one["costs"] for one in client.get(f"/api/v1/assessments/{assessment.id}/shares").json()["data"]] == [
        True,
        False,
    ]
    assert "with costs" in client.get(f"/assessments/{assessment.id}/share").text


def test_a_form_that_came_back_keeps_what_was_chosen(people: People, make: Make) -> None:
    author = make.author()
    assessment = make.assessment(author)

    answer = people(author).post(f"/assessments/{assessment.id}/share", data={"label": "", "days": 30, "costs": "true"})

    assert answer.status_code == 422
    assert '<option value="30" selected>' in answer.text
    assert 'name="costs" value="true" checked' in answer.text


def test_the_reader_is_told_where_it_stands_and_no_model(web: TestClient, people: People, make: Make) -> None:
    author = make.author()
    assessment = make.ready(author)
    other = make.model(name="Secret model", files={"config.json": "1" * 64})
    with writing(make.engine) as session:
        session.scalars(select(RecipeRow)).one().model_id = other.id

    page = web.get(made(people(author), assessment.id)).text

    assert "the two are not comparable" in page
    assert "Secret model" not in page
    assert "Model 1" not in page
