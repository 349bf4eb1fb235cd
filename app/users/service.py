"""What people and admins do with accounts, sessions and tokens.

`record` writes the audit entry in the same transaction; it is handed in, because the record is kept above us.
"""

import ipaddress
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db import reading, utcnow, writing
from app.errors import Conflict, FieldError, Forbidden, Invalid
from app.users import likeness, passwords, store
from app.users.passwords import Passwords
from app.users.tables import FailureRow, Role, SessionRow, SetupRow, TokenRow, UserRow
from app.web.above import Record
from app.web.refusals import SignInFirst, TooMany

LONGEST_SESSION = timedelta(days=14)
IDLE_SESSION = timedelta(days=7)
NOTICE_EVERY = timedelta(minutes=10)  # how often "last seen" and "last used" are worth a write

WINDOW = timedelta(minutes=15)
# Failures in the window after which no password is looked at. The pair of account and network comes first, so that a
# stranger elsewhere cannot lock somebody out; the others stop one who tries many accounts, from one network or from
# many that one line has (an IPv6 /48 is 65,536 of them). They are for strangers: where somebody signed in before, only
# what failed at that very place counts.
PAIR_LIMIT, ADDRESS_LIMIT, AREA_LIMIT = 10, 30, 60
# Many networks that try one account slow each other down, and whoever comes from somewhere new; nobody is shut out.
ACCOUNT_LIMIT, PAUSE = 100, timedelta(seconds=5)
MOST_PLACES = 40  # networks and devices that are remembered of one person
SETUP = "#setup"  # stands for an account where the set-up code is guessed
WRONG = "The e-mail address or the password is wrong."

# What a token of each scope may do. Approving is no more than writing, and no less: it is something else, so that a
# program which writes or launches cannot also be the second person.
SCOPES: Mapping[str, frozenset[str]] = {
    "read": frozenset({"read"}),
    "write": frozenset({"read", "write"}),
    "launch": frozenset({"read", "write", "launch"}),
    "approve": frozenset({"read", "approve"}),
}
TOKEN_MARK = "tg_"  # noqa: S105 - the mark that all tokens begin with, not a token
EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>\"',;]+@[^@\s\x00-\x1f\x7f<>\"',;]+")


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who proved who they are: by a browser session (its hash), or by a token of some scope."""

    user: UserRow
    session_sha256: str = ""
    token: TokenRow | None = None

    def may(self, scope: str) -> bool:
        """Whether the token's scope reaches that far; a browser session reaches everything its role does."""
        return self.token is None or scope in SCOPES[self.token.scope]


def digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


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
    network = network_of(address)
    _not_too_often(_seconds_left(session, now, [(PAIR_LIMIT, {"account": SETUP, "address": network})]))
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


# ---------------------------------------------------------------------------------------------------------- sign in


