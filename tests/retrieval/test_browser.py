"""Retrieval in real Chromium: from documents to a question tried by hand; axe, small screens, dark, no script."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from app.blobs import Blobs
from app.jobs import engine as job_engine
from app.retrieval import job
from app.settings import Settings
from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.factories import Make
from tests.support.indexed import Indexing

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser

MANUAL = b"# Shop manual\n\n## Hours\n\nThe shop opens at nine.\n\n## Refunds\n\nA refund takes fourteen days.\n"


@pytest.mark.deep  # the embedding model starts twice
@pytest.mark.parametrize("script", [True, False])
def test_from_documents_to_an_answer(
    visit: Visits, engine: Engine, settings: Settings, queue: job_engine.Client, blobs: Blobs, make: Make, script: bool
) -> None:
    me = make.author()
    assessment = make.assessment(me)
    indexing = Indexing(engine, settings, queue, blobs, assessment, me)
    indexing.add(("manual.md", MANUAL))

    with visit(me, script=script) as page:
        page.goto(f"/assessments/{assessment.id}/documents")
        page.get_by_role("link", name="Open retrieval").click()
        page.get_by_role("button", name="Preview passages").click()
        expect(page.get_by_role("region", name="Passage 2")).to_contain_text("A refund takes fourteen days.")
        if script:
            good(page)
        page.get_by_role("button", name="Build index").click()
        expect(page.get_by_role("heading", name="The index waits to be built")).to_be_visible()
        with indexing.engine.connect() as connection:
            row_id = connection.exec_driver_sql("select max(id) from retrieval_indexes").scalar_one()
        page.goto("/health/live")  # a page that follows by itself would leave in the middle of our going
        indexing.do(indexing.claim("index", row_id), job.build)
        page.goto(f"/assessments/{assessment.id}/retrieval")
        expect(page.get_by_text("2 passages of 1 document can be searched.")).to_be_visible()
        page.get_by_role("searchbox", name="Question").fill("When do I get refunds?")
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("heading", name="Lexical search")).to_be_visible()
        expect(page.locator(".hits mark").filter(has_text="refund").first).to_be_visible()
        if script:
            good(page)
        page.locator("#index").get_by_role("link", name="2").click()
        expect(page.get_by_role("heading", name="Passages 2")).to_be_visible()
        if script:
            good(page)
