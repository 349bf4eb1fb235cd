"""Pages of two variants side by side: a list of rows with filters, and one row alone."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.assessments import store as assessment_store
from app.baselines import side_view, store
from app.baselines.side_deps import OfAddress, currency_of, note_look, prices_of
from app.baselines.side_filter import MARKS, WHICH
from app.errors import Invalid, NotFound
from app.evaluation import metrics
from app.inference.deps import WithBundled
from app.users.deps import Me
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page
from app.web.params import LARGEST, Id

router = APIRouter(include_in_schema=False, dependencies=[WithBundled])

PAGE = 20
RowId = Annotated[int | None, Query(ge=0, le=LARGEST)]


@router.get("/baselines/{baseline_id}/side-by-side", name="side_by_side")
def show_side_by_side(
    request: Request,
    baseline_id: Id,
    app: App,
    db: Db,
    me: Me,
    wanted: OfAddress,
    after: RowId = None,
    before: RowId = None,
) -> Response:
    """A page of rows; after, before: row ids between which and the end, or the beginning, it lies."""
    baseline = store.get(db, baseline_id)
    prices = prices_of(app, db, baseline)
    both, refusal, seen = None, None, None
    try:
        both = side_view.chosen(db, baseline, wanted)
    except Invalid as same:
        refusal = same
    if both is not None:
        note_look(app, db, me, both)
        seen = side_view.page(db, both, prices, after=after or 0, before=before, limit=PAGE)
    return page(
        request,
        "baselines/side_by_side.html",
        status=422 if refusal else 200,
        assessment=assessment_store.get(db, baseline.assessment_id),
        step="measure",
        baseline=baseline,
        chosen=side_view.arms_of(baseline, wanted),
        splits=side_view.splits(baseline),
        wanted=wanted,
        both=both,
        seen=seen,
        errors=by_field(refusal) if refusal else {},
        which=WHICH,
        marks=MARKS,
        binary=metrics.get(baseline.metric).binary,
        currency=currency_of(prices),
    )


@router.get("/baselines/{baseline_id}/side-by-side/{example_id}", name="side_by_side_row")
def show_row(
    request: Request, baseline_id: Id, example_id: Id, app: App, db: Db, me: Me, wanted: OfAddress
) -> Response:
    """One row alone, whole, with the way to its neighbours among those that are chosen."""
    baseline = store.get(db, baseline_id)
    both = side_view.chosen(db, baseline, wanted)
    if both is None:
        raise NotFound("There are no two variants with a result yet.")
    note_look(app, db, me, both)
    prices = prices_of(app, db, baseline)
    return page(
        request,
        "baselines/side_by_side_row.html",
        assessment=assessment_store.get(db, baseline.assessment_id),
        step="measure",
        baseline=baseline,
        both=both,
        wanted=wanted,
        alone=side_view.one_row(db, both, example_id, prices),
        marks=MARKS,
        which=WHICH,
        binary=metrics.get(baseline.metric).binary,
        currency=currency_of(prices),
    )
