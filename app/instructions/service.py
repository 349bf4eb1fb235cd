"""What people do with prompts: keep versions, start the optimizer, go on with it, take what it has so far."""

from dataclasses import asdict, dataclass

from sqlalchemy.orm import Session

from app.assessments import own_servers
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.baselines import arms, planning, runs, standing, versions
from app.baselines import store as baseline_store
from app.baselines.arm_settings import Optimised
from app.baselines.measured_model import MeasuredModel
from app.baselines.tables import ArmRow, BaselineRow, VersionRow
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.instructions import offers, rounds, store
from app.instructions.budget import Budget, Spent
from app.instructions.order import MOST, Order
from app.instructions.order import faults as order_faults
from app.instructions.tables import CandidateRow, Conclusion, OptimisationRow
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.users.tables import UserRow

NOTE_LONGEST = 300
NOTE_TOO_LONG = FieldError("#/note", f"At most {NOTE_LONGEST} characters are possible.")


# ---------------------------------------------------------------- versions


def add_version(
    session: Session, assessment_id: int, text: str, *, by: UserRow, from_version: int | None = None, note: str = ""
) -> VersionRow:
    """Keep a text without measuring it.

    Raises:
        Conflict: the assessment is archived or recorded.
        Invalid: the text is empty or too long, or it stands there already.
        NotFound: there is no version to start from of that number.
    """
    assessment = assessment_store.opened(session, assessment_id)
    faults = []
    if not text.strip() or len(text.strip()) > planning.INSTRUCTIONS_LIMIT:
        limit = f"{planning.INSTRUCTIONS_LIMIT:,}"
        faults.append(FieldError("#/instructions", f"Write instructions of 1 to {limit} characters."))
    elif already := versions.of_text(session, assessment_id, text):
        faults.append(FieldError("#/instructions", f"This is version {already.number}. Change it first."))
    if len(note) > NOTE_LONGEST:
        faults.append(NOTE_TOO_LONG)
    if faults:
        raise Invalid("This version cannot be kept.", faults)
    before = versions.numbered(session, assessment_id, from_version).id if from_version is not None else None
    row = versions.note(session, assessment_id, text, "hand", by=by.id, from_id=before, comment=note.strip())
    assessments.contribute(session, assessment, by, "prompt", changed=False)
    audit.record(session, by, "prompt.add", "assessment", assessment_id, {"version": row.number})
    return row


def measure_version(
    session: Session, assessment_id: int, text: str, *, by: UserRow, from_version: int | None = None, note: str = ""
) -> ArmRow:
    """Evaluate a text as a revision of the measurement that stands.

    Raises:
        Conflict: there is none, or it can't be revised now.
        Invalid: the text is empty, too long, or was evaluated already.
        NotFound: there is no version to start from of that number.
    """
    assessment_store.opened(session, assessment_id)
    baseline = baseline_store.current(session, assessment_id)
    if baseline is None:
        raise Conflict("Run baselines first: a revision starts from the best variant.")
    if len(note) > NOTE_LONGEST:
        raise Invalid("The revision cannot start like this.", [NOTE_TOO_LONG])
    return runs.revise(session, baseline.id, text, by=by, from_version=from_version, comment=note.strip())


@dataclass(frozen=True, slots=True)
class Use:
    """A measurement that used a version: its variant with the best dev score among those with this prompt."""

    baseline: BaselineRow
    arm: ArmRow
    variants: int


def uses(session: Session, assessment_id: int) -> dict[str, list[Use]]:
    """By the hash of a prompt, the measurements that used it, the newest first."""
    used: dict[str, list[Use]] = {}
    for baseline in baseline_store.of_assessment(session, assessment_id):
        of_text: dict[str, list[ArmRow]] = {}
        for arm in baseline.arms:
            if arm.family not in arms.FREE and arm.family != "adapter":
                of_text.setdefault(versions.sha256(standing.instructions_of(baseline, arm)), []).append(arm)
        for sha256, there in of_text.items():
            best = max(there, key=lambda arm: (arm.dev.score if arm.dev else -1.0, -arm.id))
            used.setdefault(sha256, []).append(Use(baseline, best, len(there)))
    return used


