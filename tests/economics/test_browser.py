"""Prices, costs and the target's helper in real Chromium: they fit, axe finds nothing, and no script is needed."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine, select

from app.baselines.tables import ArmRow
from app.db import writing
from app.economics import service
from app.inference.tables import ModelRow
from app.users.tables import UserRow
from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.factories import Make

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser

CSV = """name,unit,price,currency,dated,source
Large,input_tokens,3,USD,2020-01-01,https://prices.example.org/a/rather/long/address/that/goes/on/and/on
Large,output_tokens,15,USD,2026-10-01,contract
GPU,machine_hour,1.5,USD,2026-10-01,contract
Engineer,person_hour,60,USD,2026-10-01,payroll
"""
SAID = {"upkeep_hours": "10", "retrains_year": "1", "minutes_row": "3", "review_hours": "4", "calls_per_second": "2"}


@pytest.fixture
def me(make: Make) -> UserRow:
    return make.author()


@pytest.fixture(scope="module")
def paths(make: Make, engine: Engine) -> dict[str, str]:
    """Where the pages are, of an assessment that has all that a price can be put to."""
    me = make.author()
    row = make.ready(me, answers={"goals": ["efficiency"], "main_goal": "efficiency"})
    with writing(engine) as session:
        for arm in session.scalars(select(ArmRow)):
            assert arm.dev is not None
            arm.dev = replace(arm.dev, mean_prompt_tokens=900, mean_completion_tokens=90, low=0.0)
        model = session.scalars(select(ModelRow.name).order_by(ModelRow.id.desc())).first()
        service.import_prices(session, CSV.replace("Large", str(model)).encode(), me)
        service.assume(session, row.id, SAID, me)
    base = f"/assessments/{row.id}"
    return {
        "prices": "/prices",
        "price": "/prices/1",
        "costs": f"{base}/costs",
        "target": f"{base}/target?success=20&cost_1=80",
        "target of shares": f"{base}/target?success=20&share_1=50&cost_1=80",
    }


@pytest.mark.parametrize(
    "name", ["prices", "price", "costs", "target", pytest.param("target of shares", marks=pytest.mark.deep)]
)
def test_every_page_reads_well(visit: Visits, me: UserRow, paths: dict[str, str], name: str) -> None:
    with visit(me) as page:
        page.goto(paths[name])
        for folded in page.locator("details.numbers > summary").all():
            folded.click()
        good(page)


@pytest.mark.deep
def test_from_the_question_to_a_target_without_a_script(visit: Visits, make: Make, me: UserRow) -> None:
    row = make.assessment(me, answers={"target": None})

    with visit(me, script=False) as page:
        page.goto(f"/assessments/{row.id}/describe/success")
        page.get_by_label("Close to the expected text, by letters").check()
        page.get_by_role("button", name="Calculate from error cost").click()
        page.get_by_label("One right answer brings").fill("20")
        for number, share, cost in ((1, "95", "40"), (2, "5", "1,000")):
            page.get_by_label(f"Share of kind {number} in percent").fill(share)
            page.get_by_label(f"Cost of kind {number}").fill(cost)
        page.get_by_role("button", name="Calculate").click()
        expect(page.get_by_label("The target")).to_contain_text("81.5 % right answers")
        page.get_by_role("button", name="Use 81.5 % as the target").click()

        expect(page.get_by_label("Target score")).to_have_value("81.5")
        expect(page.get_by_label("Close to the expected text, by letters")).to_be_checked()
