"""Queries on people, their sessions and tokens."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from app.db import ask, rows_changed
from app.errors import NotFound
from app.users.tables import FailureRow, PlaceRow, Role, SessionRow, SetupRow, TokenRow, UserRow


def get(session: Session, user_id: int) -> UserRow:
    user = session.get(UserRow, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user


def find_by_id(session: Session, user_id: int) -> UserRow | None:
    return session.get(UserRow, user_id)


def find(session: Session, email: str) -> UserRow | None:
    return session.scalar(select(UserRow).where(UserRow.email == email.strip().lower()))


def everyone(session: Session) -> Sequence[UserRow]:
    return session.scalars(select(UserRow).order_by(UserRow.active.desc(), UserRow.name)).all()


def reviewers(session: Session) -> Sequence[UserRow]:
    """Active people with the role of a reviewer or more, by name."""
    query = select(UserRow).where(UserRow.role.in_((Role.REVIEWER, Role.ADMIN)), UserRow.active)
    return session.scalars(query.order_by(UserRow.name, UserRow.id)).all()


def anyone(session: Session) -> bool:
    """Whether there is a user at all; without one the set-up page is open."""
    return session.scalar(select(UserRow.id).limit(1)) is not None


def after(session: Session, user_id: int, limit: int) -> Sequence[UserRow]:
    """People in the order in which they came, after this one."""
    return session.scalars(select(UserRow).where(UserRow.id > user_id).order_by(UserRow.id).limit(limit)).all()


def take_up(session: Session, user_id: int, before: str, password_hash: str) -> bool:
    """Put somebody's own password in place of the one they were given; False if another one is there by now."""
    return (
        rows_changed(
            session,
            update(UserRow)
            .where(UserRow.id == user_id, UserRow.password_hash == before, UserRow.must_change_password, UserRow.active)
            .values(password_hash=password_hash, must_change_password=False),
        )
        == 1
    )


def active_admins(session: Session) -> Sequence[UserRow]:
    """The active admins, locked until the end of the transaction: two cannot remove each other at once."""
    return session.scalars(select(UserRow).where(UserRow.role == Role.ADMIN, UserRow.active).with_for_update()).all()


