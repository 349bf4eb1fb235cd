"""Pages on how a file is read, and how else it could be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from app.blobs import Damaged
from app.datasets import (
    masked_rows,
    store,
    uploads_service,
)
from app.datasets.page_frame import frame
from app.datasets.pages import preview
from app.datasets.reading import encodings
from app.datasets.reading.read_as import COLUMN_NAMES, REASONING, ReadAs
from app.datasets.reading.shapes import COLUMNS, SHAPES
from app.datasets.tables import DatasetRow
from app.errors import FieldError, Invalid
from app.users.deps import Author, Me
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, see
from app.web.params import Id, OneLine

router = APIRouter(include_in_schema=False)

Column = Annotated[OneLine, Query(max_length=200)]
Chosen = Annotated[OneLine, Form(max_length=200)]


@dataclass(frozen=True, slots=True)
class ReadingQuery:
    """A choice in the address; without a shape there is none yet."""

    shape: Column | None = None
    question: Column = ""
    answer: Column = ""
    system: Column = ""
    group: Column = ""
    part: Column = ""
    time: Column = ""
    header: Annotated[OneLine, Query(max_length=8)] = "yes"
    encoding: Annotated[OneLine, Query(max_length=20)] = ""
    reasoning: Annotated[OneLine, Query(max_length=20)] = ""


@dataclass(frozen=True, slots=True)
class ReadingForm:
    """A choice that was sent."""

    shape: Chosen = ""
    question: Chosen = ""
    answer: Chosen = ""
    system: Chosen = ""
    group: Chosen = ""
    part: Chosen = ""
    time: Chosen = ""
    header: Annotated[OneLine, Form(max_length=8)] = "yes"
    encoding: Annotated[OneLine, Form(max_length=20)] = ""
    reasoning: Annotated[OneLine, Form(max_length=20)] = ""


@router.get("/datasets/{dataset_id}/reading", name="dataset_reading")
def show_reading(
    request: Request, dataset_id: Id, app: App, db: Db, me: Me, query: Annotated[ReadingQuery, Depends()]
) -> Response:
    """How the file is read, and how else it could be; with a choice in the address, three rows read that way."""
    row = store.get(db, dataset_id)
    how = row.read_as if query.shape is None else _chosen(query)
    return _reading(request, app, db, row, how, list(uploads_service.unreadable(how)))


def _reading(
    request: Request, app: AppContext, db: Db, row: DatasetRow, how: ReadAs, faults: Sequence[FieldError]
) -> Response:
    try:
        opened = app.blobs.open(row.blob_sha256)
    except Damaged:  # a backup without its files, say: the version is there, and what it was made of is not
        return page(request, "datasets/reading_gone.html", **frame(request, db, row, "overview"))
    with opened as stream:
        # A choice that is not complete is shown as guessed, with what is missing beside its field; the letters and the
        # first row stay as chosen, for it is by them that one finds the columns.
        shown_as = uploads_service.without_columns(how) if faults else how
        beginning = preview.preview(stream, row.filename, shown_as, masked_rows.masker(row))
    chosen = {column for column in (getattr(how, name) for name in COLUMN_NAMES) if column}
    names = sorted({*beginning.names, *chosen}, key=str.casefold)
    return page(
        request,
        "datasets/reading.html",
        status=422 if faults else 200,
        **frame(request, db, row, "overview"),
        how=how,
        saved=how == row.read_as,
        seen=beginning,
        encodings=[("", "Detect from the byte-order mark, else UTF-8"), *_encodings()],
        reasoning=list(REASONING),
        shapes=[("", "guess for each record"), *((shape.name, shape.title) for shape in SHAPES.values())],
        columns=[("", "none"), *((name, name) for name in names)],
        errors=by_field(faults),
        detail="The file can't be read like that." if faults else "",
    )


def _chosen(choice: ReadingQuery | ReadingForm) -> ReadAs:
    """The choice. Who names a column for question or answer has chosen columns; nobody says it twice."""
    names = {name: getattr(choice, name) for name in COLUMN_NAMES}
    shape = choice.shape or (COLUMNS.name if choice.question or choice.answer else "")
    return ReadAs(shape, **names, header=choice.header != "no", encoding=choice.encoding, reasoning=choice.reasoning)


def _encodings() -> Iterator[tuple[str, str]]:
    return ((encoding.name, f"{encoding.title} ({encoding.about})") for encoding in encodings.CHOICES.values())


@router.post("/datasets/{dataset_id}/reading", name="reread_dataset")
def reread_dataset(
    request: Request, dataset_id: Id, app: App, db: Db, me: Author, form: Annotated[ReadingForm, Depends()]
) -> Response:
    how = _chosen(form)
    try:
        row = uploads_service.reread(db, dataset_id, me, how)
    except Invalid as refusal:
        return _reading(request, app, db, store.get(db, dataset_id), how, refusal.errors)
    return see(request, "data", assessment_id=row.assessment_id)
