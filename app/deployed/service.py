"""Asking for a look at a served adapter, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from app.assessments import own_servers
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.baselines import deciding_judge
from app.baselines import store as baseline_store
from app.db import utcnow
from app.deployed import judgement, store
from app.deployed.judgement import Served
from app.deployed.tables import Connection, ServedCheckRow
from app.errors import Conflict, FieldError, Invalid
from app.evaluation import metrics
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.training import store as trainings
from app.users.tables import UserRow

ROWS = 20  # dev rows: an adapter that is not applied shows with the first few


def servers(session: Session) -> list[ModelRow]:
    """Connections that a served adapter can be looked for at."""
    return [row for row in model_store.usable(session) if row.kind == "endpoint" and row.purpose != "embeddings"]


def start(
    session: Session, training_id: int, me: UserRow, base_id: int | None, adapter_id: int | None, *, consent: bool
) -> ServedCheckRow:
    """Have a worker ask both. consent: that the questions of dev rows may be sent to these servers.

    Raises:
        Conflict: there is no adapter, it is archived, or the rows may not leave the team's own servers.
        Invalid: a connection is missing, both are the same, or nobody agreed.
    """
    assessment = assessment_store.opened(session, trainings.assessment_of(session, training_id))
    run = trainings.get(session, training_id)
    if run.adapter_sha256 is None or run.arm_id is None:
        raise Conflict("This run has left no adapter that was scored.")
    known = {row.id: row for row in servers(session)}
    base, adapter = known.get(base_id or 0), known.get(adapter_id or 0)
    errors = [
        FieldError(f"#/{name}", "Choose a connection to a model server. They are added under Models.")
        for name, row in (("base_model_id", base), ("adapter_model_id", adapter))
        if row is None
    ]
    if base is not None and base is adapter:
        errors.append(FieldError("#/adapter_model_id", "Choose two: the base model's name, and the adapter's."))
    if not consent:
        errors.append(FieldError("#/consent", "Say that the questions of dev rows may be sent there."))
    if errors or base is None or adapter is None:
        raise Invalid("The served adapter was not checked.", errors)
    for model in (base, adapter):
        if against := own_servers.against_sending(assessment, model):
            raise Conflict(against)
    row = ServedCheckRow(
        training_id=training_id,
        base_model_id=base.id,
        adapter_model_id=adapter.id,
        base_as=_as(base),
        adapter_as=_as(adapter),
        created_by=me.id,
        created_at=utcnow(),
    )
    session.add(row)
    session.flush()
    title = f"Is it really served? Adapter of run {training_id}"
    row.job_id = jobs.add(session, "check_served", row.id, me.id, assessment_id=assessment.id, title=title).id
    detail = {"training": training_id, "host": urlsplit(adapter.base_url).netloc}
    audit.record(session, me, "adapter.check_served", "assessment", assessment.id, detail)
    return row


def _as(row: ModelRow) -> Connection:
    return {"kind": row.kind, "name": row.name, "reference": row.reference, "base_url": row.base_url}


def unchanged(row: ModelRow, stored: Connection) -> bool:
    """Whether a connection is still the one that was chosen."""
    return {**_as(row), "name": ""} == {**stored, "name": ""} and row.retired_at is None


@dataclass(frozen=True, slots=True)
class Look:
    """One look as it is shown. served: None until it is done."""

    row: ServedCheckRow
    job: JobRow | None
    served: Served | None


def looks(session: Session, training_id: int) -> Sequence[Look]:
    """All looks at an adapter, the newest first."""
    return [look(session, row) for row in store.of_training(session, training_id)]


def look(session: Session, row: ServedCheckRow) -> Look:
    job = job_store.get(session, row.job_id) if row.job_id else None
    if row.done_at is None:
        return Look(row, job, None)
    run = trainings.get(session, row.training_id)
    baseline = baseline_store.get(session, run.baseline_id)
    arm = next((arm for arm in baseline.arms if arm.id == run.arm_id), None)
    measured = deciding_judge.as_scored(arm.test) if arm and arm.test else None
    return Look(row, job, judgement.judge(row.answers, measured, binary=metrics.get(baseline.metric).binary))
