"""Pages for the verdict, asking for review, the review queue, and the frozen subject that a reviewer decides on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BaseModel, Field

from app.advice.questions import SECTIONS
from app.advice.verdict import Advice
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.audit import accounts
from app.baselines import store as baseline_store
from app.datasets import masked_rows
from app.datasets import store as dataset_store
from app.datasets.pages import diff_view
from app.db import utcnow
from app.errors import Invalid, NotFound
from app.gate import changes, checks, labels, people, reviews, store, verdict_view, warnings
from app.gate.changes import Change
from app.gate.evidence import Facts, gather, judge, judge_today, models_compared, study
from app.gate.reviewed import models_named, shortcomings
from app.gate.subject_builder import Snapshot, completed, preflight_of, snapshot
from app.gate.tables import ReviewRow
from app.recipes import preflights
from app.users import store as user_store
from app.users.deps import Approver, Me
from app.users.tables import UserRow
from app.web.deps import Db
from app.web.forms import by_field
from app.web.pages import page, see, url_for, url_if_any
from app.web.params import LARGEST, Id, OneLine, Text

router = APIRouter(include_in_schema=False)

QUEUE = 50
SAMPLED = 20  # test rows that a reviewer is shown; enough to see what the answers are like, few enough to be read


@router.get("/assessments/{assessment_id}/verdict", name="verdict")
def show_verdict(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    facts = gather(db, assessment)
    advised = judge(facts)
    return verdict_page(
        request,
        assessment,
        verdict_view.values(advised, facts.evidence, study(db, facts), facts.baseline),
        today=judge_today(db, facts, advised),
        base=facts.base.id if facts.base else None,
        models=models_compared(facts),
    )


def verdict_page(
    request: Request,
    assessment: AssessmentRow,
    drawn: verdict_view.Drawn,
    *,
    today: Advice,
    base: int | None = None,
    models: str = "",
) -> Response:
    """drawn: what `verdict_view.values` makes of it. base: the model that would be trained. models: what was measured
    and would be trained, as a sentence."""
    where = warnings.places(assessment.id)
    return page(
        request,
        "gate/verdict.html",
        assessment=assessment,
        step="verdict",
        **drawn,
        today=today,
        models=models,
        links=verdict_view.links(assessment.id, drawn["advice"]),
        where=where,
        run=warnings.run_on(assessment.id, base),
        ask=_questions(request, assessment.id),
        costs=where["costs"],
        measure=where["measure"],
        share=url_if_any(request, "shares", assessment_id=assessment.id),
        json=url_if_any(request, "api_standing", assessment_id=assessment.id),
        after=verdict_view.AFTER,
    )


@router.post("/assessments/{assessment_id}/policy", name="judge_by_today")
def judge_by_today(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    assessments.take_todays_policy(db, assessment_id, me)
    return see(request, "verdict", assessment_id=assessment_id, notice="judged-today")


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
    return see(request, "review", review_id=review.id)


def _changes(review: ReviewRow, now: Snapshot) -> list[Change]:
    """What is different by now from what was put up for review."""
    if not reviews.changed_since(review, now):
        return []
    return changes.changes(reviews.text_of(review), now.subject.to_json())


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
        changes=_changes(living, now) if living else [],
        cautions=warnings.cautions(now.facts.evidence, study=study(db, now.facts), robustness=now.advised.robustness),
        where=warnings.places(assessment.id),
        run=warnings.run_on(assessment.id, now.facts.base.id if now.facts.base else None),
        advice=now.advised,
        people=_people(db),
        hands=people.involved(db, now.facts).hands,
        deciders=people.deciders(db, now.facts)[0],
        sent=sent,
        void=void,
        voids={living.id} if living and void else set(),
        remarks=shortcomings(now.subject),
        models=models_named(now.subject),
        errors=errors,
        detail=detail,
        now=utcnow(),
    )


@router.get("/reviews", name="reviews")
def show_reviews(
    request: Request, db: Db, me: Me, before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None
) -> Response:
    open_ones = store.queue(db, ("open",), QUEUE)
    answered = store.answered_for(db, me.id, QUEUE)
    decided = store.queue(
        db, ("approved", "changes_requested", "consumed", "superseded", "withdrawn"), QUEUE + 1, before
    )
    listed = [*open_ones, *answered, *decided[:QUEUE]]
    void = _void(db, listed)
    mine = {
        review.id for review in open_ones if review.id not in void and not people.may_decide(db, _facts(db, review), me)
    }
    yours = [*(review for review in open_ones if review.requested_by == me.id), *answered]
    return page(
        request,
        "gate/reviews.html",
        for_you=sorted((review for review in open_ones if review.id in mine), key=lambda row: row.asked_of != me.id),
        yours=yours,
        others=[review for review in open_ones if review.id not in mine and review.requested_by != me.id],
        decided=[review for review in decided[:QUEUE] if before or review not in yours],
        next_before=decided[QUEUE - 1].id if len(decided) > QUEUE else None,
        titles=assessment_store.titles(db, {review.assessment_id for review in listed}),
        people=_people(db),
        void=void,
        now=utcnow(),
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
    return _review(request, review_id, db, me, errors={}, typed=Typed(), status=200)


@router.get("/reviews/{review_id}/rows", name="review_rows")
def show_review_rows(request: Request, review_id: Id, db: Db, me: Me) -> Response:
    """Some test rows of what is under review, drawn by chance with a fixed seed: nobody picked them."""
    review = store.get(db, review_id)
    data = reviews.subject_of(review).dataset
    if data is None:
        raise NotFound("There is no data in this review.")
    dataset = dataset_store.get(db, data.id)
    rows = reviews.drawn_rows(db, data, SAMPLED)
    return page(
        request,
        "gate/review_rows.html",
        review=review,
        title=assessment_store.get(db, review.assessment_id).title,
        dataset=dataset,
        rows=masked_rows.rows(rows, masked_rows.masker(dataset)),
        of=data.rows.test,
    )


@dataclass(frozen=True, slots=True)
class Typed:
    """What a reviewer typed and chose, to be shown again beside what is wrong with it."""

    comment: str = ""
    kind: str = ""
    checked: tuple[str, ...] = ()


@router.post("/reviews/{review_id}/decide", name="decide_review")
def decide_review(
    request: Request,
    review_id: Id,
    db: Db,
    me: Approver,
    kind: Annotated[OneLine, Form(max_length=40)] = "",
    digest: Annotated[OneLine, Form(max_length=200)] = "",
    comment: Annotated[Text, Form(max_length=4000)] = "",
    checked: Annotated[list[OneLine] | None, Form(max_length=20)] = None,
) -> Response:
    """Approve, send back, or only say something; what was ticked goes with a decision."""
    typed = Typed(comment, kind, tuple(checked or ()))
    try:
        if kind == "comment":
            reviews.comment(db, review_id, me, comment)
        else:
            reviews.decide(db, review_id, me, kind, digest, comment, checked or ())
    except Invalid as refusal:
        return _review(request, review_id, db, me, errors=by_field(refusal), typed=typed, status=422)
    if kind == "comment":
        return see(request, "review", review_id=review_id, notice="saved", anchor="comments")
    return see(request, "review", review_id=review_id, notice="approved" if kind == "approve" else "returned")


@router.post("/reviews/{review_id}/comment", name="comment_review")
def comment_review(
    request: Request, review_id: Id, db: Db, me: Me, comment: Annotated[Text, Form(max_length=4000)] = ""
) -> Response:
    try:
        reviews.comment(db, review_id, me, comment)
    except Invalid as refusal:
        return _review(request, review_id, db, me, errors=by_field(refusal), typed=Typed(comment), status=422)
    return see(request, "review", review_id=review_id, notice="saved", anchor="comments")


@router.post("/reviews/{review_id}/withdraw", name="withdraw_review")
def withdraw_review(request: Request, review_id: Id, db: Db, me: Me) -> Response:
    review = reviews.withdraw(db, review_id, me)
    return see(request, "review_step", assessment_id=review.assessment_id, notice="withdrawn")


def _review(
    request: Request, review_id: int, db: Db, me: UserRow, *, errors: dict[str, str], typed: Typed, status: int
) -> Response:
    """Draw the page from the frozen text alone; what is different by now is shown beside it, never mixed into it."""
    review = store.get(db, review_id)
    frozen, text = reviews.subject_of(review), reviews.text_of(review)
    assessment = assessment_store.get(db, review.assessment_id)
    facts = gather(db, assessment)
    now = completed(db, facts) if review.living else None
    changed = bool(now and reviews.changed_since(review, now))
    before = store.decided_before(db, review)
    before = store.get(db, before.id) if before else None
    cautions = warnings.cautions(
        frozen.evidence,
        study=study(db, facts) if review.living else None,
        robustness=now.advised.robustness if now and not changed else None,
    )
    earlier = [each for each in store.of_assessment(db, review.assessment_id) if each.id <= review.id]
    those = people.involved(db, facts)
    baseline = baseline_store.get(db, frozen.baseline.id) if frozen.baseline else None
    best = checks.best_arm(frozen.baseline) if frozen.baseline else None
    prompts = checks.prompts(frozen.baseline) if frozen.baseline else None
    return page(
        request,
        "gate/review.html",
        status=status,
        review=review,
        frozen=frozen,
        text=text,
        title=assessment.title,
        against=people.may_decide(db, facts, me),
        changed=changed,
        changes=_changes(review, now) if now else [],
        before=before,
        differences=changes.changes(reviews.text_of(before), text) if before else [],
        conversation=reviews.conversation(earlier),
        cautions=cautions,
        where=warnings.places(assessment.id),
        run=warnings.run_on(assessment.id, frozen.training.model.id if frozen.training else None),
        sections=checks.sections(frozen, len(cautions)),
        named=checks.NAMES,
        ticked=checks.listed,
        prompts=prompts,
        prompt_words=diff_view.differences(prompts.before, prompts.after) if prompts else None,
        failures=next((arm.id for arm in baseline.arms if best and arm.name == best.name), None) if baseline else None,
        plan=url_if_any(request, "plan", assessment_id=assessment.id),
        preflight=preflights.readable(preflight_of(frozen, facts.recipe)),
        people=_people(db),
        hands=those.hands,
        workers=those.workers,
        keepers={
            one: accounts.keepers(db, one) for one in {made.reviewer_id for each in earlier for made in each.decisions}
        },
        void=reviews.void_because(db, review, now) if now else [],
        remarks=shortcomings(frozen) if now else [],
        models=models_named(frozen),
        labels=labels,
        living=review.living,
        days=request.app.state.context.settings.approval_days,
        errors=errors,
        typed=typed,
        now=utcnow(),
    )
