"""The overview of one assessment: its evidence, its criteria, its people, what runs, and what happened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.advice.verdict import Advice
from app.assessments.tables import AssessmentRow
from app.baselines import standing as measurements
from app.baselines import store as baseline_store
from app.dossier import activity, store
from app.dossier.activity import Event
from app.gate import evidence_strip, people
from app.gate import store as review_store
from app.gate.evidence import Facts, gather, judge
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.training import store as trainings
from app.training.tables import TrainingRow
from app.users import store as user_store
from app.wording import percent

MOST_EVENTS = 60
"""Entries of the record that the overview looks back."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """How the criteria stand. open: id and title of those that lock training, in the order of the policy."""

    met: int
    counted: int
    not_applicable: int
    open: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page of an assessment says below its status. people: what they are to it, with their names.
    jobs: what is waiting or running."""

    evidence: Sequence[evidence_strip.Line]
    criteria: Criteria
    people: Sequence[tuple[str, str]]
    jobs: Sequence[JobRow]
    activity: Sequence[Event]


def overview(session: Session, assessment: AssessmentRow) -> Overview:
    """Where an assessment stands, at a glance."""
    facts = gather(session, assessment)
    runs = trainings.of_assessment(session, assessment.id)
    outcome = next((run.result for run in runs if run.result), None)
    open_jobs = [job for job in job_store.newest(session, None, 5, assessment_id=assessment.id) if not job.final]
    return Overview(
        evidence_strip.strip(session, facts, outcome),
        _criteria(judge(session, facts)),
        tuple(_people(session, facts)),
        open_jobs,
        activity.feed(
            assessment.id,
            store.acts(session, assessment.id, MOST_EVENTS),
            [*_baseline_outcomes(session, assessment.id), *_run_outcomes(runs), *_failures(session, assessment.id)],
            store.file_names(session, assessment.id),
        ),
    )


def _criteria(advice: Advice) -> Criteria:
    states = [finding.state for finding in advice.findings.values()]
    left_out = states.count("not_applicable")
    still_open = [(gate, advice.policy.gates[gate].title) for gate, finding in advice.findings.items() if finding.locks]
    return Criteria(states.count("pass"), len(states) - left_out, left_out, still_open)


def _people(session: Session, facts: Facts) -> Iterator[tuple[str, str]]:
    """The owner, who worked on it, and who decided on it."""
    assessment = facts.assessment
    worked = sorted(people.contributors(session, facts) - {assessment.created_by})
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
