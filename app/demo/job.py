"""The worked example as a job: it presses the same buttons as people do, and waits for the same jobs.

Every step looks at what is stored and does what is missing, so a second attempt goes on where the first one ended, and
nothing is asked, measured or trained twice. The job runs in the line of short work and holds no weights; the jobs that
it starts run in the line of models, one after the other, like anybody's.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.audit import service as audit
from app.baselines import answer_store, facts, runs, standing, tagging
from app.baselines import store as baseline_store
from app.baselines.order import BaselineRequest
from app.datasets import decisions_service, uploads_service
from app.datasets import store as dataset_store
from app.db import writing
from app.demo import example, pairs, service
from app.errors import Conflict
from app.gate import reviews
from app.gate import store as review_store
from app.gate.subject_builder import snapshot
from app.inference import connecting
from app.inference import service as models
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Cancelled, Claim, Failed
from app.jobs.tables import JobRow, Status
from app.json_types import JsonDict
from app.privacy import decisions
from app.recipes import store as recipes
from app.results import service as results
from app.training import service as trainings
from app.training import store as training_store
from app.users.tables import UserRow

POLL = 0.5  # seconds between two looks at a job that is waited for
FAILURES_NEEDED = 30  # gate G9


@dataclass
class Walk:
    """One attempt at the way through. `words` name the step that is being done; rows come from `packages`."""

    claim: Claim
    number: int = 0
    words: str = ""
    packages: Sequence[str] = pairs.PACKAGES

    @property
    def assessment_id(self) -> int:
        return self.claim.subject_id

    @contextmanager
    def as_author(self) -> Iterator[tuple[Session, UserRow]]:
        """A transaction in which Dana acts."""
        with self.claim.write() as session:
            yield session, service.author(session)

    def say(self, progress: JsonDict | None = None) -> None:
        reported = dict(progress or {})
        stage = f"Step {self.number} of {len(STEPS)}: {self.words}"
        if detail := reported.pop("stage", ""):
            stage = f"{stage} - {detail}"
        self.claim.report({**reported, "stage": stage}, now=not progress)

    def wait(self, job_id: int) -> None:
        """Wait for a job and show its progress as ours. Cancelling us cancels it too.

        Raises:
            Failed: it did not end well; with its own sentence.
        """
        try:
            while not (job := self._job(job_id)).final:
                self.say({**job.progress, "stage": _stage(job)})
                time.sleep(POLL)
        except Cancelled:
            with writing(self.claim.engine) as session:
                author = service.author(session)
                waited = job_store.held(session, job_id)
                if not waited.final and jobs.may_cancel(waited, author):  # a model that somebody else prepares goes on
                    jobs.cancel(session, job_id, author)
            raise
        if job.status != Status.DONE:
            raise Failed(
                f"{self.words}: the job '{job.title}' was not finished ({job.status}). {job.failure or ''} "
                "Press the button of the worked example again to go on from here."
            )

    def _job(self, job_id: int) -> JobRow:
        with self.claim.read() as session:
            return job_store.get(session, job_id)


def _stage(job: JobRow) -> str:
    if job.status == Status.QUEUED:
        return f"{job.title} (waiting for its turn)"
    return str(job.progress.get("stage") or job.title)


def demo(claim: Claim) -> None:
    walk = Walk(claim)
    for number, (title, step) in enumerate(STEPS, start=1):
        walk.number, walk.words = number, title
        walk.say()
        claim.log(f"Step {number} of {len(STEPS)}: {title}.")
        step(walk)


# ---------------------------------------------------------------- the steps


def _prepare_model(walk: Walk) -> None:
    with walk.as_author() as (session, author):
        model = models.bundled(session)
        state, job = models.state(session, model)
        if state == "ready":
            return
        job = job if state == "preparing" and job else connecting.prepare(session, model.id, author)
    walk.wait(job.id)


def _upload(walk: Walk) -> None:
    with walk.claim.read() as session:
        there = dataset_store.current(session, walk.assessment_id)
    if there is not None:
        return
    documented: list[pairs.Pair] = []
    for package in walk.packages:
        walk.say({"stage": f"reading {package}", "done": len(documented), "unit": "docstrings"})
        documented += pairs.of_package(package)
    walk.say({"stage": "leaving out what asks nearly the same"})
    blob = walk.claim.blobs.put(pairs.jsonl(pairs.different(documented)))
    with walk.as_author() as (session, author):
        uploaded = uploads_service.Uploaded(blob, "docstrings.jsonl", human_checked=True)
        uploads_service.upload(session, walk.assessment_id, author, uploaded)


def _check(walk: Walk) -> None:
    with walk.as_author() as (session, author):
        dataset = dataset_store.newest(session, walk.assessment_id)
        if dataset is None or dataset.state == "rejected":
            raise Failed("The examples were rejected by the check. The data page says why.")
        if dataset.state == "ready":
            return
        job = uploads_service.job_of(session, dataset)
        if job is None or job.final:
            job = uploads_service.check_again(session, dataset.id, author)
    walk.wait(job.id)


def _mask(walk: Walk) -> None:
    """An author's address in a docstring would keep the gate shut: it is masked, which is a new version."""
    with walk.as_author() as (session, author):
        dataset = dataset_store.current(session, walk.assessment_id)
        if dataset is None or dataset.state != "ready":
            return
        open_kinds = decisions.undecided(dataset.report.identifiers, dataset.decisions)
        if open_kinds and dataset.frozen_at is None:
            decisions_service.decide(session, dataset.id, author, dict.fromkeys(open_kinds, "mask"))
    _check(walk)


