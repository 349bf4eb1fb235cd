"""The overview of one assessment: its evidence, its criteria, its people, what runs, and what happened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.baselines import standing as measurements
from app.baselines import store as baseline_store
from app.dossier import activity, store
from app.dossier.activity import Event
from app.gate import people
from app.gate import store as review_store
from app.gate.evidence_strip import Criteria, Line
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.standing import service as standings
from app.training import store as trainings
from app.training.tables import TrainingRow
from app.users import store as user_store
from app.wording import percent

MOST_EVENTS = 60
"""Entries of the record that the overview looks back."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page of an assessment says below its status. people: what they are to it, with their names.
    jobs: what is waiting or running."""

    evidence: Sequence[Line]
    criteria: Criteria
    people: Sequence[tuple[str, str]]
    jobs: Sequence[JobRow]
    activity: Sequence[Event]


def overview(session: Session, assessment: AssessmentRow) -> Overview:
    """Where an assessment stands, at a glance. Nothing is judged for it: what the status rests on is kept with it."""
    glance = standings.kept(session, assessment).glance
    open_jobs = [job for job in job_store.newest(session, None, 5, assessment_id=assessment.id) if not job.final]
    return Overview(
        glance.lines,
        glance.criteria,
        tuple(_people(session, assessment)),
        open_jobs,
        activity.feed(
            assessment.id,
            store.acts(session, assessment.id, MOST_EVENTS),
            [
                *_baseline_outcomes(session, assessment.id),
                *_run_outcomes(trainings.of_assessment(session, assessment.id)),
                *_failures(session, assessment.id),
            ],
            store.file_names(session, assessment.id),
        ),
    )


def _people(session: Session, assessment: AssessmentRow) -> Iterator[tuple[str, str]]:
    """The owner, who worked on it, and who decided on it."""
    worked = sorted(people.workers(session, assessment.id) - {assessment.created_by})
    decided = {
        decision.reviewer_id
        for review in review_store.of_assessment(session, assessment.id)
        for decision in review.decisions
        if decision.kind != "comment"
    }
    names = user_store.names(session, sorted({assessment.created_by, *worked, *decided}))
    yield "Owner", names.get(assessment.created_by, "")
    if worked:
        yield "Contributors", ", ".join(names[user] for user in worked if user in names)
    if decided:
        yield "Reviewers", ", ".join(names[user] for user in sorted(decided) if user in names)


def _baseline_outcomes(session: Session, assessment_id: int) -> Iterator[Event]:
    for baseline in baseline_store.of_assessment(session, assessment_id):
        best = measurements.best(baseline)
        if baseline.concluded_at is not None and best is not None and best.test is not None:
            text = f"Baselines finished: best prompt {percent(best.test.score)} on the test set"
            yield Event(baseline.concluded_at, "", text, f"/assessments/{assessment_id}/measure")


def _run_outcomes(runs: Sequence[TrainingRow]) -> Iterator[Event]:
    for run in runs:
        if run.finished_at is None:
            continue
        url = f"/trainings/{run.id}"
        if run.result:
            yield Event(run.finished_at, "", f"Adapter evaluated: {run.result.get('verdict', '')}", url)
        elif run.state in _ENDS:
            yield Event(run.finished_at, "", f"Training run {run.id} {_ENDS[run.state]}", url)


_ENDS = {"cancelled": "was cancelled", "failed": "failed", "refused": "was refused"}


def _failures(session: Session, assessment_id: int) -> Iterator[Event]:
    """Other work that ended without success; a run says so itself."""
    for job in store.failed_jobs(session, assessment_id, 10):
        yield Event(job.finished_at, "", f"Failed: {job.title}", f"/jobs/{job.id}")
