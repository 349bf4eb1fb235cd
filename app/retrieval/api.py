"""The REST side of retrieval: indexes are built, looked into and searched."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.assessments import store as assessment_store
from app.errors import Conflict
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.json_types import JsonDict
from app.retrieval import service, store
from app.retrieval.settings import IndexSettings, Way
from app.retrieval.splitting import Piece
from app.retrieval.tables import IndexRow
from app.users.deps import Author, Me
from app.web.deps import App, Db
from app.web.params import LARGEST, Id, OneLine, UpTo100, UpTo500
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["retrieval"], responses=REFUSALS)

DEFAULTS = IndexSettings()
Size = Annotated[int, Query(ge=1, le=LARGEST, description="tokens of a passage, estimated")]
Overlap = Annotated[int, Query(ge=0, le=LARGEST, description="tokens that the next passage repeats, estimated")]
Embedding = Annotated[OneLine, Field(max_length=100)]


class IndexOrder(BaseModel):
    """What an index is to be like. `embedder`: minilm, multilingual, endpoint:ID, or empty for words alone.

    `titles`: the headings above a passage are searched with it. `consent`: the documents may be sent to that server.
    """

    size: int = Field(DEFAULTS.size, ge=1, le=LARGEST, description="tokens of a passage, estimated")
    overlap: int = Field(DEFAULTS.overlap, ge=0, le=LARGEST, description="tokens that the next passage repeats")
    titles: bool = DEFAULTS.titles
    embedder: Embedding = DEFAULTS.embedder
    consent: bool = False

    @property
    def settings(self) -> IndexSettings:
        return IndexSettings(size=self.size, overlap=self.overlap, titles=self.titles, embedder=self.embedder)


class RetrievalIndex(BaseModel):
    """An index. `state`: building, ready. `sha256` is over its passages, its settings and its embedding model.

    `cut`: passages that were longer than the embedding model reads, and were cut at their end for it.
    """

    id: int
    object: str = "retrieval_index"
    assessment_id: int
    state: str
    sha256: str | None
    size: int
    overlap: int
    titles: bool
    embedder: str
    made_by: JsonDict | None = Field(description="name, digest and dimensions of the embedding model")
    ways: list[Way]
    documents: int
    passages: int
    estimated_tokens: int
    bytes: int
    cut: int
    seconds: float
    created_at: datetime
    ready_at: datetime | None
    job_id: int | None = Field(None, description="the job that builds it or built it; null in lists")

    @staticmethod
    def of(row: IndexRow, job: JobRow | None = None) -> "RetrievalIndex":
        return RetrievalIndex(
            id=row.id,
            assessment_id=row.assessment_id,
            state=row.state,
            sha256=row.sha256,
            size=row.settings.size,
            overlap=row.settings.overlap,
            titles=row.settings.titles,
            embedder=row.settings.embedder,
            made_by=row.embedder,
            ways=list(row.ways),
            documents=row.documents,
            passages=row.passages,
            estimated_tokens=row.tokens,
            bytes=row.bytes,
            cut=row.cut,
            seconds=row.seconds,
            created_at=row.created_at,
            ready_at=row.ready_at,
            job_id=job.id if job else None,
        )

    @staticmethod
    def alone(session: Db, row: IndexRow) -> "RetrievalIndex":
        """With its job, which a list leaves out."""
        return RetrievalIndex.of(row, job_store.latest(session, "index", row.id))


class Indexes(BaseModel):
    data: list[RetrievalIndex]
    has_more: bool


class EmbedderChoice(BaseModel):
    """An embedding model. `missing` says why it cannot be used here; empty where it can."""

    key: str
    name: str
    why: str
    missing: str


class Retrieval(BaseModel):
    """Where retrieval stands. `index` is searched; `stale`: documents changed since it was built, or were removed.

    `newest` is the index ordered last: another one than `index` while it is built, and where that failed.
    """

    index: RetrievalIndex | None
    stale: bool
    newest: RetrievalIndex | None
    embedders: list[EmbedderChoice]


class PreviewedPassage(BaseModel):
    """A passage that a document would make. start, end: characters of its text as it may be read."""

    title: str
    text: str
    start: int
    end: int
    estimated_tokens: int

    @staticmethod
    def of(piece: Piece) -> "PreviewedPassage":
        return PreviewedPassage(
            title=piece.title, text=piece.text, start=piece.start, end=piece.end, estimated_tokens=piece.tokens
        )


class Preview(BaseModel):
    data: list[PreviewedPassage]
    has_more: bool


class IndexedPassage(BaseModel):
    """A passage of an index. start, end: characters of the document's text as it may be read."""

    id: int
    document_id: int
    title: str
    text: str
    start: int
    end: int
    tokens: int = Field(serialization_alias="estimated_tokens")


class Passages(BaseModel):
    data: list[IndexedPassage]
    has_more: bool


class RetrievedPassage(BaseModel):
    """A passage that was retrieved. score: BM25, cosine, or the sum of reciprocal ranks, by the way."""

    score: float
    passage: IndexedPassage


