"""What people do with costs: keep the list of prices, say what they assume, and see what it comes to.

Prices are the team's, so everybody who may write an assessment may keep them; each change is in the audit record with
the price before. An assessment always counts with the prices of today: a study that once paid and no longer does is
news, and an approval that rested on it falls with it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.advice.evidence import Evidence, Score
from app.advice.policy import Policy
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.audit import service as audit
from app.baselines import facts, measured_model, other_models, standing
from app.baselines import store as baseline_store
from app.baselines.arms import FREE, ArmResult
from app.baselines.measured_model import MeasuredModel
from app.baselines.standing import Counting
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow
from app.db import utcnow
from app.economics import answer, assumptions, cost_model, prices, store
from app.economics.assumptions import Assumptions, Worth
from app.economics.costs import CostInput, MeasuredWay, Study
from app.economics.prices import Price
from app.economics.tables import CostRow, PriceRow
from app.errors import Conflict, FieldError, Invalid
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.json_types import JsonDict
from app.users.tables import UserRow
from app.web.protocols import CallPrice, ListedPrice


def today() -> date:
    return utcnow().date()


# ---------------------------------------------------------------- the list of prices


def add_price(session: Session, sent: Mapping[str, object], by: UserRow) -> PriceRow:
    """Enter a price.

    Raises:
        Conflict: somebody else entered it at the same moment.
        Invalid: it can't be used, or the same thing has a price already.
    """
    price = prices.read(sent, today())
    if store.find_price(session, price.name, price.unit):
        raise Invalid("It has a price already.", [FieldError("#/name", "It has a price for this already: edit that.")])
    return _put(session, None, price, by)


def change_price(session: Session, price_id: int, sent: Mapping[str, object], by: UserRow) -> PriceRow:
    """Replace a price by a newer one, or mend it.

    Raises:
        Invalid: it can't be used, or another one is of the same thing.
    """
    row = store.price(session, price_id)
    price = prices.read(sent, today())
    other = store.find_price(session, price.name, price.unit)
    if other is not None and other.id != row.id:
        raise Invalid("It has a price already.", [FieldError("#/name", "Another line has a price for this already.")])
    return _put(session, row, price, by)


def drop_price(session: Session, price_id: int, by: UserRow) -> None:
    row = store.price(session, price_id)
    audit.record(session, by, "price.delete", "price", row.id, _recorded(row.value))
    session.delete(row)


def import_prices(session: Session, raw: bytes, by: UserRow) -> tuple[int, int]:
    """Take a file over: what is in the list already gets the new price, the rest is added. How many of each.

    Raises:
        Invalid: a line can't be used; then nothing is taken.
    """
    added = changed = 0
    for price in prices.from_csv(raw, today()):
        row = store.find_price(session, price.name, price.unit)
        if row is not None and row.value == price:
            continue
        _put(session, row, price, by)
        added, changed = (added, changed + 1) if row else (added + 1, changed)
    return added, changed


def export_prices(session: Session) -> bytes:
    return prices.to_csv(row.value for row in store.prices(session))


def _put(session: Session, row: PriceRow | None, price: Price, by: UserRow) -> PriceRow:
    before = _recorded(row.value) if row else None
    try:
        with session.begin_nested():
            if row is None:
                row = PriceRow()
                session.add(row)
            row.name, row.unit, row.price, row.currency = price.name, price.unit, price.price, price.currency
            row.dated, row.source = price.dated, price.source
            row.edited_by, row.edited_at = by.id, utcnow()
    except IntegrityError as error:
        raise Conflict("Somebody else entered a price for this at the same moment. Look at the list again.") from error
    if before != _recorded(price):
        act, detail = (
            ("price.change", {"from": before, "to": _recorded(price)}) if before else ("price.add", _recorded(price))
        )
        audit.record(session, by, act, "price", row.id, detail)
    return row


def _recorded(price: Price) -> JsonDict:
    return {
        "name": price.name,
        "unit": price.unit,
        "price": price.price,
        "currency": price.currency,
        "dated": price.dated.isoformat(),
        "source": price.source,
    }


# ---------------------------------------------------------------- what is assumed


def assumed(session: Session, assessment_id: int) -> Assumptions:
    """What was declared so far; everything open if nothing was."""
    row = store.find_costs(session, assessment_id)
    return assumptions.of_stored(row.assumptions) if row else Assumptions()


def assume(session: Session, assessment_id: int, sent: Mapping[str, object], by: UserRow) -> Study:
    """Keep what is declared about the costs, and say what it comes to. The target's helper keeps what it has.

    Raises:
        Invalid: a figure can't be used.
        Conflict: the assessment is archived.
    """
    assessment = assessment_store.opened(session, assessment_id)
    before = assumed(session, assessment_id)
    new = replace(assumptions.read(sent), success=before.success, kinds=before.kinds)
    _keep(session, assessment, new, by, "costs")
    return of(session, assessment)


def use_target(session: Session, assessment_id: int, sent: Mapping[str, object], by: UserRow) -> Worth:
    """Keep what answers are worth, and make the accuracy that follows the target.

    The target is rounded to a tenth of a percent, as people type it.

    Raises:
        Invalid: no target follows from what was sent.
        Conflict: the assessment is archived.
    """
    assessment = assessment_store.opened(session, assessment_id)
    worth = assumptions.read_worth(sent)
    new = replace(assumed(session, assessment_id), success=worth.success, kinds=worth.kinds)
    _keep(session, assessment, new, by, "target")
    results = has_results(session, assessment_id)
    assessments.patch(session, assessment_id, {"target": round(worth.target, 3)}, by, has_results=results)
    return worth


def has_results(session: Session, assessment_id: int) -> bool:
    """Whether a result was seen, so that a change of the target counts."""
    if assessment_store.get(session, assessment_id).result_seen_at is not None:
        return True
    return facts.measured(session, assessment_id).baseline is not None


def _keep(session: Session, assessment: AssessmentRow, new: Assumptions, by: UserRow, what: str) -> None:
    row = store.find_costs(session, assessment.id)
    before = row.assumptions if row else {}
    counted = measured(session, assessment)
    after = new.to_json()
    if row is None:
        row = CostRow(assessment_id=assessment.id)
        session.add(row)
    row.assumptions, row.edited_by, row.edited_at = after, by.id, utcnow()
    session.flush()
    if before == after:
        return
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    audit.record(
        session,
        by,
        f"economics.{what}",
        "assessment",
        assessment.id,
        {"changed": {key: [before.get(key), after.get(key)] for key in changed}},
    )
    assessments.contribute(session, assessment, by, what, changed=measured(session, assessment) != counted)


# ---------------------------------------------------------------- what it comes to


def of(session: Session, assessment: AssessmentRow) -> Study:
    """The costs of an assessment as it stands, with the prices of today."""
    dataset = dataset_store.current(session, assessment.id)
    return _study(session, assessment, dataset, _comparable(session, assessment, dataset))


def _study(
    session: Session, assessment: AssessmentRow, dataset: DatasetRow | None, comparable: Sequence[BaselineRow]
) -> Study:
    answers = assessments.answers(assessment)
    policy = assessments.policy_of(session, assessment)
    target, calls = answers.get("target"), answers.get("calls_per_month")
    return cost_model.work_out(
        CostInput(
            arms=list(_arms(session, assessment, comparable, policy)),
            assumptions=assumed(session, assessment.id),
            prices=[row.value for row in store.prices(session)],
            today=today(),
            calls=_number(calls),
            target=_number(target),
            waits=answers.get("latency") == "tight",
            usable=dataset.usable_rows if dataset else None,
            payback=policy.limit("months_ahead"),
            floor=policy.count("usable_examples"),
            test_lacks=max(0, policy.count("test_rows") - (dataset.test_rows if dataset else 0)),
            dev_rows=dataset.dev_rows if dataset else 0,
            test_rows=dataset.test_rows if dataset else 0,
        )
    )


def call_prices(session: Session, assessment: AssessmentRow, rows: Sequence[ModelRow], /) -> Mapping[int, CallPrice]:
    """What a million tokens of these models cost, by their id, as the costs page would count it; those without a price
    are not there."""
    declared, listed = assumed(session, assessment.id), [row.value for row in store.prices(session)]
    currency = prices.currency_of(listed, declared.currency)
    rates = prices.rates_of(price for price in listed if price.currency in ("", currency))
    found = {}
    for row in rows:
        name = declared.rates.get(str(row.id)) or prices.named_like(rates, row.name, row.reference)
        if name in rates:
            found[row.id] = CallPrice(rates[name].input, rates[name].output, currency)
    return found


def list_price(session: Session, row: ModelRow, /) -> ListedPrice | None:
    """What the team's list says of a model, by its name here or on its server."""
    listed = [price.value for price in store.prices(session)]
    rates = prices.rates_of(listed)
    if not (name := prices.named_like(rates, row.name, row.reference)):
        return None
    used = next(price for price in listed if price.name == name and price.unit == "input_tokens")
    return ListedPrice(CallPrice(rates[name].input, rates[name].output, used.currency), name, used.dated, used.source)


