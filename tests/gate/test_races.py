"""Two processes act on one assessment at the same moment, on both databases: nothing is lost, and nothing starts twice.

A quick run tries two that were lost once, a few times; `make test-deep` all of them, some hundred times.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from app.assessments import store as assessment_store
from app.db import engine_for, reading, writing
from app.gate.tables import DecisionRow, ReviewRow
from app.jobs.tables import JobRow
from app.settings import Settings
from app.standing import keeping
from app.training import service as trainings
from app.training.tables import TrainingRow
from tests.support.databases import postgres_first
from tests.support.depth import depth
from tests.support.factories import Make
from tests.support.racers import Act, Answer, Racer, race, secret_of

ROUNDS = depth(3, 100)
MANY = depth(3, 300)  # of the pairs that were lost before
pytestmark = pytest.mark.long(why="two processes with the whole app, some rounds each")


class Ring:
    """A ready assessment, three people, and the two processes that act for them."""

    def __init__(self, settings: Settings) -> None:
        self.engine = engine_for(settings)
        make = Make(self.engine, settings)
        people = {"author": make.author("Ada"), "rob": make.reviewer("Rob"), "sue": make.reviewer("Sue")}
        self.id = make.ready(people["author"]).id
        with writing(self.engine) as session:
            made = trainings.plan(session, self.id)
            made.row.preflight, made.row.preflight_of = {"blockers": []}, made.digest
        self.secrets = {name: secret_of(settings, person) for name, person in people.items()}
        self.racers = Racer(settings), Racer(settings)
        self.round = 0

    def close(self) -> None:
        for racer in self.racers:
            racer.close()
        self.engine.dispose()

    def both(self, one: Act, other: Act) -> tuple[Answer, Answer]:
        first, second = race(*self.racers, one, other)
        assert max(first.status, second.status) < 500, (first, second)
        with reading(self.engine) as session:
            assert keeping.differing(session, [assessment_store.get(session, self.id)]) == [], (first, second)
        return first, second

    def do(self, act: Act) -> Answer:
        """Alone, for what comes before and after a race."""
        self.racers[0].begin(act, 0.0)
        return self.racers[0].end()

    # -------------------------------------------------------- acts

    def edit(self) -> Act:
        self.round += 1
        body = {"answers": {"owner": f"Team {self.round}"}}
        return Act(self.secrets["author"], f"/api/v1/assessments/{self.id}", body, method="PATCH")

    def ask(self) -> Act:
        return Act(self.secrets["author"], f"/api/v1/assessments/{self.id}/reviews")

    def approve(self, review: ReviewRow, by: str = "rob") -> Act:
        body = {"kind": "approve", "digest": review.digest}
        return Act(self.secrets[by], f"/api/v1/reviews/{review.id}/decisions", body)

    def object(self, review: ReviewRow, by: str = "sue") -> Act:
        body = {"kind": "request_changes", "digest": review.digest, "comment": "Not yet."}
        return Act(self.secrets[by], f"/api/v1/reviews/{review.id}/decisions", body)

    def withdraw(self, review: ReviewRow) -> Act:
        return Act(self.secrets["author"], f"/api/v1/reviews/{review.id}/withdraw")

    def archive(self) -> Act:
        return Act(self.secrets["author"], f"/api/v1/assessments/{self.id}/archive")

    def launch(self, key: str) -> Act:
        path = f"/api/v1/assessments/{self.id}/trainings"
        return Act(self.secrets["author"], path, headers={"Idempotency-Key": key})

    # -------------------------------------------------------- states

    def requested(self) -> ReviewRow:
        """A new review, of something new."""
        self.do(Act(self.secrets["author"], f"/api/v1/assessments/{self.id}/restore"))
        assert self.do(self.edit()).status == 200
        assert self.do(self.ask()).status == 201
        return self.newest()

    def approved(self) -> ReviewRow:
        review = self.requested()
        assert self.do(self.approve(review)).status == 201
        return review

    def newest(self) -> ReviewRow:
        with reading(self.engine) as session:
            return session.scalars(select(ReviewRow).order_by(ReviewRow.id.desc()).limit(1)).one()

    def voices(self, review: ReviewRow) -> list[tuple[str, int]]:
        """Living decisions: what, by whom."""
        with reading(self.engine) as session:
            rows = session.scalars(
                select(DecisionRow).where(DecisionRow.review_id == review.id, DecisionRow.voided_at.is_(None))
            )
            return [(row.kind, row.reviewer_id) for row in rows]

    def runs(self, review: ReviewRow) -> int:
        """Runs of this review, each with its job."""
        with reading(self.engine) as session:
            found = session.scalars(select(TrainingRow).where(TrainingRow.review_id == review.id)).all()
            for run in found:
                counted = select(func.count()).where(JobRow.kind == "train", JobRow.subject_id == run.id)
                assert session.scalar(counted) == 1
            return len(found)


@pytest.fixture
def ring(either: Settings) -> Iterator[Ring]:
    made = Ring(either)
    yield made
    made.close()


def test_a_request_for_changes_beside_an_approval_is_never_lost(ring: Ring) -> None:
    for _ in range(MANY):
        review = ring.requested()

        approved, returned = ring.both(ring.approve(review), ring.object(review))

        assert (approved.status, returned.status) == (201, 201)
        assert ring.newest().state == "changes_requested"
        assert ring.do(ring.launch(f"a{review.id}")).status == 409


@pytest.mark.deep
def test_a_withdrawal_beside_an_approval_holds(ring: Ring) -> None:
    for _ in range(MANY):
        review = ring.requested()

        approved, withdrawn = ring.both(ring.approve(review), ring.withdraw(review))

        assert withdrawn.status == 200
        assert approved.status in {201, 409}
        assert ring.newest().state == "withdrawn"
        assert ring.do(ring.launch(f"w{review.id}")).status == 409


@pytest.mark.deep
def test_one_person_approves_once(ring: Ring) -> None:
    for _ in range(ROUNDS):
        review = ring.requested()

        answers = ring.both(ring.approve(review), ring.approve(review))

        assert sorted(answer.status for answer in answers) == [201, 409]
        assert [kind for kind, _ in ring.voices(review)] == ["approve"]


@pytest.mark.deep
def test_one_person_who_says_both_at_once_said_one_of_them_last(ring: Ring) -> None:
    for _ in range(ROUNDS):
        review = ring.requested()

        ring.both(ring.approve(review), ring.object(review, by="rob"))

        (voice,) = ring.voices(review)
        assert ring.newest().state == {"approve": "approved", "request_changes": "changes_requested"}[voice[0]]


def one_of_the_two(ring: Ring, against: Callable[[ReviewRow], Act], good: int) -> None:
    """Either the run was launched and the other act came too late, or the other way round."""
    for _ in range(ROUNDS):
        review = ring.approved()

        launched, other = ring.both(ring.launch(f"l{review.id}"), against(review))

        assert (launched.status, other.status) in {(201, 409), (409, good)}, (launched, other)
        assert ring.runs(review) == (launched.status == 201)


@pytest.mark.deep
def test_a_launch_beside_a_withdrawal_is_one_of_the_two(ring: Ring) -> None:
    one_of_the_two(ring, ring.withdraw, 200)


@pytest.mark.deep
def test_a_launch_beside_a_request_for_changes_is_one_of_the_two(ring: Ring) -> None:
    one_of_the_two(ring, ring.object, 201)


@pytest.mark.deep
def test_a_launch_beside_an_edit_started_what_was_approved_or_nothing(ring: Ring) -> None:
    """An edit that comes second is an edit after the launch; the worker's last look sees it."""
    for _ in range(ROUNDS):
        review = ring.approved()

        launched, edited = ring.both(ring.launch(f"e{review.id}"), ring.edit())

        assert edited.status == 200
        assert launched.status in {201, 409}
        assert ring.runs(review) == (launched.status == 201)


