"""The REST side of datasets: raw bytes in, report and rows out."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from app.assessments import store as assessment_store
from app.blobs import Blob
from app.datasets import downloads, exporting, masked_rows, service, store
from app.datasets.checks import suspicious
from app.datasets.reading import encodings
from app.datasets.reading.formats import ReadAs
from app.datasets.tables import DatasetRow
from app.errors import NotFound
from app.uploads import receive
from app.users.deps import Author, Me
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.params import LARGEST, Id, OneLine
from app.web.problems import REFUSALS, described

router = APIRouter(prefix="/api/v1", tags=["datasets"], responses=REFUSALS)

# Not `OneLine`: what cannot be shown is taken out of a name, never a reason to refuse the file.
Filename = Annotated[str, Query(max_length=2000, description="shown to people, used for nothing else")]
ALIKE = 8  # rows of a group that come along with it
MARKS = {kind: int(mark) for mark, kind in suspicious.KINDS.items()}
REMARKS = f"^({'|'.join(MARKS)})?$"
UPLOADS = described(429, 503)  # too many under way at once; the disk is full
BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Dataset(BaseModel):
    """One uploaded version. `state`: checking, ready, rejected; `report` is there once the check has ended."""

    id: int
    object: str = "dataset"
    assessment_id: int
    version: int
    filename: str
    test_filename: str
    bytes: int
    sha256: str
    state: str
    format: str
    read_as: dict[str, Any]
    rows: dict[str, int]
    human_checked: bool | None
    decisions: dict[str, dict[str, Any]]
    rows_sha256: str | None
    split_sha256: str | None
    seed: int
    uploaded_at: datetime
    frozen_at: datetime | None
    job_id: int | None = None
    report: dict[str, Any] | None = None

    @staticmethod
    def of(row: DatasetRow, *, job_id: int | None = None, report: bool = False) -> "Dataset":
        return Dataset(
            id=row.id,
            assessment_id=row.assessment_id,
            version=row.version,
            filename=row.filename,
            test_filename=row.test_filename,
            bytes=row.bytes,
            sha256=row.blob_sha256,
            state=row.state,
            format=row.format,
            read_as=row.read_as,
            rows={"train": row.train_rows, "dev": row.dev_rows, "test": row.test_rows, "usable": row.usable_rows},
            human_checked=row.human_checked,
            decisions=row.decisions,
            rows_sha256=row.rows_sha256,
            split_sha256=row.split_sha256,
            seed=row.seed,
            uploaded_at=row.uploaded_at,
            frozen_at=row.frozen_at,
            job_id=job_id,
            report=row.report_json if report and row.state != "checking" else None,
        )


class Datasets(BaseModel):
    data: list[Dataset]
    has_more: bool = False


class Row(BaseModel):
    """One line of the upload. `status` says why it is not used; `file` is 1 for the team's own test file.

    cluster: number of its group of like rows, where it has one. size: how long it is, in the unit of the report's
    `lengths`; null where nothing could be read, and in versions checked before sizes were kept. hides: kinds of
    personal data whose values stand as their name in brackets, because nobody has decided to keep them.
    """

    id: int
    file: int
    line: int
    status: str
    reason: str
    of_line: int | None
    similarity: float | None
    cluster: int | None = Field(description="number of the group of rows that ask nearly the same")
    split: str
    size: int | None = Field(description="length, in the unit that the report's lengths name")
    messages: list[dict[str, str]]
    target: str
    hides: list[str]

    @staticmethod
    def of(row: masked_rows.Seen) -> "Row":
        return Row(
            id=row.id,
            file=row.file,
            line=row.line,
            status=row.status,
            reason=row.reason,
            of_line=row.of_line,
            similarity=row.similarity,
            cluster=row.cluster,
            split=row.split,
            size=row.size,
            messages=row.messages,
            target=row.target,
            hides=list(row.hides),
        )


class Rows(BaseModel):
    data: list[Row]
    has_more: bool


class Alike(BaseModel):
    """A group of rows that ask nearly the same. kept: somebody said that they are different rows, all to be used."""

    cluster: int
    size: int
    kept: bool
    rows: list[Row] = Field(description="the first of them; `cluster` narrows the list of rows to all")


class Clusters(BaseModel):
    """Groups, the largest first. `waiting`: words about groups that a recount would take into account."""

    data: list[Alike]
    has_more: bool
    waiting: int


class ChangedRow(BaseModel):
    """A row that asks the same in both versions and is answered differently."""

    line: int
    of_line: int
    target: str
    of_target: str


class Moved(BaseModel):
    """A row that has another place: train, dev, test, or the status that says why it is not used."""

    line: int
    of_line: int
    now: str
    before: str
    reason: str


class Changes(BaseModel):
    """The difference of the used rows to another version. `counts` says how many there are of each kind.

    Lines of `removed` are those of the other version. unused: used there, still here, but used no more. used_again: the
    other way round. moved: in another part of the split. Each list goes on with a higher `skip` while `has_more`.
    """

    since: int
    counts: dict[str, int]
    added: list[int]
    removed: list[int]
    changed: list[ChangedRow]
    unused: list[Moved]
    used_again: list[Moved]
    moved: list[Moved]
    has_more: bool


class Plan(BaseModel):
    by: Literal["random", "time", "column"] = Field(
        description="at random; the newest rows judge; or as the file's own column says"
    )


class SharedGroups(BaseModel):
    leave_out: bool = Field(description="whether rows whose group stands in your own test file are left out")


class RowDecisions(BaseModel):
    """What becomes of each kind of personal data that the report names."""

    decisions: dict[Annotated[OneLine, Field(max_length=60)], Literal["mask", "exclude", "attest"]] = Field(
        max_length=20
    )
    reason: OneLine = Field(
        default="", max_length=500, description="why rows may be kept as they are; needed for attest"
    )


class Reading(BaseModel):
    """How a file is to be read. With the shape `columns`, question and answer name its columns."""

    shape: OneLine = Field("", max_length=40, description="empty is a guess for each record")
    question: OneLine = Field("", max_length=200, description="such as question, or vars.question inside an object")
    answer: OneLine = Field("", max_length=200)
    system: OneLine = Field("", max_length=200)
    group: OneLine = Field("", max_length=200, description="rows of one group stay on one side of the split")
    part: OneLine = Field("", max_length=200, description="the column that says train, validation or test")
    time: OneLine = Field("", max_length=200, description="the column that says when a row came up")
    header: bool = Field(default=True, description="whether the first row of a table names its columns")
    encoding: OneLine = Field("", max_length=20, description=f"empty is UTF-8; else {', '.join(encodings.CHOICES)}")


class Count(BaseModel):
    model_id: int = Field(ge=1, le=LARGEST, description="a model on this machine, whose tokenizer counts")


class Change(BaseModel):
    human_checked: bool = Field(description="every test answer was written or checked by a person")


@router.put(
    "/assessments/{assessment_id}/dataset",
    status_code=201,
    openapi_extra=BODY,
    max_body_size=receive.ANY_SIZE,
    responses=UPLOADS,
)
async def put_dataset(
    request: Request,
    response: Response,
    assessment_id: Id,
    app: App,
    me: Author,
    filename: Filename = "upload",
    drop_test: Annotated[bool, Query(description="give up your own test file; test rows are drawn instead")] = False,
) -> Dataset:
    """Upload examples as the raw body; each upload is a new version, and its check starts by itself.

    A test file of your own that the version before has is kept, unless `drop_test` is true; so are words on personal
    data that still fit. `carried` in the report says what was kept and what was not.
    """
    await run_in_threadpool(receive.must_exist, app, assessment_id)
    blob = await receive.receive(request, app, me)
    return await run_in_threadpool(_uploaded, app, response, assessment_id, me, blob, filename, drop_test=drop_test)


@router.put(
    "/assessments/{assessment_id}/dataset/test",
    status_code=201,
    openapi_extra=BODY,
    max_body_size=receive.ANY_SIZE,
    responses=UPLOADS,
)
async def put_test(
    request: Request, response: Response, assessment_id: Id, app: App, me: Author, filename: Filename = "test"
) -> Dataset:
    """Upload your own test rows as the raw body: a new version with the examples that are there.

    They stay the test rows of later versions, until another file or `drop_test` says otherwise.
    """
    await run_in_threadpool(receive.must_exist, app, assessment_id)
    blob = await receive.receive(request, app, me)
    return await run_in_threadpool(_uploaded, app, response, assessment_id, me, blob, filename, test=True)


def _uploaded(
    app: AppContext,
    response: Response,
    assessment_id: int,
    me: UserRow,
    blob: Blob,
    filename: str,
    *,
    test: bool = False,
    drop_test: bool = False,
) -> Dataset:
    with receive.transaction(app) as session:
        if test:
            row = service.add_test(session, assessment_id, me, blob, filename)
        else:
            row = service.upload(session, assessment_id, me, blob, filename, drop_test=drop_test)
        job = service.job_of(session, row)
        answer = Dataset.of(row, job_id=job.id if job else None)
    response.headers["Location"] = f"/api/v1/datasets/{answer.id}"
    return answer


@router.get("/assessments/{assessment_id}/datasets")
def list_datasets(assessment_id: Id, db: Db, me: Me) -> Datasets:
    """All versions, newest first, without their reports."""
    assessment_store.get(db, assessment_id)
    return Datasets(data=[Dataset.of(row) for row in store.versions(db, assessment_id)])


@router.get("/datasets/{dataset_id}")
def get_dataset(dataset_id: Id, db: Db, me: Me) -> Dataset:
    """One version with its quality report."""
    row = store.get(db, dataset_id)
    job = service.job_of(db, row)
    return Dataset.of(row, job_id=job.id if job else None, report=True)


@router.get("/datasets/{dataset_id}/rows")
def list_rows(
    dataset_id: Id,
    db: Db,
    me: Me,
    status: Annotated[OneLine, Query(max_length=20)] = "",
    split: Annotated[OneLine, Query(max_length=12, description="train, dev, test, or train-dev")] = "",
    file: Annotated[str, Query(pattern="^(upload|test)?$", description="test for the team's own test file")] = "",
    label: Annotated[OneLine | None, Query(max_length=1000, description="the answer, exactly")] = None,
    cluster: Annotated[int | None, Query(ge=0, le=LARGEST, description="one group of like rows")] = None,
    size_from: Annotated[int | None, Query(ge=0, le=LARGEST, description="so long or longer, see size")] = None,
    size_to: Annotated[int | None, Query(ge=0, le=LARGEST, description="so long or shorter")] = None,
    remark: Annotated[str, Query(max_length=40, pattern=REMARKS, description="what is odd about the content")] = "",
    line: Annotated[int | None, Query(ge=1, le=LARGEST, description="of the upload")] = None,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="id of the last row seen")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Rows:
    """Rows in the order of the upload, narrowed by whatever is given."""
    veil = masked_rows.veil(store.get(db, dataset_id))
    lines = None if line is None else [line]
    only = store.Only(status, split, file, label, cluster, lines, MARKS.get(remark, 0), size_from, size_to)
    found = store.listed(db, dataset_id, only, after=after, limit=limit + 1)
    return Rows(data=[Row.of(row) for row in masked_rows.rows(found[:limit], veil)], has_more=len(found) > limit)


@router.post("/datasets/{dataset_id}/rows/{line}/open")
def open_row(
    dataset_id: Id,
    line: Annotated[int, Path(ge=1, le=LARGEST)],
    db: Db,
    me: Author,
    file: Annotated[str, Query(pattern="^(upload|test)?$", description="test for the team's own test file")] = "",
) -> Row:
    """One row with its hidden values. Who looked at them is on record, so it is asked for with POST."""
    number = 1 if file == "test" else 0
    service.note_opened(db, dataset_id, number, line, me)
    return Row.of(masked_rows.in_the_open(store.at_line(db, dataset_id, number, line)))


@router.get("/datasets/{dataset_id}/export", response_class=StreamingResponse)
def export_rows(
    dataset_id: Id,
    app: App,
    db: Db,
    me: Me,
    form: exporting.Form = "rows",
    split: Annotated[str, Query(pattern="^(train|dev|test)?$")] = "",
) -> Response:
    """The used rows as JSON lines.

    form: `rows` exactly as measuring and training read them, `chat` in OpenAI's form (with tools and weights where they
    came so), `pairs` as prompt and completion. Each can be uploaded again and gives the same rows.
    """
    row = service.to_export(db, dataset_id)
    return downloads.export(app, row.id, row.rows_sha256, form, split)


@router.post("/datasets/{dataset_id}/reading", status_code=201)
def reread_dataset(dataset_id: Id, how: Reading, response: Response, db: Db, me: Author) -> Dataset:
    """Read the stored file in another way: a new version with a check of its own."""
    row = service.reread(db, dataset_id, me, ReadAs(**how.model_dump()))
    job = service.job_of(db, row)
    response.headers["Location"] = f"/api/v1/datasets/{row.id}"
    return Dataset.of(row, job_id=job.id if job else None)


@router.post("/datasets/{dataset_id}/freeze")
def freeze_dataset(dataset_id: Id, db: Db, me: Author) -> Dataset:
    """Freeze the split, once and for good."""
    return Dataset.of(service.freeze(db, dataset_id, me))


@router.post("/datasets/{dataset_id}/check", status_code=202)
def check_dataset(dataset_id: Id, db: Db, me: Author) -> Dataset:
    """Run a check that was cancelled or failed once more."""
    job = service.check_again(db, dataset_id, me)
    return Dataset.of(store.get(db, dataset_id), job_id=job.id)


@router.patch("/datasets/{dataset_id}")
def change_dataset(dataset_id: Id, change: Change, db: Db, me: Author) -> Dataset:
    """Give your word on who wrote or checked the test answers."""
    return Dataset.of(service.vouch(db, dataset_id, me, human_checked=change.human_checked))


@router.post("/datasets/{dataset_id}/decisions")
def decide_dataset(dataset_id: Id, body: RowDecisions, db: Db, me: Author) -> Dataset:
    """Decide on personal data. Masking and leaving out make a new version; the answer is the version that counts."""
    row = service.decide(db, dataset_id, me, body.decisions, body.reason)
    job = service.job_of(db, row)
    return Dataset.of(row, job_id=job.id if job else None)


@router.get("/datasets/{dataset_id}/clusters")
def list_clusters(
    dataset_id: Id,
    db: Db,
    me: Me,
    least: Annotated[int, Query(ge=2, le=LARGEST, description="rows that a group has at least")] = 2,
    skip: Annotated[int, Query(ge=0, le=LARGEST, description="how many groups to leave out")] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Clusters:
    """Groups of rows that are the same or nearly so, each with its first rows."""
    row = store.get(db, dataset_id)
    found = store.groups(db, dataset_id, size=None, least=least, skip=skip, limit=limit + 1, shown=ALIKE)
    kept = {one.cluster for one in service.said_of_clusters(db, row)}
    return Clusters(
        data=[
            Alike(cluster=one.number, size=one.size, kept=one.number in kept, rows=[Row.of(like) for like in one.rows])
            for one in masked_rows.groups(found[:limit], masked_rows.veil(row))
        ],
        has_more=len(found) > limit,
        waiting=service.waiting_clusters(db, row),
    )


Cluster = Annotated[int, Path(ge=0, le=LARGEST, description="number of the group, as rows carry it")]


@router.put("/datasets/{dataset_id}/clusters/{cluster}", status_code=204)
def keep_cluster(dataset_id: Id, cluster: Cluster, db: Db, me: Author) -> None:
    """Note that the rows of a group are different rows. It counts from the next version on; see `recount`."""
    service.keep_cluster(db, dataset_id, cluster, me)


@router.delete("/datasets/{dataset_id}/clusters/{cluster}", status_code=204)
def join_cluster(dataset_id: Id, cluster: Cluster, db: Db, me: Author) -> None:
    """Take that note back."""
    service.join_cluster(db, dataset_id, cluster, me)


@router.post("/datasets/{dataset_id}/recount", status_code=201)
def recount_dataset(dataset_id: Id, db: Db, me: Author) -> Dataset:
    """Check the same files once more as a new version, with the groups as they were noted."""
    row = service.recount(db, dataset_id, me)
    job = service.job_of(db, row)
    return Dataset.of(row, job_id=job.id if job else None)


@router.post("/datasets/{dataset_id}/split")
def split_dataset(dataset_id: Id, plan: Plan, db: Db, me: Author) -> Dataset:
    """Split the rows in another way; the answer is the new version."""
    row = service.split_by(db, dataset_id, me, plan.by)
    job = service.job_of(db, row)
    return Dataset.of(row, job_id=job.id if job else None)


@router.post("/datasets/{dataset_id}/shared-groups")
def share_groups(dataset_id: Id, choice: SharedGroups, db: Db, me: Author) -> Dataset:
    """Leave out rows whose group stands in your own test file, or use them; the answer is the new version."""
    row = service.share_groups(db, dataset_id, me, leave_out=choice.leave_out)
    job = service.job_of(db, row)
    return Dataset.of(row, job_id=job.id if job else None)


@router.get("/datasets/{dataset_id}/changes")
def list_changes(
    dataset_id: Id,
    app: App,
    db: Db,
    me: Me,
    since: Annotated[int | None, Query(ge=1, le=LARGEST, description="another version; else the one before")] = None,
    skip: Annotated[int, Query(ge=0, le=LARGEST, description="how many of each kind to leave out")] = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="how many of each kind to list")] = 200,
) -> Changes:
    """What changed since another version: lines added (here) and removed (there), answers, places and statuses."""
    dataset = store.get(db, dataset_id)
    found = service.changes(db, app.blobs, dataset, since=since, skip=skip, limit=limit)
    veil = masked_rows.veil(dataset)
    if found is None:
        raise NotFound("There is no earlier version to compare with.")
    return Changes(
        since=found.before.version,
        counts=dict(found.counts),
        added=[new.line for new, _ in found.rows["added"] if new],
        removed=[old.line for _, old in found.rows["removed"] if old],
        changed=[
            ChangedRow(line=new.line, of_line=old.line, target=veil.text(new.target), of_target=veil.text(old.target))
            for new, old in found.rows["changed"]
            if new and old
        ],
        unused=_moved(found.rows["unused"]),
        used_again=_moved(found.rows["used_again"]),
        moved=_moved(found.rows["moved"]),
        has_more=any(found.counts[kind] > skip + limit for kind in found.rows),
    )


def _moved(rows: Iterable[service.Pair]) -> list[Moved]:
    return [
        Moved(
            line=new.line,
            of_line=old.line,
            now=new.split or new.status,
            before=old.split or old.status,
            reason=new.reason or old.reason,
        )
        for new, old in rows
        if new and old
    ]


@router.get("/datasets/{dataset_id}/manifest", response_class=StreamingResponse)
def export_manifest(dataset_id: Id, app: App, db: Db, me: Me) -> Response:
    """The split as it was drawn, byte for byte what `split_sha256` names: seed, then line, content hash and part."""
    row = store.get(db, dataset_id)
    return downloads.manifest(app, row.id, row.split_sha256)


@router.post("/datasets/{dataset_id}/lengths", status_code=202)
def count_lengths(dataset_id: Id, count: Count, db: Db, me: Author) -> Dataset:
    """Count tokens with another model's tokenizer; the report's `lengths` change when the job is done."""
    job = service.count_with(db, dataset_id, count.model_id, me)
    return Dataset.of(store.get(db, dataset_id), job_id=job.id)
