"""The REST side of comparisons: any two arms of a measurement, or one against all others."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.baselines import differences, store
from app.baselines.api_models import NotWorseBy, Split
from app.baselines.differences import Between
from app.errors import Conflict
from app.evaluation.comparison import MORE
from app.inference.deps import WithBundled
from app.users.deps import Me
from app.web.deps import Db
from app.web.params import Id, Number
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["measuring"], responses=REFUSALS, dependencies=[WithBundled])

Verdict = Literal["improved", "not better", "regressed", "inconclusive"]


class ComparedArm(BaseModel):
    """One of the two: of which measurement, and what it scored on the rows that both answered, from 0 to 1."""

    arm_id: int
    baseline_id: int
    name: str
    title: str
    score: float


class ComparisonOf(BaseModel):
    """`second` minus `first` on the same rows; differences and scores are from -1 to 1.

    `p` belongs to `test`; `p_adjusted` takes into account how many comparisons are in this list (Holm). `groups`: in
    which the rows come, `design_effect`: by how much that widens the variance, `independent_rows`: rows alone that
    would tell as much; null where no two rows belong together. `rows_for_answer`: rows that settle an inconclusive one
    with the chance `chance`; `narrower_by`: what 50 more rows take off the width of the interval. `fixed`, `broken`:
    ids of rows. `used_to_choose`: the best variant was chosen on these rows, so its lead is flattered.
    """

    object: str = "comparison"
    split: Split
    used_to_choose: bool
    first: ComparedArm
    second: ComparedArm
    rows: int
    left_out: int
    delta: float
    low: float
    high: float
    p: float
    p_adjusted: float | None
    test: str
    verdict: Verdict
    words: str
    groups: int | None
    design_effect: float | None
    independent_rows: float | None
    rows_for_answer: int | None
    chance: float | None
    more_rows: int = MORE
    narrower_by: float
    fixed: list[int]
    broken: list[int]
    not_worse: NotWorseBy

    @staticmethod
    def of(one: Between) -> "ComparisonOf":
        compared, design = one.compared, one.compared.design
        return ComparisonOf(
            split=one.split,
            used_to_choose=one.split == "dev",
            first=_arm(one.first, compared.before),
            second=_arm(one.second, compared.after),
            rows=compared.rows,
            left_out=one.left_out,
            delta=compared.delta,
            low=compared.low,
            high=compared.high,
            p=compared.p,
            p_adjusted=one.adjusted,
            test=compared.test,
            verdict=compared.verdict,
            words=compared.words,
            groups=design.groups if design else None,
            design_effect=design.effect if design else None,
            independent_rows=design.rows if design else None,
            rows_for_answer=compared.rows_for_answer,
            chance=compared.chance,
            narrower_by=compared.narrower,
            fixed=list(compared.fixed),
            broken=list(compared.broken),
            not_worse=NotWorseBy.of(one.not_worse),
        )


class Comparisons(BaseModel):
    """`chosen_from`: prompts that the best one was chosen from on the dev rows; `luck`: how much better than it is the
    best of so many equally good ones looks there, null where there were not two. `comparable`: arms that can be named,
    those of other measurements on the same frozen rows among them."""

    data: list[ComparisonOf]
    has_more: bool = False
    chosen_from: int | None
    luck: float | None
    comparable: list[int] = Field(description="ids of variants with answers to these rows")


@router.get("/baselines/{baseline_id}/comparisons", name="api_comparisons")
def list_comparisons(
    baseline_id: Id,
    db: Db,
    me: Me,
    split: Split = "dev",
    second: Annotated[Number | None, Query(description="id of a variant; the best prompt where it is left out")] = None,
    first: Annotated[
        Number | None, Query(description="id of the variant it is compared with; all others without")
    ] = None,
) -> Comparisons:
    """Two arms on the same rows, or one against every other of its measurement. Groups of rows are counted as such."""
    baseline = store.get(db, baseline_id)
    best = differences.best(baseline, split)
    if second is None and best is None:
        raise Conflict(f"No prompt has a result on the {split} rows yet.")
    chosen = second or (best.id if best else 0)
    if first is not None:
        made = [differences.between(db, baseline, first, chosen, split)]
    else:
        made = differences.against_others(db, baseline, chosen, split)
    luck = differences.chosen_from(db, baseline)
    return Comparisons(
        data=[ComparisonOf.of(one) for one in made],
        chosen_from=luck.candidates if luck else None,
        luck=luck.luck if luck else None,
        comparable=[side.arm.id for side in differences.sides(db, baseline, split)],
    )


def _arm(side: differences.Side, score: float) -> ComparedArm:
    return ComparedArm(
        arm_id=side.arm.id, baseline_id=side.baseline.id, name=side.arm.name, title=side.label, score=score
    )
