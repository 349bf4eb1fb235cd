"""Any two arms on the same rows: how much better one is, how sure that is, and on which rows.

Arms of one measurement are compared, and arms of two measurements of the same frozen rows by the same metric: a prompt
on another model, or a measurement and the one that replaced it. Dev rows were used to choose, so the arm that leads
there is flattered by luck (`chosen_from`); test rows judge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from app.advice.facts import BEYOND
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.baselines import answer_store, arms, belonging, deciding_judge, other_models, standing, store
from app.baselines.arms import ArmResult
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import store as dataset_store
from app.errors import Conflict, NotFound
from app.evaluation import assurance, metrics, selection, statistics
from app.evaluation.comparison import MORE, Comparison, Pair
from app.evaluation.not_worse import NotWorse, not_worse

Split = Literal["dev", "test"]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two. label: what to call it, with the measurement where that is another one."""

    arm: ArmRow
    baseline: BaselineRow
    label: str


@dataclass(frozen=True, slots=True)
class Between:
    """second minus first. left_out: rows that both were asked and one gave no answer to. adjusted: the p-value where
    several comparisons are looked at together (Holm)."""

    first: Side
    second: Side
    split: Split
    compared: Comparison
    left_out: int
    not_worse: NotWorse
    adjusted: float | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Out of how many prompts the best one was chosen on how many dev rows. luck: how much better than it is the best
    of so many equally good ones looks there, 0 to 1."""

    candidates: int
    rows: int
    luck: float

    @property
    def words(self) -> str:
        return selection.words(self.candidates, self.luck)


def sides(session: Session, baseline: BaselineRow, split: Split) -> list[Side]:
    """Every arm with answers on these rows: those of this measurement, then those of others on the same frozen rows
    with the same metric, the newest first."""
    own = [Side(arm, baseline, arm.label) for arm in baseline.arms if _result(arm, split)]
    for other in store.of_assessment(session, baseline.assessment_id):
        if other.id != baseline.id and _alike(other, baseline):
            when = f"{other.created_at:%-d %B %H:%M}"
            own += [Side(arm, other, f"{arm.label}, run of {when}") for arm in other.arms if _result(arm, split)]
    return own


def between(session: Session, baseline: BaselineRow, first_id: int, second_id: int, split: Split) -> Between:
    """Compare two arms, by their ids.

    Raises:
        NotFound: one of them has no answers on these rows, or was measured on others.
        Conflict: they are the same, or no row was answered by both.
    """
    there = {side.arm.id: side for side in sides(session, baseline, split)}
    if first_id not in there or second_id not in there:
        raise NotFound(f"There is no such variant with answers to the {split} rows.")
    if first_id == second_id:
        raise Conflict("Choose two different variants.")
    return _between(session, baseline, there[first_id], there[second_id], split)


def against_others(session: Session, baseline: BaselineRow, second_id: int, split: Split) -> list[Between]:
    """One arm against every other of its measurement that answered these rows, the closest first, with p-values
    adjusted for how many there are (`statistics.holm`).

    Raises:
        NotFound: it has no answers on these rows.
    """
    there = [side for side in sides(session, baseline, split) if side.baseline.id == baseline.id]
    second = next((side for side in there if side.arm.id == second_id), None)
    if second is None:
        raise NotFound(f"There is no such variant with answers to the {split} rows.")
    made: list[Between] = []
    for first in there:
        both, _ = belonging.pairs(session, first.arm.id, second_id, split)
        if first.arm.id != second_id and both:
            made.append(_between(session, baseline, first, second, split))
    adjusted = statistics.holm([one.compared.p for one in made])
    lines = [
        Between(one.first, one.second, one.split, one.compared, one.left_out, one.not_worse, p)
        for one, p in zip(made, adjusted, strict=True)
    ]
    return sorted(lines, key=lambda line: line.compared.delta)


def best(baseline: BaselineRow, split: Split) -> ArmRow | None:
    """The best prompt on these rows: on dev the one that leads, on test the one that stands."""
    return standing.leading(baseline) if split == "dev" else standing.best(baseline)


def usual(baseline: BaselineRow, split: Split) -> tuple[int, int] | None:
    """The two arms that a page begins with: the adapter and the best prompt, else the best prompt and what is read
    beside it, else the next best one. None where there are no two."""
    lead = best(baseline, split)
    there = [arm for arm in baseline.arms if _result(arm, split)]
    if lead is None or lead not in there or len(there) < 2:
        return None
    adapters = [arm for arm in standing.judged_adapters(baseline) if arm in there]
    if adapters:
        return lead.id, adapters[-1].id
    beside = standing.compared_with(baseline, lead)
    if beside is not None and beside in there:
        return beside.id, lead.id
    others = [arm for arm in there if arm.id != lead.id]
    return max(others, key=lambda arm: _score(arm, split)).id, lead.id


def chosen_from(session: Session, baseline: BaselineRow) -> Chosen | None:
    """What choosing the best prompt on the dev rows gives by luck alone; None while there were not two to choose from.

    Every prompt that was scored there counts: those that lost the race, and drafts of the optimizer that became no
    variant. Rows in groups count as the independent ones that they are worth.
    """
    leading = standing.leading(baseline)
    prompts = [arm for arm in baseline.arms if arm.dev and arm.dev.known and not _beside(arm)]
    drafts = sum(int((arm.settings.get("optimiser") or {}).get("scored", 2)) - 2 for arm in prompts)
    if leading is None or leading.dev is None or len(prompts) < 2:
        return None
    scores = [answer_store.scored(session, arm.id, "dev") for arm in prompts]
    independent = max(1, round(leading.dev.n / (leading.dev.design_effect or 1.0)))
    candidates = len(prompts) + max(0, drafts)
    return Chosen(candidates, leading.dev.n, selection.luck(candidates, independent, selection.apart(scores)))


def margin(session: Session, baseline: BaselineRow) -> float:
    """How much worse a cheaper variant may be (0 to 1): what was written down when the measurement began, for older
    ones what the policy of the assessment says."""
    if (kept := standing.margin(baseline)) is not None:
        return kept
    return assessments.policy_of(session, assessment_store.get(session, baseline.assessment_id)).limit(arms.MARGIN)


def cheaper_counts(session: Session, baseline: BaselineRow) -> bool:
    """Whether cost or latency is a goal: then a variant that is not worse is a result."""
    goals = assessments.answers(assessment_store.get(session, baseline.assessment_id)).get("goals")
    return isinstance(goals, list) and "efficiency" in goals


def teacher(baseline: BaselineRow, split: Split) -> ArmRow | None:
    """What a cheaper variant has to keep up with: the best stronger model, else the best prompt."""
    stronger = [arm for arm in baseline.arms if arm.family == "stronger_model" and _result(arm, split)]
    return max(stronger, key=lambda arm: _score(arm, split)) if stronger else best(baseline, split)


@dataclass(frozen=True, slots=True)
class RowLink:
    """A row that became right or wrong: its line in the file, and the answer of the second arm to it."""

    line: int
    answer_id: int


def keeps_up(
    session: Session, baseline: BaselineRow, teacher: ArmRow, second: ArmRow, allowed: float
) -> NotWorse | None:
    """Whether an arm is not worse on the test rows than a stronger model's, of this measurement or of another one on
    the same rows. allowed: the margin, 0 to 1. None where no row was answered by both."""
    both, _ = belonging.pairs(session, teacher.id, second.id, "test")
    if not both:
        return None
    answered_by = other_models.name_of(session, teacher)
    two = (Side(teacher, teacher.baseline, answered_by), Side(second, baseline, "the adapter"))
    return _not_worse(session, baseline, both, two, allowed)


def rows_of(session: Session, one: Between, which: Literal["fixed", "broken"], limit: int) -> list[RowLink]:
    """The first of the rows that the second fixed or broke, the largest change first."""
    ids = (one.compared.fixed if which == "fixed" else one.compared.broken)[:limit]
    answers = answer_store.of_rows(session, one.second.arm.id, one.split, ids)
    rows = dataset_store.examples_of(session, ids)
    return [RowLink(rows[row].line, answers[row].id) for row in ids if row in rows and row in answers]


def narrower(result: ArmResult) -> float:
    """By how much `comparison.MORE` rows would narrow the interval of a score, from end to end."""
    return statistics.narrower(result.high - result.low, result.n, MORE)


def to_settle(baseline: BaselineRow) -> assurance.Needed | None:
    """Test rows after which it is settled whether the best prompt meets the target, with the chance of that; None where
    it is settled, there is no target, or no number would do."""
    first = standing.best(baseline)
    if first is None or first.test is None or baseline.target is None:
        return None
    test = first.test
    if not test.low <= baseline.target <= test.high:
        return None
    independent = test.n / (test.design_effect or 1.0)
    needed = assurance.needed_target(test.score, independent, baseline.target, test.spread)
    if needed is None:
        return None
    return assurance.Needed(assurance.rounded(needed.rows * test.n / independent), needed.chance)


def _between(session: Session, baseline: BaselineRow, first: Side, second: Side, split: Split) -> Between:
    both, left_out = belonging.pairs(session, first.arm.id, second.arm.id, split)
    if not both:
        raise Conflict(f"No {split} row was answered by both.")
    compared = belonging.compared(session, baseline, both, against=first.label)
    return Between(first, second, split, compared, left_out, _not_worse(session, baseline, both, (first, second)))


def _not_worse(
    session: Session,
    baseline: BaselineRow,
    both: Sequence[Pair],
    two: tuple[Side, Side],
    allowed: float | None = None,
) -> NotWorse:
    groups: Mapping[int, int] = belonging.groups_of(session, baseline)
    return not_worse(
        [pair.before for pair in both],
        [pair.after for pair in both],
        binary=metrics.get(baseline.metric).binary,
        margin=margin(session, baseline) if allowed is None else allowed,
        groups=belonging.codes(groups, [pair.id for pair in both]),
        names=(two[0].label, two[1].label),
        labels=deciding_judge.labels_of(baseline.judge),
    )


def _alike(other: BaselineRow, baseline: BaselineRow) -> bool:
    same = (other.dataset_id, other.metric, other.metric_options)
    return same == (baseline.dataset_id, baseline.metric, baseline.metric_options)


def _beside(arm: ArmRow) -> bool:
    """Whether an arm is none of those that the best prompt is chosen from."""
    return arm.outdated or arm.family in (*arms.FREE, *BEYOND, "adapter")


def _result(arm: ArmRow, split: Split) -> bool:
    result = arm.dev if split == "dev" else arm.test
    return result is not None and result.n > 0


def _score(arm: ArmRow, split: Split) -> float:
    result = arm.dev if split == "dev" else arm.test
    return result.score if result else 0.0
