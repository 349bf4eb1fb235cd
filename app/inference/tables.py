"""The models that may be asked."""

from datetime import datetime
from typing import Literal, TypedDict

from sqlalchemy import CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Json
from app.json_types import JsonObject

Purpose = Literal["answers", "embeddings"]


class TrialJson(TypedDict):
    """The last test of a server; see `trials.Trial`."""

    at: str
    error: str
    seconds: float
    text: str
    remarks: list[str]
    offers: list[str]
    by_run: bool


class ModelRow(Base):
    """A connection to a model.

    kind: bundled (comes with the app), folder (a local transformers folder), endpoint (an OpenAI-compatible server).
    reference: what the kind needs to find it: nothing, a path, or the model's name on the server.
    key_sealed: the API key, encrypted with the installation's key; it belongs to `base_url` and goes when that changes.
    set_by: who made the connection what it is, None for the bundled model.
    own: an administrator declared that the server at this address is the team's own; it goes when the address changes.
    deadline: seconds that one answer may take, from when it can be expected; None is the installation's.
    purpose: answers, or embeddings, for a server that turns texts into vectors.
    tested: the last test of a server, as `trials.Trial` keeps it; None where this connection was never tested.
    met: what was found out about a server when it was met last (`findings.Findings`); it stays when the connection is
    changed, and is then outdated. meeting_budget: tokens that a meeting may send to find the context window.
    bits: 4 where the matrices of its layers are held in 4 bits once they are loaded (a local model); None: as the files
    have them. It is another model than the same files in 16 bits: it answers otherwise.
    files: name -> sha256 of every file of a local model, as hashed when it was added or converted.
    """

    __tablename__ = "models"
    __table_args__ = (CheckConstraint("kind in ('bundled', 'folder', 'endpoint')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    reference: Mapped[str] = mapped_column(String(500), default="")
    base_url: Mapped[str] = mapped_column(String(500), default="")
    key_sealed: Mapped[str | None] = mapped_column(Text)
    key_last4: Mapped[str | None] = mapped_column(String(4))
    context_window: Mapped[int | None]
    own: Mapped[bool | None]
    deadline: Mapped[float | None]
    purpose: Mapped[str] = mapped_column(String(16), default="answers", server_default="answers")
    tested: Mapped[TrialJson | None] = mapped_column(Json)
    met: Mapped[JsonObject | None] = mapped_column(Json)
    meeting_budget: Mapped[int | None]
    bits: Mapped[int | None]
    files: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    set_by: Mapped[int | None]
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]

    @property
    def trainable(self) -> bool:
        """Only weights on this machine can carry an adapter."""
        return self.kind != "endpoint"
