"""An installation in which every page has something to say: an assessment in each state, for looking at pages.

`fill(make, queue)` makes it; what is uploaded is really checked, and what was measured and trained is as the other
factories make it. Nothing here is asserted: tests and the bench of pages look at what comes of it.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.assessments import service as assessments
from app.assessments.tables import AssessmentRow
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import job as checking
from app.datasets import uploads_service
from app.datasets.tables import DatasetRow
from app.datasets.uploads_service import Uploaded
from app.db import utcnow, writing
from app.demo import finished
from app.gate import reviews
from app.gate.tables import ReviewRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Claim
from app.jobs.tables import JobRow, Status
from app.recipes.preflights import Preflight
from app.training import service as trainings
from app.training.tables import MetricRow, TrainingRow
from app.users.tables import Role, UserRow
from tests.support.examples import pairs
from tests.support.factories import ANSWERS, Make
from tests.support.places import ROOT
from tests.support.trained import approved_run, trained

SAMPLES = ROOT / "tests" / "data"
# Right answers of the adapter on the 220 test rows, of which the best prompt has the first 150.
REACHED = (1.0,) * 210 + (0.0,) * 10
SHORT = (1.0,) * 190 + (0.0,) * 30
SAME = (1.0,) * 151 + (0.0,) * 69
WORSE = (1.0,) * 60 + (0.0,) * 160
TORN = (0.0,) * 30 + (1.0,) * 120 + (1.0,) * 38 + (0.0,) * 32
SEVERAL = {"rank": 16, "alpha": 32, "sweep": "three", "seeds": 3, "curve": "quarters", "replay": 0.1}
CHECKED: Preflight = {
    "train": {"rows": 1050, "tokens": 84075, "trained_tokens": 40648}, "dev_rows": 100, "left_out": 2, "untrained": [],
    "steps": 198, "steps_per_epoch": 66, "longest": [{"id": "683", "prompt": 39, "completion": 156}],
    "samples": [{"id": "4", "prompt": "<|im_start|>user\nComment 4", "completion": "/** Does 4. */<|im_end|>"}],
    "dtype": "bfloat16", "context": 8192, "threads": 1, "tokens_per_second": 189.7, "dev_seconds": 18.1,
    "seconds": 1548.6, "shared_tokens": 25, "padding": 0.047, "adapter_parameters": 4884480,
    "memory": {"weights": 278798976, "adapter": 87920640, "activations": 2251284480, "logits": 603979776},
    "peak_bytes": 3063984128, "available": 20_000_000_000, "blockers": [],
}  # fmt: skip


@dataclass
class Gallery:
    """Who is there, and the id of the assessment in each state."""

    make: Make
    queue: job_engine.Client
    admin: UserRow
    author: UserRow
    reviewer: UserRow
    ids: dict[str, int] = field(default_factory=dict)
    datasets: dict[str, int] = field(default_factory=dict)
    reviews: dict[str, int] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    jobs: dict[str, int] = field(default_factory=dict)

    def write(self, act: Callable[..., Any], *arguments: Any) -> Any:
        with writing(self.make.engine) as session:
            jobs.bind(session, self.queue)
            return act(session, *arguments)

    def described(self, state: str, title: str, without: Collection[str]) -> None:
        """An assessment with nothing but answers, some of the usual ones left out."""
        row = self.make.assessment(self.author, title=title, metric_set_at=None)
        self.ids[state] = row.id
        answers = {key: value for key, value in ANSWERS.items() if key not in without}
        with writing(self.make.engine) as session:
            session.get_one(AssessmentRow, row.id).answers = answers

    # ------------------------------------------------------------ data

    def upload(self, state: str, title: str, path: Path | bytes, *, check: bool = True, **answers: Any) -> DatasetRow:
        """An assessment whose only file is really checked, or waits to be."""
        row = self.make.assessment(self.author, title=title, answers=answers)
        content = path if isinstance(path, bytes) else path.read_bytes()
        name = "examples.jsonl" if isinstance(path, bytes) else path.name
        self.ids[state] = row.id
        uploaded = Uploaded(self.make.blobs.put_bytes(content), name)
        dataset: DatasetRow = self.write(uploads_service.upload, row.id, self.author, uploaded)
        self.datasets[state] = dataset.id
        if check:
            self._check(dataset)
        return dataset

    def _check(self, dataset: DatasetRow) -> None:
        with writing(self.make.engine) as session:
            job = job_store.latest(session, "check", dataset.id)
            assert job is not None
            attempt = job_store.claim(session, job.id, "gallery", utcnow())
            assert attempt is not None
        claim = Claim(
            job.id, dataset.id, attempt, self.make.engine, self.make.settings, self.make.blobs, self.queue,
            threading.Event(),
        )  # fmt: skip
        checking.check(claim)
        with writing(self.make.engine) as session:
            job_store.get(session, job.id).status = Status.DONE

    # ------------------------------------------------------------ measuring

    def measuring(self, state: str, title: str, status: Status, failure: str | None = None) -> None:
        """A measurement under way, or one that ended early."""
        assessment = self.make.assessment(self.author, title=title)
        dataset = self.make.dataset(assessment, self.author)
        model = self.make.model()
        baseline = self.make.baseline(assessment, dataset, model, self.author)
        self.ids[state] = assessment.id
        with writing(self.make.engine) as session:
            row = session.get_one(BaselineRow, baseline.id)
            row.concluded_at, row.test_looks = None, []
            for arm in session.scalars(select(ArmRow).where(ArmRow.baseline_id == row.id)):
                arm.test = None
                arm.dev = arm.dev if arm.name in {"zero_shot", "few_shot_random/1"} else None
        progress = {"stage": "Few-shot, 5 nearest: dev rows", "done": 410, "total": 1000}
        self.job("measure", baseline.id, assessment, status, f"Baselines: {title}", progress, failure)

    def job(
        self, kind: str, subject: int, of: AssessmentRow, status: Status, title: str, progress: Mapping[str, Any],
        failure: str | None = None,
    ) -> JobRow:  # fmt: skip
        with writing(self.make.engine) as session:
            now = utcnow()
            over = now if status in (Status.FAILED, Status.DONE, Status.CANCELLED) else None
            begun = None if status == Status.QUEUED else now - timedelta(minutes=3)
            row = JobRow(
                kind=kind, title=title, subject_id=subject, assessment_id=of.id, queue=jobs.QUEUE_OF[kind],
                status=status, progress=dict(progress) if begun else {}, failure=failure, created_by=self.author.id,
                created_at=now - timedelta(minutes=4), called_at=begun, started_at=begun, finished_at=over,
                attempt=1 if begun else 0, worker="default" if begun else None,
            )  # fmt: skip
            session.add(row)
        self.jobs[f"{kind}-{status}"] = row.id
        return row

    # ------------------------------------------------------------ gate

    def planned(self, state: str, title: str, preflight: Preflight | None = None) -> AssessmentRow:
        """Everything there but the review. preflight: what it found; None where none ran."""
        row = self.make.ready(self.author, title=title)
        self.ids[state] = row.id
        with writing(self.make.engine) as session:
            recipe, _ = trainings.recipe_of(session, row.id)
            assert recipe is not None
            # As the form stores it, with every setting; the factory's has two.
            trainings.save_recipe(session, row.id, self.author, recipe.model_id, SEVERAL)
        if preflight is not None:
            with writing(self.make.engine) as session:
                made = trainings.plan(session, row.id)
                made.row.preflight, made.row.preflight_of = preflight, made.digest
        return row

    def asked(self, state: str, title: str, note: str = "") -> ReviewRow:
        row = self.planned(state, title, CHECKED)
        review: ReviewRow = self.write(reviews.request_review, row.id, self.author, note)
        self.reviews[state] = review.id
        return review

    # ------------------------------------------------------------ runs

    def ran(self, state: str, title: str, run: str, status: Status, failure: str | None = None) -> None:
        """A launched run that has no result: waiting, going on, or over."""
        row = self.planned(state, title, CHECKED)
        with writing(self.make.engine) as session:
            jobs.bind(session, self.queue)
            facts = {"steps": 60, "train_rows": 1050, "dev_rows": 100, "dtype": "bfloat16"}
            made = approved_run(
                session, self.make, row.id, self.author, self.reviewer, state=run, adapter_sha256=None,
                adapter_bytes=None, best_step=None, training_facts=facts,
                finished_at=utcnow() if status == Status.FAILED else None,
            )  # fmt: skip
            number = made.id
        self.runs[state] = number
        progress = {"stage": "Training", "done": 30, "total": 60, "seconds_left": 400}
        job = self.job("train", number, row, status, f"Training: {title}", progress, failure)
        with writing(self.make.engine) as session:
            session.get_one(TrainingRow, number).job_id = job.id
            usual = {"training_id": number, "attempt": 1, "leg": "", "at": utcnow()}
            if status != Status.QUEUED:
                session.add_all(
                    MetricRow(**usual, kind="step", step=step, loss=2 - step / 20, learning_rate=2e-4,
                              tokens_per_second=300)
                    for step in range(1, 31)
                )  # fmt: skip
                session.add_all(
                    MetricRow(**usual, kind="dev", step=step, loss=2 - step / 25) for step in (0, 10, 20, 30)
                )


def fill(make: Make, queue: job_engine.Client) -> Gallery:
    """Everything; takes some ten seconds, most of it for checking three files."""
    people = (make.user(Role.ADMIN, "Amy"), make.user(Role.AUTHOR, "Ada"), make.user(Role.REVIEWER, "Rob"))
    made = Gallery(make, queue, *people)
    ids = made.ids
    made.described("draft", "Answers in our tone", without=ANSWERS)
    made.described("no target", "Labels for tickets", without=("metric", "target"))
    ids["no data"] = make.assessment(made.author, title="Summaries of meetings").id
    made.upload("data", "Route messages to 77 intents", SAMPLES / "intent_banking77" / "train_700.jsonl")
    made.upload("near copies", "PHPDoc comments", SAMPLES / "phpdoc" / "neardup_279.jsonl")
    personal = pairs(60) + b'{"prompt": "Write to jo.field@example.org or +49 30 1234567", "completion": "Done."}\n' * 2
    made.upload("personal", "Mail answers", personal)
    made.upload("rejected", "A page that is no data", b"<!doctype html><html><body>Sign in</body></html>")
    made.upload("checking", "A file that waits", pairs(50), check=False)
    frozen = make.assessment(made.author, title="Frozen, nothing measured")
    make.dataset(frozen, made.author)
    ids["frozen"] = frozen.id
    made.measuring("measuring", "Baselines under way", Status.RUNNING)
    made.measuring("measure failed", "Baselines that failed", Status.FAILED, "The model server did not answer.")
    made.planned("unchecked", "Config saved, no preflight")
    blocked: Preflight = {**CHECKED, "blockers": ["It needs 24 GB of memory, and 3 GB are free."]}
    made.planned("blocked", "Too large for this machine", blocked)
    made.planned("ready", "Ready for review", CHECKED)
    made.asked("in review", "In review", "Steps raised to 200; a trial run.")
    changes = made.asked("changes requested", "Changes requested")
    made.write(reviews.decide, changes.id, made.reviewer, "request_changes", changes.digest, "Why so few dev rows?")
    approved = made.asked("approved", "Approved")
    made.write(reviews.decide, approved.id, made.reviewer, "approve", approved.digest, "Read ten rows.", ("data",))
    made.ran("queued", "A run that waits", "queued", Status.QUEUED)
    made.ran("training", "A run under way", "running", Status.RUNNING)
    made.ran(
        "failed", "A run that failed", "failed", Status.FAILED, "The loss of step 31 is not a number. Lower the rate."
    )
    for state, after, title in (
        ("improved", REACHED, "Improved, target reached"), ("short", SHORT, "Improved, short of target"),
        ("not better", SAME, "Not better"), ("regressed", WORSE, "Regressed"), ("inconclusive", TORN, "Inconclusive"),
    ):  # fmt: skip
        ids[state] = trained(make, after, by=made.author, reviewer=made.reviewer, title=title).id
    archived = make.assessment(made.author, title="Put away last year")
    made.write(assessments.archive, archived.id, made.author)
    ids["archived"] = archived.id
    ids["example"] = made.write(finished.show, make.blobs, made.admin).id
    return made


# ---------------------------------------------------------------- pages


@dataclass(frozen=True, slots=True)
class Shown:
    """A page in one state. who: sees it; None without an account."""

    name: str
    path: str
    who: UserRow | None


def eight(made: Gallery) -> Iterator[Shown]:
    """The pages that are to be read in a minute, in the states in which they say most."""
    of, ada, amy = made.ids, made.author, made.admin
    yield Shown("home", "/", ada)
    for state in ("ready", "example"):
        yield Shown(f"overview, {state}", f"/assessments/{of[state]}", ada)
    for state in ("data", "example"):
        yield Shown(f"data, {state}", f"/assessments/{of[state]}/data", ada)
    for state in ("frozen", "ready", "example"):
        yield Shown(f"baselines, {state}", f"/assessments/{of[state]}/measure", ada)
    for state in ("frozen", "ready", "regressed", "example"):
        yield Shown(f"verdict, {state}", f"/assessments/{of[state]}/verdict", ada)
    yield Shown("review", f"/reviews/{made.reviews['in review']}", made.reviewer)
    yield Shown("policy", "/policy", ada)
    yield Shown("audit", "/audit", amy)
