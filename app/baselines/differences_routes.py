"""The page that compares any two arms on the same rows."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.assessments import store as assessment_store
from app.baselines import differences, store
from app.baselines.differences import Between, Split
from app.baselines.results_view import TONES
from app.baselines.tables import BaselineRow
from app.errors import Conflict, NotFound
from app.evaluation import metrics
from app.evaluation.comparison import MORE
from app.inference.deps import WithBundled
from app.users.deps import Me
from app.web import charts
from app.web.deps import Db
from app.web.pages import page
from app.web.params import Id, Number

router = APIRouter(include_in_schema=False, dependencies=[WithBundled])

ROWS = 12  # that are named of those that changed


@router.get("/baselines/{baseline_id}/comparison", name="comparison")
def show_comparison(
    request: Request,
    baseline_id: Id,
    db: Db,
    me: Me,
    split: Split | None = None,
    first: Annotated[Number | None, Query()] = None,
    second: Annotated[Number | None, Query()] = None,
) -> Response:
    """Two arms on the rows that both answered, and the second against every other. What is not named is the usual pair:
    the best prompt and the adapter, or what the best prompt is read beside."""
    baseline = store.get(db, baseline_id)
    chosen: Split = split or ("test" if _adapter_tested(baseline) else "dev")
    usual = differences.usual(baseline, chosen)
    two = (first or (usual[0] if usual else 0), second or (usual[1] if usual else 0))
    between, refusal = _between(db, baseline, two, chosen)
    others = _others(db, baseline, between)
    luck = differences.chosen_from(db, baseline)
    return page(
        request,
        "baselines/comparison.html",
        status=404 if refusal and first and second else 200,
        assessment=assessment_store.get(db, baseline.assessment_id),
        step="measure",
        baseline=baseline,
        metric=metrics.get(baseline.metric),
        split=chosen,
        two=two,
        sides=differences.sides(db, baseline, chosen),
        one=between,
        refusal=refusal,
        chart=_chart(between) if between else None,
        fixed=differences.rows_of(db, between, "fixed", ROWS) if between else [],
        broken=differences.rows_of(db, between, "broken", ROWS) if between else [],
        others=others,
        luck=luck,
        more=MORE,
        cheaper=differences.cheaper_counts(db, baseline),
    )


def _adapter_tested(baseline: BaselineRow) -> bool:
    return any(arm.family == "adapter" and arm.test for arm in baseline.arms)


def _between(db: Db, baseline: BaselineRow, two: tuple[int, int], split: Split) -> tuple[Between | None, str]:
    """The comparison, or why there is none."""
    if not all(two):
        return None, f"No two variants have answers to the {split} rows yet."
    try:
        return differences.between(db, baseline, *two, split), ""
    except (Conflict, NotFound) as refused:
        return None, refused.detail


def _others(db: Db, baseline: BaselineRow, between: Between | None) -> list[Between]:
    """The second of the two against every other; none where it is of another measurement."""
    if between is None or between.second.baseline.id != baseline.id:
        return []
    return differences.against_others(db, baseline, between.second.arm.id, between.split)


def _chart(one: Between) -> charts.IntervalChart:
    arm = charts.Arm(
        f"{one.second.label} minus {one.first.label}",
        one.compared.delta,
        one.compared.low,
        one.compared.high,
        TONES.get(one.second.arm.family, "prompt"),
    )
    return charts.intervals("Difference on the same rows", [arm], difference=True)
