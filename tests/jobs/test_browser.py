"""The pages for people who operate, in real Chromium: they read well, and the list of jobs follows by itself."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine, update

from app.audit import service as audit
from app.db import utcnow, writing
from app.jobs.tables import JobRow, Status, WorkerRow
from app.users.tables import UserRow
from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.factories import Make

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def zoe(make: Make, engine: Engine) -> UserRow:
    """An administrator with a job that waits, one that failed, a worker, a failing server and an entry of each sort."""
    zoe = make.admin("Zoe")
    row = make.assessment(zoe, title="Route messages to 77 intents")
    tested = {"at": "2026-01-01T00:00:00+00:00", "error": "The name models.example.org cannot be resolved.",
              "seconds": 0.0, "text": "", "remarks": [], "offers": ["small-1"], "by_run": False}  # fmt: skip
    make.model(name="Team server", kind="endpoint", base_url="https://models.example.org/v1", reference="m", files={},
               tested=tested)  # fmt: skip
    now = utcnow()
    with writing(engine) as session:
        usual = {"kind": "measure", "queue": "model", "progress": {}, "created_by": zoe.id, "created_at": now,
                 "assessment_id": row.id}  # fmt: skip
        session.add(JobRow(**usual, title="Baselines", subject_id=1, status=Status.QUEUED))
        session.add(
            JobRow(**usual, title="Broken", subject_id=2, status=Status.FAILED, failure="The server is away.",
                   started_at=now, finished_at=now + timedelta(minutes=2))
        )  # fmt: skip
        session.add(
            WorkerRow(id="host:main", queues="cpu,model", pid=1, version="1", started_at=now,
                      seen_at=now + timedelta(days=1), load=1.5, cores=4)
        )  # fmt: skip
        audit.record(session, zoe, "assessment.create", "assessment", row.id, {"title": row.title})
    return zoe


# Other tests look at these pages, too, or at nearly the same.
AS_WELL = [
    pytest.param(path, marks=pytest.mark.deep)
    for path in ("/audit?since=x", "/policy?tab=criteria", "/policy?q=rows", "/prices")
]


@pytest.mark.parametrize("path", ["/jobs", "/jobs/1", "/models", "/models/1", "/audit", *AS_WELL])
def test_a_page_reads_well(visit: Visits, zoe: UserRow, path: str) -> None:
    with visit(zoe) as page:
        page.goto(path)
        good(page)


def test_details_of_an_entry_open_and_filter(visit: Visits, zoe: UserRow) -> None:
    with visit(zoe) as page:
        page.goto("/audit")
        entry = page.locator(".entries li").filter(has_text="created Route messages").first
        entry.locator("summary").click()
        entry.get_by_role("link", name="All entries of assessment.create").click()
        expect(page.get_by_label("Act")).to_have_value("assessment.create")
        page.get_by_role("link", name="Clear").click()
        expect(page).to_have_url("/audit")


@pytest.mark.long("the page looks again every five seconds")
@pytest.mark.deep
def test_the_list_follows_without_a_reload(visit: Visits, zoe: UserRow, engine: Engine) -> None:
    with visit(zoe) as page:
        page.goto("/jobs?state=open")
        expect(page.locator("table.jobs")).to_contain_text("place 1 in queue model")
        page.evaluate("window.kept = true")
        with writing(engine) as session:
            session.execute(update(JobRow).where(JobRow.title == "Baselines").values(status=Status.CANCELLED))
        expect(page.locator("#listed")).to_contain_text("No job fits these filters", timeout=15_000)
        assert page.evaluate("window.kept") is True