class SearchResult(BaseModel):
    """What each way retrieves, the best first. `against`: why embeddings could not be searched, if they could not."""

    index_id: int
    sha256: str
    stale: bool
    ways: Mapping[Way, list[RetrievedPassage]]
    against: str


@router.get("/assessments/{assessment_id}/retrieval")
def get_retrieval(assessment_id: Id, app: App, db: Db, me: Me) -> Retrieval:
    """The index that is searched, the one ordered last, and the embedding models to choose from."""
    assessment = assessment_store.get(db, assessment_id)
    now = service.overview(db, assessment_id)
    return Retrieval(
        index=RetrievalIndex.alone(db, now.index) if now.index else None,
        stale=now.stale,
        newest=RetrievalIndex.alone(db, now.newest) if now.newest else None,
        embedders=[EmbedderChoice(**asdict(choice)) for choice in service.choices(db, app.settings, assessment)],
    )


@router.post("/assessments/{assessment_id}/retrieval-indexes", status_code=202)
def build_index(assessment_id: Id, body: IndexOrder, app: App, db: Db, me: Author) -> RetrievalIndex:
    """Build an index over the documents as they are now."""
    row = service.order(db, app.settings, assessment_id, me, body.settings, consent=body.consent)
    return RetrievalIndex.alone(db, row)


@router.get("/assessments/{assessment_id}/retrieval-indexes")
def list_indexes(
    assessment_id: Id,
    db: Db,
    me: Me,
    before: Annotated[int | None, Query(ge=1, le=LARGEST, description="id of the last index seen")] = None,
    limit: UpTo100 = 20,
) -> Indexes:
    """Indexes of an assessment, the newest first."""
    assessment_store.get(db, assessment_id)
    rows = store.listed(db, assessment_id, before, limit + 1)
    return Indexes(data=[RetrievalIndex.of(row) for row in rows[:limit]], has_more=len(rows) > limit)


@router.get("/assessments/{assessment_id}/retrieval/preview")
def preview_passages(
    assessment_id: Id,
    app: App,
    db: Db,
    me: Me,
    document_id: Annotated[int, Query(ge=1, le=LARGEST)],
    size: Size = DEFAULTS.size,
    overlap: Overlap = DEFAULTS.overlap,
    limit: UpTo500 = 100,
) -> Preview:
    """The passages that a document would make with these settings; nothing is built."""
    wanted = IndexSettings(size=size, overlap=overlap)
    pieces, more = service.preview(db, app.blobs, assessment_id, document_id, wanted, limit)
    return Preview(data=[PreviewedPassage.of(piece) for piece in pieces], has_more=more)


@router.get("/assessments/{assessment_id}/retrieval/search")
def search_documents(
    assessment_id: Id,
    app: App,
    db: Db,
    me: Me,
    query: Annotated[str, Query(min_length=1, max_length=service.LONGEST_QUERY, pattern=r"^[^\x00]*$")],
    way: Annotated[Literal["lexical", "embedding", "hybrid", "all"], Query()] = "all",
    k: Annotated[int, Query(ge=1, le=100)] = 5,
) -> SearchResult:
    """Search the index for one question, in one way or in all that it has."""
    assessment_store.get(db, assessment_id)
    now = service.overview(db, assessment_id)
    if now.index is None:
        raise Conflict("There is no index yet. Build one first.")
    ways: tuple[Way, ...] = now.index.ways if way == "all" else (way,)
    if way != "all" and way not in now.index.ways:
        raise Conflict("This index has no embeddings. Build one with an embedding model, or search by words.")
    tried = service.search(db, app.settings, app.blobs, now.index, query, ways, k)
    return SearchResult(
        index_id=now.index.id,
        sha256=now.index.sha256 or "",
        stale=now.stale,
        ways={
            way: [
                RetrievedPassage(score=hit.score, passage=IndexedPassage(**asdict(tried.passages[hit.passage_id])))
                for hit in hits
            ]
            for way, hits in tried.hits.items()
        },
        against=tried.against,
    )


@router.get("/retrieval-indexes/{index_id}")
def get_index(index_id: Id, db: Db, me: Me) -> RetrievalIndex:
    """One index, ready or under way."""
    return RetrievalIndex.alone(db, store.get(db, index_id))


@router.post("/retrieval-indexes/{index_id}/build", status_code=202)
def build_index_again(index_id: Id, db: Db, me: Author) -> RetrievalIndex:
    """Go on with a build that was cancelled or failed."""
    job = service.build_again(db, index_id, me)
    return RetrievalIndex.of(store.get(db, index_id), job)


@router.get("/retrieval-indexes/{index_id}/passages")
def list_passages(
    index_id: Id,
    app: App,
    db: Db,
    me: Me,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="id of the last passage seen")] = 0,
    limit: UpTo500 = 100,
) -> Passages:
    """The passages of an index in the order of the documents."""
    listed = service.passages(db, app.blobs, index_id, range(after + 1, after + limit + 1))
    return Passages(
        data=[IndexedPassage(**asdict(passage)) for passage in listed.values()],
        has_more=store.get(db, index_id).passages > after + limit,
    )
