"""The buttons of a measurement that runs: pause, calls at once, budget. The job follows them (`run_control`)."""

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.audit import service as audit
from app.baselines import deciding_judge, measured_model, other_models, planning, run_control, store
from app.baselines.outlines import Known
from app.baselines.planning import MOST_AT_ONCE, NOTHING
from app.baselines.spending import Budget, Prices
from app.baselines.tables import BaselineRow
from app.db import utcnow
from app.errors import Conflict, FieldError, Forbidden, Invalid
from app.inference import store as model_store
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow, Status
from app.users.tables import UserRow


def pause(session: Session, baseline_id: int, *, by: UserRow) -> BaselineRow:
    """Have a run end after the calls that are under way; it goes on when somebody resumes it. What has not begun ends
    at once.

    Raises:
        Forbidden: it is somebody else's.
        Conflict: nothing is running.
    """
    baseline, job = _running(session, baseline_id)
    if not jobs.may_cancel(job, by):
        raise Forbidden("Only whoever started this run, or an administrator, can pause it.")
    if job.status == Status.QUEUED:
        jobs.cancel(session, job.id, by)
        job.failure = run_control.PAUSED
    baseline.paused_at = utcnow()
    _record(session, baseline, by, "baseline.pause", {})
    return baseline


def steer(
    session: Session,
    baseline_id: int,
    *,
    by: UserRow,
    at_once: int | None = None,
    more: Budget | None = None,
    known: Known = NOTHING,
) -> BaselineRow:
    """Change how many calls a run makes at once, or its limits, while it runs. What is None stays.

    Raises:
        Conflict: nothing is running.
        Invalid: a number cannot be used.
    """
    baseline, _ = _running(session, baseline_id)
    if at_once is not None:
        if not 1 <= at_once <= MOST_AT_ONCE:
            fault = FieldError("#/at_once", f"Use a number from 1 to {MOST_AT_ONCE}.")
            raise Invalid("The number of calls at once was not changed.", [fault])
        baseline.at_once = at_once
    change(session, baseline, more or Budget(), known)
    detail = {"at_once": at_once, "budget": (more or Budget()).to_json()}
    _record(session, baseline, by, "baseline.steer", {name: value for name, value in detail.items() if value})
    return baseline


def change(session: Session, baseline: BaselineRow, more: Budget, known: Known, *, for_run: bool = False) -> None:
    """Set limits anew; what had no price when it began has that of today. for_run: a run is about to begin, which
    needs something left.

    Raises:
        Conflict: the budget is used up.
        Invalid: a limit cannot be used.
    """
    judge = deciding_judge.of(baseline.judge)
    asked = [baseline.model_id, *other_models.asked(baseline), *([judge.model_id] if judge is not None else [])]
    if known.prices is not None:
        assessment = assessment_store.get(session, baseline.assessment_id)
        listed = known.prices(session, assessment, [model_store.get(session, model_id) for model_id in asked])
        kept = Prices.from_json(baseline.prices).of_model
        baseline.prices = Prices({**listed, **kept}).to_json()
    budget = Budget.from_json(baseline.budget).changed(more)
    faults = list(planning.budget_faults(session, budget, Prices.from_json(baseline.prices), asked))
    if faults:
        raise Invalid("The budget was not changed.", faults)
    if for_run and (used_up := run_control.spent(session, baseline).over(budget)):
        raise Conflict(used_up)
    baseline.budget = budget.to_json()


def _running(session: Session, baseline_id: int) -> tuple[BaselineRow, JobRow]:
    assessment_store.opened(session, store.assessment_of(session, baseline_id))
    baseline = store.get(session, baseline_id)
    job = job_store.find_open(session, "measure", baseline.id)
    if job is None:
        raise Conflict("This measurement is not running.")
    return baseline, job_store.held(session, job.id)


def _record(session: Session, baseline: BaselineRow, by: UserRow, act: str, detail: dict[str, object]) -> None:
    name = measured_model.model_of(session, baseline).name
    whole = {"assessment": baseline.assessment_id, "model": name, **detail}
    audit.record(session, by, act, "baseline", baseline.id, whole)
