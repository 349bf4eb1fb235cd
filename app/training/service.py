"""The recipe, its preflight, launching, resuming, and what a page says about a run."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.advice.sentences.gates import Gate
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.baselines import arms, differences, rivals, runs
from app.baselines import standing as measurements
from app.baselines import store as baseline_store
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow
from app.db import utcnow
from app.errors import Conflict, FieldError, GateClosed, Invalid
from app.gate import launching, reviews, subject
from app.gate import store as review_store
from app.gate.evidence import Facts, gather, study
from app.gate.launching import Weighed
from app.gate.warnings import Caution, cautions
from app.inference import service as models
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.json_types import JsonObject
from app.recipes import dev_answers
from app.recipes import passages as recipe_passages
from app.recipes import store as recipe_store
from app.recipes.passages_carried import CarriedPassages
from app.recipes.tables import RecipeRow
from app.training import kernels, launchers, store
from app.training import recipe as recipes
from app.training import spec as specs
from app.training.facts import RunFacts
from app.training.legs import Outcome
from app.training.recipe import Recipe
from app.training.spec import TrainingPart
from app.training.tables import TrainingRow
from app.users.tables import UserRow

OVER = frozenset({"done", "cancelled", "failed", "refused"})
RESUMABLE = frozenset(
    {"crash", "memory", "disk", "time", "busy", "scoring", "smoke", "device", "launcher"}
)  # nothing about what was approved is wrong
PAUSED = "paused"  # the cause of a run that was stopped to go on later; its state is that of a cancelled one
PAUSABLE = frozenset({"queued", "running"})
KEY_LENGTH = 80


# ---------------------------------------------------------------- the recipe


def default_recipe(session: Session, assessment_id: int) -> Recipe:
    """The recipe to begin with, for the data that is there."""
    dataset = dataset_store.current(session, assessment_id)
    return recipes.defaults(dataset.train_rows if dataset else 0)


def recipe_of(session: Session, assessment_id: int) -> tuple[RecipeRow | None, Recipe]:
    """The stored recipe, or the defaults while there is none. Of what an earlier version stored and this one does not
    take, the default; `plan_of` says so."""
    row = recipe_store.of_assessment(session, assessment_id)
    return row, recipes.stored(row.settings)[0] if row else default_recipe(session, assessment_id)


def trainable(session: Session) -> Sequence[ModelRow]:
    """Models that can carry an adapter: those on this machine."""
    return [model for model in model_store.usable(session) if model.trainable]


def save_recipe(
    session: Session,
    assessment_id: int,
    me: UserRow,
    model_id: int | None,
    values: JsonObject,
    offered: Collection[str] = ("local",),
) -> RecipeRow:
    """Store the recipe. What changes makes an open approval void, and whoever changed it a contributor.

    offered: launchers of this installation.

    Raises:
        NotFound: there is no such assessment.
        Invalid: a setting or the model cannot be used.
    """
    assessment = assessment_store.opened(session, assessment_id)
    row, before = recipe_of(session, assessment_id)
    errors: list[FieldError] = []
    made = before
    try:
        made = recipes.parse(values, before)
    except Invalid as refusal:
        errors += refusal.errors
    if made.launcher not in offered:
        errors.append(FieldError("#/launcher", launchers.not_offered(made.launcher)))
    if made.kernels == "liger" and before.kernels != "liger" and not kernels.has_liger():
        errors.append(FieldError("#/kernels", kernels.MISSING))
    model = next((model for model in trainable(session) if model.id == model_id), None)
    if model is None:
        errors.insert(0, FieldError("#/model_id", "Choose a model on this machine."))
    if errors or model is None:
        raise Invalid("The training config has settings that cannot be used.", errors)
    settings = recipes.to_json(made)
    if row is not None and row.settings == settings and row.model_id == model.id:
        return row
    if row is None:
        row = RecipeRow(assessment_id=assessment_id)
        session.add(row)
    row.model_id, row.settings, row.updated_by, row.updated_at = model.id, settings, me.id, utcnow()
    session.flush()
    assessments.contribute(session, assessment, me, "recipe")
    audit.record(session, me, "recipe.save", "assessment", assessment_id, {"model": model.id, "settings": settings})
    return row


# ---------------------------------------------------------------- what would be trained


class NotPrepared(Conflict):
    """The model of the recipe is not on this machine yet."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the stored recipe would train, as it stands. digest: what a preflight is valid for."""

    row: RecipeRow
    recipe: Recipe
    dataset: DatasetRow
    model: ModelRow
    part: TrainingPart
    digest: str

    @property
    def checked(self) -> bool:
        """Whether the last preflight was of exactly this."""
        return self.row.preflight is not None and self.row.preflight_of == self.digest


