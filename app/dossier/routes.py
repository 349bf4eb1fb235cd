"""The dossier page: where an assessment stands, at a glance."""

from fastapi import APIRouter, Request, Response

from app.assessments import store as assessment_store
from app.dossier.overview import overview
from app.users.deps import Me
from app.web.deps import KeptDb
from app.web.pages import page
from app.web.params import Id

router = APIRouter(include_in_schema=False)


@router.get("/assessments/{assessment_id}", name="assessment")
def show_assessment(request: Request, assessment_id: Id, db: KeptDb, me: Me) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    return page(
        request,
        "dossier/assessment.html",
        assessment=assessment,
        step="",
        overview=overview(db, assessment),
        latest=SHOWN_EVENTS,
    )


SHOWN_EVENTS = 6
"""Lines of the activity that are open; the others are folded."""