def names(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """Names by id, for lists that say who did something."""
    found = ask(session, _NAMES, {"ids": list(ids)})
    return {user_id: name for user_id, name in found}  # noqa: C416 - a Row is not a pair to the type checker


_NAMES = select(UserRow.id, UserRow.name).where(UserRow.id.in_(bindparam("ids", expanding=True)))
# Every page asks this: put together once.
_SESSION = (
    select(SessionRow, UserRow)
    .join(UserRow, UserRow.id == SessionRow.user_id)
    .where(SessionRow.token_sha256 == bindparam("token"))
)


def find_session(session: Session, token_sha256: str) -> tuple[SessionRow, UserRow] | None:
    row = session.execute(_SESSION, {"token": token_sha256}).one_or_none()
    return (row[0], row[1]) if row else None


def sessions_of(session: Session, user_id: int) -> Sequence[SessionRow]:
    return session.scalars(
        select(SessionRow).where(SessionRow.user_id == user_id).order_by(SessionRow.seen_at.desc())
    ).all()


def end_sessions(session: Session, user_id: int, *, but: str = "") -> int:
    """Delete a user's sessions, except one; returns how many."""
    return rows_changed(
        session, delete(SessionRow).where(SessionRow.user_id == user_id, SessionRow.token_sha256 != but)
    )


def end_session(session: Session, token_sha256: str) -> None:
    session.execute(delete(SessionRow).where(SessionRow.token_sha256 == token_sha256))


def forget_old(session: Session, now: datetime, failures_before: datetime) -> None:
    """Remove what nothing looks at any more: ended sessions and old failures."""
    session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
    session.execute(delete(FailureRow).where(FailureRow.at < failures_before))


def seen(session: Session, token_sha256: str, now: datetime) -> None:
    session.execute(update(SessionRow).where(SessionRow.token_sha256 == token_sha256).values(seen_at=now))


def find_token(session: Session, token_sha256: str) -> tuple[TokenRow, UserRow] | None:
    row = session.execute(
        select(TokenRow, UserRow)
        .join(UserRow, UserRow.id == TokenRow.user_id)
        .where(TokenRow.token_sha256 == token_sha256)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def tokens_of(session: Session, user_id: int) -> Sequence[TokenRow]:
    return session.scalars(select(TokenRow).where(TokenRow.user_id == user_id).order_by(TokenRow.id.desc())).all()


def tokens_before(session: Session, user_id: int, before: int | None, limit: int) -> Sequence[TokenRow]:
    """A person's tokens from the newest back, below id `before`."""
    query = select(TokenRow).where(TokenRow.user_id == user_id).order_by(TokenRow.id.desc()).limit(limit)
    return session.scalars(query if before is None else query.where(TokenRow.id < before)).all()


def get_token(session: Session, user_id: int, token_id: int) -> TokenRow:
    """One of this user's own tokens; another's does not exist for them."""
    token = session.get(TokenRow, token_id)
    if token is None or token.user_id != user_id:
        raise NotFound("There is no such token.")
    return token


def used(session: Session, token_id: int, now: datetime) -> None:
    session.execute(update(TokenRow).where(TokenRow.id == token_id).values(last_used_at=now))


def failures(
    session: Session,
    since: datetime,
    *,
    account: str | None = None,
    address: str | None = None,
    area: str | None = None,
) -> Sequence[datetime]:
    """When guesses failed for this account, from this address or area, or several of these; newest first."""
    query = select(FailureRow.at).where(FailureRow.at >= since).order_by(FailureRow.at.desc())
    if account is not None:
        query = query.where(FailureRow.account == account)
    if address is not None:
        query = query.where(FailureRow.address == address)
    if area is not None:
        query = query.where(FailureRow.area == area)
    return session.scalars(query).all()


def touch(session: Session, failure_id: int) -> None:
    """Write a failure once more as it is, so that a transaction that has nothing else to say costs what others do."""
    session.execute(update(FailureRow).where(FailureRow.id == failure_id).values(at=FailureRow.at))


def forgive(session: Session, account: str, address: str) -> None:
    """Forget the failures of an account from one address, after a sign-in from there."""
    session.execute(delete(FailureRow).where(FailureRow.account == account, FailureRow.address == address))


def known_of(session: Session, account: str, places: Sequence[str]) -> set[str]:
    """Which of the places the person with this e-mail address signed in from before.

    One query, whether there is such a person or not: the answer must not take longer for those who are there.
    """
    query = (
        select(PlaceRow.place)
        .join(UserRow, UserRow.id == PlaceRow.user_id)
        .where(UserRow.email == account, PlaceRow.place.in_(places))
    )
    return set(session.scalars(query))


def remember(session: Session, user_id: int, places: Sequence[str], now: datetime, *, most: int) -> None:
    """Keep the places of a sign-in; of all that this person has the `most` newest stay."""
    kept = session.scalars(select(PlaceRow).where(PlaceRow.user_id == user_id).order_by(PlaceRow.seen_at.desc())).all()
    by_place = {row.place: row for row in kept}
    for place in places:
        if place in by_place:
            by_place[place].seen_at = now
        else:
            session.add(PlaceRow(user_id=user_id, place=place, seen_at=now))
    for row in [row for row in kept if row.place not in places][max(0, most - len(places)) :]:
        session.delete(row)


def revoke_tokens(session: Session, user_id: int, now: datetime) -> int:
    """End a person's tokens; returns how many lived."""
    return rows_changed(
        session,
        update(TokenRow).where(TokenRow.user_id == user_id, TokenRow.revoked_at.is_(None)).values(revoked_at=now),
    )


def use_setup_code(session: Session, code_sha256: str, now: datetime) -> bool:
    """Use up the set-up code; False if it is another one or was used. The update names the state it expects."""
    return (
        rows_changed(
            session,
            update(SetupRow)
            .where(SetupRow.id == 1, SetupRow.code_sha256 == code_sha256, SetupRow.used_at.is_(None))
            .values(used_at=now),
        )
        == 1
    )
