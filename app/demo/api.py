"""The worked example for programs."""

from fastapi import APIRouter

from app.demo import service
from app.demo.deps import Starter
from app.jobs.api import Job
from app.users import passwords
from app.web.deps import App, Db
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1/demo", tags=["demo"], responses=REFUSALS)


@router.post("", name="api_start_demo", status_code=202)
def start_demo(app: App, db: Db, me: Starter) -> Job:
    """Start the worked example, or go on with it; again gives the same job. Its assessment is in `assessment_id`."""
    _, job = service.begin(db, passwords.with_cost(app.settings.hash_time, app.settings.hash_memory), me)
    return Job.of(job)
