"""The REST side of the team's scorers; only administrators add, try and retire them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.scoring import service, store
from app.scoring.tables import ScorerRow
from app.uploads import receive
from app.users.deps import Admin, Me
from app.web.deps import App, Db
from app.web.params import Id, OneLine, Text
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["metrics"], responses=REFUSALS)


class Tried(BaseModel):
    """What a scorer gave to one row that it was tried on."""

    answer: str
    expected: str
    score: float


class Scorer(BaseModel):
    """One version of a team's scorer; `sha256` is what the option `scorer` takes. `retired_at`: not offered since."""

    id: int
    object: str = "scorer"
    name: str
    version: int
    text: str
    sha256: str
    trial: list[Tried]
    created_by: int
    created_at: datetime
    retired_at: datetime | None

    @staticmethod
    def of(row: ScorerRow) -> "Scorer":
        return Scorer(
            id=row.id,
            name=row.name,
            version=row.version,
            text=row.text,
            sha256=row.sha256,
            trial=[Tried.model_validate(one) for one in row.trial],
            created_by=row.created_by,
            created_at=row.created_at,
            retired_at=row.retired_at,
        )


class Scorers(BaseModel):
    """All versions, by name. `allowed`: whether the operator lets scorers run at all; off unless they say so."""

    data: list[Scorer]
    has_more: bool = False
    allowed: bool


class ScorerText(BaseModel):
    """A text that defines `score(answer, expected, row)`, which gives a number from 0 to 1."""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field(max_length=service.SCORER_LIMIT)


class NewScorer(ScorerText):
    name: Annotated[OneLine, Field(max_length=service.LONGEST_NAME)]


class Trial(BaseModel):
    data: list[Tried]
    has_more: bool = False


@router.get("/scorers")
def list_scorers(app: App, db: Db, me: Me) -> Scorers:
    """The team's scorers with their texts, so that everybody can read what decides."""
    rows = store.scorers(db, retired=True)
    return Scorers(data=[Scorer.of(row) for row in rows], allowed=app.settings.team_scorers)


@router.post("/scorers", status_code=201)
def add_scorer(body: NewScorer, app: App, me: Admin) -> Scorer:
    """Add a text as the next version of a name, once it has been tried."""
    text = body.text.replace("\r\n", "\n")
    trial = service.tried(app.settings, text)
    with receive.transaction(app) as db:
        return Scorer.of(service.add_scorer(db, body.name, text, by=me, trial=trial))


@router.post("/scorers/try")
def try_scorer(body: ScorerText, app: App, me: Admin) -> Trial:
    """Try a text on sample rows, each in two processes; stores nothing."""
    return Trial(data=[Tried.model_validate(one) for one in service.tried(app.settings, body.text)])


@router.delete("/scorers/{scorer_id}", status_code=204)
def retire_scorer(scorer_id: Id, db: Db, me: Admin) -> Response:
    """Offer a version no more. What was measured with it keeps it."""
    service.retire_scorer(db, scorer_id, by=me)
    return Response(status_code=204)
