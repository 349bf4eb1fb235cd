"""How sure an arm was: the threshold from dev rows, confirmed on test rows, on the page and over the API."""

import random

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from app.baselines import answer_store, standing, store, sureness
from app.baselines.tables import ArmRow
from app.db import reading, writing
from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.factories import Make

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser


@pytest.fixture
def sure_of_itself(make: Make, engine: Engine) -> ArmRow:
    """The best variant of a finished measurement, with a probability for each answer: right ones have more."""
    author = make.author()
    assessment = make.ready(author)
    with writing(engine) as session:
        baseline = store.current(session, assessment.id)
        assert baseline is not None
        leading = standing.leading(baseline)
        assert leading is not None
        draw = random.Random(4)
        for split in ("dev", "test"):
            for answer in answer_store.answers(session, leading.id, split):
                top = draw.uniform(0.5, 1.0) if answer.score else draw.uniform(0.3, 0.7)
                answer.details = {"chances": {answer.output: round(top, 4), "another": round(1 - top, 4)}}
        baseline.target = 0.9
    return leading


def test_the_threshold_is_chosen_on_dev_and_confirmed_on_test(
    sure_of_itself: ArmRow, engine: Engine, visit: Visits, make: Make
) -> None:
    with reading(engine) as session:
        arm = store.arm(session, sure_of_itself.id)
        on_dev, on_test = sureness.of(session, arm, "dev"), sureness.of(session, arm, "test")
        reader, page_url = make.author(), f"/baselines/{arm.baseline_id}/arms/{arm.id}?split=dev"
        other = next(one for one in arm.baseline.arms if one.id != arm.id)
        other_url = f"/baselines/{arm.baseline_id}/arms/{other.id}?split=dev"
        answer = answer_store.answers(session, arm.id, "dev")[0]

    assert on_dev is not None
    assert on_test is not None
    assert on_dev.chosen is not None
    assert on_dev.chosen == on_test.chosen, "nothing is chosen on test rows"
    assert on_dev.confirmed == on_test.confirmed
    assert on_dev.chosen.right is not None
    assert on_dev.chosen.right >= 0.9
    assert 0.3 < on_dev.chosen.share < 1
    with visit(reader) as page:
        page.goto(page_url)
        section = page.locator(".sureness")
        expect(section).to_contain_text("Chosen on dev")
        expect(section).to_contain_text("On the test rows")
        for summary in section.locator("summary").all():
            summary.click()
        expect(section).to_contain_text("10 bins of equal width")
        good(page)
        page.goto(f"/answers/{answer.id}")
        expect(page.get_by_role("heading", name="Probability of each label")).to_be_visible()
        good(page)
        page.goto(other_url)
        expect(page.locator(".sureness")).to_have_count(0)
