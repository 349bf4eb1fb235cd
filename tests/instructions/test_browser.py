"""System prompts in real Chromium: versions, what changed, a run of the optimizer that is watched and cancelled."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from app.db import writing
from app.instructions import job
from app.jobs import engine as job_engine
from app.jobs import store as job_store
from app.jobs.tables import Status
from app.settings import Settings
from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.factories import Make
from tests.support.model_server import ModelServer
from tests.support.optimised import PLANTED, WORSE, Improvable, Script, improvable, marked, serve, task

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def queue(settings: Settings) -> Iterator[job_engine.Client]:
    made = job_engine.Client(settings.url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    yield from serve(task)


@pytest.fixture(scope="module")
def critic() -> Iterator[ModelServer]:
    yield from serve(Script([marked(WORSE), "No idea.", marked(PLANTED)]))


@pytest.fixture(scope="module")
def case(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, model: ModelServer, critic: ModelServer
) -> Improvable:
    return improvable(make, engine, settings, queue, (model, critic))


def test_a_run_is_started_watched_and_its_winner_read(case: Improvable, visit: Visits, critic: ModelServer) -> None:
    """From the list of versions to the difference that won, with a draft that appears while the page is open."""
    goes_on, script = threading.Event(), critic.reply

    def held(body: dict[str, Any]) -> Any:
        if isinstance(script, Script) and len(script.asked) == 2:
            goes_on.wait(20)
        return script(body)

    critic.reply = held
    with visit(case.case.author) as page:
        page.goto(f"/assessments/{case.case.assessment.id}/instructions")
        expect(page.get_by_text("Version 1 of the system prompt leads")).to_be_visible()
        page.get_by_label("Max drafts").fill("3")
        page.get_by_role("checkbox", name="I may send train rows").check()
        page.get_by_role("button", name="Start optimizer").click()
        expect(page.get_by_text("Waiting for a worker")).to_be_visible()
        run_id = int(page.url.rsplit("/", 1)[1])
        claim = case.claim(run_id)
        working = threading.Thread(target=job.optimise, args=[claim])
        working.start()
        expect(page.get_by_role("heading", name="Draft 2")).to_be_visible()
        expect(page.get_by_text("refused", exact=True)).to_be_visible()
        good(page)
        goes_on.set()
        working.join(20)
        with writing(case.engine) as session:
            ended = job_store.get(session, claim.job_id)
            ended.status = Status.DONE
        page.reload()
        expect(page.get_by_text("Draft 3 scores")).to_be_visible()
        page.locator("#draft-3 summary").click()
        expect(page.locator("#draft-3 ins").first).to_contain_text("Write the word label")
        page.goto(f"/assessments/{case.case.assessment.id}/instructions")
        page.get_by_role("button", name="Compare versions").click()
        expect(page.get_by_role("heading", name="Version 1 to version 2")).to_be_visible()
        good(page)


def test_the_list_and_its_forms_can_be_used_by_everybody(case: Improvable, visit: Visits) -> None:
    with visit(case.case.author) as page:
        page.goto(f"/assessments/{case.case.assessment.id}/instructions?start=1&show=optimize")
        expect(page.get_by_label("System prompt")).to_have_value("Give the label.")
        good(page)
