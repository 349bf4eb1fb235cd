"""Dev rows that the best prompt is asked a second time: the order, its price, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.audit import service as audit
from app.baselines import ahead, answer_store, arms, belonging, measured_model, standing, store
from app.baselines.tables import ArmRow, BaselineRow, RerunAnswerRow, RerunRow
from app.datasets.store import Example
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.evaluation import metrics, rerun
from app.evaluation.comparison import Pair
from app.evaluation.rerun import Flips
from app.inference import store as model_store
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.users.tables import UserRow
from app.web.protocols import CallPrice

ROWS_LEAST = 20  # fewer say nothing: with none of them flipped, one in six may


@dataclass(frozen=True, slots=True)
class Price:
    """What asking again takes, by what the first time took. seconds, cost: None where nobody knows; currency: of it."""

    rows: int
    tokens: float
    seconds: float | None
    cost: float | None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A finished or running order. flips: None until rows were answered twice; errors: rows without an answer."""

    row: RerunRow
    arm: ArmRow
    answered: int
    errors: int
    flips: Flips | None
    job: JobRow | None

    @property
    def running(self) -> bool:
        return self.job is not None and not self.job.final


def start(session: Session, baseline_id: int, rows: int, *, by: UserRow) -> RerunRow:
    """Ask so many dev rows of the best prompt again. One that was cancelled or failed with as many rows goes on.

    Raises:
        Conflict: something is in the way; the sentence says what.
        Invalid: too few rows, or more than there are.
    """
    assessment_store.opened(session, store.assessment_of(session, baseline_id))
    baseline = store.get(session, baseline_id)
    if refusal := against(session, baseline):
        raise Conflict(refusal)
    arm, there = standing.leading(baseline), len(ahead.sample(session, baseline, "dev"))
    least = min(ROWS_LEAST, there)
    if arm is None or not least <= rows <= there:
        sentence = f"Between {least:,} and {there:,} dev rows can be asked again."
        raise Invalid("The rows cannot be asked again like this.", [FieldError("#/rows", sentence)])
    row = _open(session, baseline_id)
    if row is None or (row.arm_id, row.rows) != (arm.id, rows):
        row = RerunRow(baseline_id=baseline_id, arm_id=arm.id, rows=rows, created_by=by.id, created_at=utcnow())
        session.add(row)
        session.flush()
    model = model_store.get(session, baseline.model_id)
    jobs.add(
        session,
        "rerun",
        baseline_id,
        by.id,
        assessment_id=baseline.assessment_id,
        title=f"Ask {rows:,} dev rows again with {model.name}",
        queue="cpu" if model.kind == "endpoint" else None,
    )
    detail = {"assessment": baseline.assessment_id, "arm": arm.name, "rows": rows, "sent_to": model.base_url or None}
    audit.record(session, by, "baseline.rerun", "baseline", baseline_id, detail)
    return row


def against(session: Session, baseline: BaselineRow) -> str:
    """Why the best prompt can't be asked again now; empty where it can."""
    if baseline.archived_at is not None:
        return "A newer measurement replaced this one."
    if job_store.find_open(session, "measure", baseline.id) or job_store.find_open(session, "rerun", baseline.id):
        return "A measurement is waiting or running. Cancel it, or wait until it is over."
    if baseline.concluded_at is None or standing.leading(baseline) is None:
        return "Let the first run finish: the best variant is what is asked again."
    return measured_model.against_model(session, baseline)


def price(baseline: BaselineRow, rows: int, prices: Mapping[int, CallPrice]) -> Price | None:
    """What so many rows take; None while no prompt leads."""
    arm = standing.leading(baseline)
    if arm is None or arm.dev is None:
        return None
    result, of_model = arm.dev, prices.get(baseline.model_id)
    tokens = rows * (result.tokens_in + result.tokens_out)
    cost = None
    if of_model is not None and result.tokens_in:
        cost = rows * (result.tokens_in * of_model.input + result.tokens_out * of_model.output) / 1e6
    seconds = rows * result.pace if result.pace else None
    return Price(rows, tokens, seconds, cost, of_model.currency if of_model else "")


