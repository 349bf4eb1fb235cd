"""Whether the optimizer can be started, with which critic, and what it will cost."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.assessments import own_servers
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.baselines import deciding_judge, judge_calls, measured_model, outlines, runs, standing
from app.baselines import store as baseline_store
from app.baselines.arms import CHARACTERS_PER_TOKEN
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import store as dataset_store
from app.economics import store as price_store
from app.inference import service as models
from app.inference import store as model_store
from app.inference import trials
from app.inference.tables import ModelRow
from app.instructions import budget as budgets
from app.instructions import rounds
from app.instructions.budget import UNPRICED, Prices
from app.instructions.order import ROWS_LEAST, Order
from app.jobs import store as job_store

UNUSABLE = ("failing", "failed", "retired")  # states of a model that is not offered


@dataclass(frozen=True, slots=True)
class CriticChoice:
    """A model that could be the critic. host: of its server, empty on this machine. against: why it can't be."""

    row: ModelRow
    host: str
    against: str
    prices: Prices


@dataclass(frozen=True, slots=True)
class Offer:
    """Whether the optimizer can be started. against: why not, each with what to do first. baseline, first: the
    measurement and the arm that it would begin with; None while there is none. critics: models to choose from."""

    against: tuple[str, ...]
    baseline: BaselineRow | None
    first: ArmRow | None
    critics: tuple[CriticChoice, ...]

    @property
    def usable(self) -> tuple[CriticChoice, ...]:
        return tuple(choice for choice in self.critics if not choice.against)


def offer(session: Session, assessment_id: int) -> Offer:
    """What stands in the way of a run, and what it would begin with."""
    assessment = assessment_store.get(session, assessment_id)
    critics = tuple(_critic(session, assessment, row) for row in model_store.usable(session) if row.kind != "bundled")
    baseline = baseline_store.current(session, assessment_id)
    first = standing.leading(baseline) if baseline else None
    against = [*_against(session, assessment, baseline, first)]
    if not critics:
        against.append(
            "No critic is set up. The embedded model cannot write better instructions: connect a server, or add a "
            "folder of a larger model, under Models."
        )
    elif all(choice.against for choice in critics):
        against.append("No model can be the critic here; each says why.")
    return Offer(tuple(against), baseline, first, critics)


def _against(
    session: Session, assessment: AssessmentRow, baseline: BaselineRow | None, first: ArmRow | None
) -> Iterator[str]:
    """What stands in the way besides the critic."""
    if assessment.recorded:
        yield "This is the finished example, to be read only."
    elif assessment.archived_at is not None:
        yield "This assessment is archived. Restore it first."
    elif job_store.open_in(session, "optimise", assessment.id):
        yield "The optimizer is waiting or running already."
    elif baseline is None or first is None or first.dev is None:
        yield "Run baselines first: the optimizer begins with the best prompt."
    elif runs.running(session, baseline) or baseline.concluded_at is None:
        yield "Let the baselines finish first: the optimizer begins with the best prompt."
    elif blocked := measured_model.against_model(session, baseline):
        yield blocked
    elif right := rounds.mostly_right(first.dev.score):
        yield right
    elif first.dev.n < ROWS_LEAST:
        yield f"At least {ROWS_LEAST} dev rows have to choose between prompts; there are {first.dev.n}."


def _critic(session: Session, assessment: AssessmentRow, row: ModelRow) -> CriticChoice:
    state, job = models.state(session, row)
    against = own_servers.against_sending(assessment, row)
    if not against and state in UNUSABLE:
        tested = trials.last(row)
        against = tested.error if tested else str(job.failure or "") if job else ""
        against = against or f"It is {state}."
    host = outlines.host_of(row.base_url) if row.kind == "endpoint" else ""
    return CriticChoice(row, host, against, prices_of(session, row))


def prices_of(session: Session, model: ModelRow) -> Prices:
    """What the team's list of prices has for a model, by its name on its server or here."""
    for name in (model.reference, model.name):
        read, write = (price_store.find_price(session, name, unit) for unit in ("input_tokens", "output_tokens"))
        if name and read is not None and write is not None:
            return Prices(read.price, write.price)
    return UNPRICED


