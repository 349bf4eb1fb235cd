"""What else an adapter has to beat beside the best prompt."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.baselines import arms, belonging, standing
from app.baselines.tables import ArmRow, BaselineRow
from app.evaluation.comparison import doubt
from app.evaluation.statistics import Difference


@dataclass(frozen=True, slots=True)
class Rival:
    """A prompt that the dev rows cannot tell from the best one. behind: how much the best one is better there, with an
    interval for whichever prompt might have come out best (`comparison.doubt`)."""

    arm: ArmRow
    behind: Difference

    @property
    def tested(self) -> bool:
        """Whether it has a result on the test rows that may be used."""
        return self.arm.test is not None and self.arm.test.known


def rivals(session: Session, baseline: BaselineRow) -> list[Rival]:
    """Which prompts are within reach of the best one, the better ones first: the 95 % interval of the paired difference
    on the dev rows does not show them to be worse (subset selection, Gupta 1965; the truly best one is left out in at
    most 3 of 100 choices, `tests/bench/bench_choice.py`). An adapter has to beat each of them.

    None where the measurement is judged by older rules, which looked at the one arm that did best by chance or not.
    """
    leading = standing.leading(baseline)
    if leading is None or standing.rules(baseline) < arms.RIVAL_RULES:
        return []
    near: list[Rival] = []
    others = [arm for arm in baseline.arms if arm.id != leading.id and _could_lead(arm, leading)]
    for arm in others:
        both, _ = belonging.pairs(session, arm.id, leading.id, "dev")
        if belonging.difference(session, baseline, both).low <= 0:
            near.append(Rival(arm, belonging.difference(session, baseline, both, confidence=doubt(len(others)))))
    return sorted(near, key=lambda each: (each.arm.test is None, each.behind.delta, each.arm.id))


def rivals_to_ask(session: Session, baseline: BaselineRow) -> list[ArmRow]:
    """Those that answer the test rows too, once the best prompt has: `arms.RIVALS_MOST` at most, and none where it is
    at the target already, since no adapter will be held against them."""
    leading = standing.leading(baseline)
    if leading is None or leading.test is None:
        return []
    if baseline.target is not None and leading.test.score >= baseline.target:
        return []
    near = rivals(session, baseline)[: arms.RIVALS_MOST]
    return [rival.arm for rival in near if rival.arm.test is None]


def rivals_at_most(session: Session, baseline: BaselineRow) -> int:
    """How many prompts `rivals_to_ask` may name once the best one has answered the test rows."""
    return sum(rival.arm.test is None for rival in rivals(session, baseline)[: arms.RIVALS_MOST])


def _could_lead(arm: ArmRow, leading: ArmRow) -> bool:
    """A prompt that counts, was not dropped, and that had a fair try where the best one had."""
    if arm.outdated or arm.dev is None or leading.dev is None or not arms.could_win(standing.value(arm), arm.dev):
        return False
    return arm.dev.fair or not leading.dev.fair


def free_arms(baseline: BaselineRow) -> list[ArmRow]:
    """What answered the test rows without a language model, under the rules that have an adapter beat it."""
    if standing.rules(baseline) < arms.RIVAL_RULES:
        return []
    return [arm for arm in baseline.arms if arm.family in arms.FREE and arm.test and arm.test.known]
