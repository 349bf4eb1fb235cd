"""Which names other programs may ask: what can be served, what an administrator has switched on, what it stands for.

A name is a model of this machine (`smollm2-135m-instruct`), the best prompt of an assessment
(`assessment-12/best-prompt`), or the adapter of one of its approved trainings (`assessment-12/adapter-3`). What a name
stands for is written down when it is switched on; a better prompt that is found later answers under it once somebody
switches it on anew.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.audit import service as audit
from app.baselines import measured_model, standing
from app.baselines import store as baseline_store
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import store as dataset_store
from app.db import utcnow
from app.errors import Conflict, NotFound
from app.inference import folders, weights
from app.inference import service as models
from app.inference import store as model_store
from app.inference.local_protocol import Dtype
from app.inference.tables import ModelRow
from app.registry import service as registry
from app.retrieval.tables import IndexRow
from app.serving import store
from app.serving.answering import Weights
from app.serving.store import Asked
from app.serving.tables import ServedRow
from app.serving.wire import USUAL_TOKENS
from app.training import store as trainings
from app.training.tables import TrainingRow
from app.users.tables import UserRow

Kind = Literal["model", "prompt", "adapter"]
LISTED = 50  # assessments whose prompts and adapters are offered on the page, the newest first
OF_ASSESSMENT = re.compile(r"assessment-([1-9]\d{0,8})/(best-prompt|adapter-([1-9]\d{0,8}))", re.ASCII)
PRECISION: Dtype = "float32"  # of a model alone, which no measurement has chosen one for: the same text on any machine
UNKNOWN = "There is no model of this name here, or nobody has switched it on."


@dataclass(frozen=True, slots=True)
class StandsFor:
    """What answers under a name, by the ids of rows."""

    kind: Kind
    model_id: int
    arm_id: int | None = None
    training_id: int | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be served. against: why it can't be switched on now; empty where it can."""

    name: str
    kind: Kind
    title: str
    model: ModelRow
    arm: ArmRow | None = None
    training: TrainingRow | None = None
    against: str = ""

    @property
    def stands_for(self) -> StandsFor:
        arm, training = self.arm.id if self.arm else None, self.training.id if self.training else None
        return StandsFor(self.kind, self.model.id, arm, training)


@dataclass(frozen=True, slots=True)
class Target:
    """What a call of a name asks. most_tokens: of an answer, where the caller says nothing. fingerprint: changes with
    anything that answers."""

    served_id: int
    name: str
    weights: Weights
    arm_id: int | None
    most_tokens: int
    fingerprint: str
    constrained: bool
    created: datetime


# ---------------------------------------------------------------------- what there is


def slug(model: ModelRow) -> str:
    """A model of this machine as programs name it, where it is alone with that."""
    if model.kind == "bundled":
        return models.BUNDLED_FOLDER
    plain = re.sub(r"[^a-z0-9._-]+", "-", model.name.casefold().encode("ascii", "ignore").decode()).strip("-.")
    return (plain or f"model-{model.id}")[:100]


def _models(session: Session) -> list[Offer]:
    """Models of this machine. One that would be named as one that was there before it has its number behind."""
    taken: set[str] = set()
    named: list[Offer] = []
    for model in sorted(model_store.everything(session), key=lambda row: (row.kind != "bundled", row.id)):
        if model.kind == "endpoint":
            continue
        name = slug(model)
        while name in taken:
            name += f"-{model.id}"
        taken.add(name)
        if model.retired_at is None:
            named.append(_of_model(model, name))
    return named


def offers(session: Session) -> list[Offer]:
    """Everything that could be served: models of this machine, then prompts and adapters of the newest assessments."""
    local = [model for model in model_store.usable(session) if model.kind != "endpoint"]
    listed = _models(session)
    for assessment in _measured_here(session, local):
        listed += _of_assessment(session, assessment)
    return list({offer.name: offer for offer in listed}.values())


def offered(session: Session, name: str) -> Offer:
    """What would be served under this name.

    Raises:
        NotFound: there is nothing that could be.
    """
    if match := OF_ASSESSMENT.fullmatch(name):
        assessment = session.get(AssessmentRow, int(match[1]))
        mine = _of_assessment(session, assessment) if assessment is not None and _in_use(assessment) else []
    else:
        mine = _models(session)
    offer = next((offer for offer in mine if offer.name == name), None)
    if offer is None:
        raise NotFound("There is nothing of this name that could be served.")
    return offer


def _in_use(assessment: AssessmentRow) -> bool:
    return assessment.archived_at is None and not assessment.recorded


