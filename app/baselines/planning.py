"""Before a measurement: what has to be done elsewhere, whether an order can be carried out, and what it will cost.

Metric and target come first (gate G7), then a frozen split; only then may anything be asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.baselines import arms, catalogue, measured_model, store
from app.baselines.arms import Arm
from app.baselines.catalogue import Context
from app.baselines.order import BaselineRequest
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.datasets.tables import DatasetRow
from app.errors import Conflict, FieldError, Invalid
from app.evaluation import metrics
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.wording import percent

INSTRUCTIONS_LIMIT = 20_000
ROWS_LEAST = 20  # a smaller sample says nothing
SHOTS_MOST = 20
TOKENS_MOST = 4096
PATTERN_COVERAGE = 0.9  # least share of wanted answers in which a pattern has to find anything
BUNDLED_READS, BUNDLED_WRITES = 500.0, 30.0  # tokens a second on one ordinary core, until it has been timed here
CHARACTERS_PER_TOKEN = arms.CHARACTERS_PER_TOKEN
ALIKE = 2.0  # calls of up to so many times the tokens measured so far are estimated well, others roughly


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will ask for, before it starts.

    seconds: from how long this model took so far for how many tokens; a rough guess for the embedded model before its
    first answer, None for others. rough: it is from other rows or settings than these, or from no counted tokens.
    most_calls: if as many prompts as may are within reach of the best one on the dev rows, and so are asked the test
    rows as well; tokens, time and money are those of `calls`.
    cost: None without prices.
    """

    calls: int
    most_calls: int
    dev_rows: int
    test_rows: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None
    rough: bool
    cost: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """An order that can be carried out."""

    assessment: AssessmentRow
    dataset: DatasetRow
    model: ModelRow
    metric: str
    metric_options: dict[str, Any]
    target: float
    arms: tuple[Arm, ...]
    estimate: Estimate


def blockers(session: Session, assessment: AssessmentRow) -> list[str]:
    """Everything that has to be done elsewhere before a measurement can start, in the order to do it."""
    missing = []
    if assessment.recorded:
        missing.append("This is the finished example, to be read only. Duplicate it to measure something.")
    if assessment.archived_at is not None:
        missing.append("This assessment is archived. Restore it first.")
    answers = assessments.answers(assessment)
    if answers.get("metric") not in metrics.METRICS or not isinstance(answers.get("target"), int | float):
        missing.append(
            "Choose the metric and the target in the questionnaire first. They are set before the first result, so "
            "results cannot influence them."
        )
    dataset = dataset_store.current(session, assessment.id)
    if dataset is None:
        missing.append("Upload examples first: there is nothing to measure on.")
    elif dataset.frozen_at is None:
        missing.append("Freeze the split first: the test rows have to stand before anything is tried on them.")
    return missing


def plan(session: Session, assessment_id: int, order: BaselineRequest) -> Plan:
    """Check an order and say what it will cost.

    Raises:
        Conflict: something has to be done elsewhere first; all of it is said.
        Invalid: the order itself cannot be used; all faults at once.
    """
    assessment = assessment_store.get(session, assessment_id)
    if missing := blockers(session, assessment):
        raise Conflict.because(missing)
    answers = assessments.answers(assessment)
    dataset = dataset_store.current(session, assessment_id)
    if dataset is None:  # said by `blockers`
        raise Conflict("Upload examples first.")
    metric, target = str(answers["metric"]), float(answers["target"])
    faults = list(_faults(order))
    options: dict[str, Any] = {}
    try:
        options = metrics.checked(metric, order.metric_options)
    except Invalid as refusal:
        faults += refusal.errors
    model = _usable(session, assessment, order, faults)
    examples = {split: dataset_store.rows(session, dataset.id, split) for split in ("train", "dev", "test")}
    if "pattern" in options:
        faults += _pattern_faults(options["pattern"], [example.target for example in examples["dev"]])
    context = Context(session, assessment, dataset, examples, order)
    faults += [FieldError("#/arms", refusal) for refusal in catalogue.refused(context)]
    if faults or model is None:
        raise Invalid("The measurement cannot start like this.", faults)
    planned = catalogue.chosen(context)
    costs = _estimate(session, order, planned, examples)
    return Plan(assessment, dataset, model, metric, options, target, planned, costs)


def _faults(order: BaselineRequest) -> list[FieldError]:
    faults = []
    if not order.instructions.strip():
        faults.append(FieldError("#/instructions", "Write what the model should do; every variant starts with it."))
    if len(order.instructions) > INSTRUCTIONS_LIMIT:
        faults.append(FieldError("#/instructions", f"At most {INSTRUCTIONS_LIMIT:,} characters are possible."))
    for name, value, most in (
        ("k_random", order.k_random, SHOTS_MOST),
        ("k_nearest", order.k_nearest, SHOTS_MOST),
        ("max_tokens", order.max_tokens, TOKENS_MOST),
    ):
        if not 1 <= value <= most:
            faults.append(FieldError(f"#/{name}", f"Use a number from 1 to {most:,}."))
    for name, value in (("dev_rows", order.dev_rows), ("test_rows", order.test_rows)):
        if value != 0 and value < ROWS_LEAST:
            faults.append(FieldError(f"#/{name}", f"Ask at least {ROWS_LEAST} rows, or all of them."))
    if not set(order.variants) & set(arms.PROMPTED) or not set(order.variants) <= set(arms.PROMPTED):
        faults.append(FieldError("#/variants", "Choose at least one prompt variant."))
    for name, price in (("price_in", order.price_in), ("price_out", order.price_out)):
        if price is not None and not 0 <= price <= 1e6:
            faults.append(FieldError(f"#/{name}", "Use a price per million tokens, or leave it empty."))
    return faults


