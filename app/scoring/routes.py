"""The page of the team's scorers: everybody reads them, administrators try one, add it as a version, retire it."""

from fastapi import APIRouter, Request, Response

from app.errors import Invalid
from app.scoring import scorer_child, scores, service, store
from app.scoring.tables import Tried
from app.uploads import receive
from app.users import store as user_store
from app.users.deps import Admin, Me
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, see
from app.web.params import Id, Sent

router = APIRouter(include_in_schema=False)

EXAMPLE = '''def score(answer, expected, row):
    """1 where every expected word is there, else the share of them. row has "line" and "question"."""
    wanted = set(expected.lower().split())
    there = wanted & set(answer.lower().split())
    return len(there) / len(wanted) if wanted else 0.0
'''


@router.get("/scorers", name="scorers")
def show_scorers(request: Request, app: App, db: Db, me: Me) -> Response:
    return _page(request, app, db, {"text": EXAMPLE})


@router.post("/scorers", name="add_scorer")
def add_scorer(request: Request, app: App, me: Admin, typed: Sent) -> Response:
    """Add it, once it was tried; `try` only tries it. No transaction is open while it is tried."""
    text = typed.get("text", "").replace("\r\n", "\n")
    try:
        trial = service.tried(app.settings, text)
        if "try" not in typed:
            with receive.transaction(app) as db:
                service.add_scorer(db, typed.get("name", ""), text, by=me, trial=trial)
            return see(request, "scorers", notice="saved")
    except Invalid as refusal:
        with receive.reading_for_page(request, app) as db:
            return _page(request, app, db, typed, refusal=refusal)
    with receive.reading_for_page(request, app) as db:
        return _page(request, app, db, typed, trial=trial)


@router.post("/scorers/{scorer_id}/retire", name="retire_scorer")
def retire_scorer(request: Request, scorer_id: Id, db: Db, me: Admin) -> Response:
    service.retire_scorer(db, scorer_id, by=me)
    return see(request, "scorers", notice="saved")


def _page(
    request: Request,
    app: App,
    db: Db,
    typed: dict[str, str],
    *,
    trial: list[Tried] | None = None,
    refusal: Invalid | None = None,
) -> Response:
    rows = store.scorers(db, retired=True)
    return page(
        request,
        "scoring/scorers.html",
        status=422 if refusal else 200,
        rows=rows,
        names=user_store.names(db, [row.created_by for row in rows]),
        allowed=app.settings.team_scorers,
        off=service.OFF,
        typed=typed,
        trial=trial,
        seconds=scores.SCORER_SECONDS,
        memory=scorer_child.MEMORY,
        modules=scorer_child.MODULES,
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
    )
