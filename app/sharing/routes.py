"""Pages for read-only links: making and ending them, and what a reader without an account sees."""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response

from app.assessments import store as assessment_store
from app.db import utcnow, writing
from app.errors import Invalid
from app.gate import verdict_view
from app.gate.evidence import gather, judge, study
from app.gate.evidence_strip import strip
from app.gate.warnings import evidence_without_names
from app.sharing import service, store
from app.sharing.tables import ShareRow
from app.users import store as user_store
from app.users.deps import Author, Me
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, see, url_for
from app.web.params import Id, OneLine

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Typed:
    """What the form begins with, or what was typed and is wrong."""

    label: str = ""
    days: int = 7
    costs: bool = False


@router.get("/assessments/{assessment_id}/share", name="shares")
def show_shares(request: Request, assessment_id: Id, app: App, db: Db, me: Me) -> Response:
    return _shares(request, assessment_id, app, db)


@router.post("/assessments/{assessment_id}/share", name="add_share")
def add_share(
    request: Request,
    assessment_id: Id,
    app: App,
    db: Db,
    me: Author,
    label: Annotated[OneLine, Form(max_length=400)] = "",
    days: Annotated[int, Form(ge=0, le=3650)] = 0,
    costs: Annotated[bool, Form()] = False,
) -> Response:
    """Show the new link in the answer itself: its secret is nowhere else, so there is nothing to redirect to."""
    try:
        row, secret = service.share(
            db, assessment_id, me, label=label, days=days, most_days=app.settings.share_days, costs=costs
        )
    except Invalid as refusal:
        typed = Typed(label, days, costs)
        return _shares(request, assessment_id, app, db, by_field(refusal), typed, refusal.detail, 422)
    link = app.settings.address + url_for(request, "shared", secret=secret)
    return _shares(request, assessment_id, app, db, status=201, made=row, link=link)


@router.post("/assessments/{assessment_id}/share/{share_id}/revoke", name="revoke_share")
def revoke_share(request: Request, assessment_id: Id, share_id: Id, db: Db, me: Author) -> Response:
    service.revoke(db, assessment_id, share_id, me)
    return see(request, "shares", assessment_id=assessment_id, notice="link-ended")


def _shares(
    request: Request,
    assessment_id: int,
    app: AppContext,
    db: Db,
    errors: dict[str, str] | None = None,
    typed: Typed | None = None,
    detail: str = "",
    status: int = 200,
    *,
    made: ShareRow | None = None,
    link: str = "",
) -> Response:
    now, most = utcnow(), app.settings.share_days
    rows = store.of_assessment(db, assessment_id)
    return page(
        request,
        "sharing/shares.html",
        status=status,
        assessment=assessment_store.get(db, assessment_id),
        step="verdict",
        shares=[(row, service.state(row, most, now)) for row in rows],
        names=user_store.names(db, sorted({row.created_by for row in rows})),
        lives=service.lives(most),
        made=made,
        link=link,
        errors=errors or {},
        typed=typed or Typed(),
        detail=detail,
        now=now,
    )


@router.get("/shared/{secret}", name="shared")
def show_shared(request: Request, secret: Annotated[OneLine, Path(max_length=100)], app: App, db: Db) -> Response:
    """The advice for whoever has the link; nobody has to sign in, and nothing but the advice is here."""
    now = utcnow()
    row, assessment = service.opens(db, secret, app.settings.share_days, now)
    facts = gather(db, assessment)
    evidence = evidence_without_names(facts.evidence, costs=row.costs)
    answer = page(
        request,
        "sharing/shared.html",
        assessment=assessment,
        share=row,
        **verdict_view.values(
            judge(replace(facts, evidence=evidence)),
            evidence,
            study(db, facts) if row.costs else None,
            facts.baseline,
            models_named=False,
        ),
        lines=[line for line in strip(db, facts) if line.key != "data" and (row.costs or line.key != "costs")],
        actions="",
        after=verdict_view.AFTER,
        links={},
        where={},
        run="",
        ask={},
        costs="",
        measure="",
    )
    if service.due(row, now):
        with writing(app.engine) as session:
            service.opened(session, assessment.id, row.id, now)
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer
