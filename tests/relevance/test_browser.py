"""Gold passages in real Chromium: recall of each way, and marking by keyboard where every press is saved."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from app.blobs import Blobs
from app.jobs import engine as job_engine
from app.settings import Settings
from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.corpus import Corpus, a_corpus
from tests.support.factories import Make

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def queue(settings: Settings) -> Iterator[job_engine.Client]:
    made = job_engine.Client(settings.url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def corpus(make: Make, engine: Engine, settings: Settings, queue: job_engine.Client) -> Corpus:
    made = a_corpus(make, engine, settings, queue, Blobs(settings.blobs_dir), absent=[14, 15, 16])
    made.index()
    return made


def test_marking_by_keyboard_saves_each_press_and_goes_on(corpus: Corpus, visit: Visits) -> None:
    check = corpus.check()
    with visit(corpus.author) as page:
        page.goto(f"/assessments/{corpus.assessment.id}/retrieval/quality")
        expect(page.get_by_role("heading", name="Lexical search finds a gold passage for 100 %")).to_be_visible()
        good(page)
        page.goto(f"/retrieval-checks/{check.id}/mark")
        expect(page.get_by_text("0 of 3")).to_be_visible()
        question = page.locator(".marked-question").inner_text()
        page.keyboard.press("1")
        expect(page.get_by_text("1 of 3")).to_be_visible()
        assert page.locator(".marked-question").inner_text() != question
        page.keyboard.press("0")
        expect(page.get_by_text("2 of 3")).to_be_visible()
        page.reload()  # both were saved
        expect(page.get_by_text("2 of 3")).to_be_visible()
        page.get_by_role("link", name="Previous").click()
        expect(page.get_by_text("Marked by")).to_be_visible()
        good(page)
