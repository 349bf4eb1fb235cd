"""The same for programs: set-up, taking up an account, who am I, my tokens, and the admin's people."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.db import utcnow, writing
from app.errors import FieldError, Invalid, pointer
from app.users import identity, service, store, tokens
from app.users.deps import Admin, Identified, Me, address_of, keeper
from app.users.tables import Role, TokenRow, UserRow
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.params import LARGEST, Id, OneLine, UpTo500
from app.web.problems import REFUSALS, described

router = APIRouter(prefix="/api/v1", tags=["users"], responses=REFUSALS)
GUESSES = described(429, description="Too many failed attempts, or too many people at once (`Retry-After`)")

Short = Annotated[OneLine, Field(max_length=300)]


class User(BaseModel):
    """A person, without anything that proves who they are."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    email: str
    role: Role
    active: bool
    must_change_password: bool
    created_at: datetime


class NewUser(BaseModel):
    """A person to add. Without `password` a one-time password is made."""

    model_config = ConfigDict(extra="forbid")

    name: Short
    email: Short
    role: Role = Role.AUTHOR
    password: Short = ""


class AddedUser(User):
    """A person just added, with the password to hand over: it is shown this once."""

    one_time_password: str


class Users(BaseModel):
    data: list[User]
    has_more: bool


class UserChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    active: bool | None = None


Scope = Literal["read", "write", "launch", "approve", "ask"]


class Token(BaseModel):
    """An API token, without its secret."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    scope: str
    last4: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewToken(BaseModel):
    """A token to make. `days` null: until it is revoked."""

    model_config = ConfigDict(extra="forbid")

    name: Short
    scope: Scope = "read"
    days: Annotated[int | None, Field(ge=1, le=366)] = 90


class Tokens(BaseModel):
    data: list[Token]
    has_more: bool


class AddedToken(Token):
    """A token just made, with its secret: it is shown this once."""

    secret: str


class FirstToken(NewToken):
    """The token that comes with an account. `launch` includes write and read; `approve` is read and approving; `ask` is
    asking models under `/v1`, and nothing else."""

    name: Short = "First token"


class SetUp(BaseModel):
    """The first administrator. `code` is what the server printed; `python -m app setup-code` prints a new one."""

    model_config = ConfigDict(extra="forbid")

    code: Short
    name: Short
    email: Short
    password: Short
    token: FirstToken = FirstToken()


class Join(BaseModel):
    """An account to take up. `password` is your own from now on; the one-time password opens nothing any more."""

    model_config = ConfigDict(extra="forbid")

    email: Short
    one_time_password: Short
    password: Short
    token: FirstToken = FirstToken()


class Joined(BaseModel):
    """An account that is open now, with its first token."""

    user: User
    token: AddedToken


def _added(row: TokenRow, secret: str) -> AddedToken:
    return AddedToken(**Token.model_validate(row).model_dump(), secret=secret)


def _user_with(user: UserRow, password: str) -> AddedUser:
    return AddedUser(**User.model_validate(user).model_dump(), one_time_password=password)


def _in_token(refusal: Invalid, token: FirstToken) -> Invalid:
    """The same, where what is wrong with the token is inside `token`."""
    return refusal.moved(lambda field: pointer("token", field) if field in type(token).model_fields else pointer(field))


@router.post("/setup", status_code=201, responses=GUESSES)
def set_up(request: Request, response: Response, app: App, data: SetUp) -> Joined:
    """Make the first administrator with the one-time set-up code, and a token. Needs no credential; works once.

    Wrong codes are counted, and slowed after ten.
    """
    account = data.model_dump(exclude={"token"})
    where = address_of(request, app.settings)
    with writing(app.engine) as session:
        try:
            user = service.set_up(
                session, keeper(app.settings), **account, now=utcnow(), record=app.record, address=where
            )
        except Invalid as refusal:
            refused = refusal  # what was noted of the failure stays
        else:
            response.headers["Location"] = f"/api/v1/users/{user.id}"
            return _opened(session, app, user, data.token)
    raise refused


def _opened(session: Db, app: AppContext, user: UserRow, token: FirstToken) -> Joined:
    try:
        made = tokens.add_token(session, identity.Who(user), **token.model_dump(), now=utcnow(), record=app.record)
    except Invalid as refusal:
        raise _in_token(refusal, token) from refusal
    return Joined(user=User.model_validate(user), token=_added(*made))


@router.post("/join", status_code=201, responses=GUESSES)
def join(request: Request, response: Response, app: App, data: Join) -> Joined:
    """Take up an account with the one-time password that an administrator handed over: set a password of your own and
    get a first token. Needs no credential; works once. Guesses are counted as at sign-in.
    """
    try:
        user, made, secret = service.join(
            app.engine,
            keeper(app.settings),
            **data.model_dump(),
            address=address_of(request, app.settings),
            now=utcnow(),
            record=app.record,
        )
    except Invalid as refusal:
        raise _in_token(refusal, data.token) from refusal
    response.headers["Location"] = "/api/v1/me"
    return Joined(user=User.model_validate(user), token=_added(made, secret))


@router.get("/me")
def show_me(me: Me) -> User:
    """Whose token this is."""
    return User.model_validate(me)


@router.get("/users")
def list_users(
    db: Db,
    me: Admin,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="id of the last person seen")] = 0,
    limit: UpTo500 = 100,
) -> Users:
    """Everybody who has an account, disabled ones included, in the order in which they came."""
    users = store.after(db, after, limit + 1)
    return Users(data=[User.model_validate(user) for user in users[:limit]], has_more=len(users) > limit)


@router.get("/users/{user_id}")
def show_user(user_id: Id, db: Db, me: Admin) -> User:
    """One person."""
    return User.model_validate(store.get(db, user_id))


@router.post("/users", status_code=201)
def add_user(response: Response, app: App, me: Admin, data: NewUser) -> AddedUser:
    """Add a person. Hand them the one-time password: they take up the account with it at `/join` or `/sign-in`."""
    handed = service.hand_over(keeper(app.settings), **data.model_dump())
    who = data.model_dump(exclude={"password"})
    with writing(app.engine) as db:
        user = service.add_user(db, handed, **who, by=me, now=utcnow(), record=app.record)
    response.headers["Location"] = f"/api/v1/users/{user.id}"
    return _user_with(user, handed.password)


@router.post("/users/{user_id}/reset-password")
def reset_password(user_id: Id, app: App, me: Admin) -> AddedUser:
    """Give somebody a new one-time password; their sessions and tokens end. It is on record, and makes you one who
    could use the account: what you worked on they cannot approve."""
    handed = service.hand_over_anew(keeper(app.settings))
    with writing(app.engine) as db:
        user = service.reset_password(db, handed, user_id, by=me, record=app.record)
    return _user_with(user, handed.password)


@router.patch("/users/{user_id}")
def change_user(user_id: Id, app: App, db: Db, me: Admin, data: UserChange) -> User:
    """Change somebody's role, or close or open their account. The last administrator stays one."""
    if data.role is None and data.active is None:
        raise Invalid("Nothing would change.", [FieldError("#", "Say what to change: role or active.")])
    user = store.get(db, user_id)
    if data.role is not None:
        user = service.change_role(db, user_id, data.role, by=me, record=app.record)
    if data.active is not None:
        user = (service.enable if data.active else service.disable)(db, user_id, by=me, record=app.record)
    return User.model_validate(user)


