"""Who asks: the one place that reads credentials, and the roles that routes can require."""

import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyCookie, HTTPBearer
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from starlette.datastructures import State

from app.db import reading, utcnow, writing
from app.errors import Forbidden
from app.settings import Settings
from app.users import passwords, sessions, store, tokens
from app.users.identity import Who, digest
from app.users.passwords import Passwords
from app.users.tables import Role, UserRow
from app.web.context import AppContext
from app.web.deps import SAFE, App
from app.web.events import Listener
from app.web.kept_pages import keeping_of
from app.web.refusals import SeeFirst, SignInFirst

log = logging.getLogger("tunegate.web")

# What the description of the API says about credentials; read they are below.
TOKEN = HTTPBearer(
    scheme_name="token",
    auto_error=False,
    description="An API token, `tg_...`, with the scope read, write, launch, approve or ask. From `/setup` or `/join`, "
    "from `/tokens`, or from the account page.",
)
SESSION = APIKeyCookie(
    name="tunegate",
    scheme_name="session",
    auto_error=False,
    description="A browser that is signed in. What changes something has to come from the site's own pages.",
)


def keeper(settings: Settings) -> Passwords:
    return passwords.with_cost(settings.hash_time, settings.hash_memory)


def address_of(request: Request, settings: Settings) -> str:
    """Where a guess comes from."""
    if "x-forwarded-for" in request.headers and not settings.trusted_proxies:
        _say_once(request.app.state)
    return request.client.host if request.client else "unknown"


def _say_once(state: State) -> None:
    if not getattr(state, "said_proxy", False):
        state.said_proxy = True
        log.warning(
            "A proxy says X-Forwarded-For, but TUNEGATE_TRUSTED_PROXIES names none: everybody behind it counts as one "
            "when sign-ins are limited. Set it to the proxy's address."
        )


def cookie_name(settings: Settings) -> str:
    """`__Host-` binds the cookie to this very host over https; browsers drop such a cookie silently on plain http."""
    return "__Host-tunegate" if settings.secure else "tunegate"


def secret_of(request: Request, settings: Settings) -> tuple[str, bool]:
    """Read the request's credential: the secret, and whether it is a token.

    An Authorization header decides alone: a request that brings a bad token is not let in by a cookie beside it. No
    other header, and nothing in the address, is ever a credential.
    """
    headers = request.headers.getlist("authorization")
    if headers:
        scheme, _, secret = headers[0].partition(" ")
        if len(headers) > 1 or scheme.lower() != "bearer" or not secret.strip():
            raise SignInFirst("Send one header `Authorization: Bearer tg_...`.")
        return secret.strip(), True
    secret = request.cookies.get(cookie_name(settings), "")
    if not secret:
        raise SignInFirst("Sign in, or send an API token.")
    return secret, False


def identify(session: Session, secret: str, token: bool) -> tuple[Who, bool]:
    return (tokens.by_token if token else sessions.by_cookie)(session, secret, utcnow())


async def _who(
    request: Request,
    app: App,
    _token: Annotated[object, Security(TOKEN)],
    _session: Annotated[object, Security(SESSION)],
) -> Who:
    """Answer who asks, in a transaction of its own, so that a long upload or stream holds none; a page that reads has
    one already, and is answered in it. Where nothing at all was committed since the same cookie was looked up, its rows
    are the same still, and it is judged by them.
    """
    secret, token = secret_of(request, app.settings)
    pages = app.kept_pages if request.method in SAFE and not token else None
    quick = pages if pages is not None and pages.quick else None
    mark = await quick.mark() if quick is not None else None
    known = quick.fact(name := digest(secret)) if quick is not None else None
    if not isinstance(known, Who) or not _still(known, utcnow()):
        who = await run_in_threadpool(_looked_up, request, app, secret, token)
        if quick is not None:
            quick.learn(mark, name, who)
    else:
        who = known
    request.state.me = who.user
    if who.session is not None and (keeping := keeping_of(request)) is not None:
        keeping.checks.append(partial(_still, who))
    return who


