"""What waits for whom: each kind is listed for those who can do something about it, and leaves when it is done."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.db import engine_for, reading, utcnow, writing
from app.documents.tables import DocumentFileRow
from app.errors import Invalid
from app.gate import reviews
from app.gate.tables import DecisionRow, ReviewRow
from app.inbox import service as inbox
from app.inference.tables import ModelRow
from app.jobs.tables import JobRow
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.databases import on_both
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]


def waiting(engine: Engine, user: UserRow) -> list[tuple[str, str]]:
    """What waits for somebody: (kind, about)."""
    with reading(engine) as session:
        return [(need.kind, need.about) for need in inbox.needs(session, user)]


def counted(engine: Engine, user: UserRow) -> int:
    with reading(engine) as session:
        return inbox.waiting_reviews(session, user)


def ask(engine: Engine, by: UserRow, assessment_id: int, of: UserRow | None = None) -> ReviewRow:
    with writing(engine) as session:
        return reviews.request_review(session, assessment_id, by, "Please look.", of.id if of else None)


# ------------------------------------------------------------------ reviews to decide


def test_a_review_waits_for_every_reviewer_but_those_who_contributed(make: Make, engine: Engine) -> None:
    author, rob, cora = make.author(), make.reviewer("Rob"), make.reviewer("Cora")
    row = make.ready(author, title="Tickets")
    with writing(engine) as session:
        assessments.contribute(session, assessment_store.get(session, row.id), cora, "answers: goal")
    ask(engine, author, row.id)

    assert waiting(engine, rob) == [("review", "Tickets")]
    assert (counted(engine, rob), counted(engine, cora), counted(engine, author)) == (1, 0, 0)
    assert waiting(engine, cora) == waiting(engine, author) == []


def test_whoever_connected_the_model_is_not_counted_either(make: Make, engine: Engine) -> None:
    author, rob, admin = make.author(), make.reviewer("Rob"), make.admin("Amy")
    row = make.ready(author)
    with writing(engine) as session:
        session.execute(update(ModelRow).values(set_by=admin.id))
    ask(engine, author, row.id)

    assert (counted(engine, rob), counted(engine, admin)) == (1, 0)


def test_it_leaves_once_it_is_decided_or_something_changed(make: Make, engine: Engine) -> None:
    author, rob = make.author(), make.reviewer("Rob")
    first, second = make.ready(author, title="One"), make.ready(author, title="Two")
    review = ask(engine, author, first.id)
    ask(engine, author, second.id)
    assert counted(engine, rob) == 2

    with writing(engine) as session:
        reviews.decide(session, review.id, rob, "approve", review.digest)
        assessments.contribute(session, assessment_store.get(session, second.id), author, "answers: goal")

    assert counted(engine, rob) == 0
    assert waiting(engine, rob) == []


def test_whoever_was_asked_by_name_sees_it_first_and_others_still_can(make: Make, engine: Engine) -> None:
    author, rob, cora = make.author(), make.reviewer("Rob"), make.reviewer("Cora")
    ask(engine, author, make.ready(author, title="For anyone").id)
    ask(engine, author, make.ready(author, title="For Cora").id, cora)

    assert waiting(engine, cora) == [("review", "For Cora"), ("review", "For anyone")]
    assert sorted(waiting(engine, rob)) == [("review", "For Cora"), ("review", "For anyone")]


def test_nobody_is_asked_who_may_not_decide(make: Make, engine: Engine) -> None:
    author = make.author()
    row = make.ready(author)

    for nobody in (author, make.author("Ben"), make.user(active=False)):
        with pytest.raises(Invalid, match="not requested"):
            ask(engine, author, row.id, nobody)


def test_who_is_asked_is_no_part_of_what_is_approved(make: Make, engine: Engine) -> None:
    author, cora = make.author(), make.reviewer("Cora")
    row = make.ready(author)
    named = ask(engine, author, row.id, cora)
    with writing(engine) as session:
        reviews.withdraw(session, named.id, author)

    assert ask(engine, author, row.id).digest == named.digest
    assert "asked_of" not in named.subject


def test_the_count_stands_in_the_menu(make: Make, engine: Engine, people: People) -> None:
    author, rob = make.author(), make.reviewer("Rob")
    ask(engine, author, make.ready(author).id)

    assert '1<span class="hidden"> waiting for you' in people(rob).get("/jobs").text
    assert "waiting for you" not in people(author).get("/jobs").text


@on_both
def test_everything_is_found_on_either_database(either: Settings) -> None:
    engine = engine_for(either)
    make = Make(engine, either)
    author, rob = make.author("Ada"), make.reviewer("Rob")
    decided, open_one = make.ready(author, title="Decided"), make.ready(author, title="Open")
    make.dataset(open_one, author, train=2, dev=0, test=0, version=2, state="rejected", undecided=1)
    other = make.assessment(author, title="Data")
    make.dataset(other, author, train=2, dev=0, test=0, undecided=1)
    failed(engine, author, decided.id)
    review = ask(engine, author, decided.id)
    with writing(engine) as session:
        reviews.decide(session, review.id, rob, "request_changes", review.digest, "No.")
    ask(engine, author, open_one.id, rob)

    found = sorted(waiting(engine, author))
    asked = waiting(engine, rob)
    engine.dispose()

    assert found == [("changes", "Decided"), ("failed", "Check a.jsonl, Decided"), ("personal", "Data")]
    assert asked == [("review", "Open")]


# ------------------------------------------------------------------ what came back


def test_changes_requested_wait_for_everybody_who_works_on_it(make: Make, engine: Engine) -> None:
    author, ben, rob = make.author(), make.author("Ben"), make.reviewer("Rob")
    row = make.ready(author, title="Tickets")
    review = ask(engine, author, row.id)
    with writing(engine) as session:
        reviews.decide(session, review.id, rob, "request_changes", review.digest, "The target is too low.")

    with reading(engine) as session:
        (need,) = inbox.needs(session, author)
    assert (need.kind, need.why, need.who, need.url) == (
        "changes", "The target is too low.", "Rob", f"/reviews/{review.id}",
    )  # fmt: skip
    assert waiting(engine, ben) == waiting(engine, rob) == []


def test_an_approval_that_holds_waits_for_nobody_and_one_that_fell_for_its_author(make: Make, engine: Engine) -> None:
    author, rob = make.author(), make.reviewer("Rob")
    changed, late = make.ready(author, title="Changed"), make.ready(author, title="Late")
    for row in (changed, late):
        review = ask(engine, author, row.id)
        with writing(engine) as session:
            made = reviews.decide(session, review.id, rob, "approve", review.digest)
    assert waiting(engine, author) == []

    with writing(engine) as session:
        assessments.contribute(session, assessment_store.get(session, changed.id), author, "answers: goal")
        session.execute(
            update(DecisionRow).where(DecisionRow.id == made.id).values(expires_at=utcnow() - timedelta(days=1))
        )

    assert sorted(waiting(engine, author)) == [("fallen", "Changed"), ("fallen", "Late")]
    with writing(engine) as session:
        assessments.archive(session, changed.id, author)
    assert waiting(engine, author) == [("fallen", "Late")]


# ------------------------------------------------------------------ jobs


def failed(engine: Engine, by: UserRow, assessment_id: int | None = None, **different: object) -> int:
    usual: dict[str, object] = {"kind": "check", "title": "Check a.jsonl", "subject_id": 1, "queue": "cpu"}
    with writing(engine) as session:
        job = JobRow(
            **(usual | {"status": "failed", "failure": "It ends in line 4."} | different),
            assessment_id=assessment_id,
            progress={},
            created_by=by.id,
            created_at=utcnow(),
            finished_at=utcnow(),
        )
        session.add(job)
        session.flush()
        return job.id


def test_a_failed_job_waits_for_whoever_started_it_until_they_look(make: Make, engine: Engine, people: People) -> None:
    author, ben = make.author(), make.author("Ben")
    row = make.assessment(author)
    job = failed(engine, author, row.id)
    assert [kind for kind, _ in waiting(engine, author)] == ["failed"]

    people(ben).post(f"/jobs/{job}/seen")
    assert [kind for kind, _ in waiting(engine, author)] == ["failed"]
    looked = people(author).post(f"/jobs/{job}/seen")

    assert looked.headers["location"] == f"/assessments/{row.id}/data"
    assert waiting(engine, author) == waiting(engine, ben) == []


def test_one_that_was_started_again_is_no_news(make: Make, engine: Engine) -> None:
    author = make.author()
    failed(engine, author)
    failed(engine, author, status="running", failure=None)

    assert waiting(engine, author) == []
    with reading(engine) as session:
        assert [job.title for job, _ in inbox.running(session, author)] == ["Check a.jsonl"]


def test_a_cancelled_job_is_no_failure(make: Make, engine: Engine) -> None:
    author = make.author()
    failed(engine, author, status="cancelled", failure=None)

    assert waiting(engine, author) == []


# ------------------------------------------------------------------ personal data


def test_undecided_personal_data_waits_for_those_who_work_on_it(make: Make, engine: Engine) -> None:
    author, ben = make.author(), make.author("Ben")
    row = make.assessment(author, title="Tickets")
    dataset = make.dataset(row, author, train=2, dev=0, test=0, undecided=2)
    assert waiting(engine, author) == [("personal", "Tickets")]
    assert waiting(engine, ben) == []

    make.dataset(row, author, train=2, dev=0, test=0, version=2)
    assert waiting(engine, author) == []
    assert dataset.undecided == 2


def test_a_file_of_documents_waits_until_it_is_taken_out(make: Make, engine: Engine) -> None:
    author = make.author()
    row = make.assessment(author, title="Tickets")
    with writing(engine) as session:
        session.add(
            DocumentFileRow(
                assessment_id=row.id,
                batch=1,
                filename="a.md",
                bytes=1,
                blob_sha256="0" * 64,
                state="ready",
                uploaded_by=author.id,
                uploaded_at=utcnow(),
                private=[],
                undecided=1,
            )
        )
    assert waiting(engine, author) == [("personal", "Tickets")]

    with writing(engine) as session:
        session.execute(update(DocumentFileRow).values(removed_at=utcnow()))
    assert waiting(engine, author) == []
