"""The REST side of the gate: advice as it stands, reviews, decisions, and what stands against training."""

import json
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.advice import verdict
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.advice_models import Advice
from app.gate import checks, people, reviews, store
from app.gate.evidence import gather, judge_today, study
from app.gate.launching import weigh
from app.gate.reviewed import Subject, shortcomings
from app.gate.subject_builder import completed, snapshot
from app.gate.tables import DecisionRow, ReviewRow
from app.gate.warnings import Caution, cautions
from app.json_types import JsonObject
from app.users import store as user_store
from app.users.deps import Approver, Me
from app.web.deps import Db
from app.web.pages import url_for
from app.web.params import LARGEST, Id, OneLine, Text
from app.web.problems import REFUSALS, described

ABOUT_DIGESTS = {
    **described(412, description="The digest is not the one under review, or it has changed since"),
    **described(428, description="No digest was sent"),
}
router = APIRouter(prefix="/api/v1", tags=["reviews"], responses=REFUSALS)


class Warned(BaseModel):
    """What would stop a careful team although every criterion may be met. values: its numbers; shares from 0 to 1."""

    code: str
    text: str
    values: dict[str, str | int | float | bool | None]

    @staticmethod
    def of(caution: Caution) -> "Warned":
        return Warned(code=caution.code, text=caution.text, values=dict(caution.values))


class Decision(BaseModel):
    """checked: the sections of the review that the reviewer ticked; kept with the decision, and decides nothing."""

    id: int
    reviewer_id: int
    kind: Literal["approve", "request_changes", "comment"]
    digest: str
    comment: str
    at: datetime
    expires_at: datetime | None
    voided_at: datetime | None
    checked: list[str]

    @field_validator("checked", mode="before")
    @classmethod
    def as_listed(cls, value: object) -> object:
        """The stored text as a list."""
        return checks.listed(value) if isinstance(value, str) else value

    @staticmethod
    def of(row: DecisionRow) -> "Decision":
        return Decision.model_validate(row, from_attributes=True)


class Hand(BaseModel):
    """Somebody who had a hand in an assessment, or in what its evidence rests on."""

    id: int
    name: str
    email: str
    what: list[str]


class Review(BaseModel):
    """A frozen subject under review. `subject` is exactly what `digest` is the digest of (gate-v1, see the README).

    `void_because`: why an approval does not count any more, or what has changed since review was requested; empty while
    the review holds, and for one that is over. `remarks`: what is missing in it, so that an approval unlocks nothing.
    `warnings`: what would stop a careful team, at the prices of today while it is open. `hands`: who contributed, so
    cannot decide. `asked_of`: the user who was asked to decide it; null is anyone who may. It is no part of the
    subject.
    """

    id: int
    object: str = "review"
    assessment_id: int
    revision: int
    state: str
    digest: str
    note: str
    requested_by: int
    requested_at: datetime
    asked_of: int | None
    closed_at: datetime | None
    closed_because: str
    void_because: list[str]
    remarks: list[str]
    warnings: list[Warned]
    decisions: list[Decision]
    hands: list[Hand]
    subject: JsonObject

    @staticmethod
    def of(session: Db, row: ReviewRow) -> "Review":
        everyone = {person.id: person for person in user_store.everyone(session)}
        facts = gather(session, assessment_store.get(session, row.assessment_id))
        stored = json.loads(row.subject)
        frozen = Subject.from_json(stored)
        return Review(
            void_because=reviews.void_because(session, row, completed(session, facts)) if row.living else [],
            remarks=shortcomings(frozen),
            warnings=[
                Warned.of(one) for one in cautions(frozen.evidence, study=study(session, facts) if row.living else None)
            ],
            hands=[
                Hand(id=user, name=everyone[user].name, email=everyone[user].email, what=what)
                for user, what in sorted(people.involved(session, facts).hands.items())
            ],
            id=row.id,
            assessment_id=row.assessment_id,
            revision=row.revision,
            state=row.state,
            digest=row.digest,
            note=row.note,
            requested_by=row.requested_by,
            requested_at=row.requested_at,
            asked_of=row.asked_of,
            closed_at=row.closed_at,
            closed_because=row.closed_because,
            decisions=[Decision.of(decision) for decision in row.decisions],
            subject=stored,
        )


class Reviews(BaseModel):
    data: list[Review]
    has_more: bool


class Ask(BaseModel):
    model_config = ConfigDict(extra="forbid")

    note: Text = Field("", max_length=4000)
    reviewer: int | None = Field(
        None, ge=1, le=LARGEST, description="id of the user who is asked to decide; left out: anyone who may"
    )


