"""Pages for data: upload, the parts of the report, freezing, decisions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, TypedDict

from fastapi import APIRouter, Form, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.advice.policy import Policy
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.datasets import (
    clusters_service,
    decisions_service,
    downloads,
    exporting,
    lengths_service,
    store,
    uploads_service,
)
from app.datasets.checks import learnability
from app.datasets.checks.report import Report
from app.datasets.checks.report_parts import LanguageShare
from app.datasets.current_version import counts_now
from app.datasets.page_frame import PARTS, frame
from app.datasets.pages import (
    addresses,
    judging_view,
    labels_view,
    learnability_view,
    report_lists,
    report_view,
    todos_view,
    verdict_view,
    words,
)
from app.datasets.tables import DatasetRow
from app.datasets.uploads_service import SentFiles, StoredFile
from app.db import utcnow
from app.errors import FieldError, Invalid
from app.jobs import store as jobs
from app.jobs.tables import JobRow
from app.uploads import receive
from app.uploads.multipart import Part
from app.users import store as user_store
from app.users.deps import Author, Me
from app.users.tables import UserRow
from app.web import charts
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, see, url_for
from app.web.params import LARGEST, Id, OneLine, Sent
from app.web.protocols import Action

router = APIRouter(include_in_schema=False)
PASTED = "pasted rows"  # the name of a file that never was one
GIVEN_BACK = 256 * 1024  # bytes of pasted text that come back with a refused form


Tab = Annotated[OneLine, Query(alias="tab", max_length=20)]


@router.get("/assessments/{assessment_id}/data", name="data")
def show_data(request: Request, assessment_id: Id, app: App, db: Db, me: Me, tab: Tab = "") -> Response:
    return _data(request, app, db, assessment_id, store.newest(db, assessment_id), tab)


@router.get("/datasets/{dataset_id}", name="dataset")
def show_dataset(request: Request, dataset_id: Id, app: App, db: Db, me: Me, tab: Tab = "") -> Response:
    row = store.get(db, dataset_id)
    return _data(request, app, db, row.assessment_id, row, tab)


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that comes back. upload: whether it is the form of an upload, with the rows that were pasted into it; else
    it is one further down, and `sent` came with it.
    """

    refusal: Invalid
    upload: bool = False
    pasted: str = ""
    sent: Mapping[str, str] = field(default_factory=dict)


def _data(
    request: Request,
    app: AppContext,
    db: Db,
    assessment_id: int,
    dataset: DatasetRow | None,
    tab: str = "",
    back: Refused | None = None,
) -> Response:
    """The page. tab: the part of the report; what is none is the overview."""
    assessment = assessment_store.get(db, assessment_id)
    policy = assessments.policy_of(db, assessment)
    uploads = back is not None and back.upload
    around = frame(request, db, dataset, tab if tab in PARTS else "overview") if dataset else None
    return page(
        request,
        "datasets/data.html",
        status=422 if back else 200,
        assessment=assessment,
        step="data",
        dataset=dataset,
        tabs=around["tabs"] if around else [],
        tab=around["tab"] if around else "overview",
        **_of_version(request, app, db, assessment, dataset, policy),
        **_of_check(app, db, dataset),
        refused=by_field(back.refusal) if back and not uploads else {},
        sent=back.sent if back else {},
        models=lengths_service.countable(db),
        needed=policy.count("usable_examples"),
        needed_test=policy.count("test_rows"),
        own_test=assessment.answers.get("holdout") == "own_file",
        limit=app.settings.upload_limit,
        errors=by_field(back.refusal) if back and uploads else {},
        detail=back.refusal.detail if back and uploads else "",
        pasted=back.pasted if back else "",
    )


class CheckState(TypedDict):
    """What the page says of a check that runs. ahead: jobs before it in the line; working: a worker is there."""

    job: JobRow | None
    ahead: int
    working: bool


