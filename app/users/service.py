"""What people and admins do with accounts.

`record` writes the audit entry in the same transaction; it is handed in, because the record is kept above us.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db import utcnow, writing
from app.errors import Conflict, FieldError, Forbidden, Invalid
from app.users import likeness, passwords, sessions, store, tokens
from app.users.identity import Who, digest, printable
from app.users.passwords import Passwords
from app.users.tables import FailureRow, Role, SetupRow, TokenRow, UserRow
from app.users.tokens import NewToken
from app.web.protocols import Record

SETUP = "#setup"  # stands for an account where the set-up code is guessed

EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>\"',;]+@[^@\s\x00-\x1f\x7f<>\"',;]+")


# ----------------------------------------------------------------------------------------------------------- set-up


def new_setup_code(session: Session, now: datetime) -> str | None:
    """Make a fresh one-time code for the first admin; None when there are users already. Only its hash is kept."""
    if store.anyone(session):
        return None
    code = passwords.one_time()
    row = session.get(SetupRow, 1)
    if row is None:
        session.add(SetupRow(id=1, code_sha256=digest(code), created_at=now))
    else:
        row.code_sha256, row.created_at, row.used_at = digest(code), now, None
    return code


def set_up(
    session: Session,
    keeper: Passwords,
    *,
    code: str,
    name: str,
    email: str,
    password: str,
    now: datetime,
    record: Record,
    address: str = "",
) -> UserRow:
    """Make the first admin with the one-time code, which is used up by it.

    Raises:
        Conflict: there are users already.
        Invalid: another code, or details that cannot be used. What is in the session by then is to be kept: it is the
            note of the failure.
        TooMany: too many wrong codes; says when to try again.
    """
    if store.anyone(session):
        raise Conflict("Set-up is over. Ask an admin for an account.")
    _need(name, email, password)
    network = sessions.network_of(address)
    sessions.not_too_often(
        sessions.seconds_left(session, now, [(sessions.PAIR_LIMIT, {"account": SETUP, "address": network})])
    )
    if not store.use_setup_code(session, digest(code.strip().lower()), now):
        session.add(FailureRow(account=SETUP, address=network, at=now))
        record(session, None, "user.set_up_failed", "user", None, {"from": network})
        raise Invalid(
            "That is not the set-up code.",
            [
                FieldError(
                    "#/code", "Use the code that the server printed last. `python -m app setup-code` prints a new one."
                )
            ],
        )
    user = _new_user(name, email, Role.ADMIN, keeper.hash(password), now)
    session.add(user)
    session.flush()
    record(session, user, "user.set_up", "user", user.id, {"role": Role.ADMIN})
    return user


def join(
    engine: Engine,
    keeper: Passwords,
    *,
    email: str,
    one_time_password: str,
    password: str,
    token: NewToken,
    address: str,
    now: datetime,
    record: Record,
) -> tuple[UserRow, TokenRow, str]:
    """Take up an account by its one-time password, without a browser: a password of one's own, and a first token.

    It works once, because what opens it is replaced by it, and never with a password that somebody chose: a program
    that learnt one could make itself tokens with it. Guesses are counted and slowed as at sign-in. token: what
    `add_token` asks for. Gives the person, the token and its secret.

    Raises:
        Invalid: address or password is wrong; or the new password, or the token, cannot be used.
        Conflict: the account has a password of its own.
        TooMany: too many failures, or too many people at once.
    """
    account = email.strip().lower()[:254]
    place = sessions.place_of(engine, account, address, "")
    with keeper.admitted(known=place.known):
        failure, user, right = sessions.tried(engine, keeper, account, one_time_password, place, now)
        taken_up = user is not None and not user.must_change_password
        names = (user.name, user.email) if user else ()
        errors = [FieldError("#/password", fault) for fault in passwords.faults(password, *names)]
        if password == one_time_password:
            errors.append(FieldError("#/password", "This is the password you were given; choose your own."))
        hashed = keeper.hash(password) if right and not taken_up and not errors else ""
        with writing(engine) as session:
            if user is not None and right:
                store.forgive(session, account, place.bucket)
            else:
                sessions.note_failed(session, user, place, failure, record)
    if user is None or not right:
        raise Invalid(sessions.WRONG)
    if taken_up:
        raise Conflict("This account has a password of its own. Sign in to the web pages to make a token.")
    if errors:
        raise Invalid("The account was not taken up.", errors)
    with writing(engine) as session:
        if not store.take_up(session, user.id, user.password_hash, hashed):
            raise Conflict("Somebody took this account up at this moment. If it was not you, tell an administrator.")
        user = store.get(session, user.id)
        store.end_sessions(session, user.id)
        record(session, user, "user.join", "user", user.id, {"from": place.network})
        made, secret = tokens.add_token(session, Who(user), **token, now=now, record=record)
        return user, made, secret


# ----------------------------------------------------------------------------------------------------------- people


@dataclass(frozen=True, slots=True)
class Handed:
    """A password to hand over, and its hash. Made before a transaction begins: hashing takes a tenth of a second, and
    nobody else could write meanwhile."""

    password: str
    hashed: str


def hand_over(keeper: Passwords, *, name: str, email: str, role: str, password: str) -> Handed:
    """The password of a new account. An empty `password` means: make one.

    Raises:
        Invalid: name, address, role or password cannot be used; nothing was hashed.
    """
    chosen = password or passwords.one_time()
    _need(name, email, chosen, role)
    return Handed(chosen, keeper.hash(chosen))


def hand_over_anew(keeper: Passwords) -> Handed:
    """A new one-time password for somebody who has an account."""
    one_time = passwords.one_time()
    return Handed(one_time, keeper.hash(one_time))


def add_user(
    session: Session, handed: Handed, *, name: str, email: str, role: str, by: UserRow, now: datetime, record: Record
) -> UserRow:
    """Add a person, who changes the password that they are handed at their first sign-in.

    Raises:
        Invalid: somebody has this address, or would be taken for somebody else.
    """
    _need(name, email, handed.password, role)
    if store.find(session, email):
        raise Invalid("This person is here already.", [FieldError("#/email", "Somebody has this address already.")])
    if errors := list(_mistakable(session, name, email)):
        raise Invalid("The account was not made.", errors)
    user = _new_user(name, email, Role(role), handed.hashed, now)
    user.must_change_password = True
    try:
        with session.begin_nested():
            session.add(user)
    except IntegrityError as error:  # added by somebody else at this moment
        taken = [FieldError("#/email", "Somebody has this address already.")]
        raise Invalid("This person is here already.", taken) from error
    record(session, by, "user.add", "user", user.id, {"email": user.email, "role": role})
    return user


def _mistakable(session: Session, name: str, email: str) -> Iterator[FieldError]:
    """Whether somebody would be taken for somebody else: a reviewer is known on a page by name and address."""
    for other in store.everyone(session):
        if likeness.name(other.name) == likeness.name(name):
            yield FieldError(
                "#/name", f"{other.name} ({other.email}) is called so, or looks alike. Add what tells them apart."
            )
        if likeness.address(other.email) == likeness.address(email):
            yield FieldError("#/email", f"This looks like {other.email}, which somebody has already.")


def reset_password(session: Session, handed: Handed, user_id: int, *, by: UserRow | None, record: Record) -> UserRow:
    """Give somebody a new one-time password and end their sessions and tokens.

    A reset follows on a loss or a theft, so nothing goes on that was there before. by: None is the operator, at the
    server's command line. That is how a sole administrator gets back in.
    """
    user = store.get(session, user_id)
    _need_somebody(user)
    user.password_hash, user.must_change_password = handed.hashed, True
    store.end_sessions(session, user.id)
    ended = store.revoke_tokens(session, user.id, utcnow())
    detail = {"tokens_ended": ended} | ({} if by else {"from": "the server's command line"})
    record(session, by, "user.reset_password", "user", user.id, detail)
    return user


def change_role(session: Session, user_id: int, role: str, *, by: UserRow, record: Record) -> UserRow:
    """Change what somebody may do; they sign in again. Never takes away the last admin."""
    if role not in set(Role):
        raise Invalid("There is no such role.", [FieldError("#/role", "Use author, reviewer or admin.")])
    user = store.get(session, user_id)
    if user.role == role:
        return user
    _need_somebody(user)
    _keep_an_admin(session, user)
    before, user.role = user.role, Role(role)
    store.end_sessions(session, user.id)
    record(session, by, "user.change_role", "user", user.id, {"from": str(before), "to": role})
    return user


def disable(session: Session, user_id: int, *, by: UserRow, record: Record) -> UserRow:
    """Close an account: nobody can sign in with it, and its tokens end; the name stays on what was done.

    They do not come back when it is opened again: whoever opens it may not know of them.
    """
    user = store.get(session, user_id)
    if not user.active:
        return user
    _keep_an_admin(session, user)
    user.active = False
    store.end_sessions(session, user.id)
    ended = store.revoke_tokens(session, user.id, utcnow())
    record(session, by, "user.disable", "user", user.id, {"tokens_ended": ended})
    return user


def enable(session: Session, user_id: int, *, by: UserRow, record: Record) -> UserRow:
    user = store.get(session, user_id)
    if not user.active:
        _need_somebody(user)
        user.active = True
        record(session, by, "user.enable", "user", user.id, {})
    return user


def _need_somebody(user: UserRow) -> None:
    if user.nobody:
        raise Conflict("Nobody is behind this account: it only signs what the finished example shows.")


def _keep_an_admin(session: Session, user: UserRow) -> None:
    if [admin.id for admin in store.active_admins(session)] == [user.id]:
        raise Conflict("This is the last active admin. Make somebody else an admin first.")


def change_password(
    engine: Engine,
    keeper: Passwords,
    who: Who,
    *,
    current: str,
    new: str,
    again: str,
    address: str,
    now: datetime,
    record: Record,
    end_tokens: bool = False,
) -> None:
    """Set one's own password and end one's other sessions, and one's tokens if that is wished.

    Guesses are counted as at sign-in, by the account alone: whoever holds a stolen session may come from anywhere.
    No transaction is open while passwords are looked at.

    Raises:
        Forbidden: a token asks; a token is not the person.
        Invalid: the current one is wrong, or the new one cannot be used.
        TooMany: the current one was wrong too often; says when to try again.
    """
    if who.token is not None:
        raise Forbidden("A password is changed in the browser, not with a token.")
    account, network = f"#{who.user.id}", sessions.network_of(address)
    errors = [FieldError("#/password", fault) for fault in passwords.faults(new, who.user.name, who.user.email)]
    if new != again:
        errors.append(FieldError("#/again", "This is not the same."))
    if new == current:
        errors.append(FieldError("#/password", "This is the password you have."))
    with keeper.admitted(known=True):
        with writing(engine) as session:
            sessions.not_too_often(sessions.seconds_left(session, now, [(sessions.PAIR_LIMIT, {"account": account})]))
            session.add(FailureRow(account=account, address=network, at=now))
            stored = store.get(session, who.user.id).password_hash
        right = keeper.verify(current, stored)
        hashed = "" if errors or not right else keeper.hash(new)
    with writing(engine) as session:
        user = store.get(session, who.user.id)
        if not right:
            errors.append(FieldError("#/current", "This is not your password."))
            record(session, user, "user.change_password_failed", "user", user.id, {"from": network})
        else:
            store.forgive(session, account, network)
        if hashed and user.password_hash == stored:
            user.password_hash, user.must_change_password = hashed, False
            store.end_sessions(session, user.id, but=who.session_sha256)
            ended = store.revoke_tokens(session, user.id, now) if end_tokens else 0
            record(session, user, "user.change_password", "user", user.id, {"tokens_ended": ended})
            return
    raise Invalid("The password was not changed.", errors)


# -------------------------------------------------------------------------------------------------------- the forms


def _need(name: str, email: str, password: str, role: str = Role.AUTHOR) -> None:
    errors = []
    if not name.strip() or len(name.strip()) > 100 or not printable(name):
        errors.append(FieldError("#/name", "Give a name of at most 100 characters."))
    elif fault := likeness.name_fault(name):
        errors.append(FieldError("#/name", fault))
    if len(email.strip()) > 254 or not EMAIL.fullmatch(email.strip()):
        errors.append(FieldError("#/email", "Give an e-mail address, for example dana@example.org."))
    elif fault := likeness.address_fault(email):
        errors.append(FieldError("#/email", fault))
    if role not in set(Role):
        errors.append(FieldError("#/role", "Use author, reviewer or admin."))
    errors += [FieldError("#/password", fault) for fault in passwords.faults(password, name, email)]
    if errors:
        raise Invalid("The account was not made.", errors)


def _new_user(name: str, email: str, role: Role, password_hash: str, now: datetime) -> UserRow:
    return UserRow(
        name=name.strip(), email=email.strip().lower(), role=role, password_hash=password_hash, created_at=now
    )
