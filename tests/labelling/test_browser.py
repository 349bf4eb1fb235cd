"""Two people in real Chromium: the second one tags and labels by keyboard, and the two settle where they differ."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine, select

from app.baselines import answer_store, standing, store, tagging
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import writing
from app.users.tables import UserRow
from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.factories import Make

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser

WORDS = ("behaviour", "facts", "instructions", "reference")
LABELS = ("billing", "delivery", "returns")


def first_tags(make: Make, engine: Engine, author: UserRow, number: int = 30) -> int:
    """A measurement whose failures the author tagged, `number` of them; its id."""
    assessment = make.ready(author)
    with writing(engine) as session:
        baseline = store.current(session, assessment.id)
        assert baseline is not None
        leading = standing.leading(baseline)
        assert leading is not None
        rows = answer_store.answers(session, leading.id, "dev")
        for row in rows:
            row.cause = None
        wrong = [row.id for row in rows if row.score == 0][:number]
        session.flush()
        tags = {answer: WORDS[place % 4] for place, answer in enumerate(wrong)}
        tagging.tag(session, leading.id, tags, by=session.get_one(UserRow, author.id))
    return baseline.id


def labelled(make: Make, engine: Engine, author: UserRow, labels: tuple[str, ...] = LABELS) -> int:
    """A version whose answers are these labels in turn; its id."""
    assessment = make.ready(author)
    with writing(engine) as session:
        row = session.scalars(select(DatasetRow).where(DatasetRow.assessment_id == assessment.id)).one()
        row.report_json = {**row.report_json, "labels": [{"label": name, "rows": 400} for name in labels]}
        query = select(ExampleRow).where(ExampleRow.dataset_id == row.id).order_by(ExampleRow.id)
        for place, example in enumerate(session.scalars(query)):
            example.target = labels[place % len(labels)]
    return row.id


def test_a_second_person_tags_by_keyboard_and_the_two_settle(visit: Visits, make: Make, engine: Engine) -> None:
    ben, cora = make.author("Ben"), make.author("Cora")
    baseline = first_tags(make, engine, ben, 4)
    with visit(cora) as page:
        page.goto(f"/baselines/{baseline}/second")
        page.get_by_role("button", name="Tag 4 failures as second person").click()
        expect(page.locator("[data-answer].current")).to_have_count(1)
        good(page)
        for _ in range(4):
            page.keyboard.press("1")
        expect(page.locator('[data-causes] [aria-pressed="true"]')).to_have_count(4)
        expect(page.locator("#tagged")).to_contain_text("4 of 4")
        page.get_by_role("button", name="Finish and compare").click()
        expect(page.get_by_text("3 disagreements to settle")).to_be_visible()
        good(page)
        page.get_by_role("button", name="Settle: Missing fact").first.click()
        expect(page.get_by_text("2 disagreements to settle")).to_be_visible()


@pytest.mark.parametrize("number", [3, 12])
def test_a_second_person_labels_by_key_or_from_a_list(visit: Visits, make: Make, engine: Engine, number: int) -> None:
    names = LABELS if number == 3 else tuple(f"label {place:02}" for place in range(number))
    dataset = labelled(make, engine, make.author("Ada"), names)
    with visit(make.author("Cora")) as page:
        page.goto(f"/datasets/{dataset}/second-labels")
        good(page)
        page.get_by_role("button", name="Label 50 rows as second person").click()
        expect(page.locator("[data-answer]")).to_have_count(10)
        if number == 3:
            page.keyboard.press("2")
            page.keyboard.press("0")
        else:
            for place in range(2):
                page.locator("select[name=label]").nth(place).select_option("label 07")
        expect(page.locator("#tagged")).to_contain_text("2 of 50")
        good(page)
