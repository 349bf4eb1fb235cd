"""The REST side of the registry."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.deployed import service as deployed
from app.deployed.service import Look
from app.registry import service
from app.registry.service import Entry
from app.users.deps import Approver, Author, Me
from app.web.deps import Db
from app.web.params import LARGEST, Id, Number, OneLine, Text
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["registry"], responses=REFUSALS)


class FailedCheck(BaseModel):
    """A release check that fails, and what it found."""

    name: str
    words: str


class Adapter(BaseModel):
    """One adapter. needed: what it had to gain over the best prompt to reach the target; gained: what it did gain, both
    as shares from -1 to 1. reaches_target: null where no target was set. failing_checks: how many release checks fail,
    failed: which; null for runs before there were such checks."""

    training_id: int
    assessment_id: int
    assessment: str
    base_model: str
    data_version: int | None
    data_sha256: str
    adapter_sha256: str | None
    verdict: str | None
    needed: float | None
    gained: float | None
    reaches_target: bool | None
    failing_checks: int | None
    failed: list[FailedCheck] | None
    state: Literal["candidate", "promoted", "retired"]
    reason: str
    said_by: int | None
    said_at: datetime | None

    @staticmethod
    def of(entry: Entry) -> "Adapter":
        return Adapter(
            training_id=entry.training.id,
            assessment_id=entry.training.assessment_id,
            assessment=entry.assessment,
            base_model=entry.base,
            data_version=entry.data_version,
            data_sha256=entry.data_sha256,
            adapter_sha256=entry.training.adapter_sha256,
            verdict=entry.verdict or None,
            needed=entry.needed,
            gained=entry.gained,
            reaches_target=(entry.training.result or {}).get("reaches_target"),
            failing_checks=entry.failing,
            failed=None
            if entry.failed is None
            else [FailedCheck(name=check.name, words=check.words) for check in entry.failed],
            state=entry.state,
            reason=entry.reason,
            said_by=entry.by,
            said_at=entry.at,
        )


class Adapters(BaseModel):
    data: list[Adapter]
    has_more: bool


class Word(BaseModel):
    """What becomes of an adapter, and why. despite: names of the release checks that fail, all of them, each looked at:
    without them no adapter with failing checks is promoted."""

    state: Literal["promoted", "retired"]
    reason: Text = Field(description="at most 500 characters")
    despite: list[OneLine] = Field(default_factory=list, max_length=20)


class Retired(BaseModel):
    """Why an adapter is not to be used any more."""

    reason: Text = Field(description="at most 500 characters")


@router.get("/adapters", name="api_adapters")
def list_adapters(
    db: Db,
    me: Me,
    after: Annotated[int | None, Query(ge=1, le=LARGEST, description="training_id of the last one seen")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Adapters:
    """All adapters of the installation, from the newest back."""
    entries = service.entries(db, after, limit + 1)
    return Adapters(data=[Adapter.of(entry) for entry in entries[:limit]], has_more=len(entries) > limit)


class ServedCheck(BaseModel):
    """A look at whether an adapter is really served. rows: dev rows that both answered; changed: of these, where the
    adapter says something else than the base. Scores are from 0 to 1. Null until it is done."""

    id: int
    training_id: int
    job_id: int | None
    done: bool
    state: Literal["pass", "fail", "open"] | None
    words: str | None
    rows: int | None
    changed: int | None
    base_score: float | None
    adapter_score: float | None
    errors: int | None

    @staticmethod
    def of(look: Look) -> "ServedCheck":
        served = look.served
        return ServedCheck(
            id=look.row.id,
            training_id=look.row.training_id,
            job_id=look.row.job_id,
            done=served is not None,
            state=served.state if served else None,
            words=served.words if served else None,
            rows=served.rows if served else None,
            changed=served.changed if served else None,
            base_score=served.base if served else None,
            adapter_score=served.adapter if served else None,
            errors=served.errors if served else None,
        )


class ServedChecks(BaseModel):
    data: list[ServedCheck]
    has_more: bool


class NewServedCheck(BaseModel):
    """Two connections to model servers: the base model's name and the adapter's."""

    base_model_id: Number
    adapter_model_id: Number
    consent: bool = Field(False, description="questions of dev rows may be sent to these servers")


@router.get("/trainings/{training_id}/served-checks", name="api_served_checks")
def list_served_checks(
    training_id: Id,
    db: Db,
    me: Me,
    skip: Annotated[int, Query(ge=0, le=LARGEST, description="how many to leave out")] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> ServedChecks:
    """All looks at a served adapter, the newest first."""
    service.entry(db, training_id)
    looks = deployed.looks(db, training_id)[skip : skip + limit + 1]
    return ServedChecks(data=[ServedCheck.of(look) for look in looks[:limit]], has_more=len(looks) > limit)


@router.post("/trainings/{training_id}/served-checks", name="api_check_served", status_code=202)
def check_served(training_id: Id, wanted: NewServedCheck, db: Db, me: Author) -> ServedCheck:
    """Ask the same dev rows of base and adapter where they are served; the job says when it is done."""
    row = deployed.start(db, training_id, me, wanted.base_model_id, wanted.adapter_model_id, consent=wanted.consent)
    return ServedCheck.of(deployed.look(db, row))


@router.get("/trainings/{training_id}/registry", name="api_adapter_entry")
def get_adapter_entry(training_id: Id, db: Db, me: Me) -> Adapter:
    """What became of one adapter."""
    return Adapter.of(service.entry(db, training_id))


@router.post("/trainings/{training_id}/registry", name="api_say_of_adapter")
def say_of_adapter(training_id: Id, word: Word, db: Db, me: Approver) -> Adapter:
    """Promote an adapter that is shown to be better (the one in use is retired with it), or retire one."""
    if word.state == "promoted":
        service.promote(db, training_id, me, word.reason, word.despite)
    else:
        service.retire(db, training_id, me, word.reason)
    return Adapter.of(service.entry(db, training_id))


@router.post("/trainings/{training_id}/registry/retire", name="api_retire_adapter")
def retire_adapter(training_id: Id, body: Retired, db: Db, me: Author) -> Adapter:
    """Take an adapter out of use for good: whoever launched its run may, a reviewer, and an administrator."""
    service.retire(db, training_id, me, body.reason)
    return Adapter.of(service.entry(db, training_id))
