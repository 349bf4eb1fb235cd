"""The kept status is the one that would be worked out now: after every act, for many at once, in races and failures."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, delete, event, insert, select, update

from app import schema
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.baselines.tables import ArmRow
from app.datasets.tables import DatasetRow
from app.db import Base, engine_for, reading, utcnow, writing
from app.economics.tables import CostRow, PriceRow
from app.gate import reviews
from app.inference.tables import ModelRow
from app.main import findings
from app.settings import Settings
from app.standing import keeping, service, store, touches
from app.standing.tables import StandingRow
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from app.web.protocols import Standing
from tests.support.factories import Make
from tests.support.races import at_once
from tests.support.trained import approved_run

People = Callable[[UserRow], TestClient]


def kept(engine: Engine, assessment_id: int) -> StandingRow:
    with reading(engine) as session:
        row = store.find(session, assessment_id)
        assert row is not None
        return row


def read(engine: Engine, assessment_id: int) -> Standing:
    with reading(engine) as session:
        return service.standing(session, assessment_store.get(session, assessment_id))


def differing(engine: Engine) -> list[int]:
    with reading(engine) as session:
        return keeping.differing(session, session.scalars(select(AssessmentRow)).all())


# ------------------------------------------------------------------ nothing is forgotten


def test_every_table_says_whether_a_status_depends_on_it() -> None:
    schema.load_tables()
    tables = {mapper.class_ for mapper in Base.registry.mappers}

    assert tables == touches.WAYS.keys() | touches.UNTOUCHING
    assert not touches.WAYS.keys() & touches.UNTOUCHING


def test_each_way_names_columns_that_there_are() -> None:
    for table, way in touches.WAYS.items():
        assert {way.key, *way.columns} <= set(table.__mapper__.columns.keys()), table


def test_a_new_assessment_has_its_status_at_once(engine: Engine, make: Make) -> None:
    row = make.assessment()

    assert kept(engine, row.id).state == "needs_data"
    assert not kept(engine, row.id).stale


def test_what_is_changed_by_a_statement_is_seen_as_well(engine: Engine, make: Make) -> None:
    row = make.ready()
    with writing(engine) as session:
        session.execute(update(DatasetRow).where(DatasetRow.assessment_id == row.id).values(frozen_at=None))

    assert kept(engine, row.id).label == "Needs a frozen split"


def test_what_is_put_in_by_a_statement_is_seen_as_well(engine: Engine, make: Make) -> None:
    row, author = make.assessment(), make.author()
    with writing(engine) as session:
        session.execute(update(StandingRow).values(stale=True))
        costs = {"assessment_id": row.id, "assumptions": {}, "edited_by": author.id, "edited_at": utcnow()}
        session.execute(insert(CostRow), [costs])

    assert not kept(engine, row.id).stale


def test_a_statement_that_does_not_say_what_it_makes_is_refused(engine: Engine, make: Make) -> None:
    author = make.author()
    one = {"title": "One", "created_by": author.id, "created_at": utcnow(), "updated_at": utcnow(), "answers": {}}

    with writing(engine) as session, pytest.raises(RuntimeError, match="row by row"):
        session.execute(insert(AssessmentRow), [one])


def test_an_act_that_is_undone_leaves_the_status_as_it_was(engine: Engine, make: Make) -> None:
    row = make.ready()
    before = kept(engine, row.id)

    def archive_and_fail() -> None:
        with writing(engine) as session:
            session.get_one(AssessmentRow, row.id).archived_at = utcnow()
            keeping.settle(session)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        archive_and_fail()

    after = kept(engine, row.id)
    assert (after.state, after.worked_out_at) == (before.state, before.worked_out_at)


def test_a_later_name_moves_the_copy_and_judges_nothing(engine: Engine, make: Make) -> None:
    author = make.author()
    row = make.ready(author)
    before = kept(engine, row.id)
    with writing(engine) as session:
        assessments.rename(session, row.id, assessments.Details("Another name"), author)

    after = kept(engine, row.id)
    assert after.updated_at > before.updated_at
    assert after.worked_out_at == before.worked_out_at


def test_a_page_reads_one_row_and_gathers_nothing(engine: Engine, make: Make, web: TestClient, people: People) -> None:
    row = make.ready()
    client = people(make.author())
    asked: list[str] = []
    event.listen(web.app.state.context.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))  # type: ignore[attr-defined]

    assert client.get(f"/assessments/{row.id}/describe/goal").status_code == 200

    assert sum("FROM standings" in one for one in asked) == 1
    assert not [one for one in asked if "FROM arms" in one or "FROM answers" in one]


# ------------------------------------------------------------------ many at once


@pytest.fixture
def many(engine: Engine, make: Make) -> list[int]:
    """More assessments with costs than are worked out within one transaction."""
    author = make.author()
    rows = [make.assessment(author) for _ in range(keeping.AT_ONCE + 3)]
    with writing(engine) as session:
        session.add_all(
            CostRow(assessment_id=row.id, assumptions={}, edited_by=author.id, edited_at=utcnow()) for row in rows
        )
    return [row.id for row in rows]


def stale(engine: Engine) -> list[int]:
    with reading(engine) as session:
        return list(store.stale_ids(session, utcnow(), 100))


def test_what_touches_many_marks_those_it_does_not_work_out_and_the_workers_do(
    engine: Engine, make: Make, many: list[int]
) -> None:
    keeping.catch_up(engine, 100)
    assert stale(engine) == []
    by = make.author()
    price = PriceRow(name="GPU", unit="hour", price=2.0, currency="EUR", dated=utcnow().date(), source="a list",
                     edited_by=by.id, edited_at=utcnow())  # fmt: skip
    with writing(engine) as session:
        session.add(price)

    assert len(stale(engine)) == len(many) - keeping.AT_ONCE
    assert read(engine, stale(engine)[0]).state == "needs_data"  # worked out for whoever looks

    assert keeping.catch_up(engine, 100) == len(many) - keeping.AT_ONCE
    assert stale(engine) == []


def test_what_a_reader_had_to_work_out_is_kept_by_the_next_act(engine: Engine, make: Make) -> None:
    row, other = make.ready(), make.assessment()
    with writing(engine) as session:
        store.mark_stale(session, [row.id])
    read(engine, row.id)
    assert kept(engine, row.id).stale

    with writing(engine) as session:
        session.get_one(AssessmentRow, other.id).archived_at = utcnow()

    assert not kept(engine, row.id).stale


def test_a_model_that_is_retired_reaches_those_that_train_on_it(engine: Engine, make: Make) -> None:
    row = make.ready()
    before = kept(engine, row.id).worked_out_at
    with writing(engine) as session:
        for model in session.scalars(select(ModelRow)):
            model.name = f"Renamed {model.name}"

    assert differing(engine) == []
    assert kept(engine, row.id).worked_out_at >= before


def test_an_approval_that_expires_ends_by_itself(engine: Engine, make: Make) -> None:
    row = make.ready()
    approve(engine, make, row.id)
    assert read(engine, row.id).state == "approved"
    assert kept(engine, row.id).valid_until is not None

    with writing(engine) as session:  # time passes
        session.execute(update(StandingRow).values(valid_until=utcnow() - timedelta(seconds=1)))

    assert stale(engine) == [row.id]


def test_an_approver_who_is_no_reviewer_any_more_ends_the_approval(engine: Engine, make: Make) -> None:
    row = make.ready()
    reviewer = approve(engine, make, row.id)
    with writing(engine) as session:
        session.get_one(UserRow, reviewer.id).active = False

    assert kept(engine, row.id).state == "ready_for_review"
    assert "does not count any more" in kept(engine, row.id).why


def approve(engine: Engine, make: Make, assessment_id: int) -> UserRow:
    reviewer = make.reviewer()
    with writing(engine) as session:
        author = session.get_one(UserRow, assessment_store.get(session, assessment_id).created_by)
        review = reviews.request_review(session, assessment_id, author)
        reviews.decide(session, review.id, reviewer, "approve", review.digest)
    return reviewer


@pytest.mark.past_the_app
def test_what_other_rules_kept_is_not_believed(engine: Engine, make: Make) -> None:
    row = make.ready()
    with writing(engine) as session:
        session.execute(update(StandingRow).values(label="As it was called once", code="other"))

    assert read(engine, row.id).label == "Needs a preflight"
    keeping.distrust_older_rules(engine)
    assert stale(engine) == [row.id]


# ------------------------------------------------------------------ failing, and at the same moment


def test_a_status_that_cannot_be_worked_out_is_marked_and_the_act_stands(
    engine: Engine, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    row, reviewer = make.ready(), make.reviewer()
    with writing(engine) as session:
        author = session.get_one(UserRow, row.created_by)
        run = approved_run(session, make, row.id, author, reviewer)
        broken: Any = {"verdict": "regressed", "before": "not a number", "after": 0.1}
        run.result = broken

    assert "has no status" in caplog.text
    assert kept(engine, row.id).stale
    with writing(engine) as session:
        assert session.scalars(select(TrainingRow)).one().result
        session.scalars(select(TrainingRow)).one().result = {"verdict": "regressed", "before": 0.5, "after": 0.1}
    assert (kept(engine, row.id).state, kept(engine, row.id).stale) == ("regressed", False)


@pytest.fixture
def broken(engine: Engine, make: Make) -> int:
    """An assessment whose status cannot be worked out."""
    row, reviewer = make.ready(title="Broken"), make.reviewer()
    with writing(engine) as session:
        run = approved_run(session, make, row.id, session.get_one(UserRow, row.created_by), reviewer)
        broken: Any = {"verdict": "regressed", "before": "not a number", "after": 0.1}
        run.result = broken
    return row.id


def test_one_that_cannot_be_worked_out_keeps_no_other_waiting(engine: Engine, make: Make, broken: int) -> None:
    other = make.ready()
    with writing(engine) as session:
        store.mark_stale(session, [other.id])
    failed: set[int] = set()

    rounds = [keeping.catch_up(engine, 1, failed) for _ in range(3)]

    assert rounds == [0, 1, 0]
    assert failed == {broken}
    assert stale(engine) == [broken]


def test_one_that_cannot_be_worked_out_is_in_the_list_that_it_belongs_to(
    engine: Engine, make: Make, broken: int
) -> None:
    with writing(engine) as session:
        session.execute(delete(StandingRow))  # as of one that is new
        session.get_one(AssessmentRow, broken).answers = {}
    with reading(engine) as session:
        assert [line.id for line in store.page(session, store.Wanted(), 1, 20).lines] == [broken]

    with writing(engine) as session:
        session.get_one(AssessmentRow, broken).archived_at = utcnow()
    assert kept(engine, broken).state == "archived"  # that is said without looking at the run
    with writing(engine) as session:
        session.get_one(AssessmentRow, broken).archived_at = None

    with reading(engine) as session:
        assert [line.id for line in store.page(session, store.Wanted(), 1, 20).lines] == [broken]
        assert store.page(session, store.Wanted("archived"), 1, 20).lines == []
    assert stale(engine) == [broken]


def test_a_list_is_there_whatever_is_wrong_with_one_line(
    engine: Engine, make: Make, people: People, broken: int
) -> None:
    make.assessment(title="Sound")
    client = people(make.author())
    home = client.get("/")

    assert home.status_code == 200
    assert {one["title"]: one["standing"]["label"] for one in client.get("/api/v1/assessments").json()["data"]} == {
        "Broken": "Status unknown", "Sound": "Needs data"}  # fmt: skip
    assert "Sound" in home.text
    assert "Status unknown" in home.text
    with reading(engine) as session:
        lines = service.fresh_lines(session, store.page(session, store.Wanted(), 1, 20).lines)
    assert {line.id: line.standing.label for line in lines}[broken] == "Status unknown"


@pytest.fixture
def on_either(either: Settings) -> Iterator[tuple[Engine, Make]]:
    engine = engine_for(either)
    yield engine, Make(engine, either)
    engine.dispose()


def test_two_who_change_one_assessment_at_once_leave_the_right_status(on_either: tuple[Engine, Make]) -> None:
    engine, make = on_either
    row = make.ready()
    overlapping = threading.Barrier(2) if engine.dialect.name == "postgresql" else None  # SQLite has one writer

    def meet() -> None:
        if overlapping is not None:
            overlapping.wait(20)

    for turn in range(3):

        def unfreeze(turn: int = turn) -> None:
            with writing(engine) as session:
                data = session.scalars(select(DatasetRow)).one()
                data.frozen_at = None if turn % 2 == 0 else utcnow()
                session.flush()
                meet()

        def forget_results(turn: int = turn) -> None:
            with writing(engine) as session:
                assessment = session.get_one(AssessmentRow, row.id)
                arm = session.scalars(select(ArmRow).order_by(ArmRow.id)).first()
                assert arm is not None
                arm.title = f"Title {turn}"
                assessment.answers = {**assessment.answers, "target": 0.9 + turn / 100}
                session.flush()
                meet()

        at_once(unfreeze, forget_results)

        assert differing(engine) == [], turn
        assert kept(engine, row.id).target == pytest.approx(0.9 + turn / 100)
        assert not kept(engine, row.id).stale


# ------------------------------------------------------------------ the operator


@pytest.mark.past_the_app
def test_the_doctor_says_when_a_kept_status_is_not_what_it_would_be(settings: Settings, make: Make) -> None:
    row = make.assessment()
    assert {finding.what: finding.fine for finding in findings(settings)}["statuses of assessments"]

    with writing(make.engine) as session:
        session.execute(update(StandingRow).values(state="improved"))

    broken = next(finding for finding in findings(settings) if finding.what == "statuses of assessments")
    assert not broken.fine
    assert str(row.id) in broken.detail
