"""The questionnaire in real Chromium: autosave, two tabs, a small screen, the keyboard, and no JavaScript."""

from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.db import reading
from app.users.tables import UserRow
from tests.support.browser import (
    NARROW,
    WIDE,
    Visits,
    address,
    app,
    axe,
    engine,
    good,
    make,
    settings,
    untouched,
    visit,
)
from tests.support.depth import sampled
from tests.support.factories import Make

__all__ = ["address", "app", "engine", "make", "settings", "untouched", "visit"]

pytestmark = pytest.mark.browser


@pytest.fixture
def me(make: Make) -> UserRow:
    return make.author()


def answers(engine: Engine, row: AssessmentRow) -> dict[str, Any]:
    with reading(engine) as session:
        found = session.get(AssessmentRow, row.id)
        assert found is not None
        return found.answers


def test_every_page_reads_well(visit: Visits, make: Make, me: UserRow) -> None:
    make.ready(team="Docs")
    row = make.assessment(title="A title that goes on and on " * 6, answers={"target": "most"})
    with visit(me) as page:
        for path in ("/", "/assessments/new", f"/assessments/{row.id}/describe"):
            page.goto(path)
            good(page)


def test_before_anything_is_there_the_list_reads_well(untouched: tuple[Make, Visits]) -> None:
    make, visit = untouched
    with visit(make.author()) as page:
        page.goto("/")
        expect(page.get_by_role("link", name="New assessment")).to_be_visible()
        good(page)


@pytest.mark.parametrize("section", sampled(["use", "goal", "success"], every=3))
def test_every_section_reads_well(visit: Visits, make: Make, me: UserRow, section: str) -> None:
    row = make.assessment(title="A title that goes on and on " * 6, answers={"target": "most"})
    with visit(me) as page:
        page.goto(f"/assessments/{row.id}/describe/{section}")
        good(page)


def test_answers_are_saved_while_they_are_given(visit: Visits, make: Make, me: UserRow, engine: Engine) -> None:
    row = make.assessment(me)
    with visit(me) as page:
        page.goto(f"/assessments/{row.id}/describe/use")
        expect(page.locator("#advice")).to_contain_text("Not yet")

        page.get_by_label("Once, then it is done").check()

        expect(page.locator("#saved")).to_have_text("Draft saved")
        expect(page.locator("#advice")).not_to_contain_text("Not yet")
        assert answers(engine, row)["recurrence"] == "once"

        calls = page.get_by_label("Calls per month")
        calls.fill("")
        calls.press_sequentially("2 million", delay=20)
        expect(page.locator("#calls_per_month-error")).to_have_text("Write a whole number, for example 1500 or 300k.")
        expect(calls).to_be_focused()
        expect(calls).to_have_value("2 million")
        calls.fill("2M")
        expect(page.locator("#calls_per_month-error")).to_be_hidden()
        assert answers(engine, row)["calls_per_month"] == 2_000_000

        page.get_by_role("button", name="Continue").click()
        expect(page).to_have_url(f"{visit.address}/assessments/{row.id}/describe/upkeep")


@pytest.mark.deep
def test_not_knowing_and_a_number_push_each_other_out(visit: Visits, make: Make, me: UserRow, engine: Engine) -> None:
    row = make.assessment(me)
    with visit(me) as page:
        page.goto(f"/assessments/{row.id}/describe/use")
        calls = page.get_by_label("Calls per month")
        not_knowing = page.locator("#calls_per_month-options").get_by_label("I don't know")

        not_knowing.check()
        expect(calls).to_have_value("")
        assert answers(engine, row)["calls_per_month"] == "unknown"
        calls.fill("700")
        expect(not_knowing).not_to_be_checked()
        assert answers(engine, row)["calls_per_month"] == 700


def test_save_pressed_while_an_autosave_is_on_its_way_is_no_conflict(
    visit: Visits, make: Make, me: UserRow, engine: Engine
) -> None:
    row = make.assessment(me)
    with visit(me) as page:
        page.goto(f"/assessments/{row.id}/describe/use")
        with page.expect_request("**/describe/use"):
            page.get_by_label("For some months").check()
        page.get_by_role("button", name="Continue").click()

        expect(page).to_have_url(f"{visit.address}/assessments/{row.id}/describe/upkeep")
        assert answers(engine, row)["recurrence"] == "months"


@pytest.mark.deep
def test_two_people_are_told(visit: Visits, make: Make, me: UserRow, engine: Engine) -> None:
    row, other = make.assessment(me), make.author("Rob")
    with visit(me) as mine, visit(other) as theirs:
        for page in (mine, theirs):
            page.goto(f"/assessments/{row.id}/describe/use")
        theirs.get_by_label("For some months").check()
        expect(theirs.locator("#saved")).to_have_text("Draft saved")

        mine.get_by_label("Once, then it is done").check()
        expect(mine.locator("#saved")).to_contain_text("Not saved")
        assert answers(engine, row)["recurrence"] == "months"

        mine.get_by_role("button", name="Continue", exact=True).click()
        expect(mine.get_by_role("alert")).to_contain_text("Somebody else saved this section")
        expect(mine.get_by_role("alert")).to_be_focused()
        axe(mine)
        expect(mine.get_by_label("Once, then it is done")).to_be_checked()
        mine.get_by_role("button", name="Continue", exact=True).click()
        expect(mine).to_have_url(f"{visit.address}/assessments/{row.id}/describe/upkeep")
        assert answers(engine, row)["recurrence"] == "once"


