"""Downloads of answers from the page of a measurement."""

from fastapi import APIRouter, Response

from app.baselines import store
from app.exchange.deps import RowsOf, exported
from app.exchange.service import Kind
from app.users.deps import Me
from app.web.deps import App, Db
from app.web.params import Id

router = APIRouter(include_in_schema=False)


@router.get("/baselines/{baseline_id}/answers.{kind}", name="export_answers")
def export_answers(baseline_id: Id, kind: Kind, app: App, db: Db, me: Me, rows: RowsOf = "all") -> Response:
    return exported(app, db, me, store.get(db, baseline_id), kind, rows)
