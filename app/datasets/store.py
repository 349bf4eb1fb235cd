"""Queries on datasets and their rows."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVarTuple

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.orm import Session, aliased, defer

from app.chat import Message, messages_from_json
from app.datasets.checks import same_rows
from app.datasets.checks.statuses import RowStatus
from app.datasets.tables import MARKED, SHORT_ENOUGH, DatasetRow, ExampleRow, KeptClusterRow, KeyRow
from app.datasets.thresholds import LABEL_LENGTH
from app.db import Base, memo, prefill
from app.errors import NotFound
from app.json_types import JsonDict
from app.privacy.decisions import KEEP_AS_IS


@dataclass(frozen=True, slots=True)
class Example:
    """A used row, as measuring and training want it. `id` is the row's in the table, `line` the one in the upload."""

    id: int
    line: int
    messages: tuple[Message, ...]
    target: str


def get(session: Session, dataset_id: int) -> DatasetRow:
    row = session.get(DatasetRow, dataset_id)
    if row is None:
        raise NotFound("There is no such dataset.")
    return row


def assessment_of(session: Session, dataset_id: int) -> int:
    """Whose version it is, without its report."""
    assessment_id = session.scalar(select(DatasetRow.assessment_id).where(DatasetRow.id == dataset_id))
    if assessment_id is None:
        raise NotFound("There is no such dataset.")
    return assessment_id


def current(session: Session, assessment_id: int) -> DatasetRow | None:
    """The version that counts: the newest, which may still be being checked.

    A rejected upload replaces nothing; it is current only while nothing else was ever uploaded.
    """
    return memo(
        session,
        ("dataset", assessment_id),
        lambda: session.scalar(
            select(DatasetRow)
            .where(DatasetRow.assessment_id == assessment_id)
            .order_by(DatasetRow.state == "rejected", DatasetRow.version.desc())
            .limit(1)
        ),
    )


def read_ahead(session: Session, assessment_ids: Sequence[int]) -> None:
    """Find the current version of many assessments in one query, for a page that will ask for each (`db.prefill`)."""
    order = (DatasetRow.state == "rejected", DatasetRow.version.desc())
    place = func.row_number().over(partition_by=DatasetRow.assessment_id, order_by=order).label("place")
    ranked = select(DatasetRow.id, place).where(DatasetRow.assessment_id.in_(assessment_ids)).subquery()
    rows = session.scalars(select(DatasetRow).join(ranked, ranked.c.id == DatasetRow.id).where(ranked.c.place == 1))
    current_of = {row.assessment_id: row for row in rows}
    prefill(session, {("dataset", assessment_id): current_of.get(assessment_id) for assessment_id in assessment_ids})


def newest(session: Session, assessment_id: int) -> DatasetRow | None:
    """The last upload, whatever became of it."""
    return session.scalar(
        select(DatasetRow).where(DatasetRow.assessment_id == assessment_id).order_by(DatasetRow.version.desc()).limit(1)
    )


def versions(session: Session, assessment_id: int) -> Sequence[DatasetRow]:
    """All uploads, newest first; their reports are not loaded."""
    return session.scalars(
        select(DatasetRow)
        .where(DatasetRow.assessment_id == assessment_id)
        .options(defer(DatasetRow.report_json, raiseload=True))
        .order_by(DatasetRow.version.desc())
    ).all()


def number_of_versions(session: Session, assessment_id: int) -> int:
    return session.scalar(select(func.count()).where(DatasetRow.assessment_id == assessment_id)) or 0


def before(session: Session, row: DatasetRow) -> DatasetRow | None:
    """The last usable version before this one."""
    return session.scalar(_earlier(row).order_by(DatasetRow.version.desc()).limit(1))


def frozen_before(session: Session, row: DatasetRow) -> Sequence[DatasetRow]:
    """The versions before this one whose split was frozen, without their reports."""
    query = _earlier(row).where(DatasetRow.frozen_at.is_not(None))
    return session.scalars(
        query.options(defer(DatasetRow.report_json, raiseload=True)).order_by(DatasetRow.version)
    ).all()


def kept_as_is_in(session: Session, row: DatasetRow) -> dict[str, DatasetRow]:
    """For each kind of personal data that may stay as it is, the version on whose values somebody said so."""
    kept = {kind: made.version for kind, made in row.decisions.items() if made.action == KEEP_AS_IS}
    if not kept:
        return {}
    numbers = {version for version in kept.values() if version is not None}
    query = select(DatasetRow).where(DatasetRow.assessment_id == row.assessment_id, DatasetRow.version.in_(numbers))
    by_number = {version.version: version for version in session.scalars(query)}
    return {kind: by_number[version] for kind, version in kept.items() if version in by_number}


