"""The page of the output constraint: what is proposed, what a person makes of it, and what it allows."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from app.assessments import store as assessment_store
from app.constraints import service, store, views
from app.constraints.inferring import Choices, Proposal
from app.constraints.service import Preview
from app.datasets import store as dataset_store
from app.db import reading
from app.errors import Conflict, Invalid
from app.users import store as user_store
from app.users.deps import Author, Me
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import Values, page, see
from app.web.params import Id, Sent

router = APIRouter(include_in_schema=False)


@router.get("/assessments/{assessment_id}/constraint", name="constraint")
def show_constraint(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    """The constraint in use; where there is none, what is inferred from the rows, to be looked at and kept."""
    row = store.current(db, assessment_id)
    if row is not None:
        return _page(request, db, assessment_id, typed={"kind": row.kind, "text": row.text})
    return _inferred(request, db, assessment_id, Choices(), asked=False)


@router.post("/assessments/{assessment_id}/constraint", name="save_constraint")
def save_constraint(request: Request, assessment_id: Id, typed: Sent, db: Db, me: Author) -> Response:
    try:
        service.save(db, assessment_id, typed.get("kind", ""), typed.get("text", ""), by=me)
    except Invalid as refusal:
        return _page(
            request, db, assessment_id, typed=typed, refusal=refusal, preview=_preview(db, assessment_id, typed)
        )
    return see(request, "constraint", assessment_id=assessment_id, notice="saved")


@router.post("/assessments/{assessment_id}/constraint/preview", name="preview_constraint")
def preview_constraint(request: Request, assessment_id: Id, typed: Sent, app: App, me: Me) -> Response:
    """Say what a constraint would allow; stores nothing."""
    with reading(app.engine) as db:
        try:
            preview = service.preview(db, assessment_id, typed.get("kind", ""), typed.get("text", ""))
        except Invalid as refusal:
            return _page(request, db, assessment_id, typed=typed, refusal=refusal)
        return _page(request, db, assessment_id, typed=typed, preview=preview)


@router.post("/assessments/{assessment_id}/constraint/infer", name="infer_constraint")
def infer_constraint(request: Request, assessment_id: Id, typed: Sent, app: App, me: Me) -> Response:
    """Infer it from the rows, with what the boxes of the form say; stores nothing."""
    with reading(app.engine) as db:
        return _inferred(request, db, assessment_id, views.choices(typed), asked=True)


@router.post("/assessments/{assessment_id}/constraint/remove", name="remove_constraint")
def remove_constraint(request: Request, assessment_id: Id, db: Db, me: Author) -> Response:
    service.remove(db, assessment_id, by=me)
    return see(request, "constraint", assessment_id=assessment_id, notice="saved")


# ---------------------------------------------------------------- inside


def _inferred(request: Request, db: Db, assessment_id: int, choices: Choices, *, asked: bool) -> Response:
    """asked: somebody pressed the button, and wants to hear why nothing came of it."""
    try:
        proposal = service.infer(db, assessment_id, choices)
    except Conflict as refusal:
        return _page(request, db, assessment_id, typed={"kind": "json_schema", "text": ""}, nothing=str(refusal))
    typed = {"kind": proposal.kind, "text": proposal.text}
    preview = _preview(db, assessment_id, typed)
    return _page(request, db, assessment_id, typed=typed, preview=preview, proposal=proposal, asked=asked)


def _preview(db: Db, assessment_id: int, typed: Mapping[str, str]) -> Preview | None:
    try:
        return service.preview(db, assessment_id, typed.get("kind", ""), typed.get("text", ""))
    except Invalid:
        return None


def _page(
    request: Request,
    db: Db,
    assessment_id: int,
    *,
    typed: Mapping[str, str],
    refusal: Invalid | None = None,
    preview: Preview | None = None,
    proposal: Proposal | None = None,
    nothing: str = "",
    asked: bool = False,
) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    dataset = dataset_store.current(db, assessment_id)
    versions = store.versions(db, assessment_id)
    current = store.current(db, assessment_id)
    values: Values = {}
    unchecked = current is not None and not current.fit.counts
    if current is not None:
        values = {
            "title": views.title(current.constraint),
            "allowed": views.fit_sentence(current.fit),
            "cost": views.cost(current.fit),
            "stale": dataset is not None and dataset.id != current.dataset_id,
            "taken_over": unchecked,
        }
    return page(
        request,
        "constraints/constraint.html",
        status=422 if refusal else 200,
        assessment=assessment,
        step="measure",
        ready=dataset is not None and dataset.state == "ready",
        current=current,
        versions=versions,
        next_version=1 + (versions[0].version if versions else 0),
        names=user_store.names(db, [row.created_by for row in versions]),
        kinds=views.kinds(),
        typed={"kind": "", "text": "", **typed},
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
        preview=preview,
        preview_allowed=views.fit_sentence(preview.fit) if preview else "",
        preview_cost=views.cost(preview.fit) if preview else "",
        proposal=proposal,
        fields=views.lines(proposal.fields) if proposal else [],
        nothing=nothing,
        form_open=current is None or unchecked or asked or bool(refusal) or preview is not None,
        **values,
    )
