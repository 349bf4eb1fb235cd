"""Pages for documents: add them, see what was read, take them out."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.assessments import store as assessment_store
from app.blobs import Blob
from app.db import utcnow
from app.documents import privacy, service, store
from app.errors import Invalid
from app.jobs import store as jobs
from app.uploads import receive
from app.uploads.multipart import Part
from app.users import store as user_store
from app.users.deps import Author, Me
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, see
from app.web.params import Id, Sent

router = APIRouter(include_in_schema=False)

LEAKS = 100  # test questions on their page
PAGE = 50  # documents of a file on one page


@router.get("/assessments/{assessment_id}/documents", name="documents")
def show_documents(request: Request, assessment_id: Id, app: App, db: Db, me: Me) -> Response:
    return _documents(request, app, db, assessment_id)


def _documents(
    request: Request,
    app: AppContext,
    db: Db,
    assessment_id: int,
    refusal: Invalid | None = None,
    refused: tuple[int | None, Invalid] | None = None,
    sent: Mapping[str, str] | None = None,
) -> Response:
    """The page. refusal: of the upload form; refused: of a decision on one file, or on all
    (None), and what was sent with it.
    """
    assessment = assessment_store.get(db, assessment_id)
    files = store.files(db, assessment_id)
    by_file = store.totals_by_file(db, assessment_id)
    job = service.job_of(db, assessment_id)
    return page(
        request,
        "documents/documents.html",
        status=422 if refusal or refused else 200,
        assessment=assessment,
        step="data",
        files=files,
        held=privacy.by_kind((row.id, row) for row in files),
        by_file=by_file,
        none=store.Totals(),
        totals=store.sum_of(by_file.values()),
        twice=store.twice(db, assessment_id),
        with_unread={file_id for file_id, counts in by_file.items() if counts.unread},
        declared=assessment.answers.get("corpus_tokens"),
        names=user_store.names(db, [row.uploaded_by for row in files]),
        job=job,
        ahead=jobs.ahead(db, job) if job else 0,
        working=jobs.working(db, utcnow() - timedelta(seconds=app.settings.worker_lost_after)),
        limit=app.settings.upload_limit,
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
        objection=refused,
        sent=sent or {},
        people=user_store.names(db, [decision.by for row in files for decision in row.decisions.values()]),
    )


@router.get("/assessments/{assessment_id}/documents/test-rows", name="test_rows_in_documents")
def show_test_rows(request: Request, assessment_id: Id, app: App, db: Db, me: Me) -> Response:
    """The test questions that stand in the documents word for word."""
    return page(
        request,
        "documents/test_rows.html",
        assessment=assessment_store.get(db, assessment_id),
        step="data",
        search=service.test_rows_in_documents(db, app.blobs, assessment_id),
        shown=LEAKS,
    )


@router.post("/assessments/{assessment_id}/documents", name="add_documents", max_body_size=receive.ANY_SIZE)
async def add_documents(request: Request, assessment_id: Id, app: App, me: Author) -> Response:
    await run_in_threadpool(receive.must_exist, app, assessment_id)
    try:
        files = await receive.form(request, app, me, lambda parts: _stored(app, parts), most=service.MOST_FILES + 2)
        await run_in_threadpool(_keep, app, assessment_id, me, files)
    except Invalid as refusal:
        return await run_in_threadpool(_again, request, app, assessment_id, refusal)
    return see(request, "documents", assessment_id=assessment_id)


def _stored(app: AppContext, parts: Iterator[Part]) -> list[tuple[Blob, str]]:
    """Store the files as they arrive; all of them together may be as large as one upload."""
    files: list[tuple[Blob, str]] = []
    left = app.settings.upload_limit
    for part in parts:
        if part.name == "documents" and part.filename:
            blob = app.blobs.put(part.body, left)
            left -= blob.size
            files.append((blob, part.filename))
    return files


def _keep(app: AppContext, assessment_id: int, me: UserRow, files: list[tuple[Blob, str]]) -> None:
    with receive.transaction(app) as session:
        service.add(session, assessment_id, me, files)


def _again(request: Request, app: AppContext, assessment_id: int, refusal: Invalid) -> Response:
    with receive.reading_for_page(request, app) as session:
        return _documents(request, app, session, assessment_id, refusal)


@router.get("/document-files/{file_id}", name="document_file")
def show_file(
    request: Request, file_id: Id, db: Db, me: Me, number: Annotated[int, Query(alias="page", ge=1, le=10**6)] = 1
) -> Response:
    row = store.file(db, file_id)
    total = store.number_of(db, file_id)
    return page(
        request,
        "documents/file.html",
        assessment=assessment_store.get(db, row.assessment_id),
        step="data",
        file=row,
        documents=store.of_file(db, file_id, skip=(number - 1) * PAGE, limit=PAGE),
        total=total,
        number=number,
        pages=max(1, -(-total // PAGE)),
    )


@router.post("/document-files/{file_id}/remove", name="remove_documents")
def remove_documents(request: Request, file_id: Id, db: Db, me: Author) -> Response:
    row = service.remove(db, file_id, me)
    return see(request, "documents", assessment_id=row.assessment_id, notice="saved")


@router.post("/assessments/{assessment_id}/documents/decide", name="decide_all_documents")
def decide_all_documents(request: Request, assessment_id: Id, sent: Sent, app: App, db: Db, me: Author) -> Response:
    try:
        service.decide_all(db, assessment_id, me, _choices(sent), sent.get("reason", ""))
    except Invalid as refusal:
        return _documents(request, app, db, assessment_id, refused=(None, refusal), sent=sent)
    return see(request, "documents", assessment_id=assessment_id, anchor="personal")


def _choices(sent: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix("kind-"): value for name, value in sent.items() if name.startswith("kind-") and value}


@router.post("/document-files/{file_id}/decide", name="decide_documents")
def decide_documents(request: Request, file_id: Id, sent: Sent, app: App, db: Db, me: Author) -> Response:
    row = store.file(db, file_id)
    try:
        service.decide(db, file_id, me, _choices(sent), sent.get("reason", ""))
    except Invalid as refusal:
        return _documents(request, app, db, row.assessment_id, refused=(file_id, refusal), sent=sent)
    return see(request, "documents", assessment_id=row.assessment_id, notice="saved", anchor="personal")


@router.post("/document-files/{file_id}/read", name="read_documents")
def read_documents(request: Request, file_id: Id, db: Db, me: Author) -> Response:
    service.read_again(db, file_id, me)
    return see(request, "documents", assessment_id=store.file(db, file_id).assessment_id)


@router.get("/documents/{document_id}", name="document")
def show_document(request: Request, document_id: Id, app: App, db: Db, me: Me) -> Response:
    return _document(request, app, db, document_id)


@router.post("/documents/{document_id}/open", name="open_document")
def open_document(request: Request, document_id: Id, app: App, db: Db, me: Author) -> Response:
    """The same with its values. Who looked at them is on record, so it takes a click and not an address."""
    service.note_opened(db, document_id, me)
    return _document(request, app, db, document_id, unmasked=True)


def _document(request: Request, app: AppContext, db: Db, document_id: int, *, unmasked: bool = False) -> Response:
    row, file = store.document(db, document_id)
    seen = service.look_at(app.blobs, row, file, unmasked=unmasked)
    return page(
        request,
        "documents/document.html",
        assessment=assessment_store.get(db, file.assessment_id),
        step="data",
        file=file,
        document=row,
        text=seen.text,
        cut=seen.cut,
        hides=seen.hides,
        opened=unmasked,
    )


@router.get("/assessments/{assessment_id}/documents/export", name="export_documents")
def export_documents(assessment_id: Id, app: App, db: Db, me: Me) -> Response:
    assessment_store.get(db, assessment_id)
    service.to_export(db, assessment_id)
    return receive.attachment(service.exported(db, app.blobs, assessment_id), f"documents-{assessment_id}.jsonl")
