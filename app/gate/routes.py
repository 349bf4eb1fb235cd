"""Pages for the verdict, asking for review, the review queue, and the frozen subject that a reviewer decides on."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BaseModel, Field

from app.advice import explanation
from app.advice.questions import SECTIONS
from app.advice.verdict import Advice
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.db import utcnow
from app.economics import service as economics
from app.economics.answer import Answer, answer
from app.errors import Invalid
from app.gate import labels, people, reviews, store, subject
from app.gate.evidence import Facts, gather, judge_today
from app.gate.reviewed import models_named, shortcomings
from app.gate.subject_builder import completed, snapshot
from app.gate.tables import ReviewRow
from app.users import store as user_store
from app.users.deps import Approver, Me
from app.users.tables import UserRow
from app.web.deps import Db
from app.web.forms import by_field
from app.web.pages import page, see, url_for, url_if_any
from app.web.params import LARGEST, Id, OneLine, Text

router = APIRouter(include_in_schema=False)

QUEUE = 50


@router.get("/assessments/{assessment_id}/verdict", name="verdict")
def show_verdict(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    now = snapshot(db, assessment)
    today = judge_today(db, now.facts, now.advised)
    worth = answer(economics.of(db, assessment))
    return verdict_page(
        request,
        assessment,
        now.advised,
        today=today,
        worth=worth,
        review=store.living(db, assessment_id),
        models=models_named(now.subject),
    )


def verdict_page(
    request: Request,
    assessment: AssessmentRow,
    advised: Advice,
    *,
    today: Advice,
    worth: Answer,
    review: ReviewRow | None,
    models: str = "",
) -> Response:
    return page(
        request,
        "gate/verdict.html",
        assessment=assessment,
        step="verdict",
        advice=advised,
        today=today,
        said=explanation.sentence(advised),
        why=explanation.reasons(advised),
        sure=explanation.confidence(advised),
        links=_where(request, assessment.id),
        ask=_questions(request, assessment.id),
        review_url=url_for(request, "review_step", assessment_id=assessment.id),
        worth=worth,
        costs=url_for(request, "costs", assessment_id=assessment.id),
        share=url_if_any(request, "shares", assessment_id=assessment.id),
        review=review,
        models=models,
    )


@router.post("/assessments/{assessment_id}/policy", name="judge_by_today")
def judge_by_today(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    assessments.take_todays_policy(db, assessment_id, me)
    return see(request, "verdict", assessment_id=assessment_id, notice="judged-today")


def _where(request: Request, assessment_id: int) -> dict[str, str]:
    """Where each criterion is settled."""
    return {
        gate: url_if_any(request, name, assessment_id=assessment_id, **({"section": section} if section else {}))
        for gate, (name, section) in explanation.WHERE.items()
    }


def _questions(request: Request, assessment_id: int) -> dict[str, str]:
    """Where each question is asked."""
    return {
        question.key: url_for(request, "section", assessment_id=assessment_id, section=section.slug)
        + f"#{question.key}"
        for section in SECTIONS
        for question in section.questions
    }


@router.get("/assessments/{assessment_id}/review", name="review_step")
def show_review_step(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    return _review_step(request, assessment_id, db, ReviewRequest(), errors={}, detail="", status=200)


class ReviewRequest(BaseModel):
    """`about` is the note: every page has a place of that name for notices already. reviewer: a user's id, or empty."""

    about: Annotated[Text, Field(max_length=4000)] = ""
    reviewer: Annotated[OneLine, Field(max_length=40)] = ""

    @property
    def asked_of(self) -> int | None:
        """Who is asked; 0, who is nobody, where what was sent is no id."""
        if not self.reviewer:
            return None
        return int(self.reviewer) if self.reviewer.isascii() and self.reviewer.isdigit() else 0


@router.post("/assessments/{assessment_id}/review", name="request_review")
def request_review(
    request: Request, assessment_id: Id, db: Db, me: Me, sent: Annotated[ReviewRequest, Form()]
) -> Response:
    try:
        review = reviews.request_review(db, assessment_id, me, sent.about, sent.asked_of)
    except Invalid as refusal:
        return _review_step(
            request, assessment_id, db, sent, errors=by_field(refusal), detail=refusal.detail, status=422
        )
    return see(request, "review", review_id=review.id, notice="requested")


def _review_step(
    request: Request,
    assessment_id: int,
    db: Db,
    sent: ReviewRequest,
    *,
    errors: dict[str, str],
    detail: str,
    status: int,
) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    of_assessment = store.of_assessment(db, assessment_id)
    living = next((review for review in of_assessment if review.living), None)
    now = snapshot(db, assessment)
    void = reviews.void_because(db, living, now) if living else []
    return page(
        request,
        "gate/review_step.html",
        status=status,
        assessment=assessment,
        step="review",
        reviews=of_assessment,
        living=living,
        changes=reviews.changed_since(living, now) if living else [],
        advice=now.advised,
        people=_people(db),
        hands=people.hands(db, now.facts),
        deciders=people.deciders(db, now.facts)[0],
        sent=sent,
        void=void,
        voids={living.id} if living and void else set(),
        remarks=shortcomings(now.subject),
        models=models_named(now.subject),
        target_changes=now.subject.evidence.target_changes or 0,
        errors=errors,
        detail=detail,
        now=utcnow(),
    )


