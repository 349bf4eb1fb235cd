"""The REST side of read-only links."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.assessments import store as assessment_store
from app.db import utcnow
from app.sharing import service, store
from app.sharing.tables import ShareRow
from app.users.deps import Author, Me
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.pages import url_for
from app.web.params import Id, OneLine
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["sharing"], responses=REFUSALS)


class NewShare(BaseModel):
    """A link to make."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[OneLine, Field(min_length=1, max_length=service.LONGEST_LABEL)]
    days: Annotated[int, Field(ge=1, le=365)] = 7
    costs: Annotated[bool, Field(description="Whether the reader also sees what each option costs.")] = False


class Share(BaseModel):
    """A read-only link. `url` is there once, in the answer that made it."""

    id: int
    object: str = "share"
    assessment_id: int
    label: str
    state: Literal["open", "expired", "revoked"]
    created_by: int
    created_at: datetime
    expires_at: datetime
    opened_at: datetime | None
    revoked_at: datetime | None
    costs: bool
    url: str | None = None

    @staticmethod
    def of(row: ShareRow, app: AppContext, url: str | None = None) -> "Share":
        return Share.model_validate(
            {
                **{name: getattr(row, name) for name in Share.model_fields if hasattr(row, name)},
                "state": service.state(row, app.settings.share_days, utcnow()),
                "url": url,
            }
        )


class Shares(BaseModel):
    data: list[Share]
    has_more: bool = False


@router.get("/assessments/{assessment_id}/shares")
def list_shares(assessment_id: Id, app: App, db: Db, me: Me) -> Shares:
    """Every link to the assessment's advice, ended ones included, the newest first."""
    assessment_store.get(db, assessment_id)
    return Shares(data=[Share.of(row, app) for row in store.of_assessment(db, assessment_id)])


@router.post("/assessments/{assessment_id}/shares", status_code=201)
def create_share(
    request: Request, response: Response, assessment_id: Id, app: App, db: Db, me: Author, data: NewShare
) -> Share:
    """Make a link that shows the advice to whoever has it. Its address is in this answer and nowhere else."""
    row, secret = service.share(
        db,
        assessment_id,
        me,
        label=data.label,
        days=data.days,
        most_days=app.settings.share_days,
        costs=data.costs,
    )
    response.headers["Location"] = f"/api/v1/assessments/{assessment_id}/shares"
    return Share.of(row, app, app.settings.address + url_for(request, "shared", secret=secret))


@router.post("/assessments/{assessment_id}/shares/{share_id}/revoke")
def revoke_share(assessment_id: Id, share_id: Id, app: App, db: Db, me: Author) -> Share:
    """End a link at once."""
    return Share.of(service.revoke(db, assessment_id, share_id, me), app)
