"""Pages: set-up, sign in and out, one's own account, and the admin's list of people."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel
from starlette.routing import Match

from app.db import reading, utcnow, writing
from app.errors import Invalid, Refusal
from app.settings import Settings
from app.users import service, sessions, store, tokens
from app.users.deps import Admin, Identified, Me, Newcomer, address_of, cookie_name, keeper
from app.users.tables import UserRow
from app.web.deps import App, Db
from app.web.files import YEAR
from app.web.forms import by_field
from app.web.pages import page, see
from app.web.params import Address, Id, OneLine
from app.web.refusals import TooMany
from app.web.security import POLICY

router = APIRouter(include_in_schema=False)


def safe_next(request: Request, address: str) -> str:
    """Give the address to go on to: a path that one of our own pages answers to, else the start."""
    if not address.startswith("/") or address.startswith("//") or not address.isprintable() or "\\" in address:
        return "/"
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/"
    scope = {"type": "http", "method": "GET", "path": parts.path, "root_path": "", "headers": []}
    ours = not parts.scheme and not parts.netloc and not parts.path.startswith(("/api/", "/static/"))
    known = any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    return address if ours and known else "/"


def signed_in(settings: Settings, opened: sessions.Opened, address: str) -> Response:
    response = RedirectResponse(address, 303)
    for name, secret, seconds in (
        (cookie_name(settings), opened.secret, int(sessions.LONGEST_SESSION.total_seconds())),
        (device_cookie(settings), opened.device, YEAR),
    ):
        response.set_cookie(
            name, secret, max_age=seconds, path="/", secure=settings.secure, httponly=True, samesite="lax"
        )
    return response


def device_cookie(settings: Settings) -> str:
    """It opens nothing: it only says that this browser signed in before, and is not counted among strangers."""
    return f"{cookie_name(settings)}-device"


def _from(request: Request, settings: Settings) -> dict[str, str]:
    return {"address": address_of(request, settings)}


class SignIn(BaseModel):
    email: OneLine = ""
    password: OneLine = ""
    next: Address = "/"


@router.get("/sign-in", name="sign_in")
def show_sign_in(request: Request, db: Db, next: Annotated[Address, Query()] = "/") -> Response:  # noqa: A002 - the word in the address
    if not store.anyone(db):
        return see(request, "set_up")
    return page(request, "users/sign_in.html", email="", next=next, errors={}, detail="")


@router.post("/sign-in")
def sign_in(request: Request, app: App, data: Annotated[SignIn, Form()]) -> Response:
    try:
        opened = sessions.sign_in(
            app.engine,
            keeper(app.settings),
            email=data.email,
            password=data.password,
            user_agent=request.headers.get("user-agent", ""),
            now=utcnow(),
            record=app.record,
            device=request.cookies.get(device_cookie(app.settings), "")[:100],
            **_from(request, app.settings),
        )
    except (Invalid, TooMany) as refusal:
        waits = {"Retry-After": str(refusal.seconds)} if isinstance(refusal, TooMany) else {}
        answer = page(
            request,
            "users/sign_in.html",
            status=429 if waits else 422,
            email=data.email,
            next=data.next,
            errors={},
            detail=refusal.detail,
        )
        answer.headers.update(waits)
        return answer
    return signed_in(app.settings, opened, safe_next(request, data.next))


@router.post("/sign-out", name="sign_out")
def sign_out(request: Request, app: App, db: Db, who: Identified, me: Newcomer) -> Response:
    store.end_session(db, who.session_sha256)
    app.record(db, me, "user.sign_out", "user", me.id, {})
    response = see(request, "sign_in", notice="signed-out")
    response.delete_cookie(cookie_name(app.settings), path="/", secure=app.settings.secure, httponly=True)
    return response


class SetUp(BaseModel):
    code: OneLine = ""
    name: OneLine = ""
    email: OneLine = ""
    password: OneLine = ""


@router.get("/setup", name="set_up")
def show_set_up(request: Request, db: Db, code: Annotated[OneLine, Query()] = "") -> Response:
    if store.anyone(db):
        return see(request, "sign_in")
    return page(request, "users/set_up.html", data=SetUp(code=code[:100]), errors={}, detail="")


@router.post("/setup")
def set_up(request: Request, app: App, db: Db, data: Annotated[SetUp, Form()]) -> Response:
    where = _from(request, app.settings)
    try:
        user = service.set_up(db, keeper(app.settings), **data.model_dump(), now=utcnow(), record=app.record, **where)
    except Invalid as refusal:
        return page(
            request, "users/set_up.html", status=422, data=data, errors=by_field(refusal), detail=refusal.detail
        )
    secret = sessions.open_session(db, user, request.headers.get("user-agent", ""), utcnow())
    device = sessions.settle(db, user, where["address"], "", utcnow())
    return signed_in(app.settings, sessions.Opened(secret, device), "/")


# ---------------------------------------------------------------------------------------------------------- account


def _account(request: Request, db: Db, who: Identified, status: int = 200, **more: object) -> Response:
    values = {"errors": {}, "detail": "", "typed": {}, "token": None, "secret": ""} | more
    return page(
        request,
        "users/account.html",
        status=status,
        sessions=store.sessions_of(db, who.user.id),
        here=who.session_sha256,
        tokens=store.tokens_of(db, who.user.id),
        now=utcnow(),
        **values,
    )


@router.get("/docs", name="docs")
def show_docs(request: Request, me: Me) -> Response:
    """The description of the API, to read and to try out as oneself."""
    response = page(request, "docs.html")
    # The style sheet of Swagger UI holds its icons as data: addresses; nothing else is different on this page.
    response.headers["Content-Security-Policy"] = POLICY.replace("img-src 'self'", "img-src 'self' data:")
    return response


@router.get("/account", name="account")
def show_account(request: Request, db: Db, who: Identified, me: Me) -> Response:
    return _account(request, db, who)


@router.get("/account/password", name="password")
def show_password(request: Request, db: Db, me: Newcomer) -> Response:
    return _password(request, db, me)


def _password(request: Request, db: Db, me: UserRow, status: int = 200, refusal: Refusal | None = None) -> Response:
    return page(
        request,
        "users/password.html",
        status=status,
        errors=by_field(refusal) if isinstance(refusal, Invalid) else {},
        detail=refusal.detail if refusal else "",
        tokens=sum(tokens.lives(token, utcnow()) for token in store.tokens_of(db, me.id)),
    )


class NewPassword(BaseModel):
    current: OneLine = ""
    password: OneLine = ""
    again: OneLine = ""
    end_tokens: bool = False


@router.post("/account/password")
def change_password(
    request: Request, app: App, who: Identified, me: Newcomer, data: Annotated[NewPassword, Form()]
) -> Response:
    newcomer = me.must_change_password
    try:
        service.change_password(
            app.engine,
            keeper(app.settings),
            who,
            current=data.current,
            new=data.password,
            again=data.again,
            now=utcnow(),
            record=app.record,
            end_tokens=data.end_tokens,
            **_from(request, app.settings),
        )
    except (Invalid, TooMany) as refusal:
        status = 429 if isinstance(refusal, TooMany) else 422
        with reading(app.engine) as session:
            answer = _password(request, session, me, status, refusal)
        answer.headers.update({"Retry-After": str(refusal.seconds)} if isinstance(refusal, TooMany) else {})
        return answer
    return see(request, "home" if newcomer else "account", notice="password")


@router.post("/account/sessions/end", name="end_sessions")
def end_sessions(request: Request, app: App, db: Db, who: Identified, me: Me) -> Response:
    store.end_sessions(db, me.id, but=who.session_sha256)
    app.record(db, me, "user.end_sessions", "user", me.id, {})
    return see(request, "account", notice="sessions")


class NewToken(BaseModel):
    name: OneLine = ""
    scope: OneLine = "read"
    days: OneLine = "90"


@router.post("/account/tokens", name="add_token")
def add_token(
    request: Request, app: App, db: Db, who: Identified, me: Me, data: Annotated[NewToken, Form()]
) -> Response:
    """Show the new token in the answer itself: its secret is nowhere else, so there is nothing to redirect to."""
    try:
        token, secret = tokens.add_token(
            db,
            who,
            name=data.name,
            scope=data.scope,
            days=int(data.days) if data.days.isascii() and data.days.isdigit() else 0,
            now=utcnow(),
            record=app.record,
        )
    except Invalid as refusal:
        return _account(request, db, who, 422, errors=by_field(refusal), detail=refusal.detail, typed=data.model_dump())
    return _account(request, db, who, 201, token=token, secret=secret)


@router.post("/account/tokens/{token_id}/revoke", name="revoke_token")
def revoke_token(request: Request, token_id: Id, app: App, db: Db, me: Me) -> Response:
    tokens.revoke_token(db, me, token_id, now=utcnow(), record=app.record)
    return see(request, "account", notice="revoked", anchor="tokens")


@router.post("/account/theme", name="change_theme")
def change_theme(
    request: Request,
    app: App,
    me: Newcomer,
    theme: Annotated[OneLine, Form()] = "",
    next: Annotated[Address, Form()] = "/",  # noqa: A002 - as above
) -> Response:
    response = RedirectResponse(safe_next(request, next), 303)
    if theme in {"light", "dark"}:
        response.set_cookie("theme", theme, max_age=YEAR, secure=app.settings.secure, httponly=True, samesite="lax")
    else:
        response.delete_cookie("theme")
    return response


# ----------------------------------------------------------------------------------------------------------- people


class NewUser(BaseModel):
    name: OneLine = ""
    email: OneLine = ""
    role: OneLine = "author"
    password: OneLine = ""


def _people(request: Request, db: Db, status: int = 200, **more: object) -> Response:
    values = {"errors": {}, "detail": "", "data": NewUser(), "given": "", "person": None} | more
    return page(request, "users/users.html", status=status, people=store.everyone(db), now=utcnow(), **values)


@router.get("/users", name="users")
def show_users(request: Request, db: Db, me: Admin) -> Response:
    return _people(request, db)


@router.post("/users", name="add_user")
def add_user(request: Request, app: App, me: Admin, data: Annotated[NewUser, Form()]) -> Response:
    """Show the one-time password in the answer itself: it is nowhere else. It is hashed before a transaction begins."""
    who = data.model_dump(exclude={"password"})
    try:
        handed = service.hand_over(keeper(app.settings), **data.model_dump())
        with writing(app.engine) as db:
            person = service.add_user(db, handed, **who, by=me, now=utcnow(), record=app.record)
    except Invalid as refusal:
        with reading(app.engine) as db:
            return _people(request, db, 422, data=data, errors=by_field(refusal), detail=refusal.detail)
    with reading(app.engine) as db:
        return _people(request, db, 201, person=person, given=handed.password)


@router.post("/users/{user_id}/reset-password", name="reset_password")
def reset_password(request: Request, user_id: Id, app: App, me: Admin) -> Response:
    handed = service.hand_over_anew(keeper(app.settings))
    with writing(app.engine) as db:
        person = service.reset_password(db, handed, user_id, by=me, record=app.record)
    with reading(app.engine) as db:
        return _people(request, db, person=person, given=handed.password)


@router.post("/users/{user_id}/role", name="change_role")
def change_role(
    request: Request, user_id: Id, app: App, db: Db, me: Admin, role: Annotated[OneLine, Form()] = ""
) -> Response:
    service.change_role(db, user_id, role, by=me, record=app.record)
    return see(request, "users", notice="role")


@router.post("/users/{user_id}/disable", name="disable_user")
def disable_user(request: Request, user_id: Id, app: App, db: Db, me: Admin) -> Response:
    service.disable(db, user_id, by=me, record=app.record)
    return see(request, "users", notice="disabled")


@router.post("/users/{user_id}/enable", name="enable_user")
def enable_user(request: Request, user_id: Id, app: App, db: Db, me: Admin) -> Response:
    service.enable(db, user_id, by=me, record=app.record)
    return see(request, "users", notice="enabled")