@router.get("/reviews", name="reviews")
def show_reviews(
    request: Request, db: Db, me: Me, before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None
) -> Response:
    waiting = store.queue(db, ("open",), QUEUE)
    decided = store.queue(
        db, ("approved", "changes_requested", "consumed", "superseded", "withdrawn"), QUEUE + 1, before
    )
    listed = [*waiting, *decided[:QUEUE]]
    return page(
        request,
        "gate/reviews.html",
        waiting=waiting,
        decided=decided[:QUEUE],
        next_before=decided[QUEUE - 1].id if len(decided) > QUEUE else None,
        titles=assessment_store.titles(db, {review.assessment_id for review in listed}),
        mine={review.id for review in waiting if not people.may_decide(db, _facts(db, review), me)},
        people=_people(db),
        void=_void(db, listed),
    )


def _void(session: Db, rows: Sequence[ReviewRow]) -> set[int]:
    """Which of them look alive and do not hold any more. A revision that moved on says it at once; only for the others
    everything has to be looked at."""
    now = assessment_store.revisions(session, {review.assessment_id for review in rows})
    living = [review for review in rows if review.living]
    moved = {review.id for review in living if review.revision != now[review.assessment_id]}
    still = [review for review in living if review.id not in moved]
    return moved | {
        review.id
        for review in still
        if reviews.void_because(session, review, completed(session, _facts(session, review)))
    }


def _facts(session: Db, review: ReviewRow) -> Facts:
    return gather(session, assessment_store.get(session, review.assessment_id))


def _people(session: Db) -> dict[int, str]:
    """Names with addresses: two people may be called alike, and who approves has to be told apart."""
    return {person.id: f"{person.name} ({person.email})" for person in user_store.everyone(session)}


@router.get("/reviews/{review_id}", name="review")
def show_review(request: Request, review_id: Id, db: Db, me: Me) -> Response:
    return _review(request, review_id, db, me, errors={}, typed="", status=200)


@router.post("/reviews/{review_id}/decide", name="decide_review")
def decide_review(
    request: Request,
    review_id: Id,
    db: Db,
    me: Approver,
    kind: Annotated[OneLine, Form(max_length=40)],
    digest: Annotated[OneLine, Form(max_length=200)] = "",
    comment: Annotated[Text, Form(max_length=4000)] = "",
) -> Response:
    try:
        reviews.decide(db, review_id, me, kind, digest, comment)
    except Invalid as refusal:
        return _review(request, review_id, db, me, errors=by_field(refusal), typed=comment, status=422)
    return see(request, "review", review_id=review_id, notice="approved" if kind == "approve" else "returned")


@router.post("/reviews/{review_id}/comment", name="comment_review")
def comment_review(
    request: Request, review_id: Id, db: Db, me: Me, comment: Annotated[Text, Form(max_length=4000)] = ""
) -> Response:
    try:
        reviews.comment(db, review_id, me, comment)
    except Invalid as refusal:
        return _review(request, review_id, db, me, errors=by_field(refusal), typed=comment, status=422)
    return see(request, "review", review_id=review_id, notice="saved", anchor="comments")


@router.post("/reviews/{review_id}/withdraw", name="withdraw_review")
def withdraw_review(request: Request, review_id: Id, db: Db, me: Me) -> Response:
    review = reviews.withdraw(db, review_id, me)
    return see(request, "review_step", assessment_id=review.assessment_id, notice="withdrawn")


def _review(
    request: Request, review_id: int, db: Db, me: UserRow, *, errors: dict[str, str], typed: str, status: int
) -> Response:
    """Draw the page from the frozen text alone; what is different by now is shown beside it, never mixed into it."""
    review = store.get(db, review_id)
    frozen, facts = reviews.subject_of(review), _facts(db, review)
    now = completed(db, facts) if review.living else None
    before = store.decided_before(db, review)
    return page(
        request,
        "gate/review.html",
        status=status,
        review=review,
        frozen=frozen,
        text=reviews.text_of(review),
        title=assessment_store.get(db, review.assessment_id).title,
        against=people.may_decide(db, facts, me),
        changes=reviews.changed_since(review, now) if now else [],
        before=before,
        differences=subject.differences(reviews.text_of(before), reviews.text_of(review)) if before else [],
        people=_people(db),
        hands=people.hands(db, facts),
        workers=people.workers(db, review.assessment_id),
        keepers={made.reviewer_id: people.keepers(db, made.reviewer_id) for made in review.decisions},
        void=reviews.void_because(db, review, now) if now else [],
        remarks=shortcomings(frozen) if now else [],
        models=models_named(frozen),
        labels=labels,
        living=review.living,
        errors=errors,
        typed=typed,
        now=utcnow(),
    )