class Decide(BaseModel):
    """A decision about exactly one digest. `digest` is required; leaving it out is answered with 428."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["approve", "request_changes"]
    digest: OneLine | None = Field(None, max_length=200)
    comment: Text = Field("", max_length=4000)
    checked: list[Literal["data", "prompt", "failures", "warnings", "training"]] = Field(
        [], max_length=20, description="The sections of the review that were looked at; kept with the decision."
    )


class Standing(BaseModel):
    """The advice as it stands, and everything that stands against a launch; an empty list means that one may happen.

    `warnings` are what would stop a careful team although every criterion may be met; they lock nothing.
    `today` is the advice under the newest policy where that is another one than the assessment's; null where it isn't.
    """

    advice: Advice
    reasons_against: list[str]
    warnings: list[Warned]
    today: Advice | None


@router.get("/assessments/{assessment_id}/advice", name="api_standing", response_model_exclude_unset=True)
def get_standing(
    assessment_id: Id,
    db: Db,
    me: Me,
    more: Annotated[
        bool, Query(description="Also contradictions, disagreements, robustness, and what would do instead.")
    ] = False,
) -> Standing:
    """The advice for a stored assessment, and everything that stands against training."""
    return _standing(db, assessment_id, more=more)


@router.post("/assessments/{assessment_id}/policy", name="api_judge_by_today", response_model_exclude_unset=True)
def judge_by_today(assessment_id: Id, db: Db, me: Me) -> Standing:
    """Judge it by the newest policy from now on; an approval is void after it."""
    assessments.take_todays_policy(db, assessment_id, me)
    return _standing(db, assessment_id)


def _standing(db: Db, assessment_id: int, *, more: bool = False) -> Standing:
    assessment = assessment_store.get(db, assessment_id)
    weighed = weigh(db, assessment)
    advised = weighed.now.advised
    today = judge_today(db, weighed.now.facts, advised)
    return Standing(
        advice=_advice_given(advised, more=more),
        reasons_against=list(weighed.reasons),
        warnings=[
            Warned.of(one)
            for one in cautions(
                weighed.now.facts.evidence,
                study=study(db, weighed.now.facts),
                robustness=advised.robustness,
                technique=advised.technique,
            )
        ],
        today=None if today.policy_sha256 == advised.policy_sha256 else _advice_given(today, more=more),
    )


def _advice_given(advised: verdict.Advice, *, more: bool) -> Advice:
    return Advice.model_validate(advised.to_json() | ({"more": advised.more()} if more else {}))


@router.get("/assessments/{assessment_id}/subject", name="api_subject")
def get_subject(assessment_id: Id, db: Db, me: Me) -> JsonObject:
    """What would be put up for review now: the subject and nothing else."""
    return snapshot(db, assessment_store.get(db, assessment_id)).subject.to_json()


@router.get("/reviews", name="api_reviews")
def list_reviews(
    db: Db,
    me: Me,
    state: Literal["open", "approved", "changes_requested", "withdrawn", "superseded", "consumed"] = "open",
    after: Annotated[int | None, Query(ge=1, le=LARGEST, description="id of the last review seen")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Reviews:
    """Reviews in one state, from the newest back."""
    waiting = store.queue(db, (state,), limit + 1, after)
    return Reviews(data=[Review.of(db, row) for row in waiting[:limit]], has_more=len(waiting) > limit)


@router.post("/assessments/{assessment_id}/reviews", name="api_request_review", status_code=201)
def request_review(request: Request, response: Response, assessment_id: Id, body: Ask, db: Db, me: Me) -> Review:
    """Freeze everything as it is now and put it up for review. A living review of an older state is replaced."""
    review = reviews.request_review(db, assessment_id, me, body.note, body.reviewer)
    response.headers["Location"] = url_for(request, "api_review", review_id=review.id)
    return Review.of(db, store.get(db, review.id))


@router.get("/reviews/{review_id}", name="api_review")
def get_review(review_id: Id, db: Db, me: Me) -> Review:
    """One review with its frozen subject, its digest, and what was decided."""
    return Review.of(db, store.get(db, review_id))


@router.post("/reviews/{review_id}/decisions", name="api_decide", status_code=201, responses=ABOUT_DIGESTS)
def decide(review_id: Id, decision: Decide, db: Db, me: Approver) -> Decision:
    """Approve or send back exactly the digest given. Never one's own work; an administrator is no exception. A token
    needs the scope `approve`."""
    return Decision.of(
        reviews.decide(
            db, review_id, me, decision.kind, decision.digest, decision.comment, [str(one) for one in decision.checked]
        )
    )


@router.post("/reviews/{review_id}/withdraw", name="api_withdraw")
def withdraw(review_id: Id, db: Db, me: Me) -> Review:
    """Take a request back; an approval goes with it."""
    reviews.withdraw(db, review_id, me)
    return Review.of(db, store.get(db, review_id))
