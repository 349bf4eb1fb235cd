"""The output constraint in real Chromium: proposed, edited by its fields, kept; axe, small screens, dark."""

import json

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from app.datasets.tables import ExampleRow
from app.db import writing
from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.factories import Make

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser


def test_a_constraint_reads_well_and_is_edited_by_its_fields(visit: Visits, make: Make, engine: Engine) -> None:
    author = make.author()
    dataset = make.dataset(make.assessment(author), author, train=60, dev=20, test=20)
    with writing(engine) as session:
        for example in session.query(ExampleRow).filter_by(dataset_id=dataset.id):
            answer = {"intent": ("play", "book")[example.line % 2], "city": f"city {example.line}"}
            example.target = json.dumps(answer if example.line > 1 else {"intent": "play"})

    with visit(author) as page:
        page.goto(f"/assessments/{dataset.assessment_id}/constraint")
        page.get_by_text("2 fields").click()
        good(page)
        page.get_by_role("checkbox", name="city: required").check()
        page.get_by_role("button", name="Infer again").click()
        expect(page.get_by_role("status")).to_contain_text("59 of 60 train (98.3 %), 20 of 20 dev (100.0 %)")
        page.get_by_text("1 expected answer that it forbids").click()
        good(page)
        page.get_by_role("button", name="Use this constraint").click()
        expect(page.get_by_text("Output constraint, v1")).to_be_visible()
        page.get_by_text("Change it").click()
        good(page)
        page.goto(f"/assessments/{dataset.assessment_id}/measure")
        expect(page.get_by_text("JSON schema, 2 keys, v1")).to_be_visible()
