"""People, how they prove who they are, and how often somebody failed to."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base


class Role(StrEnum):
    """What a person may do; each one includes those before it."""

    AUTHOR = "author"
    REVIEWER = "reviewer"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        return list(Role).index(self)


NOBODY = "!"  # in place of a hash: no password opens the account


class UserRow(Base):
    """A person. `email` is stored in lower case. An inactive user keeps the name on what they did, and nothing else.

    checklist_at: when they put the set-up checklist of the home page away.
    """

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("role in ('author', 'reviewer', 'admin')", name="role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[Role] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(String(255))
    must_change_password: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    checklist_at: Mapped[datetime | None]

    @property
    def nobody(self) -> bool:
        """Whether nobody is behind it: such an account only signs what the finished example shows."""
        return self.password_hash == NOBODY


class SessionRow(Base):
    """A signed-in browser. Only the hash of the cookie is here."""

    __tablename__ = "sessions"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    user_agent: Mapped[str] = mapped_column(String(200), default="")
    user: Mapped[UserRow] = relationship(lazy="raise")


class TokenRow(Base):
    """An API token. Shown once; only its hash and last four characters stay. `scope`: see `identity.SCOPES`."""

    __tablename__ = "api_tokens"
    __table_args__ = (CheckConstraint("scope in ('read', 'write', 'launch', 'approve', 'ask')", name="scope"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    scope: Mapped[str] = mapped_column(String(16))
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    last4: Mapped[str] = mapped_column(String(4))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    user: Mapped[UserRow] = relationship(lazy="raise")


class FailureRow(Base):
    """A guess that failed, kept for the rate limit.

    account: the address typed, in lower case; `#` and a person's id for the password they have, `#setup` for the set-up
    code. address: the network it came from, or a device that this person signed in on before. area: the network around
    it, where one line may have so many networks that they are no limit (IPv6); else empty.
    """

    __tablename__ = "sign_in_failures"
    __table_args__ = (
        Index("ix_sign_in_failures_account_at", "account", "at"),
        Index("ix_sign_in_failures_address_at", "address", "at"),
        Index("ix_sign_in_failures_area_at", "area", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(String(254))
    address: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    area: Mapped[str] = mapped_column(String(64), default="", server_default="")


class PlaceRow(Base):
    """A network or a device from which somebody signed in before: what strangers do elsewhere does not keep it out."""

    __tablename__ = "known_places"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[str] = mapped_column(String(80), primary_key=True)
    seen_at: Mapped[datetime]


class SetupRow(Base):
    """The one-time code that makes the first admin. There is one row at most, id 1; used means set-up is over."""

    __tablename__ = "setup"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