@dataclass(frozen=True, slots=True)
class Opened:
    """What a sign-in gives the browser: the secret of the session, and that of the device, which stays."""

    secret: str
    device: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody signs in from. `bucket`: under what their failures are counted. known: they were here before."""

    network: str
    area: str
    bucket: str
    known: bool


def sign_in(
    engine: Engine,
    keeper: Passwords,
    *,
    email: str,
    password: str,
    address: str,
    user_agent: str,
    now: datetime,
    record: Record,
    device: str = "",
) -> Opened:
    """Check a password and open a session. device: the secret that an earlier sign-in left with this browser.

    The attempt is written down as a failure before the password is looked at, and taken back when it was right: many
    attempts at once cannot slip through between the count and the note. No transaction is open while it is checked.

    Raises:
        Invalid: address or password is wrong; which one is not said.
        TooMany: too many failures, or too many people at once; says when to try again.
    """
    account = email.strip().lower()[:254]
    place = _place(engine, account, address, device)
    with keeper.admitted(known=place.known):
        failure, user, right = _tried(engine, keeper, account, password, place, now)
        with writing(engine) as session:
            if user is not None and right:
                store.forgive(session, account, place.bucket)
                store.forget_old(session, now, now - WINDOW)
                record(session, user, "user.sign_in", "user", user.id, {"from": place.network})
                device = settle(session, user, address, device, now)
                return Opened(open_session(session, user, user_agent, now), device)
            _note_failed(session, user, place, failure, record)
    raise Invalid(WRONG)


def join(
    engine: Engine,
    keeper: Passwords,
    *,
    email: str,
    one_time_password: str,
    password: str,
    token: Mapping[str, Any],
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
    place = _place(engine, account, address, "")
    with keeper.admitted(known=place.known):
        failure, user, right = _tried(engine, keeper, account, one_time_password, place, now)
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
                _note_failed(session, user, place, failure, record)
    if user is None or not right:
        raise Invalid(WRONG)
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
        made, secret = add_token(session, Who(user), **token, now=now, record=record)
        return user, made, secret


def _tried(
    engine: Engine, keeper: Passwords, account: str, password: str, place: "Place", now: datetime
) -> tuple[int, UserRow | None, bool]:
    """Look at a password: the note of the attempt, whose it would be, and whether it is right."""
    with writing(engine) as session:
        _not_too_often(_wait(session, account, place, now))
        failure = FailureRow(account=account, address=place.bucket, area=place.area, at=now)
        session.add(failure)
    with reading(engine) as session:
        user = store.find(session, account)
    return failure.id, user, keeper.verify(password, user.password_hash if user and user.active else None)


def _note_failed(session: Session, user: UserRow | None, place: "Place", failure: int, record: Record) -> None:
    """An unknown account leaves no entry, but costs what one costs: how long the answer takes says nothing."""
    with session.begin_nested() as entry:
        record(session, None, "user.sign_in_failed", "user", user.id if user else None, {"from": place.network})
        if user is None:
            entry.rollback()
    store.touch(session, failure)


def _place(engine: Engine, account: str, address: str, device: str) -> Place:
    network, mark = network_of(address), _mark(device)
    with reading(engine) as session:
        known = store.known_of(session, account, [network, mark])
    bucket = mark[:64] if mark in known else network
    return Place(network, area_of(address), bucket, known=bool(known))


def settle(session: Session, user: UserRow, address: str, device: str, now: datetime) -> str:
    """Remember where somebody signed in, so that what strangers do elsewhere does not keep them out from here.

    Returns the device's secret; only its hash is kept. One that this person never signed in with is not taken over.
    """
    if not store.known_of(session, user.email, [_mark(device)]):
        device = secrets.token_urlsafe(32)
    store.remember(session, user.id, [network_of(address), _mark(device)], now, most=MOST_PLACES)
    return device


def _mark(device: str) -> str:
    """The place that a device is: no network has such a name."""
    return f"device:{digest(device)[:56]}"


def _wait(session: Session, account: str, place: Place, now: datetime) -> int:
    """Seconds until the next attempt is looked at; 0 is now."""
    limits: list[tuple[int, dict[str, str]]] = [(PAIR_LIMIT, {"account": account, "address": place.bucket})]
    if place.known:
        return _seconds_left(session, now, limits)
    limits.append((ADDRESS_LIMIT, {"address": place.bucket}))
    if place.area:
        limits.append((AREA_LIMIT, {"area": place.area}))
    failed = store.failures(session, now - WINDOW, account=account)
    pause = ceil((failed[0] + PAUSE - now).total_seconds()) if len(failed) >= ACCOUNT_LIMIT else 0
    return max(_seconds_left(session, now, limits), pause)


def _seconds_left(session: Session, now: datetime, limits: Sequence[tuple[int, dict[str, str]]]) -> int:
    """Seconds until fewer failures than each limit are in the window."""
    counted = [(limit, store.failures(session, now - WINDOW, **of)) for limit, of in limits]
    # Newest first: once the one at `limit - 1` has left the window, fewer than `limit` are in it.
    ends = [failed[limit - 1] + WINDOW for limit, failed in counted if len(failed) >= limit]
    return max((int((end - now).total_seconds()) + 1 for end in ends), default=0)


def _not_too_often(wait: int) -> None:
    if wait > 60:
        raise TooMany(f"Too many failed attempts. Try again in {wait // 60 + 1} minutes.", wait)
    if wait > 0:
        raise TooMany(f"Too many failed attempts. Try again in {wait} seconds.", wait)


def network_of(address: str) -> str:
    """The address for counting: one household has a whole IPv6 /64 to choose from."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def area_of(address: str) -> str:
    """What a provider gives one customer at most; in IPv4 that is the address, which is counted already."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return "" if parsed.version == 4 else str(ipaddress.ip_network(f"{address}/48", strict=False))


def open_session(session: Session, user: UserRow, user_agent: str, now: datetime) -> str:
    """Start a session under a new secret; whatever cookie came with the request plays no part."""
    secret = secrets.token_urlsafe(32)
    session.add(
        SessionRow(
            token_sha256=digest(secret),
            user_id=user.id,
            created_at=now,
            seen_at=now,
            expires_at=now + LONGEST_SESSION,
            user_agent=user_agent[:200],
        )
    )
    return secret


def by_cookie(session: Session, secret: str, now: datetime) -> tuple[Who, bool]:
    """Who this session belongs to, and whether its "last seen" is due.

    Raises:
        SignInFirst: there is no such session, it has ended, or the account is disabled.
    """
    found = store.find_session(session, digest(secret))
    if found is None or found[0].expires_at <= now or found[0].seen_at + IDLE_SESSION <= now or not found[1].active:
        raise SignInFirst("You are not signed in, or your session has ended.")
    row, user = found
    return Who(user, session_sha256=row.token_sha256), now - row.seen_at >= NOTICE_EVERY


def by_token(session: Session, secret: str, now: datetime) -> tuple[Who, bool]:
    """Who this API token belongs to, and whether its "last used" is due.

    Raises:
        SignInFirst: there is no such token, it has ended or was revoked, or the account is disabled.
    """
    found = store.find_token(session, digest(secret)) if secret.startswith(TOKEN_MARK) else None
    if found is None or found[0].revoked_at or (found[0].expires_at and found[0].expires_at <= now):
        raise SignInFirst("This API token is unknown, expired or revoked.")
    row, user = found
    if not user.active:
        raise SignInFirst("This API token is unknown, expired or revoked.")
    return Who(user, token=row), row.last_used_at is None or now - row.last_used_at >= NOTICE_EVERY


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
    given = password or passwords.one_time()
    _need(name, email, given, role)
    return Handed(given, keeper.hash(given))


def hand_over_anew(keeper: Passwords) -> Handed:
    """A new one-time password for somebody who has an account."""
    given = passwords.one_time()
    return Handed(given, keeper.hash(given))


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
        user.active = True
        record(session, by, "user.enable", "user", user.id, {})
    return user


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
    account, network = f"#{who.user.id}", network_of(address)
    errors = [FieldError("#/password", fault) for fault in passwords.faults(new, who.user.name, who.user.email)]
    if new != again:
        errors.append(FieldError("#/again", "This is not the same."))
    if new == current:
        errors.append(FieldError("#/password", "This is the password you have."))
    with keeper.admitted(known=True):
        with writing(engine) as session:
            _not_too_often(_seconds_left(session, now, [(PAIR_LIMIT, {"account": account})]))
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


# ----------------------------------------------------------------------------------------------------------- tokens


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
        errors.append(FieldError("#/scope", "Use read, write, launch or approve."))
    if days is not None and not 1 <= days <= 366:
        errors.append(FieldError("#/days", "Use 1 to 366 days."))
    if errors:
        raise Invalid("The token was not made.", errors)
    if not all(who.may(one) for one in SCOPES[scope]):
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


# -------------------------------------------------------------------------------------------------------- the forms


def printable(text: str) -> bool:
    """Whether a name has only signs that can be seen: nothing that turns a line around or ends it."""
    return all(sign.isprintable() for sign in text)


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