def usual_rows(session: Session, baseline: BaselineRow) -> int:
    """How many are proposed."""
    return min(rerun.ROWS, len(ahead.sample(session, baseline, "dev")))


def findings(session: Session, baseline: BaselineRow) -> list[Finding]:
    """Every order of a measurement, the newest first."""
    query = select(RerunRow).where(RerunRow.baseline_id == baseline.id).order_by(RerunRow.id.desc())
    return [_finding(session, baseline, row) for row in session.scalars(query)]


def finding(session: Session, rerun_id: int) -> Finding:
    row = session.get(RerunRow, rerun_id)
    if row is None:
        raise NotFound("There is no such rerun.")
    return _finding(session, store.get(session, row.baseline_id), row)


def waiting(session: Session, baseline_id: int) -> tuple[RerunRow, list[Example]] | None:
    """The order that is to be carried out, and its rows that have no answer yet; None where nothing is ordered."""
    row = _open(session, baseline_id)
    if row is None:
        return None
    done = set(session.scalars(select(RerunAnswerRow.example_id).where(RerunAnswerRow.rerun_id == row.id)))
    return row, [one for one in chosen(session, store.get(session, baseline_id), row.rows) if one.id not in done]


def chosen(session: Session, baseline: BaselineRow, rows: int) -> list[Example]:
    """The rows that are asked again, the same ones every time, among those that were asked first."""
    there = ahead.sample(session, baseline, "dev")
    ids = set(arms.sample([row.id for row in there], rows, baseline.seed))
    return [row for row in there if row.id in ids]


class NewAnswer(TypedDict):
    """A row of `RerunAnswerRow` to be stored."""

    rerun_id: int
    example_id: int
    output: str
    error: str | None
    score: float | None
    prompt_tokens: int
    completion_tokens: int
    created_at: datetime


def put(session: Session, answers: Sequence[NewAnswer]) -> None:
    """Store answers; a row that has one keeps it."""
    if answers:
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        statement = dialect.insert(RerunAnswerRow).on_conflict_do_nothing(index_elements=["rerun_id", "example_id"])
        session.execute(statement, list(answers))


def conclude(session: Session, rerun_id: int) -> None:
    """All rows have an answer or an error."""
    row = session.get(RerunRow, rerun_id)
    if row is not None:
        row.done_at = utcnow()


def _open(session: Session, baseline_id: int) -> RerunRow | None:
    query = select(RerunRow).where(RerunRow.baseline_id == baseline_id, RerunRow.done_at.is_(None))
    return session.scalar(query.order_by(RerunRow.id.desc()).limit(1))


def _finding(session: Session, baseline: BaselineRow, row: RerunRow) -> Finding:
    again = {
        answer.example_id: answer
        for answer in session.scalars(select(RerunAnswerRow).where(RerunAnswerRow.rerun_id == row.id))
    }
    before = answer_store.of_rows(session, row.arm_id, "dev", again)
    arm = next(arm for arm in baseline.arms if arm.id == row.arm_id)
    pairs, texts = [], 0
    for row_id in sorted(before):
        first, second = before[row_id], again[row_id]
        if first.score is not None and second.score is not None:
            pairs.append(Pair(row_id, first.score, second.score))
            texts += first.output.strip() != second.output.strip()
    made = None
    if pairs:
        codes = belonging.codes(belonging.groups_of(session, baseline), [pair.id for pair in pairs])
        made = rerun.flips(pairs, texts, binary=metrics.get(baseline.metric).binary, groups=codes)
    errors = sum(answer.score is None for answer in again.values())
    job = job_store.latest(session, "rerun", baseline.id)
    return Finding(row, arm, len(again), errors, made, job if row.done_at is None else None)
