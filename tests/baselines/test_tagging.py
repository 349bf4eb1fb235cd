"""Saying why answers fail: at once, by one or by two people, with and without scripts."""

import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.baselines import answer_store, standing, store
from app.baselines.tables import AnswerRow
from app.datasets.tables import DatasetRow
from app.db import reading, writing
from app.users.tables import UserRow
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]
HTMX = {"hx-request": "true"}


class Failures:
    """A measurement whose best variant failed on 30 of 100 dev rows, of which none is tagged yet."""

    def __init__(self, make: Make, engine: Engine) -> None:
        self.engine = engine
        self.author, self.other = make.author("Ben"), make.author("Cora")
        assessment = make.ready(self.author)
        with reading(engine) as session:
            baseline = store.current(session, assessment.id)
            assert baseline is not None
            leading = standing.leading(baseline)
            assert leading is not None
            self.baseline, self.arm, self.assessment = baseline.id, leading.id, assessment.id
            answers = answer_store.answers(session, leading.id, "dev")
            self.wrong = [answer.id for answer in answers if answer.score == 0]

    def page(self, client: TestClient, show: str = "wrong") -> str:
        return client.get(f"/baselines/{self.baseline}/arms/{self.arm}?split=dev&show={show}").text

    def cause(self, answer: int) -> tuple[str | None, int | None]:
        with reading(self.engine) as session:
            row = session.get_one(AnswerRow, answer)
            return row.cause, row.tagged_by


@pytest.fixture
def failures(make: Make, engine: Engine) -> Failures:
    return Failures(make, engine)


def tag(client: TestClient, answer: int, cause: str, before: str = "", **headers: str) -> str:
    answered = client.post(
        f"/answers/{answer}/cause", data={"cause": cause, "before": before}, headers={**HTMX, **headers}
    )
    assert answered.status_code == 200, answered.text
    return " ".join(answered.text.split())


def test_a_tag_comes_back_as_the_inside_of_its_form_with_the_progress(failures: Failures, people: People) -> None:
    client = people(failures.author)
    first = failures.wrong[0]
    before = int(re.search(r"<b>(\d+) of 30</b>", failures.page(client)).group(1))  # type: ignore[union-attr]
    tag(client, first, "")

    answered = tag(client, first, "facts")

    assert "<html" not in answered
    assert "<article" not in answered
    assert 'value="facts" id="cause-' in answered
    assert re.search(r'aria-pressed="true"[^>]*data-key="2"', answered)
    assert "Saved. Tagged by Ben." in answered
    assert f'id="tagged" role="status" hx-swap-oob="true"> <b>{before} of 30</b>' in answered
    assert failures.cause(first) == ("facts", failures.author.id)


def test_where_fewer_failed_than_are_asked_for_it_is_counted_to_those(failures: Failures, people: People) -> None:
    with writing(failures.engine) as session:
        for answer_id in failures.wrong[15:]:
            session.get_one(AnswerRow, answer_id).score = 1.0
    client = people(failures.author)
    page = failures.page(client)

    assert re.search(r"<b>\d+ of 15</b> tagged", page)
    assert "only 15 failed; the criteria ask for 30 read failures" in page
    assert re.search(r"<b>\d+ of 15</b>", tag(client, failures.wrong[0], "facts"))


def test_without_scripts_a_button_saves_and_leads_back_to_the_same_place(failures: Failures, people: People) -> None:
    client = people(failures.author)
    address = f"/answers/{failures.wrong[3]}/cause?split=dev&show=untagged&expected=a+b"

    answered = client.post(address, data={"cause": "reference"}, follow_redirects=False)

    assert answered.status_code == 303
    location = answered.headers["location"]
    assert location.startswith(f"/baselines/{failures.baseline}/arms/{failures.arm}?")
    assert location.endswith(f"#answer-{failures.wrong[3]}")
    assert {"split=dev", "show=untagged", "expected=a+b"} <= set(re.split(r"[?&#]", location))
    assert failures.cause(failures.wrong[3])[0] == "reference"


