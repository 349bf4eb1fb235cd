"""Pages for data: upload, report, split, rows."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.advice.policy import POLICY
from app.assessments import store as assessment_store
from app.blobs import Blob
from app.datasets import deps, exporting, preview, service, store, uploads
from app.datasets.formats import GUESS, SHAPES, ReadAs, read_as
from app.datasets.tables import DatasetRow
from app.db import reading
from app.errors import FieldError, Invalid
from app.jobs import store as jobs
from app.users import store as user_store
from app.users.deps import Author, Me
from app.users.tables import UserRow
from app.web import charts
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, see

router = APIRouter(include_in_schema=False)

Id = Annotated[int, Path(ge=1, le=2**53)]
ROWS = 25  # rows on one page of the browser
PAIRS = 20  # pairs of each kind on the report


@router.get("/assessments/{assessment_id}/data", name="data")
def show_data(request: Request, assessment_id: Id, app: App, db: Db, me: Me) -> Response:
    return _data(request, app, db, assessment_id, store.newest(db, assessment_id))


@router.get("/datasets/{dataset_id}", name="dataset")
def show_dataset(request: Request, dataset_id: Id, app: App, db: Db, me: Me) -> Response:
    row = store.get(db, dataset_id)
    return _data(request, app, db, row.assessment_id, row)


def _data(
    request: Request,
    app: AppContext,
    db: Any,
    assessment_id: int,
    dataset: DatasetRow | None,
    *,
    refusal: Invalid | None = None,
) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    job = service.job_of(db, dataset) if dataset else None
    current = store.current(db, assessment_id)
    report = dataset.report if dataset and dataset.state != "checking" else {}
    people = [who for who in ((dataset.uploaded_by, dataset.frozen_by) if dataset else ()) if who]
    return page(
        request,
        "datasets/data.html",
        status=422 if refusal else 200,
        assessment=assessment,
        step="data",
        dataset=dataset,
        current=current,
        report=report,
        chart=_chart(request, dataset, report) if dataset and report.get("waterfall") else None,
        job=job,
        ahead=jobs.ahead(db, job) if job else 0,
        versions=store.versions(db, assessment_id),
        names=user_store.names(db, people),
        needed=POLICY.count("usable_examples"),
        needed_test=POLICY.count("test_rows"),
        own_test=assessment.answers.get("holdout") == "own_file",
        limit=app.settings.upload_limit,
        shown=PAIRS,
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
    )


def _chart(request: Request, dataset: DatasetRow, report: dict[str, Any]) -> charts.BarChart:
    """The waterfall: what is there, then what each check takes away, then what is left."""
    path = request.app.url_path_for("dataset_rows", dataset_id=dataset.id)
    first, *between, last = report["waterfall"]
    parts = [charts.Part(first["label"], first["count"], url=str(path))]
    for step in between:
        if step["dropped"]:
            words = DROPPED[step["status"]]
            parts.append(charts.Part(words, step["dropped"], removed=True, url=f"{path}?status={step['status']}"))
    if last["dropped"]:
        parts.append(charts.Part("kept aside to test", last["dropped"], removed=True, url=f"{path}?split=test"))
    parts.append(charts.Part("usable", last["count"], url=f"{path}?status=usable"))
    return charts.waterfall("Rows from uploaded to usable", parts)


DROPPED = {
    "fault": "could not be read",
    "empty": "without question or answer",
    "too_long": "too long",
    "duplicate": "repeat another row",
    "near_duplicate": "nearly repeat another row",
    "contradiction": "contradict another row",
    "leak": "stand in the test file",
}


@router.post("/assessments/{assessment_id}/data", name="upload_data", max_body_size=deps.ANY_SIZE)
async def upload_data(request: Request, assessment_id: Id, app: App, me: Author) -> Response:
    await run_in_threadpool(deps.must_exist, app, assessment_id)
    try:
        boundary = uploads.boundary_of(request.headers.get("content-type", ""))
        form = await deps.with_chunks(request, lambda chunks: _take(app, chunks, boundary))
        await run_in_threadpool(_keep, app, assessment_id, me, form)
    except Invalid as refusal:
        return await run_in_threadpool(_again, request, app, assessment_id, refusal)
    return see(request, "data", assessment_id=assessment_id, notice="uploaded")


Taken = dict[str, tuple[Blob, str] | str]


def _take(app: AppContext, chunks: Iterator[bytes], boundary: bytes) -> Taken:
    """Store the form's files as they arrive; an unused file field comes without a name and without bytes."""
    form: Taken = {}
    for part in uploads.parts(chunks, boundary):
        if part.name in {"file", "test"} and part.filename is not None:
            blob = app.blobs.put(part.body, app.settings.upload_limit)
            if part.filename or blob.size:
                form[part.name] = (blob, part.filename)
        elif part.name == "human_checked":
            form[part.name] = part.text()
    return form


def _keep(app: AppContext, assessment_id: int, me: UserRow, form: Taken) -> None:
    with deps.transaction(app) as session:
        file, test = form.get("file"), form.get("test")
        own, own_name = test if isinstance(test, tuple) else (None, "")
        if isinstance(file, tuple):
            checked = True if "human_checked" in form else None
            service.upload(session, assessment_id, me, *file, test=own, test_filename=own_name, human_checked=checked)
        elif own is not None:
            service.add_test(session, assessment_id, me, own, own_name)
        else:
            raise Invalid("No file came with the form.", [FieldError("#/file", "Choose a file with examples.")])


