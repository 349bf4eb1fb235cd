"""The first page: the list of assessments with where each stands."""

import itertools
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from app.assessments import service, store
from app.assessments.store import Wanted
from app.assessments.tables import AssessmentRow
from app.users import store as user_store
from app.users.deps import Me
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.pages import page, url_if_any
from app.web.params import OneLine
from app.web.protocols import Standing

router = APIRouter(include_in_schema=False)

State = Literal["", "mine", "ready", "not_yet", "archived"]
PAGE = 20
LOOKED_AT = 300
"""How many assessments are read at once to find those in a state that no column holds."""
READY = ("ready_for_review", "in_review", "changes_requested", "approved")
NOT_YET = ("needs_data", "needs_baselines", "not_yet")


@dataclass(frozen=True, slots=True)
class ListedAssessment:
    """One assessment in the list."""

    row: AssessmentRow
    standing: Standing
    answered: int
    asked: int


@router.get("/", name="home")
def show_home(
    request: Request,
    app: App,
    db: Db,
    me: Me,
    q: Annotated[OneLine, Query(max_length=100)] = "",
    state: State = "",
    page_number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    wanted = Wanted(q, me.id if state == "mine" else None, archived=state == "archived")
    if state in ("ready", "not_yet"):
        lines, total = _in_state(app, db, wanted, state, page_number)
    else:
        rows, total = store.page(db, wanted, page_number, PAGE)
        app.read_ahead(db, rows)
        lines = [_listed(app, db, row) for row in rows]
    return page(
        request,
        "home/home.html",
        lines=lines,
        total=total,
        number=page_number,
        pages=max(1, -(-total // PAGE)),
        q=q,
        state=state,
        anything=bool(lines) or store.anything(db),
        names=user_store.names(db, sorted({entry.row.created_by for entry in lines})),
        demo_url=url_if_any(request, "start_demo"),
    )


def _in_state(app: AppContext, db: Db, wanted: Wanted, state: State, number: int) -> tuple[list[ListedAssessment], int]:
    """One page of those in a state that no column holds, and how many there are. All of them are judged: an answer that
    looked only at the newest would say that there are none."""
    states = READY if state == "ready" else NOT_YET
    lines: list[ListedAssessment] = []
    for part in itertools.count(1):
        rows, _ = store.page(db, wanted, part, LOOKED_AT)
        app.read_ahead(db, rows)
        lines += [entry for row in rows if (entry := _listed(app, db, row)).standing.state in states]
        if len(rows) < LOOKED_AT:
            break
    return lines[(number - 1) * PAGE : number * PAGE], len(lines)


def _listed(app: AppContext, db: Db, row: AssessmentRow) -> ListedAssessment:
    return ListedAssessment(row, app.standing(db, row), *service.progress(row))
