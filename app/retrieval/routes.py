"""Pages of retrieval: settings, preview, build, what is there, and questions tried by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request, Response

from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.db import utcnow
from app.documents import store as document_store
from app.documents.store import Size
from app.errors import FieldError, Invalid, Refusal
from app.inference import embedding
from app.jobs import store as jobs
from app.retrieval import lexical, service, store
from app.retrieval.searching import Hit
from app.retrieval.service import Overview, Passage, Tried
from app.retrieval.settings import LEAST_SIZE, MOST_SIZE, NO_EMBEDDER, IndexSettings, Way, checked
from app.retrieval.splitting import Piece
from app.retrieval.tables import IndexRow
from app.users import store as user_store
from app.users.deps import Author, Me
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, see
from app.web.params import LARGEST, Id, Sent

router = APIRouter(include_in_schema=False)

PAGE = 50  # passages of an index on one page
PREVIEWED = 10  # passages of a document in the preview
TO_PREVIEW = 200  # documents in the list to choose from
EARLIER = 10  # indexes that are listed
QUICKLY_EMBEDDED = 500_000  # tokens of documents; 172,000 took a busy core four minutes
DEPTHS = (3, 5, 10)  # passages of each way


@dataclass(frozen=True, slots=True)
class Line:
    """A retrieved passage; its title and text in pieces, each with whether it is a word to mark."""

    hit: Hit
    passage: Passage
    title: Sequence[tuple[str, bool]]
    text: Sequence[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Column:
    """What one way retrieved, the best first."""

    way: Way
    lines: Sequence[Line]


@router.get("/assessments/{assessment_id}/retrieval", name="retrieval")
def show_retrieval(
    request: Request,
    assessment_id: Id,
    app: App,
    db: Db,
    me: Me,
    q: Annotated[str, Query(max_length=10_000, pattern=r"^[^\x00]*$")] = "",
    k: Annotated[int, Query(ge=1, le=100)] = 5,
    document: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
) -> Response:
    typed = {"document": str(document)} if document else None
    return _page(request, app, db, assessment_id, typed=typed, query=q, k=k if k in DEPTHS else 5)


def _page(
    request: Request,
    app: AppContext,
    db: Db,
    assessment_id: int,
    *,
    typed: Mapping[str, str] | None = None,
    refusal: Refusal | None = None,
    query: str = "",
    k: int = 5,
) -> Response:
    """The page. typed: the form as it was sent, with what was wrong with it; query: what is searched for."""
    assessment = assessment_store.get(db, assessment_id)
    now = service.overview(db, assessment_id)
    size, choices = document_store.size(db, assessment_id), service.choices(db, app.settings, assessment)
    shown, errors = _form(now, typed, _first(choices, size)), by_field(refusal) if isinstance(refusal, Invalid) else {}
    pieces, more, title = _previewed(app, db, assessment_id, shown, errors) if typed else ([], False, "")
    tried, trouble = _tried(app, db, now, query, k)
    status = 422 if errors else 409 if refusal else 200
    return page(
        request,
        "retrieval/retrieval.html",
        status=status,
        assessment=assessment,
        step="measure",
        now=now,
        size=size,
        building=now.job is not None and not now.job.final,
        ahead=jobs.ahead(db, now.job) if now.job else 0,
        working=jobs.working(db, utcnow() - timedelta(seconds=app.settings.worker_lost_after)),
        choices=[(choice, _host(db, choice.key)) for choice in choices],
        documents=_documents(db, assessment_id, (shown["document"], title)),
        bounds=(LEAST_SIZE, MOST_SIZE),
        typed=shown,
        errors=errors,
        detail=refusal.detail if refusal else "",
        form_open=bool(refusal or typed),
        pieces=pieces,
        pieces_more=more,
        pieces_of=title,
        q=query,
        k=k,
        depths=DEPTHS,
        trouble=trouble,
        against=tried.against if tried else "",
        columns=_columns(tried) if tried else [],
        earlier=_earlier(db, assessment, now),
        names=user_store.names(db, [row.created_by for row in (now.index, now.newest) if row]),
    )


def _first(choices: Sequence[embedding.Choice], size: Size) -> IndexSettings:
    """What the form of a first index begins with: all three ways, where that needs nothing but some minutes."""
    here = any(choice.key == embedding.BUNDLED and not choice.missing for choice in choices)
    return IndexSettings(embedder=embedding.BUNDLED if here and size.tokens <= QUICKLY_EMBEDDED else NO_EMBEDDER)


def _form(now: Overview, typed: Mapping[str, str] | None, first: IndexSettings) -> dict[str, str]:
    """The form as it was sent; else as the last index was ordered, or with `first` where there is none."""
    settings = now.newest.settings if now.newest else first
    usual = {
        "size": str(settings.size),
        "overlap": str(settings.overlap),
        "titles": "on" if settings.titles else "",
        "embedder": settings.embedder,
        "document": "",
    }
    if typed is not None and "size" in typed:
        usual["titles"] = ""
    return usual | dict(typed or {})


def _host(db: Db, choice: str) -> str:
    model = service.endpoint_model(db, choice)
    return urlsplit(model.base_url).netloc if model else ""


def _documents(db: Db, assessment_id: int, chosen: tuple[str, str]) -> list[tuple[int, str]]:
    """Documents to choose from in the preview: the first ones, and the one that is shown (its id and title)."""
    listed = store.documents(db, assessment_id, TO_PREVIEW)
    number, title = chosen
    if title and number not in {str(one) for one, _ in listed}:
        listed.append((int(number), title))
    return listed


def _previewed(
    app: AppContext, db: Db, assessment_id: int, typed: Mapping[str, str], errors: dict[str, str]
) -> tuple[list[Piece], bool, str]:
    number = typed.get("document", "")
    if not number.isdecimal() or len(number) > 9 or errors:
        return [], False, ""
    document, _ = document_store.document(db, int(number))
    pieces, more = service.preview(db, app.blobs, assessment_id, document.id, _settings(typed), PREVIEWED)
    return pieces, more, document.title or document.name


def _tried(app: AppContext, db: Db, now: Overview, query: str, k: int) -> tuple[Tried | None, str]:
    """What each way retrieves for a question, or why nothing was searched for."""
    if now.index is None or not query.strip():
        return None, ""
    try:
        return service.search(db, app.settings, app.blobs, now.index, query, now.index.ways, k), ""
    except Invalid as refusal:
        return None, refusal.errors[0].detail
    except Refusal as refusal:
        return None, refusal.detail


def _columns(tried: Tried) -> list[Column]:
    return [Column(way, [_line(hit, tried) for hit in hits]) for way, hits in tried.hits.items()]


def _line(hit: Hit, tried: Tried) -> Line:
    passage = tried.passages[hit.passage_id]
    title, text = (list(lexical.marked(part, tried.marked)) for part in (passage.title, passage.text))
    return Line(hit, passage, title, text)


def _earlier(db: Db, assessment: AssessmentRow, now: Overview) -> list[IndexRow]:
    rows = store.listed(db, assessment.id, None, EARLIER + 1)
    return [row for row in rows if row.state == "ready" and (now.index is None or row.id != now.index.id)][:EARLIER]


def _settings(typed: Mapping[str, str]) -> IndexSettings:
    """The settings of a form.

    Raises:
        Invalid: a number is none.
    """
    faults, numbers = [], {}
    for name in ("size", "overlap"):
        text = typed.get(name, "").strip()
        if text.isascii() and text.isdecimal() and len(text) < 7:
            numbers[name] = int(text)
        else:
            faults.append(FieldError(f"#/{name}", "Type a whole number of tokens."))
    if faults:
        raise Invalid("The index can't be built like this.", faults)
    return IndexSettings(
        size=numbers["size"],
        overlap=numbers["overlap"],
        titles=typed.get("titles") == "on",
        embedder=typed.get("embedder", ""),
    )


@router.post("/assessments/{assessment_id}/retrieval", name="build_index")
def build_index(request: Request, assessment_id: Id, sent: Sent, app: App, db: Db, me: Author) -> Response:
    consent = sent.get(f"consent-{sent.get('embedder', '')}") == "on"
    try:
        service.order(db, app.settings, assessment_id, me, _settings(sent), consent=consent)
    except Invalid as refusal:
        return _page(request, app, db, assessment_id, typed=_without_document(sent), refusal=refusal)
    return see(request, "retrieval", assessment_id=assessment_id)


def _without_document(sent: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in sent.items() if name != "document"}


@router.post("/assessments/{assessment_id}/retrieval/preview", name="preview_passages")
def preview_passages(request: Request, assessment_id: Id, sent: Sent, app: App, db: Db, me: Me) -> Response:
    """The passages of one document with the settings of the form. Nothing is changed."""
    try:
        wanted = _settings(sent)
        checked(wanted)
    except Invalid as refusal:
        return _page(request, app, db, assessment_id, typed=sent, refusal=refusal)
    return _page(request, app, db, assessment_id, typed=sent)


@router.post("/retrieval-indexes/{index_id}/build", name="build_index_again")
def build_index_again(request: Request, index_id: Id, db: Db, me: Author) -> Response:
    service.build_again(db, index_id, me)
    return see(request, "retrieval", assessment_id=store.get(db, index_id).assessment_id)


@router.get("/retrieval-indexes/{index_id}/passages", name="passages")
def show_passages(
    request: Request,
    index_id: Id,
    app: App,
    db: Db,
    me: Me,
    number: Annotated[int, Query(alias="page", ge=1, le=10**6)] = 1,
) -> Response:
    """All passages of an index, in the order of the documents."""
    row = store.get(db, index_id)
    first = (number - 1) * PAGE + 1
    return page(
        request,
        "retrieval/passages.html",
        assessment=assessment_store.get(db, row.assessment_id),
        step="measure",
        index=row,
        passages=service.passages(db, app.blobs, index_id, range(first, first + PAGE)).values(),
        number=number,
        pages=max(1, -(-row.passages // PAGE)),
    )
