"""The status of an assessment as pages, lists and programs read it: what is kept, or worked out where that is stale."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.advice.evidence import Evidence
from app.advice.verdict import Advice
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.db import memo, not_after, prefill, utcnow
from app.gate import evidence
from app.gate.evidence_strip import Glance
from app.standing import keeping, store
from app.standing.rules_version import rules_version
from app.standing.store import Line
from app.standing.tables import StandingRow
from app.standing.working_out import WorkedOut, work_out
from app.web.protocols import Action, Standing, State, Step

log = logging.getLogger("tunegate.standing")

UNKNOWN = "No status can be given. The server's log says why."


@dataclass(frozen=True, slots=True)
class Kept:
    """What pages need to know of an assessment without judging it anew.

    evidence: what was measured. low, high: the interval of `standing.best`.
    """

    standing: Standing
    steps: Sequence[Step]
    evidence: Evidence
    glance: Glance
    low: float | None
    high: float | None


def kept(session: Session, assessment: AssessmentRow) -> Kept:
    """Where an assessment stands. One row is read; where that is stale it is worked out, and kept by the next writing
    transaction."""
    keeping.settle(session)  # what this very transaction changed so far
    return memo(session, ("kept", assessment.id), lambda: _kept(session, assessment))


def _kept(session: Session, assessment: AssessmentRow) -> Kept:
    row = store.find(session, assessment.id)
    if row is not None and _holds(row, assessment):
        not_after(session, row.valid_until)
        return _read(row)
    keeping.remember(session, assessment.id)
    made = work_out(session, assessment)
    not_after(session, made.valid_until)
    return _of(made)


def _read(row: StandingRow) -> Kept:
    steps = tuple(Step(*fields) for fields in json.loads(row.steps))
    glance = Glance.from_json(json.loads(row.glance))
    return Kept(store.of_row(row), steps, Evidence.from_json(json.loads(row.evidence)), glance, row.low, row.high)


def _of(made: WorkedOut) -> Kept:
    low, high = made.interval or (None, None)
    return Kept(made.standing, made.steps, made.evidence, made.glance, low, high)


def _holds(row: StandingRow, assessment: AssessmentRow) -> bool:
    return (
        not row.stale
        and row.revision == assessment.revision
        and row.code == rules_version()
        and (row.valid_until is None or row.valid_until > utcnow())
    )


def standing(session: Session, assessment: AssessmentRow) -> Standing:
    """The one status (`AppContext.standing`); where it cannot be worked out, that: a list has other lines as well."""
    try:
        return kept(session, assessment).standing
    except Exception:
        log.exception("assessment %s has no status", assessment.id)
        return _unknown(store.find(session, assessment.id), assessment.id)


def _unknown(row: StandingRow | None, assessment_id: int) -> Standing:
    """In the state that was kept last, for programs know no other, and without anything that may not hold any more."""
    state: State = row.state if row is not None else "draft"  # type: ignore[assignment]  # as kept
    overview = Action("Open", f"/assessments/{assessment_id}")
    return Standing(state, "Status unknown", UNKNOWN, "", "soft", overview, None, None)


def steps(session: Session, assessment: AssessmentRow) -> Sequence[Step]:
    """The seven steps (`AppContext.steps`)."""
    return kept(session, assessment).steps


def measured(session: Session, assessment: AssessmentRow) -> Evidence:
    """What was measured so far, for pages below the gate (`AppContext.evidence`)."""
    return kept(session, assessment).evidence


def advice(session: Session, assessment: AssessmentRow) -> Advice:
    """The advice, from the evidence that is kept: a millisecond. What decides about a launch is gathered anew."""
    just_made = keeping.made_here(session, assessment.id)
    if just_made is not None:
        return just_made.advice
    policy = assessments.policy_of(session, assessment)
    return assessments.advise(assessment, kept(session, assessment).evidence, policy)


def read_ahead(session: Session, assessments: Sequence[AssessmentRow]) -> None:
    """Read what is kept of a whole list at once (`AppContext.read_ahead`); what is stale is gathered in few queries."""
    rows = store.of_ids(session, [assessment.id for assessment in assessments])
    held = {row.id: rows[row.id] for row in assessments if row.id in rows and _holds(rows[row.id], row)}
    for row in held.values():
        not_after(session, row.valid_until)
    prefill(session, {("kept", assessment_id): _read(row) for assessment_id, row in held.items()})
    if stale := [assessment for assessment in assessments if assessment.id not in held]:
        evidence.read_ahead(session, stale)


def in_states(
    session: Session, states: Sequence[State], text: str, before: int | None, limit: int
) -> Sequence[AssessmentRow]:
    """For programs (`AppContext.in_states`): by what is kept, which the workers bring up to date within seconds."""
    return store.in_states(session, states, text, before, limit)


def fresh_lines(session: Session, lines: Sequence[Line]) -> list[Line]:
    """The same lines, those that are stale worked out for this page."""
    now = utcnow()
    for line in lines:
        not_after(session, line.valid_until)
    stale = {
        line.id
        for line in lines
        if line.stale or line.code != rules_version() or (line.valid_until is not None and line.valid_until <= now)
    }
    if not stale:
        return list(lines)
    rows = {row.id: row for row in assessment_store.of_ids(session, stale)}
    evidence.read_ahead(session, list(rows.values()))
    return [_fresh(session, line, rows[line.id]) if line.id in rows else line for line in lines]


def _fresh(session: Session, line: Line, assessment: AssessmentRow) -> Line:
    """The line, worked out; where that fails it says so, and the rest of the list is there all the same."""
    try:
        made = kept(session, assessment)
    except Exception:
        log.exception("assessment %s has no status", line.id)
        unknown = _unknown(store.find(session, line.id), line.id)
        return replace(line, standing=unknown, low=None, high=None)
    return replace(line, standing=made.standing, low=made.low, high=made.high, stale=False)
