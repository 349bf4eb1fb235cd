"""The REST side of right passages: checks of retrieval, their numbers, and marks."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.assessments import store as assessment_store
from app.datasets import store as dataset_store
from app.relevance import service, store
from app.relevance.ranking import Ranking
from app.relevance.tables import RetrievalCheckRow
from app.retrieval.settings import Way
from app.users.deps import Author, Me
from app.web.deps import App, Db
from app.web.params import LARGEST, Id, Number, UpTo200, UpTo500
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["retrieval"], responses=REFUSALS)

How = Literal["marked", "named", "context", "quotation"]


class RetrievalCheck(BaseModel):
    """One look at how an index does on the dev rows. `done_at` is null while `job_id` is under way."""

    id: int
    object: str = "retrieval_check"
    assessment_id: int
    index_id: int
    index_sha256: str
    dataset_id: int
    job_id: int | None
    created_at: datetime
    done_at: datetime | None
    seconds: float = Field(description="that searching took")
    carried: float = Field(description="share of the training rows, 0 to 1, that bring a passage with their question")

    @staticmethod
    def of(row: RetrievalCheckRow) -> "RetrievalCheck":
        return RetrievalCheck(
            id=row.id,
            assessment_id=row.assessment_id,
            index_id=row.index_id,
            index_sha256=row.index_sha256,
            dataset_id=row.dataset_id,
            job_id=row.job_id,
            created_at=row.created_at,
            done_at=row.done_at,
            seconds=row.seconds,
            carried=row.carried,
        )


class CheckOrder(BaseModel):
    """`consent`: rows may be sent to the model server that made the index's embeddings, where one did."""

    consent: bool = False


class RetrievalChecks(BaseModel):
    data: list[RetrievalCheck]
    has_more: bool


class RecallAt(BaseModel):
    """Share of the judged rows with a gold passage among the first `k`, with its 95 % interval."""

    k: int
    share: float
    low: float
    high: float
    rows: int


class WayRanked(BaseModel):
    """One way of searching. `mrr`: mean reciprocal rank among the first ten, with its 95 % interval."""

    way: Way
    recall: list[RecallAt]
    mrr: float
    mrr_low: float
    mrr_high: float

    @staticmethod
    def of(one: Ranking) -> "WayRanked":
        return WayRanked(
            way=one.way,
            recall=[
                RecallAt(k=at.k, share=at.share, low=at.interval.low, high=at.interval.high, rows=at.rows)
                for at in one.recalls
            ],
            mrr=one.mrr,
            mrr_low=one.mrr_interval.low,
            mrr_high=one.mrr_interval.high,
        )


class RetrievalQuality(RetrievalCheck):
    """A check with what it comes to, marks since then included. `rows`: dev rows that were searched for; `judged`: of
    them those whose gold passage is known, `known_by` how. `best`: the way with the highest recall@5 on them, null
    without judged rows; `tied`: ways that these rows cannot tell from it."""

    rows: int
    judged: int
    known_by: dict[How, int]
    marked: int = Field(
        description="of these rows, those that a person marked among passages that search had found: there recall can "
        "look better than it is"
    )
    absent: int = Field(description="rows whose answer is in none of the documents, people say")
    ways: list[WayRanked]
    best: Way | None
    tied: list[Way]


class CheckedRow(BaseModel):
    """A dev row of a check: the ids of the passages that each way found, the best first, and its gold passages.

    `gold` is empty where none is known; with `how` "marked" that says that the answer is in none of the documents.
    """

    id: int
    line: int
    hits: dict[Way, list[int]]
    gold: list[int]
    how: How | None
    to_mark: bool = Field(description="among the rows that a person is asked about")


class CheckedRows(BaseModel):
    data: list[CheckedRow]
    has_more: bool


class GoldPassage(BaseModel):
    """The passage that answers a row, by its id in the index of the check; null: it is in none of the documents."""

    passage_id: Number | None


class PassageMark(BaseModel):
    """Somebody's word on which passage answers a row."""

    id: int
    row_id: int
    passage_id: int | None
    index_id: int
    marked_by: int
    marked_at: datetime


@router.post("/assessments/{assessment_id}/retrieval-checks", status_code=202)
def start_retrieval_check(assessment_id: Id, db: Db, me: Author, body: CheckOrder | None = None) -> RetrievalCheck:
    """Search for the dev rows in every way that the index has, and look for their gold passages."""
    return RetrievalCheck.of(service.start(db, assessment_id, me, consent=body is not None and body.consent))


@router.get("/assessments/{assessment_id}/retrieval-checks")
def list_retrieval_checks(
    assessment_id: Id,
    db: Db,
    me: Me,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="id of the last check seen")] = 0,
    limit: UpTo200 = 50,
) -> RetrievalChecks:
    """Checks of an assessment, the newest first."""
    assessment_store.get(db, assessment_id)
    rows = store.checks(db, assessment_id, after=after, limit=limit + 1)
    return RetrievalChecks(data=[RetrievalCheck.of(row) for row in rows[:limit]], has_more=len(rows) > limit)


@router.get("/retrieval-checks/{check_id}")
def get_retrieval_check(check_id: Id, db: Db, me: Me) -> RetrievalQuality:
    """A check with recall and rank of each way."""
    row = store.check(db, check_id)
    quality = service.quality(db, row)
    judged = service.judged(row, quality.known)
    known = [quality.known.gold[one.row].how for one in judged]
    return RetrievalQuality(
        **RetrievalCheck.of(row).model_dump(),
        rows=quality.rows,
        judged=len(judged),
        known_by={how: known.count(how) for how in dict.fromkeys(known)},
        marked=service.marked_of(row, quality.known),
        absent=sum(str(absent) in row.hits for absent in quality.known.absent),
        ways=[WayRanked.of(one) for one in quality.rankings],
        best=quality.best.way if quality.best else None,
        tied=list(quality.best.tied) if quality.best else [],
    )


@router.get("/retrieval-checks/{check_id}/rows")
def list_checked_rows(
    check_id: Id,
    db: Db,
    me: Me,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="id of the last row seen")] = 0,
    limit: UpTo500 = 100,
) -> CheckedRows:
    """The dev rows that were searched for, by id. Passages are read at the index."""
    row = store.check(db, check_id)
    what = service.known(db, row)
    asked = {example.id for example in service.to_mark(db, row, what)}
    dev = sorted(dataset_store.rows(db, row.dataset_id, "dev"), key=lambda example: example.id)
    rows = [example for example in dev if str(example.id) in row.hits and example.id > after]
    data = []
    for example in rows[:limit]:
        gold = what.gold.get(example.id)
        how: How | None = gold.how if gold else "marked" if example.id in what.absent else None
        data.append(
            CheckedRow(
                id=example.id,
                line=example.line,
                hits=row.hits[str(example.id)],
                gold=list(gold.passages) if gold else [],
                how=how,
                to_mark=example.id in asked,
            )
        )
    return CheckedRows(data=data, has_more=len(rows) > limit)


@router.put("/retrieval-checks/{check_id}/rows/{row_id}/gold")
def mark_gold_passage(check_id: Id, row_id: Id, body: GoldPassage, app: App, db: Db, me: Author) -> PassageMark:
    """Write down which passage answers a dev row. The newest word counts; earlier ones stay on record."""
    made = service.mark(db, app.blobs, check_id, row_id, body.passage_id, me)
    return PassageMark(
        id=made.id,
        row_id=row_id,
        passage_id=made.passage_id,
        index_id=made.index_id,
        marked_by=made.marked_by,
        marked_at=made.marked_at,
    )
