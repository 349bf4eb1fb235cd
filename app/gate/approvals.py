"""An approval as it stands: the row of a decision, its seal, and whether the record of what was done knows it."""

import hmac

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.db import installation_of
from app.gate import people, permission, store
from app.gate.permission import Approval
from app.gate.tables import DecisionRow, ReviewRow
from app.users import store as user_store


def approving(review: ReviewRow | None) -> DecisionRow | None:
    """The living approval of a review, the latest of several."""
    decisions = reversed(review.decisions) if review else iter(())
    return next((row for row in decisions if row.kind == "approve" and row.voided_at is None), None)


def approval_of(session: Session, review: ReviewRow, decision: DecisionRow) -> Approval | None:
    """The facts about an approval, from its row, its seal, and the record."""
    approver = user_store.find_by_id(session, decision.reviewer_id)
    if approver is None:
        return None
    expected = seal(session, decision)
    recorded = {"review": review.id, "digest": decision.digest}  # what the record of every version says
    return Approval(
        digest=decision.digest,
        approver=people.person(session, approver),
        expires_at=decision.expires_at,
        voided=decision.voided_at is not None,
        sealed=bool(expected) and hmac.compare_digest(decision.seal, expected),
        recorded=audit.knows(
            session, decision.reviewer_id, "review.approve", "assessment", review.assessment_id, recorded
        ),
    )


def seal(session: Session, made: DecisionRow) -> str:
    """The seal that a decision has to carry; empty where the installation's key is not at hand."""
    installation = installation_of(session)
    if installation is None:
        return ""
    return permission.decision_seal(
        installation.key,
        review_id=made.review_id,
        reviewer_id=made.reviewer_id,
        kind=made.kind,
        digest=made.digest,
        comment=made.comment,
        at=made.at,
        expires_at=made.expires_at,
        checked=made.checked,
    )


def seal_earlier(session: Session) -> int:
    """Seal what was decided before decisions were sealed, as far as the record knows it; returns how many.

    Once, in the upgrade that brings the seals: later on, a decision without one was not made through the app.
    """
    sealed = 0
    for made in store.unsealed(session):
        review = store.get(session, made.review_id)
        recorded = {"review": review.id, "digest": made.digest}
        act = f"review.{made.kind}"
        if audit.knows(session, made.reviewer_id, act, "assessment", review.assessment_id, recorded):
            made.seal = seal(session, made)
            sealed += 1
    return sealed
