"""The home page in real Chromium: it reads well for everybody, filters act at once, what runs moves by itself."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from app.db import utcnow, writing
from app.gate import reviews
from app.jobs import service as jobs
from app.jobs.tables import JobRow, Status
from app.users.tables import UserRow
from tests.support.browser import Visits, address, app, engine, good, make, settings, untouched, visit
from tests.support.factories import Make

__all__ = ["address", "app", "engine", "make", "settings", "untouched", "visit"]

pytestmark = pytest.mark.browser


@pytest.fixture
def busy(make: Make, engine: Engine) -> UserRow:
    """An author to whom everything happens at once; a reviewer is asked by name."""
    author = make.author("Ada")
    asked, returned = make.ready(author, title="Route messages", team="Support"), make.ready(author, title="Invoices")
    rob = make.reviewer("Rob")
    with writing(engine) as session:
        reviews.request_review(session, asked.id, author, "This is a trial run.", rob.id)
        review = reviews.request_review(session, returned.id, author)
        reviews.decide(session, review.id, rob, "request_changes", review.digest, "Use at least one epoch.")
        for number in range(6):
            session.add(
                JobRow(
                    kind="check",
                    title=f"Check file-{number}.jsonl",
                    subject_id=author.id * 100 + number,
                    queue="cpu",
                    status="failed",
                    progress={},
                    failure="It ends in line 4.",
                    created_by=author.id,
                    created_at=utcnow() - timedelta(hours=2),
                    finished_at=utcnow(),
                )
            )
    return author


def test_it_reads_well_for_whoever_something_waits_for(visit: Visits, busy: UserRow, make: Make) -> None:
    with visit(busy) as page:
        page.goto("/")
        good(page)
        page.get_by_text("1 more").click()
        expect(page.get_by_text("Check file-0.jsonl")).to_be_visible()
    with visit(make.reviewer()) as page:
        page.goto("/")
        good(page)
        page.goto("/reviews")
        good(page)


def test_an_administrator_and_an_author_begin(untouched: tuple[Make, Visits]) -> None:
    make, visit = untouched
    with visit(make.admin()) as page:
        page.goto("/")
        good(page)
        page.get_by_role("button", name="Dismiss").click()
        expect(page.get_by_role("heading", name="Set up Tunegate")).to_have_count(0)
    with visit(make.author()) as page:
        page.goto("/")
        good(page)


def test_typing_narrows_the_list_at_once(visit: Visits, make: Make) -> None:
    author = make.author()
    make.assessment(author, title="Ticket routing")
    make.assessment(author, title="Other work")
    with visit(author) as page:
        page.goto("/?state=mine")
        page.get_by_label("Search title or team").press_sequentially("ticket")
        expect(page.get_by_role("link", name="Other work")).to_have_count(0)
        expect(page.get_by_role("link", name="Ticket routing")).to_be_visible()
        expect(page.get_by_label("Search title or team")).to_be_focused()


def test_it_is_searched_without_javascript(visit: Visits, make: Make) -> None:
    author = make.author()
    make.assessment(author, title="Zebra crossing")
    with visit(author, script=False) as page:
        page.goto("/?state=mine")
        page.get_by_label("Search title or team").fill("nothing like it")
        page.get_by_role("button", name="Search").click()
        expect(page.locator("main")).to_contain_text("Nothing here has “nothing like it”")
        expect(page.get_by_role("link", name="Mine")).to_have_attribute("aria-current", "page")


def test_what_runs_moves_by_itself_to_the_end(visit: Visits, make: Make, engine: Engine) -> None:
    author = make.author()
    with writing(engine) as session:
        job = JobRow(
            kind="convert",
            title="Prepare the model",
            subject_id=author.id,
            queue="model",
            status="running",
            progress={"done": 1, "total": 4, "unit": "files"},
            created_by=author.id,
            created_at=utcnow(),
        )
        session.add(job)
    with visit(author) as page:
        page.goto("/")
        expect(page.locator("#running")).to_contain_text("1 of 4 files")
        with writing(engine) as session:
            job = session.merge(job)
            job.progress = {"done": 3, "total": 4, "unit": "files"}
            jobs.say(session, job, "progress", {})
        expect(page.locator("#running")).to_contain_text("3 of 4 files")
        with writing(engine) as session:
            job = session.merge(job)
            job.status, job.failure, job.finished_at = Status.FAILED, "The disk is full.", utcnow()
            jobs.say(session, job, "done", {})
        expect(page.locator("#needs-you")).to_contain_text("The disk is full.")
        expect(page.locator("#running")).to_have_count(0)
