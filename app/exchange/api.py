"""The same for programs."""

from fastapi import APIRouter, Response

from app.baselines import store
from app.exchange.deps import RowsOf, exported
from app.exchange.service import Kind
from app.users.deps import Me
from app.web.deps import App, Db
from app.web.params import Id
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["measuring"], responses=REFUSALS)


@router.get("/baselines/{baseline_id}/answers.{kind}", name="api_export_answers", response_class=Response)
def export_answers(baseline_id: Id, kind: Kind, app: App, db: Db, me: Me, rows: RowsOf = "all") -> Response:
    """Every answer of a measurement in one file, with its texts as they came, were taken out and were compared.

    `jsonl`: one answer a line. `csv`: the same for spreadsheets; cells that one would run as a formula are marked as
    text. `promptfoo.json`: what `promptfoo import` takes. `lm-eval.zip`: a summary and samples as EleutherAI's harness
    writes them. `junit.xml`: a test case a row. Answers to test rows are on record as a look.
    """
    return exported(app, db, me, store.get(db, baseline_id), kind, rows)
