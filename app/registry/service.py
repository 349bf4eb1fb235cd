"""The registry of adapters: what each was made from, how it did, and whether it is in use.

A candidate is what a run left. One that is shown to be better can be promoted, by somebody other than who launched the
run; then the one before it is retired. A retired adapter stays on record and is not handed out for use again.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from app import glossary
from app.assessments import store as assessment_store
from app.assessments import typed
from app.audit import service as audit
from app.baselines import answers_view
from app.baselines import store as baseline_store
from app.baselines.tables import BaselineRow
from app.db import utcnow
from app.errors import Conflict, FieldError, Forbidden, Invalid
from app.gate import people, reviews
from app.gate import store as review_store
from app.inference import store as model_store
from app.registry import store
from app.registry.tables import AdapterStateRow
from app.release import service as releases
from app.release.judgement import Check
from app.training import store as trainings
from app.training.tables import TrainingRow
from app.users.tables import Role, UserRow

State = Literal["candidate", "promoted", "retired"]
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """One adapter. needed: what it had to gain to reach the target, from the best prompt's test score, as the target
    stood when it was launched; gained: what it did gain. Shares, -1 to 1; None where unknown. failed: release checks
    that fail; None where none were made. reason, by, at: of the newest word; by is None for a candidate.
    """

    training: TrainingRow
    assessment: str
    base: str
    data_version: int | None
    data_sha256: str
    verdict: str
    needed: float | None
    gained: float | None
    failed: tuple[Check, ...] | None
    state: State
    reason: str = ""
    by: int | None = None
    at: datetime | None = None

    @property
    def failing(self) -> int | None:
        """How many release checks fail; None where none were made."""
        return None if self.failed is None else len(self.failed)


def entries(session: Session, before: int | None, limit: int) -> list[Entry]:
    """Adapters from the newest back."""
    rows = store.adapters(session, before, limit)
    newest = store.newest_words(session, [row.id for row in rows])
    return [_entry(session, row, newest.get(row.id)) for row in rows]


def entry(session: Session, training_id: int) -> Entry:
    """Raises: NotFound: there is no such run. Conflict: it left no adapter."""
    row = trainings.get(session, training_id)
    if row.adapter_sha256 is None:
        raise Conflict("This run has left no adapter.")
    return _entry(session, row, store.newest_words(session, [row.id]).get(row.id))


def state_of(session: Session, training_id: int) -> State:
    """Where an adapter stands, for whoever would use it."""
    word = store.newest_words(session, [training_id]).get(training_id)
    return _state(word)


def _state(word: AdapterStateRow | None) -> State:
    state: State = word.state if word else "candidate"  # type: ignore[assignment]  # the table allows these
    return state


def _entry(session: Session, row: TrainingRow, word: AdapterStateRow | None) -> Entry:
    subject = reviews.subject_of(review_store.get(session, row.review_id))
    baseline = baseline_store.get(session, row.baseline_id)
    result = row.result or {}
    before, target = result.get("before"), baseline.target
    release = releases.of_run(row)
    return Entry(
        training=row,
        assessment=assessment_store.get(session, row.assessment_id).title,
        base=model_store.get(session, row.model_id).name,
        data_version=subject.dataset.version if subject.dataset else None,
        data_sha256=(subject.dataset.rows_sha256 or "") if subject.dataset else "",
        verdict=str(result.get("verdict", "")),
        needed=target - before if target is not None and before is not None else None,
        gained=result.get("delta"),
        failed=None if release is None else _fit_to_read(session, baseline, release.failed),
        state=_state(word),
        reason=word.reason if word else "",
        by=word.by if word else None,
        at=word.at if word else None,
    )


def _fit_to_read(session: Session, baseline: BaselineRow, failed: Sequence[Check]) -> tuple[Check, ...]:
    """Labels in the words may hold what is masked."""
    if not failed:
        return ()
    hide = answers_view.masking(session, baseline)
    return tuple(replace(check, words=hide.text(check.words)) for check in failed)


# ------------------------------------------------------------------ what people say


def against_promoting(session: Session, entry: Entry, me: UserRow) -> str:
    """Why somebody can't promote it, in a sentence; empty where they can."""
    return _against_person(session, entry, me) or _against_state(entry)


