"""Queries on recipes."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import memo, prefill
from app.recipes.tables import RecipeRow


def of_assessment(session: Session, assessment_id: int) -> RecipeRow | None:
    """The recipe of an assessment; None while nobody has saved one."""
    return memo(
        session,
        ("recipe", assessment_id),
        lambda: session.scalar(select(RecipeRow).where(RecipeRow.assessment_id == assessment_id)),
    )


def read_ahead(session: Session, assessment_ids: Sequence[int]) -> Sequence[RecipeRow]:
    """Find the recipes of many assessments at once (`db.prefill`)."""
    rows = session.scalars(select(RecipeRow).where(RecipeRow.assessment_id.in_(assessment_ids))).all()
    of_each = {row.assessment_id: row for row in rows}
    prefill(session, {("recipe", assessment_id): of_each.get(assessment_id) for assessment_id in assessment_ids})
    return rows
