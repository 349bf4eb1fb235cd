"""How an assessment would be trained. Below the gate, because it is part of what is approved."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Json
from app.recipes.passages_carried import CarriedPassages
from app.recipes.preflights import Preflight
from app.recipes.settings import RecipeSettings


class RecipeRow(Base):
    """The recipe of an assessment: how it would be trained. Part of what a reviewer approves.

    preflight: what the last preflight of exactly these settings found (rows, tokens, samples, estimates), or None.
    preflight_of: hash of recipe, split, prompt and model that the preflight was made for.
    passages: what was looked up for the training rows, where they carry passages (`recipes.passages`); else None.
    """

    __tablename__ = "recipes"

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"), unique=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    settings: Mapped[RecipeSettings] = mapped_column(Json)
    preflight: Mapped[Preflight | None] = mapped_column(Json)
    preflight_of: Mapped[str] = mapped_column(String(64), default="")
    passages: Mapped[CarriedPassages | None] = mapped_column(Json)
    preflight_job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    updated_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    updated_at: Mapped[datetime]
