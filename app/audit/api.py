"""The record for programs: to keep a copy elsewhere, and to check the chain from outside."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from app.audit import service, store
from app.users.deps import Reviewer
from app.web.deps import App, Db
from app.web.params import LARGEST
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], responses=REFUSALS)


class Entry(BaseModel):
    """One act. `sha256` seals it together with `previous`, the seal of the entry before it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    actor_id: int | None
    actor_name: str
    act: str
    subject: str
    subject_id: int | None
    detail: dict[str, Any]
    previous: str
    sha256: str


class Entries(BaseModel):
    data: list[Entry]
    has_more: bool


class Chain(BaseModel):
    """Whether every entry follows from the one before it; if not, the first that does not."""

    whole: bool
    broken_at: int | None


@router.get("")
def list_entries(
    db: Db,
    me: Reviewer,
    before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Entries:
    """Entries from the newest back; `before` is the last id of the page before."""
    entries = store.newest(db, before, limit + 1)
    return Entries(data=[Entry.model_validate(entry) for entry in entries[:limit]], has_more=len(entries) > limit)


@router.get("/chain")
def check_chain(app: App, db: Db, me: Reviewer) -> Chain:
    """Compute every seal anew; where that takes long, the answer may be up to a minute old."""
    broken_at = app.chain.broken_at(lambda: service.broken_at(db))
    return Chain(whole=broken_at is None, broken_at=broken_at)