class OfVersion(TypedDict):
    """What the page says of the version that it shows, by the names of the template."""

    current: DatasetRow | None
    versions: Sequence[DatasetRow]
    report: Report
    verdict: verdict_view.Verdict | None
    seen: "Seen | None"
    waiting: int
    counts_now: bool
    names: Mapping[int, str]
    outlook: learnability.Outlook | None
    target: float | None
    judging: judging_view.Judging | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Tiles, charts and things to do, each with the address of the rows that it counts; rows: of all of them."""

    rows: str
    tiles: list[report_view.Tile]
    todos: list[todos_view.Todo]
    waterfall: charts.BarChart | None
    lengths: charts.Histogram | None
    too_long: str
    labels: labels_view.LabelBalance | None
    languages: list[LanguageShare]
    learnability: str
    messages: list[report_view.MessageGroup]
    personal: list[report_lists.PersonalKind]
    encoding: str
    word: Callable[[str], str]


def _of_check(app: AppContext, db: Db, dataset: DatasetRow | None) -> CheckState:
    """The job that checks the version shown, while it does."""
    job = uploads_service.job_of(db, dataset) if dataset and dataset.state == "checking" else None
    return {
        "job": job,
        "ahead": jobs.ahead(db, job) if job else 0,
        "working": jobs.working(db, utcnow() - timedelta(seconds=app.settings.worker_lost_after)) if job else True,
    }


def _of_version(
    request: Request,
    app: AppContext,
    db: Db,
    assessment: AssessmentRow,
    dataset: DatasetRow | None,
    policy: Policy,
) -> OfVersion:
    """What the page says of the version that it shows, and of what can be hoped for with it."""
    current = store.current(db, assessment.id)
    report = dataset.report if dataset and dataset.state != "checking" else Report()
    stated = assessment.answers.get("target")
    target = float(stated) if isinstance(stated, int | float) else None
    versions = store.versions(db, assessment.id)
    return {
        "current": current,
        "versions": versions,
        "report": report,
        "verdict": (
            _verdict(request, dataset, current, policy, app.standing(db, assessment).action)
            if dataset and dataset.state != "checking"
            else None
        ),
        "seen": _seen(request, dataset, report, policy, versions) if dataset else None,
        "waiting": clusters_service.waiting_clusters(db, dataset) if dataset else 0,
        "counts_now": dataset is not None and counts_now(db, dataset),
        "names": user_store.names(db, _people(dataset) if dataset else []),
        "outlook": learnability.outlook(report.learnability, target, report_view.reached(app.evidence(db, assessment))),
        "target": target,
        "judging": judging_view.judging(report, target, assessment.answers.get("prompting_tried")),
    }


def _people(dataset: DatasetRow) -> list[int]:
    """Who uploaded, froze and decided."""
    people = [dataset.uploaded_by, *(decision.by for decision in dataset.decisions.values())]
    return people if dataset.frozen_by is None else [*people, dataset.frozen_by]


def _verdict(
    request: Request, dataset: DatasetRow, current: DatasetRow | None, policy: Policy, to_do: Action
) -> verdict_view.Verdict:
    """to_do: what the assessment's standing asks for next; what it asks of the data stands on this very page."""
    here = url_for(request, "data", assessment_id=dataset.assessment_id)
    after = (to_do.label, to_do.url)
    if to_do.url.split("#")[0] == here:
        after = ("Run baselines", f"/assessments/{dataset.assessment_id}/measure")
    newer = current if current and current.id != dataset.id else None
    now = verdict_view.Situation(
        state=dataset.state,
        usable=dataset.usable_rows,
        needed=policy.count("usable_examples"),
        decided=dataset.decisions,
        test=dataset.test_rows,
        frozen=dataset.frozen_at is not None,
        after=after,
        page=url_for(request, "dataset", dataset_id=dataset.id),
        reading=url_for(request, "dataset_reading", dataset_id=dataset.id),
        newer=(newer.version, url_for(request, "dataset", dataset_id=newer.id)) if newer else None,
        newer_waits=newer is not None and newer.state == "checking",
    )
    return verdict_view.verdict(dataset.report, now)


