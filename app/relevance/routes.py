"""Pages of right passages: how well each way of searching finds them, and where a person marks them."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request, Response

from app import glossary
from app.assessments import store as assessment_store
from app.datasets import store as dataset_store
from app.errors import Invalid, NotFound
from app.jobs import store as jobs
from app.relevance import pages, service, store
from app.relevance.ranking import DEPTHS, PASSAGES
from app.relevance.tables import RetrievalCheckRow
from app.retrieval import service as retrieval
from app.retrieval.tables import IndexRow
from app.users import store as user_store
from app.users.deps import Author, Me
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, render, see, wants_fragment
from app.web.params import LARGEST, Id

router = APIRouter(include_in_schema=False)

ABSENT = "absent"
RowId = Annotated[int | None, Query(ge=1, le=LARGEST)]
Passage = Annotated[str, Form(max_length=10, pattern=r"^([0-9]+|absent)$")]


@router.get("/assessments/{assessment_id}/retrieval/quality", name="retrieval_quality")
def show_quality(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    """Recall and rank of each way on the dev rows, and how their gold passages are known."""
    return _quality(request, assessment_id, db)


def _quality(request: Request, assessment_id: int, db: Db, refusal: Invalid | None = None) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    index = retrieval.current(db, assessment_id)
    dataset = dataset_store.current(db, assessment_id)
    newest = store.newest(db, assessment_id)
    check = service.current(db, assessment_id)
    quality = service.quality(db, check) if check else None
    left = service.to_mark(db, check, quality.known) if check and quality else []
    job = jobs.get(db, newest.job_id) if newest and newest.job_id else None
    return page(
        request,
        "relevance/quality.html",
        status=422 if refusal else 200,
        errors=by_field(refusal) if refusal else {},
        host=_host(db, index) if index else "",
        assessment=assessment,
        step="measure",
        index=index,
        frozen=dataset is not None and dataset.frozen_at is not None,
        job=job if job and (not job.final or (newest and newest.done_at is None)) else None,
        ahead=jobs.ahead(db, job) if job and not job.final else 0,
        check=check,
        quality=quality,
        depths=DEPTHS,
        k=PASSAGES,
        recall=glossary.term("retrieval.recall"),
        mrr=glossary.term("retrieval.mrr"),
        missed=pages.missed(db, quality) if quality else [],
        marked_rows=service.marked_of(check, quality.known) if check and quality else 0,
        candidates=service.CANDIDATES,
        markers=(markers := service.markers(db, assessment_id)),
        people=user_store.names(db, [one.user_id for one in markers]),
        to_mark=len(left),
        marked=sum(example.id in quality.known.marked for example in left) if quality else 0,
    )


@router.post("/assessments/{assessment_id}/retrieval/quality", name="check_retrieval")
def check_retrieval(
    request: Request, assessment_id: Id, db: Db, me: Author, consent: Annotated[Literal["on", ""], Form()] = ""
) -> Response:
    try:
        service.start(db, assessment_id, me, consent=consent == "on")
    except Invalid as refusal:
        return _quality(request, assessment_id, db, refusal)
    return see(request, "retrieval_quality", assessment_id=assessment_id)


def _host(db: Db, index: IndexRow) -> str:
    """Of the server that gets the questions of the dev rows; empty where none does."""
    model = service.server(db, index)
    return urlsplit(model.base_url).netloc if model else ""


@router.get("/retrieval-checks/{check_id}/mark", name="mark_passages")
def show_marking(
    request: Request,
    check_id: Id,
    app: App,
    db: Db,
    me: Me,
    row: RowId = None,
    q: Annotated[str, Query(max_length=retrieval.LONGEST_QUERY, pattern=r"^[^\x00]*$")] = "",
) -> Response:
    """A dev row with the passages that may answer it. row: its id; else the first that nobody decided. q: words of
    whoever marks, to search the documents by."""
    check = _done(db, check_id)
    found = service.sought(db, app.settings, app.blobs, check, q) if q.strip() else []
    return page(
        request,
        "relevance/mark.html",
        assessment=assessment_store.get(db, check.assessment_id),
        step="measure",
        check=check,
        one=pages.to_mark(db, app.blobs, check, row, found),
        saved="",
        q=q,
    )


@router.post("/retrieval-checks/{check_id}/mark", name="mark_passage")
def mark_passage(
    request: Request,
    check_id: Id,
    app: App,
    db: Db,
    me: Author,
    row: Annotated[int, Form(ge=1, le=LARGEST)],
    passage: Passage,
) -> Response:
    """Store which passage answers the row, and go on with the next one that nobody decided."""
    service.mark(db, app.blobs, check_id, row, None if passage == ABSENT else int(passage), me)
    if not wants_fragment(request):
        return see(request, "mark_passages", check_id=check_id)
    check = _done(db, check_id)
    html = render(
        request,
        "relevance/_mark.html",
        assessment=assessment_store.get(db, check.assessment_id),
        check=check,
        one=pages.to_mark(db, app.blobs, check, None),
        saved="Saved.",
        q="",
    )
    return Response(html, media_type="text/html")


def _done(db: Db, check_id: int) -> RetrievalCheckRow:
    check = store.check(db, check_id)
    if check.done_at is None:
        raise NotFound("This check of retrieval is not through yet.")
    return check
