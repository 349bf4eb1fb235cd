"""Single steps of the worked example, each on stored state as it would find it. The whole way is in `test_whole.py`."""

import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.audit import store as audit_store
from app.baselines import arms, facts, standing
from app.baselines import store as baseline_store
from app.baselines.arms import Scored
from app.baselines.tables import AnswerRow
from app.datasets import store as dataset_store
from app.db import reading, utcnow, writing
from app.demo import example, job, service
from app.demo.job import STEPS, Walk
from app.gate import store as reviews
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Cancelled, Claim, Failed
from app.jobs.tables import JobRow, Status
from app.settings import Settings
from app.users import passwords
from tests.support.factories import Make
from tests.support.loose import loose


class Scene:
    """The worked example, begun, and what a worker holds while its job runs."""

    def __init__(self, make: Make, engine: Engine, queue: job_engine.Client, settings: Settings) -> None:
        self.make, self.engine, self.queue = make, engine, queue
        keeper = passwords.with_cost(settings.hash_time, settings.hash_memory)
        admin = make.admin()
        with self.write() as session:
            assessment, row = service.begin(session, keeper, admin)
            row.status, row.attempt = Status.RUNNING, 1
            self.dana = service.author(session)
        self.assessment: AssessmentRow = assessment
        self.claim = Claim(
            job_id=row.id, subject_id=assessment.id, attempt=1, engine=engine, settings=settings,
            blobs=make.blobs, queue=queue, stopping=threading.Event(), by=admin.id, assessment_id=assessment.id,
        )  # fmt: skip
        self.walk = Walk(self.claim, words="A step")

    def write(self) -> Any:
        return _Bound(self.engine, self.queue)

    def measured(self, **different: Any) -> None:
        """As after the first measurement: a frozen split and a concluded run with wrong answers on dev."""
        dataset = self.make.dataset(self.assessment, self.dana)
        model = self.make.model()
        baseline = self.make.baseline(self.assessment, dataset, model, self.dana, **different)
        with writing(self.engine) as session:
            stored = baseline_store.get(session, baseline.id)
            stored.metric, stored.target = "pattern", example.TARGET
            best = standing.leading(stored)
            assert best is not None
            for answer in session.query(AnswerRow).filter_by(arm_id=best.id):
                answer.cause = None
            # Forty failures to tag; the result is what these answers come to, else no review could be asked for.
            asked = session.query(AnswerRow).filter_by(arm_id=best.id, split="dev").order_by(AnswerRow.example_id).all()
            for index, answer in enumerate(asked):
                answer.output, answer.score = "?", float(index >= 40)
            scored = [Scored(answer.score) for answer in asked]
            best.dev = arms.tallied(scored, binary=True, seed=stored.seed)

    def causes(self) -> dict[str, int]:
        with reading(self.engine) as session:
            baseline = baseline_store.current(session, self.assessment.id)
            assert baseline is not None
            return facts.failure_causes(session, baseline)


class _Bound:
    """A transaction whose jobs are put in line."""

    def __init__(self, engine: Engine, queue: job_engine.Client) -> None:
        self._transaction, self._line = writing(engine), queue

    def __enter__(self) -> Any:
        session = self._transaction.__enter__()
        jobs.bind(session, self._line)
        return session

    def __exit__(self, *error: object) -> None:
        self._transaction.__exit__(*error)  # type: ignore[arg-type] # what `with` hands over


@pytest.fixture
def scene(make: Make, engine: Engine, queue: job_engine.Client, settings: Settings) -> Scene:
    return Scene(make, engine, queue, settings)


