"""Signing in: browser sessions, and how often a password may be tried from where."""

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.db import reading, writing
from app.errors import Invalid
from app.users import store
from app.users.identity import NOTICE_EVERY, Who, digest
from app.users.passwords import Passwords
from app.users.tables import FailureRow, SessionRow, UserRow
from app.web.protocols import Record
from app.web.refusals import SignInFirst, TooMany

LONGEST_SESSION = timedelta(days=14)
IDLE_SESSION = timedelta(days=7)
WINDOW = timedelta(minutes=15)
# Failures in the window after which no password is looked at. The pair of account and network comes first, so that a
# stranger elsewhere cannot lock somebody out; the others stop one who tries many accounts, from one network or from
# many that one line has (an IPv6 /48 is 65,536 of them). They are for strangers: where somebody signed in before, only
# what failed at that very place counts.
PAIR_LIMIT, ADDRESS_LIMIT, AREA_LIMIT = 10, 30, 60
# Many networks that try one account slow each other down, and whoever comes from somewhere new; nobody is shut out.
ACCOUNT_LIMIT, PAUSE = 100, timedelta(seconds=5)
MOST_PLACES = 40  # networks and devices that are remembered of one person
WRONG = "The e-mail address or the password is wrong."


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
    place = place_of(engine, account, address, device)
    with keeper.admitted(known=place.known):
        failure, user, right = tried(engine, keeper, account, password, place, now)
        with writing(engine) as session:
            if user is not None and right:
                store.forgive(session, account, place.bucket)
                store.forget_old(session, now, now - WINDOW)
                record(session, user, "user.sign_in", "user", user.id, {"from": place.network})
                device = settle(session, user, address, device, now)
                return Opened(open_session(session, user, user_agent, now), device)
            note_failed(session, user, place, failure, record)
    raise Invalid(WRONG)


def tried(
    engine: Engine, keeper: Passwords, account: str, password: str, place: "Place", now: datetime
) -> tuple[int, UserRow | None, bool]:
    """Look at a password: the note of the attempt, whose it would be, and whether it is right."""
    with writing(engine) as session:
        not_too_often(seconds_to_wait(session, account, place, now))
        failure = FailureRow(account=account, address=place.bucket, area=place.area, at=now)
        session.add(failure)
    with reading(engine) as session:
        user = store.find(session, account)
    return failure.id, user, keeper.verify(password, user.password_hash if user and user.active else None)


def note_failed(session: Session, user: UserRow | None, place: "Place", failure: int, record: Record) -> None:
    """An unknown account leaves no entry, but costs what one costs: how long the answer takes says nothing."""
    with session.begin_nested() as entry:
        record(session, None, "user.sign_in_failed", "user", user.id if user else None, {"from": place.network})
        if user is None:
            entry.rollback()
    store.touch(session, failure)


def place_of(engine: Engine, account: str, address: str, device: str) -> Place:
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


def seconds_to_wait(session: Session, account: str, place: Place, now: datetime) -> int:
    """Seconds until the next attempt is looked at; 0 is now."""
    limits: list[tuple[int, dict[str, str]]] = [(PAIR_LIMIT, {"account": account, "address": place.bucket})]
    if place.known:
        return seconds_left(session, now, limits)
    limits.append((ADDRESS_LIMIT, {"address": place.bucket}))
    if place.area:
        limits.append((AREA_LIMIT, {"area": place.area}))
    failed = store.failures(session, now - WINDOW, account=account)
    pause = ceil((failed[0] + PAUSE - now).total_seconds()) if len(failed) >= ACCOUNT_LIMIT else 0
    return max(seconds_left(session, now, limits), pause)


def seconds_left(session: Session, now: datetime, limits: Sequence[tuple[int, dict[str, str]]]) -> int:
    """Seconds until fewer failures than each limit are in the window."""
    counted = [(limit, store.failures(session, now - WINDOW, **of)) for limit, of in limits]
    # Newest first: once the one at `limit - 1` has left the window, fewer than `limit` are in it.
    ends = [failed[limit - 1] + WINDOW for limit, failed in counted if len(failed) >= limit]
    return max((int((end - now).total_seconds()) + 1 for end in ends), default=0)


def not_too_often(wait: int) -> None:
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
    row, user = store.find_session(session, digest(secret)) or (None, None)
    if row is None or user is None or not open_at(row, user, now):
        raise SignInFirst("You are not signed in, or your session has ended.")
    return Who(user, session_sha256=row.token_sha256, session=row), due(row, now)


def open_at(row: SessionRow, user: UserRow, now: datetime) -> bool:
    """Whether this session opens anything at this moment."""
    return row.expires_at > now and row.seen_at + IDLE_SESSION > now and user.active


def due(row: SessionRow, now: datetime) -> bool:
    """Whether its "last seen" is worth a write."""
    return now - row.seen_at >= NOTICE_EVERY
