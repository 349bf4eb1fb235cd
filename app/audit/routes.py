"""The page of the record: who did what, and whether anything in it was changed afterwards."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.audit import service, store
from app.users.deps import Reviewer
from app.web.deps import App, Db
from app.web.pages import page
from app.web.params import LARGEST

router = APIRouter(include_in_schema=False)

PAGE = 100


@router.get("/audit", name="audit")
def show_audit(
    request: Request,
    app: App,
    db: Db,
    me: Reviewer,
    before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    subject: Annotated[str, Query(max_length=40, pattern=r"^[a-z_]*$")] = "",
    subject_id: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
) -> Response:
    entries = store.newest(db, before, PAGE + 1, subject=subject or None, subject_id=subject_id)
    return page(
        request,
        "audit/audit.html",
        entries=entries[:PAGE],
        next_before=entries[PAGE - 1].id if len(entries) > PAGE else None,
        subject=subject,
        subject_id=subject_id,
        broken_at=app.chain.broken_at(lambda: service.broken_at(db)),
    )
