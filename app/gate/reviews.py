"""Reviews: asking for one, deciding it, commenting, withdrawing, and whether one still holds.

Nothing here trusts a flag. A review that looks alive is held against the subject as it is now, built again from stored
content.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sqlalchemy.orm import Session

from app.advice.verdict import Advice
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.baselines import facts as baselines
from app.datasets import store as dataset_store
from app.datasets.tables import ExampleRow
from app.db import installation_of, utcnow
from app.errors import Conflict, DigestMissing, FieldError, Forbidden, Invalid, Stale
from app.gate import approvals, changes, checks, people, permission, store, subject
from app.gate.evidence import Facts, gather
from app.gate.reviewed import Data, Subject
from app.gate.subject_builder import Snapshot, completed
from app.gate.tables import DecisionRow, ReviewRow
from app.json_types import JsonObject
from app.users.tables import UserRow


def request_review(
    session: Session, assessment_id: int, me: UserRow, note: str = "", asked_of: int | None = None
) -> ReviewRow:
    """Freeze the subject and put it into the review queue. A living review of an older state is replaced.

    asked_of: the user who is asked to decide it; None where anyone who may. Others who may decide still can.

    Raises:
        Conflict: there is nothing to review yet, or exactly this is under review or approved already.
        Invalid: the one who is asked may not decide it.
    """
    assessment = assessment_store.opened(session, assessment_id)
    if not assessments.answers(assessment):
        raise Conflict("Answer the questionnaire first; there is nothing to review yet.")
    facts = gather(session, assessment)
    if facts.baseline is not None and (wrong := list(baselines.misstated(session, facts.baseline))):
        raise Conflict.because(wrong)
    may, may_not = people.deciders(session, facts)
    if asked_of is not None and asked_of not in {user.id for user in may}:
        raise Invalid(
            "Review was not requested.",
            [FieldError("#/reviewer", "This person cannot decide it. Choose somebody from the list, or anyone.")],
        )
    text = subject.canonical(completed(session, facts).subject.to_json())
    digest = subject.digest_of_text(text)
    if (before := store.living(session, assessment_id)) is not None:
        if before.digest == digest and before.state in {"open", "approved"}:
            raise Conflict(
                f"Exactly this is {'waiting for a reviewer' if before.state == 'open' else 'approved'} already."
            )
        if before.digest == digest:
            raise Conflict("A reviewer requested changes, and nothing has changed since. Change it, then ask again.")
        close(session, before, "superseded", "a newer version was put up for review")
    review = ReviewRow(
        assessment_id=assessment_id,
        revision=assessment.revision,
        subject=text.decode(),
        digest=digest,
        state="open",
        note=note,
        requested_by=me.id,
        requested_at=utcnow(),
        asked_of=asked_of,
    )
    session.add(review)
    session.flush()
    worked = people.workers(session, assessment_id)  # looked up for itself: a later hand counts, too
    store.bar(session, review.id, {user.id for user in may_not} - worked)
    audit.record(session, me, "review.request", "assessment", assessment_id, {"review": review.id, "digest": digest})
    return review


def text_of(review: ReviewRow) -> JsonObject:
    """The frozen subject as it was stored, numbers as text.

    Raises:
        Conflict: the text no longer has the digest it was stored with.
    """
    if subject.digest_of_text(review.subject.encode()) != review.digest:
        raise Conflict("The stored subject of this review was changed. Request review again and tell the operator.")
    parsed: JsonObject = json.loads(review.subject)
    return parsed


def subject_of(review: ReviewRow) -> Subject:
    """The frozen subject. Refuses text that no longer has the digest it was stored with."""
    return Subject.from_json(text_of(review))


def changed_since(review: ReviewRow, now: Snapshot) -> list[tuple[str, object, object]]:
    """What is different now from what was put up for review: (path, then, now)."""
    return subject.differences(text_of(review), now.subject.to_json())


def drawn_rows(session: Session, data: Data, number: int) -> list[ExampleRow]:
    """Test rows of what is under review, drawn by chance: the hash of the split is the seed, so everybody is shown the
    same ones and nobody picked them. In the order of the file."""
    chance = Random(f"{data.split_sha256}/{data.seed}")
    places = sorted(chance.sample(range(data.rows.test), min(number, data.rows.test)))
    only = dataset_store.RowFilter(split="test")
    return [row for place in places for row in dataset_store.page_of(session, data.id, only, skip=place, limit=1)]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that was said of an assessment in its reviews. kind: note (its author asks), or that of a decision."""

    review: int
    by: int
    at: datetime
    kind: str
    text: str
    decision: DecisionRow | None = None


