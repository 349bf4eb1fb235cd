"""What the web is handed from concepts above it, as types: each is a function or an object there.

The names in quotation marks are never imported when the app runs; the import contract lists them one by one. Nothing of
the web framework is loaded here, so that services can name these types too.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal, Protocol

from sqlalchemy.orm import Session

from app.db import Queue
from app.errors import Refusal
from app.json_types import JsonObject

if TYPE_CHECKING:
    from fastapi import Request

    from app.advice.evidence import Evidence
    from app.advice.policy import Policy
    from app.assessments.tables import AssessmentRow
    from app.inference.tables import ModelRow
    from app.users.tables import UserRow


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an assessment's dossier, in the order of work.

    slug: names it. state: its one fact, in a word or two; tone: the fact's colour class. done: gets a tick. locked: why
    it cannot be done yet; empty where it can.
    """

    slug: str
    name: str
    url: str
    state: str = ""
    tone: str = ""
    done: bool = False
    locked: str = ""


class Steps(Protocol):
    """`standing.service.steps`: where an assessment stands, step by step."""

    def __call__(self, session: Session, assessment: "AssessmentRow", /) -> Sequence[Step]: ...


@dataclass(frozen=True, slots=True)
class Action:
    """The one thing to do next. label: verb and object. url: a path."""

    label: str
    url: str


State = Literal[
    "draft",
    "needs_data",
    "needs_baselines",
    "not_yet",
    "decided",
    "ready_for_review",
    "in_review",
    "changes_requested",
    "approved",
    "training",
    "training_failed",
    "improved",
    "not_better",
    "regressed",
    "inconclusive",
    "archived",
]
"""Where an assessment can stand, in the order of the way."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an assessment stands: the one status of every page and of the API (`standing.rules.decide`).

    state: see `State`. label: a few words for a tag. sentence, why: one line each; `why` may be empty.
    tone: the class of a tag or card: pass, fail, open, info, soft.
    best: the best prompt's score on the test set, target: what it should be; shares from 0 to 1.
    """

    state: State
    label: str
    sentence: str
    why: str
    tone: str
    action: Action
    best: float | None
    target: float | None


class StandingOf(Protocol):
    """`standing.service.standing`: where an assessment stands."""

    def __call__(self, session: Session, assessment: "AssessmentRow", /) -> Standing: ...


class WaitingReviews(Protocol):
    """`inbox.service.waiting_reviews`: how many reviews wait for this person to decide. Asked for every page."""

    def __call__(self, session: Session, me: "UserRow", /) -> int: ...


class InStates(Protocol):
    """`standing.service.in_states`: assessments in some states, with words in title or team, the newest first."""

    def __call__(
        self, session: Session, states: Sequence[State], text: str, before: int | None, limit: int, /
    ) -> Sequence["AssessmentRow"]: ...


class EvidenceOf(Protocol):
    """`standing.service.measured`: what was measured so far."""

    def __call__(self, session: Session, assessment: "AssessmentRow", /) -> "Evidence | None": ...


class ReadAhead(Protocol):
    """`standing.service.read_ahead`: finds status and evidence of a whole list in a query or a few."""

    def __call__(self, session: Session, assessments: Sequence["AssessmentRow"], /) -> None: ...


class Effects(Protocol):
    """`gate.evidence.effects`: what another policy would make of the newest assessments, for a page to show."""

    def __call__(self, session: Session, policy: "Policy", /) -> Sequence[object]: ...


@dataclass(frozen=True, slots=True)
class CallPrice:
    """What a model's tokens cost, in money of `currency` for a million of them."""

    input: float
    output: float
    currency: str = ""


class CallPrices(Protocol):
    """`economics.service.call_prices`: what calls of models cost, by the model's id, where the team keeps a price."""

    def __call__(
        self, session: Session, assessment: "AssessmentRow", models: Sequence["ModelRow"], /
    ) -> Mapping[int, CallPrice]: ...


@dataclass(frozen=True, slots=True)
class JudgeChoice:
    """An LLM judge with its rubric as the metric of a measurement.

    key: names both. model_id, host: of the judge, to whose server answers are sent. labels, enough: answers that a
    person labelled, of how many it takes; kappa: agreement with them with its 95 % interval, None where there is none;
    limit: what the policy asks for. against: why it can't decide and what to do, empty where it can; kept: what a
    measurement keeps of it then (`baselines.deciding_judge`). reads, writes: tokens of a judgement so far, None where
    its server counts none; seconds: that one took so far.
    """

    key: str
    label: str
    model_id: int
    host: str
    labels: int
    enough: int
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    limit: float
    against: str
    kept: JsonObject | None
    reads: float | None = None
    writes: float | None = None
    seconds: float | None = None

    @property
    def usable(self) -> bool:
        return not self.against


class JudgeChoices(Protocol):
    """`judging.deciding.choices`: the judges that have judged answers of an assessment."""

    def __call__(self, session: Session, assessment: "AssessmentRow", /) -> Sequence[JudgeChoice]: ...


class OnCopy(Protocol):
    """`constraints.service.take_over`: what a copy of an assessment has besides its answers."""

    def __call__(self, session: Session, source_id: int, copy: "AssessmentRow", me: "UserRow", /) -> None: ...


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """The same with where it is from: the name in the list, the day on which it held, and the source."""

    price: CallPrice
    name: str
    dated: date
    source: str


class ListPrice(Protocol):
    """`economics.service.list_price`: what the team's list says of a model; None where it has no price for it."""

    def __call__(self, session: Session, model: "ModelRow", /) -> ListedPrice | None: ...


class Record(Protocol):
    """`audit.service.record`: one entry of the record, in the transaction of the act. `actor`: None for Tunegate."""

    def __call__(
        self,
        session: Session,
        actor: "UserRow | None",
        act: str,
        subject: str,
        subject_id: int | None,
        detail: JsonObject,
        /,
    ) -> object: ...


@dataclass(frozen=True, slots=True)
class Named:
    """What an object of the record is called today; url: a path to look at it, or empty; assessment: the title of the
    one it belongs to, empty where it belongs to none."""

    name: str
    url: str
    assessment_id: int | None = None
    assessment: str = ""


class Objects(Protocol):
    """`dossier.objects`: what stands behind the kinds and numbers of the record."""

    def names(self, session: Session, pairs: Collection[tuple[str, int]], /) -> Mapping[tuple[str, int], Named]: ...

    def belonging(self, session: Session, assessment_ids: Sequence[int], /) -> Mapping[str, Sequence[int]]: ...

    def assessments_named(self, session: Session, text: str, limit: int, /) -> Sequence[int]: ...

    def hidden_answers(self, session: Session, user_id: int, /) -> Mapping[int, Collection[int]]:
        """By measurement, the answers of which this person may not see yet what others said of them."""
        ...


class OnRefusal(Protocol):
    """Keeps a record of who was sent away."""

    def __call__(self, request: "Request", refusal: Refusal, /) -> None: ...


class JobQueue(Queue, Protocol):
    """`jobs.engine.Client`: puts jobs into their queues, in the transaction of whoever asks, and takes them out."""

    def cancel(self, job_id: int) -> None: ...

    def close(self) -> None: ...


class Chain(Protocol):
    """`audit.watch.Chain`: the first broken entry of the record or None, by a look that may be some seconds old."""

    def broken_at(self, look: Callable[[], int | None]) -> int | None: ...
