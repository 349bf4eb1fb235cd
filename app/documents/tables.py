"""Documents for retrieval: files as uploaded, and the texts that were read from them."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Json, JsonOf
from app.documents.privacy import InFile, InText
from app.privacy.decisions import Decisions, decisions_from_json, decisions_to_json

UNDECIDED = text("undecided > 0")  # word for word what a query has to say to be given the index


class DocumentFileRow(Base):
    """A file of documents as it was uploaded: one document, or a zip of many.

    batch: the first file of those that came together; one job reads them. state: reading, ready, refused; `reason` says
    why it was refused. blob_sha256: the bytes as uploaded. removed_at: from when it is no part of the
    corpus any more; what was measured with it stays readable.
    private: the personal data in its documents, see `privacy.summed`, None where nobody looked for it; decisions: what
    was decided about it, {kind: {action, reason, by, at}} with actions mask and attest; undecided: kinds without one.
    """

    __tablename__ = "document_files"
    __table_args__ = (
        CheckConstraint("state in ('reading', 'ready', 'refused')", name="state"),
        Index("ix_document_files_undecided", "assessment_id", sqlite_where=UNDECIDED, postgresql_where=UNDECIDED),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"), index=True)
    batch: Mapped[int]
    filename: Mapped[str] = mapped_column(String(200))
    bytes: Mapped[int] = mapped_column(BigInteger)
    blob_sha256: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default="reading")
    reason: Mapped[str] = mapped_column(Text, default="")
    uploaded_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    uploaded_at: Mapped[datetime]
    removed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    removed_at: Mapped[datetime | None]
    private: Mapped[list[InFile] | None] = mapped_column(Json)
    decisions: Mapped[Decisions] = mapped_column(
        JsonOf(decisions_from_json, decisions_to_json), default=dict, server_default="{}"
    )
    undecided: Mapped[int] = mapped_column(default=0, server_default="0")


class DocumentRow(Base):
    """One document, in the order of its file.

    kind: text, markdown, html, pdf. text_sha256: its text in the content store, None where it could not be read;
    `reason` then says why. tokens: see `documents.tokens`. private: see `privacy.held`.
    """

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("file_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("document_files.id", ondelete="CASCADE"))
    number: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    title: Mapped[str] = mapped_column(String(200), default="")
    kind: Mapped[str] = mapped_column(String(16), default="")
    characters: Mapped[int] = mapped_column(default=0)
    tokens: Mapped[int] = mapped_column(default=0)
    text_sha256: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text, default="")
    private: Mapped[list[InText] | None] = mapped_column(Json)
