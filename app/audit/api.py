"""The record for programs: to keep a copy elsewhere, and to check the chain from outside."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from app.audit import listing, service, store
from app.audit.filters import ACT, SUBJECT, Day, Filters
from app.json_types import JsonDict
from app.users.deps import Reviewer
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.params import LARGEST, UpTo500
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], responses=REFUSALS)


class Entry(BaseModel):
    """One act. `sha256` seals it together with `previous`, the seal of the entry before it. `withheld`: causes of
    failures are left out of `detail` until you have finished tagging these as second person; the seal is of all of it.
    """

    id: int
    at: datetime
    actor_id: int | None
    actor_name: str
    act: str
    sentence: str = Field(description="The entry in words, with the name that its object has today.")
    subject: str
    subject_id: int | None
    detail: JsonDict
    withheld: bool
    previous: str
    sha256: str

    @staticmethod
    def of(line: listing.Line) -> "Entry":
        row = line.entry
        return Entry(
            id=row.id,
            at=row.at,
            actor_id=row.actor_id,
            actor_name=row.actor_name,
            act=row.act,
            sentence=line.sentence,
            subject=row.subject,
            subject_id=row.subject_id,
            detail=dict(line.detail),
            withheld=line.withheld,
            previous=row.previous,
            sha256=row.sha256,
        )


class Entries(BaseModel):
    data: list[Entry]
    has_more: bool


class Chain(BaseModel):
    """Whether every entry follows from the one before it; if not, the first that does not."""

    whole: bool
    broken_at: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of an address; an entry has to fit all of them."""

    actor_id: Annotated[int | None, Query(ge=0, le=LARGEST, description="who acted; 0 stands for Tunegate itself")] = (
        None
    )
    act: Annotated[
        str,
        Query(max_length=60, pattern=ACT, description="an act, like review.approve, or a kind of acts, like review"),
    ] = ""
    subject: Annotated[str, Query(max_length=40, pattern=SUBJECT, description="the kind of object")] = ""
    subject_id: Annotated[int | None, Query(ge=1, le=LARGEST, description="the object's number")] = None
    assessment_id: Annotated[
        int | None, Query(ge=1, le=LARGEST, description="the assessment that the object is, or belongs to")
    ] = None
    since: Annotated[Day | None, Query(description="first day, in UTC")] = None
    until: Annotated[Day | None, Query(description="last day, in UTC")] = None

    def filters(self, app: AppContext, db: Db) -> Filters:
        within = None if self.assessment_id is None else app.objects.belonging(db, [self.assessment_id])
        return Filters(self.actor_id, self.act, self.subject, self.subject_id, within, self.since, self.until)


@router.get("")
def list_entries(
    app: App,
    db: Db,
    me: Reviewer,
    wanted: Annotated[Wanted, Depends()],
    before: Annotated[int | None, Query(ge=1, le=LARGEST, description="id of the last entry seen")] = None,
    limit: UpTo500 = 100,
) -> Entries:
    """Entries from the newest back, those that fit all filters; `before` is the last id of the page before."""
    filters = wanted.filters(app, db)
    entries = store.matching(db, filters, before, limit + 1)
    listed = listing.lines(db, app.objects, entries[:limit], me.id)
    return Entries(data=[Entry.of(line) for line in listed], has_more=len(entries) > limit)


@router.get("/chain")
def check_chain(app: App, db: Db, me: Reviewer) -> Chain:
    """Compute every seal anew; where that takes long, the answer may be up to a minute old."""
    broken_at = app.chain.broken_at(lambda: service.broken_at(db))
    return Chain(whole=broken_at is None, broken_at=broken_at)
