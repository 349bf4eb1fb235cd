"""The same for programs: who am I, my tokens, and the admin's people."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.db import utcnow, writing
from app.errors import Invalid
from app.users import passwords, service, store
from app.users.deps import Admin, Identified, Me
from app.users.tables import Role
from app.web.deps import App, Db
from app.web.params import Id, OneLine
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["users"], responses=REFUSALS)

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


class UserChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    active: bool | None = None


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
    scope: Annotated[str, Field(pattern="^(read|write|launch|approve)$")] = "read"
    days: Annotated[int | None, Field(ge=1, le=366)] = 90


class AddedToken(Token):
    """A token just made, with its secret: it is shown this once."""

    secret: str


@router.get("/me")
def show_me(me: Me) -> User:
    return User.model_validate(me)


@router.get("/users")
def list_users(db: Db, me: Admin) -> list[User]:
    return [User.model_validate(user) for user in store.everyone(db)]


@router.get("/users/{user_id}")
def show_user(user_id: Id, db: Db, me: Admin) -> User:
    return User.model_validate(store.get(db, user_id))


@router.post("/users", status_code=201)
def add_user(response: Response, app: App, me: Admin, data: NewUser) -> AddedUser:
    keeper = passwords.with_cost(app.settings.hash_time, app.settings.hash_memory)
    handed = service.hand_over(keeper, **data.model_dump())
    who = data.model_dump(exclude={"password"})
    with writing(app.engine) as db:
        user = service.add_user(db, handed, **who, by=me, now=utcnow(), record=app.record)
    response.headers["Location"] = f"/api/v1/users/{user.id}"
    return AddedUser(**User.model_validate(user).model_dump(), one_time_password=handed.password)


@router.patch("/users/{user_id}")
def change_user(user_id: Id, app: App, db: Db, me: Admin, data: UserChange) -> User:
    if data.role is None and data.active is None:
        raise Invalid("Say what to change: role or active.")
    user = store.get(db, user_id)
    if data.role is not None:
        user = service.change_role(db, user_id, data.role, by=me, record=app.record)
    if data.active is not None:
        user = (service.enable if data.active else service.disable)(db, user_id, by=me, record=app.record)
    return User.model_validate(user)


@router.get("/tokens")
def list_tokens(db: Db, me: Me) -> list[Token]:
    return [Token.model_validate(token) for token in store.tokens_of(db, me.id)]


@router.post("/tokens", status_code=201)
def add_token(response: Response, app: App, db: Db, who: Identified, me: Me, data: NewToken) -> AddedToken:
    token, secret = service.add_token(db, who, **data.model_dump(), now=utcnow(), record=app.record)
    response.headers["Location"] = f"/api/v1/tokens/{token.id}"
    return AddedToken(**Token.model_validate(token).model_dump(), secret=secret)


@router.get("/tokens/{token_id}")
def show_token(token_id: Id, db: Db, me: Me) -> Token:
    return Token.model_validate(store.get_token(db, me.id, token_id))


@router.delete("/tokens/{token_id}")
def revoke_token(token_id: Id, app: App, db: Db, me: Me) -> Token:
    return Token.model_validate(service.revoke_token(db, me, token_id, now=utcnow(), record=app.record))
