"""Queries on read-only links."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.sharing.tables import ShareRow


def get(session: Session, assessment_id: int, share_id: int) -> ShareRow:
    row = session.get(ShareRow, share_id)
    if row is None or row.assessment_id != assessment_id:
        raise NotFound("There is no such link.")
    return row


def find(session: Session, token_sha256: str) -> ShareRow | None:
    return session.scalar(select(ShareRow).where(ShareRow.token_sha256 == token_sha256))


def of_assessment(session: Session, assessment_id: int) -> Sequence[ShareRow]:
    """All links of an assessment, ended ones included, the newest first."""
    return session.scalars(
        select(ShareRow).where(ShareRow.assessment_id == assessment_id).order_by(ShareRow.id.desc())
    ).all()


def living(session: Session, assessment_id: int, now: datetime) -> int:
    """How many links still open."""
    return session.scalars(
        select(func.count()).where(
            ShareRow.assessment_id == assessment_id, ShareRow.revoked_at.is_(None), ShareRow.expires_at > now
        )
    ).one()
