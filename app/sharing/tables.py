"""Links that let somebody without an account read one assessment's advice."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, false
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base


class ShareRow(Base):
    """A read-only link. Shown once; only the hash of its secret and the last four characters stay.

    label: whom it is for, in the words of whoever made it. opened_at: when it was last opened, to the hour. costs:
    whether the reader sees what each option costs, which the team's own prices are in.
    """

    __tablename__ = "shares"

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"), index=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    last4: Mapped[str] = mapped_column(String(4))
    label: Mapped[str] = mapped_column(String(100))
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    costs: Mapped[bool] = mapped_column(default=False, server_default=false())
