"""What the web process is made of, put together once by `main.create_app` and read by every request."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import Request
from jinja2 import Environment
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.blobs import Blobs
from app.errors import Refusal
from app.settings import Settings
from app.web import thread_limits
from app.web.events import Hub
from app.web.files import Files
from app.web.kept_pages import KeptPages
from app.web.protocols import (
    Action,
    CallPrice,
    CallPrices,
    Chain,
    Effects,
    EvidenceOf,
    InStates,
    JobQueue,
    JudgeChoice,
    JudgeChoices,
    ListPrice,
    Named,
    Objects,
    OnCopy,
    OnRefusal,
    ReadAhead,
    Record,
    Standing,
    StandingOf,
    State,
    Step,
    Steps,
    WaitingReviews,
)
from app.web.thread_limits import Turns

if TYPE_CHECKING:
    from app.advice.policy import Policy
    from app.assessments.tables import AssessmentRow
    from app.inference.tables import ModelRow
    from app.users.tables import UserRow


def no_steps(_session: Session, _assessment: "AssessmentRow") -> Sequence[Step]:
    return ()


def no_standing(_session: Session, assessment: "AssessmentRow") -> Standing:
    action = Action("Open the assessment", f"/assessments/{assessment.id}")
    return Standing("draft", "Draft", "", "", "soft", action, None, None)


class NoObjects:
    """Of an app without assessments: nothing has a name."""

    def names(self, _session: Session, _pairs: Collection[tuple[str, int]], /) -> Mapping[tuple[str, int], Named]:
        return {}

    def belonging(self, _session: Session, _assessment_ids: Sequence[int], /) -> Mapping[str, Sequence[int]]:
        return {}

    def assessments_named(self, _session: Session, _text: str, _limit: int, /) -> Sequence[int]:
        return ()

    def hidden_answers(self, _session: Session, _user_id: int, /) -> Mapping[int, Collection[int]]:
        return {}


def none_waiting(_session: Session, _me: "UserRow") -> int:
    return 0


def none_in_states(
    _session: Session, _states: Sequence[State], _text: str, _before: int | None, _limit: int
) -> Sequence["AssessmentRow"]:
    return ()


def nothing_ahead(_session: Session, _assessments: Sequence["AssessmentRow"]) -> None:
    return None


def no_evidence(_session: Session, _assessment: "AssessmentRow") -> None:
    return None


def no_effects(_session: Session, _policy: "Policy") -> Sequence[object]:
    return ()


def no_prices(
    _session: Session, _assessment: "AssessmentRow", _models: Sequence["ModelRow"], /
) -> Mapping[int, CallPrice]:
    return {}


def no_judges(_session: Session, _assessment: "AssessmentRow", /) -> Sequence[JudgeChoice]:
    return ()


def nothing_more(_session: Session, _source_id: int, _copy: "AssessmentRow", _me: "UserRow", /) -> None:
    return None


def no_list_price(_session: Session, _model: "ModelRow", /) -> None:
    return None


def no_record(_request: Request, _refusal: Refusal) -> None:
    return None


class EachTime:
    """A `Chain` that looks whenever it is asked."""

    @staticmethod
    def broken_at(look: Callable[[], int | None]) -> int | None:
        return look()


@dataclass(frozen=True, slots=True)
class AppContext:
    """The parts that routes need.

    `steps`, `standing`, `in_states`, `waiting_reviews`, `evidence`, `read_ahead`, `effects`, `call_prices`,
    `list_price`, `judges`, `objects`, `on_copy` and `record` belong to concepts above the pages that use them: handed
    in, because imports only go down. `uploads` and `model_tests` bound what keeps threads waiting. Without `kept_pages`
    each is made every time.
    """

    settings: Settings
    engine: Engine
    blobs: Blobs
    jobs: JobQueue
    templates: Environment
    files: Files
    hub: Hub
    record: Record
    steps: Steps = no_steps
    standing: StandingOf = no_standing
    waiting_reviews: WaitingReviews = none_waiting
    in_states: InStates = none_in_states
    evidence: EvidenceOf = no_evidence
    read_ahead: ReadAhead = nothing_ahead
    effects: Effects = no_effects
    call_prices: CallPrices = no_prices
    list_price: ListPrice = no_list_price
    judges: JudgeChoices = no_judges
    objects: Objects = field(default_factory=NoObjects)
    on_copy: OnCopy = nothing_more
    on_refusal: OnRefusal = no_record
    kept_pages: KeptPages | None = None
    chain: Chain = field(default_factory=EachTime)
    uploads: Turns = field(default_factory=thread_limits.uploads)
    model_tests: Turns = field(default_factory=thread_limits.model_tests)