@pytest.mark.deep
def test_the_whole_questionnaire_without_javascript(visit: Visits, me: UserRow, engine: Engine) -> None:
    with visit(me, script=False) as page:
        page.goto("/")
        page.get_by_role("link", name="New assessment").click()
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_role("alert")).to_contain_text("Give it a name")
        page.get_by_label("Name", exact=True).fill("Comments in our house style")
        page.get_by_role("button", name="Create").click()

        page.get_by_label("Match our tone and style").first.check()
        page.get_by_role("button", name="Continue").click()
        page.get_by_label("The output is exactly the expected answer").check()
        page.get_by_label("Target score").fill("ninety")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("alert")).to_contain_text("Write a percentage from 0 to 100")
        expect(page.get_by_label("Target score")).to_have_value("ninety")
        page.get_by_label("Target score").fill("90")
        page.get_by_role("button", name="Continue").click()
        for _name in ("knowledge", "examples", "use"):
            page.locator("input[value=unknown]").evaluate_all("all => all.forEach((one) => { one.checked = true })")
            page.get_by_role("button", name="Continue").click()
        page.get_by_label("Nobody yet").check()
        page.get_by_role("button", name="Continue").click()

        expect(page.locator("main")).to_contain_text("not answered")
        expect(page.get_by_role("link", name="Continue")).to_be_visible()
        with reading(engine) as session:
            row = session.scalars(select(AssessmentRow).where(AssessmentRow.created_by == me.id)).one()
        assert row.answers["target"] == 0.9
        assert row.answers["owner"] is None


def test_the_keyboard_fills_in_a_section(visit: Visits, make: Make, me: UserRow, engine: Engine) -> None:
    row = make.assessment(me, answers={"recurrence": "ongoing"})
    with visit(me) as page:
        page.goto(f"/assessments/{row.id}/describe/use")
        page.get_by_label("It keeps running").focus()
        page.keyboard.press("ArrowUp")
        expect(page.get_by_label("For some months")).to_be_checked()
        expect(page.locator("#saved")).to_have_text("Draft saved")
        expect(page.get_by_label("For some months")).to_be_focused()
        background = page.locator("#calls_per_month-help .tip")
        background.focus()
        expect(background.locator(".tip-text")).to_be_visible()


def test_a_session_that_ended_is_said(visit: Visits, make: Make, me: UserRow) -> None:
    row = make.assessment(me)
    with visit(me) as page:
        page.goto(f"/assessments/{row.id}/describe/use")
        page.context.clear_cookies()
        page.get_by_label("For some months").check()

        expect(page.get_by_text("sign in", exact=False).first).to_be_visible()


def test_on_a_small_screen_steps_and_advice_are_one_line_each(visit: Visits, make: Make, me: UserRow) -> None:
    row = make.assessment(me)
    with visit(me) as page:
        page.set_viewport_size(NARROW)
        page.goto(f"/assessments/{row.id}/describe/goal")
        line, steps = page.locator(".steps-narrow > summary"), page.locator(".steps-narrow ol")
        expect(line).to_contain_text("Step 1 of 7: Use case")
        expect(steps).to_be_hidden()
        line.press("Enter")
        expect(steps.get_by_role("link", name="2. Data")).to_be_visible()
        expect(steps).to_contain_text("needs a frozen split")
        expect(steps.get_by_role("link", name="3. Baselines")).to_have_count(0)
        line.press("Enter")

        advice, sheet = page.locator("#advice-line"), page.locator("#advice")
        expect(advice).to_be_in_viewport()
        expect(sheet).to_be_hidden()
        axe(page)
        page.get_by_label("Safer refusals, guardrails").first.check()
        expect(page.locator("#saved")).to_have_text("Draft saved")
        advice.click()
        expect(sheet).to_be_visible()
        page.keyboard.press("Escape")
        expect(sheet).to_be_hidden()
        page.set_viewport_size(WIDE)
        expect(sheet).to_be_visible()
        expect(advice).to_be_hidden()


def test_an_assessment_is_renamed_from_its_menu(visit: Visits, make: Make, me: UserRow) -> None:
    row = make.assessment(me)
    with visit(me) as page:
        page.goto(f"/assessments/{row.id}/data")
        page.locator(".more-menu summary").press("Enter")
        good(page)
        page.get_by_role("link", name="Rename").click()
        page.get_by_label("Name", exact=True).fill("Comments in our house style")
        page.get_by_role("button", name="Save").click()

        expect(page.get_by_role("heading", level=1)).to_have_text("Comments in our house style")
        expect(page.get_by_role("status").first).to_have_text("Saved.")
