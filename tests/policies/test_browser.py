"""The policy in real Chromium: it reads well everywhere, and publishing needs no JavaScript."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from app.db import writing
from app.policies import service
from app.users.tables import UserRow
from tests.support.browser import axe, fits, quiet_page, serving
from tests.support.factories import PASSWORD, Make

pytestmark = pytest.mark.browser

VIEWS = [
    pytest.param({"color_scheme": "light"}, ("/policy",), id="light"),
    pytest.param({"color_scheme": "dark"}, ("/policy/edit",), id="dark"),
    pytest.param({"viewport": {"width": 390, "height": 800}}, ("/verdict",), id="narrow"),
]


@pytest.fixture
def address(web: TestClient) -> Iterator[str]:
    app: Any = web.app
    with serving(app) as started:
        yield started


def sign_in(page: Page, user: UserRow) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("Assessments · Tunegate")


@pytest.mark.parametrize(("view", "looked_at"), VIEWS)
def test_every_page_of_the_policy_reads_well(
    chromium: Browser, make: Make, engine: Engine, address: str, view: dict[str, Any], looked_at: tuple[str, ...]
) -> None:
    """Every page fits. Axe takes ten seconds for the long ones, so each view has its own to look at."""
    ada, row = make.admin("Ada"), make.ready()
    with writing(engine) as session:
        service.publish(session, {"thresholds": {"usable_examples": 2000}}, "Two pilots", 0, ada)

    with quiet_page(chromium, address, **view) as page:
        sign_in(page, ada)
        for path in ("/policy", f"/assessments/{row.id}/verdict", "/policy/edit"):
            page.goto(path)
            fits(page)
            if path.endswith(looked_at):
                axe(page)
        page.get_by_label("Test rows", exact=True).fill("many")
        page.get_by_role("button", name="Show the difference").click()
        expect(page.get_by_role("link", name="Test rows has to be a number.")).to_be_visible()
        fits(page)
        page.get_by_label("Test rows", exact=True).fill("300")
        page.get_by_role("button", name="Show the difference").click()
        expect(page.get_by_role("heading", name="Publish policy 2.2")).to_be_visible()
        fits(page)
        axe(page)


def test_publishing_and_moving_an_assessment_without_javascript(chromium: Browser, make: Make, address: str) -> None:
    ada, row = make.admin("Ada"), make.ready()

    with quiet_page(chromium, address, java_script_enabled=False) as page:
        sign_in(page, ada)
        page.get_by_role("link", name="Policy", exact=True).click()
        page.get_by_role("link", name="Change numbers").click()
        page.get_by_label("Usable examples, test rows not counted").fill("2,000")
        page.locator("summary").filter(has_text="The goal").click()
        page.get_by_label("Sound like us: points for training").select_option("+3")
        page.get_by_role("button", name="Show the difference").click()
        expect(page.locator("#effects")).to_contain_text("Other advice for 1")
        page.get_by_role("button", name="Change the numbers again").click()
        page.get_by_label("Test rows", exact=True).fill("150")
        page.get_by_role("button", name="Show the difference").click()
        page.get_by_label("The reason").fill("Two pilots learnt 1,200 rows by heart.")
        page.get_by_role("button", name="Publish policy 2.1").click()
        expect(page.get_by_role("heading", name="Policy 2.1", level=1)).to_be_visible()
        expect(page.locator(".content > section").first).to_contain_text("1,000 rows")

        page.goto(f"/assessments/{row.id}/verdict")
        page.get_by_role("button", name="Judge by today's policy").click()
        expect(page.get_by_text("is judged by today's policy from now on")).to_be_visible()
        expect(page.locator("#today")).to_have_count(0)
