"""Read-only links to an assessment's advice, for people without an account.

Whoever has the link sees the advice as it stands, never a row of data, an answer of a model or who said what. The
secret is 32 random bytes in the address, since a link is all that such a reader has; the database keeps its hash. A
link ends on its day, when somebody takes it back, when the account that made it is closed, when the assessment is
archived, and when the operator shortens how long links may live (`share_days`; 0 ends them all).
"""

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.assessments import typed
from app.assessments.tables import AssessmentRow
from app.audit import service as audit
from app.db import utcnow
from app.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from app.sharing import store
from app.sharing.tables import ShareRow
from app.users import store as user_store
from app.users.tables import UserRow

LIVES = (1, 7, 30, 90)
"""Days that a link may be made for; those above the operator's limit are not offered."""
LONGEST_LABEL = 100
MOST = 20  # living links of one assessment; more is a sign that people need accounts
NOTICE_EVERY = timedelta(hours=1)
ENDED = "This link does not open anything: it was mistyped, has ended, or was taken back. Ask whoever sent it."


def lives(most_days: int) -> list[int]:
    return [days for days in LIVES if days <= most_days]


def share(
    session: Session,
    assessment_id: int,
    me: UserRow,
    *,
    label: str,
    days: int,
    most_days: int,
    costs: bool = False,
) -> tuple[ShareRow, str]:
    """Make a link; returns it and its secret, which is shown once. costs: whether its reader sees those, too.

    Raises:
        Forbidden: the operator switched links off.
        Invalid: the label or the days can't be used.
        Conflict: the assessment is archived, or has too many links already.
    """
    if not lives(most_days):
        raise Forbidden("Links are switched off on this server. An operator can allow them (TUNEGATE_SHARE_DAYS).")
    label, now = typed.one_line(label), utcnow()
    if errors := list(_faults(label, days, most_days)):
        raise Invalid("The link was not made.", errors)
    assessment = assessment_store.changing(session, assessment_id)
    assessment_store.refuse_recorded(assessment)
    if assessment.archived_at is not None:
        raise Conflict("This assessment is archived, and links into the archive do not open.")
    if store.living(session, assessment_id, now) >= MOST:
        raise Conflict(f"There are {MOST} links to this assessment already. End some first.")
    secret = secrets.token_urlsafe(32)
    row = ShareRow(
        assessment_id=assessment_id,
        token_sha256=_digest(secret),
        last4=secret[-4:],
        label=label,
        created_by=me.id,
        created_at=now,
        expires_at=now + timedelta(days=days),
        costs=costs,
    )
    session.add(row)
    session.flush()
    detail = {"share": row.id, "label": label, "days": days} | ({"costs": True} if costs else {})
    audit.record(session, me, "share.add", "assessment", assessment_id, detail)
    return row, secret


def _faults(label: str, days: int, most_days: int) -> Iterator[FieldError]:
    if not label:
        yield FieldError("#/label", "Say whom it is for, so that somebody can tell later whether to end it.")
    if len(label) > LONGEST_LABEL:
        yield FieldError("#/label", f"At most {LONGEST_LABEL} characters; these are {len(label):,}.")
    if days not in lives(most_days):
        yield FieldError("#/days", f"Pick one of {', '.join(map(str, lives(most_days)))} days.")


def revoke(session: Session, assessment_id: int, share_id: int, me: UserRow) -> ShareRow:
    """End a link at once. Anybody who can see the assessment may: a link less is never the danger."""
    row = store.get(session, assessment_id, share_id)
    if row.revoked_at is None:
        row.revoked_at, row.revoked_by = utcnow(), me.id
        audit.record(session, me, "share.revoke", "assessment", assessment_id, {"share": row.id, "label": row.label})
    return row


def opens(session: Session, secret: str, most_days: int, now: datetime) -> tuple[ShareRow, AssessmentRow]:
    """What a link leads to.

    Raises:
        NotFound: the link is unknown or has ended, said in the same words, so that a guess learns nothing.
    """
    row = store.find(session, _digest(secret))
    if row is None or not _alive(row, most_days, now) or not user_store.get(session, row.created_by).active:
        raise NotFound(ENDED)
    assessment = assessment_store.get(session, row.assessment_id)
    if assessment.archived_at is not None:
        raise NotFound(ENDED)
    return row, assessment


def state(row: ShareRow, most_days: int, now: datetime) -> str:
    """A link's state in a word; one whose maker's account is closed counts as open here and does not open."""
    if row.revoked_at is not None:
        return "revoked"
    return "open" if _alive(row, most_days, now) else "expired"


def due(row: ShareRow, now: datetime) -> bool:
    """Whether its "last opened" has to be written again."""
    return row.opened_at is None or now - row.opened_at >= NOTICE_EVERY


def opened(session: Session, assessment_id: int, share_id: int, now: datetime) -> None:
    """Note that somebody opened it; the first time is an entry of the audit record."""
    row = store.get(session, assessment_id, share_id)
    if row.opened_at is None:
        audit.record(session, None, "share.open", "assessment", assessment_id, {"share": row.id, "label": row.label})
    row.opened_at = now


def _alive(row: ShareRow, most_days: int, now: datetime) -> bool:
    return row.revoked_at is None and now < min(row.expires_at, row.created_at + timedelta(days=most_days))


def _digest(secret: str) -> str:
    """A fast hash is enough: nobody guesses 32 random bytes, however quickly."""
    return sha256(secret.encode()).hexdigest()
