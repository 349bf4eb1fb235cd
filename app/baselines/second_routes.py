"""The page on which a second person tags the same failures, and on which the two settle where they differ."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.assessments import store as assessment_store
from app.baselines import answer_store, causes, second_view, store, tagging
from app.baselines.answer_routes import Cause, RowId
from app.inference.deps import WithBundled
from app.users.deps import Author, Me
from app.web.deps import Db
from app.web.pages import page, see
from app.web.params import Id, PageNumber
from app.web.tens import ten_of

router = APIRouter(include_in_schema=False, dependencies=[WithBundled])


@router.get("/baselines/{baseline_id}/second", name="second_tags")
def show_second_tags(
    request: Request,
    baseline_id: Id,
    db: Db,
    me: Me,
    number: PageNumber = None,
    tagged: RowId = None,
    was: Cause = "",
) -> Response:
    """The offer, the round ten failures at a time, the agreement. What two people said is shown to nobody who is still
    tagging as second. number: which ten; else those with the first failure that has no tag. tagged, was: the answer
    that was just tagged, and this person's own word before."""
    baseline = store.get(db, baseline_id)
    now = second_view.open_round(db, baseline, me)
    shown = ten_of([bool(view.cause) for view in now.views] if now else [], number)
    return page(
        request,
        "baselines/second.html",
        assessment=assessment_store.get(db, baseline.assessment_id),
        step="measure",
        baseline=baseline,
        round=now,
        views=now.views[shown.rows] if now else (),
        tens=shown,
        offer=None if now else tagging.offered(db, baseline, me),
        result=None if now else second_view.result(db, baseline),
        causes=causes.CAUSES,
        enough=causes.ENOUGH,
        undo={tagged: was} if tagged else {},
    )


@router.post("/baselines/{baseline_id}/second", name="begin_second_tags")
def begin_second_tags(request: Request, baseline_id: Id, db: Db, me: Author) -> Response:
    tagging.begin_round(db, baseline_id, by=me)
    return see(request, "second_tags", baseline_id=baseline_id)


@router.post("/tag-rounds/{round_id}/end", name="end_second_tags")
def end_second_tags(request: Request, round_id: Id, db: Db, me: Author) -> Response:
    row = tagging.end_round(db, round_id, by=me)
    return see(request, "second_tags", baseline_id=row.baseline_id)


@router.post("/answers/{answer_id}/settle", name="settle_tag")
def settle_tag(request: Request, answer_id: Id, db: Db, me: Author, cause: Annotated[Cause, Form()] = "") -> Response:
    tagging.settle(db, answer_id, cause, by=me)
    arm = store.arm(db, answer_store.answer(db, answer_id).arm_id)
    return see(request, "second_tags", baseline_id=arm.baseline_id, anchor=f"answer-{answer_id}")
