"""The button that has dev rows asked again, and the page of what came of it."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.assessments import store as assessment_store
from app.baselines import reruns, store
from app.errors import Invalid
from app.evaluation import metrics, rerun
from app.inference import store as model_store
from app.inference.deps import WithBundled
from app.users.deps import Launcher, Me
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, see
from app.web.params import Id, OneLine

router = APIRouter(include_in_schema=False, dependencies=[WithBundled])


@router.get("/baselines/{baseline_id}/reruns", name="reruns")
def show_reruns(request: Request, baseline_id: Id, app: App, db: Db, me: Me) -> Response:
    return _page(request, app, db, baseline_id)


@router.post("/baselines/{baseline_id}/reruns", name="start_rerun")
def start_rerun(
    request: Request, baseline_id: Id, app: App, db: Db, me: Launcher, rows: Annotated[OneLine, Form()] = ""
) -> Response:
    number = rows.strip().replace(",", "")
    try:
        reruns.start(db, baseline_id, int(number[:9]) if number.isdecimal() else 0, by=me)
    except Invalid as refusal:
        return _page(request, app, db, baseline_id, rows=rows, refusal=refusal)
    return see(request, "reruns", baseline_id=baseline_id)


def _page(
    request: Request, app: App, db: Db, baseline_id: int, *, rows: str = "", refusal: Invalid | None = None
) -> Response:
    baseline = store.get(db, baseline_id)
    assessment = assessment_store.get(db, baseline.assessment_id)
    usual = reruns.usual_rows(db, baseline)
    prices = app.call_prices(db, assessment, model_store.everything(db))
    there = reruns.findings(db, baseline)
    return page(
        request,
        "baselines/reruns.html",
        status=422 if refusal else 200,
        assessment=assessment,
        step="measure",
        baseline=baseline,
        metric=metrics.get(baseline.metric),
        findings=there,
        sentences={one.row.id: rerun.words(one.flips) for one in there if one.flips},
        against=reruns.against(db, baseline),
        price=reruns.price(baseline, usual, prices),
        rows=rows or str(usual),
        limit=rerun.LIMIT,
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
    )