def conversation(listed: Iterable[ReviewRow]) -> list[Remark]:
    """What was said in these reviews, the oldest first: it goes on from one review of an assessment to the next."""
    remarks = []
    for review in listed:
        if review.note:
            remarks.append(Remark(review.id, review.requested_by, review.requested_at, "note", review.note))
        remarks += [
            Remark(review.id, made.reviewer_id, made.at, made.kind, made.comment, made) for made in review.decisions
        ]
    return sorted(remarks, key=lambda remark: (remark.at, remark.review))


def void_because(session: Session, review: ReviewRow, now: Snapshot) -> list[str]:
    """Why a review that looks alive is not: what changed since, and what is wrong with its approval by itself."""
    if not review.living:
        return []
    reasons = []
    if changed_since(review, now):
        reasons.append(f"Something changed since review was requested: {_named(review, now)}.")
    return reasons + fallen(session, review, now.facts)


def outdated(session: Session, review: ReviewRow, facts: Facts, advised: Advice) -> bool:
    """Whether a living review is void, from what an assessment's page knows anyway: the revision, the evidence (prices
    of today are part of it), the verdict and the approval by itself. Answers are not hashed for it.
    """
    return review.living and (changed_since_asked(review, facts, advised) or bool(fallen(session, review, facts)))


def changed_since_asked(review: ReviewRow, facts: Facts, advised: Advice) -> bool:
    """The part of `outdated` that is about what is under review, not about its approval."""
    if review.revision != facts.assessment.revision:
        return True
    try:
        frozen = subject_of(review)
    except Conflict:  # whoever opens or decides it is told; here it is enough that nothing rests on it
        return True
    return (
        subject.exact(frozen.evidence.to_json()) != subject.exact(facts.evidence.to_json())
        or frozen.verdict.training != advised.training
    )


def fallen(session: Session, review: ReviewRow, facts: Facts) -> list[str]:
    """What is wrong with the approval of a review by itself: expired, unsealed, of somebody who may not any more.

    Quick: what may have changed since is not looked at.
    """
    decision = approvals.approving(review)
    if review.state != "approved" or decision is None:
        return []
    approval = approvals.approval_of(session, review, decision)
    if approval is None:
        return []
    those = people.involved(session, facts)
    return list(permission.against_approval(approval, those.contributors, those.workers, utcnow()))


def _named(review: ReviewRow, now: Snapshot) -> str:
    """The first few things that changed, by their labels."""
    return ", ".join(one.label for one in changes.changes(text_of(review), now.subject.to_json())[:5])


def decide(
    session: Session,
    review_id: int,
    me: UserRow,
    kind: str,
    digest: object,
    comment: str = "",
    checked: Sequence[str] = (),
) -> DecisionRow:
    """Approve, or ask for changes, of exactly the digest that was on the reviewer's screen.

    checked: the sections that the reviewer looked at (`gate/checks.py`); kept, and decides nothing.

    Raises:
        DigestMissing, Invalid: no digest, or not the form of one.
        Stale: the digest is not that of this review, or the assessment has changed since review was requested.
        Forbidden: this person may not decide this.
        Conflict: this review is over, or this person has said the same already.
    """
    assessment = assessment_store.opened(session, store.assessment_of(session, review_id))
    review = store.get(session, review_id)
    facts = gather(session, assessment)
    if reasons := people.may_decide(session, facts, me):
        raise Forbidden.because(reasons)
    _refuse_malformed(kind, digest, comment, checked)
    if not review.living:
        raise Conflict(f"This review is over: {review.state.replace('_', ' ')}.")
    if digest != review.digest:
        raise Stale(f"That digest is not the one under review ({review.digest}). Open the review again.")
    if kind == "approve" and changed_since(review, now := completed(session, facts)):
        raise Stale(
            f"The assessment has changed since review was requested ({_named(review, now)}). "
            "Its author has to ask again."
        )
    at = utcnow()
    _void_earlier(review, me, kind, at)
    session.flush()  # the old voice goes before the new one comes: the database lets nobody have two
    made = DecisionRow(
        review_id=review.id,
        reviewer_id=me.id,
        kind=kind,
        digest=review.digest,
        comment=comment.strip(),
        at=at,
        expires_at=at + timedelta(days=_approval_days(session)) if kind == "approve" else None,
        checked=checks.stored(checked),
    )
    review.decisions.append(made)
    made.seal = approvals.seal(session, made)
    session.flush()
    _move(session, review, _state(review))
    audit.record(session, me, f"review.{kind}", "assessment", review.assessment_id, _recorded(review, made))
    return made