@router.get("/tokens")
def list_tokens(
    db: Db,
    me: Me,
    before: Annotated[int | None, Query(ge=1, le=LARGEST, description="id of the last token seen")] = None,
    limit: UpTo500 = 100,
) -> Tokens:
    """Your own tokens from the newest back, ended ones included, without their secrets."""
    tokens = store.tokens_before(db, me.id, before, limit + 1)
    return Tokens(data=[Token.model_validate(token) for token in tokens[:limit]], has_more=len(tokens) > limit)


@router.post("/tokens", status_code=201)
def add_token(response: Response, app: App, db: Db, who: Identified, me: Me, data: NewToken) -> AddedToken:
    """Make a token of your own; its secret is in this answer and nowhere else. A token cannot make one that may do
    more, or lives longer, than itself."""
    token, secret = tokens.add_token(db, who, **data.model_dump(), now=utcnow(), record=app.record)
    response.headers["Location"] = f"/api/v1/tokens/{token.id}"
    return _added(token, secret)


@router.get("/tokens/{token_id}")
def show_token(token_id: Id, db: Db, me: Me) -> Token:
    """One of your own tokens."""
    return Token.model_validate(store.get_token(db, me.id, token_id))


@router.delete("/tokens/{token_id}")
def revoke_token(token_id: Id, app: App, db: Db, me: Me) -> Token:
    """End one of your own tokens at once."""
    return Token.model_validate(tokens.revoke_token(db, me, token_id, now=utcnow(), record=app.record))
