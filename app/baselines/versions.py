"""Versions of an assessment's system prompt: each text once, with who wrote it, when, from which one and why."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.baselines.arms import REVISIONS
from app.baselines.tables import BaselineRow, VersionRow
from app.db import utcnow
from app.errors import NotFound

Why = Literal["drafted", "hand", "failures", "optimised"]
REASONS: Mapping[str, str] = {
    "drafted": "drafted from the training rows",
    "hand": "written by hand",
    "failures": "revised after failures were tagged",
    "optimised": "written by the optimizer",
}


def sha256(text: str) -> str:
    """What tells one text from another; blanks at the ends don't."""
    return hashlib.sha256(text.strip().encode()).hexdigest()


def note(
    session: Session,
    assessment_id: int,
    text: str,
    why: Why,
    *,
    by: int | None,
    from_id: int | None = None,
    comment: str = "",
    at: datetime | None = None,
) -> VersionRow:
    """Write a text down, unless it stands there already: then that version is given. The caller holds the assessment,
    so that two texts never get one number."""
    already = of_text(session, assessment_id, text)
    if already is not None:
        return already
    last = session.scalar(select(func.max(VersionRow.number)).where(VersionRow.assessment_id == assessment_id)) or 0
    row = VersionRow(
        assessment_id=assessment_id,
        number=last + 1,
        text=text.strip(),
        text_sha256=sha256(text),
        why=why,
        note=comment,
        from_id=from_id,
        created_by=by,
        created_at=at or utcnow(),
    )
    session.add(row)
    session.flush()
    return row


def catch_up(session: Session, baseline: BaselineRow) -> None:
    """Write down every prompt of a measurement that was put in whole, in the order of its arms."""
    texts: list[tuple[str, Why]] = [(baseline.instructions, "hand")]
    texts += [
        (str(arm.settings["instructions"]), "optimised" if arm.family == "optimised_prompt" else "failures")
        for arm in baseline.arms
        if arm.family in REVISIONS
    ]
    before: int | None = None
    for text, why in texts:
        by, at = baseline.created_by, baseline.created_at
        before = note(session, baseline.assessment_id, text, why, by=by, from_id=before, at=at).id


def of_text(session: Session, assessment_id: int, text: str) -> VersionRow | None:
    """The version that this text is."""
    return session.scalar(
        select(VersionRow).where(VersionRow.assessment_id == assessment_id, VersionRow.text_sha256 == sha256(text))
    )


def of_assessment(session: Session, assessment_id: int) -> Sequence[VersionRow]:
    """All versions, the newest first."""
    return session.scalars(
        select(VersionRow).where(VersionRow.assessment_id == assessment_id).order_by(VersionRow.number.desc())
    ).all()


def numbered(session: Session, assessment_id: int, number: int) -> VersionRow:
    """One version by its number.

    Raises:
        NotFound: there is none.
    """
    row = session.scalar(
        select(VersionRow).where(VersionRow.assessment_id == assessment_id, VersionRow.number == number)
    )
    if row is None:
        raise NotFound("There is no such version.")
    return row
