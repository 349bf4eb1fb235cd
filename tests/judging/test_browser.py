"""Labelling for the judge in real Chromium: by keyboard, blind, accessible."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from app.db import writing
from app.judging import service
from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.factories import Make

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser


def test_a_person_labels_by_keyboard(visit: Visits, make: Make, engine: Engine) -> None:
    ben = make.author("Ben")
    assessment = make.ready(ben)
    with writing(engine) as session:
        service.add_rubric(session, assessment.id, "wrong", "it is the expected answer", with_expected=True, by=ben)
    with visit(make.author("Cora")) as page:
        page.goto(f"/assessments/{assessment.id}/judging")
        good(page)
        page.get_by_role("button", name="Label 50 random answers").click()
        expect(page.locator("[data-answer].current")).to_have_count(1)
        page.keyboard.press("p")
        page.keyboard.press("f")
        expect(page.locator("#tagged")).to_contain_text("2 of 50")
        expect(page.locator('[data-key="p"][aria-pressed="true"]')).to_have_count(1)
        expect(page.locator('[data-key="f"][aria-pressed="true"]')).to_have_count(1)
        good(page)