def _against_person(session: Session, entry: Entry, me: UserRow) -> str:
    if me.role not in (Role.REVIEWER, Role.ADMIN):
        return "A reviewer or an administrator promotes adapters."
    if me.id == entry.training.launched_by:
        return "Somebody other than who launched the run promotes its adapter."
    if entry.training.launched_by in people.person(session, me).kept_by:
        return (
            "Your account was made, opened or given its role by who launched the run, which makes it no second "
            "person's. Have the operator give you a new password on the server (python -m app reset-password)."
        )
    return ""


def _against_state(entry: Entry) -> str:
    if entry.state != "candidate":
        return f"It is {entry.state} already."
    if entry.training.state != "done":
        return "Its run is not over."
    if entry.verdict != "improved":
        return f"It is not shown to be better than the best prompt ({entry.verdict or 'not evaluated'})."
    return ""


def promote(
    session: Session, training_id: int, me: UserRow, reason: str, despite: Collection[str] = ()
) -> AdapterStateRow:
    """Put an adapter to use; the one that was in use is retired with it. despite: the names of the release checks that
    fail, each of which was looked at; the record names them.

    Raises:
        Forbidden, Conflict: see `against_promoting`; or its assessment was put away.
        Invalid: no reason, or too long a one; or a check fails that `despite` does not name.
    """
    assessment_store.opened(session, trainings.assessment_of(session, training_id))  # one word at a time
    found = entry(session, training_id)
    if against := against_promoting(session, found, me):
        raise (Forbidden if found.state == "candidate" and found.verdict == "improved" else Conflict)(against)
    failed = found.failed or ()
    faults = list(_unseen(failed, despite))
    try:
        said = _reason(reason)
    except Invalid as refusal:
        raise Invalid(refusal.detail, [*refusal.errors, *faults]) from None
    if faults:
        raise Invalid("Release checks fail that nobody has looked at.", faults)
    if failed:
        said = f"{said} Despite failing: {', '.join(glossary.label(check.name) for check in failed)}."
    others = [row.id for row in trainings.of_assessment(session, found.training.assessment_id)]
    for other, word in store.newest_words(session, others).items():
        if word.state == "promoted":
            _say(session, other, found.training.assessment_id, me, "retired", f"Replaced by run {training_id}.")
    return _say(session, training_id, found.training.assessment_id, me, "promoted", said)


def _unseen(failed: Sequence[Check], despite: Collection[str]) -> Iterator[FieldError]:
    """Checks that fail and that were not confirmed by name, with what they say."""
    unseen = [check for check in failed if check.name not in despite]
    if unseen:
        listed = " ".join(f"{glossary.label(check.name)} ({check.name}): {check.words}" for check in unseen)
        yield FieldError("#/despite", f"Say of each check that fails that you looked at it. {listed}")


def retire(session: Session, training_id: int, me: UserRow, reason: str) -> AdapterStateRow:
    """Take an adapter out of use for good. Whoever launched its run may, a reviewer, and an administrator.

    Raises:
        Forbidden: somebody else. Conflict: it is retired already. Invalid: no reason, or too long a one.
    """
    assessment = assessment_store.changing(session, trainings.assessment_of(session, training_id))
    assessment_store.refuse_recorded(assessment)
    found = entry(session, training_id)
    if me.role not in (Role.REVIEWER, Role.ADMIN) and me.id != found.training.launched_by:
        raise Forbidden("Whoever launched the run, a reviewer or an administrator retires its adapter.")
    if found.state == "retired":
        raise Conflict("It is retired already.")
    return _say(session, training_id, found.training.assessment_id, me, "retired", _reason(reason))


def _reason(text: str) -> str:
    reason = " ".join(typed.lines(text).split())
    if not reason:
        raise Invalid("Say why.", [FieldError("#/reason", "Say why, so that it can be understood in a year.")])
    if len(reason) > LONGEST_REASON:
        fault = f"At most {LONGEST_REASON} characters; these are {len(reason):,}."
        raise Invalid("The reason is too long.", [FieldError("#/reason", fault)])
    return reason


def _say(
    session: Session, training_id: int, assessment_id: int, me: UserRow, state: Literal["promoted", "retired"], why: str
) -> AdapterStateRow:
    row = AdapterStateRow(training_id=training_id, state=state, reason=why, by=me.id, at=utcnow())
    session.add(row)
    session.flush()
    act = "adapter.promote" if state == "promoted" else "adapter.retire"
    audit.record(session, me, act, "assessment", assessment_id, {"training": training_id, "reason": why})
    return row


def history(session: Session, training_id: int) -> Sequence[AdapterStateRow]:
    """All that was said of an adapter, the newest first."""
    trainings.get(session, training_id)
    return store.words(session, training_id)
