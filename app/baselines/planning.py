"""Before a measurement: what has to be done elsewhere, whether an order can be carried out, and what it will cost.

Metric and target come first (gate G7), then a frozen split; only then may anything be asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from app.advice.facts import BEYOND
from app.assessments import own_servers
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.baselines import arms, catalogue, deciding_judge, executing, judge_costs, outlines, spending
from app.baselines.arms import Arm
from app.baselines.judge_costs import JudgeCost
from app.baselines.offers import Context, Offer
from app.baselines.order import BaselineRequest
from app.baselines.outlines import Estimate, Known, Outline, host_of
from app.baselines.spending import Budget, Prices
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow
from app.errors import Conflict, FieldError, Invalid
from app.evaluation import metrics
from app.evaluation.kinds.metric import Kept, text_of
from app.evaluation.metrics import Options
from app.inference import store as model_store
from app.inference import trials
from app.inference.tables import ModelRow
from app.json_types import JsonObject
from app.web.protocols import JudgeChoice
from app.wording import percent

INSTRUCTIONS_LIMIT = 20_000
ROWS_LEAST = 20  # a smaller sample says nothing
SHOTS_MOST = 20
TOKENS_MOST = 4096
MOST_AT_ONCE = 64  # calls at once
PATTERN_COVERAGE = 0.9  # least share of wanted answers in which a pattern has to find anything
NOTHING = Known()
NO_JUDGE = (
    "No LLM judge can decide yet. Measure by another metric first; on the page LLM judge write the rubric, start it on "
    "pass or fail, and have people label 50 answers. Its agreement with them has to reach the policy's kappa."
)


@dataclass(frozen=True, slots=True)
class Plan:
    """An order that can be carried out. embedders: models on servers that get its questions to search passages by.
    prices: of the models that are asked, by their id, where there is one. judge: the LLM judge that decides, as a
    measurement keeps it; None where no judge does."""

    assessment: AssessmentRow
    dataset: DatasetRow
    model: ModelRow
    metric: str
    metric_options: Kept
    target: float
    arms: tuple[Arm, ...]
    estimate: Estimate
    embedders: tuple[ModelRow, ...]
    prices: Prices = field(default_factory=Prices)
    budget: Budget = field(default_factory=Budget)
    judge: JsonObject | None = None


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


def plan(session: Session, assessment_id: int, order: BaselineRequest, known: Known = NOTHING) -> Plan:
    """Check an order and say what it will cost.

    Raises:
        Conflict: something has to be done elsewhere first; all of it is said.
        Invalid: the order itself cannot be used; all faults at once.
    """
    assessment = assessment_store.get(session, assessment_id)
    if missing := blockers(session, assessment):
        raise Conflict.because(missing)
    answers = assessments.answers(assessment)
    context = _context(session, assessment, order, known)
    if context is None:  # said by `blockers`
        raise Conflict("Upload examples first.")
    metric, target = str(answers["metric"]), answers["target"]
    assert isinstance(target, int | float)  # noqa: S101 - `blockers` has looked
    faults = list(_faults(order))
    options: Kept = {}
    try:
        options = metrics.checked(metric, order.metric_options)
    except Invalid as refusal:
        faults += refusal.errors
    model = _usable(session, assessment, order, faults, thinks=context.dataset.trains_reasoning)
    judge, wrong = _judge(context, options, known) if metric == deciding_judge.METRIC else (None, [])
    faults += wrong
    faults += executing.faults(session, known.settings, context, metric, options)
    if "pattern" in options:
        faults += _pattern_faults(text_of(options, "pattern"), [example.target for example in context.examples["dev"]])
    made = catalogue.offers(context)
    faults += [FieldError("#/arms", refusal) for refusal in catalogue.refused(context, made)]
    planned = catalogue.chosen(context, made)
    faults += _faults_of(context, made, planned)
    asked = [*_asked(context, planned), *([judge.model_id] if judge is not None else [])]
    prices = _prices(context, asked, known)
    budget = Budget(order.budget_calls, order.budget_tokens, order.budget_money)
    faults += budget_faults(session, budget, prices, list(dict.fromkeys(asked)))
    if faults or model is None:
        raise Invalid("The measurement cannot start like this.", faults)
    costs = _outline(context, made, known).total
    embedders = tuple(model_store.get(session, model_id) for model_id in _embedders(context, made))
    return Plan(
        assessment,
        context.dataset,
        model,
        metric,
        options,
        target,
        planned,
        costs,
        embedders,
        prices,
        budget,
        judge.kept if judge is not None else None,
    )


def _judge(context: Context, options: Options, known: Known) -> tuple[JudgeChoice | None, list[FieldError]]:
    """The judge that an order names, or why it can't decide: the gate stays shut where nobody knows of any."""
    pointer = "#/metric_options/judge"
    there = known.judges(context.session, context.assessment) if known.judges is not None else ()
    judge = next((one for one in there if one.key == options.get("judge")), None)
    if judge is None:
        usable = any(not one.against for one in there)
        reasons = " ".join(f"{one.label}: {one.against}" for one in there if one.against)
        return None, [FieldError(pointer, "Choose the LLM judge." if usable else reasons or NO_JUDGE)]
    if judge.against:
        return None, [FieldError(pointer, judge.against)]
    order = context.order
    if judge.host and judge.model_id not in {*order.consents, *([order.model_id] if order.consent else [])}:
        return judge, [
            FieldError("#/consents", f"Confirm that rows and answers may be sent to {judge.host}, the LLM judge.")
        ]
    return judge, []


def outline(session: Session, assessment_id: int, order: BaselineRequest, known: Known = NOTHING) -> Outline | None:
    """Every arm that could be measured with what it would cost, and the sum of what the order takes, right or not; None
    while there is nothing to measure on."""
    context = _context(session, assessment_store.get(session, assessment_id), order, known)
    return _outline(context, catalogue.offers(context), known) if context else None


