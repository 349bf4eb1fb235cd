"""The race of a measurement on its dev rows: in which order they are asked, and which arms need not go on.

Everything follows from stored answers and the seed, so an attempt that goes on after a crash comes to the same.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.advice.facts import BEYOND
from app.baselines import answer_store, arms, belonging, error_share, other_models
from app.baselines.arms import Dropped
from app.baselines.tables import ArmRow, BaselineRow
from app.evaluation import metrics, racing


@dataclass(frozen=True, slots=True)
class Race:
    """rows: ids of the dev rows in the order of asking, which only the seed decides, the same for all arms; rows that
    belong together stand side by side. ends: after how many of them to look; only after the last where nobody is to be
    dropped. groups: by row the number of its group; None where no two rows belong together."""

    rows: tuple[int, ...]
    ends: tuple[int, ...]
    groups: Mapping[int, int] | None = None

    @classmethod
    def of(cls, baseline: BaselineRow, rows: Sequence[int], groups: Mapping[int, int] | None = None) -> "Race":
        """groups: as `belonging.groups_of` gives them."""
        if not baseline.racing or len(entered(baseline)) < 2:
            return cls(tuple(rows), (len(rows),))
        seed = baseline.seed
        numbers = belonging.codes(groups or {}, rows)
        of_row = None if numbers is None else dict(zip(rows, numbers, strict=True))

        def drawn(number: int) -> bytes:
            return hashlib.sha256(f"{seed}/{number}".encode()).digest()

        order = sorted(rows, key=lambda row: (drawn(of_row[row]), of_row[row], row) if of_row else (drawn(row), 0, row))
        return cls(tuple(order), tuple(racing.ends(len(order))) or (0,), of_row)

    def losers(self, session: Session, baseline: BaselineRow, end: int) -> dict[int, Dropped]:
        """The arms that surely lose after `end` rows, by their id.

        An arm with too many errors is unknown, not bad: it neither leads nor is dropped. One whose answers are mostly
        cut had no fair try and leads only where all are.
        """
        taking = entered(baseline)
        asked = self.rows[:end] if self.groups is None else racing.whole(self.rows, end, self.groups)
        tallies = answer_store.tallies(session, [arm.id for arm in taking], "dev", set(asked))
        most = error_share.limit(session, baseline)
        known = {arm.name: arm for arm in taking if arm.dropped is None and tallies[arm.id].errors <= most}
        fair = {name for name, arm in known.items() if tallies[arm.id].cut <= arms.MOSTLY_CUT}
        scores = {name: tallies[arm.id].scores for name, arm in known.items()}
        binary = metrics.get(baseline.metric).binary
        lost = racing.losers(scores, binary=binary, of=len(taking), may_lead=fair or None, groups=self.groups)
        dropped = {}
        for one in lost:
            mine, theirs = scores[one.arm], scores[one.against]
            both = [row for row in mine if row in theirs]
            dropped[known[one.arm].id] = Dropped(
                after=end,
                of=len(self.rows),
                against=one.against,
                score=sum(mine[row] for row in both) / len(both),
                leader_score=sum(theirs[row] for row in both) / len(both),
                e=round(one.e, 1),
                limit=one.limit,
            )
        return dropped


def entered(baseline: BaselineRow) -> list[ArmRow]:
    """The arms that race: prompts of the run's own model that may be chosen."""
    beside = (*arms.FREE, *BEYOND, "adapter")
    return [arm for arm in baseline.arms if arm.family not in beside and other_models.own(arm)]


def still_in(baseline: BaselineRow) -> list[ArmRow]:
    """Those that were not dropped."""
    return [arm for arm in entered(baseline) if arm.dropped is None]


def saved(baseline: BaselineRow) -> int:
    """Calls that were not made because arms were dropped."""
    return sum(arm.dropped.of - arm.dropped.after for arm in baseline.arms if arm.dropped)


def leader_of(baseline: BaselineRow, dropped: Dropped) -> str:
    """What the arm is called that another one was dropped against."""
    leader = next((arm for arm in baseline.arms if arm.name == dropped.against), None)
    return leader.label if leader else dropped.against
