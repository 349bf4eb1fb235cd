"""The review as the second person meets it, in real Chromium: who had a hand in it, and signs that nobody sees."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from app.baselines.tables import BaselineRow
from app.db import writing
from app.gate import reviews, store
from app.training import service as trainings
from app.users.tables import UserRow
from tests.support.browser import (
    NARROW,
    WIDE,
    Visits,
    address,
    app,
    engine,
    good,
    make,
    settings,
    sheets,
    visit,
)
from tests.support.depth import DEEP
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
        for folded in page.locator("details.card, details.more").all():
            folded.evaluate("one => one.open = true")
        expect(page.locator("#hands")).to_contain_text(f"Ada ({ada.email})")
        expect(page.locator("mark.unseen").first).to_have_text("U+202E")
        good(page, dark=True)
        page.get_by_label("Approve", exact=True).check()
        page.get_by_role("button", name="Submit decision").click()
        expect(page.locator("#comments")).to_contain_text("approved")
        if DEEP:
            good(page)


def asked(make: Make, note: str = "") -> tuple[int, UserRow]:
    """A review that waits; gives its number and who may decide it."""
    ada, rob = make.author(), make.reviewer()
    assessment = make.ready(ada)
    with writing(make.engine) as session:
        made = trainings.plan(session, assessment.id)
        made.row.preflight, made.row.preflight_of = {"blockers": []}, made.digest
        return reviews.request_review(session, assessment.id, ada, note).id, rob


def test_the_decision_stays_in_sight_and_says_what_is_wrong_where_the_eye_is(make: Make, visit: Visits) -> None:
    review, rob = asked(make, "Is the target right? " * 40)

    with visit(rob) as page:
        page.goto(f"/reviews/{review}")
        page.locator("#criteria").scroll_into_view_if_needed()
        page.mouse.wheel(0, 5000)
        expect(page.get_by_role("button", name="Submit decision")).to_be_in_viewport()
        page.get_by_label("Data", exact=True).check()
        page.get_by_label("Request changes", exact=True).check()
        page.get_by_role("button", name="Submit decision").click()

        expect(page.locator(".decision [role=alert]")).to_be_focused()
        expect(page.locator(".decision [role=alert]")).to_contain_text("Say what has to change.")
        expect(page.get_by_label("Request changes", exact=True)).to_be_checked()
        expect(page.get_by_label("Data", exact=True)).to_be_checked()
        page.get_by_role("textbox", name="Comment").fill("More steps, please.")
        page.get_by_role("button", name="Submit decision").click()
        expect(page.locator("#comments")).to_contain_text("More steps, please.")
        expect(page.locator("#comments")).to_contain_text("Checked: Data")


def test_on_a_small_screen_the_decision_is_a_bar_at_the_lower_edge(make: Make, visit: Visits) -> None:
    review, rob = asked(make)

    with visit(rob, own=True) as page:
        page.set_viewport_size(NARROW)
        page.goto(f"/reviews/{review}")
        bar = page.locator("#decide > summary")
        expect(bar).to_be_in_viewport()
        expect(page.get_by_role("button", name="Submit decision")).to_be_hidden()
        box = bar.bounding_box()
        assert box is not None
        assert box["y"] > NARROW["height"] - 120
        bar.click()
        expect(page.get_by_role("button", name="Submit decision")).to_be_in_viewport()
        page.get_by_role("button", name="Submit decision").click()
        expect(page.locator(".decision [role=alert]")).to_be_in_viewport()  # open again, since something is wrong


def test_without_a_script_the_decision_is_open(make: Make, visit: Visits) -> None:
    review, rob = asked(make)

    with visit(rob, script=False) as page:
        page.set_viewport_size(NARROW)
        page.goto(f"/reviews/{review}")
        page.get_by_label("Approve", exact=True).check()
        page.get_by_role("button", name="Submit decision").click()
        expect(page.locator("#comments")).to_contain_text("approved")
        page.set_viewport_size(WIDE)


def test_the_review_prints_on_two_pages(make: Make, visit: Visits) -> None:
    """With a review before it, a conversation and a whole config that is different."""
    first, rob = asked(make, "Is the target right?")
    with writing(make.engine) as session:
        reviews.comment(session, first, rob, "Which seed? " * 20)
        before = store.get(session, first)
        reviews.decide(session, first, rob, "request_changes", before.digest, "More steps, please. " * 20)
        ada = session.get_one(UserRow, before.requested_by)
        model = trainings.trainable(session)[0]
        trainings.save_recipe(session, before.assessment_id, ada, model.id, {"max_steps": "16", "rank": "8"})
        review = reviews.request_review(session, before.assessment_id, ada, "Steps raised to 16.").id

    with visit(rob) as page:
        page.goto(f"/reviews/{review}")

        expect(page.locator("#differences")).to_contain_text("Max steps")
        assert sheets(page) <= 2
