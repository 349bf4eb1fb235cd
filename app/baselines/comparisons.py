"""Arms of a measurement beside each other, by their stored answers to the same dev rows."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.baselines import answer_store, belonging, standing
from app.baselines.answer_store import Outcomes
from app.baselines.tables import ArmRow, BaselineRow
from app.evaluation import metrics, statistics
from app.evaluation.statistics import Difference


@dataclass(frozen=True, slots=True)
class Change:
    """What became right and what became wrong from one arm to another, in rows that both answered."""

    against: ArmRow
    fixed: int
    broke: int
    rows: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm beside others. gain: over zero-shot, with its 95 % interval where answers are right or wrong (a graded one
    has none here, low and high are the gain itself); None for zero-shot and where that has no result or was mostly cut,
    which is no fair try to be ahead of.

    change: since the arm that it revised, else since zero-shot; None for what asks no model, and where that one was
    mostly cut. common: rows of the gain, where one of the two was dropped and they are not all.
    """

    gain: Difference | None = None
    change: Change | None = None
    common: int | None = None


def comparisons(session: Session, baseline: BaselineRow) -> dict[int, Comparison]:
    """Every arm with a result on the dev rows, by its id."""
    binary, passing = metrics.get(baseline.metric).binary, standing.passing(baseline)
    first = standing.zero_shot(baseline)
    outcome_of: dict[tuple[int, int], Outcomes] = {}

    def outcomes(before: ArmRow, after: ArmRow) -> Outcomes:
        pair = before.id, after.id
        if pair not in outcome_of:
            outcome_of[pair] = answer_store.outcomes(session, *pair, "dev", passing)
        return outcome_of[pair]

    compared: dict[int, Comparison] = {}
    for arm in baseline.arms:
        if arm.dev is None or not arm.dev.known or arm.family == "adapter":
            continue
        gain, common = None, None
        if first is not None and first.id != arm.id and first.dev is not None and first.dev.fair:
            both = outcomes(first, arm)
            gain = _gain(session, baseline, first, arm, both) if binary else _plain_gain(both)
            common = both.rows if first.dropped or arm.dropped else None
        against = None if standing.value(arm).free else standing.compared_with(baseline, arm)
        change = None
        if against is not None and against.dev is not None and against.dev.fair:
            counted = outcomes(against, arm)
            change = Change(against, counted.fixed, counted.broke, counted.rows)
        compared[arm.id] = Comparison(gain, change, common)
    return compared


def _plain_gain(counted: Outcomes) -> Difference | None:
    return Difference(counted.gain, counted.gain, counted.gain) if counted.rows else None


def _gain(session: Session, baseline: BaselineRow, first: ArmRow, arm: ArmRow, counted: Outcomes) -> Difference | None:
    if not counted.rows:
        return None
    if belonging.groups_of(session, baseline) or baseline.judge is not None:
        both, _ = belonging.pairs(session, first.id, arm.id, "dev")
        return belonging.difference(session, baseline, both)
    return statistics.paired_rates(counted.both, counted.broke, counted.fixed, counted.neither)