def _again(request: Request, app: AppContext, assessment_id: int, refusal: Invalid) -> Response:
    with reading(app.engine) as session:
        request.state.db = session
        return _data(request, app, session, assessment_id, store.newest(session, assessment_id), refusal=refusal)


@router.post("/datasets/{dataset_id}/freeze", name="freeze_dataset")
def freeze_dataset(request: Request, dataset_id: Id, db: Db, me: Author) -> Response:
    row = service.freeze(db, dataset_id, me)
    return see(request, "data", assessment_id=row.assessment_id, notice="saved", anchor="split")


@router.post("/datasets/{dataset_id}/check", name="check_dataset")
def check_dataset(request: Request, dataset_id: Id, db: Db, me: Author) -> Response:
    job = service.check_again(db, dataset_id, me)
    return see(request, "dataset", dataset_id=job.subject_id, notice="started")


@router.post("/datasets/{dataset_id}/vouch", name="vouch_dataset")
def vouch_dataset(
    request: Request, dataset_id: Id, db: Db, me: Author, human_checked: Annotated[bool, Form()] = False
) -> Response:
    row = service.vouch(db, dataset_id, me, human_checked=human_checked)
    return see(request, "dataset", dataset_id=row.id, notice="saved", anchor="split")


@router.get("/datasets/{dataset_id}/rows", name="dataset_rows")
def show_rows(
    request: Request,
    dataset_id: Id,
    db: Db,
    me: Me,
    status: Annotated[str, Query(max_length=20)] = "",
    split: Annotated[str, Query(max_length=8)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10**6)] = 1,
) -> Response:
    dataset = store.get(db, dataset_id)
    counts = store.counts(db, dataset_id)
    total = sum(n for (s, p), n in counts.items() if status in ("", s) and split in ("", p))
    return page(
        request,
        "datasets/rows.html",
        assessment=assessment_store.get(db, dataset.assessment_id),
        step="data",
        dataset=dataset,
        rows=store.page_of(db, dataset_id, status=status, split=split, skip=(number - 1) * ROWS, limit=ROWS),
        only=status,
        split=split,
        statuses=[(s, sum(n for (t, _), n in counts.items() if t == s)) for s in (*DROPPED, "usable")],
        splits=[(p, sum(n for (_, q), n in counts.items() if q == p)) for p in ("train", "dev", "test")],
        words=DROPPED | {"usable": "usable"},
        total=total,
        number=number,
        pages=max(1, -(-total // ROWS)),
    )


Column = Annotated[str, Query(max_length=200)]
Chosen = Annotated[str, Form(max_length=200)]


@router.get("/datasets/{dataset_id}/reading", name="dataset_reading")
def show_reading(
    request: Request,
    dataset_id: Id,
    app: App,
    db: Db,
    me: Me,
    shape: Column | None = None,
    question: Column = "",
    answer: Column = "",
    system: Column = "",
    group: Column = "",
    part: Column = "",
    header: Annotated[str, Query(max_length=8)] = "yes",
) -> Response:
    """How the file is read, and how else it could be; with a choice in the address, three rows read that way."""
    row = store.get(db, dataset_id)
    how = read_as(row.read_as)
    if shape is not None:
        how = ReadAs(shape, question, answer, system, group, part, header != "no")
    return _reading(request, app, db, row, how, list(service.unreadable(how)))


def _reading(
    request: Request, app: AppContext, db: Any, row: DatasetRow, how: ReadAs, wrong: Sequence[FieldError]
) -> Response:
    with app.blobs.open(row.blob_sha256) as stream:
        # A choice that is not complete is shown as guessed, with what is missing beside its field.
        seen = preview.preview(stream, row.filename, GUESS if wrong else how)
    names = {*seen.columns, *(one for one in (how.question, how.answer, how.system, how.group, how.part) if one)}
    return page(
        request,
        "datasets/reading.html",
        status=422 if wrong else 200,
        assessment=assessment_store.get(db, row.assessment_id),
        step="data",
        dataset=row,
        how=how,
        seen=seen,
        shapes=[("", "guess for each record"), *((shape.name, shape.title) for shape in SHAPES.values())],
        columns=[("", "none"), *((name, name) for name in sorted(names, key=str.casefold))],
        errors=by_field(wrong),
        detail="The file can't be read like that." if wrong else "",
    )


@router.post("/datasets/{dataset_id}/reading", name="reread_dataset")
def reread_dataset(
    request: Request,
    dataset_id: Id,
    app: App,
    db: Db,
    me: Author,
    shape: Chosen = "",
    question: Chosen = "",
    answer: Chosen = "",
    system: Chosen = "",
    group: Chosen = "",
    part: Chosen = "",
    header: Annotated[str, Form(max_length=8)] = "yes",
) -> Response:
    how = ReadAs(shape, question, answer, system, group, part, header != "no")
    try:
        row = service.reread(db, dataset_id, me, how)
    except Invalid as refusal:
        return _reading(request, app, db, store.get(db, dataset_id), how, refusal.errors)
    return see(request, "data", assessment_id=row.assessment_id, notice="uploaded")


@router.get("/datasets/{dataset_id}/export", name="export_dataset")
def export_dataset(
    dataset_id: Id,
    app: App,
    db: Db,
    me: Me,
    form: exporting.Form = "rows",
    split: Annotated[str, Query(pattern="^(train|dev|test)?$")] = "",
) -> Response:
    row = store.get(db, dataset_id)
    return deps.export(app, row.id, row.rows_sha256, form, split)