def plan(session: Session, assessment_id: int) -> Plan:
    """Raises: Conflict: a part of what training needs is missing; the text says which."""
    return plan_of(gather(session, assessment_store.get(session, assessment_id)))


def plan_of(facts: Facts) -> Plan:
    """The same from what was gathered already. Raises: Conflict: as above."""
    row, dataset, model = facts.recipe, facts.dataset, facts.base
    if row is None or model is None:
        raise Conflict("Save a training config first.")
    if dataset is None or not dataset.rows_sha256 or not dataset.split_sha256:
        raise Conflict("Upload data and freeze its split first: a preflight counts the rows that would be trained.")
    if not model.files:
        raise NotPrepared(f"{model.name} is not set up yet. Open Models and press Set up.")
    recipe, refused = recipes.stored(row.settings)
    if refused:
        raise Conflict(recipes.outdated(refused))
    instructions = measurements.winning_instructions(facts.baseline) if facts.baseline else ""
    carried = recipe_passages.part(row, facts.baseline, dataset)
    scored = dev_answers.part(row.settings, facts.baseline)
    if against := dev_answers.against(row.settings, scored):
        raise Conflict(against)
    named = models.public_name(model)
    part = specs.training_part(
        recipe, instructions, *named, model.files, passages=carried, scored=scored, bits=model.bits
    )
    digest = subject.digest({"training": part, "rows": dataset.rows_sha256, "split": dataset.split_sha256})
    return Plan(row, recipe, dataset, model, part, digest)


def passages_wanted(session: Session, assessment_id: int) -> CarriedPassages | None:
    """What the training rows have to carry (`recipes.passages.wanted`); None where the best prompt has no passages."""
    facts = gather(session, assessment_store.get(session, assessment_id))
    return recipe_passages.wanted(facts.baseline, facts.dataset)


def start_preflight(session: Session, assessment_id: int, me: UserRow) -> JobRow:
    """Have a worker count, show and time what would be trained.

    Raises:
        Conflict: something is missing, or a preflight is running.
    """
    assessment_store.opened(session, assessment_id)
    made = plan(session, assessment_id)
    title = "Preflight: rows, tokens, time and memory"
    job = jobs.add(session, "preflight", made.row.id, me.id, assessment_id=assessment_id, title=title)
    made.row.preflight_job_id = job.id
    return job


def reasons_against(weighed: Weighed) -> list[str]:
    """Everything that stands between an assessment and a launch: the gate's reasons, then the preflight's.

    That there is no recipe or no data is the gate's to say; a preflight that lacks them would say it once more.
    """
    reasons = list(weighed.reasons)
    try:
        made = plan_of(weighed.now.facts)
    except Conflict as missing:
        known = reasons and not isinstance(missing, NotPrepared)
        return reasons if known else [*reasons, missing.detail]
    if not made.checked:
        return [*reasons, "Run the preflight for this config, data and prompt first."]
    return [*reasons, *(made.row.preflight or {}).get("blockers", [])]


# ---------------------------------------------------------------- launching