def _still(who: Who, now: datetime) -> bool:
    """Whether a session that was looked up opens something at this moment, and need not be written to."""
    row = who.session
    return row is not None and sessions.open_at(row, who.user, now) and not sessions.due(row, now)


def _looked_up(request: Request, app: AppContext, secret: str, token: bool) -> Who:
    """Asked of the database. That it was seen is written on safe methods only: another method's session may already
    hold the one write transaction."""
    opened: Session | None = getattr(request.state, "db", None) if request.method in SAFE else None
    with nullcontext(opened) if opened is not None else reading(app.engine) as session:
        who, due = identify(session, secret, token)
        if who.session is not None:  # other requests may be answered with these rows while this session is still open
            session.expunge(who.user)
            session.expunge(who.session)
    if due and request.method in SAFE:
        _notice(app.engine, who)
    return who


def _notice(engine: Engine, who: Who) -> None:
    """A database that is too busy for it costs nobody an answer: the next request says it again."""
    with suppress(OperationalError), writing(engine) as session:
        if who.token is not None:
            store.used(session, who.token.id, utcnow())
        else:
            store.seen(session, who.session_sha256, utcnow())


Identified = Annotated[Who, Depends(_who)]


@dataclass(frozen=True, slots=True)
class Require:
    """The least role for a route, and the scope that a token needs: by default what the method does."""

    role: Role
    scope: str = ""
    even_with_old_password: bool = False

    async def __call__(self, request: Request, who: Identified) -> UserRow:
        scope = self.scope or ("read" if request.method in SAFE else "write")
        if not who.may(scope):
            raise Forbidden(f"This API token does not have the scope '{scope}'.")
        if who.user.must_change_password and not self.even_with_old_password:
            raise SeeFirst("Change the password you were given first.", "/account/password")
        if Role(who.user.role).rank < self.role.rank:
            raise Forbidden(f"This needs the role '{self.role}'; yours is '{who.user.role}'. An admin can change it.")
        return who.user


Me = Annotated[UserRow, Depends(Require(Role.AUTHOR))]
Author = Me  # who may write; the same role today, said where it matters
Reviewer = Annotated[UserRow, Depends(Require(Role.REVIEWER))]
Admin = Annotated[UserRow, Depends(Require(Role.ADMIN))]
# Starting what costs money or hours: a token needs the scope of its own for it.
Launcher = Annotated[UserRow, Depends(Require(Role.AUTHOR, scope="launch"))]
# Saying that others' work is right: a token needs the scope of its own for it, too.
Approver = Annotated[UserRow, Depends(Require(Role.REVIEWER, scope="approve"))]
# One's own account, which has to be open to somebody who has yet to set a password of their own.
Newcomer = Annotated[UserRow, Depends(Require(Role.AUTHOR, even_with_old_password=True))]


def _holds(request: Request, app: App) -> Callable[[], bool]:
    """A check whether the credential still opens something; what takes long asks again while it goes on."""
    secret, token = secret_of(request, app.settings)

    def holds() -> bool:
        with reading(app.engine) as session:
            try:
                identify(session, secret, token)
            except SignInFirst:
                return False
        return True

    return holds


def _patient(request: Request, app: App, me: Me) -> Listener:
    return Listener(me.id, _holds(request, app))


def _listener(app: App, listener: "Patient") -> Iterator[Listener]:
    with app.hub.place(listener.person):
        yield listener


# For answers that may wait: who asks, and whether they still may. A place is taken when it is known that it waits.
Patient = Annotated[Listener, Depends(_patient)]
# For streams, in place of `Me`: `events.stream(app.hub, listener, ...)`. In a place that is theirs until it ends.
Listening = Annotated[Listener, Depends(_listener)]