def price_setters(session: Session, study: Study) -> list[tuple[int, str]]:
    """Who last set the prices that a cost case rests on: (user id, what they did)."""
    used = {(price.name, price.unit) for price in study.used}
    return [
        (row.edited_by, f"set the price of {row.name}") for row in store.prices(session) if (row.name, row.unit) in used
    ]


def _number(value: object) -> float | None:
    """A number that was answered; None for "I don't know"."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class CostFacts:
    """What costs say to gate G12 and factor F17, and the larger model to gate G6; `evidence` is empty before anybody
    said anything. study: the sums it rests on; None where cost is no goal, or nothing was said. teacher: the answers of
    that larger model.
    """

    evidence: Evidence
    study: Study | None = None
    teacher: ArmRow | None = None


def measured(session: Session, assessment: AssessmentRow, base: ModelRow | None = None) -> Evidence:
    """What costs say to the criteria. base: the model that would be trained."""
    dataset = dataset_store.current(session, assessment.id)
    return gathered(session, assessment, dataset, facts.counted(session, assessment.id, dataset, base)).evidence


def gathered(session: Session, assessment: AssessmentRow, dataset: DatasetRow | None, counts: Counting) -> CostFacts:
    """The same from what was read already: the current version of the data, and the measurement that counts.

    `not_goal` where cost is not among the goals: then the sums are shown, and decide nothing.
    """
    goals = assessments.answers(assessment).get("goals")
    aimed_at = isinstance(goals, list) and "efficiency" in goals
    comparable = _comparable(session, assessment, dataset) if aimed_at else []
    arm = _teacher(comparable, counts.row)
    teacher = _score(arm.test) if arm is not None and arm.test is not None else None
    if not isinstance(goals, list) or store.find_costs(session, assessment.id) is None:
        return CostFacts(Evidence(teacher=teacher), teacher=arm)
    if not aimed_at:
        return CostFacts(Evidence(cost_case="not_goal"))
    study = _study(session, assessment, dataset, comparable)
    basis = answer.basis(study) if study.case else None
    return CostFacts(Evidence(teacher=teacher, cost_case=study.case or None, cost_basis=basis), study, arm)


def _teacher(comparable: Sequence[BaselineRow], counts: BaselineRow | None) -> ArmRow | None:
    """The best result of another model on the same rows, if it beats the one that counts: whose work a small model
    would take over (gate G6 where cost is the goal)."""
    own = standing.best(counts) if counts is not None else None
    if counts is None or own is None or own.test is None:
        return None
    results = [
        (arm.test.score, arm)
        for baseline in comparable
        if baseline.model_id != counts.model_id
        and (arm := standing.best(baseline)) is not None
        and arm.test is not None
    ]
    beside = [arm for baseline in comparable for arm in other_models.tested(baseline)]
    results += [(arm.test.score, arm) for arm in beside if arm.test and arm.settings["model_id"] != counts.model_id]
    score, best = max(results, key=lambda result: result[0], default=(0.0, None))
    return best if best is not None and score > own.test.score else None


def _score(best: ArmResult) -> Score:
    if best.passed is not None:
        return Score(passed=best.passed, total=best.n)
    return Score(score=best.score, low=best.low, high=best.high, rows=best.n)


def models(session: Session, assessment: AssessmentRow) -> Sequence[ModelRow]:
    """The models that were measured for an assessment, the newest measurement's first."""
    dataset = dataset_store.current(session, assessment.id)
    measured_on = _comparable(session, assessment, dataset)
    ids = dict.fromkeys(
        model_id for baseline in measured_on for model_id in (baseline.model_id, *other_models.asked(baseline))
    )
    return [model_store.get(session, model_id) for model_id in ids]


