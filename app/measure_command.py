"""`python -m app measure PLAN.json`: a measurement from a file, through the same services as the page and the API.

The plan names an assessment whose data is frozen. What runs is an ordinary measurement of it: recorded under the name
of whoever the plan says, watched and resumed on its page, and reviewed like any other. A worker that is there does it;
where none is, one is started for as long as it takes.

Exit status: 0 measured; 1 it can't be started, with the reasons; 2 it ended before it had a result: the budget was
reached, it was cancelled, or too many rows had errors.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app import main as web
from app.assessments import store as assessment_store
from app.baselines import (
    answers_view,
    live_store,
    live_view,
    other_models,
    planning,
    run_control,
    runs,
    spending,
    standing,
    store,
)
from app.baselines.order import BaselineRequest
from app.baselines.outlines import Known, Outline
from app.baselines.spending import UNITS, Budget
from app.baselines.tables import ArmRow, BaselineRow
from app.db import engine_for, reading, utcnow, writing
from app.economics import service as economics
from app.errors import Invalid, Refusal
from app.gate import evidence
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow, Status
from app.json_types import JsonDict
from app.judging import deciding
from app.settings import Settings
from app.standing import keeping
from app.supervisor import WorkerChild
from app.text import printable
from app.users import store as user_store
from app.users.tables import UserRow
from app.web.params import LARGEST, Number, OneLine, Text
from app.wording import plural

MOST_ARMS = 100  # that a plan may name, as by the API
POLL = 0.2  # seconds between two looks at the job
LAST_ERRORS = 3  # that are named, the same ones of a variant together
LINE_EVERY = 15.0  # seconds between two lines about how far it is


class PlanFile(BaseModel):
    """What the file may hold: names as in the API. model: a connection's name or id.

    consent: true, or the names or ids of the models to whose servers rows may be sent. by: the e-mail address of
    whoever measures; whoever made the assessment where it isn't given. instructions: those of the last measurement
    where there is one. at_once: calls under way at once; fresh: ask anew what an earlier run has answers to.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    assessment: Number
    model: Number | OneLine
    instructions: Text | None = None
    arms: Annotated[list[OneLine], Field(max_length=MOST_ARMS)] | None = None
    rows: dict[Literal["dev", "test"], Annotated[int, Field(ge=0, le=LARGEST)]] = Field(default_factory=dict)
    consent: bool | list[Number | OneLine] = False
    max_tokens: Number = 256
    k_random: Number = 3
    k_nearest: Number = 5
    metric_options: dict[OneLine, Text | bool] = Field(default_factory=dict)
    racing: bool = True
    at_once: Number | None = None
    fresh: bool = False
    by: OneLine | None = None


class Unready(Exception):
    """It can't be started; each argument is one sentence with a reason."""


def main(settings: Settings, file: Path, budget: Sequence[tuple[str, str]]) -> int:
    """Measure what the file says, print the result as JSON, and return the exit status."""
    try:
        plan, limits = _plan(file), _limits(budget)
    except Unready as refusal:
        return _cannot(refusal.args)
    if sentence := web.not_ready(settings):
        return _cannot([sentence])
    keeping.install()
    engine, queue = engine_for(settings), job_engine.Client(settings.url)
    try:
        run = _begin(settings, engine, queue, plan, limits)
        with _worker(settings, engine):
            reason = _watch(engine, run, limits)
        outcome = _outcome(engine, run, reason, settings.address)
    except Unready as refusal:
        return _cannot(refusal.args)
    except Invalid as refusal:
        return _cannot([f"{error.field}: {error.detail}" for error in refusal.errors] or [str(refusal)])
    except Refusal as refusal:
        return _cannot(refusal.reasons or [str(refusal)])
    finally:
        queue.close()
        engine.dispose()
    print(json.dumps(outcome, ensure_ascii=False, indent=2))
    if outcome["status"] != "done":
        _explain(outcome)
    return 0 if outcome["status"] == "done" else 2


class FailedRows(TypedDict):
    """Rows of one variant that failed in the same way."""

    arm: str
    split: str
    rows: int
    error: str


class Result(TypedDict):
    """What is printed as JSON. errors: those that came last, the same ones of a variant together."""

    status: Literal["done", "stopped", "failed"]
    reason: str
    assessment: int
    baseline: int
    page: str
    at: str
    model: str
    metric: str
    target: float | None
    best_arm: str | None
    calls: int
    judge_calls: int
    taken: int
    tokens: int
    cost: float | None
    currency: str
    estimated: bool
    arms: list[JsonDict]
    errors: list[FailedRows]
    advice: JsonDict


