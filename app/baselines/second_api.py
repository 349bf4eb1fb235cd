"""The REST side of two people who tag the same failures."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from app.baselines import second_view, store, tag_store, tagging
from app.baselines.api import AnswerOf
from app.inference.deps import WithBundled
from app.users.deps import Author, Me
from app.web.deps import Db
from app.web.params import Id
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["measuring"], responses=REFUSALS, dependencies=[WithBundled])

CauseName = Literal["behaviour", "facts", "instructions", "reference"]


class TagRound(BaseModel):
    """A second person's round: failures that somebody else tagged, each without that tag. `cause` of an answer is the
    own word. Tag with `PUT .../causes`; nobody else's tag of these is shown to you until the round has ended."""

    id: int
    object: str = "tag_round"
    baseline_id: int
    arm_id: int
    answers: list[AnswerOf]
    started_at: datetime
    done_at: datetime | None


class TagDisagreement(BaseModel):
    """One failure to which two people gave different causes. `settled`: the one that somebody decided on."""

    answer_id: int
    line: int
    causes: tuple[CauseName, CauseName]
    people: tuple[str, str]
    settled: CauseName | None
    settled_by: str | None


class TagAgreement(BaseModel):
    """How far two people agree on why answers fail, counted from the tags that they gave without seeing the other's.

    `kappa`: Cohen's, with its 95 % interval; null where there are no such rows, or both used one word alone.
    """

    object: str = "tag_agreement"
    baseline_id: int
    rows: int
    agreed: int
    share: float | None
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    disagreements: list[TagDisagreement]


class Settled(BaseModel):
    """Which of two causes counts."""

    model_config = ConfigDict(extra="forbid")

    cause: CauseName


class SettledTag(BaseModel):
    """The cause that counts from now on."""

    answer_id: int
    cause: str | None


def _round(session: Db, baseline_id: int, me: Me) -> TagRound | None:
    baseline = store.get(session, baseline_id)
    now = second_view.open_round(session, baseline, me)
    if now is None:
        return None
    return TagRound(
        id=now.row.id,
        baseline_id=baseline_id,
        arm_id=now.row.arm_id,
        answers=[AnswerOf.of(view) for view in now.views],
        started_at=now.row.started_at,
        done_at=now.row.done_at,
    )


@router.post("/baselines/{baseline_id}/tag-rounds", name="api_begin_tag_round", status_code=201)
def begin_tag_round(baseline_id: Id, db: Db, me: Author) -> TagRound:
    """Begin to tag as second person, or go on with the round that one has begun."""
    row = tagging.begin_round(db, baseline_id, by=me)
    made = _round(db, baseline_id, me)
    if made is None:  # begun just now, in this very transaction
        raise RuntimeError(f"round {row.id} is not open")
    return made


@router.post("/tag-rounds/{round_id}/end", name="api_end_tag_round")
def end_tag_round(round_id: Id, db: Db, me: Author) -> TagAgreement:
    """End a round: from here on both see each other's tags. The answer is what the two agree on."""
    row = tagging.end_round(db, round_id, by=me)
    return _agreement(db, row.baseline_id)


@router.get("/baselines/{baseline_id}/tag-agreement", name="api_tag_agreement")
def show_tag_agreement(baseline_id: Id, db: Db, me: Me) -> TagAgreement:
    """How far two people agree, and where they differ. Who is still tagging as second gets no disagreements."""
    agreed = _agreement(db, baseline_id)
    if tag_store.open_round(db, baseline_id, me.id) is not None:
        agreed.disagreements = []
    return agreed


@router.put("/answers/{answer_id}/settled", name="api_settle_tag")
def settle_tag(answer_id: Id, body: Settled, db: Db, me: Author) -> SettledTag:
    """Decide which cause counts where two people gave different ones."""
    answer = tagging.settle(db, answer_id, body.cause, by=me)
    return SettledTag(answer_id=answer.id, cause=answer.cause)


def _agreement(session: Db, baseline_id: int) -> TagAgreement:
    result = second_view.result(session, store.get(session, baseline_id))
    agreed, interval = result.agreement, result.interval
    return TagAgreement(
        baseline_id=baseline_id,
        rows=agreed.rows,
        agreed=agreed.same,
        share=agreed.share if agreed.rows else None,
        kappa=agreed.kappa,
        kappa_low=interval.low if interval else None,
        kappa_high=interval.high if interval else None,
        disagreements=[
            TagDisagreement.model_validate(
                {
                    "answer_id": one.view.answer.id,
                    "line": one.view.line,
                    "causes": one.causes,
                    "people": one.people,
                    "settled": one.settled or None,
                    "settled_by": one.settled_by or None,
                }
            )
            for one in result.disagreements
        ],
    )
