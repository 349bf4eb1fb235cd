"""What programs send and get about datasets."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from app.datasets import (
    masked_rows,
    store,
)
from app.datasets.checks import suspicious
from app.datasets.reading import encodings
from app.datasets.tables import DatasetRow
from app.json_types import JsonDict
from app.privacy.decisions import decisions_to_json
from app.web.params import LARGEST, OneLine

MARKS = {kind: int(mark) for mark, kind in suspicious.KINDS.items()}
REMARKS = f"^({'|'.join(MARKS)})?$"


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
    read_as: JsonDict
    rows: dict[str, int]
    human_checked: bool | None
    decisions: dict[str, JsonDict]
    rows_sha256: str | None
    split_sha256: str | None
    seed: int
    uploaded_at: datetime
    frozen_at: datetime | None
    job_id: int | None = None
    report: JsonDict | None = None

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
            read_as=row.read_as.to_json(),
            rows={"train": row.train_rows, "dev": row.dev_rows, "test": row.test_rows, "usable": row.usable_rows},
            human_checked=row.human_checked,
            decisions=decisions_to_json(row.decisions),
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
    def of(row: masked_rows.MaskedRow) -> "Row":
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
    next_after: int | None = Field(
        None, description="what to send as `after` for the next rows; null where there are none"
    )


@dataclass(frozen=True, slots=True)
class RowQuery:
    """Which rows are asked for, as an address says it."""

    status: Annotated[OneLine, Query(max_length=20)] = ""
    split: Annotated[OneLine, Query(max_length=12, description="train, dev, test, or train-dev")] = ""
    file: Annotated[str, Query(pattern="^(upload|test)?$", description="test for the team's own test file")] = ""
    label: Annotated[OneLine | None, Query(max_length=1000, description="the answer, exactly")] = None
    cluster: Annotated[int | None, Query(ge=0, le=LARGEST, description="one group of like rows")] = None
    size_from: Annotated[int | None, Query(ge=0, le=LARGEST, description="so long or longer, see size")] = None
    size_to: Annotated[int | None, Query(ge=0, le=LARGEST, description="so long or shorter")] = None
    remark: Annotated[str, Query(max_length=40, pattern=REMARKS, description="what is odd about the content")] = ""
    line: Annotated[int | None, Query(ge=1, le=LARGEST, description="of the upload")] = None
    q: Annotated[OneLine, Query(max_length=200, description="words in question or answer, hidden values left out")] = ""

    def row_filter(self) -> store.RowFilter:
        return store.RowFilter(
            status=self.status,
            split=self.split,
            file=self.file,
            label=self.label,
            cluster=self.cluster,
            lines=None if self.line is None else [self.line],
            mark=MARKS.get(self.remark, 0),
            size_from=self.size_from,
            size_to=self.size_to,
        )


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
        description="at random; the newest rows are the test set; or as the file's own column says"
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
    reasoning: OneLine = Field(
        "", max_length=20, description="what was thought before the answers: empty leaves it out, `train` trains it"
    )


class Count(BaseModel):
    model_id: int = Field(ge=1, le=LARGEST, description="a model on this machine, whose tokenizer counts")


class Freeze(BaseModel):
    human_checked: bool | None = Field(
        None,
        description="whether people wrote or checked every test answer; null says nothing, and what was said stands",
    )


class Change(BaseModel):
    human_checked: bool = Field(description="every test answer was written or checked by a person")
