"""The overview of one assessment: its evidence, its criteria, its people, what runs, and what happened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.dossier import activity, store
from app.dossier.activity import Event
from app.gate.evidence_strip import Criteria, Line
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.standing import service as standings
from app.users import store as user_store

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
    return Overview(
        glance.lines,
        glance.criteria,
        tuple(_people(session, assessment)),
        job_store.open_of_assessment(session, assessment.id, 5),
        activity.feed(
            assessment.id,
            store.acts(session, assessment.id, MOST_EVENTS),
            list(_outcomes(session, assessment.id)),
            store.file_names(session, assessment.id),
        ),
    )


def _people(session: Session, assessment: AssessmentRow) -> Iterator[tuple[str, str]]:
    """The owner, who else worked on it, and who decided on it."""
    owner, involved = assessment.created_by, store.people(session, assessment.id)
    known = next((name for _, user, name in involved if user == owner), "")
    yield "Owner", known or user_store.get(session, owner).name
    for label, what in (("Contributors", "worked"), ("Reviewers", "decided")):
        if names := [name for did, user, name in sorted(involved, key=itemgetter(1)) if did == what and user != owner]:
            yield label, ", ".join(names)


def _outcomes(session: Session, assessment_id: int) -> Iterator[Event]:
    """What jobs came to; the record holds only what people did."""
    for kind, id_, at, word in store.outcomes(session, assessment_id):
        if at is None:
            continue
        if kind == "baseline":
            yield Event(at, "", "Baselines finished", f"/assessments/{assessment_id}/measure")
        elif kind == "job":
            yield Event(at, "", f"Failed: {word}", f"/jobs/{id_}")
        elif word in _ENDS:
            yield Event(at, "", f"Training run {id_} {_ENDS[word]}", f"/trainings/{id_}")
        else:
            yield Event(at, "", f"Adapter evaluated: {word}", f"/trainings/{id_}")


_ENDS = {"cancelled": "was cancelled", "failed": "failed", "refused": "was refused", "done": "is trained"}