def test_the_later_of_two_people_counts_and_learns_what_the_other_had_chosen(
    failures: Failures, people: People, engine: Engine
) -> None:
    answer = failures.wrong[5]
    ben, cora = people(failures.author), people(failures.other)
    tag(ben, answer, "")  # both see it untagged

    tag(ben, answer, "facts", before="")
    answered = tag(cora, answer, "behaviour", before="")

    assert "Ben had tagged this “Missing fact” meanwhile; your tag replaced it." in answered
    assert failures.cause(answer) == ("behaviour", failures.other.id)
    assert "Settled by Cora." in failures.page(ben)
    with reading(engine) as session:
        entries = session.query(EntryRow).filter_by(act="baseline.tag").order_by(EntryRow.id).all()
        assert [(entry.detail["from"], entry.detail["to"]) for entry in entries[-2:]] == [
            (None, "facts"),
            ("facts", "behaviour"),
        ]


@pytest.mark.parametrize(("first", "second"), [("facts", "facts"), ("facts", "behaviour")])
def test_nobody_is_warned_of_what_their_page_showed_or_of_their_own(
    failures: Failures, people: People, first: str, second: str
) -> None:
    answer = failures.wrong[6]
    ben, cora = people(failures.author), people(failures.other)
    tag(ben, answer, "")
    tag(ben, answer, first)

    assert "meanwhile" not in tag(cora, answer, second, before=first)
    whose = ben if second == first else cora
    assert "meanwhile" not in tag(whose, answer, "reference", before="")  # one's own, from an older page


def test_what_cannot_be_tagged_says_so_and_changes_nothing(failures: Failures, people: People, engine: Engine) -> None:
    client = people(failures.author)
    with reading(engine) as session:
        right = next(one.id for one in answer_store.answers(session, failures.arm, "dev") if one.score == 1)

    assert client.post(f"/answers/{right}/cause", data={"cause": "facts"}, headers=HTMX).status_code == 409
    assert client.post("/answers/999999/cause", data={"cause": "facts"}, headers=HTMX).status_code == 404
    assert client.post(f"/answers/{failures.wrong[0]}/cause", data={"cause": "magic"}, headers=HTMX).status_code == 422
    assert failures.cause(right) == (None, None)


def test_the_list_says_what_differs_and_offers_the_suggestion(
    failures: Failures, people: People, engine: Engine
) -> None:
    shown = failures.page(people(failures.author))

    assert "<del>?</del>" in shown  # the output of `Make.baseline` where it fails
    assert "<ins>" in shown
    assert 'data-key="4"' in shown
    with reading(engine) as session:
        assert session.get_one(DatasetRow, 1).assessment_id == session.get_one(AssessmentRow, failures.assessment).id


def test_an_answer_leads_to_those_beside_it_under_the_same_filter(failures: Failures, people: People) -> None:
    client = people(failures.author)

    shown = client.get(f"/answers/{failures.wrong[1]}?split=dev&show=wrong").text

    assert f'rel="prev" href="/answers/{failures.wrong[0]}?split=dev&amp;show=wrong"' in shown
    assert f'rel="next" href="/answers/{failures.wrong[2]}?split=dev&amp;show=wrong"' in shown
    assert "2 of 30" in " ".join(shown.split())
    first = client.get(f"/answers/{failures.wrong[0]}?split=dev&show=wrong").text
    assert 'rel="prev"' not in first


def test_the_last_tag_can_be_undone_with_and_without_scripts(failures: Failures, people: People) -> None:
    client, answer = people(failures.author), failures.wrong[2]
    tag(client, answer, "facts")

    answered = tag(client, answer, "behaviour", before="facts")
    undo = re.search(r'name="cause" value="(\w*)" id="undo-\d+" data-undo', answered)
    assert undo is not None
    assert undo.group(1) == "facts"
    tag(client, answer, undo.group(1), before="behaviour")
    assert failures.cause(answer)[0] == "facts"

    plain = client.post(f"/answers/{answer}/cause?split=dev&show=wrong", data={"cause": "", "before": "facts"})
    page = client.get(plain.headers["location"]).text
    assert re.search(rf'value="facts" id="undo-{answer}"', page)
    elsewhere = client.post(f"/answers/{answer}/cause?split=dev&show=tagged", data={"cause": "facts", "before": ""})
    assert re.search(rf'value="" id="undo-{answer}"', client.get(elsewhere.headers["location"]).text)
    again = {"cause": "reference", "before": "facts"}
    gone = client.post(f"/answers/{answer}/cause?split=dev&show=untagged", data=again)
    page = client.get(gone.headers["location"]).text
    assert f'id="answer-{answer}"' not in page  # it is tagged, so it is none of these
    assert re.search(r'name="cause" value="facts">Undo the last tag</button>', page)