def _earlier(row: DatasetRow) -> Select[DatasetRow]:
    return select(DatasetRow).where(
        DatasetRow.assessment_id == row.assessment_id,
        DatasetRow.version < row.version,
        DatasetRow.state == "ready",
    )


def rows(session: Session, dataset_id: int, split: str) -> list[Example]:
    """The rows of one split (train, dev or test), in the order of the upload."""
    stored = session.execute(
        select(ExampleRow.id, ExampleRow.line, ExampleRow.messages, ExampleRow.target)
        .where(ExampleRow.dataset_id == dataset_id, ExampleRow.split == split)
        .order_by(ExampleRow.file, ExampleRow.line)
    )
    return [Example(row_id, line, messages_from_json(messages), target) for row_id, line, messages, target in stored]


def places(session: Session, dataset_id: int) -> dict[int, tuple[int, int]]:
    """File (0 the upload, 1 the team's own test file) and line of every row that is used, by its id."""
    query = select(ExampleRow.id, ExampleRow.file, ExampleRow.line)
    rows = session.execute(query.where(ExampleRow.dataset_id == dataset_id, ExampleRow.split != ""))
    return {row_id: (file, line) for row_id, file, line in rows}


def examples_of(session: Session, ids: Collection[int]) -> dict[int, ExampleRow]:
    """Rows by their ids."""
    return {row.id: row for row in session.scalars(select(ExampleRow).where(ExampleRow.id.in_(sorted(ids))))}


def example(session: Session, dataset_id: int, example_id: int) -> ExampleRow:
    row = session.get(ExampleRow, example_id)
    if row is None or row.dataset_id != dataset_id:
        raise NotFound("There is no such row.")
    return row


def by_ids(session: Session, ids: Iterable[int]) -> dict[int, ExampleRow]:
    """Rows of any version by their ids."""
    examples = session.scalars(select(ExampleRow).where(ExampleRow.id.in_(list(ids))))
    return {row.id: row for row in examples}


def version(session: Session, assessment_id: int, number: int) -> DatasetRow | None:
    """One upload of an assessment by its number."""
    return session.scalar(
        select(DatasetRow).where(DatasetRow.assessment_id == assessment_id, DatasetRow.version == number)
    )


