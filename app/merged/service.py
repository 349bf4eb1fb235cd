"""Merged models of an adapter: what can be made and what it takes, ordering one, handing it out, removing it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.audit import service as audit
from app.blobs import Blobs
from app.db import utcnow
from app.errors import Conflict, Forbidden, NotFound
from app.inference import service as models
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.merged import plan, store
from app.merged.plan import Form
from app.merged.tables import MergedRow
from app.registry import service as registry
from app.settings import Settings
from app.training import store as trainings
from app.training.tables import TrainingRow
from app.users.tables import Role, UserRow

RESERVE = Blobs.RESERVE  # bytes of the disk that stay free, so that the database can still write


@dataclass(frozen=True, slots=True)
class Offer:
    """One form: bytes that it takes once it is there, bytes of memory that making it takes, and against: why it can't
    be made now; empty where it can.

    dtype: the precision of its weights. made: the newest one that is there or being made. job: of that.
    """

    form: Form
    dtype: str
    bytes: int
    memory: int
    against: str
    made: MergedRow | None = None
    job: JobRow | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """All forms of one adapter's merged model. free: bytes of the disk."""

    training: TrainingRow
    title: str
    base: str
    offers: Sequence[Offer]
    free: int
    against: str = ""


def folder(settings: Settings) -> Path:
    """Where merged models lie."""
    return settings.data / "merged"


def file_of(settings: Settings, row: MergedRow) -> Path:
    return folder(settings) / f"{row.id}.zip"


def making(settings: Settings, merged_id: int) -> Path:
    """Where one is being made."""
    return folder(settings) / f"{merged_id}.making"


def file_name(row: MergedRow) -> str:
    """What a browser saves it as."""
    return f"merged-{row.training_id}-{'gguf' if row.form == 'gguf' else row.facts.get('dtype', row.form)}.zip"


def overview(session: Session, settings: Settings, blobs: Blobs, training_id: int) -> Overview:
    """
    Raises:
        NotFound: there is no such run.
        Conflict: it left no adapter that was scored.
    """
    run = trainings.get(session, training_id)
    if run.adapter_sha256 is None or run.arm_id is None:
        raise Conflict("This run has left no adapter that was scored.")
    assessment = assessment_store.get(session, run.assessment_id)
    model = model_store.get(session, run.model_id)
    place = models.folder(settings, model)
    against = _against(session, blobs, run, model, place, recorded=bool(assessment.recorded))
    free = shutil.disk_usage(settings.data).free
    offers: list[Offer] = []
    if not against:
        try:
            weights = plan.stored(place)
        except (ValueError, OSError, KeyError, AttributeError) as error:
            against = f"The weights of {model.name} can't be read: {error}"
        else:
            offers = [_offer(session, run, form, weights, place, free) for form in plan.FORMS]
    if against:
        offers = [_kept(session, run, form, against) for form in plan.FORMS]
        offers = [offer for offer in offers if offer.made is not None]
    return Overview(run, assessment.title, model.name, offers, free, against)


def _against(session: Session, blobs: Blobs, run: TrainingRow, model: ModelRow, place: Path, *, recorded: bool) -> str:
    if recorded:
        return "This is the example of the installation: its adapter is not here."
    if registry.state_of(session, run.id) == "retired":
        return "This adapter is retired: nothing new is made of it."
    if model.kind == "endpoint" or not model.files or not all((place / name).is_file() for name in model.files):
        return f"The files of the base model, {model.name}, are gone. Set it up again under Models, or put them back."
    if against := models.against_holding(model):
        return f"The merged model is compared with base and adapter as they were measured. {against}"
    if not blobs.path(str(run.adapter_sha256)).is_file():
        return "The adapter's own file is gone from this server."
    return ""


