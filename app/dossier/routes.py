"""The dossier page: where an assessment stands, at a glance."""

from fastapi import APIRouter, Request, Response

from app.assessments import store as assessment_store
from app.audit import store as audit_store
from app.baselines import standing
from app.baselines import store as baseline_store
from app.gate import people
from app.gate import store as reviews
from app.gate.evidence import gather, judge
from app.jobs import store as jobs
from app.training import store as trainings
from app.users import store as user_store
from app.users.deps import Me
from app.web.deps import App, Db
from app.web.pages import page
from app.web.params import Id

router = APIRouter(include_in_schema=False)


@router.get("/assessments/{assessment_id}", name="assessment")
def show_assessment(request: Request, assessment_id: Id, app: App, db: Db, me: Me) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    baseline = baseline_store.current(db, assessment_id)
    facts = gather(db, assessment)
    return page(
        request,
        "dossier/assessment.html",
        assessment=assessment,
        step="",
        advice=judge(db, facts),
        dataset=facts.dataset,
        baseline=baseline,
        best_arm=standing.leading(baseline) if baseline else None,
        review=reviews.latest(db, assessment_id),
        training=trainings.latest(db, assessment_id),
        open_jobs=[job for job in jobs.newest(db, None, 5, assessment_id=assessment_id) if not job.final],
        history=audit_store.newest(db, None, 12, subject="assessment", subject_id=assessment_id),
        creator=user_store.get(db, assessment.created_by),
        names=user_store.names(db, sorted(people.contributors(db, facts))),
    )
