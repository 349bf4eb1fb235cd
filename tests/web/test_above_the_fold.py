"""What is in sight before anybody scrolls: few words, and every warning. The bench of pages prints the numbers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app.db import engine_for
from app.jobs import engine as job_engine
from app.main import create_app
from tests.support import gallery
from tests.support.browser import PATIENCE, Visits, serving, visits
from tests.support.factories import Make
from tests.support.fold import FOLD, seen
from tests.support.gallery import Gallery
from tests.support.installed import copied, laid_out
from tests.support.ready import ready

pytestmark = [pytest.mark.browser, pytest.mark.deep]

MOST = 150  # words in the first 800 px at 1,280: menu, steps and the page itself


@pytest.fixture(scope="module")
def hung(
    tmp_path_factory: pytest.TempPathFactory, template: Path, chromium: Browser
) -> Iterator[tuple[Gallery, Visits]]:
    """An installation with an assessment in each state, and its visitors."""
    folder = tmp_path_factory.mktemp("gallery")
    settings = copied(laid_out(folder, template, lambda _make: None), folder / "served")
    engine, queue = engine_for(settings), job_engine.Client(settings.url)
    made = gallery.fill(Make(engine, settings), queue)
    with serving(ready(create_app, settings)) as address, visits(chromium, address, engine) as come:
        yield made, come
    queue.close()
    engine.dispose()


def test_a_page_begins_with_few_words(hung: tuple[Gallery, Visits]) -> None:
    made, visit = hung
    wordy = {}
    for shown in gallery.eight(made):
        with visit(shown.who) as page:
            page.goto(shown.path)
            found = seen(page)
        if found.words > MOST:
            wordy[shown.name] = found.words

    assert wordy == {}


@pytest.mark.parametrize("step", ["verdict", "plan", "run", "review"])
def test_a_warning_is_in_sight(hung: tuple[Gallery, Visits], step: str) -> None:
    made, visit = hung
    with visit(made.author) as page:
        page.goto(f"/assessments/{made.ids['ready']}/{step}")
        warnings = page.locator("#warnings li")
        expect(warnings.first).to_be_visible(timeout=PATIENCE)

        assert all(box and box["y"] + box["height"] < FOLD for box in (one.bounding_box() for one in warnings.all()))