def _of_model(model: ModelRow, name: str) -> Offer:
    against = "" if model.files else "It is not set up yet: open it under Models and set it up."
    return Offer(name, "model", model.name, model, against=against or models.against_holding(model))


def _measured_here(session: Session, local: Sequence[ModelRow]) -> Sequence[AssessmentRow]:
    """Assessments in use that were measured with a model of this machine, the newest first."""
    mine = select(BaselineRow.assessment_id).where(
        BaselineRow.model_id.in_([model.id for model in local]), BaselineRow.concluded_at.is_not(None)
    )
    query = select(AssessmentRow).where(
        AssessmentRow.id.in_(mine), AssessmentRow.archived_at.is_(None), AssessmentRow.recorded == ""
    )
    return session.scalars(query.order_by(AssessmentRow.id.desc()).limit(LISTED)).all()


def _of_assessment(session: Session, assessment: AssessmentRow) -> Iterator[Offer]:
    if (best := _best_prompt(session, assessment.id)) is not None:
        arm, model = best
        name, title = f"assessment-{assessment.id}/best-prompt", f"{assessment.title}: {arm.label}"
        yield Offer(name, "prompt", title, model, arm, against=against_prompt(session, arm, model))
    for training in trainings.of_assessment(session, assessment.id):
        if training.state != "done" or not training.adapter_sha256 or training.arm_id is None:
            continue
        arm, model = baseline_store.arm(session, training.arm_id), model_store.get(session, training.model_id)
        name = f"assessment-{assessment.id}/adapter-{training.id}"
        title = f"{assessment.title}: adapter of run {training.id}"
        against = against_prompt(session, arm, model)
        if registry.state_of(session, training.id) == "retired":
            against = "It is retired: its page under Adapters says why."
        yield Offer(name, "adapter", title, model, arm, training, against)


def _best_prompt(session: Session, assessment_id: int) -> tuple[ArmRow, ModelRow] | None:
    """The prompt that the measurement with a model of this machine chose, of those that count the newest."""
    by_id = {model.id: model for model in model_store.everything(session)}

    def here(row: BaselineRow) -> bool:
        model = by_id[row.model_id]
        return model.kind != "endpoint" and measured_model.model_of(session, row).answers_as(model)

    dataset = dataset_store.current(session, assessment_id)
    every = baseline_store.of_assessment(session, assessment_id)
    counts = standing.counting(every, dataset.id if dataset else None, here)
    best = standing.best(counts.row) if counts.row is not None and here(counts.row) else None
    if best is None or counts.row is None:
        return None
    return baseline_store.arm(session, best.id), by_id[counts.row.model_id]


def against_prompt(session: Session, arm: ArmRow, model: ModelRow) -> str:
    """Why a prompt can't be served with this model now."""
    if model.retired_at is not None:
        return f"{model.name} is retired."
    if not model.files:
        return f"{model.name} is not set up yet: open it under Models and set it up."
    if against := models.against_holding(model):
        return against
    if arm.outdated:
        return "The documents have changed since it was measured."
    way = (arm.settings.get("passages") or {}).get("way")
    if way in ("embedding", "hybrid") and _embeds_elsewhere(session, arm):
        return "Its passages are searched with the embeddings of a model server, which is not asked from here."
    return ""


def _embeds_elsewhere(session: Session, arm: ArmRow) -> bool:
    index = session.get(IndexRow, int(arm.settings["passages"]["index"]))
    return index is None or str(index.settings.embedder).startswith("endpoint:")


@dataclass(frozen=True, slots=True)
class Served:
    """A name that is on, was on, or could be. other: what it stands for is not what it would stand for if it were
    switched on now. against: why it can't be switched on."""

    name: str
    title: str
    stands_for: StandsFor
    on: bool
    other: bool
    against: str
    asked: Asked


def served(session: Session) -> list[Served]:
    """Every name that is on, was on, or could be."""
    offered_now = {offer.name: offer for offer in offers(session)}
    rows = {row.name: row for row in store.everything(session)}
    asked = store.asked(session)
    return [_served(name, offered_now.get(name), rows.get(name), asked) for name in (offered_now | rows)]


def one(session: Session, name: str) -> Served:
    """One of them, which was on once or is."""
    row = store.named(session, name)
    try:
        offer = offered(session, name)
    except NotFound:
        offer = None
    return _served(name, offer, row, store.asked(session))