def _pattern_faults(pattern: str, targets: Sequence[str]) -> list[FieldError]:
    """Where an expression finds nothing in the wanted answer, any text without a finding would count as right."""
    covered = metrics.pattern_coverage(pattern, targets)
    if covered >= PATTERN_COVERAGE:
        return []
    return [
        FieldError(
            "#/metric_options/pattern",
            f"It finds something in only {percent(covered, 0)} of the expected dev answers. In the others any "
            f"answer without a finding would count as right. Make it match in at least "
            f"{percent(PATTERN_COVERAGE, 0)}, for example by adding what every answer has to begin with.",
        )
    ]


def host_of(base_url: str) -> str:
    """The part of a server's address that says whose it is, with its port."""
    return urlsplit(base_url).netloc or base_url


def _usable(
    session: Session, assessment: AssessmentRow, order: BaselineRequest, faults: list[FieldError]
) -> ModelRow | None:
    model = next((row for row in model_store.usable(session) if row.id == order.model_id), None)
    if model is None:
        faults.append(FieldError("#/model_id", "Choose one of the models."))
    elif against := measured_model.against_sending(assessment, model):
        faults.append(FieldError("#/model_id", against))
    elif model.kind == "endpoint" and not order.consent:
        faults.append(FieldError("#/consent", f"Confirm that rows may be sent to {host_of(model.base_url)}."))
    return model


def estimate(session: Session, assessment_id: int, order: BaselineRequest) -> Estimate | None:
    """Calls, tokens, time and money of an order, right or not; None while there is nothing to measure on."""
    assessment = assessment_store.get(session, assessment_id)
    dataset = dataset_store.current(session, assessment_id)
    if dataset is None:
        return None
    examples = {split: dataset_store.rows(session, dataset.id, split) for split in ("train", "dev", "test")}
    planned = catalogue.chosen(Context(session, assessment, dataset, examples, order))
    return _estimate(session, order, planned, examples)


def _estimate(
    session: Session, order: BaselineRequest, planned: Sequence[Arm], examples: Mapping[str, Sequence[Example]]
) -> Estimate:
    """Calls, tokens, time and money, from the texts and from how long this model took so far."""
    dev = min(len(examples["dev"]), order.dev_rows or len(examples["dev"]))
    test = min(len(examples["test"]), order.test_rows or len(examples["test"]))
    prompted = [arm for arm in planned if not arm.free]
    calls = len(prompted) * dev + test if prompted else 0
    shots = [int(arm.settings.get("k", 0)) for arm in prompted]
    rows = list(examples["dev"]) or list(examples["train"])
    question = _mean([sum(len(turn.content) for turn in row.messages) for row in rows])
    answer = _mean([len(row.target) for row in rows])
    per_call = [len(order.instructions) + question + k * (question + answer) for k in shots]
    prompt = (sum(per_call) * dev + max(per_call, default=0) * test) / CHARACTERS_PER_TOKEN
    completion = calls * min(float(order.max_tokens), max(1.0, answer / CHARACTERS_PER_TOKEN))
    seconds, rough = _time(session, order, calls, prompt, completion)
    cost = None
    if order.price_in is not None and order.price_out is not None:
        cost = (prompt * order.price_in + completion * order.price_out) / 1e6
    return Estimate(
        calls=calls,
        most_calls=calls + max(0, min(arms.RIVALS_MOST, len(prompted) - 1)) * test,
        dev_rows=dev,
        test_rows=test,
        prompt_tokens=round(prompt),
        completion_tokens=round(completion),
        seconds=seconds,
        rough=rough,
        cost=cost,
    )


def _time(
    session: Session, order: BaselineRequest, calls: int, prompt: float, completion: float
) -> tuple[float | None, bool]:
    """Seconds for that many tokens, by what this model took so far, and whether that is a rough guess.

    Reading a token takes a model a small part of the time that writing one takes; the ratio is that of the embedded
    model, and close enough for others: what counts is that ten times the tokens are not the same time.
    """

    def work(read: float, write: float) -> float:
        return read / BUNDLED_READS + write / BUNDLED_WRITES

    paces = store.paces(session, order.model_id)
    if not paces:
        row = model_store.bundled(session)
        return (work(prompt, completion) if row and row.id == order.model_id else None), True
    weighed = [pace for pace in paces if work(pace.prompt_tokens, pace.completion_tokens) > 0]
    if not weighed:
        return calls * sum(pace.seconds for pace in paces) / len(paces), True
    spent = sum(pace.seconds for pace in weighed)
    rate = spent / sum(work(pace.prompt_tokens, pace.completion_tokens) for pace in weighed)
    seconds = rate * work(prompt, completion)
    so_far = sum(work(pace.prompt_tokens, pace.completion_tokens) for pace in weighed) / len(weighed)
    planned = work(prompt, completion) / max(1, calls)
    alike = max(so_far, planned) <= ALIKE * min(so_far, planned)
    return seconds, not (alike and all(pace.counted for pace in weighed))


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values) if values else 0.0
