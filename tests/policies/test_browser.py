"""The policy in real Chromium: it reads well everywhere, and publishing needs no JavaScript."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from app.db import writing
from app.policies import service
from app.users.tables import UserRow
from tests.support.browser import (
    NARROW,
    WIDE,
    Visits,
    address,
    app,
    engine,
    fits,
    good,
    make,
    settings,
    untouched,
    visit,
)
from tests.support.factories import Make

__all__ = ["address", "app", "engine", "make", "settings", "untouched", "visit"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def ada(make: Make, engine: Engine) -> UserRow:
    """An administrator who has changed the policy once."""
    ada = make.admin("Ada")
    with writing(engine) as session:
        service.publish(session, {"thresholds": {"usable_examples": 2000}}, "Two pilots", 0, ada)
    return ada


def test_the_policy_reads_well(visit: Visits, ada: UserRow) -> None:
    with visit(ada) as page:
        page.goto("/policy")
        good(page)


@pytest.mark.deep
def test_a_verdict_by_an_older_policy_reads_well(visit: Visits, make: Make, ada: UserRow) -> None:
    row = make.ready()
    with visit(ada) as page:
        page.goto(f"/assessments/{row.id}/verdict")
        good(page)


def test_the_page_to_change_numbers_reads_well(visit: Visits, ada: UserRow) -> None:
    with visit(ada) as page:
        page.goto("/policy/edit")
        good(page, dark=True)


def test_faults_and_the_difference_read_well(visit: Visits, ada: UserRow) -> None:
    with visit(ada) as page:
        page.goto("/policy/edit")
        page.get_by_label("Test rows", exact=True).fill("many")
        page.get_by_role("button", name="Show difference").click()
        expect(page.get_by_role("link", name="Test rows has to be a number.")).to_be_visible()
        for size in (NARROW, WIDE):
            page.set_viewport_size(size)
            fits(page)
        page.get_by_label("Test rows", exact=True).fill("300")
        page.get_by_role("button", name="Show difference").click()
        expect(page.get_by_role("heading", name="Publish policy 3.2")).to_be_visible()
        good(page)


@pytest.mark.deep
def test_publishing_and_moving_an_assessment_without_javascript(untouched: tuple[Make, Visits]) -> None:
    make, visit = untouched
    ada, row = make.admin("Ada"), make.ready()

    with visit(ada, script=False) as page:
        page.goto("/")
        page.get_by_role("link", name="Policy", exact=True).click()
        page.get_by_role("link", name="Change numbers").click()
        page.get_by_label("Usable examples, test rows not counted").fill("2,000")
        page.locator("summary").filter(has_text="The goal").click()
        page.get_by_label("Match our tone and style: points for training").select_option("+3")
        page.get_by_role("button", name="Show difference").click()
        expect(page.locator("#effects")).to_contain_text("Other advice for 1")
        page.get_by_role("button", name="Back to the numbers").click()
        page.get_by_label("Test rows", exact=True).fill("150")
        page.get_by_role("button", name="Show difference").click()
        page.get_by_label("Reason").fill("Two pilots learnt 1,200 rows by heart.")
        page.get_by_role("button", name="Publish policy 3.1").click()
        expect(page.get_by_role("heading", name="Policy 3.1", level=1)).to_be_visible()
        expect(page.locator("main > section").first).to_contain_text("1,000 rows")

        page.goto(f"/assessments/{row.id}/verdict")
        page.get_by_role("button", name="Use the current policy").click()
        expect(page.get_by_text("is evaluated by today's policy from now on")).to_be_visible()
        expect(page.locator("#today")).to_have_count(0)