def judge_of(session: Session, baseline: BaselineRow) -> ModelRow | None:
    """The LLM judge that decides a measurement, and so scores every draft's answers; None where no judge does."""
    judge = deciding_judge.of(baseline.judge)
    return None if judge is None else model_store.get(session, judge.model_id)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is likely to ask for, before it starts; see `budget.Expected`. tokens, seconds and cost are those of
    `most`; seconds: None where one of the models was never timed; cost: None without prices. judge_calls: those of
    `most` that the LLM judge is asked, where one decides."""

    least: int
    most: int
    critic_calls: int
    winner: int
    train_rows: int
    dev_rows: int
    tokens: int
    seconds: float | None
    cost: float | None
    judge_calls: int = 0


def estimate(session: Session, assessment_id: int, order: Order) -> Estimate | None:
    """Calls, tokens, time and money of an order; None where there is nothing to begin with."""
    there = offer(session, assessment_id)
    if there.baseline is None or there.first is None or there.first.dev is None:
        return None
    baseline, first = there.baseline, there.first.dev
    train, dev = _sizes(session, baseline, order)
    test = dataset_store.get(session, baseline.dataset_id).test_rows
    candidates = max(0, min(order.candidates, budgets.CANDIDATES_MOST))
    judge = judge_of(session, baseline)
    a_row = 1 if judge is None else 2
    tested, batch = min(baseline.test_limit or test, test), min(budgets.BATCH, train)
    calls = budgets.expected(candidates, dev, tested, batch=batch, calls_a_row=a_row)
    asked = (calls.most - calls.critic) // a_row
    read, write = first.tokens_in * asked, first.tokens_out * asked
    prompt = len(standing.instructions_of(baseline, there.first)) / CHARACTERS_PER_TOKEN
    critic_read = calls.critic * (prompt + budgets.BATCH * (first.tokens_in + 2 * first.tokens_out))
    critic_write = calls.critic * prompt
    judgements = calls.most - calls.critic - asked
    judge_read, judge_write, judge_seconds = _judgement(session, baseline)
    judge_read, judge_write = judgements * judge_read, judgements * judge_write
    paces = [pace.seconds for pace in baseline_store.paces(session, order.critic_id)]
    seconds = None
    if first.pace and paces and (not judgements or judge_seconds):
        seconds = first.pace * asked + calls.critic * sum(paces) / len(paces) + judgements * judge_seconds
    cost = None
    if order.task_prices.known and order.critic_prices.known:
        cost = order.task_prices.of(round(read), round(write)) + order.critic_prices.of(
            round(critic_read), round(critic_write)
        )
    if judge is not None and cost is not None:
        prices = prices_of(session, judge)
        cost = cost + prices.of(round(judge_read), round(judge_write)) if prices.known else None
    return Estimate(
        least=calls.least,
        most=calls.most,
        critic_calls=calls.critic,
        winner=calls.winner,
        train_rows=train,
        dev_rows=dev,
        tokens=round(read + write + critic_read + critic_write + judge_read + judge_write),
        seconds=seconds,
        cost=cost,
        judge_calls=judgements,
    )


def _judgement(session: Session, baseline: BaselineRow) -> tuple[float, float, float]:
    """Tokens in and out and seconds of one judgement, by those of the measurement; zeros where there is none."""
    used = judge_calls.used(session, [arm.id for arm in baseline.arms])
    return used.a_call or (0.0, 0.0, 0.0)


def _sizes(session: Session, baseline: BaselineRow, order: Order) -> tuple[int, int]:
    """Rows to reflect on and rows to choose by."""
    dataset = dataset_store.get(session, baseline.dataset_id)
    dev = min(dataset.dev_rows, baseline.dev_limit or dataset.dev_rows)
    train = dataset.train_rows
    return min(train, order.train_rows or train), min(dev, order.dev_rows or dev)