def _seen(
    request: Request, dataset: DatasetRow, report: Report, policy: Policy, versions: Sequence[DatasetRow]
) -> Seen:
    """Tiles, charts and things to do, each with the address of the rows that it counts. versions: all of them."""
    rows = url_for(request, "dataset_rows", dataset_id=dataset.id)
    return Seen(
        rows=rows,
        tiles=report_view.tiles(report, rows),
        todos=todos_view.todos(
            report,
            rows,
            ready=dataset.state == "ready",
            decided=dataset.decisions,
            usable=dataset.usable_rows,
            test=dataset.test_rows,
            needed_test=policy.count("test_rows"),
        ),
        waterfall=report_view.waterfall(report, rows),
        lengths=report_view.lengths(report, rows),
        too_long=addresses.too_long(report.lengths, rows),
        labels=labels_view.label_balance(report),
        languages=report_view.languages(report),
        learnability=learnability_view.in_short(report.learnability),
        messages=report_view.messages(report),
        personal=report_lists.personal(report, dataset, versions),
        encoding=words.encoding(report),
        word=words.word,
    )


@router.post("/assessments/{assessment_id}/data", name="upload_data", max_body_size=receive.ANY_SIZE)
async def upload_data(request: Request, assessment_id: Id, app: App, me: Author) -> Response:
    await run_in_threadpool(receive.must_exist, app, assessment_id)
    form = UploadForm()
    try:
        await receive.form(request, app, me, lambda parts: _store_files(app, parts, form))
        await run_in_threadpool(_take, app, assessment_id, me, form)
    except Invalid as refusal:
        return await run_in_threadpool(_form_again, request, app, assessment_id, refusal, form)
    return see(request, "data", assessment_id=assessment_id)


@dataclass(slots=True)
class UploadForm:
    """What has come of the form so far. fields: those of its boxes that are ticked."""

    files: dict[str, StoredFile] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)

    def sent(self) -> SentFiles:
        """
        Raises:
            Invalid: a file was chosen and rows were pasted.
        """
        file, pasted = self.files.get("file"), self.files.get("pasted")
        if file and pasted:
            refused = "A file was chosen and rows were pasted. Send one of them; each is a version of its own."
            raise Invalid("Nothing was uploaded.", [FieldError("#/pasted", refused)])
        return SentFiles(
            file=file or pasted,
            test=self.files.get("test"),
            human_checked=True if "human_checked" in self.fields else None,
            drop_test="drop_test" in self.fields,
        )


def _store_files(app: AppContext, parts: Iterator[Part], form: UploadForm) -> None:
    """Store the form's files as they arrive; an unused file field comes without a name and without bytes.

    What was pasted is stored like a file: it may be as large, and from here on it is one.
    """
    for part in parts:
        if part.name in {"file", "test"} and part.filename is not None:
            blob = app.blobs.put(part.body, app.settings.upload_limit)
            if part.name in form.files:
                twice = "Two files came for this field. Send one; each is a version of its own."
                raise Invalid("Nothing was uploaded.", [FieldError(f"#/{part.name}", twice)])
            if part.filename or blob.size:
                form.files[part.name] = StoredFile(blob, part.filename)
        elif part.name == "pasted":
            blob = app.blobs.put(part.body, app.settings.upload_limit)
            if blob.size:
                form.files[part.name] = StoredFile(blob, PASTED)
        elif part.name in ("human_checked", "drop_test"):
            part.text()
            form.fields.add(part.name)


def _take(app: AppContext, assessment_id: int, me: UserRow, form: UploadForm) -> None:
    with receive.transaction(app) as session:
        uploads_service.take(session, assessment_id, me, form.sent())


def _form_again(request: Request, app: AppContext, assessment_id: int, refusal: Invalid, form: UploadForm) -> Response:
    """The form with what is wrong. Pasted rows are given back, because nobody has them in a file; a file is not."""
    text = ""
    if (pasted := form.files.get("pasted")) and pasted.blob.size <= GIVEN_BACK:
        with app.blobs.open(pasted.blob.sha256) as stored:
            text = stored.read().decode("utf-8", "replace")
    with receive.reading_for_page(request, app) as session:
        newest = store.newest(session, assessment_id)
        return _data(request, app, session, assessment_id, newest, back=Refused(refusal, upload=True, pasted=text))


# What the form of freezing says of the test answers: later is a word, too, so that none is given by chance.
CHECKED = {"yes": True, "no": False, "later": None}


