"""How sure an arm was of its labels: whether its probabilities hold, and what passing unsure rows on would bring.

The threshold is chosen on the dev rows and looked at on the test rows as it stands: nothing is chosen there.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.baselines import answer_store, standing
from app.baselines.tables import ArmRow
from app.evaluation import calibration
from app.evaluation.calibration import Answered, Reliability, Sure
from app.web import line_charts
from app.web.line_charts import LineChart, Series


@dataclass(frozen=True, slots=True)
class Sureness:
    """What the probabilities of an arm's answers came to on a split.

    rows: answers with a probability. chosen: the threshold at which the dev rows reach the target, with what it comes
    to there; None without a target, or where none reaches it. confirmed: the same threshold on the test rows, None
    while there are none.
    """

    split: str
    rows: int
    reliability: Reliability
    curve: list[Answered]
    target: float | None
    chosen: Answered | None
    confirmed: Answered | None

    @property
    def bins(self) -> int:
        """How many bins the calibration error was worked out with."""
        return calibration.BINS

    @property
    def chart(self) -> LineChart:
        """Accuracy of what is answered by the share that is answered, in percent."""
        points = [(100 * point.share, 100 * point.right) for point in self.curve if point.right is not None]
        series = [Series("right", sorted(points))]
        if self.target is not None:
            series.append(Series("target", [(x, 100 * self.target) for x, _ in sorted(points)], "soft", dashed=True))
        return line_charts.lines(
            "Right answers",
            series,
            x_title="% of rows answered, surest first",
            y_title="% right",
            numbers=False,
        )


def of(session: Session, arm: ArmRow, split: str) -> Sureness | None:
    """None for an arm whose answers on a split carry no probabilities."""
    answers = _sure(session, arm, split)
    if not answers:
        return None
    dev = answers if split == "dev" else _sure(session, arm, "dev")
    target = arm.baseline.target
    chosen = calibration.threshold_for(dev, target) if dev and target is not None else None
    test = answers if split == "test" else _sure(session, arm, "test") if chosen and arm.test else []
    return Sureness(
        split=split,
        rows=len(answers),
        reliability=calibration.reliability(answers),
        curve=calibration.curve(answers),
        target=target,
        chosen=chosen,
        confirmed=calibration.at(test, chosen.threshold) if chosen and test else None,
    )


def _sure(session: Session, arm: ArmRow, split: str) -> list[Sure]:
    passing = standing.passing(arm.baseline)
    return [Sure(chance, score >= passing) for chance, score in answer_store.chances(session, arm.id, split)]
