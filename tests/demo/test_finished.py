"""The finished example: what was measured, put in front of whoever asks, and touched by nobody."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select

from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.datasets.tables import DatasetRow, ExampleRow, KeyRow
from app.db import engine_for, reading, utcnow, writing
from app.demo import finished, recording, service
from app.errors import Conflict
from app.gate import launching, store
from app.gate.subject import digest_of_text
from app.inbox import service as inbox
from app.jobs.tables import JobRow
from app.results import service as results
from app.settings import Settings
from app.standing import service as standings
from app.training import store as trainings
from app.users.tables import UserRow
from tests.support import as_it_stands
from tests.support.factories import PASSWORD, Make
from tests.support.trained import trained

People = Callable[[UserRow], TestClient]
PAGES = (
    "", "/describe", "/describe/goal", "/data", "/measure", "/verdict", "/costs", "/review", "/train", "/result",
    "/result?which=broken", "/documents",
)  # fmt: skip


@pytest.fixture
def example(make: Make, engine: Engine) -> AssessmentRow:
    """The example as it ships, put into a database with nothing in it."""
    with writing(engine) as session:
        return finished.show(session, make.blobs, make.author("Nora"))


def test_it_is_what_was_measured(example: AssessmentRow, engine: Engine) -> None:
    found = recording.read()
    (run,) = found.rows["trainings"]
    (review,) = found.rows["reviews"]

    with reading(engine) as session:
        training = trainings.judged(session, example.id)
        assert training is not None
        outcome = results.outcome(session, training.id)
        kept = store.latest(session, example.id)
        examples = session.scalar(select(func.count(ExampleRow.id)))
    assert outcome.compared is not None
    summary = results.summary(outcome)
    assert summary is not None
    # Worked out anew from the answers that came along, and the same to the last digit as where it was measured.
    assert {name: summary[name] for name in ("verdict", "before", "after", "delta", "low", "high", "p", "rows")} == {
        name: run["result"][name] for name in ("verdict", "before", "after", "delta", "low", "high", "p", "rows")
    }
    assert kept is not None
    assert kept.digest == review["digest"] == digest_of_text(kept.subject.encode())
    assert examples == len(found.rows["examples"]) >= 1000
    assert kept.requested_at == datetime.fromisoformat(review["requested_at"])


def test_it_is_put_into_either_database(either: Settings) -> None:
    engine = engine_for(either)
    make = Make(engine, either)
    with writing(engine) as session:
        row = finished.show(session, make.blobs, make.author())

    with reading(engine) as session:
        standing = standings.standing(session, assessment_store.get(session, row.id))
        training = trainings.judged(session, row.id)
        assert training is not None
        arm = results.outcome(session, training.id).adapter
    engine.dispose()

    assert (standing.state, standing.why, standing.action.label) == ("improved", "", "See the result")
    assert arm is not None
    assert arm.settings["training"] == training.id


def test_every_page_shows_it_and_says_what_it_is(example: AssessmentRow, make: Make, people: People) -> None:
    client = people(make.author())

    for path in PAGES:
        page = client.get(f"/assessments/{example.id}{path}", follow_redirects=True)
        assert page.status_code == 200, path
        assert "<b>Example</b>" in page.text, path
        assert "; read only." in page.text, path


def test_asking_again_gives_the_same_one(example: AssessmentRow, make: Make, people: People, engine: Engine) -> None:
    client = people(make.author())

    first = client.post("/example")
    client.post(f"/assessments/{example.id}/archive")
    second = client.post("/api/v1/demo/finished")

    assert first.headers["location"] == f"/assessments/{example.id}"
    assert second.json() == {"assessment_id": example.id, "recorded": example.recorded}
    with reading(engine) as session:
        (only,) = session.scalars(select(AssessmentRow)).all()
        assert only.archived_at is None


def test_only_an_admin_puts_it_away_and_a_copy_notes_nothing_of_it(
    example: AssessmentRow, make: Make, people: People, engine: Engine
) -> None:
    author, admin = people(make.author()), people(make.admin())

    assert author.post(f"/assessments/{example.id}/archive").status_code == 403
    assert "Archive</button>" not in author.get(f"/assessments/{example.id}").text
    made = author.post(f"/api/v1/assessments/{example.id}/copy").json()
    assert made["note"] == ""
    assert admin.post(f"/assessments/{example.id}/archive").status_code == 303
    assert author.post(f"/assessments/{example.id}/restore").status_code == 403


def test_nobody_opens_its_accounts(example: AssessmentRow, make: Make, people: People, engine: Engine) -> None:
    client = people(make.admin())
    with reading(engine) as session:
        accounts = [user.id for user in session.scalars(select(UserRow)) if user.nobody]

    assert len(accounts) == 2
    for account in accounts:
        assert client.post(f"/users/{account}/enable").status_code == 409
        assert client.post(f"/users/{account}/reset-password").status_code == 409
        assert client.post(f"/users/{account}/role", data={"role": "admin"}).status_code == 409
    assert "nobody can sign in" in client.get("/users").text


def test_it_is_in_no_list_and_no_count(example: AssessmentRow, make: Make, people: People, engine: Engine) -> None:
    admin = make.admin()
    client = people(admin)

    assert example.title not in client.get("/").text
    assert example.title not in client.get("/reviews").text
    for name in ("assessments", "assessments?state=improved", "reviews?state=consumed", "trainings"):
        assert client.get(f"/api/v1/{name}").json()["data"] == [], name
    with reading(engine) as session:
        assert not assessment_store.anything(session)
        assert service.find(session) is None  # the demo of this installation is another one
        assert session.scalars(select(KeyRow)).all() == []  # its test rows were not looked at here
        assert inbox.waiting_reviews(session, admin) == 0


def test_nothing_of_it_can_be_changed(example: AssessmentRow, make: Make, people: People, engine: Engine) -> None:
    admin = people(make.admin())
    base, api = f"/assessments/{example.id}", f"/api/v1/assessments/{example.id}"

    refused = [
        admin.patch(api, json={"answers": {"target": 0.5}}),
        admin.put(f"{api}/dataset?filename=a.jsonl", content=b'{"prompt": "a", "completion": "b"}\n'),
        admin.post(f"{api}/reviews", json={}),
        admin.post(f"{api}/baselines", json={"model_id": make.model().id, "instructions": "Write it."}),
        admin.post(f"{base}/share", data={"label": "Ben", "days": "7"}),
        admin.post(f"{api}/trainings", headers={"Idempotency-Key": "mine"}),
        admin.post(f"{base}/details", data={"title": "Mine"}),
    ]

    assert {answer.status_code for answer in refused} <= {403, 409}, [answer.text for answer in refused]
    with reading(engine) as session:
        row = assessment_store.get(session, example.id)
        assert (row.revision, row.title) == (example.revision, example.title)
        assert any("finished example" in reason for reason in launching.weigh(session, row).reasons)
        assert as_it_stands.hands(session, row.id).keys().isdisjoint({make.admin().id})


def test_a_copy_of_it_is_somebodys_own(example: AssessmentRow, make: Make, people: People, engine: Engine) -> None:
    author = make.author()

    copied = people(author).post(f"/assessments/{example.id}/copy")

    assert copied.status_code == 303
    with reading(engine) as session:
        (own,) = session.scalars(select(AssessmentRow).where(AssessmentRow.recorded == "")).all()
    assert (own.created_by, own.demo, own.answers) == (author.id, False, example.answers)


def test_nobody_signs_in_as_its_people(example: AssessmentRow, web: TestClient, engine: Engine) -> None:
    with reading(engine) as session:
        people = session.scalars(select(UserRow).where(UserRow.email.like(f"%@{finished.DOMAIN}"))).all()
    assert {person.name for person in people} == {"Dana (example)", "Robin (example)"}

    for person in people:
        answer = web.post("/sign-in", data={"email": person.email, "password": PASSWORD})
        assert answer.status_code == 422
        assert not person.active


@pytest.mark.parametrize("content", [None, b"", b"not what it should be"])
def test_a_recording_that_is_not_there_or_damaged_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "rows.json.xz"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises((OSError, ValueError)):
        recording.read(file)


# ------------------------------------------------------------------ recording one


def test_a_recording_says_what_the_database_held(make: Make, engine: Engine, tmp_path: Path) -> None:
    trained(make)
    with writing(engine) as session:
        row = session.scalars(select(AssessmentRow)).one()
        row.demo = True
        dataset = session.scalars(select(DatasetRow)).one()
        dataset.blob_sha256 = make.blobs.put_bytes(b'{"prompt": "a", "completion": "b"}').sha256
        session.add(
            JobRow(
                kind="check",
                title="Check",
                subject_id=1,
                assessment_id=row.id,
                queue="cpu",
                status="done",
                progress={},
                created_at=utcnow(),
                started_at=utcnow(),
                finished_at=utcnow(),
            )
        )

    with reading(engine) as session:
        made = finished.record(session, make.blobs, 2)
    recording.write(tmp_path / "rows.json.xz", made)

    again = recording.read(tmp_path / "rows.json.xz")
    assert again.rows == made.rows
    assert again.about == made.about
    assert again.blobs == made.blobs
    assert len(made.blobs) == 2
    assert again.about.sentence.startswith("measured by make demo on two CPU cores in ")
    assert not {name for row in again.rows["users"] for name in row} & {"password_hash", "seal"}
    assert len(again.rows["answers"]) == 220 + 6 * 100 + 220


def test_an_unfinished_one_is_not_recorded(make: Make, engine: Engine) -> None:
    with reading(engine) as session, pytest.raises(Conflict, match="make demo"):
        finished.record(session, make.blobs, 2)
    make.assessment(demo=True)
    with reading(engine) as session, pytest.raises(Conflict, match="not come to a result"):
        finished.record(session, make.blobs, 2)