def test_the_rows_of_the_packages_are_uploaded_once(scene: Scene, tmp_path: Path) -> None:
    package = tmp_path / "made_up_for_the_job"
    package.mkdir()
    (package / "__init__.py").write_text(
        "\n".join(
            f"def work_{word}(value_{word}, other_{word}):\n"
            f'    """Do the {word} thing with both of them.\n\n'
            f'    Args:\n        value_{word}: The first.\n        other_{word}: The second.\n    """\n'
            for word in ("window", "bridge", "coffee")
        ),
        encoding="utf-8",
    )
    scene.walk.packages = (package.name,)
    sys.path.insert(0, str(tmp_path))
    try:
        job._upload(scene.walk)
        job._upload(scene.walk)
    finally:
        sys.path.remove(str(tmp_path))

    with reading(scene.engine) as session:
        (dataset,) = dataset_store.versions(session, scene.assessment.id)
        check = job_store.find_open(session, "check", dataset.id)
    assert dataset.uploaded_by == scene.dana.id
    assert dataset.human_checked
    assert check is not None
    with scene.make.blobs.open(dataset.blob_sha256) as file:
        assert len(file.readlines()) == 3


def test_failures_are_tagged_by_rule_and_the_record_says_so(scene: Scene) -> None:
    scene.measured()

    job._tag(scene.walk)

    assert scene.causes() == {"behaviour": 40, "facts": 0, "instructions": 0, "reference": 0}
    with reading(scene.engine) as session:
        said = audit_store.newest(session, None, 5, subject="assessment", subject_id=scene.assessment.id)
        test_rows = session.query(AnswerRow).filter(AnswerRow.split == "test", AnswerRow.cause.is_not(None)).count()
    assert "by_rule" in said[0].act
    assert "sees nothing else" in loose(said[0].detail["rule"])
    assert test_rows == 0


def test_what_was_tagged_is_not_tagged_again(scene: Scene) -> None:
    scene.measured()
    job._tag(scene.walk)
    with writing(scene.engine) as session:
        session.query(AnswerRow).filter(AnswerRow.cause.is_not(None)).limit(1).one().cause = "reference"

    job._tag(scene.walk)

    assert scene.causes()["reference"] == 1


def test_a_locked_gate_ends_it_with_the_gates_own_words(scene: Scene) -> None:
    scene.measured(passed=215)  # of 220
    job._tag(scene.walk)

    with pytest.raises(Failed, match="G6"):
        job._review(scene.walk)

    with reading(scene.engine) as session:
        assert reviews.latest(session, scene.assessment.id) is None


def test_the_second_account_approves_and_not_the_first(scene: Scene) -> None:
    scene.measured()
    job._tag(scene.walk)

    job._review(scene.walk)
    job._review(scene.walk)

    with reading(scene.engine) as session:
        review = reviews.latest(session, scene.assessment.id)
        robin = service.reviewer(session)
    assert review is not None
    assert review.state == "approved"
    assert review.requested_by == scene.dana.id
    assert [decision.reviewer_id for decision in review.decisions] == [robin.id]


def test_a_job_that_fails_is_said_with_its_own_sentence(scene: Scene) -> None:
    waited = _other_job(scene, status=Status.FAILED, failure="The disk is full.")

    with pytest.raises(Failed, match="The disk is full"):
        scene.walk.wait(waited)


def test_cancelling_it_cancels_what_it_waits_for(scene: Scene) -> None:
    waited = _other_job(scene, status=Status.RUNNING)
    with writing(scene.engine) as session:
        job_store.get(session, scene.claim.job_id).status = Status.CANCELLING

    with pytest.raises(Cancelled):
        scene.walk.wait(waited)

    with reading(scene.engine) as session:
        assert job_store.get(session, waited).status == Status.CANCELLING


def test_progress_of_the_job_waited_for_is_shown_as_its_own(scene: Scene) -> None:
    scene.walk.number = 5

    scene.walk.say({"stage": "asking", "done": 3, "total": 9})

    with reading(scene.engine) as session:
        progress = job_store.get(session, scene.claim.job_id).progress
    assert progress == {"stage": f"Step 5 of {len(STEPS)}: A step - asking", "done": 3, "total": 9}


def _other_job(scene: Scene, **different: Any) -> int:
    with writing(scene.engine) as session:
        row = JobRow(
            kind="measure", title="Measure", subject_id=1, queue="model", progress={}, attempt=1,
            created_by=scene.dana.id, created_at=utcnow(), **different,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row.id