def _outline(context: Context, made: Sequence[Offer], known: Known) -> Outline:
    judge = judge_costs.chosen(context, known)
    if judge is None:
        return outlines.outline(context, made, known)
    price = outlines.prices(context, known).get(judge.model_id)
    return outlines.outline(context, made, known, JudgeCost.of(context, judge, price).calls)


def _context(session: Session, assessment: AssessmentRow, order: BaselineRequest, known: Known) -> Context | None:
    dataset = dataset_store.current(session, assessment.id)
    if dataset is None:
        return None
    examples = {split: dataset_store.rows(session, dataset.id, split) for split in ("train", "dev", "test")}
    return Context(session, assessment, dataset, examples, order, known.settings)


def _faults_of(context: Context, made: Sequence[Offer], planned: Sequence[Arm]) -> Iterator[FieldError]:
    """Of the arms that were chosen: that there is a prompt to find, and consent for each server that gets the rows, be
    it only to search passages by their questions."""
    order = context.order
    beside = (*arms.FREE, *BEYOND)
    if order.arms is not None and all(arm.family in beside for arm in planned):
        yield FieldError("#/arms", "Choose at least one prompt of the model itself.")
    others = dict.fromkeys(int(arm.settings["model_id"]) for arm in planned if "model_id" in arm.settings)
    others |= dict.fromkeys(_embedders(context, made))
    agreed = {*order.consents, *([order.model_id] if order.consent else [])}
    for model_id in others:
        row = model_store.get(context.session, model_id)
        if row.kind == "endpoint" and model_id not in agreed:
            yield FieldError("#/consents", f"Confirm that rows may be sent to {host_of(row.base_url)}.")


def _asked(context: Context, planned: Sequence[Arm]) -> list[int]:
    """Ids of the models that answer."""
    others = (int(arm.settings["model_id"]) for arm in planned if "model_id" in arm.settings)
    return list(dict.fromkeys((context.order.model_id, *others)))


def _prices(context: Context, asked: Sequence[int], known: Known) -> Prices:
    listed = outlines.prices(context, known)
    return Prices({model_id: listed[model_id] for model_id in asked if model_id in listed})


def budget_faults(session: Session, budget: Budget, prices: Prices, asked: Sequence[int]) -> Iterator[FieldError]:
    """What is wrong with a limit: money can only be counted where every model that is asked has a price."""
    for unit, wrong in spending.budget_faults(budget):
        yield FieldError(f"#/budget_{unit}", wrong)
    lacking = [model_id for model_id in asked if model_id not in prices.of_model] if budget.money is not None else []
    names = ", ".join(row.name for row in model_store.everything(session) if row.id in lacking)
    if names:
        yield FieldError(
            "#/budget_money",
            f"There is no price for {names}: enter one on the page Prices, or set a budget of tokens.",
        )


def _embedders(context: Context, made: Sequence[Offer]) -> list[int]:
    """Ids of models on servers that get the questions of the rows, of the arms that the order asks for."""
    return sorted({offer.embeds for offer in made if offer.embeds and catalogue.takes(context, offer)})


def _faults(order: BaselineRequest) -> list[FieldError]:
    faults = []
    if not order.instructions.strip():
        faults.append(FieldError("#/instructions", "Write what the model should do; every variant starts with it."))
    written = {"instructions": order.instructions, "passage_instructions": order.passage_instructions or ""}
    too_long = [name for name, text in written.items() if len(text) > INSTRUCTIONS_LIMIT]
    faults += [FieldError(f"#/{name}", f"At most {INSTRUCTIONS_LIMIT:,} characters are possible.") for name in too_long]
    for name, label, value, most in (
        ("k_random", "Random examples", order.k_random, SHOTS_MOST),
        ("k_nearest", "Nearest examples", order.k_nearest, SHOTS_MOST),
        ("max_tokens", "Max output tokens", order.max_tokens, TOKENS_MOST),
    ):
        if not 1 <= value <= most:
            faults.append(FieldError(f"#/{name}", f"{label}: use a number from 1 to {most:,}."))
    for split, value in (("dev", order.dev_rows), ("test", order.test_rows)):
        if value != 0 and value < ROWS_LEAST:
            text = f"Ask at least {ROWS_LEAST} {split} rows, or all of them."
            faults.append(FieldError(f"#/{split}_rows", text))
    if not set(order.variants) & set(arms.PROMPTED) or not set(order.variants) <= set(arms.PROMPTED):
        faults.append(FieldError("#/variants", "Choose at least one prompt variant."))
    if order.at_once is not None and not 1 <= order.at_once <= MOST_AT_ONCE:
        faults.append(FieldError("#/at_once", f"Calls at once: use a number from 1 to {MOST_AT_ONCE}."))
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


def _usable(
    session: Session, assessment: AssessmentRow, order: BaselineRequest, faults: list[FieldError], *, thinks: bool
) -> ModelRow | None:
    model = next((row for row in model_store.usable(session) if row.id == order.model_id), None)
    if model is None:
        faults.append(FieldError("#/model_id", "Choose one of the models."))
    elif against := own_servers.against_sending(assessment, model):
        faults.append(FieldError("#/model_id", against))
    elif thinks and model.kind == "endpoint" and (known := trials.manner(model)) is not None and known.wire is not None:
        sentence = f"{model.name}: its thinking is switched off under Models, and this data trains reasoning."
        faults.append(FieldError("#/model_id", f"{sentence} Let it think again, or choose another model."))
    elif model.kind == "endpoint" and not order.consent:
        faults.append(FieldError("#/consent", f"Confirm that rows may be sent to {host_of(model.base_url)}."))
    return model