@pytest.mark.deep
def test_a_launch_beside_archiving_started_what_was_open_or_nothing(ring: Ring) -> None:
    for _ in range(ROUNDS):
        review = ring.approved()

        launched, archived = ring.both(ring.launch(f"p{review.id}"), ring.archive())

        assert archived.status == 200
        assert launched.status in {201, 409}
        assert ring.runs(review) == (launched.status == 201)


@postgres_first
def test_the_same_key_at_once_is_one_launch(ring: Ring) -> None:
    for _ in range(ROUNDS):
        review = ring.approved()

        answers = ring.both(ring.launch(f"s{review.id}"), ring.launch(f"s{review.id}"))

        assert sorted(answer.status for answer in answers) == [200, 201]
        assert ring.runs(review) == 1


@pytest.mark.deep
def test_two_keys_at_once_are_one_launch_and_a_refusal(ring: Ring) -> None:
    for _ in range(ROUNDS):
        review = ring.approved()

        answers = ring.both(ring.launch(f"x{review.id}"), ring.launch(f"y{review.id}"))

        assert sorted(answer.status for answer in answers) == [201, 409]
        assert ring.runs(review) == 1


@pytest.mark.deep
def test_two_requests_for_review_are_one(ring: Ring) -> None:
    for _ in range(ROUNDS):
        assert ring.do(ring.edit()).status == 200

        answers = ring.both(ring.ask(), ring.ask())

        assert sorted(answer.status for answer in answers) == [201, 409]


@pytest.mark.deep
def test_an_approval_beside_an_edit_is_of_what_was_read_or_void(ring: Ring) -> None:
    for _ in range(ROUNDS):
        review = ring.requested()

        approved, edited = ring.both(ring.approve(review), ring.edit())

        assert edited.status == 200
        assert approved.status in {201, 412}
        assert ring.do(ring.launch(f"v{review.id}")).status == 409


@pytest.mark.deep
def test_two_clicks_on_a_job_start_and_end_it_once(ring: Ring) -> None:
    preflight = Act(ring.secrets["author"], f"/api/v1/assessments/{ring.id}/preflight")
    for _ in range(ROUNDS):
        started = ring.both(preflight, preflight)
        assert sorted(answer.status for answer in started) == [202, 409]

        cancel = Act(ring.secrets["author"], f"/api/v1/jobs/{_job(ring)}/cancel")
        ended = ring.both(cancel, cancel)
        assert sorted(answer.status for answer in ended) == [200, 409]


def _job(ring: Ring) -> Any:
    with reading(ring.engine) as session:
        return session.scalar(select(func.max(JobRow.id)))