def _freeze(walk: Walk) -> None:
    with walk.as_author() as (session, author):
        dataset = dataset_store.current(session, walk.assessment_id)
        if dataset is not None and dataset.frozen_at is None:
            uploads_service.freeze(session, dataset.id, author)


def _measure(walk: Walk) -> None:
    with walk.as_author() as (session, author):
        baseline = baseline_store.current(session, walk.assessment_id)
        if baseline is None:
            order = BaselineRequest(
                model_id=models.bundled(session).id,
                instructions=example.INSTRUCTIONS,
                k_random=example.K_RANDOM,
                k_nearest=example.K_NEAREST,
                max_tokens=example.MAX_TOKENS,
                dev_rows=example.DEV_ROWS,
                test_rows=example.TEST_ROWS,
                metric_options=example.METRIC_OPTIONS,
            )
            baseline = runs.start(session, walk.assessment_id, order, by=author)
        elif baseline.concluded_at is not None:
            return
        elif runs.running(session, baseline) is None:
            runs.resume(session, baseline.id, by=author)
        job_id = baseline.job_id
    if job_id is not None:
        walk.wait(job_id)


def _tag(walk: Walk) -> None:
    """Put failures down to behaviour: the check compares nothing but headings and names, so no other cause is seen."""
    with walk.as_author() as (session, author):
        baseline = baseline_store.current(session, walk.assessment_id)
        best = standing.leading(baseline) if baseline else None
        if baseline is None or best is None:
            raise Failed("No way of asking could be measured. The measure page says why.")
        if sum(facts.failure_causes(session, baseline).values()) >= FAILURES_NEEDED:
            return
        failed = [  # of the dev rows only: the test rows are for counting, not for reading
            answer
            for answer in answer_store.answers(session, best.id, "dev")
            if answer.score is not None and answer.score < standing.passing(baseline)
        ]
        tagging.tag(session, best.id, {answer.id: "behaviour" for answer in failed}, by=author)
        detail = {"arm": best.name, "answers": len(failed), "rule": "fails the check of form, which sees nothing else"}
        audit.record(session, author, "demo.tag_by_rule", "assessment", walk.assessment_id, detail)


def _revise(walk: Walk) -> None:
    with walk.as_author() as (session, author):
        baseline = baseline_store.current(session, walk.assessment_id)
        if baseline is None or any(arm.family == "revised_prompt" for arm in baseline.arms):
            return
        runs.revise(session, baseline.id, example.REVISED, by=author)


def _plan_training(walk: Walk) -> None:
    with walk.as_author() as (session, author):
        if recipes.of_assessment(session, walk.assessment_id) is None:
            trainings.save_recipe(session, walk.assessment_id, author, models.bundled(session).id, example.RECIPE)
        if trainings.plan(session, walk.assessment_id).checked:
            return
        job_id = trainings.start_preflight(session, walk.assessment_id, author).id
    walk.wait(job_id)


def _review(walk: Walk) -> None:
    """Dana asks, Robin reads the frozen subject's digest and approves it. Not if a criterion is open."""
    with walk.as_author() as (session, author):
        if training_store.latest(session, walk.assessment_id) is not None:
            return
        now = snapshot(session, assessment_store.get(session, walk.assessment_id))
        advice = now.advised
        if advice.training != "ready":
            open_now = " ".join(f"{gate_.id}: {gate_.measured}" for gate_ in advice.blockers)
            raise Failed(f"The gate stays locked, and that is the result: {open_now}")
        review = review_store.living(session, walk.assessment_id)
        if review is None or reviews.changed_since(review, now):
            review = reviews.request_review(session, walk.assessment_id, author, note=example.NOTE)
        if review.state == "open":
            reviews.decide(
                session, review.id, service.reviewer(session), "approve", review.digest,
                "All criteria pass, the sample is stated, and the tags were given by rule, as the note says.",
            )  # fmt: skip


def _train(walk: Walk) -> None:
    with walk.as_author() as (session, author):
        row = training_store.latest(session, walk.assessment_id)
        if row is None:
            row, _ = trainings.launch(session, walk.assessment_id, author, example.LAUNCH_KEY)
        else:
            state, _ = trainings.standing(session, row)
            if state == "done":
                return
            if state in trainings.OVER:
                row = trainings.resume(session, row.id, author)
        job_id = row.job_id
    if job_id is not None:
        walk.wait(job_id)


def _conclude(walk: Walk) -> None:
    with walk.claim.read() as session:
        row = training_store.latest(session, walk.assessment_id)
        compared = results.outcome(session, row.id).compared if row else None
        lines = list(service.summary(session, walk.assessment_id))
    if compared is None:
        raise Conflict("The training ended without a comparison. The train page says why.")
    for line in lines:
        walk.claim.log(line)
    walk.say({"stage": f"{compared.verdict}. {compared.words}"})


STEPS: Sequence[tuple[str, Callable[[Walk], None]]] = (
    ("Prepare the embedded model", _prepare_model),
    ("Read real examples from the packages installed here", _upload),
    ("Check the examples", _check),
    ("Mask personal data, if any was found", _mask),
    ("Freeze the split", _freeze),
    ("Measure the prompts", _measure),
    ("Tag the failures by rule", _tag),
    ("Revise the instructions", _revise),
    ("Measure the revised prompt", _measure),
    ("Tag what the best prompt still gets wrong", _tag),
    ("Plan the training", _plan_training),
    ("Ask for review, and approve", _review),
    ("Train, and evaluate on the same rows", _train),
    ("Compare", _conclude),
)
