"""The REST side of arms with passages: how their wrong answers came about, and whether they refuse as they should."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.baselines import passages_view, store
from app.baselines.api_models import Split
from app.baselines.deps import shown_to
from app.baselines.passage_use import Share
from app.baselines.passages_view import Summary
from app.errors import NotFound
from app.inference.deps import WithBundled
from app.users.deps import Me
from app.web.deps import App, Db
from app.web.params import Id
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["measuring"], responses=REFUSALS, dependencies=[WithBundled])


class ShareOf(BaseModel):
    """So many of so many rows, as a share with its 95 % interval (Wilson)."""

    count: int
    rows: int
    share: float
    low: float
    high: float

    @staticmethod
    def of(some: Share) -> "ShareOf":
        low, high = some.interval
        return ShareOf(count=some.some, rows=some.rows, share=some.share, low=low, high=high)


class PassageUse(BaseModel):
    """How the wrong answers of an arm with passages came about, where the gold passage is known, and how often it
    refuses: where the answer is in none of the documents (`refused_rightly`), and where it is (`refused_wrongly`)."""

    arm_id: int
    split: Split
    missed: int = Field(description="no gold passage was among those retrieved")
    unused: int = Field(description="one was there, and the answer does not use it")
    misused: int = Field(description="the answer uses it and is wrong")
    cut: int = Field(description="one was there, and the answer was cut at the token limit")
    unknown: int = Field(description="wrong answers whose gold passage nobody knows")
    refused_rightly: ShareOf
    refused_wrongly: ShareOf

    @staticmethod
    def of(arm_id: int, split: Split, summary: Summary) -> "PassageUse":
        return PassageUse(
            arm_id=arm_id,
            split=split,
            missed=summary.failures["missed"],
            unused=summary.failures["unused"],
            misused=summary.failures["misused"],
            cut=summary.failures["cut"],
            unknown=summary.unknown,
            refused_rightly=ShareOf.of(summary.refusals.rightly),
            refused_wrongly=ShareOf.of(summary.refusals.wrongly),
        )


@router.get("/baselines/{baseline_id}/arms/{arm_id}/passages", name="api_arm_passages")
def show_passage_use(baseline_id: Id, arm_id: Id, app: App, db: Db, me: Me, split: Split = "dev") -> PassageUse:
    """How the wrong answers of an arm with passages came about, and whether it refuses where it should. On test rows it
    is on record as a look, as their answers are."""
    arm = store.arm(db, arm_id)
    if arm.baseline_id != baseline_id:
        raise NotFound("There is no such variant.")
    if split == "test":
        shown_to(app, db, me, arm.baseline, [arm], "read")
    summary = passages_view.summary(db, arm, split)
    if summary is None:
        raise NotFound("This variant was given no passages, or has no answers on these rows.")
    return PassageUse.of(arm.id, split, summary)
