"""The REST side of datasets: raw bytes in, report and rows out."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from app.assessments import store as assessment_store
from app.datasets import (
    clusters_service,
    decisions_service,
    downloads,
    exporting,
    group_store,
    lengths_service,
    masked_rows,
    row_search,
    store,
    uploads_service,
    version_changes,
)
from app.datasets.api_types import (
    Alike,
    Change,
    ChangedRow,
    Changes,
    Clusters,
    Count,
    Dataset,
    Datasets,
    Freeze,
    Moved,
    Plan,
    Reading,
    Row,
    RowDecisions,
    RowQuery,
    Rows,
    SharedGroups,
)
from app.datasets.reading.read_as import ReadAs
from app.datasets.tables import DatasetRow
from app.datasets.uploads_service import SentFiles, StoredFile
from app.errors import NotFound
from app.uploads import receive
from app.users.deps import Author, Me
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.params import LARGEST, Id, UpTo100, UpTo500
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["datasets"], responses=REFUSALS)

# Not `OneLine`: what cannot be shown is taken out of a name, never a reason to refuse the file.
Filename = Annotated[str, Query(max_length=2000, description="shown to people, used for nothing else")]
ALIKE = 8  # rows of a group that come along with it


@router.put(
    "/assessments/{assessment_id}/dataset",
    status_code=201,
    openapi_extra=receive.RAW_BODY,
    max_body_size=receive.ANY_SIZE,
    responses=receive.REFUSALS,
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
    file = StoredFile(await receive.receive(request, app, me), filename)
    sent = SentFiles(file=file, drop_test=drop_test)
    return await run_in_threadpool(_taken, app, response, assessment_id, me, sent)


@router.put(
    "/assessments/{assessment_id}/dataset/test",
    status_code=201,
    openapi_extra=receive.RAW_BODY,
    max_body_size=receive.ANY_SIZE,
    responses=receive.REFUSALS,
)
async def put_test(
    request: Request, response: Response, assessment_id: Id, app: App, me: Author, filename: Filename = "test"
) -> Dataset:
    """Upload your own test rows as the raw body: a new version with the examples that are there.

    They stay the test rows of later versions, until another file or `drop_test` says otherwise.
    """
    await run_in_threadpool(receive.must_exist, app, assessment_id)
    test = StoredFile(await receive.receive(request, app, me), filename)
    return await run_in_threadpool(_taken, app, response, assessment_id, me, SentFiles(test=test))


def _taken(app: AppContext, response: Response, assessment_id: int, me: UserRow, sent: SentFiles) -> Dataset:
    with receive.transaction(app) as session:
        answer = _with_job(session, uploads_service.take(session, assessment_id, me, sent))
    response.headers["Location"] = f"/api/v1/datasets/{answer.id}"
    return answer


def _with_job(session: Db, row: DatasetRow, *, report: bool = False) -> Dataset:
    """A version with the job that checks it."""
    job = uploads_service.job_of(session, row)
    return Dataset.of(row, job_id=job.id if job else None, report=report)


@router.get("/assessments/{assessment_id}/datasets")
def list_datasets(assessment_id: Id, db: Db, me: Me) -> Datasets:
    """All versions, newest first, without their reports."""
    assessment_store.get(db, assessment_id)
    return Datasets(data=[Dataset.of(row) for row in store.versions(db, assessment_id)])


@router.get("/datasets/{dataset_id}")
def get_dataset(dataset_id: Id, db: Db, me: Me) -> Dataset:
    """One version with its quality report."""
    row = store.get(db, dataset_id)
    return _with_job(db, row, report=True)


@router.get("/datasets/{dataset_id}/rows")
def list_rows(
    dataset_id: Id,
    db: Db,
    me: Me,
    wanted: Annotated[RowQuery, Depends()],
    after: Annotated[int, Query(ge=0, le=LARGEST, description="id of the last row seen")] = 0,
    limit: UpTo500 = 50,
) -> Rows:
    """Rows in the order of the upload, narrowed by whatever is given.

    With `q` at most 20,000 rows are looked through for one answer; where that did not reach the end, `has_more` is true
    and `next_after` goes on from there, even where nothing was found.
    """
    masker = masked_rows.masker(store.get(db, dataset_id))
    if words := wanted.q.strip():
        search = row_search.search(db, dataset_id, wanted.row_filter(), words, masker, after=after, most=limit)
        matching = row_search.page_of(db, search, skip=0, limit=limit)
        data = [Row.of(row) for row in masked_rows.rows(matching, masker)]
        return Rows(data=data, has_more=not search.whole, next_after=None if search.whole else search.last)
    listed = store.listed(db, dataset_id, wanted.row_filter(), after=after, limit=limit + 1)
    more, page = len(listed) > limit, listed[:limit]
    data = [Row.of(row) for row in masked_rows.rows(page, masker)]
    return Rows(data=data, has_more=more, next_after=page[-1].id if more else None)


@router.post("/datasets/{dataset_id}/rows/{line}/open")
def open_row(
    dataset_id: Id,
    line: Id,
    db: Db,
    me: Author,
    file: Annotated[str, Query(pattern="^(upload|test)?$", description="test for the team's own test file")] = "",
) -> Row:
    """One row with its hidden values. Who looked at them is on record, so it is asked for with POST."""
    number = 1 if file == "test" else 0
    decisions_service.note_opened(db, dataset_id, number, line, me)
    return Row.of(masked_rows.unmasked(store.at_line(db, dataset_id, number, line)))


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
    row = decisions_service.to_export(db, dataset_id)
    return downloads.export(app, row.id, row.rows_sha256, form, split)


@router.post("/datasets/{dataset_id}/reading", status_code=201)
def reread_dataset(dataset_id: Id, how: Reading, response: Response, db: Db, me: Author) -> Dataset:
    """Read the stored file in another way: a new version with a check of its own."""
    row = uploads_service.reread(db, dataset_id, me, ReadAs(**how.model_dump()))
    response.headers["Location"] = f"/api/v1/datasets/{row.id}"
    return _with_job(db, row)


@router.post("/datasets/{dataset_id}/freeze")
def freeze_dataset(dataset_id: Id, db: Db, me: Author, word: Freeze | None = None) -> Dataset:
    """Freeze the split, once and for good, and say in the same breath who checked the test answers."""
    checked = word.human_checked if word else None
    return Dataset.of(uploads_service.freeze(db, dataset_id, me, human_checked=checked))


@router.post("/datasets/{dataset_id}/check", status_code=202)
def check_dataset(dataset_id: Id, db: Db, me: Author) -> Dataset:
    """Run a check that was cancelled or failed once more."""
    job = uploads_service.check_again(db, dataset_id, me)
    return Dataset.of(store.get(db, dataset_id), job_id=job.id)


@router.patch("/datasets/{dataset_id}")
def change_dataset(dataset_id: Id, change: Change, db: Db, me: Author) -> Dataset:
    """Give your word on who wrote or checked the test answers."""
    return Dataset.of(uploads_service.vouch(db, dataset_id, me, human_checked=change.human_checked))


@router.post("/datasets/{dataset_id}/decisions")
def decide_dataset(dataset_id: Id, body: RowDecisions, db: Db, me: Author) -> Dataset:
    """Decide on personal data. Masking and leaving out make a new version; the answer is the version that counts."""
    return _with_job(db, decisions_service.decide(db, dataset_id, me, body.decisions, body.reason))


@router.get("/datasets/{dataset_id}/clusters")
def list_clusters(
    dataset_id: Id,
    db: Db,
    me: Me,
    least: Annotated[int, Query(ge=2, le=LARGEST, description="rows that a group has at least")] = 2,
    skip: Annotated[int, Query(ge=0, le=LARGEST, description="how many groups to leave out")] = 0,
    limit: UpTo100 = 20,
) -> Clusters:
    """Groups of rows that are the same or nearly so, each with its first rows."""
    dataset = store.get(db, dataset_id)
    groups = group_store.groups(db, dataset_id, size=None, least=least, skip=skip, limit=limit + 1, rows_each=ALIKE)
    kept = {decision.cluster for decision in clusters_service.decisions_on_clusters(db, dataset)}
    return Clusters(
        data=[
            Alike(
                cluster=group.number,
                size=group.size,
                kept=group.number in kept,
                rows=[Row.of(row) for row in group.rows],
            )
            for group in masked_rows.groups(groups[:limit], masked_rows.masker(dataset))
        ],
        has_more=len(groups) > limit,
        waiting=clusters_service.waiting_clusters(db, dataset),
    )


Cluster = Annotated[int, Path(ge=0, le=LARGEST, description="number of the group, as rows carry it")]


@router.put("/datasets/{dataset_id}/clusters/{cluster}", status_code=204)
def keep_cluster(dataset_id: Id, cluster: Cluster, db: Db, me: Author) -> None:
    """Note that the rows of a group are different rows. It counts from the next version on; see `recount`."""
    clusters_service.keep_cluster(db, dataset_id, cluster, me)


@router.delete("/datasets/{dataset_id}/clusters/{cluster}", status_code=204)
def join_cluster(dataset_id: Id, cluster: Cluster, db: Db, me: Author) -> None:
    """Take that note back."""
    clusters_service.join_cluster(db, dataset_id, cluster, me)


@router.post("/datasets/{dataset_id}/recount", status_code=201)
def recount_dataset(dataset_id: Id, db: Db, me: Author) -> Dataset:
    """Check the same files once more as a new version, with the groups as they were noted."""
    return _with_job(db, clusters_service.recount(db, dataset_id, me))


@router.post("/datasets/{dataset_id}/split")
def split_dataset(dataset_id: Id, plan: Plan, db: Db, me: Author) -> Dataset:
    """Split the rows in another way; the answer is the new version."""
    return _with_job(db, decisions_service.split_by(db, dataset_id, me, plan.by))


@router.post("/datasets/{dataset_id}/shared-groups")
def share_groups(dataset_id: Id, choice: SharedGroups, db: Db, me: Author) -> Dataset:
    """Leave out rows whose group stands in your own test file, or use them; the answer is the new version."""
    return _with_job(db, decisions_service.share_groups(db, dataset_id, me, leave_out=choice.leave_out))


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
    changes = version_changes.changes_since(db, app.blobs, dataset, since=since, skip=skip, limit=limit)
    masker = masked_rows.masker(dataset)
    if changes is None:
        raise NotFound("There is no earlier version to compare with.")
    return Changes(
        since=changes.before.version,
        counts=dict(changes.counts),
        added=[new.line for new, _ in changes.rows["added"] if new],
        removed=[old.line for _, old in changes.rows["removed"] if old],
        changed=[
            ChangedRow(
                line=new.line,
                of_line=old.line,
                target=masker.text(new.target),
                of_target=masker.text(old.target),
            )
            for new, old in changes.rows["changed"]
            if new and old
        ],
        unused=_moved(changes.rows["unused"]),
        used_again=_moved(changes.rows["used_again"]),
        moved=_moved(changes.rows["moved"]),
        has_more=any(changes.counts[kind] > skip + limit for kind in changes.rows),
    )


def _moved(rows: Iterable[version_changes.Pair]) -> list[Moved]:
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
    job = lengths_service.count_with(db, dataset_id, count.model_id, me)
    return Dataset.of(store.get(db, dataset_id), job_id=job.id)