def _explain(outcome: Result) -> None:
    """Why it ended before it had a result, what stood in the way, and how to go on from here."""
    print(outcome["reason"], file=sys.stderr)
    for one in outcome["errors"]:
        print(f"{one['arm']}, {plural(one['rows'], one['split'] + ' row')}: {one['error']}", file=sys.stderr)
    print(
        f"Its page: {outcome['page']}\nOr give this command again: answers that came are taken from this run, unless "
        "the plan says “fresh”.",
        file=sys.stderr,
    )


def _cannot(reasons: Sequence[str]) -> int:
    print("\n".join(printable(reason) for reason in reasons), file=sys.stderr)
    return 1


# ---------------------------------------------------------------- what is asked for


def _plan(file: Path) -> PlanFile:
    try:
        return PlanFile.model_validate_json(file.read_bytes())
    except OSError as error:
        raise Unready(f"{file} can't be read: {error.strerror}.") from error
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc'])) or 'The file'}: {fault['msg']}."
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise Unready(*faults) from error


def _limits(budget: Sequence[tuple[str, str]]) -> Budget:
    limits: dict[str, float] = {}
    for amount, name in budget:
        try:
            limit = float(amount)
        except ValueError:
            limit = -1.0
        if name not in UNITS or not 0 < limit < spending.MOST:
            raise Unready(f"A budget is an amount and one of {', '.join(UNITS)}: --budget 500 calls.")
        limits[name] = limit
    return Budget(**limits)


@dataclass(frozen=True, slots=True)
class Run:
    """A measurement that was started, under the name of `by`."""

    baseline_id: int
    job_id: int
    by: int


def _begin(settings: Settings, engine: Engine, queue: job_engine.Client, plan: PlanFile, budget: Budget) -> Run:
    with writing(engine) as session:
        jobs.bind(session, queue)
        assessment = assessment_store.get(session, plan.assessment)
        by = _who(session, plan, assessment.created_by)
        order, known = _order(session, plan, budget), Known(settings, economics.call_prices, deciding.choices)
        outline = planning.outline(session, assessment.id, order, known)
        baseline = runs.start(session, assessment.id, order, by=by, known=known)
        job = runs.last_job(session, baseline)
        if job is None or outline is None:  # a start makes both
            raise Unready("The measurement did not start.")
        _warn(outline, budget)
        return Run(baseline.id, job.id, by.id)


def _who(session: Session, plan: PlanFile, creator: int) -> UserRow:
    user = user_store.get(session, creator) if plan.by is None else user_store.find(session, plan.by.strip().lower())
    if user is None or not user.active:
        raise Unready("Nobody with an open account has the e-mail address in “by”; it says under whose name this runs.")
    return user


def _order(session: Session, plan: PlanFile, budget: Budget) -> BaselineRequest:
    model = _model(session, plan.model)
    named = plan.consent if isinstance(plan.consent, list) else []
    consents = [_model(session, one, model_store.for_embeddings(session)).id for one in named]
    last = store.current(session, plan.assessment)
    instructions = plan.instructions if plan.instructions is not None else last.instructions if last else ""
    return BaselineRequest(
        model_id=model.id,
        instructions=instructions,
        k_random=plan.k_random,
        k_nearest=plan.k_nearest,
        max_tokens=plan.max_tokens,
        dev_rows=plan.rows.get("dev", 0),
        test_rows=plan.rows.get("test", 0),
        metric_options=plan.metric_options,
        arms=None if plan.arms is None else tuple(plan.arms),
        racing=plan.racing,
        consent=plan.consent is True or model.id in consents,
        consents=tuple(consents),
        at_once=plan.at_once,
        fresh=plan.fresh,
        budget_calls=budget.calls,
        budget_tokens=budget.tokens,
        budget_money=budget.money,
    )


def _model(session: Session, named: int | str, besides: Sequence[ModelRow] = ()) -> ModelRow:
    for row in (*model_store.usable(session), *besides):
        if named in (row.id, row.name):
            return row
    raise Unready(f"There is no model {named!r} that can be asked.")


def _warn(outline: Outline, budget: Budget) -> None:
    total = outline.total
    planned = {
        "calls": total.calls,
        "tokens": total.prompt_tokens + total.completion_tokens,
        "money": total.cost or 0.0,
    }
    for unit, limit in budget.limits.items():
        if planned[unit] > limit:
            text = f"The plan may take {planned[unit]:,.6g} {unit}, more than the budget of {limit:,.6g}."
            print(text, file=sys.stderr)