def _comparable(session: Session, assessment: AssessmentRow, dataset: DatasetRow | None) -> list[BaselineRow]:
    """Measurements on the rows and the metric that count today; those put aside for another model are among them."""
    metric = assessments.answers(assessment).get("metric")
    return [
        baseline
        for baseline in baseline_store.of_assessment(session, assessment.id)
        if dataset is not None and baseline.dataset_id == dataset.id and baseline.metric == metric
    ]


def _arms(
    session: Session, assessment: AssessmentRow, comparable: Sequence[BaselineRow], policy: Policy
) -> Iterator[MeasuredWay]:
    """Every way that was measured: each model's newest measurement, its draws of random examples taken together."""
    target = _number(assessments.answers(assessment).get("target"))
    seen: set[int] = set()
    for baseline in comparable:
        if baseline.model_id in seen:
            continue
        of_today = (arm for arm in baseline.arms if not arm.outdated)
        known = [(arm, result) for arm in of_today if (result := _result(arm)) is not None]
        if not known:
            continue
        seen.add(baseline.model_id)
        model = measured_model.model_of(session, baseline)
        drawn = [arm for arm, _ in known if arm.family == "few_shot_random"]
        numbers = dict.fromkeys(arm.settings.get("k") for arm in drawn)
        draws = [_on_like_rows([arm for arm in drawn if arm.settings.get("k") == k]) for k in numbers]
        single = [[pair] for pair in known if pair[0].family != "few_shot_random" and other_models.own(pair[0])]
        grace = policy.limit("target_grace")
        for group in [*single, *draws]:
            yield _arm(baseline, baseline.model_id, model, group, target, grace)
        for arm, result in known:
            if not other_models.own(arm) and all(arm.settings["model_id"] != one.model_id for one in comparable):
                other = other_models.model_of(arm)
                yield _arm(baseline, arm.settings["model_id"], other, [(arm, result)], target, grace)


