"""The worked example for programs."""

from fastapi import APIRouter
from pydantic import BaseModel

from app.demo import finished, service
from app.demo.deps import Starter
from app.jobs.api import Job
from app.users import passwords
from app.users.deps import Me
from app.web.deps import App, Db
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1/demo", tags=["demo"], responses=REFUSALS)


class Finished(BaseModel):
    """The finished example. recorded: how and when it was measured."""

    assessment_id: int
    recorded: str


@router.post("/finished", name="api_show_finished")
def show_finished(app: App, db: Db, me: Me) -> Finished:
    """Have the finished example, measured elsewhere and read only, put here; again gives the same one."""
    row = finished.show(db, app.blobs, me)
    return Finished(assessment_id=row.id, recorded=row.recorded)


@router.post("", name="api_start_demo", status_code=202)
def start_demo(app: App, db: Db, me: Starter) -> Job:
    """Start the worked example, or go on with it; again gives the same job. Its assessment is in `assessment_id`."""
    _, job = service.begin(db, passwords.with_cost(app.settings.hash_time, app.settings.hash_memory), me)
    return Job.of(job)
