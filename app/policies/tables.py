"""Policies that a team published. The built-in one is a file of the package and has no row."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.advice.policy import Numbers
from app.db import Base, Json


class PolicyRow(Base):
    """One published version. Never changed and never deleted: assessments and approvals name it.

    number: 1, 2, 3 ...; unique, so of two administrators who publish at the same moment one is refused.
    base: version of the built-in policy it was made from.
    numbers: every threshold and weight (`Policy.numbers`), also those left as they were: a new release of the app that
    changes a default does not change what a team published.
    sha256: of the policy as it was published.
    """

    __tablename__ = "policies"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    base: Mapped[str] = mapped_column(String(20))
    numbers: Mapped[Numbers] = mapped_column(Json)
    reason: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    published_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    published_at: Mapped[datetime]
