"""The permission to launch, worked out each time from stored content, and looked at once more before a start.

The subject is built again, its digest is compared with the one a reviewer approved, and every criterion is looked at
once more.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.advice.sentences.gates import Gate
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.baselines import facts as baselines
from app.blobs import Blobs
from app.db import installation_of, utcnow
from app.errors import GateClosed
from app.gate import approvals, people, permission, reviews, store, subject
from app.gate.evidence import Facts, gather
from app.gate.reviewed import Subject
from app.gate.subject_builder import Snapshot, completed, snapshot
from app.gate.tables import DecisionRow, ReviewRow
from app.glossary import known, todays


@dataclass(frozen=True, slots=True)
class Weighed:
    """Whether an assessment may be launched, and all that it was worked out from.

    text: the canonical text of the subject as it is now. reasons: what stands in the way; none means that it may.
    """

    now: Snapshot
    text: bytes
    review: ReviewRow | None
    decision: DecisionRow | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to launch, worked out in the transaction that uses it. subject: as it was approved."""

    review: ReviewRow
    decision: DecisionRow
    digest: str
    subject: Subject


def weigh(session: Session, assessment: AssessmentRow) -> Weighed:
    """Everything that stands between an assessment and training: gathered, judged and built once."""
    now = snapshot(session, assessment)
    text = subject.canonical(now.subject.to_json())
    review = store.latest(session, assessment.id)
    decision = approvals.approving(review)
    those = people.involved(session, now.facts)
    reasons = permission.against_launching(
        digest_now=subject.digest_of_text(text),
        digest_reviewed=subject.digest_of_text(review.subject.encode()) if review else None,
        review_state=review.state if review else None,
        approval=approvals.approval_of(session, review, decision) if review and decision else None,
        contributors=those.contributors,
        workers=those.workers,
        put_away=list(_put_away(now.facts)),
        blockers=list(_blockers(now)),
        now=utcnow(),
    )
    return Weighed(now, text, review, decision, tuple(reasons))


def _blockers(now: Snapshot) -> Iterator[str]:
    """What the criteria say against it, and that there is no recipe."""
    advised = now.advised
    if advised.training != "ready":
        yield from map(of_criterion, advised.blockers)
        if not advised.blockers:
            yield f"The advice is {known('approach', advised.approach)}; training is not what this case needs."
    if now.facts.recipe is None:
        yield "There is no training config yet. Save one."


def of_criterion(gate: Gate) -> str:
    """What a criterion that is open says against a launch."""
    return f"{gate.id} {gate.label}: {todays(gate.measured)} Needed: {todays(gate.needed)}"


def permit(session: Session, weighed: Weighed) -> Permit:
    """Permission for exactly one launch. Call `use` in the same transaction.

    Raises:
        GateClosed: with every reason at once.
    """
    if weighed.reasons or weighed.review is None or weighed.decision is None:
        raise GateClosed([*weighed.reasons] or ["Nobody has approved this yet. Request review."])
    if damaged := list(_damaged(session, weighed.now.facts)):
        raise GateClosed(damaged)
    approved = Subject.from_json(json.loads(weighed.text))
    return Permit(weighed.review, weighed.decision, weighed.review.digest, approved)


def _damaged(session: Session, facts: Facts) -> Iterator[str]:
    """What is not what it says it is, looked at byte by byte: too slow for a page, and an approval is not used up for
    a run that the trainer would refuse."""
    installation, dataset = installation_of(session), facts.dataset
    if installation is None or dataset is None or not dataset.rows_sha256:
        yield "The stored rows cannot be looked at."
    elif not Blobs(installation.settings.blobs_dir).intact(dataset.rows_sha256):
        yield "The stored rows are not those that were approved: a file was changed or replaced. Tell the operator."
    if facts.baseline is not None:
        yield from baselines.misstated(session, facts.baseline)


def use(session: Session, granted: Permit) -> None:
    """Use the approval up: one approval, one launch."""
    reviews.close(session, granted.review, "consumed", "a training job was launched")


def _put_away(facts: Facts) -> Iterator[str]:
    retired = facts.base.name if facts.base is not None and facts.base.retired_at is not None else ""
    yield from permission.put_away(
        archived=facts.assessment.archived_at is not None,
        retired=retired,
        recorded=bool(facts.assessment.recorded),
    )


def against_resuming(session: Session, review_id: int, decision_id: int) -> list[str]:
    """What stands against going on with a run: to press the button is a start like the first, so the approval has to be
    in time and everything in use."""
    review = store.get(session, review_id)
    facts = gather(session, assessment_store.get(session, review.assessment_id))
    approval = approvals.approval_of(session, review, store.decision(session, decision_id))
    if approval is None:
        return [*_put_away(facts), "The approver is gone."]
    those = people.involved(session, facts)
    against = permission.against_approval(approval, those.contributors, those.workers, utcnow())
    return [*_put_away(facts), *against]


def recheck(session: Session, review_id: int, decision_id: int, digest: str, *, started: bool) -> Subject:
    """The last look before a trainer starts, from the stored record; returns the subject.

    started: whether an optimizer step was run already. Before the first one, the assessment must still be what was
    approved, and the approval in time. Afterwards only what the job itself uses is compared (by the trainer, byte for
    byte): an edit made while a job runs does not stop it, it only means that the next launch needs a new approval.

    Raises:
        GateClosed: the approval does not allow this any more.
    """
    review = store.get(session, review_id)
    decision = store.decision(session, decision_id)
    facts = gather(session, assessment_store.get(session, review.assessment_id))
    reasons = list(_put_away(facts))
    if not (review.digest == digest == decision.digest == subject.digest_of_text(review.subject.encode())):
        reasons.append("The stored subject is not the one that was approved.")
    if decision.kind != "approve" or decision.voided_at is not None or decision.review_id != review.id:
        reasons.append("The approval was taken back.")
    if review.state != "consumed":
        reasons.append("The approval was not used for this job.")
    those = people.involved(session, facts)
    approval = approvals.approval_of(session, review, decision)
    if approval is None:
        reasons.append("The approver is not there any more.")
    else:
        now = None if started else utcnow()
        reasons += permission.against_approval(approval, those.contributors, those.workers, now)
    if not started and not reasons and reviews.changed_since(review, completed(session, facts)):
        reasons.append("Something changed between the launch and the start. Request review again.")
    if reasons:
        raise GateClosed(reasons)
    return reviews.subject_of(review)
