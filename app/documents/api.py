"""The REST side of documents: raw bytes in, texts out."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from app.assessments import store as assessment_store
from app.blobs import Blob
from app.documents import service, store
from app.documents.tables import DocumentFileRow, DocumentRow
from app.jobs.tables import JobRow
from app.json_types import JsonDict
from app.privacy.decisions import decisions_to_json
from app.uploads import receive
from app.users.deps import Author, Me
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.params import LARGEST, Id, OneLine, UpTo500
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["documents"], responses=REFUSALS)

# Not `OneLine`: what cannot be shown is taken out of a name, never a reason to refuse the file.
Filename = Annotated[str, Query(max_length=2000, description="its ending tells Markdown, HTML and text apart")]


class DocumentFile(BaseModel):
    """One uploaded file. `state`: reading, ready, refused (`reason` says why)."""

    id: int
    object: str = "document_file"
    assessment_id: int
    filename: str
    bytes: int
    sha256: str
    state: str
    reason: str
    uploaded_at: datetime
    removed_at: datetime | None
    identifiers: list[JsonDict] | None = Field(description="personal data found; null where it was not looked for")
    decisions: dict[str, JsonDict]
    job_id: int | None = Field(None, description="the job that read it last; null in lists")

    @staticmethod
    def of(row: DocumentFileRow, job: JobRow | None = None) -> "DocumentFile":
        return DocumentFile(
            id=row.id,
            assessment_id=row.assessment_id,
            filename=row.filename,
            bytes=row.bytes,
            sha256=row.blob_sha256,
            state=row.state,
            reason=row.reason,
            uploaded_at=row.uploaded_at,
            removed_at=row.removed_at,
            identifiers=row.private,
            decisions=decisions_to_json(row.decisions),
            job_id=job.id if job else None,
        )

    @staticmethod
    def alone(session: Db, row: DocumentFileRow) -> "DocumentFile":
        """With its job, which a list leaves out."""
        return DocumentFile.of(row, service.reading_of(session, row))


class FileDecisions(BaseModel):
    """What becomes of each kind of personal data in a file."""

    decisions: dict[Annotated[OneLine, Field(max_length=60)], Literal["mask", "attest"]] = Field(max_length=20)
    reason: OneLine = Field(
        default="", max_length=500, description="why they may be kept as they are; needed for attest"
    )


class DecidedFiles(BaseModel):
    """The files that a decision for all was about."""

    data: list[DocumentFile]
    has_more: bool = False


class Corpus(BaseModel):
    """The files of an assessment, and what they come to. `estimated_tokens` needs no tokenizer and says about."""

    data: list[DocumentFile]
    has_more: bool
    documents: int
    without_text: int
    characters: int
    estimated_tokens: int


class Document(BaseModel):
    """One document. `reason` says why it has no text; `text_sha256` names the text."""

    id: int
    number: int
    name: str
    title: str
    kind: str
    characters: int
    estimated_tokens: int
    text_sha256: str | None
    reason: str

    @staticmethod
    def of(row: DocumentRow) -> "Document":
        return Document(
            id=row.id,
            number=row.number,
            name=row.name,
            title=row.title,
            kind=row.kind,
            characters=row.characters,
            estimated_tokens=row.tokens,
            text_sha256=row.text_sha256,
            reason=row.reason,
        )


class Documents(BaseModel):
    data: list[Document]
    has_more: bool


class DocumentText(Document):
    """A document with its text, values hidden until somebody decides on them. cut: the export has the rest."""

    document_file_id: int
    text: str
    cut: bool


class TestRow(BaseModel):
    """A test row whose question stands in a document word for word. answered: so does its answer."""

    line: int
    file: int
    question: str
    answer: str
    document_id: int
    title: str
    share: float = Field(description="of the question's runs of words, 0 to 1")
    answered: bool


class TestRows(BaseModel):
    """Where test questions stand in the documents. whole: all documents were searched, not only the first."""

    data: list[TestRow]
    has_more: bool = False
    dataset_id: int | None
    questions: int
    documents: int
    whole: bool


@router.put(
    "/assessments/{assessment_id}/documents",
    status_code=201,
    openapi_extra=receive.RAW_BODY,
    max_body_size=receive.ANY_SIZE,
    responses=receive.REFUSALS,
)
async def put_documents(
    request: Request, assessment_id: Id, app: App, me: Author, filename: Filename = "document.txt"
) -> DocumentFile:
    """Add one file as the raw body: text, Markdown, HTML, PDF, JSON (lines or list) with `text`, or a zip of these."""
    await run_in_threadpool(receive.must_exist, app, assessment_id)
    blob = await receive.receive(request, app, me)
    return await run_in_threadpool(_added, app, assessment_id, me, blob, filename)


def _added(app: AppContext, assessment_id: int, me: UserRow, blob: Blob, filename: str) -> DocumentFile:
    with receive.transaction(app) as session:
        return DocumentFile.alone(session, service.add(session, assessment_id, me, [(blob, filename)])[0])


@router.get("/assessments/{assessment_id}/documents")
def list_documents(
    assessment_id: Id,
    db: Db,
    me: Me,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="id of the last file seen")] = 0,
    limit: UpTo500 = 100,
) -> Corpus:
    """The files of the corpus in the order of their upload, with the size of the whole."""
    assessment_store.get(db, assessment_id)
    files = store.files(db, assessment_id, after=after, limit=limit + 1)
    totals = store.totals(db, assessment_id)
    return Corpus(
        data=[DocumentFile.of(row) for row in files[:limit]],
        has_more=len(files) > limit,
        documents=totals.documents,
        without_text=totals.unread,
        characters=totals.characters,
        estimated_tokens=totals.tokens,
    )


@router.get("/assessments/{assessment_id}/documents/export", response_class=StreamingResponse)
def export_corpus(assessment_id: Id, app: App, db: Db, me: Me) -> Response:
    """Every text as JSON lines: id, title, source, text."""
    assessment_store.get(db, assessment_id)
    service.to_export(db, assessment_id)
    return receive.attachment(service.exported(db, app.blobs, assessment_id), f"documents-{assessment_id}.jsonl")


@router.get("/assessments/{assessment_id}/documents/test-rows")
def list_test_rows(assessment_id: Id, app: App, db: Db, me: Me) -> TestRows:
    """Test questions that stand in the documents: an answer by retrieval is measured too well on them."""
    assessment_store.get(db, assessment_id)
    search = service.test_rows_in_documents(db, app.blobs, assessment_id)
    return TestRows(
        data=[TestRow(**asdict(standing)) for standing in search.leaked],
        dataset_id=search.dataset_id,
        questions=search.questions,
        documents=search.documents,
        whole=search.whole,
    )


@router.get("/documents/{document_id}")
def get_document(document_id: Id, app: App, db: Db, me: Me) -> DocumentText:
    """One document with its text."""
    row, file = store.document(db, document_id)
    seen = service.look_at(app.blobs, row, file)
    return DocumentText(**Document.of(row).model_dump(), document_file_id=file.id, text=seen.text, cut=seen.cut)


@router.post("/documents/{document_id}/open")
def open_document(document_id: Id, app: App, db: Db, me: Author) -> DocumentText:
    """One document with its hidden values. Who looked at them is on record, so it is asked for with POST."""
    service.note_opened(db, document_id, me)
    row, file = store.document(db, document_id)
    seen = service.look_at(app.blobs, row, file, unmasked=True)
    return DocumentText(**Document.of(row).model_dump(), document_file_id=file.id, text=seen.text, cut=seen.cut)


@router.post("/assessments/{assessment_id}/documents/decisions")
def decide_files(assessment_id: Id, body: FileDecisions, db: Db, me: Author) -> DecidedFiles:
    """Decide once for all files that hold a kind and on which nobody has decided; where there is none, for all."""
    decided = service.decide_all(db, assessment_id, me, body.decisions, body.reason)
    return DecidedFiles(data=[DocumentFile.of(row) for row in decided])


@router.get("/document-files/{file_id}")
def get_file(file_id: Id, db: Db, me: Me) -> DocumentFile:
    """One uploaded file."""
    return DocumentFile.alone(db, store.file(db, file_id))


@router.get("/document-files/{file_id}/documents")
def list_file(
    file_id: Id,
    db: Db,
    me: Me,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="number of the last document seen")] = 0,
    limit: UpTo500 = 100,
) -> Documents:
    """What was read from a file, in its order."""
    store.file(db, file_id)
    listed = store.of_file(db, file_id, skip=after, limit=limit + 1)
    return Documents(data=[Document.of(row) for row in listed[:limit]], has_more=len(listed) > limit)


@router.delete("/document-files/{file_id}")
def remove_file(file_id: Id, db: Db, me: Author) -> DocumentFile:
    """Take a file out of the corpus; its texts stay readable."""
    return DocumentFile.of(service.remove(db, file_id, me))


@router.post("/document-files/{file_id}/decisions")
def decide_file(file_id: Id, body: FileDecisions, db: Db, me: Author) -> DocumentFile:
    """Decide on the personal data in a file. Masking reads the file once more."""
    return DocumentFile.alone(db, service.decide(db, file_id, me, body.decisions, body.reason))


@router.post("/document-files/{file_id}/read", status_code=202)
def read_file(file_id: Id, db: Db, me: Author) -> DocumentFile:
    """Go on with a reading that was cancelled or failed."""
    job = service.read_again(db, file_id, me)
    return DocumentFile.of(store.file(db, file_id), job)
