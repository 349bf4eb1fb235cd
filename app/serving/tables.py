"""What other programs may ask here, and who did."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base


class ServedRow(Base):
    """One name under which a model of this machine can be asked: switched on by an administrator, and off again.

    kind: model (the bare one), prompt (a variant's whole prompt on it), adapter (that of a training, with its prompt).
    arm_id: the variant whose prompt it is; what a name stands for never changes while it is on.
    """

    __tablename__ = "served_models"
    __table_args__ = (CheckConstraint("kind in ('model', 'prompt', 'adapter')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    arm_id: Mapped[int | None] = mapped_column(ForeignKey("arms.id", ondelete="CASCADE"))
    training_id: Mapped[int | None] = mapped_column(ForeignKey("trainings.id", ondelete="CASCADE"))
    on_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    on_at: Mapped[datetime]
    off_at: Mapped[datetime | None]


class ServedCallRow(Base):
    """One call that reached a model: who, which, how much. Never what was asked or answered.

    token_id: None for a signed-in browser. outcome: stop or length, as the answer ended; refused, where the model does
    not take such a prompt; failed; hung_up, where nobody waited for the end. seconds: from its arrival to its end.
    """

    __tablename__ = "served_calls"
    __table_args__ = (CheckConstraint("outcome in ('stop', 'length', 'refused', 'failed', 'hung_up')", name="outcome"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    served_id: Mapped[int] = mapped_column(ForeignKey("served_models.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    token_id: Mapped[int | None] = mapped_column(ForeignKey("api_tokens.id", ondelete="SET NULL"))
    at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(String(16))
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    seconds: Mapped[float]
