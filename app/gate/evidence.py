"""What an assessment's verdict rests on, gathered once and handed down: rows, what they measured, and the advice."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.advice import case, verdict
from app.advice.evidence import Evidence, joined
from app.advice.policy import Policy
from app.advice.verdict import Advice
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.baselines import facts as baselines
from app.baselines import store as baseline_store
from app.baselines.facts import Measurement
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import facts as dataset_facts
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow
from app.db import memo, prefill
from app.documents import service as documents
from app.economics import service as economics
from app.economics import store as cost_store
from app.economics.costs import Study
from app.gate.reviewed import models_line
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.json_types import JsonObject
from app.judging import deciding
from app.labelling import service as labelling
from app.policies import service as policies
from app.policies.tables import PolicyRow
from app.recipes import passages as recipe_passages
from app.recipes import store as recipes
from app.recipes.tables import RecipeRow

LOOKED_AT = 200  # of the newest assessments, when a policy is tried out on them; some 2 ms each


@dataclass(frozen=True, slots=True)
class Facts:
    """The rows that count for an assessment, and everything measured of them.

    base: the model that would be trained, by the recipe. baseline: the measurement that counts, on that base where
    there is one; measured: the same with its model and its history. policy: what the assessment began with; None is the
    built-in one. costs: the sums that the cost case rests on, where cost is a goal. teacher: the answers of the larger
    model whose work would be taken over, where cost is a goal. Each other one is None while there is none.
    """

    assessment: AssessmentRow
    recipe: RecipeRow | None
    base: ModelRow | None
    dataset: DatasetRow | None
    baseline: BaselineRow | None
    measured: Measurement | None
    policy: PolicyRow | None
    costs: Study | None
    evidence: Evidence
    teacher: ArmRow | None = None


def gather(session: Session, assessment: AssessmentRow) -> Facts:
    """Ask every store once. What was measured overrides what was declared."""
    recipe = recipes.of_assessment(session, assessment.id)
    base = _base(session, recipe.model_id) if recipe else None
    dataset = dataset_store.current(session, assessment.id)
    counted = baselines.counted(session, assessment.id, dataset, base)
    measurement = baselines.measurement(session, assessment, counted)
    policy = policies.published(session, assessment.policy_id)
    costs = economics.gathered(session, assessment, dataset, counted)
    evidence = joined(
        [
            dataset_facts.evidence(assessment, dataset),
            documents.measured(session, assessment.id),
            labelling.measured(session, dataset),
            deciding.measured(session, counted.row),
            baselines.evidence(session, assessment, dataset, measurement, base),
            costs.evidence,
            Evidence(rows_carry_context=recipe_passages.carried(recipe, counted.row, dataset) or None),
        ]
    )
    return Facts(
        assessment, recipe, base, dataset, counted.row, measurement, policy, costs.study, evidence, costs.teacher
    )


def study(session: Session, facts: Facts) -> Study:
    """The costs at the prices of today, whether or not cost is a goal."""
    return facts.costs if facts.costs is not None else economics.of(session, facts.assessment)


def models_compared(facts: Facts) -> str:
    """On which model the baselines ran, and which would be trained, as a sentence; empty before a measurement."""
    if facts.measured is None:
        return ""
    trains = facts.base.name if facts.base is not None else None
    return models_line(facts.measured.model.name, trains, same=facts.evidence.baseline_on_base is not False)


def _base(session: Session, model_id: int) -> ModelRow:
    return memo(session, ("model", model_id), lambda: model_store.get(session, model_id))


def measured(session: Session, assessment: AssessmentRow) -> JsonObject:
    """The evidence in the words of the case file, for pages below the gate (`AppContext.evidence`)."""
    return gather(session, assessment).evidence.to_json()


def read_ahead(session: Session, rows: Sequence[AssessmentRow]) -> None:
    """Read what `gather` looks at for many assessments in a few queries; a list of them asks for each one next."""
    ids = [assessment.id for assessment in rows]
    bases = model_store.of_ids(session, {recipe.model_id for recipe in recipes.read_ahead(session, ids)})
    prefill(session, {("model", row.id): row for row in bases})
    dataset_store.read_ahead(session, ids)
    baseline_store.read_ahead(session, ids)
    cost_store.read_ahead(session, ids)
    documents.read_ahead(session, ids)
    labelling.read_ahead(session, ids)


def judge(facts: Facts) -> Advice:
    """The advice, from the same function that `advise` runs on a file, by the policy that the assessment began with."""
    return _judged(facts, policies.of_row(facts.policy))


def judge_today(session: Session, facts: Facts, advised: Advice) -> Advice:
    """What the advice would be under the newest policy; `advised` itself where that is the assessment's own."""
    if facts.assessment.policy_id == policies.todays_id(session):
        return advised
    return _judged(facts, policies.today(session))


@dataclass(frozen=True, slots=True)
class Effect:
    """What another policy makes of one assessment."""

    assessment: AssessmentRow
    before: Advice
    after: Advice

    @property
    def other(self) -> bool:
        """Whether it is other advice: what to do now, whether training is unlocked, or what it leans towards."""
        return _outcome(self.before) != _outcome(self.after)


def effects(session: Session, policy: Policy) -> list[Effect]:
    """What the newest assessments would be told under another policy, beside what they are told under their own."""
    rows = assessment_store.before(session, assessment_store.Wanted(), None, LOOKED_AT)
    read_ahead(session, rows)
    gathered = [gather(session, row) for row in rows]
    return [Effect(facts.assessment, judge(facts), _judged(facts, policy)) for facts in gathered]


def _outcome(advised: Advice) -> tuple[str | None, ...]:
    return advised.approach, advised.training, advised.leaning, advised.technique


def _judged(facts: Facts, policy: Policy) -> Advice:
    stored_case = {"answers": assessments.answers(facts.assessment), "measured": facts.evidence.to_json()}
    return verdict.advise(case.parse(stored_case), policy)