# ---------------------------------------------------------------- running it


def start(session: Session, assessment_id: int, order: Order, *, by: UserRow) -> OptimisationRow:
    """Start the optimizer on the best prompt of the measurement that counts.

    Raises:
        Conflict: something has to be done elsewhere first; all of it is said.
        Invalid: the order cannot be used; all faults at once.
    """
    assessment = assessment_store.opened(session, assessment_id)
    there = offers.offer(session, assessment_id)
    if there.against or there.baseline is None or there.first is None:
        raise Conflict.because(list(there.against))
    baseline, first = runs.revisable(session, there.baseline.id)
    choice, against = _chosen(session, there, order)
    faults = [*order_faults(order), *against]
    judge = offers.judge_of(session, baseline)
    judge_prices = None if judge is None else offers.prices_of(session, judge)
    if judge is not None and judge_prices is not None and order.money is not None and not judge_prices.known:
        unpriced = f"There is no price for {judge.name}: enter one on the page Prices, or set a budget of tokens."
        faults.append(FieldError("#/money", unpriced))
    if faults or choice is None:
        raise Invalid("The optimizer cannot start like this.", faults)
    expected = offers.estimate(session, assessment_id, order)
    calls = order.calls if order.calls is not None else expected.most if expected else MOST
    text = standing.instructions_of(baseline, first)
    version = versions.note(session, assessment_id, text, "hand", by=by.id)
    row = OptimisationRow(
        assessment_id=assessment_id,
        baseline_id=baseline.id,
        arm_id=first.id,
        version_id=version.id,
        critic_id=choice.row.id,
        critic_as=asdict(MeasuredModel.of(choice.row)),
        budget=Budget(
            order.candidates,
            calls,
            order.tokens,
            order.minutes,
            order.money,
            order.task_prices,
            order.critic_prices,
            judge_prices,
        ),
        train_rows=order.train_rows,
        dev_rows=order.dev_rows,
        seed=baseline.seed,
        spent=Spent(),
        created_by=by.id,
        created_at=utcnow(),
    )
    session.add(row)
    session.flush()
    session.add(
        CandidateRow(optimisation_id=row.id, number=0, text=text, state="first", scores={}, created_at=utcnow())
    )
    _run(session, row, by)
    assessments.contribute(session, assessment, by, "measure")
    detail = {"critic": choice.row.name, "sent_to": choice.row.base_url or None, "calls": calls}
    audit.record(session, by, "prompt.optimise", "assessment", assessment_id, detail)
    return row


def _chosen(session: Session, there: offers.Offer, order: Order) -> tuple[offers.CriticChoice | None, list[FieldError]]:
    """The critic that was chosen, and what stands against it."""
    choice = next((one for one in there.critics if one.row.id == order.critic_id), None)
    if choice is None:
        embedded = model_store.bundled(session)
        only = "The embedded model can't be the critic: it does not write better instructions. "
        own = only if embedded is not None and embedded.id == order.critic_id else ""
        return None, [FieldError("#/critic_id", f"{own}Choose one of the models as the critic.")]
    if choice.against:
        return choice, [FieldError("#/critic_id", choice.against)]
    if choice.host and not order.consent:
        return choice, [FieldError("#/consent", f"Confirm that train rows may be sent to {choice.host}.")]
    return choice, []


def resume(session: Session, optimisation_id: int, *, by: UserRow) -> OptimisationRow:
    """Go on with a run that failed or was cancelled, from the best prompt so far.

    Raises:
        Conflict: it is over, running, or its measurement was replaced.
    """
    assessment_store.opened(session, store.assessment_of(session, optimisation_id))
    row = store.get(session, optimisation_id)
    if row.ending:
        raise Conflict("This run is over.")
    runs.revisable(session, row.baseline_id)
    if against := against_critic(session, row):
        raise Conflict(against)
    _run(session, row, by)
    audit.record(session, by, "prompt.go_on", "assessment", row.assessment_id, {"run": row.id})
    return row