def _result(arm: ArmRow) -> ArmResult | None:
    """The test result if there is one, else the dev result; None where too many rows got no answer."""
    return next((result for result in (arm.test, arm.dev) if result is not None and result.known), None)


def _on_like_rows(draws: Sequence[ArmRow]) -> list[tuple[ArmRow, ArmResult]]:
    """Draws that are taken together, all by the test rows or all by the dev rows: a mean over both is of neither."""
    tested = [(arm, arm.test) for arm in draws if arm.test and arm.test.known]
    on_dev = [(arm, arm.dev) for arm in draws if arm.dev and arm.dev.known]
    return tested if len(tested) == len(draws) or not on_dev else on_dev


def _arm(
    baseline: BaselineRow,
    model_id: int,
    model: MeasuredModel,
    group: Sequence[tuple[ArmRow, ArmResult]],
    target: float | None,
    grace: float,
) -> MeasuredWay:
    """One way from its arm, or from several draws of the same: then means, and the worst interval counts."""
    arm, first = group[0]
    results = [result for _, result in group]

    def mean(values: Iterable[float | None]) -> float:
        return sum(value or 0.0 for value in values) / len(results)

    free = arm.family in FREE
    score, low = mean(result.score for result in results), min(result.low for result in results)
    reached = None if target is None else score >= target and low >= target - grace
    shots = int(arm.settings.get("k", 0))
    return MeasuredWay(
        key=f"{baseline.id}/{arm.name.rpartition('/')[0] if len(group) > 1 else arm.name}",
        family=arm.family,
        title=_title(arm, shots) if len(group) > 1 else arm.title,
        model=model_id,
        model_name=model.name,
        model_reference=model.reference,
        local=model.kind != "endpoint",
        tokens_in=None if free else mean(result.mean_prompt_tokens for result in results),
        tokens_out=mean(result.mean_completion_tokens for result in results),
        score=score,
        split="test" if first is arm.test else "dev",
        meets=reached,
        pace=mean(result.pace for result in results) or None,
        shots=shots,
        nearest=arm.settings.get("shots") == "nearest",
        instructions=len(standing.instructions_of(baseline, arm)),
        counted=all(result.counted for result in results),
    )


def _title(draw: ArmRow, shots: int) -> str:
    """What several draws are called together, in the words that their titles had when they were measured: the name of
    the rival is in the sentence that an approval holds."""
    together, sample, _ = draw.title.partition(" (sample ")
    return together if sample else f"{shots} random examples"
