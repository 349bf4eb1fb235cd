"""What an offer of an arm is, and what it is made from. `catalogue` has the list of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.baselines.arms import Arm
from app.baselines.order import BaselineRequest
from app.datasets.store import Example
from app.datasets.tables import DatasetRow


@dataclass(frozen=True, slots=True)
class Context:
    """What offers are made from. examples: the rows of the frozen split, by its name."""

    session: Session
    assessment: AssessmentRow
    dataset: DatasetRow
    examples: Mapping[str, Sequence[Example]]
    order: BaselineRequest


@dataclass(frozen=True, slots=True)
class Offer:
    """One arm that could be measured. why: a sentence, why it is proposed or left to choose. against: why it can't be
    run and where that is mended; empty where it can. mend: the page where it is mended, as a path. always: it costs
    nothing and is never left out.
    """

    arm: Arm
    proposed: bool
    why: str = ""
    against: str = ""
    always: bool = False
    mend: str = ""