def take_over(session: Session, optimisation_id: int, *, by: UserRow) -> OptimisationRow:
    """End a run that failed or was cancelled, and measure its best prompt so far.

    Raises:
        Conflict: it is over or running, or no draft is better than what it began with.
    """
    assessment_store.opened(session, store.assessment_of(session, optimisation_id))
    row = store.get(session, optimisation_id)
    if row.ending:
        raise Conflict("This run is over.")
    runs.revisable(session, row.baseline_id)
    if rounds.concluded(row.candidates).get("gain", 0.0) <= 0:
        raise Conflict("No draft is better on the dev rows than the prompt that the run began with.")
    conclude(session, row, "stopped", by=by)
    assessment = assessment_store.get(session, row.assessment_id)
    assessments.contribute(session, assessment, by, "measure")
    audit.record(session, by, "prompt.take_over", "assessment", row.assessment_id, {"run": row.id})
    return row


def conclude(session: Session, row: OptimisationRow, ending: str, *, by: UserRow) -> None:
    """Write down how a run ended; its winner becomes an arm of the measurement, asked like a revision."""
    result = rounds.concluded(row.candidates)
    row.ending, row.ended_at = ending, utcnow()
    if result.get("gain", 0.0) > 0:
        text = next(one.text for one in row.candidates if one.number == result["winner"])
        try:
            arm = runs.add_optimised(session, row.baseline_id, row.arm_id, text, kept(row, result), by=by)
            row.winner_arm_id = arm.id
        except Conflict as refusal:
            result["not_measured"] = refusal.detail
    row.result = result


def kept(row: OptimisationRow, result: Conclusion) -> Optimised:
    """What of a run stands in the arm's settings, and so in what a reviewer approves."""
    return {
        "run": row.id,
        "critic": critic_of(row).part(),
        "budget": row.budget.to_json(),
        "ending": row.ending,
        "drafts": result["drafts"],
        "scored": result["scored"],
        "rows": result["rows"],
        "first": result["first"],
        "best": result["best"],
        "gain": result["gain"],
        "apart": result["apart"],
        "luck": result["luck"],
    }


def against_critic(session: Session, row: OptimisationRow) -> str:
    """Why the critic may not be asked any more; empty where it may."""
    model = model_store.get(session, row.critic_id)
    if against := own_servers.against_sending(assessment_store.get(session, row.assessment_id), model):
        return against
    if model.retired_at is not None:
        return f"{model.name} is retired. Start a new run with another critic."
    if not critic_of(row).answers_as(model):
        return f"The connection of {model.name} was changed since this run began. Start a new run."
    return ""


def task_model(session: Session, baseline: BaselineRow, arm: ArmRow) -> ModelRow:
    """The model that answers with an arm's prompt."""
    return model_store.get(session, int(arm.settings.get("model_id", baseline.model_id)))


def last_job(session: Session, row: OptimisationRow) -> JobRow | None:
    """The job that worked on a run last, or does."""
    return job_store.latest(session, "optimise", row.id)


def critic_of(row: OptimisationRow) -> MeasuredModel:
    """What the critic was when the run began."""
    return MeasuredModel(**row.critic_as)


def _run(session: Session, row: OptimisationRow, by: UserRow) -> None:
    baseline = baseline_store.get(session, row.baseline_id)
    arm = next(arm for arm in baseline.arms if arm.id == row.arm_id)
    asked = [task_model(session, baseline, arm), model_store.get(session, row.critic_id)]
    jobs.add(
        session,
        "optimise",
        row.id,
        by.id,
        assessment_id=row.assessment_id,
        title=f"Optimize the prompt with {asked[1].name}",
        queue="cpu" if all(model.kind == "endpoint" for model in asked) else None,
    )