def _offer(session: Session, run: TrainingRow, form: Form, weights: plan.Stored, place: Path, free: int) -> Offer:
    size = weights.of(form)
    made, job = _newest(session, run, form)
    dtype = "float32" if form == "float32" else plan.DTYPES.get(weights.dtype, "float32")
    against = ""
    if form == "float32" and weights.dtype == "F32":
        against = "The base model's own precision is this already."
    elif form == "gguf":
        against = plan.against_gguf(place)
    if not against and plan.WRITTEN * size + RESERVE > free:
        against = (
            f"It needs {plan.WRITTEN * size / 1e9:,.1f} GB of disk while it is made, and {free / 1e9:,.1f} GB are free."
        )
    return Offer(form, dtype, size, weights.memory(form), against, made, job)


def _kept(session: Session, run: TrainingRow, form: Form, against: str) -> Offer:
    made, job = _newest(session, run, form)
    return Offer(form, str(made.facts.get("dtype", "")) if made else "", 0, 0, against, made, job)


def _newest(session: Session, run: TrainingRow, form: Form) -> tuple[MergedRow | None, JobRow | None]:
    row = next((row for row in store.of_training(session, run.id) if row.form == form and not row.removed_at), None)
    return row, job_store.get(session, row.job_id) if row is not None and row.job_id else None


def start(session: Session, settings: Settings, blobs: Blobs, training_id: int, form: Form, me: UserRow) -> MergedRow:
    """Have a worker merge. One that is there or on its way is what there is; one that failed is made anew.

    Raises:
        Conflict: it can't be made now, or is there already.
    """
    assessment_store.opened(session, trainings.assessment_of(session, training_id))
    seen = overview(session, settings, blobs, training_id)
    offer = next((offer for offer in seen.offers if offer.form == form), None)
    if offer is None or offer.against:
        raise Conflict(offer.against if offer else seen.against)
    if offer.made is not None and (offer.made.done_at or (offer.job and not offer.job.final)):
        raise Conflict("It is there already, or being made. Remove it first to have it made again.")
    if offer.made is not None:
        offer.made.removed_at, offer.made.removed_by = utcnow(), me.id  # a try that came to nothing
        shutil.rmtree(making(settings, offer.made.id), ignore_errors=True)
    row = MergedRow(training_id=training_id, form=form, created_by=me.id, created_at=utcnow())
    session.add(row)
    session.flush()
    title = f"Merge adapter of run {training_id}"
    row.job_id = jobs.add(session, "merge", row.id, me.id, assessment_id=seen.training.assessment_id, title=title).id
    detail = {"training": training_id, "form": form}
    audit.record(session, me, "adapter.merge", "assessment", seen.training.assessment_id, detail)
    return row


def there(session: Session, settings: Settings, merged_id: int) -> tuple[MergedRow, Path]:
    """A merged model's file, to be handed out.

    Raises:
        NotFound: it is not made yet, was removed, or its file is gone.
    """
    row = store.get(session, merged_id)
    path = file_of(settings, row)
    if row.done_at is None or row.removed_at is not None:
        raise NotFound("This merged model is not there: it is not made yet, or was removed.")
    if not path.is_file() or path.stat().st_size != row.bytes:
        raise NotFound("The file of this merged model is gone from this server. Have it made again.")
    return row, path


def remove(session: Session, settings: Settings, merged_id: int, me: UserRow) -> MergedRow:
    """Free the disk. The row stays, with what was measured of it.

    Raises:
        Forbidden: it is neither an administrator nor whoever had it made.
        Conflict: it is being made, or is removed already.
    """
    row = store.get(session, merged_id)
    if me.role != Role.ADMIN and me.id != row.created_by:
        raise Forbidden("An administrator removes merged models, or whoever had one made.")
    if row.removed_at is not None:
        raise Conflict("It is removed already.")
    if row.done_at is None and row.job_id and not job_store.get(session, row.job_id).final:
        raise Conflict("It is being made. Cancel its job first.")
    file_of(settings, row).unlink(missing_ok=True)
    shutil.rmtree(making(settings, row.id), ignore_errors=True)  # of a job that was killed, and then cancelled
    row.removed_at, row.removed_by = utcnow(), me.id
    assessment = trainings.assessment_of(session, row.training_id)
    audit.record(session, me, "adapter.remove_merged", "assessment", assessment, {"training": row.training_id})
    return row