def _served(name: str, offer: Offer | None, row: ServedRow | None, asked: dict[int, Asked]) -> Served:
    on = row is not None and row.off_at is None
    kept = StandsFor(cast("Kind", row.kind), row.model_id, row.arm_id, row.training_id) if row else None
    now = offer.stands_for if offer else None
    stands = (kept if on else now) or kept or now
    if stands is None:
        raise NotFound("There is nothing of this name that could be served.")
    return Served(
        name,
        title=offer.title if offer else name,
        stands_for=stands,
        on=on,
        other=on and now is not None and now != kept,
        against=offer.against if offer else "What it stood for is not there any more, or was put away.",
        asked=asked.get(row.id, Asked()) if row else Asked(),
    )


# ---------------------------------------------------------------------- switched on and off


def switch_on(session: Session, name: str, by: UserRow) -> ServedRow:
    """Let other programs ask this name; on already, it stands from now on for what it would stand for today.

    Raises:
        NotFound: there is nothing of this name.
        Conflict: it can't be served now.
    """
    offer = offered(session, name)
    if offer.against:
        raise Conflict(offer.against)
    row = store.named(session, name)
    if row is None:
        row = ServedRow(name=name)
        session.add(row)
    stands = offer.stands_for
    row.kind, row.model_id, row.arm_id, row.training_id = (
        stands.kind,
        stands.model_id,
        stands.arm_id,
        stands.training_id,
    )
    row.on_by, row.on_at, row.off_at = by.id, utcnow(), None
    session.flush()
    audit.record(session, by, "model.serve", "model", offer.model.id, {"name": name, "arm": row.arm_id})
    return row


def switch_off(session: Session, name: str, by: UserRow) -> ServedRow:
    """Take a name off; what is being answered is answered to its end. Off already is no fault.

    Raises:
        NotFound: it was never on.
    """
    row = store.named(session, name)
    if row is None:
        raise NotFound("This name was never switched on.")
    if row.off_at is None:
        row.off_at = utcnow()
        audit.record(session, by, "model.stop_serving", "model", row.model_id, {"name": name})
    return row


def target(session: Session, name: str) -> Target:
    """What a call of this name asks now.

    Raises:
        NotFound: nobody has switched it on, or what it stands for was put away since. No word more is said of it.
    """
    row = store.named(session, name)
    found = _target(session, row) if row is not None and row.off_at is None else None
    if found is None:
        raise NotFound(UNKNOWN)
    return found


def targets(session: Session) -> list[Target]:
    """All that can be asked now."""
    rows = [row for row in store.everything(session) if row.off_at is None]
    return [one for row in rows if (one := _target(session, row)) is not None]


def _target(session: Session, row: ServedRow) -> Target | None:
    model = model_store.get(session, row.model_id)
    if model.retired_at is not None or not model.files:
        return None
    digest = folders.digest_of(model.files)
    if row.arm_id is None:
        held = Weights(model.id, digest, PRECISION)
        return _made(row, held, None, USUAL_TOKENS)
    arm = baseline_store.arm(session, row.arm_id)
    training = trainings.get(session, row.training_id) if row.training_id is not None else None
    if not _in_use(assessment_store.get(session, arm.baseline.assessment_id)) or arm.outdated:
        return None
    if training is not None and registry.state_of(session, training.id) == "retired":
        return None
    if training is None and not measured_model.model_of(session, arm.baseline).answers_as(model):
        return None
    return _made(row, weights_of(model, arm, training), arm, arm.baseline.max_tokens)


def weights_of(model: ModelRow, arm: ArmRow, training: TrainingRow | None) -> Weights:
    """What has to be held to answer as this variant was measured: in the precision of the measurement."""
    dtype = arm.settings.get("dtype") or standing.dtype_of(arm.baseline).get("dtype")
    dtype = dtype or (training.training_facts.get("dtype") if training else None) or PRECISION
    adapter = str(training.adapter_sha256) if training else ""
    return Weights(model.id, folders.digest_of(model.files), dtype, adapter)


def _made(row: ServedRow, held: Weights, arm: ArmRow | None, most_tokens: int) -> Target:
    instructions = standing.instructions_of(arm.baseline, arm) if arm else ""
    parts = [held.digest, held.dtype, held.adapter, instructions, arm.settings if arm else {}, weights.CONTEXT]
    fingerprint = hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    constrained = arm is not None and bool({"constraint", "scoring"} & set(arm.settings))
    return Target(
        row.id, row.name, held, row.arm_id, most_tokens, f"tg_{fingerprint}", constrained=constrained, created=row.on_at
    )
