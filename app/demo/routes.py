"""The button of an empty home page."""

from fastapi import APIRouter, Request, Response

from app.demo import finished, service
from app.demo.deps import Starter
from app.users import passwords
from app.users.deps import Me
from app.web.deps import App, Db
from app.web.pages import see

router = APIRouter(include_in_schema=False)


@router.post("/example", name="show_finished")
def show_finished(request: Request, app: App, db: Db, me: Me) -> Response:
    """Go to the finished example, which is put into the database if it is not there."""
    return see(request, "assessment", assessment_id=finished.show(db, app.blobs, me).id)


@router.post("/demo", name="start_demo")
def start_demo(request: Request, app: App, db: Db, me: Starter) -> Response:
    """Start the worked example and show its job; a second click shows the same one."""
    _, job = service.begin(db, passwords.with_cost(app.settings.hash_time, app.settings.hash_memory), me)
    return see(request, "job", job_id=job.id)
