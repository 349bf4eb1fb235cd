"""API tokens: made, revoked, and believed."""

import secrets
from datetime import datetime, timedelta
from typing import TypedDict

from sqlalchemy.orm import Session

from app.errors import FieldError, Forbidden, Invalid
from app.users import store
from app.users.identity import NOTICE_EVERY, SCOPES, Who, digest, printable
from app.users.tables import TokenRow, UserRow
from app.web.protocols import Record
from app.web.refusals import SignInFirst

TOKEN_MARK = "tg_"  # noqa: S105 - the mark that all tokens begin with, not a token


def by_token(session: Session, secret: str, now: datetime) -> tuple[Who, bool]:
    """Who this API token belongs to, and whether its "last used" is due.

    Raises:
        SignInFirst: there is no such token, it has ended or was revoked, or the account is disabled.
    """
    row_and_user = store.find_token(session, digest(secret)) if secret.startswith(TOKEN_MARK) else None
    row, user = row_and_user or (None, None)
    if row is None or user is None or not lives(row, now) or not user.active:
        raise SignInFirst("This API token is unknown, expired or revoked.")
    return Who(user, token=row), row.last_used_at is None or now - row.last_used_at >= NOTICE_EVERY


class NewToken(TypedDict):
    """What a token is asked for with; `add_token` says what each is."""

    name: str
    scope: str
    days: int | None


def add_token(
    session: Session, who: Who, *, name: str, scope: str, days: int | None, now: datetime, record: Record
) -> tuple[TokenRow, str]:
    """Make an API token of one's own; returns it and its secret, which is shown once. `days` None: until revoked.

    Raises:
        Forbidden: a token asks for more than it may do itself.
    """
    errors = []
    if not name.strip() or len(name) > 100 or not printable(name):
        errors.append(FieldError("#/name", "Give it a name of at most 100 characters, so that you know it again."))
    if scope not in SCOPES:
        errors.append(FieldError("#/scope", "Use read, write, launch, approve or ask."))
    if days is not None and not 1 <= days <= 366:
        errors.append(FieldError("#/days", "Use 1 to 366 days."))
    if errors:
        raise Invalid("The token was not made.", errors)
    if not all(who.may(allowed) for allowed in SCOPES[scope]):
        raise Forbidden("A token cannot make one that may do more than itself.")
    ends = now + timedelta(days=days) if days else None
    if who.token is not None and who.token.expires_at is not None:
        ends = min(ends or who.token.expires_at, who.token.expires_at)
    secret = TOKEN_MARK + secrets.token_urlsafe(32)
    token = TokenRow(
        user_id=who.user.id,
        name=name.strip(),
        scope=scope,
        token_sha256=digest(secret),
        last4=secret[-4:],
        created_at=now,
        expires_at=ends,
    )
    session.add(token)
    session.flush()
    record(session, who.user, "token.add", "token", token.id, {"name": token.name, "scope": scope})
    return token, secret


def revoke_token(session: Session, user: UserRow, token_id: int, *, now: datetime, record: Record) -> TokenRow:
    token = store.get_token(session, user.id, token_id)
    if token.revoked_at is None:
        token.revoked_at = now
        record(session, user, "token.revoke", "token", token.id, {"name": token.name})
    return token


def lives(token: TokenRow, now: datetime) -> bool:
    """Whether the token still opens something, if its account does."""
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now)
