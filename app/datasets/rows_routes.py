"""Pages of rows: the rows behind any number, one row, labels, groups of like rows, changes between versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from app.datasets import (
    clusters_service,
    decisions_service,
    group_store,
    masked_rows,
    row_search,
    store,
    version_changes,
    versions,
)
from app.datasets.checks.statuses import ROWS_THAT, TAGS, RowStatus
from app.datasets.current_version import counts_now
from app.datasets.masked_rows import MaskedRow
from app.datasets.page_frame import frame
from app.datasets.pages import contradictions_view, diff_view, labels_view, report_lists, report_view, row_text, words
from app.datasets.tables import DatasetRow, ExampleRow
from app.datasets.thresholds import RARE_LABEL
from app.privacy.masking import Masker
from app.users.deps import Author, Me
from app.web.deps import App, Db
from app.web.pages import page, see, url_for
from app.web.params import LARGEST, Id, OneLine

router = APIRouter(include_in_schema=False)

Word = Annotated[OneLine, Query(max_length=40)]
PageNumber = Annotated[int, Query(alias="page", ge=1, le=10**6)]
ROWS = 25  # rows on one page of the browser
MOST = 10_001  # rows that are counted where no index counts them; beyond it the page says "more than 10,000"
LABELS = 100  # labels on one page
COUNTED = 100_000  # rows up to which their labels are counted by part for a page; a million take 11 s
CLUSTERS = 10  # groups on one page
ASKED, ANSWERED = 220, 110  # characters of question and answer in the list
PAIRS = 15  # questions with contradicting answers on one page
PAIRS_NAMED = 5  # pairs of each kind beside the groups; the rows behind the number are a link away
MOST_ANSWERS = 20  # rows of such a question that are shown
ALIKE = 8  # rows of a group that are shown before one asks for all


@router.get("/datasets/{dataset_id}/changes", name="dataset_changes")
def show_changes(
    request: Request,
    dataset_id: Id,
    app: App,
    db: Db,
    me: Me,
    since: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    kind: Word = "",
    number: PageNumber = 1,
) -> Response:
    """What differs from another version, down to the rows and the words in them."""
    dataset = store.get(db, dataset_id)
    changes = None
    if dataset.rows_sha256:
        kinds = [kind] if kind in versions.KINDS else versions.KINDS
        changes = version_changes.changes_since(
            db, app.blobs, dataset, since=since, kinds=kinds, skip=(number - 1) * ROWS, limit=ROWS
        )
        if changes and kind not in versions.KINDS:
            kind = next((kind for kind in versions.KINDS if changes.counts[kind]), "")
    total = changes.counts[kind] if changes and kind else 0
    pairs = changes.rows[kind] if changes and kind else ()
    return page(
        request,
        "datasets/changes.html",
        **frame(request, db, dataset, "versions"),
        changes=changes,
        kind=kind,
        rows=[_pair(new, old, masked_rows.masker(dataset)) for new, old in pairs],
        others=[
            version
            for version in store.versions(db, dataset.assessment_id)
            if version.rows_sha256 and version.id != dataset.id
        ],
        words=ROWS_THAT,
        total=total,
        number=number,
        pages=max(1, -(-total // ROWS)),
    )


def _pair(
    new: ExampleRow | None, old: ExampleRow | None, masker: Masker
) -> tuple[MaskedRow | None, MaskedRow | None, diff_view.Differences]:
    """Two rows as they may be read, values hidden as the later version says, and what differs in their answers."""
    now, before = (masked_rows.row(row, masker) if row else None for row in (new, old))
    return now, before, diff_view.differences(before.target, now.target) if now and before else ([], [])


@dataclass(frozen=True, slots=True)
class RowQuery:
    """Which rows a page shows, as its address says it; people type lengths and lines, so these may be anything."""

    status: Word = ""
    split: Word = ""
    file: Word = ""
    label: Annotated[OneLine | None, Query(max_length=1000)] = None
    remark: Word = ""
    cluster: Annotated[int | None, Query(ge=0, le=LARGEST)] = None
    line: Word = ""
    size_from: Word = ""
    size_to: Word = ""
    q: Annotated[OneLine, Query(max_length=200)] = ""

    def row_filter(self, lines: Sequence[int]) -> store.RowFilter:
        """lines: those that the remark is about; for some remarks rows have no mark, and only the report knows."""
        mark = report_view.MARKS.get(self.remark, 0)
        return store.RowFilter(
            status=self.status,
            split=self.split,
            file=self.file,
            label=self.label or None,
            cluster=self.cluster,
            lines=None if mark or not self.remark else lines,
            mark=mark,
            size_from=_length(self.size_from),
            size_to=_length(self.size_to),
        )


@router.get("/datasets/{dataset_id}/rows", name="dataset_rows")
def show_rows(
    request: Request, dataset_id: Id, db: Db, me: Me, wanted: Annotated[RowQuery, Depends()], number: PageNumber = 1
) -> Response:
    """The rows behind any number of the report."""
    dataset = store.get(db, dataset_id)
    typed_line = wanted.line.replace(",", "").strip()
    if typed_line.isdecimal() and len(typed_line) < 16:
        return RedirectResponse(row_url(request, dataset.id, int(typed_line), 1 if wanted.file == "test" else 0), 303)
    remark = wanted.remark
    counted, lines = (report_view.lines_of(dataset.report, remark) if remark else None) or (0, [])
    row_filter = wanted.row_filter(lines)
    statuses = _statuses(db, dataset)
    masker = masked_rows.masker(dataset)
    words_sought = wanted.q.strip()
    listed = _listed(db, dataset, row_filter, statuses, words_sought, masker, number)
    return page(
        request,
        "datasets/rows.html",
        **frame(request, db, dataset, "rows"),
        rows=[_as_listed(row, words_sought) for row in masked_rows.rows(listed.rows, masker)],
        q=words_sought,
        search=listed.search,
        only=row_filter,
        remark=remark,
        remark_words=words.word(remark) if remark else "",
        unit=dataset.report.lengths.unit,
        counted=0 if row_filter.mark else counted,
        line=wanted.line,
        statuses=statuses,
        words=ROWS_THAT,
        tags=TAGS,
        total=listed.total,
        counted_to=listed.counted_to,
        number=number,
        pages=max(1, -(-listed.total // ROWS)),
        page_size=ROWS,
    )


@dataclass(frozen=True, slots=True)
class _Listed:
    """A page of rows. total: all of this kind, or as many as were counted; counted_to: that number then, else 0."""

    rows: Sequence[ExampleRow]
    total: int
    counted_to: int = 0
    search: row_search.Search | None = None


def _listed(
    db: Db,
    dataset: DatasetRow,
    row_filter: store.RowFilter,
    statuses: dict[str, int],
    words_sought: str,
    masker: Masker,
    number: int,
) -> _Listed:
    """The rows of a page, looked for by words or by what they are."""
    skip = (number - 1) * ROWS
    if words_sought:
        search = row_search.search(db, dataset.id, row_filter, words_sought, masker)
        total = len(search.ids)
        matching = row_search.page_of(db, search, skip=skip, limit=ROWS)
        return _Listed(matching, total, total if total >= row_search.MOST else 0, search)
    reported = _reported_number(dataset, row_filter, statuses)
    total = store.number_of(db, dataset.id, row_filter, most=MOST) if reported is None else reported
    rows = store.page_of(db, dataset.id, row_filter, skip=skip, limit=ROWS)
    return _Listed(rows, total, MOST - 1 if reported is None and total >= MOST else 0)


def _as_listed(row: MaskedRow, words_sought: str) -> tuple[MaskedRow, list[row_text.Piece], list[row_text.Piece]]:
    """A row, and the beginnings of question and answer with the words that were looked for marked in them."""
    asked = row.messages[-1]["content"] if row.messages else row.reason
    return row, row_text.pieces(asked, words_sought, ASKED), row_text.pieces(row.target, words_sought, ANSWERED)


def _length(typed: str) -> int | None:
    """A length as people type it; what is no number narrows nothing."""
    digits = typed.replace(",", "").strip()
    return int(digits) if digits.isdecimal() and len(digits) < 10 else None


def _statuses(db: Db, dataset: DatasetRow) -> dict[str, int]:
    """How many rows of each status there are: from the report where it knows, from the table where there are few."""
    counts = {status: dataset.report.counts.of_status(status) for status in ROWS_THAT}
    refused = [status for status, number in counts.items() if not number]
    known = {status: number for status, number in counts.items() if number}
    usable = dataset.train_rows + dataset.dev_rows + dataset.test_rows
    return known | store.by_status(db, dataset.id, refused) | {"usable": usable}


def _reported_number(dataset: DatasetRow, row_filter: store.RowFilter, statuses: dict[str, int]) -> int | None:
    """How many rows there are of a kind that the report counts, or None where one has to look."""
    if row_filter == store.RowFilter(row_filter.status):
        return statuses.get(row_filter.status, 0) if row_filter.status else sum(statuses.values())
    if row_filter == store.RowFilter(split=row_filter.split):
        parts = {"train": dataset.train_rows, "dev": dataset.dev_rows, "test": dataset.test_rows}
        parts["train-dev"] = parts["train"] + parts["dev"]
        return parts.get(row_filter.split, 0)
    if row_filter == store.RowFilter(file="upload"):
        return dataset.report.uploaded
    if row_filter.label is not None and row_filter == store.RowFilter(label=row_filter.label):
        return next((label.rows for label in dataset.report.labels if label.label == row_filter.label), None)
    if row_filter == store.RowFilter(row_filter.status, file="upload"):
        return dataset.report.dropped.get(row_filter.status) if row_filter.status != "usable" else None
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
    decisions_service.note_opened(db, dataset_id, 1 if file == "test" else 0, line, me)
    return _row(request, db, dataset_id, line, file, unmasked=True)


def _row(request: Request, db: Db, dataset_id: int, line: int, file: str, *, unmasked: bool = False) -> Response:
    dataset = store.get(db, dataset_id)
    masker = masked_rows.masker(dataset)
    stored = store.at_line(db, dataset_id, 1 if file == "test" else 0, line)
    masked = masked_rows.row(stored, masker)
    row = masked_rows.unmasked(stored) if unmasked else masked
    group = masked_rows.rows(store.alike(db, stored, ALIKE), masker)
    before, after = store.beside(db, stored)
    return page(
        request,
        "datasets/row.html",
        **frame(request, db, dataset, "rows"),
        row=row,
        hides=masked.hides,
        opened=unmasked,
        group=[
            (
                other,
                diff_view.differences(
                    diff_view.whole_question(masked.messages), diff_view.whole_question(other.messages)
                ),
                diff_view.differences(masked.target, other.target),
            )
            for other in group
        ],
        most=ALIKE,
        said=report_view.messages_of_row(dataset.report, row.line, row.file, stored.marks),
        lengths=dataset.report.lengths,
        words=ROWS_THAT,
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
    number: PageNumber = 1,
) -> Response:
    """Every label with its rows in each part: what is rare, what is missing from one of them, what is written twice."""
    dataset = store.get(db, dataset_id)
    every = labels_view.labels_of(dataset.report)
    counted = dataset.report.uploaded <= COUNTED
    if every and counted:
        masker = masked_rows.masker(dataset)
        counts = store.label_counts(db, dataset_id)
        every = labels_view.counted_labels((masker.text(label), part, rows) for label, part, rows in counts)
    listed = labels_view.ordered([label for label in every if q.casefold() in label.label.casefold()], order)
    on_page = listed[(number - 1) * LABELS : number * LABELS]
    return page(
        request,
        "datasets/labels.html",
        **frame(request, db, dataset, "labels"),
        labels=on_page,
        bars=labels_view.label_bars(on_page, every),
        different=len(every),
        counted=counted,
        total=len(listed),
        rare=sum(1 for label in every if label.rare),
        rare_below=RARE_LABEL,
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
    number: PageNumber = 1,
) -> Response:
    """Groups of rows that are the same or nearly so, the largest first."""
    dataset = store.get(db, dataset_id)
    # One more than is shown says whether there is a next page.
    groups = group_store.groups(
        db, dataset_id, size=size, least=least, skip=(number - 1) * CLUSTERS, limit=CLUSTERS + 1, rows_each=ALIKE
    )
    return page(
        request,
        "datasets/clusters.html",
        **frame(request, db, dataset, "clusters"),
        groups=masked_rows.groups(groups[:CLUSTERS], masked_rows.masker(dataset)),
        more=len(groups) > CLUSTERS,
        chart=report_view.cluster_sizes(dataset.report, url_for(request, "dataset_clusters", dataset_id=dataset_id)),
        pairs=report_lists.pair_lists(dataset.report, url_for(request, "dataset_rows", dataset_id=dataset_id)),
        shown=PAIRS_NAMED,
        size=size,
        least=least,
        words=ROWS_THAT,
        number=number,
        counts_now=counts_now(db, dataset),
        said={decision.cluster: decision for decision in clusters_service.decisions_on_clusters(db, dataset)},
        waiting=clusters_service.waiting_clusters(db, dataset),
    )


@router.get("/datasets/{dataset_id}/contradictions", name="dataset_contradictions")
def show_contradictions(request: Request, dataset_id: Id, db: Db, me: Me, number: PageNumber = 1) -> Response:
    """Rows that ask the same and are answered differently, question by question, never torn apart by a page."""
    dataset = store.get(db, dataset_id)
    status = RowStatus.CONTRADICTION.value
    groups = group_store.groups(
        db, dataset_id, skip=(number - 1) * PAIRS, limit=PAIRS + 1, rows_each=MOST_ANSWERS, status=status
    )
    groups_masked = masked_rows.groups(groups[:PAIRS], masked_rows.masker(dataset))
    return page(
        request,
        "datasets/contradictions.html",
        **frame(request, db, dataset, "clusters"),
        questions=[contradictions_view.question(group) for group in groups_masked],
        rows=dataset.report.counts.contradiction,
        more=len(groups) > PAIRS,
        number=number,
        counts_now=counts_now(db, dataset),
        said={decision.cluster: decision for decision in clusters_service.decisions_on_clusters(db, dataset)},
        waiting=clusters_service.waiting_clusters(db, dataset),
    )


Cluster = Annotated[int, Path(ge=0, le=LARGEST)]


@router.post("/datasets/{dataset_id}/clusters/{cluster}/keep", name="keep_cluster")
def keep_cluster(request: Request, dataset_id: Id, cluster: Cluster, db: Db, me: Author) -> Response:
    clusters_service.keep_cluster(db, dataset_id, cluster, me)
    return see(request, "dataset_clusters", dataset_id=dataset_id, notice="saved", anchor=f"group-{cluster}")


@router.post("/datasets/{dataset_id}/clusters/{cluster}/join", name="join_cluster")
def join_cluster(request: Request, dataset_id: Id, cluster: Cluster, db: Db, me: Author) -> Response:
    clusters_service.join_cluster(db, dataset_id, cluster, me)
    return see(request, "dataset_clusters", dataset_id=dataset_id, notice="saved", anchor=f"group-{cluster}")