def launch(session: Session, assessment_id: int, me: UserRow, key: str) -> tuple[TrainingRow, bool]:
    """Use the approval for one training job: run, use of the approval and job, all or nothing.

    key: chosen by the caller. The same key again gives back the same run; True says that it was made now.

    Raises:
        Invalid: no key.
        GateClosed: with every reason.
    """
    assessment = assessment_store.changing(session, assessment_id)  # that it is archived is said with the rest
    if not key.strip() or len(key) > KEY_LENGTH:
        errors = [FieldError("Idempotency-Key", f"Send a key of 1 to {KEY_LENGTH} characters.", "header")]
        raise Invalid("A launch needs a key, so that asking twice starts one job.", errors)
    if (before := store.with_key(session, assessment_id, key)) is not None:
        return before, False
    weighed = launching.weigh(session, assessment)
    if reasons := reasons_against(weighed):
        raise GateClosed(reasons)
    granted = launching.permit(session, weighed)
    measured, base = granted.subject.baseline, granted.subject.training
    if measured is None or base is None:  # the gate lets neither pass
        raise GateClosed(["There is no measurement or no recipe."])
    row = TrainingRow(
        assessment_id=assessment_id,
        review_id=granted.review.id,
        decision_id=granted.decision.id,
        digest=granted.digest,
        baseline_id=measured.id,
        model_id=base.model.id,
        recipe=dict(base.recipe),
        state="queued",
        idempotency_key=key,
        training_facts={**_to_beat(session, weighed.now.facts.baseline), **_to_replace(session, weighed)},
        launched_by=me.id,
        launched_at=utcnow(),
    )
    session.add(row)
    session.flush()
    launching.use(session, granted)
    _enqueue(session, row, me, f"Train an adapter for {assessment.title}")
    detail = {"training": row.id, "digest": row.digest, "review": row.review_id}
    audit.record(session, me, "training.launch", "assessment", assessment_id, detail)
    return row, True


def _to_beat(session: Session, baseline: BaselineRow | None) -> RunFacts:
    """The arms that the adapter will be judged against, as they were approved, whatever is tried later: the best one,
    the prompts within reach of it, and what needs no language model."""
    best = measurements.best(baseline) if baseline else None
    if baseline is None or best is None:
        return {"compared_with": ""}
    to_beat: RunFacts = {"compared_with": best.name}
    if measurements.rules(baseline) >= arms.RIVAL_RULES:
        close = rivals.rivals(session, baseline)
        to_beat["rivals"] = {
            "prompts": [rival.arm.name for rival in close if rival.tested],
            "unasked": [
                (rival.arm.name, rival.behind.delta, rival.behind.low, rival.behind.high)
                for rival in close
                if not rival.tested
            ],
            "free": [arm.name for arm in rivals.free_arms(baseline)],
        }
    return to_beat


def _to_replace(session: Session, weighed: Weighed) -> RunFacts:
    """Where cost or speed is what it is about: the larger model that the adapter may not be worse than, and by how much
    it may, both as they were when it was approved (decision rules, R1). Empty elsewhere."""
    facts = weighed.now.facts
    if not weighed.now.advised.facts.efficiency_path or facts.teacher is None or facts.baseline is None:
        return {}
    margin = differences.margin(session, facts.baseline)
    return {"teacher": {"arm": facts.teacher.id, "name": facts.teacher.name, "margin": margin}}


def _enqueue(session: Session, row: TrainingRow, me: UserRow, title: str) -> None:
    job = jobs.add(session, "train", row.id, me.id, assessment_id=row.assessment_id, title=title[:200])
    row.job_id = job.id


def pause(session: Session, training_id: int, me: UserRow) -> TrainingRow:
    """Have a run stop after its step, with a checkpoint, and let go of worker and memory; `resume` goes on from there
    under the same approval.

    Raises:
        Conflict: it is not waiting or training any more.
        Forbidden: it is somebody else's.
    """
    assessment_store.opened(session, store.assessment_of(session, training_id))
    row = store.get(session, training_id)
    state, job = standing(session, row)
    if job is None or state not in PAUSABLE:
        raise Conflict("Only a run that waits or trains can be paused.")
    jobs.cancel(session, job.id, me)
    note(session, training_id, {"cause": PAUSED})
    audit.record(session, me, "training.pause", "assessment", row.assessment_id, {"training": row.id})
    return row


def resume(session: Session, training_id: int, me: UserRow) -> TrainingRow:
    """Go on with a run that was paused, or that something outside of it ended: same approval, same digest, last
    checkpoint.

    Raises:
        Conflict: it is running, is done, was cancelled or refused, or diverged. These need a new approval.
    """
    assessment_store.opened(session, store.assessment_of(session, training_id))
    row = store.get(session, training_id)
    state, _ = standing(session, row)
    if state == "done":
        raise Conflict("This run is finished.")
    if state not in OVER:
        raise Conflict("This run is going on already.")
    if against := launching.against_resuming(session, row.review_id, row.decision_id):
        raise Conflict.because(against)
    if not resumable(row, state):
        raise Conflict("This run cannot go on. Request review and launch again; what was learned stays readable.")
    row.state, row.finished_at = "queued", None
    note(session, row.id, {"cause": ""})
    _enqueue(session, row, me, "Train an adapter: resumed")
    audit.record(session, me, "training.resume", "assessment", row.assessment_id, {"training": row.id})
    return row


