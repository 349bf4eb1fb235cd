"""The page of an adapter's merged model: what each form takes, having one made, its download, its removal."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import FileResponse

from app.errors import Conflict, NotFound
from app.merged import plan, service, store
from app.merged.check import Facts
from app.users import store as user_store
from app.users.deps import Author, Me
from app.users.tables import Role
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.pages import page, see
from app.web.params import Id, OneLine

router = APIRouter(include_in_schema=False)


@router.get("/trainings/{training_id}/merged", name="merged")
def show_merged(request: Request, training_id: Id, app: App, db: Db, me: Me) -> Response:
    return _page(request, app, db, me, training_id)


@router.post("/trainings/{training_id}/merged", name="merge_adapter")
def merge_adapter(
    request: Request, training_id: Id, app: App, db: Db, me: Author, form: Annotated[OneLine, Form(max_length=16)] = ""
) -> Response:
    wanted = next((known for known in plan.FORMS if known == form), None)
    if wanted is None:
        raise NotFound("There is no such form.")
    try:
        service.start(db, app.settings, app.blobs, training_id, wanted, me)
    except Conflict as refusal:
        return _page(request, app, db, me, training_id, status=409, detail=refusal.detail)
    return see(request, "merged", training_id=training_id, notice="started")


@router.get("/merged-models/{merged_id}/merged.zip", name="merged_zip")
def download_merged(merged_id: Id, app: App, db: Db, me: Me) -> Response:
    """In parts, too: a download that broke off goes on where it was."""
    row, path = service.there(db, app.settings, merged_id)
    return FileResponse(path, media_type="application/zip", filename=service.file_name(row))


@router.post("/merged-models/{merged_id}/remove", name="remove_merged")
def remove_merged(request: Request, merged_id: Id, app: App, db: Db, me: Me) -> Response:
    row = service.remove(db, app.settings, merged_id, me)
    return see(request, "merged", training_id=row.training_id, notice="deleted")


def _page(
    request: Request, app: AppContext, db: Db, me: Me, training_id: int, *, status: int = 200, detail: str = ""
) -> Response:
    seen = service.overview(db, app.settings, app.blobs, training_id)
    rows = store.of_training(db, training_id)
    return page(
        request,
        "merged/merged.html",
        status=status,
        seen=seen,
        facts={row.id: Facts.from_json(row.facts) for row in rows if row.facts},
        earlier=[row for row in rows if row.removed_at is not None and row.done_at is not None],
        names=user_store.names(db, sorted({who for row in rows for who in (row.created_by, row.removed_by) if who})),
        mine={row.id for row in rows if me.role == Role.ADMIN or row.created_by == me.id},
        detail=detail,
    )
