"""One truth on every page, in real Chromium: after a regression nothing is green, and two models are named as two."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, select, update

from app.assessments.tables import AssessmentRow
from app.baselines.tables import BaselineRow
from app.db import writing
from app.gate import reviews
from app.inference.tables import ModelRow
from app.recipes.tables import RecipeRow
from app.sharing import service as sharing
from app.users.tables import UserRow
from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.factories import Make
from tests.support.trained import trained

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser

REGRESSED = (1.0,) * 2 + (0.0,) * 218  # of 220 rows, of which the best prompt has 150 right
WORDS = "Trained: regressed"
GREEN = ".tag.pass, .card.answer.ready, .card.answer.good, .card.pass, .note.good"


@pytest.fixture
def regressed(make: Make) -> AssessmentRow:
    """Approved, launched, trained and judged: the adapter lost nearly everything."""
    return trained(make, REGRESSED)


def status(page: Page) -> Page:
    """What the head and the first card of a page of the assessment say."""
    expect(page.locator(".pill")).to_have_text(WORDS)
    expect(page.locator(".pill")).to_have_class("tag pill fail")
    return page


def test_after_a_regression_every_page_says_so_and_none_is_green(
    visit: Visits, regressed: AssessmentRow, make: Make, engine: Engine
) -> None:
    author = make.creator(regressed)
    base = f"/assessments/{regressed.id}"
    with writing(engine) as session:
        me = session.get_one(UserRow, author.id)
        _, secret = sharing.share(session, regressed.id, me, label="Board", days=1, most_days=30)

    with visit(author) as page:
        page.goto("/")
        row = page.get_by_role("row", name=regressed.title)
        expect(row.get_by_text(WORDS)).to_have_class("tag fail")
        expect(row.locator(".tag.pass")).to_have_count(0)

        page.goto(base)
        status(page)
        first = page.locator(".content > .card").first
        expect(first).to_contain_text("The adapter scores 0.9 %, the best prompt 68.2 %.")
        expect(page.get_by_text("Ask for review")).to_have_count(0)
        assert page.locator(GREEN).count() == 0
        good(page)

        page.goto(f"{base}/verdict")
        status(page)
        expect(page.get_by_role("link", name="Request review")).to_have_count(0)
        assert page.locator(".card.answer.ready, .card.answer.good").count() == 0

        page.goto(f"{base}/result")
        status(page)

        answer = page.request.get(f"/api/v1{base}").json()
        assert (answer["standing"]["state"], answer["standing"]["tone"]) == ("regressed", "fail")

    with visit() as page:
        page.goto(f"/shared/{secret}")
        expect(page.get_by_text(WORDS).first).to_be_visible()
        assert page.locator(".card.answer.ready, .card.answer.good").count() == 0


def test_measured_on_one_model_and_trained_on_another_is_said_before_anything_starts(
    visit: Visits, make: Make, engine: Engine
) -> None:
    row = make.ready(make.author())
    other = make.model(name="Small base", files={"config.json": "1" * 64})
    with writing(engine) as session:
        session.execute(update(RecipeRow).where(RecipeRow.assessment_id == row.id).values(model_id=other.id))
        measured_on = session.scalars(
            select(ModelRow.name).join(BaselineRow).where(BaselineRow.assessment_id == row.id)
        ).one()
        review = reviews.request_review(session, row.id, session.get_one(UserRow, row.created_by))
    base = f"/assessments/{row.id}"

    with visit(make.creator(row)) as page:
        for place in (f"{base}/verdict", f"{base}/plan", f"/reviews/{review.id}", f"{base}/run"):
            page.goto(place)
            warning = page.get_by_text(re.compile(f"Baselines ran on {measured_on}.*Small base.*comparable"))
            expect(warning.first).to_be_visible()

        expect(page.get_by_role("link", name="Prompting tried first")).to_be_visible()
        expect(page.get_by_role("button", name="Start training")).to_have_count(0)

        page.goto(base)
        expect(page.locator(".pill")).not_to_have_class("tag pill pass")
