"""Pages for data: upload, report, split, rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from app.advice.policy import Policy
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.blobs import Blob
from app.datasets import (
    deps,
    encodings,
    exporting,
    learnability,
    overview,
    preview,
    report_parts,
    service,
    shown,
    store,
    uploads,
    versions,
)
from app.datasets.formats import COLUMN_NAMES, COLUMNS, SHAPES, ReadAs, read_as
from app.datasets.personal_data import Veil
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, utcnow
from app.errors import FieldError, Invalid
from app.jobs import store as jobs
from app.users import store as user_store
from app.users.deps import Author, Me
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, see, url_for
from app.web.params import LARGEST, Id, OneLine, Sent

router = APIRouter(include_in_schema=False)

Word = Annotated[OneLine, Query(max_length=40)]
ROWS = 25  # rows on one page of the browser
PAIRS = 5  # pairs of each kind on the report; the rows behind the number are a link away
MOST = 10_001  # rows that are counted where no index counts them; beyond it the page says "more than 10,000"
LABELS = 100  # labels on one page
COUNTED = 100_000  # rows up to which their labels are counted by part for a page; a million take 11 s
CLUSTERS = 10  # groups on one page
ALIKE = 8  # rows of a group that are shown before one asks for all
PASTED = "pasted rows"  # the name of a file that never was one
GIVEN_BACK = 256 * 1024  # bytes of pasted text that come back with a refused form


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
    pasted: str = "",
    refused: Invalid | None = None,
    sent: Mapping[str, str] | None = None,
) -> Response:
    """The page. refusal: of the upload form; refused: of a decision further down, and what was sent with it."""
    assessment = assessment_store.get(db, assessment_id)
    job = service.job_of(db, dataset) if dataset else None
    current = store.current(db, assessment_id)
    report = dataset.report if dataset and dataset.state != "checking" else {}
    policy = assessments.policy_of(db, assessment)
    stated = assessment.answers.get("target")
    target = float(stated) if isinstance(stated, int | float) else None
    learnt = overview.learnt(report)
    every = store.versions(db, assessment_id)
    people = [who for who in ((dataset.uploaded_by, dataset.frozen_by) if dataset else ()) if who]
    people += [one["by"] for one in dataset.decisions.values()] if dataset else []
    return page(
        request,
        "datasets/data.html",
        status=422 if refusal or refused else 200,
        refused=by_field(refused) if refused else {},
        sent=sent or {},
        assessment=assessment,
        step="data",
        dataset=dataset,
        current=current,
        report=report,
        verdict=_verdict(request, dataset, current, report, policy) if dataset else None,
        seen=_seen(request, dataset, report, policy, every) if dataset else None,
        models=service.countable(db),
        said={kept.cluster for kept in service.said_of_clusters(db, dataset)} if dataset else set(),
        waiting=service.waiting_clusters(db, dataset) if dataset else 0,
        counts_now=dataset is not None and _counts_now(db, dataset),
        job=job,
        ahead=jobs.ahead(db, job) if job else 0,
        working=jobs.working(db, utcnow() - timedelta(seconds=app.settings.worker_lost_after)),
        versions=every,
        names=user_store.names(db, people),
        needed=policy.count("usable_examples"),
        needed_test=policy.count("test_rows"),
        own_test=assessment.answers.get("holdout") == "own_file",
        outlook=learnability.outlook(learnt, target, overview.reached(app.evidence(db, assessment))),
        learnt=learnt,
        target=target,
        judging=overview.judging(report, target, assessment.answers.get("prompting_tried")),
        limit=app.settings.upload_limit,
        shown=PAIRS,
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
        pasted=pasted,
    )


def _verdict(
    request: Request, dataset: DatasetRow, current: DatasetRow | None, report: dict[str, Any], policy: Policy
) -> overview.Verdict:
    newer = current if current and current.id != dataset.id else None
    return overview.verdict(
        report,
        state=dataset.state,
        usable=dataset.usable_rows,
        needed=policy.count("usable_examples"),
        decided=dataset.decisions,
        frozen=dataset.frozen_at is not None,
        measure=f"/assessments/{dataset.assessment_id}/measure",
        reading=url_for(request, "dataset_reading", dataset_id=dataset.id),
        newer=(newer.version, url_for(request, "dataset", dataset_id=newer.id)) if newer else None,
        newer_waits=newer is not None and newer.state == "checking",
    )


def _seen(
    request: Request, dataset: DatasetRow, report: dict[str, Any], policy: Policy, every: Sequence[DatasetRow]
) -> dict[str, Any]:
    """Figures, charts and things to do, each with the address of the rows that it counts. every: all versions."""
    rows = url_for(request, "dataset_rows", dataset_id=dataset.id)
    return {
        "rows": rows,
        "figures": overview.figures(report, rows),
        "todos": overview.todos(
            report,
            rows,
            ready=dataset.state == "ready",
            decided=dataset.decisions,
            usable=dataset.usable_rows,
            test=dataset.test_rows,
            needed_test=policy.count("test_rows"),
        ),
        "waterfall": overview.waterfall(report, rows),
        "lengths": overview.lengths(report, rows),
        "open_ended": report_parts.open_ended(report),
        "too_long": overview.too_long(report, rows),
        "labels": overview.label_balance(report, rows),
        "clusters": overview.cluster_sizes(report, url_for(request, "dataset_clusters", dataset_id=dataset.id)),
        "languages": overview.languages(report),
        "messages": overview.messages(report),
        "pairs": report_parts.pair_lists(report, rows, overview.dropped(report)),
        "untaught": report_parts.lacking(report, "untaught"),
        "untested": report_parts.lacking(report, "untested"),
        "some_undated": report_parts.some_undated(report),
        "personal": report_parts.personal(report, dataset, every),
        "encoding": overview.encoding(report),
        "word": overview.word,
    }


@router.post("/assessments/{assessment_id}/data", name="upload_data", max_body_size=deps.ANY_SIZE)
async def upload_data(request: Request, assessment_id: Id, app: App, me: Author) -> Response:
    await run_in_threadpool(deps.must_exist, app, assessment_id)
    form: Taken = {}
    try:
        boundary = uploads.boundary_of(request.headers.get("content-type", ""))
        await deps.with_chunks(request, app, me, lambda chunks: _take(app, chunks, boundary, form))
        await run_in_threadpool(_keep, app, assessment_id, me, form)
    except Invalid as refusal:
        return await run_in_threadpool(_again, request, app, assessment_id, refusal, form)
    return see(request, "data", assessment_id=assessment_id, notice="uploaded")


Taken = dict[str, tuple[Blob, str] | str]


def _take(app: AppContext, chunks: Iterator[bytes], boundary: bytes, form: Taken) -> None:
    """Store the form's files as they arrive; an unused file field comes without a name and without bytes.

    What was pasted is stored like a file: it may be as large, and from here on it is one.
    """
    for part in uploads.parts(chunks, boundary):
        if part.name in {"file", "test"} and part.filename is not None:
            blob = app.blobs.put(part.body, app.settings.upload_limit)
            if part.name in form:
                twice = "Two files came for this field. Send one; each is a version of its own."
                raise Invalid("Nothing was uploaded.", [FieldError(f"#/{part.name}", twice)])
            if part.filename or blob.size:
                form[part.name] = (blob, part.filename)
        elif part.name == "pasted":
            blob = app.blobs.put(part.body, app.settings.upload_limit)
            if blob.size:
                form[part.name] = (blob, PASTED)
        elif part.name in ("human_checked", "drop_test"):
            form[part.name] = part.text()


def _keep(app: AppContext, assessment_id: int, me: UserRow, form: Taken) -> None:
    with deps.transaction(app) as session:
        file, test, pasted = form.get("file"), form.get("test"), form.get("pasted")
        if file and pasted:
            refused = "A file was chosen and rows were pasted. Send one of them; each is a version of its own."
            raise Invalid("Nothing was uploaded.", [FieldError("#/pasted", refused)])
        file = file or pasted
        own, own_name = test if isinstance(test, tuple) else (None, "")
        if isinstance(file, tuple):
            checked = True if "human_checked" in form else None
            service.upload(
                session,
                assessment_id,
                me,
                *file,
                test=own,
                test_filename=own_name,
                human_checked=checked,
                drop_test="drop_test" in form,
            )
        elif own is not None:
            service.add_test(session, assessment_id, me, own, own_name)
        else:
            raise Invalid(
                "No file came with the form.", [FieldError("#/file", "Choose a file with examples, or paste some.")]
            )


def _again(request: Request, app: AppContext, assessment_id: int, refusal: Invalid, form: Taken) -> Response:
    """The form with what is wrong. Pasted rows are given back, because nobody has them in a file; a file is not."""
    pasted = form.get("pasted")
    text = ""
    if isinstance(pasted, tuple) and pasted[0].size <= GIVEN_BACK:
        with app.blobs.open(pasted[0].sha256) as kept:
            text = kept.read().decode("utf-8", "replace")
    with reading(app.engine) as session:
        request.state.db = session
        newest = store.newest(session, assessment_id)
        return _data(request, app, session, assessment_id, newest, refusal=refusal, pasted=text)


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


@router.get("/datasets/{dataset_id}/changes", name="dataset_changes")
def show_changes(
    request: Request,
    dataset_id: Id,
    app: App,
    db: Db,
    me: Me,
    since: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    kind: Word = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10**6)] = 1,
) -> Response:
    """What differs from another version, down to the rows and the words in them."""
    dataset = store.get(db, dataset_id)
    every = [one for one in store.versions(db, dataset.assessment_id) if one.rows_sha256 and one.id != dataset.id]
    found = None
    if dataset.rows_sha256:
        kinds = [kind] if kind in versions.KINDS else versions.KINDS
        found = service.changes(db, app.blobs, dataset, since=since, kinds=kinds, skip=(number - 1) * ROWS, limit=ROWS)
        if found and kind not in versions.KINDS:
            kind = next((one for one in versions.KINDS if found.counts[one]), "")
    total = found.counts[kind] if found and kind else 0
    return page(
        request,
        "datasets/changes.html",
        assessment=assessment_store.get(db, dataset.assessment_id),
        step="data",
        dataset=dataset,
        changes=found,
        kind=kind,
        rows=[_beside(new, old, shown.veil(dataset)) for new, old in found.rows[kind]] if found and kind else [],
        others=every,
        words=overview.DROPPED,
        total=total,
        number=number,
        pages=max(1, -(-total // ROWS)),
    )


def _beside(new: ExampleRow | None, old: ExampleRow | None, veil: Veil) -> tuple[Any, Any, Any]:
    """Two rows as they may be read, values hidden as the later version says, and what differs in their answers."""
    now, before = (shown.row(one, veil) if one else None for one in (new, old))
    return now, before, overview.differences(before.target, now.target) if now and before else ([], [])


@router.get("/datasets/{dataset_id}/manifest", name="dataset_manifest")
def export_manifest(dataset_id: Id, app: App, db: Db, me: Me) -> Response:
    row = store.get(db, dataset_id)
    return deps.manifest(app, row.id, row.split_sha256)


@router.post("/datasets/{dataset_id}/split", name="split_dataset")
def split_dataset(
    request: Request, dataset_id: Id, db: Db, me: Author, by: Annotated[OneLine, Form(max_length=20)]
) -> Response:
    row = service.split_by(db, dataset_id, me, by)
    return see(request, "dataset", dataset_id=row.id, notice="started")


@router.post("/datasets/{dataset_id}/shared-groups", name="share_groups")
def share_groups(
    request: Request, dataset_id: Id, db: Db, me: Author, leave_out: Annotated[bool, Form()] = False
) -> Response:
    row = service.share_groups(db, dataset_id, me, leave_out=leave_out)
    return see(request, "dataset", dataset_id=row.id, notice="started")


@router.post("/datasets/{dataset_id}/decide", name="decide_dataset")
def decide_dataset(request: Request, dataset_id: Id, sent: Sent, app: App, db: Db, me: Author) -> Response:
    choices = {name.removeprefix("kind-"): value for name, value in sent.items() if name.startswith("kind-") and value}
    try:
        row = service.decide(db, dataset_id, me, choices, sent.get("reason", ""))
    except Invalid as refusal:
        row = store.get(db, dataset_id)
        return _data(request, app, db, row.assessment_id, row, refused=refusal, sent=sent)
    return see(request, "dataset", dataset_id=row.id, notice="saved", anchor="personal")


@router.get("/datasets/{dataset_id}/rows", name="dataset_rows")
def show_rows(
    request: Request,
    dataset_id: Id,
    db: Db,
    me: Me,
    status: Word = "",
    split: Word = "",
    file: Word = "",
    label: Annotated[OneLine | None, Query(max_length=1000)] = None,
    remark: Word = "",
    cluster: Annotated[int | None, Query(ge=0, le=LARGEST)] = None,
    line: Word = "",
    size_from: Word = "",
    size_to: Word = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10**6)] = 1,
) -> Response:
    """The rows behind any number of the report."""
    dataset = store.get(db, dataset_id)
    if (wanted := line.replace(",", "").strip()).isdecimal() and len(wanted) < 16:
        return RedirectResponse(row_url(request, dataset.id, int(wanted), 1 if file == "test" else 0), 303)
    mark = overview.MARKS.get(remark, 0)
    counted = overview.lines_of(dataset.report, remark) if remark and not mark else None
    lines = None if mark or not remark else counted[1] if counted else []
    only = store.Only(status, split, file, label or None, cluster, lines, mark, _size(size_from), _size(size_to))
    statuses = _statuses(db, dataset)
    known = _known(dataset, only, statuses)
    total = store.number_of(db, dataset_id, only, most=MOST) if known is None else known
    pages = max(1, -(-total // ROWS))
    return page(
        request,
        "datasets/rows.html",
        assessment=assessment_store.get(db, dataset.assessment_id),
        step="data",
        dataset=dataset,
        rows=shown.rows(store.page_of(db, dataset_id, only, skip=(number - 1) * ROWS, limit=ROWS), shown.veil(dataset)),
        only=only,
        remark=remark,
        remark_words=overview.word(remark) if remark else "",
        states=report_parts.STATES,
        unit=dataset.report.get("lengths", {}).get("unit", "characters"),
        counted=counted[0] if counted else 0,
        line=line,
        statuses=statuses,
        words=overview.DROPPED,
        total=total,
        counted_to=MOST - 1 if known is None and total >= MOST else 0,
        number=number,
        pages=pages,
    )


def _size(typed: str) -> int | None:
    """A length as people type it; what is no number narrows nothing."""
    wanted = typed.replace(",", "").strip()
    return int(wanted) if wanted.isdecimal() and len(wanted) < 10 else None


def _statuses(db: Any, dataset: DatasetRow) -> dict[str, int]:
    """How many rows of each status there are: from the report where it knows, from the table where there are few."""
    counts = dataset.report.get("counts", {})
    refused = [status for status in overview.DROPPED if not counts.get(status)]
    known = {status: counts[status] for status in overview.DROPPED if counts.get(status)}
    usable = dataset.train_rows + dataset.dev_rows + dataset.test_rows
    return known | store.by_status(db, dataset.id, refused) | {"usable": usable}


def _known(dataset: DatasetRow, only: store.Only, statuses: dict[str, int]) -> int | None:
    """How many rows there are of a kind that the report counts, or None where one has to look."""
    if only == store.Only(only.status):
        return statuses.get(only.status, 0) if only.status else sum(statuses.values())
    if only == store.Only(split=only.split):
        splits = {"train": dataset.train_rows, "dev": dataset.dev_rows, "test": dataset.test_rows}
        return splits.get(only.split, splits["train"] + splits["dev"] if only.split == "train-dev" else 0)
    if only == store.Only(file="upload"):
        return int(dataset.report.get("uploaded", 0))
    if only.label is not None and only == store.Only(label=only.label):
        named = (one["rows"] for one in dataset.report.get("labels") or () if one["label"] == only.label)
        return next(named, None)
    if only == store.Only(only.status, file="upload"):
        return overview.dropped(dataset.report).get(only.status) if only.status != "usable" else None
    return None


def row_url(request: Request, dataset_id: int, line: int, file: int = 0) -> str:
    return url_for(request, "dataset_row", dataset_id=dataset_id, line=line) + ("?file=test" if file else "")


@router.get("/datasets/{dataset_id}/rows/{line}", name="dataset_row")
def show_row(
    request: Request,
    dataset_id: Id,
    line: Annotated[int, Path(ge=1, le=LARGEST)],
    db: Db,
    me: Me,
    file: Word = "",
) -> Response:
    """One row in full, with its twin beside it and everything that was said about it."""
    return _row(request, db, dataset_id, line, file)


@router.post("/datasets/{dataset_id}/rows/{line}/open", name="open_row")
def open_row(
    request: Request,
    dataset_id: Id,
    line: Annotated[int, Path(ge=1, le=LARGEST)],
    db: Db,
    me: Author,
    file: Word = "",
) -> Response:
    """The same row with its values. Who looked at them is on record, so it takes a click and not an address."""
    service.note_opened(db, dataset_id, 1 if file == "test" else 0, line, me)
    return _row(request, db, dataset_id, line, file, in_the_open=True)


def _row(request: Request, db: Any, dataset_id: int, line: int, file: str, *, in_the_open: bool = False) -> Response:
    dataset = store.get(db, dataset_id)
    veil = shown.veil(dataset)
    found = store.at_line(db, dataset_id, 1 if file == "test" else 0, line)
    hidden = shown.row(found, veil)
    row = shown.in_the_open(found) if in_the_open else hidden
    group = shown.rows(store.alike(db, found, ALIKE), veil)
    before, after = store.beside(db, found)
    return page(
        request,
        "datasets/row.html",
        assessment=assessment_store.get(db, dataset.assessment_id),
        step="data",
        dataset=dataset,
        row=row,
        hides=hidden.hides,
        opened=in_the_open,
        group=[
            (
                other,
                overview.differences(overview.asked(hidden.messages), overview.asked(other.messages)),
                overview.differences(hidden.target, other.target),
            )
            for other in group
        ],
        most=ALIKE,
        said=overview.said_of(dataset.report, row.line, row.file, found.marks),
        lengths=dataset.report.get("lengths", {}),
        words=overview.DROPPED,
        before=None if before is None else row_url(request, dataset_id, before, row.file),
        after=None if after is None else row_url(request, dataset_id, after, row.file),
    )


@router.get("/datasets/{dataset_id}/labels", name="dataset_labels")
def show_labels(
    request: Request,
    dataset_id: Id,
    db: Db,
    me: Me,
    order: Word = "",
    q: Annotated[OneLine, Query(max_length=100)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10**6)] = 1,
) -> Response:
    """Every label with its rows in each part: what is rare, what is missing from one of them, what is written twice."""
    dataset = store.get(db, dataset_id)
    found = overview.labels_of(dataset.report)
    counted = dataset.report.get("uploaded", 0) <= COUNTED
    if found and counted:
        veil = shown.veil(dataset)
        found = overview.labels((veil.text(one), part, n) for one, part, n in store.label_counts(db, dataset_id))
    listed = overview.ordered([one for one in found if q.casefold() in one.label.casefold()], order)
    return page(
        request,
        "datasets/labels.html",
        assessment=assessment_store.get(db, dataset.assessment_id),
        step="data",
        dataset=dataset,
        labels=listed[(number - 1) * LABELS : number * LABELS],
        bars=overview.label_bars(listed[(number - 1) * LABELS : number * LABELS], found),
        different=len(found),
        counted=counted,
        total=len(listed),
        rare=sum(1 for one in found if one.rare),
        rare_below=overview.RARE,
        order=order,
        q=q,
        number=number,
        pages=max(1, -(-len(listed) // LABELS)),
    )


@router.get("/datasets/{dataset_id}/clusters", name="dataset_clusters")
def show_clusters(
    request: Request,
    dataset_id: Id,
    db: Db,
    me: Me,
    size: Annotated[int | None, Query(ge=2, le=LARGEST)] = None,
    least: Annotated[int, Query(ge=2, le=LARGEST)] = 2,
    number: Annotated[int, Query(alias="page", ge=1, le=10**6)] = 1,
) -> Response:
    """Groups of rows that are the same or nearly so, the largest first."""
    dataset = store.get(db, dataset_id)
    # One more than is shown says whether there is a next page.
    found = store.groups(
        db, dataset_id, size=size, least=least, skip=(number - 1) * CLUSTERS, limit=CLUSTERS + 1, shown=ALIKE
    )
    return page(
        request,
        "datasets/clusters.html",
        assessment=assessment_store.get(db, dataset.assessment_id),
        step="data",
        dataset=dataset,
        groups=shown.groups(found[:CLUSTERS], shown.veil(dataset)),
        more=len(found) > CLUSTERS,
        chart=overview.cluster_sizes(dataset.report, url_for(request, "dataset_clusters", dataset_id=dataset_id)),
        size=size,
        least=least,
        words=overview.DROPPED,
        number=number,
        counts_now=_counts_now(db, dataset),
        said={kept.cluster: kept for kept in service.said_of_clusters(db, dataset)},
        waiting=service.waiting_clusters(db, dataset),
    )


def _counts_now(db: Any, dataset: DatasetRow) -> bool:
    """Whether this is the checked version that counts, on which people may still decide."""
    current = store.current(db, dataset.assessment_id)
    return dataset.state == "ready" and current is not None and current.id == dataset.id


Cluster = Annotated[int, Path(ge=0, le=LARGEST)]


@router.post("/datasets/{dataset_id}/clusters/{cluster}/keep", name="keep_cluster")
def keep_cluster(request: Request, dataset_id: Id, cluster: Cluster, db: Db, me: Author) -> Response:
    service.keep_cluster(db, dataset_id, cluster, me)
    return see(request, "dataset_clusters", dataset_id=dataset_id, notice="saved", anchor=f"group-{cluster}")


@router.post("/datasets/{dataset_id}/clusters/{cluster}/join", name="join_cluster")
def join_cluster(request: Request, dataset_id: Id, cluster: Cluster, db: Db, me: Author) -> Response:
    service.join_cluster(db, dataset_id, cluster, me)
    return see(request, "dataset_clusters", dataset_id=dataset_id, notice="saved", anchor=f"group-{cluster}")


@router.post("/datasets/{dataset_id}/recount", name="recount_dataset")
def recount_dataset(request: Request, dataset_id: Id, db: Db, me: Author) -> Response:
    row = service.recount(db, dataset_id, me)
    return see(request, "dataset", dataset_id=row.id, notice="started")


@router.post("/datasets/{dataset_id}/lengths", name="count_lengths")
def count_lengths(
    request: Request, dataset_id: Id, db: Db, me: Author, model_id: Annotated[int, Form(ge=1, le=LARGEST)]
) -> Response:
    job = service.count_with(db, dataset_id, model_id, me)
    return see(request, "job", job_id=job.id, notice="started")


Column = Annotated[OneLine, Query(max_length=200)]
Chosen = Annotated[OneLine, Form(max_length=200)]


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
    time: Column = "",
    header: Annotated[OneLine, Query(max_length=8)] = "yes",
    encoding: Annotated[OneLine, Query(max_length=20)] = "",
) -> Response:
    """How the file is read, and how else it could be; with a choice in the address, three rows read that way."""
    row = store.get(db, dataset_id)
    how = read_as(row.read_as)
    if shape is not None:
        how = _chosen(ReadAs(shape, question, answer, system, group, part, time, header != "no", encoding))
    return _reading(request, app, db, row, how, list(service.unreadable(how)))


def _reading(
    request: Request, app: AppContext, db: Any, row: DatasetRow, how: ReadAs, wrong: Sequence[FieldError]
) -> Response:
    with app.blobs.open(row.blob_sha256) as stream:
        # A choice that is not complete is shown as guessed, with what is missing beside its field; the letters and the
        # first row stay as chosen, for it is by them that one finds the columns.
        shown_as = service.without_columns(how) if wrong else how
        seen = preview.preview(stream, row.filename, shown_as, shown.veil(row))
    names = {*seen.names, *(one for one in (getattr(how, name) for name in COLUMN_NAMES) if one)}
    return page(
        request,
        "datasets/reading.html",
        status=422 if wrong else 200,
        assessment=assessment_store.get(db, row.assessment_id),
        step="data",
        dataset=row,
        how=how,
        saved=how == read_as(row.read_as),
        seen=seen,
        encodings=[("", "UTF-8, or what a mark at its beginning says"), *_encodings()],
        shapes=[("", "guess for each record"), *((shape.name, shape.title) for shape in SHAPES.values())],
        columns=[("", "none"), *((name, name) for name in sorted(names, key=str.casefold))],
        errors=by_field(wrong),
        detail="The file can't be read like that." if wrong else "",
    )


def _chosen(how: ReadAs) -> ReadAs:
    """The form's choice. Who names a column for question or answer has chosen columns; nobody says it twice."""
    return replace(how, shape=COLUMNS.name) if not how.shape and (how.question or how.answer) else how


def _encodings() -> Iterator[tuple[str, str]]:
    return ((one.name, f"{one.title} ({one.about})") for one in encodings.CHOICES.values())


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
    time: Chosen = "",
    header: Annotated[OneLine, Form(max_length=8)] = "yes",
    encoding: Annotated[OneLine, Form(max_length=20)] = "",
) -> Response:
    how = _chosen(ReadAs(shape, question, answer, system, group, part, time, header != "no", encoding))
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
    row = service.to_export(db, dataset_id)
    return deps.export(app, row.id, row.rows_sha256, form, split)