@router.post("/datasets/{dataset_id}/freeze", name="freeze_dataset")
def freeze_dataset(
    request: Request,
    dataset_id: Id,
    app: App,
    db: Db,
    me: Author,
    human_checked: Annotated[OneLine, Form(max_length=10)] = "",
) -> Response:
    if human_checked not in CHECKED:
        row = store.get(db, dataset_id)
        fault = FieldError("#/human_checked", "Choose Yes, No or Later.")
        refused = Refused(Invalid("Nothing was frozen.", [fault]))
        return _data(request, app, db, row.assessment_id, row, back=refused)
    uploads_service.freeze(db, dataset_id, me, human_checked=CHECKED[human_checked])
    return see(request, "dataset", dataset_id=dataset_id)


@router.post("/datasets/{dataset_id}/check", name="check_dataset")
def check_dataset(request: Request, dataset_id: Id, db: Db, me: Author) -> Response:
    job = uploads_service.check_again(db, dataset_id, me)
    return see(request, "dataset", dataset_id=job.subject_id)


@router.post("/datasets/{dataset_id}/vouch", name="vouch_dataset")
def vouch_dataset(
    request: Request, dataset_id: Id, db: Db, me: Author, human_checked: Annotated[bool, Form()] = False
) -> Response:
    row = uploads_service.vouch(db, dataset_id, me, human_checked=human_checked)
    return see(request, "dataset", dataset_id=row.id, query={"tab": "split"})


@router.get("/datasets/{dataset_id}/manifest", name="dataset_manifest")
def export_manifest(dataset_id: Id, app: App, db: Db, me: Me) -> Response:
    row = store.get(db, dataset_id)
    return downloads.manifest(app, row.id, row.split_sha256)


@router.post("/datasets/{dataset_id}/split", name="split_dataset")
def split_dataset(
    request: Request, dataset_id: Id, db: Db, me: Author, by: Annotated[OneLine, Form(max_length=20)]
) -> Response:
    row = decisions_service.split_by(db, dataset_id, me, by)
    return see(request, "dataset", dataset_id=row.id)


@router.post("/datasets/{dataset_id}/shared-groups", name="share_groups")
def share_groups(
    request: Request, dataset_id: Id, db: Db, me: Author, leave_out: Annotated[bool, Form()] = False
) -> Response:
    row = decisions_service.share_groups(db, dataset_id, me, leave_out=leave_out)
    return see(request, "dataset", dataset_id=row.id)


@router.post("/datasets/{dataset_id}/decide", name="decide_dataset")
def decide_dataset(request: Request, dataset_id: Id, sent: Sent, app: App, db: Db, me: Author) -> Response:
    choices = {name.removeprefix("kind-"): value for name, value in sent.items() if name.startswith("kind-") and value}
    try:
        row = decisions_service.decide(db, dataset_id, me, choices, sent.get("reason", ""))
    except Invalid as refusal:
        row = store.get(db, dataset_id)
        return _data(request, app, db, row.assessment_id, row, "personal", Refused(refusal, sent=sent))
    return see(request, "dataset", dataset_id=row.id, query={"tab": "personal"})


@router.post("/datasets/{dataset_id}/recount", name="recount_dataset")
def recount_dataset(request: Request, dataset_id: Id, db: Db, me: Author) -> Response:
    row = clusters_service.recount(db, dataset_id, me)
    return see(request, "dataset", dataset_id=row.id)


@router.post("/datasets/{dataset_id}/lengths", name="count_lengths")
def count_lengths(
    request: Request, dataset_id: Id, db: Db, me: Author, model_id: Annotated[int, Form(ge=1, le=LARGEST)]
) -> Response:
    job = lengths_service.count_with(db, dataset_id, model_id, me)
    return see(request, "job", job_id=job.id)


@router.get("/datasets/{dataset_id}/export", name="export_dataset")
def export_dataset(
    dataset_id: Id,
    app: App,
    db: Db,
    me: Me,
    form: exporting.Form = "rows",
    split: Annotated[str, Query(pattern="^(train|dev|test)?$")] = "",
) -> Response:
    row = decisions_service.to_export(db, dataset_id)
    return downloads.export(app, row.id, row.rows_sha256, form, split)