def resumable(row: TrainingRow, state: str) -> bool:
    """Whether what ended a run has nothing to do with what was approved."""
    return paused(row, state) or (state == "failed" and (row.training_facts.get("cause") or "crash") in RESUMABLE)


def paused(row: TrainingRow, state: str) -> bool:
    """Whether it was stopped to go on later."""
    return state == "cancelled" and row.training_facts.get("cause") == PAUSED


def standing(session: Session, row: TrainingRow) -> tuple[str, JobRow | None]:
    """The state to show, and the job. A job that ended before it could tell the run speaks for it."""
    job = job_store.get(session, row.job_id) if row.job_id else None
    if job is not None and job.final and row.state not in OVER:
        return str(job.status), job
    return row.state, job


# ---------------------------------------------------------------- what the worker writes


def begin(session: Session, training_id: int) -> int:
    """Count another start of the trainer and return its number: it names checkpoints and is in the launch token."""
    row = store.get(session, training_id)
    attempt = row.training_facts.get("attempts", 0) + 1
    row.training_facts = {**row.training_facts, "attempts": attempt}
    row.state = "running"
    return attempt


def note(session: Session, training_id: int, facts: RunFacts) -> TrainingRow:
    """Add to what is known about a run."""
    row = store.get(session, training_id)
    row.training_facts = {**row.training_facts, **facts}
    return row


def note_leg(session: Session, training_id: int, outcome: Outcome) -> None:
    """Write down what one of several trainings of a run came to; again takes the place of the first time."""
    kept = store.get(session, training_id).training_facts.get("legs", [])
    note(session, training_id, {"legs": [*(one for one in kept if one["name"] != outcome.name), outcome.to_json()]})


def adapter_arm(session: Session, row: TrainingRow, *, seed: int | None = None) -> ArmRow:
    """The arm that answers with an adapter of a run, by the prompt that was approved; made where there is none yet.
    seed: of the adapter, where it is that of another seed than the config's own."""
    approved = reviews.text_of(review_store.get(session, row.review_id))
    return runs.add_adapter_arm(
        session,
        row.baseline_id,
        training_id=row.id,
        title=f"Adapter of run {row.id}" + ("" if seed is None else f", seed {seed}"),
        instructions=specs.from_subject(approved).instructions,
        passages=specs.part_of(approved).get("passages"),
        seed=seed,
    )


@dataclass(frozen=True, slots=True)
class Prospects:
    """What the pages of plan and run say before a launch. missing: why there can be no preflight, or empty. reasons:
    all that stands in the way of a launch; criteria: those of them that are open; besides: the other reasons. cautions:
    what does not stand in the way, and should be known all the same."""

    checked: bool
    missing: str
    reasons: Sequence[str]
    criteria: Sequence[Gate]
    besides: Sequence[str]
    cautions: Sequence[Caution]


def prospects(session: Session, assessment_id: int) -> Prospects:
    """Where a launch stands."""
    weighed = launching.weigh(session, assessment_store.get(session, assessment_id))
    try:
        checked, missing = plan_of(weighed.now.facts).checked, ""
    except Conflict as conflict:
        checked, missing = False, conflict.detail
    facts, robustness = weighed.now.facts, weighed.now.advised.robustness
    warned = cautions(facts.evidence, study=study(session, facts), robustness=robustness)
    advised, reasons = weighed.now.advised, reasons_against(weighed)
    criteria = [gate for gate in advised.blockers if launching.of_criterion(gate) in reasons]
    said = {launching.of_criterion(gate) for gate in criteria}
    return Prospects(checked, missing, reasons, criteria, [one for one in reasons if one not in said], warned)


def measured_models(session: Session, assessment_id: int) -> frozenset[int]:
    """Ids of the models that prompts were measured on for this assessment."""
    measurements_of = baseline_store.of_assessment(session, assessment_id)
    return frozenset(row.model_id for row in measurements_of if measurements.results(row))