Columns = TypeVarTuple("Columns")


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows are asked for; what is empty narrows nothing.

    split: train, dev, test, or train-dev for all that is not kept aside. file: upload or test, for the team's own test
    file. label: the answer, exactly. lines: of the upload. size_from, size_to: how long, both included.
    """

    status: str = ""
    split: str = ""
    file: str = ""
    label: str | None = None
    cluster: int | None = None
    lines: Sequence[int] | None = None
    mark: int = 0
    size_from: int | None = None
    size_to: int | None = None

    @property
    def sized(self) -> bool:
        return self.size_from is not None or self.size_to is not None


def narrowed(query: Select[*Columns], dataset_id: int, only: RowFilter) -> Select[*Columns]:
    """The query for the rows of one version that a filter lets through."""
    query = query.where(ExampleRow.dataset_id == dataset_id)
    # Few rows have one label, one length or a remark. With an expression in the place of a column SQLite leaves that
    # column's index alone, which would lead through far more rows.
    few = only.sized or only.mark or (only.label is not None and len(only.label) <= LABEL_LENGTH)
    status, split = (ExampleRow.status + "", ExampleRow.split + "") if few else (ExampleRow.status, ExampleRow.split)
    if only.status:
        query = query.where(status == only.status)
    if only.split == "train-dev":
        query = query.where(split.in_(("train", "dev")))
    elif only.split:
        query = query.where(split == only.split)
    if only.file:
        file = ExampleRow.file + 0 if few or only.status or only.split else ExampleRow.file
        query = query.where(file == (1 if only.file == "test" else 0))
    return _of_content(query, only)


def _of_content(query: Select[*Columns], only: RowFilter) -> Select[*Columns]:
    """Narrowed by what a row says or where it stands, rather than by what was made of it."""
    if only.label is not None:
        query = query.where(ExampleRow.target == only.label)
        if len(only.label) <= LABEL_LENGTH:
            query = query.where(SHORT_ENOUGH)
    if only.size_from is not None:
        query = query.where(ExampleRow.size >= only.size_from)
    if only.size_to is not None:
        query = query.where(ExampleRow.size <= only.size_to)
    if only.cluster is not None:
        query = query.where(ExampleRow.cluster == only.cluster)
    if only.lines is not None:
        query = query.where(ExampleRow.file == 0, ExampleRow.line.in_(only.lines))
    if only.mark:
        query = query.where(MARKED, ExampleRow.marks.bitwise_and(only.mark) != 0)
    return query


def listed(
    session: Session, dataset_id: int, only: RowFilter, *, after: int = 0, limit: int = 50
) -> Sequence[ExampleRow]:
    """Rows after the id `after`, in the order of the upload: what a program asks for again and again."""
    query = narrowed(select(ExampleRow), dataset_id, only).where(ExampleRow.id > after)
    return session.scalars(query.order_by(ExampleRow.id).limit(limit)).all()


def page_of(session: Session, dataset_id: int, only: RowFilter, *, skip: int, limit: int) -> Sequence[ExampleRow]:
    """A page by number, for people; programs follow ids with `listed`.

    Rows of one status, split, label or cluster come in the order of their ids, which is that of the upload: the index
    holds them so, and a page far into a million rows costs no sorting. Rows of some lengths come the shortest first;
    rows that contradict each other stand together.
    """
    query = narrowed(select(ExampleRow), dataset_id, only)
    kind = (
        only.status or (only.split and only.split != "train-dev") or only.cluster is not None or only.label or only.mark
    )
    if only.sized:
        query = query.order_by(ExampleRow.size, ExampleRow.id)
    elif only.status == RowStatus.CONTRADICTION:
        query = query.order_by(ExampleRow.cluster, ExampleRow.id)
    else:
        query = query.order_by(ExampleRow.id) if kind else query.order_by(ExampleRow.file, ExampleRow.line)
    return session.scalars(query.offset(skip).limit(limit)).all()


def number_of(session: Session, dataset_id: int, only: RowFilter, *, most: int) -> int:
    """How many rows there are of this kind; `most` where there are that many or more."""
    some = narrowed(select(ExampleRow.id), dataset_id, only).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def by_status(session: Session, dataset_id: int, among: Sequence[str]) -> dict[str, int]:
    """How many rows of these statuses there are; the index counts them, about 4 million a second."""
    query = (
        select(ExampleRow.status, func.count())
        .where(ExampleRow.dataset_id == dataset_id, ExampleRow.status.in_(among))
        .group_by(ExampleRow.status)
    )
    return {row.status: row[1] for row in session.execute(query)}


def at_line(session: Session, dataset_id: int, file: int, line: int) -> ExampleRow:
    """The row of one line; a line that was refused has one too."""
    query = select(ExampleRow).where(
        ExampleRow.dataset_id == dataset_id, ExampleRow.file == file, ExampleRow.line == line
    )
    row = session.scalar(query)
    if row is None:
        raise NotFound("There is no row with this number.")
    return row


def beside(session: Session, row: ExampleRow) -> tuple[int | None, int | None]:
    """The lines of the rows before and after this one, in the same file."""
    same = (ExampleRow.dataset_id == row.dataset_id, ExampleRow.file == row.file)
    return (
        session.scalar(select(func.max(ExampleRow.line)).where(*same, ExampleRow.line < row.line)),
        session.scalar(select(func.min(ExampleRow.line)).where(*same, ExampleRow.line > row.line)),
    )


def alike(session: Session, row: ExampleRow, limit: int) -> Sequence[ExampleRow]:
    """The other rows of its group, in the order of the upload."""
    if row.cluster is None:
        return ()
    query = select(ExampleRow).where(
        ExampleRow.dataset_id == row.dataset_id, ExampleRow.cluster == row.cluster, ExampleRow.id != row.id
    )
    return session.scalars(query.order_by(ExampleRow.id).limit(limit)).all()


def label_counts(session: Session, dataset_id: int) -> list[tuple[str, str, int]]:
    """Answer, split (empty where the row is not used) and number of rows, for sets whose answers are labels."""
    query = (
        select(ExampleRow.target, ExampleRow.split, func.count())
        .where(ExampleRow.dataset_id == dataset_id, ExampleRow.status.not_in(("fault", "empty")))
        .group_by(ExampleRow.target, ExampleRow.split)
    )
    return [(target, split, number) for target, split, number in session.execute(query)]


def forget_rows(session: Session, dataset_id: int, *, most: int) -> bool:
    """Remove so many of the rows that an interrupted check left; whether there may be more."""
    some = select(ExampleRow.id).where(ExampleRow.dataset_id == dataset_id).limit(most)
    gone = session.execute(delete(ExampleRow).where(ExampleRow.id.in_(some)).returning(ExampleRow.id)).all()
    return len(gone) == most


def add_rows(session: Session, dataset_id: int, values: list[JsonDict], after: int) -> list[int]:
    """Insert rows that all name the same columns; their ids, in the same order. after: the last id written before.

    The ids are asked for afterwards, for an insert that gives them back in order takes a statement a row on SQLite.
    """
    session.execute(insert(Base.metadata.tables["examples"]), values)
    mine = select(ExampleRow.id).where(ExampleRow.dataset_id == dataset_id, ExampleRow.id > after)
    return list(session.scalars(mine.order_by(ExampleRow.id)))


def set_sizes(session: Session, sizes: Iterable[tuple[int, int]]) -> None:
    """Note how long rows are: (id, size) pairs."""
    session.execute(update(ExampleRow), [{"id": row_id, "size": size} for row_id, size in sizes])


def row_ids(session: Session, dataset_id: int) -> list[int]:
    """The ids of all rows, in the order in which they were written."""
    return list(
        session.scalars(select(ExampleRow.id).where(ExampleRow.dataset_id == dataset_id).order_by(ExampleRow.id))
    )


def keep_test_keys(session: Session, dataset_id: int) -> None:
    """Write down what the test rows of a frozen version ask, once."""
    if session.scalar(select(KeyRow.dataset_id).where(KeyRow.dataset_id == dataset_id).limit(1)) is not None:
        return
    questions = session.scalars(
        select(ExampleRow.messages).where(ExampleRow.dataset_id == dataset_id, ExampleRow.split == "test")
    )
    keys = sorted({same_rows.key_of(messages) for messages in questions})
    if keys:
        session.execute(insert(KeyRow), [{"dataset_id": dataset_id, "key": key} for key in keys])


def of_same_test_rows(session: Session, dataset_id: int) -> dict[int, int]:
    """Versions, of any assessment, whose test rows count as the same (`same_rows`): which assessment's each is.

    The version itself is always among them.
    """
    return memo(session, ("same test rows", dataset_id), lambda: _of_same_test_rows(session, [dataset_id])[dataset_id])


def read_ahead_same_test_rows(session: Session, dataset_ids: Sequence[int]) -> dict[int, dict[int, int]]:
    """The same for many versions at once, for a page that will ask for each (`db.prefill`)."""
    owners_of = _of_same_test_rows(session, dataset_ids)
    prefill(session, {("same test rows", dataset_id): alike for dataset_id, alike in owners_of.items()})
    return owners_of


def _of_same_test_rows(session: Session, dataset_ids: Sequence[int]) -> dict[int, dict[int, int]]:
    mine, other = aliased(KeyRow), aliased(KeyRow)
    shared = session.execute(
        select(mine.dataset_id, other.dataset_id, func.count())
        .join(other, mine.key == other.key)
        .where(mine.dataset_id.in_(dataset_ids))
        .group_by(mine.dataset_id, other.dataset_id)
    ).all()
    everybody = {*dataset_ids, *(there for _, there, _ in shared)}
    counted = select(KeyRow.dataset_id, func.count()).group_by(KeyRow.dataset_id)
    sizes = _numbers(session, counted.where(KeyRow.dataset_id.in_(sorted(everybody))))
    whose = select(DatasetRow.id, DatasetRow.assessment_id)
    owners = _numbers(session, whose.where(DatasetRow.id.in_(sorted(everybody))))
    same = {dataset_id: {dataset_id: owners[dataset_id]} for dataset_id in dataset_ids}
    for here, there, number in shared:
        if same_rows.same_rows(number, sizes[here], sizes[there]):
            same[here][there] = owners[there]
    return same


def _numbers(session: Session, query: Select[int, int]) -> dict[int, int]:
    """What a query of two numbers a row found, the second by the first."""
    return {first: second for first, second in session.execute(query)}  # noqa: C416 - a Row is no pair to the type checker


def being_checked(session: Session) -> Sequence[int]:
    """Datasets whose check has not ended."""
    return session.scalars(select(DatasetRow.id).where(DatasetRow.state == "checking")).all()


# ---------------------------------------------------------------------- clusters that a person undid
def oldest_of(session: Session, dataset_id: int, cluster: int) -> tuple[ExampleRow, int]:
    """The oldest row of a cluster, and how many rows the cluster has."""
    where = (ExampleRow.dataset_id == dataset_id, ExampleRow.cluster == cluster)
    row = session.scalar(select(ExampleRow).where(*where).order_by(ExampleRow.id).limit(1))
    if row is None:
        raise NotFound("There is no such group of rows.")
    return row, session.scalar(select(func.count()).where(*where)) or 0


def kept_clusters(session: Session, assessment_id: int) -> Sequence[KeptClusterRow]:
    """The decisions that count now, newest first."""
    return session.scalars(
        select(KeptClusterRow)
        .where(KeptClusterRow.assessment_id == assessment_id, KeptClusterRow.withdrawn_at.is_(None))
        .order_by(KeptClusterRow.id.desc())
    ).all()


def kept_cluster(session: Session, assessment_id: int, key: str) -> KeptClusterRow | None:
    """The decision that counts for this cluster, if there is one."""
    return next((row for row in kept_clusters(session, assessment_id) if row.key == key), None)