# ---------------------------------------------------------------- while it runs


@contextmanager
def _worker(settings: Settings, engine: Engine) -> Iterator[None]:
    """Have a worker serve both lines; one of our own where none does, stopped at the end."""
    since = max(settings.worker_lost_after, 2 * settings.worker_beat)
    with reading(engine) as session:
        served = jobs.served(session, since)
    if {"cpu", "model"} <= served:
        yield
        return
    ours = WorkerChild(f"measure-{os.getpid()}")
    ours.start()
    try:
        yield
    finally:
        ours.stop()


def _watch(engine: Engine, run: Run, budget: Budget) -> str:
    """Look at the job until it is over. Returns why it was ended from here; empty where it was not."""
    reason, said = "", 0.0
    while True:
        try:
            time.sleep(POLL)
        except KeyboardInterrupt:
            reason = "Cancelled."
            _cancel(engine, run)
        with reading(engine) as session:
            job = job_store.get(session, run.job_id)
        if job.final:
            return reason
        if time.monotonic() - said > LINE_EVERY:
            said = time.monotonic()
            print(_how_far(job, budget), file=sys.stderr, flush=True)


def _how_far(job: JobRow, budget: Budget) -> str:
    """In one line: what is there of all answers, what the model was asked for of the budget, and what is asked now."""
    progress = job.progress or {}
    if not progress.get("stage"):
        return "Waiting for a worker."
    so_far = f"{progress.get('done', 0):,} of {plural(progress.get('total', 0), 'answer')}"
    calls = progress.get("spent", {}).get("calls", 0)
    bounded = live_view.money_so_far(progress, budget) if budget.limits else ""
    return f"{so_far} ({bounded or plural(calls, 'call')}). Now: {progress['stage']}"


def _cancel(engine: Engine, run: Run) -> None:
    with writing(engine) as session:
        if not job_store.get(session, run.job_id).final:
            jobs.cancel(session, run.job_id, user_store.get(session, run.by))


# ---------------------------------------------------------------- what it came to


def _outcome(engine: Engine, run: Run, reason: str, address: str) -> Result:
    with reading(engine) as session:
        baseline, job = store.get(session, run.baseline_id), job_store.get(session, run.job_id)
        best = standing.best(baseline)
        if not reason and job.status != Status.DONE:
            reason = job.failure or f"The measurement was {job.status}."
        if not reason and best is None:
            reason = "Too many rows had errors: no variant has a result that may be used."
        spent = run_control.spent(session, baseline)
        assessment = assessment_store.get(session, baseline.assessment_id)
        return {
            "status": "done" if not reason else "stopped" if job.status == Status.CANCELLED else "failed",
            "reason": reason,
            "assessment": baseline.assessment_id,
            "baseline": baseline.id,
            "page": f"{address}/assessments/{baseline.assessment_id}/measure",
            "at": utcnow().isoformat(),
            "model": model_store.get(session, baseline.model_id).name,
            "metric": baseline.metric,
            "target": baseline.target,
            "best_arm": best.name if best else None,
            "calls": spent.calls,
            "judge_calls": spent.judge_calls,
            "taken": spent.taken,
            "tokens": round(spent.tokens),
            "cost": round(spent.money, 6) if spent.money is not None and baseline.prices else None,
            "currency": spent.currency,
            "estimated": spent.estimated,
            "arms": [_arm(baseline, arm) for arm in baseline.arms],
            "errors": _errors(session, baseline),
            "advice": evidence.judge(evidence.gather(session, assessment)).to_json(),
        }


def _errors(session: Session, baseline: BaselineRow) -> list[FailedRows]:
    names = {arm.id: arm.name for arm in baseline.arms}
    masker = answers_view.masking(session, baseline)
    return [
        {"arm": names[one.arm_id], "split": one.split, "rows": one.rows, "error": printable(masker.text(one.error))}
        for one in live_store.failing(session, list(names), LAST_ERRORS)
    ]


def _arm(baseline: BaselineRow, arm: ArmRow) -> JsonDict:
    dropped = arm.dropped
    return {
        "name": arm.name,
        "title": arm.label,
        "family": arm.family,
        "model": other_models.model_of(arm).name if not other_models.own(arm) else None,
        "dev": arm.dev.to_json() if arm.dev else None,
        "test": arm.test.to_json() if arm.test else None,
        "dropped_after": dropped.after if dropped else None,
        "instructions": standing.instructions_of(baseline, arm),
    }
