"""The review as the second person meets it, in real Chromium: who had a hand in it, and signs that nobody sees."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from app.baselines.tables import BaselineRow
from app.db import writing
from app.gate import reviews
from app.training import service as trainings
from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.factories import Make

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser


def test_a_review_reads_well_before_and_after_the_decision(make: Make, visit: Visits) -> None:
    ada, rob = make.author("Ada"), make.reviewer("Rob")
    assessment = make.ready(ada)
    with writing(make.engine) as session:
        session.scalars(select(BaselineRow)).one().instructions = "Write the \u202ecomment\u200b."
        made = trainings.plan(session, assessment.id)
        made.row.preflight, made.row.preflight_of = {"blockers": []}, made.digest
        review = reviews.request_review(session, assessment.id, ada, "The target, please.")

    with visit(rob) as page:
        page.goto(f"/reviews/{review.id}")
        expect(page.locator("#hands")).to_contain_text(f"Ada ({ada.email})")
        expect(page.locator("mark.unseen").first).to_have_text("U+202E")
        good(page)
        page.get_by_role("button", name="Approve", exact=True).click()
        expect(page.locator("#comments")).to_contain_text("approved")
        good(page)
