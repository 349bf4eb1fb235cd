"""The REST side of two variants side by side."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.baselines import side_view, store
from app.baselines.side_deps import OfAddress, currency_of, note_look, prices_of
from app.baselines.side_filter import Mark, Split, Which
from app.baselines.side_view import Chosen, Outcome, Row, Side
from app.baselines.word_marks import Run
from app.errors import Conflict
from app.inference.deps import WithBundled
from app.users.deps import Me
from app.web.deps import App, Db
from app.web.params import LARGEST, Id
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["measuring"], responses=REFUSALS, dependencies=[WithBundled])


class TextRun(BaseModel):
    """A stretch of a text. `lacks`: whether each of the two other texts lacks it there: for the expected answer these
    are the answers of A and B, for an answer the expected one and the other variant's."""

    text: str
    lacks: tuple[bool, bool]

    @staticmethod
    def of(run: Run) -> "TextRun":
        return TextRun(text=run.text, lacks=run.lacks)


class SideAnswer(BaseModel):
    """One variant's answer. `raw`: as the model wrote it, `output`: what was extracted and scored, `compared`: what the
    metric compares. `score` is null for an error. `probability`: of the label that was given, null where it came with
    none. Tokens are null where the model did not say; `cost`, at today's prices, there and where it has no price."""

    answer_id: int
    correct: bool | None
    score: float | None
    output: str
    raw: str
    compared: str
    error: str | None
    finish: str
    marks: list[Mark]
    probability: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_ms: int
    cost: float | None
    runs: list[TextRun]

    @staticmethod
    def of(side: Side) -> "SideAnswer":
        row = side.answer
        return SideAnswer(
            answer_id=row.id,
            correct=side.right,
            score=row.score,
            output=side.output,
            raw=side.raw,
            compared=side.compared,
            error=side.error or None,
            finish=row.finish,
            marks=list(side.marks),
            probability=side.chance,
            prompt_tokens=row.prompt_tokens if row.tokens_known else None,
            completion_tokens=row.completion_tokens if row.tokens_known else None,
            latency_ms=round(1000 * row.seconds),
            cost=side.cost,
            runs=[TextRun.of(run) for run in side.runs],
        )


class SideBySideRow(BaseModel):
    """One row with the answers of both variants. `outcome`: error where one of the two gave no answer."""

    object: str = "side_by_side_row"
    example_id: int
    line: int
    outcome: Outcome
    question: str
    target: str
    compared_target: str
    runs: list[TextRun]
    a: SideAnswer
    b: SideAnswer

    @staticmethod
    def of(row: Row) -> "SideBySideRow":
        return SideBySideRow(
            example_id=row.example_id,
            line=row.line,
            outcome=row.outcome,
            question=row.question,
            target=row.target,
            compared_target=row.compared_target,
            runs=[TextRun.of(run) for run in row.runs],
            a=SideAnswer.of(row.a),
            b=SideAnswer.of(row.b),
        )


class RowCounts(BaseModel):
    """How many rows each filter would leave, with all else that is chosen. `rows`: that both variants were asked."""

    rows: int
    which: dict[Which, int]
    marks: dict[Mark, int]


class SideBySide(BaseModel):
    """Rows of two variants; ask again with `after` set to the last `example_id` while `has_more`. `complete`: every row
    was looked through for `words`; else there may be more. `currency`: of each `cost`."""

    object: str = "side_by_side"
    a: int
    b: int
    split: Split
    counts: RowCounts
    complete: bool
    currency: str
    data: list[SideBySideRow]
    has_more: bool


class OneSideBySide(SideBySideRow):
    """One row with its neighbours among the chosen ones: their ids, null at an end. `number`: its place among `total`,
    0 where the filters leave it out."""

    preceding: int | None
    following: int | None
    number: int = Field(ge=0)
    total: int


@router.get("/baselines/{baseline_id}/side-by-side", name="api_side_by_side")
def list_side_by_side(
    baseline_id: Id,
    app: App,
    db: Db,
    me: Me,
    wanted: OfAddress,
    after: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> SideBySide:
    """Two variants of a measurement, row by row: those named, else the best prompt beside what it is read with. Reading
    those on test rows is on record as a look at both."""
    both = _both(app, db, me, baseline_id, wanted)
    prices = prices_of(app, db, both.baseline)
    seen = side_view.page(db, both, prices, after=after, limit=limit + 1)
    return SideBySide(
        a=both.a.id,
        b=both.b.id,
        split=wanted.split,
        counts=RowCounts(rows=seen.counts.rows, which=seen.counts.which, marks=seen.counts.marks),
        complete=both.whole,
        currency=currency_of(prices),
        data=[SideBySideRow.of(row) for row in seen.rows[:limit]],
        has_more=len(seen.rows) > limit,
    )


@router.get("/baselines/{baseline_id}/side-by-side/{example_id}", name="api_side_by_side_row")
def show_side_by_side(baseline_id: Id, example_id: Id, app: App, db: Db, me: Me, wanted: OfAddress) -> OneSideBySide:
    """One row of two variants, with the ids of the rows before and after it that the same filters leave."""
    both = _both(app, db, me, baseline_id, wanted)
    alone = side_view.one_row(db, both, example_id, prices_of(app, db, both.baseline))
    return OneSideBySide(
        **SideBySideRow.of(alone.row).model_dump(),
        preceding=alone.preceding,
        following=alone.following,
        number=alone.number,
        total=alone.total,
    )


def _both(app: App, db: Db, me: Me, baseline_id: int, wanted: OfAddress) -> Chosen:
    both = side_view.chosen(db, store.get(db, baseline_id), wanted)
    if both is None:
        raise Conflict("There are no two variants with a result yet.")
    note_look(app, db, me, both)
    return both
