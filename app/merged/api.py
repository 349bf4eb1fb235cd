"""The REST side of merged models."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict

from app.merged import service, store
from app.merged.check import Facts
from app.merged.tables import MergedRow
from app.users.deps import Author, Me
from app.web.deps import App, Db
from app.web.params import Id
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["results"], responses=REFUSALS)

FormName = Literal["base", "float32", "gguf"]


class MergedForm(BaseModel):
    """A form that could be made. bytes: that it takes on the disk, and twice that while it is made; memory: bytes that
    making it takes; against: why it can't be made now, or empty."""

    form: FormName
    dtype: str
    bytes: int
    memory: int
    against: str


class MergedModel(BaseModel):
    """A merged model. rows, identical: dev rows that it and base with adapter were asked, and to how many both gave the
    same text; computed: the precision in which both answered. Null until it is done. sha256: of the whole file."""

    id: int
    object: str = "merged_model"
    training_id: int
    form: FormName
    job_id: int | None
    done: bool
    removed: bool
    dtype: str | None
    computed: str | None
    rows: int | None
    identical: int | None
    words: str | None
    sha256: str | None
    bytes: int | None
    created_at: datetime

    @staticmethod
    def of(row: MergedRow) -> "MergedModel":
        facts = Facts.from_json(row.facts) if row.facts else None
        return MergedModel(
            id=row.id,
            training_id=row.training_id,
            form=row.form,
            job_id=row.job_id,
            done=row.done_at is not None,
            removed=row.removed_at is not None,
            dtype=facts.dtype if facts else None,
            computed=facts.computed if facts else None,
            rows=facts.rows if facts else None,
            identical=facts.identical if facts else None,
            words=facts.words if facts else None,
            sha256=row.sha256,
            bytes=row.bytes,
            created_at=row.created_at,
        )


class MergedModels(BaseModel):
    """What is there, the newest first, and what could be made. free: bytes of the disk."""

    data: list[MergedModel]
    has_more: bool = False
    forms: list[MergedForm]
    against: str
    free: int


class NewMergedModel(BaseModel):
    """base: in the base model's own precision; float32; gguf: one file for llama.cpp and Ollama."""

    model_config = ConfigDict(extra="forbid")

    form: FormName


@router.get("/trainings/{training_id}/merged-models", name="api_merged_models")
def list_merged_models(training_id: Id, app: App, db: Db, me: Me) -> MergedModels:
    """Merged models of a run's adapter, and what could be made."""
    seen = service.overview(db, app.settings, app.blobs, training_id)
    return MergedModels(
        data=[MergedModel.of(row) for row in store.of_training(db, training_id)],
        forms=[
            MergedForm(
                form=offer.form, dtype=offer.dtype, bytes=offer.bytes, memory=offer.memory, against=offer.against
            )
            for offer in seen.offers
        ],
        against=seen.against,
        free=seen.free,
    )


@router.post("/trainings/{training_id}/merged-models", name="api_merge_adapter", status_code=202)
def merge_adapter(training_id: Id, wanted: NewMergedModel, app: App, db: Db, me: Author) -> MergedModel:
    """Write the adapter into its base model; the job says when it is done."""
    return MergedModel.of(service.start(db, app.settings, app.blobs, training_id, wanted.form, me))


@router.get("/merged-models/{merged_id}", name="api_merged_model")
def get_merged_model(merged_id: Id, db: Db, me: Me) -> MergedModel:
    """One merged model."""
    return MergedModel.of(store.get(db, merged_id))


@router.get("/merged-models/{merged_id}/file", name="api_merged_file", response_class=FileResponse)
def get_merged_file(merged_id: Id, app: App, db: Db, me: Me) -> FileResponse:
    """The zip: weights, tokenizer, card, measurements, decision and hashes. Ranges are answered."""
    row, path = service.there(db, app.settings, merged_id)
    return FileResponse(path, media_type="application/zip", filename=service.file_name(row))


@router.delete("/merged-models/{merged_id}", name="api_remove_merged_model")
def remove_merged_model(merged_id: Id, app: App, db: Db, me: Me) -> MergedModel:
    """Free the disk; what was measured of it stays. For administrators, and whoever had it made."""
    return MergedModel.of(service.remove(db, app.settings, merged_id, me))