def _void_earlier(review: ReviewRow, me: UserRow, kind: str, at: datetime) -> None:
    """One voice each: a new decision of the same person replaces the old one.

    Raises:
        Conflict: this person has said the same already.
    """
    own = [made for made in review.decisions if made.reviewer_id == me.id and made.voided_at is None]
    if any(made.kind == kind for made in own):
        raise Conflict("You have decided this already.")
    for earlier in own:
        if earlier.kind != "comment":
            earlier.voided_at = at


def _recorded(review: ReviewRow, made: DecisionRow) -> dict[str, object]:
    """What the record says of a decision; a launch looks for exactly this."""
    return {"review": review.id, "digest": review.digest, "decision": made.id}


def _refuse_malformed(kind: str, digest: object, comment: str, checked: Sequence[str]) -> None:
    if digest is None or digest == "":
        raise DigestMissing("Say which digest you decide about; the review page shows it.")
    errors = checks.unknown(checked)
    if not subject.well_formed(digest):
        errors.append(FieldError("#/digest", "A digest is 64 lower-case hexadecimal digits."))
    if kind not in {"approve", "request_changes"}:
        errors.append(FieldError("#/kind", "Decide with approve or request_changes."))
    if kind == "request_changes" and not comment.strip():
        errors.append(FieldError("#/comment", "Say what has to change."))
    if errors:
        raise Invalid("The decision cannot be taken like this.", errors)


def comment(session: Session, review_id: int, me: UserRow, text: str) -> DecisionRow:
    """Say something about a review without deciding it. Anybody signed in may."""
    assessment_store.refuse_recorded(assessment_store.changing(session, store.assessment_of(session, review_id)))
    review = store.get(session, review_id)
    if not text.strip():
        raise Invalid("Write something first.", [FieldError("#/comment", "Write something first.")])
    made = DecisionRow(
        review_id=review.id, reviewer_id=me.id, kind="comment", digest=review.digest, comment=text.strip(), at=utcnow()
    )
    session.add(made)
    return made


def withdraw(session: Session, review_id: int, me: UserRow) -> ReviewRow:
    """Take a request back: whoever asked, or a contributor, may. An approval goes with it."""
    assessment_store.changing(session, store.assessment_of(session, review_id))
    review = store.get(session, review_id)
    if not review.living:
        raise Conflict(f"This review is over: {review.state.replace('_', ' ')}.")
    if me.id != review.requested_by and me.id not in people.workers(session, review.assessment_id):
        raise Forbidden("Only somebody who worked on this assessment can withdraw its review.")
    close(session, review, "withdrawn", f"withdrawn by {me.name}")
    audit.record(session, me, "review.withdraw", "assessment", review.assessment_id, {"review": review.id})
    return review


def _state(review: ReviewRow) -> str:
    """A request for changes by anyone blocks, whatever others approved, until that person takes it back."""
    counted = {d.kind for d in review.decisions if d.voided_at is None}
    if "request_changes" in counted:
        return "changes_requested"
    return "approved" if "approve" in counted else "open"


def close(session: Session, review: ReviewRow, state: str, because: str) -> None:
    _move(session, review, state, closed_at=utcnow(), closed_because=because[:200])


def _move(session: Session, review: ReviewRow, state: str, **more: object) -> None:
    """Every act holds the assessment, so nobody can have come between; a state that is another one all the same is a
    sign that something wrote past us, and nothing is built on it.

    Raises:
        Conflict: the review has another state than the one that was looked at.
    """
    if not store.move(session, review, state, **more):
        raise Conflict("Somebody else acted on this review at the same moment. Look at it again.")


def _approval_days(session: Session) -> int:
    """How long an approval counts. One that is given past an installation has no seal, and is over at once."""
    installation = installation_of(session)
    return installation.settings.approval_days if installation else 0
