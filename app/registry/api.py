"""The REST side of the registry."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.registry import service
from app.registry.service import Entry
from app.users.deps import Approver, Me
from app.web.deps import Db
from app.web.params import LARGEST, Id
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["registry"], responses=REFUSALS)


class Adapter(BaseModel):
    """One adapter. needed: what it had to gain over the best prompt to reach the target; gained: what it did gain, both
    as shares from -1 to 1. failing_checks: release checks that fail; null for runs before there were such checks."""

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
    failing_checks: int | None
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
            failing_checks=entry.failing,
            state=entry.state,
            reason=entry.reason,
            said_by=entry.by,
            said_at=entry.at,
        )


class Adapters(BaseModel):
    data: list[Adapter]
    has_more: bool


class Word(BaseModel):
    """What becomes of an adapter, and why."""

    state: Literal["promoted", "retired"]
    reason: str = Field(max_length=2000, description="at most 500 characters")


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


@router.get("/trainings/{training_id}/registry", name="api_adapter_entry")
def get_adapter_entry(training_id: Id, db: Db, me: Me) -> Adapter:
    """What became of one adapter."""
    return Adapter.of(service.entry(db, training_id))


@router.post("/trainings/{training_id}/registry", name="api_say_of_adapter")
def say_of_adapter(training_id: Id, word: Word, db: Db, me: Approver) -> Adapter:
    """Promote an adapter that is shown to be better (the one in use is retired with it), or retire one."""
    (service.promote if word.state == "promoted" else service.retire)(db, training_id, me, word.reason)
    return Adapter.of(service.entry(db, training_id))
