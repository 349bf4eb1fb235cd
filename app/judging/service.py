"""What people do with a judge: write its rubric, start it, go on with a run that stopped."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy.orm import Session

from app.assessments import own_servers
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.baselines import arms
from app.baselines import store as baseline_store
from app.baselines.measured_model import MeasuredModel
from app.baselines.tables import BaselineRow
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid
from app.inference import store as model_store
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.judging import offers, rounds, store
from app.judging.order import LONGEST_FAILURE, LONGEST_RULE, MOST, Order, Spent
from app.judging.order import faults as order_faults
from app.judging.tables import JudgeRunRow, RubricRow
from app.users.tables import UserRow

DECIDES_NOTHING = (
    "The scores of a run are watched figures: they decide nothing, and are no part of what a reviewer approves. A "
    "judge decides only where it is the metric of a measurement, which takes that it agrees with people."
)


# ---------------------------------------------------------------- the rubric


def add_rubric(
    session: Session, assessment_id: int, failure: str, passes_if: str, *, with_expected: bool, by: UserRow
) -> RubricRow:
    """Keep a rubric as the next version; the judge uses the newest.

    Raises:
        Conflict: the assessment is archived or recorded.
        Invalid: a text is empty or too long, or it stands there already.
    """
    assessment = assessment_store.opened(session, assessment_id)
    failure, passes_if = failure.strip(), passes_if.strip()
    faults = []
    if not failure or len(failure) > LONGEST_FAILURE:
        faults.append(
            FieldError(
                "#/failure", f"Name the one failure that the judge looks for, in up to {LONGEST_FAILURE} characters."
            )
        )
    if not passes_if or len(passes_if) > LONGEST_RULE:
        faults.append(
            FieldError("#/passes_if", f"Write what an answer has to do to pass, in 1 to {LONGEST_RULE:,} characters.")
        )
    sha256 = hashlib.sha256(f"{failure}\n{int(with_expected)}\n{passes_if}".encode()).hexdigest()
    there = store.rubrics(session, assessment_id)
    if (already := next((row for row in there if row.sha256 == sha256), None)) is not None:
        faults.append(FieldError("#/passes_if", f"This is version {already.number}. Change it first."))
    if faults:
        raise Invalid("This rubric cannot be used.", faults)
    row = RubricRow(
        assessment_id=assessment_id,
        number=1 + max((one.number for one in there), default=0),
        failure=failure,
        passes_if=passes_if,
        with_expected=with_expected,
        sha256=sha256,
        created_by=by.id,
        created_at=utcnow(),
    )
    session.add(row)
    session.flush()
    assessments.contribute(session, assessment, by, "judge", changed=False)
    audit.record(session, by, "judge.rubric", "assessment", assessment_id, {"version": row.number})
    return row


# ---------------------------------------------------------------- running it


@dataclass(frozen=True, slots=True)
class Checked:
    """An order that can be carried out."""

    choice: offers.JudgeChoice
    baseline: BaselineRow
    rubric: RubricRow


def check(session: Session, assessment_id: int, order: Order) -> Checked:
    """Whether an order can be carried out.

    Raises:
        Conflict: something has to be done elsewhere first; all of it is said.
        Invalid: the order cannot be used; all faults at once.
    """
    there = offers.offer(session, assessment_id)
    if there.against or there.baseline is None or there.rubric is None:
        raise Conflict.because(list(there.against))
    faults = list(order_faults(order))
    known = {one.row.id: one.dev if order.split == "dev" else one.test for one in there.arms}
    if any(not known.get(arm_id) for arm_id in order.arms):
        faults.append(FieldError("#/arms", f"Choose variants with answers to {order.split} rows."))
    choice = next((one for one in there.judges if one.row.id == order.judge_id), None)
    if choice is None:
        faults.append(FieldError("#/judge_id", "Choose one of the models as the judge."))
    elif choice.against:
        faults.append(FieldError("#/judge_id", choice.against))
    elif choice.host and not order.consent:
        sent = f"Confirm that questions and answers of {order.split} rows may be sent to {choice.host}."
        faults.append(FieldError("#/consent", sent))
    if faults or choice is None:
        raise Invalid("The judge cannot start like this.", faults)
    return Checked(choice, there.baseline, there.rubric)


def start(session: Session, assessment_id: int, order: Order, *, by: UserRow) -> JudgeRunRow:
    """Start a judge over the answers of the measurement that stands.

    Raises:
        Conflict: something has to be done elsewhere first; all of it is said.
        Invalid: the order cannot be used; all faults at once.
    """
    assessment = assessment_store.opened(session, assessment_id)
    checked = check(session, assessment_id, order)
    baseline, rubric, judge = checked.baseline, checked.rubric, checked.choice.row
    if order.use == "pass_fail" and not store.rounds(session, rubric.id):
        rounds.draw(session, rubric, baseline, drawn_from(session, baseline, order))
    row = JudgeRunRow(
        assessment_id=assessment_id,
        baseline_id=baseline.id,
        rubric_id=rubric.id,
        judge_id=judge.id,
        judge_as=asdict(MeasuredModel.of(judge)),
        use=order.use,
        split=order.split,
        arms=list(dict.fromkeys(order.arms)),
        rows=order.rows,
        seed=baseline.seed,
        calls=order.calls,
        price_in=order.price_in,
        price_out=order.price_out,
        spent=Spent(),
        warnings=[one.to_json() for one in offers.kinship(session, baseline, order.arms, judge)],
        created_by=by.id,
        created_at=utcnow(),
    )
    session.add(row)
    session.flush()
    _run(session, row, by)
    assessments.contribute(session, assessment, by, "judge", changed=False)
    detail = {"model": judge.name, "sent_to": judge.base_url or None, "use": order.use, "rubric": rubric.number}
    audit.record(session, by, "judge.start", "assessment", assessment_id, detail)
    return row


def drawn_from(session: Session, baseline: BaselineRow, order: Order) -> list[int]:
    """The arms whose dev answers people will label: those of the run where it judges several on the dev set, so that
    its words on all of them are known; else every arm that asks a model."""
    asking = {arm.id for arm in baseline.arms if arm.family not in arms.FREE}
    chosen = [arm_id for arm_id in order.arms if arm_id in asking]
    if order.split == "dev" and len(chosen) > 1:
        return chosen
    numbers = store.numbers_of_answers(session, asking)
    return sorted(arm_id for arm_id in asking if numbers.get((arm_id, "dev")))


def estimate(session: Session, assessment_id: int, order: Order) -> offers.Estimate | None:
    """What an order would ask for; None where there is nothing to judge or no such judge."""
    there = offers.offer(session, assessment_id)
    known = {one.row.id for one in there.arms}
    chosen = any(one.row.id == order.judge_id for one in there.judges)
    if there.baseline is None or there.rubric is None or not chosen or not set(order.arms) <= known:
        return None
    if next(order_faults(order), None) is not None:
        return None
    baseline, rubric = there.baseline, there.rubric
    sample: Sequence[int] = rounds.sample(session, rubric, baseline)
    if order.use == "pass_fail" and not store.rounds(session, rubric.id):
        sample = rounds.preview(session, rubric, baseline, drawn_from(session, baseline, order))
    return offers.estimate(session, baseline, rubric, order, sample)


def go_on(session: Session, run_id: int, *, by: UserRow, calls: int | None = None) -> JudgeRunRow:
    """Go on with a run that failed, was cancelled, used up its budget, or has replies that could not be read: those are
    asked again. calls: the new budget, where the old one does not do.

    Raises:
        Conflict: it is running, everything was judged, or its judge may not be asked any more.
        Invalid: the budget is used up already.
    """
    row = store.get(session, run_id)
    assessment_store.opened(session, row.assessment_id)
    job = last_job(session, row)
    if job is not None and not job.final:
        raise Conflict("This run is waiting or running already.")
    if against := against_judge(session, row):
        raise Conflict(against)
    if calls is not None and not row.spent.calls < calls <= MOST:
        raise Invalid(
            "The budget cannot be this.", [FieldError("#/calls", f"Use more than {row.spent.calls:,} calls.")]
        )
    errors = store.forget_errors(session, run_id)
    if row.ending == "done" and not errors and not _unjudged_labels(session, row):
        raise Conflict("Everything was judged.")
    row.calls = calls if calls is not None else row.calls
    if row.calls is not None and row.spent.calls >= row.calls:
        raise Invalid("The budget of calls is used up.", [FieldError("#/calls", "Allow more calls to go on.")])
    row.ending, row.ended_at = "", None
    _run(session, row, by)
    audit.record(session, by, "judge.go_on", "assessment", row.assessment_id, {"run": row.id, "errors": errors})
    return row


def _unjudged_labels(session: Session, row: JudgeRunRow) -> bool:
    """Whether people were given answers since that this run has not judged."""
    if row.use != "pass_fail":
        return False
    there = {one.answer_id for one in store.judged(session, row.id)}
    drawn = [one for one in store.rounds(session, row.rubric_id) if one.baseline_id == row.baseline_id]
    return any(answer not in there for one in drawn for answer in one.answers)


def against_judge(session: Session, row: JudgeRunRow) -> str:
    """Why the judge may not be asked any more; empty where it may."""
    model = model_store.get(session, row.judge_id)
    if against := own_servers.against_sending(assessment_store.get(session, row.assessment_id), model):
        return against
    if model.retired_at is not None:
        return f"{model.name} is retired. Start a new run with another judge."
    if not judge_of(row).answers_as(model):
        return f"The connection of {model.name} was changed since this run began. Start a new run."
    if baseline_store.get(session, row.baseline_id).archived_at is not None:
        return "These baselines were replaced. Start a new run on the new ones."
    return ""


def judge_of(row: JudgeRunRow) -> MeasuredModel:
    """What the judge was when the run began."""
    return MeasuredModel(**row.judge_as)


def last_job(session: Session, row: JudgeRunRow) -> JobRow | None:
    """The job that worked on a run last, or does."""
    return job_store.latest(session, "judge", row.id)


def _run(session: Session, row: JudgeRunRow, by: UserRow) -> None:
    judge = model_store.get(session, row.judge_id)
    jobs.add(
        session,
        "judge",
        row.id,
        by.id,
        assessment_id=row.assessment_id,
        title=f"Judge answers with {judge.name}",
        queue="cpu" if judge.kind == "endpoint" else None,
    )
