"""The page of served models in real Chromium: a name is switched on, its command is shown, downloads stand beside."""

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.factories import Make

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = [pytest.mark.browser, pytest.mark.deep]


def test_an_administrator_switches_a_prompt_on_and_sees_how_to_ask_it(visit: Visits, make: Make) -> None:
    assessment = make.ready(make.author())
    name = f"assessment-{assessment.id}/best-prompt"

    with visit(make.admin()) as page:
        page.goto("/models")
        page.get_by_role("link", name="Serve models of this machine").click()
        expect(page.get_by_text("No name is on, so nothing answers.")).to_be_visible()
        good(page)
        page.get_by_role("button", name=f"Switch on {name}").click()
        expect(page.get_by_text("1 name on")).to_be_visible()
        page.get_by_text("Try it on the command line").click()
        expect(page.locator("#serving-curl")).to_contain_text(f'"model": "{name}"')
        page.get_by_text("What is asked, and the limits").click()
        good(page)
        page.get_by_role("button", name=f"Switch off {name}").click()
        expect(page.get_by_text("No name is on, so nothing answers.")).to_be_visible()
        page.goto(f"/assessments/{assessment.id}/measure")
        page.get_by_text("Download answers").click()
        good(page)
