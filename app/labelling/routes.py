"""The page on which a second person labels a sample of the rows, and on which differences are settled."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response

from app.assessments import store as assessment_store
from app.datasets import store as dataset_store
from app.datasets.page_frame import frame
from app.labelling import service, store, views
from app.users.deps import Author, Me
from app.web.deps import Db
from app.web.pages import page, render, see, wants_fragment
from app.web.params import Id, OneLine, PageNumber
from app.web.tens import ten_of

router = APIRouter(include_in_schema=False)

BUTTONS = 9  # labels up to which each is a button with a key; more of them stand in a list


@router.get("/assessments/{assessment_id}/second-labels", name="second_labels_of")
def show_of_assessment(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    """The same page for the version that counts; the data page while there is none."""
    assessment_store.get(db, assessment_id)
    dataset = dataset_store.current(db, assessment_id)
    if dataset is None:
        return see(request, "data", assessment_id=assessment_id)
    return see(request, "second_labels", dataset_id=dataset.id)


@router.get("/datasets/{dataset_id}/second-labels", name="second_labels")
def show_second_labels(request: Request, dataset_id: Id, db: Db, me: Me, number: PageNumber = None) -> Response:
    """The offer, the round ten rows at a time, the agreement. Differences are shown to nobody who is labelling. number:
    which ten; else those with the first row that has no label."""
    dataset = dataset_store.get(db, dataset_id)
    row = service.open_round(db, dataset_id, me.id)
    rows = views.rows_of(db, dataset, row) if row else []
    shown = ten_of([bool(one.label) for one in rows], number)
    labels = store.labels_of(db, dataset_id) if row and row.kind == "label" else []
    return page(
        request,
        "labelling/second.html",
        **frame(request, db, dataset, "second"),
        round=row,
        rows=rows[shown.rows],
        tens=shown,
        given=sum(bool(one.label) for one in rows),
        labels=labels,
        buttons=len(labels) <= BUTTONS,
        no_label=service.NO_LABEL,
        offer=None if row else service.offered(db, dataset, me),
        result=None if row else views.result(db, dataset),
        enough=service.ENOUGH,
    )


@router.post("/datasets/{dataset_id}/second-labels", name="begin_second_labels")
def begin_second_labels(request: Request, dataset_id: Id, db: Db, me: Author) -> Response:
    service.begin(db, dataset_id, by=me)
    return see(request, "second_labels", dataset_id=dataset_id)


@router.post("/label-rounds/{round_id}/rows/{example_id}", name="say_second_label")
def say_second_label(
    request: Request,
    round_id: Id,
    example_id: Id,
    db: Db,
    me: Author,
    label: Annotated[OneLine, Form()] = "",
    number: PageNumber = None,
) -> Response:
    service.say(db, round_id, example_id, label, by=me)
    row = store.get(db, round_id)
    if not wants_fragment(request):
        kept = {"page": number} if number else None
        return see(request, "second_labels", dataset_id=row.dataset_id, query=kept, anchor=f"row-{example_id}")
    dataset = dataset_store.get(db, row.dataset_id)
    rows = views.rows_of(db, dataset, row)
    labels = store.labels_of(db, dataset.id) if row.kind == "label" else []
    html = render(
        request,
        "labelling/_said.html",
        round=row,
        one=next(one for one in rows if one.row.id == example_id),
        given=sum(bool(one.label) for one in rows),
        total=len(rows),
        labels=labels,
        buttons=len(labels) <= BUTTONS,
        no_label=service.NO_LABEL,
        saved=True,
    )
    return Response(html, media_type="text/html")


@router.post("/label-rounds/{round_id}/end", name="end_second_labels")
def end_second_labels(request: Request, round_id: Id, db: Db, me: Author) -> Response:
    row = service.end(db, round_id, by=me)
    return see(request, "second_labels", dataset_id=row.dataset_id)


@router.post("/second-labels/{label_id}/settle", name="settle_second_label")
def settle_second_label(
    request: Request,
    label_id: Id,
    db: Db,
    me: Author,
    settled: Annotated[Literal["file", "second", "both", ""], Form()] = "",
) -> Response:
    kept = service.settle(db, label_id, settled, by=me)
    row = store.get(db, kept.round_id)
    return see(request, "second_labels", dataset_id=row.dataset_id, anchor=f"difference-{label_id}")
