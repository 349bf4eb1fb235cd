"""What is in sight before anybody scrolls: few words, and every warning; and what verdict and review take on paper.

The limits are what was measured, rounded up to the next ten: a page may get shorter, and longer only where somebody
changes its limit. 150 is the aim; what is over it says why. `tests/bench/bench_pages.py` prints the numbers.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app.db import engine_for
from app.jobs import engine as job_engine
from app.main import create_app
from tests.support import gallery
from tests.support.browser import PATIENCE, Visits, serving, sheets, visits
from tests.support.factories import Make
from tests.support.fold import FOLD, seen
from tests.support.gallery import Gallery, Shown
from tests.support.installed import copied, laid_out
from tests.support.ready import ready

pytestmark = [pytest.mark.browser, pytest.mark.deep]

AIM = 150  # words in the first 800 px at 1,280: menu, steps and the page itself
LONGER = {
    "overview, example": 170,  # a line of evidence for each way, and where the example comes from
    "data, data": 180,  # the act of freezing with its question stands above the report
    "data, example": 180,
    "baselines, frozen": 170,  # a form with what it would ask
    "baselines, ready": 190,  # a table of numbers
    "baselines, example": 200,
    "verdict, frozen": 200,  # every criterion that is open
    "verdict, ready": 180,  # the warning, and what speaks for it
    "verdict, regressed": 170,
    "verdict, example": 170,
    "review": 200,  # what to check, beside the decision
    "policy": 160,  # six rules in the words of the policy's file
    "audit": 240,  # a list of sentences, a line each
    "describe": 180,  # every answer
    "goal": 250,  # twelve goals to choose from, beside the advice
}


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


def pages(made: Gallery) -> Iterator[Shown]:
    yield from gallery.eight(made)
    yield Shown("describe", f"/assessments/{made.ids['ready']}/describe", made.author)
    yield Shown("goal", f"/assessments/{made.ids['draft']}/describe/goal", made.author)


def test_a_page_begins_with_few_words(hung: tuple[Gallery, Visits]) -> None:
    made, visit = hung
    wordy = {}
    for shown in pages(made):
        with visit(shown.who) as page:
            page.set_viewport_size({"width": 1280, "height": FOLD})
            page.goto(shown.path)
            found = seen(page)
        if found.words > LONGER.get(shown.name, AIM):
            wordy[shown.name] = found.words

    assert wordy == {}


@pytest.mark.parametrize("step", ["verdict", "plan", "run", "review"])
def test_a_warning_is_in_sight(hung: tuple[Gallery, Visits], step: str) -> None:
    made, visit = hung
    with visit(made.author) as page:
        page.set_viewport_size({"width": 1280, "height": FOLD})
        page.goto(f"/assessments/{made.ids['ready']}/{step}")
        warnings = page.locator("#warnings li")
        expect(warnings.first).to_be_visible(timeout=PATIENCE)

        assert all(box and box["y"] + box["height"] < FOLD for box in (one.bounding_box() for one in warnings.all()))


@pytest.mark.parametrize("state", ["frozen", "ready", "regressed", "example"])
def test_a_verdict_prints_on_two_pages(hung: tuple[Gallery, Visits], state: str) -> None:
    made, visit = hung
    with visit(made.author) as page:
        page.goto(f"/assessments/{made.ids[state]}/verdict")
        assert sheets(page) <= 2


@pytest.mark.parametrize("state", ["in review", "changes requested", "approved"])
def test_a_review_prints_on_two_pages(hung: tuple[Gallery, Visits], state: str) -> None:
    made, visit = hung
    with visit(made.reviewer) as page:
        page.goto(f"/reviews/{made.reviews[state]}")
        assert sheets(page) <= 2
