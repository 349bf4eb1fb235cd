"""The questionnaire in real Chromium: autosave, two tabs, a small screen, the keyboard, and no JavaScript."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.db import reading
from app.users.tables import UserRow
from tests.support.browser import axe, fits, quiet_page, serving
from tests.support.factories import PASSWORD, Make

pytestmark = pytest.mark.browser

VIEWS = [
    pytest.param({"color_scheme": "light"}, id="light"),
    pytest.param({"color_scheme": "dark"}, id="dark"),
    pytest.param({"viewport": {"width": 390, "height": 800}}, id="narrow"),
]


@pytest.fixture
def address(web: TestClient) -> Iterator[str]:
    app: Any = web.app
    with serving(app) as started:
        yield started


@pytest.fixture
def me(make: Make) -> UserRow:
    return make.author("Dana")


def sign_in(page: Page, user: UserRow) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("Assessments · Tunegate")


def answers(engine: Engine, row: AssessmentRow) -> dict[str, Any]:
    with reading(engine) as session:
        found = session.get(AssessmentRow, row.id)
        assert found is not None
        return found.answers


@pytest.mark.parametrize("view", VIEWS)
def test_every_page_reads_well(chromium: Browser, make: Make, me: UserRow, address: str, view: dict[str, Any]) -> None:
    """Every page fits and axe finds nothing; where only colours or widths differ, axe looks at two pages."""
    with quiet_page(chromium, address, **view) as page:
        sign_in(page, me)
        fits(page)
        axe(page)
        make.ready(team="Docs")
        row = make.assessment(title="A title that goes on and on " * 6, answers={"target": "most"})
        describe = f"/assessments/{row.id}/describe"
        for path in ("/", "/assessments/new", describe, *(f"{describe}/{slug}" for slug in ("goal", "use", "success"))):
            page.goto(path)
            fits(page)
            if view == {"color_scheme": "light"} or path in ("/", f"{describe}/success"):
                axe(page)


def test_answers_are_saved_while_they_are_given(
    chromium: Browser, make: Make, me: UserRow, engine: Engine, address: str
) -> None:
    row = make.assessment(me)
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/assessments/{row.id}/describe/use")
        expect(page.locator("#advice")).to_contain_text("Not yet")

        page.get_by_label("Once, then it is done").check()

        expect(page.locator("#saved")).to_have_text("Draft saved")
        expect(page.locator("#advice")).not_to_contain_text("Not yet")
        assert answers(engine, row)["recurrence"] == "once"

        calls = page.get_by_label("About how many calls a month?")
        calls.fill("")
        calls.press_sequentially("2 million", delay=20)
        expect(page.locator("#calls_per_month-error")).to_have_text("Write a whole number, for example 1500 or 300k.")
        expect(calls).to_be_focused()
        expect(calls).to_have_value("2 million")
        calls.fill("2M")
        expect(page.locator("#calls_per_month-error")).to_be_hidden()
        assert answers(engine, row)["calls_per_month"] == 2_000_000

        page.get_by_role("button", name="Save and go on").click()
        expect(page).to_have_url(f"{address}/assessments/{row.id}/describe/success")


def test_not_knowing_and_a_number_push_each_other_out(
    chromium: Browser, make: Make, me: UserRow, engine: Engine, address: str
) -> None:
    row = make.assessment(me)
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/assessments/{row.id}/describe/use")
        calls = page.get_by_label("About how many calls a month?")
        not_knowing = page.locator("#calls_per_month-options").get_by_label("I don't know")

        not_knowing.check()
        expect(calls).to_have_value("")
        assert answers(engine, row)["calls_per_month"] == "unknown"
        calls.fill("700")
        expect(not_knowing).not_to_be_checked()
        assert answers(engine, row)["calls_per_month"] == 700


def test_save_pressed_while_an_autosave_is_on_its_way_is_no_conflict(
    chromium: Browser, make: Make, me: UserRow, engine: Engine, address: str
) -> None:
    row = make.assessment(me)
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/assessments/{row.id}/describe/use")
        page.route("**/describe/use", lambda route: route.continue_())
        page.get_by_label("For some months").check()
        page.wait_for_timeout(620)  # the autosave has just been sent
        page.get_by_role("button", name="Save and go on").click()

        expect(page).to_have_url(f"{address}/assessments/{row.id}/describe/success")
        assert answers(engine, row)["recurrence"] == "months"


def test_two_people_are_told(chromium: Browser, make: Make, me: UserRow, engine: Engine, address: str) -> None:
    row, other = make.assessment(me), make.author("Rob")
    with quiet_page(chromium, address) as mine, quiet_page(chromium, address) as theirs:
        for page, user in ((mine, me), (theirs, other)):
            sign_in(page, user)
            page.goto(f"/assessments/{row.id}/describe/use")
        theirs.get_by_label("For some months").check()
        expect(theirs.locator("#saved")).to_have_text("Draft saved")

        mine.get_by_label("Once, then it is done").check()
        expect(mine.locator("#saved")).to_contain_text("Not saved")
        assert answers(engine, row)["recurrence"] == "months"

        mine.get_by_role("button", name="Save", exact=True).click()
        expect(mine.get_by_role("alert")).to_contain_text("Somebody else saved this section")
        expect(mine.get_by_role("alert")).to_be_focused()
        axe(mine)
        expect(mine.get_by_label("Once, then it is done")).to_be_checked()
        mine.get_by_role("button", name="Save", exact=True).click()
        expect(mine.get_by_role("alert")).to_have_count(0)
        assert answers(engine, row)["recurrence"] == "once"


def test_the_whole_questionnaire_without_javascript(
    chromium: Browser, make: Make, me: UserRow, engine: Engine, address: str
) -> None:
    with quiet_page(chromium, address, java_script_enabled=False) as page:
        sign_in(page, me)
        page.get_by_role("link", name="Begin an assessment").click()
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_role("alert")).to_contain_text("Give it a name")
        page.get_by_label("What should the model do?").fill("Comments in our house style")
        page.get_by_role("button", name="Begin").click()

        page.get_by_label("Sound like us").first.check()
        for name in ("goals", "knowledge", "examples", "use"):
            if name != "goals":
                for box in page.locator("input[value=unknown]").all():
                    box.check()
            page.get_by_role("button", name="Save and go on").click()
        page.get_by_label("The answer is exactly the ideal one").check()
        page.get_by_label("Which result is good enough?").fill("ninety")
        page.get_by_role("button", name="Save and go on").click()
        expect(page.get_by_role("alert")).to_contain_text("Write a percentage from 0 to 100")
        expect(page.get_by_label("Which result is good enough?")).to_have_value("ninety")
        page.get_by_label("Which result is good enough?").fill("90")
        page.get_by_role("button", name="Save and go on").click()
        page.get_by_label("Nobody yet").check()
        page.get_by_role("button", name="Save and finish").click()

        expect(page.locator("main")).to_contain_text("without an answer")
        row = make.assessment(me)
        row.id -= 1
        assert answers(engine, row)["target"] == 0.9
        assert answers(engine, row)["owner"] is None


def test_the_keyboard_fills_in_a_section(
    chromium: Browser, make: Make, me: UserRow, engine: Engine, address: str
) -> None:
    row = make.assessment(me, answers={"recurrence": "ongoing"})
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/assessments/{row.id}/describe/use")
        page.get_by_label("It keeps running").focus()
        page.keyboard.press("ArrowUp")
        expect(page.get_by_label("For some months")).to_be_checked()
        expect(page.locator("#saved")).to_have_text("Draft saved")
        expect(page.get_by_label("For some months")).to_be_focused()
        background = page.locator("#calls_per_month-help .tip")
        background.focus()
        expect(background.locator(".tip-text")).to_be_visible()


def test_a_session_that_ended_is_said(chromium: Browser, make: Make, me: UserRow, address: str) -> None:
    row = make.assessment(me)
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/assessments/{row.id}/describe/use")
        page.context.clear_cookies()
        page.get_by_label("For some months").check()

        expect(page.get_by_text("sign in", exact=False).first).to_be_visible()
