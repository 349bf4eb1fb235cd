"""Prices, costs and the target's helper in real Chromium: they fit, axe finds nothing, and no script is needed."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine, select

from app.baselines.tables import ArmRow
from app.db import writing
from app.economics import service
from app.users.tables import UserRow
from tests.support.browser import axe, fits, quiet_page, serving
from tests.support.factories import PASSWORD, Make

pytestmark = pytest.mark.browser

VIEWS = [
    pytest.param({"color_scheme": "dark"}, id="dark"),
    pytest.param({"viewport": {"width": 390, "height": 800}}, id="narrow"),
]
CSV = """name,unit,price,currency,dated,source
Large,input_tokens,3,USD,2020-01-01,https://prices.example.org/a/rather/long/address/that/goes/on/and/on
Large,output_tokens,15,USD,2026-10-01,contract
GPU,machine_hour,1.5,USD,2026-10-01,contract
Engineer,person_hour,60,USD,2026-10-01,payroll
"""
SAID = {"upkeep_hours": "10", "retrains_year": "1", "minutes_row": "3", "review_hours": "4", "calls_per_second": "2"}


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


@pytest.mark.parametrize("view", VIEWS)
def test_every_page_reads_well(
    chromium: Browser, make: Make, engine: Engine, me: UserRow, address: str, view: dict[str, Any]
) -> None:
    row = make.ready(me, answers={"goals": ["efficiency"], "main_goal": "efficiency"})
    with writing(engine) as session:
        for arm in session.scalars(select(ArmRow)):
            arm.dev = (arm.dev or {}) | {"mean_prompt_tokens": 900, "mean_completion_tokens": 90, "low": 0.0}
        service.import_prices(session, CSV.replace("Large", "Model 2").encode(), me)
        service.assume(session, row.id, SAID, me)

    with quiet_page(chromium, address, **view) as page:
        sign_in(page, me)
        for path in (
            "/prices",
            "/prices/1",
            f"/assessments/{row.id}/costs",
            f"/assessments/{row.id}/target?success=20&cost_1=80",
            f"/assessments/{row.id}/target?success=20&share_1=50&cost_1=80",
        ):
            page.goto(path)
            for folded in page.locator("details.numbers > summary").all():
                folded.click()
            fits(page)
            axe(page)


def test_from_the_question_to_a_target_without_a_script(
    chromium: Browser, make: Make, me: UserRow, address: str
) -> None:
    row = make.assessment(me, answers={"target": None})

    with quiet_page(chromium, address, java_script_enabled=False) as page:
        sign_in(page, me)
        page.goto(f"/assessments/{row.id}/describe/success")
        page.get_by_label("It is close to the ideal text, by letters").check()
        page.get_by_role("button", name="Save and work the target out from money").click()
        page.get_by_label("One right answer brings").fill("20")
        for number, share, cost in ((1, "95", "40"), (2, "5", "1,000")):
            page.get_by_label(f"Share of kind {number} in percent").fill(share)
            page.get_by_label(f"Cost of kind {number}").fill(cost)
        page.get_by_role("button", name="Work it out").click()
        expect(page.get_by_label("The target")).to_contain_text("81.5% right answers")
        page.get_by_role("button", name="Use 81.5% as the target").click()

        expect(page.get_by_label("Which result is good enough?")).to_have_value("81.5")
        expect(page.get_by_label("It is close to the ideal text, by letters")).to_be_checked()
