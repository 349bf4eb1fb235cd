"""The verdict page of five golden cases in real Chromium: it reads well, fits, prints, and says what the case says.

The golden cases hold measurements that no short test could make, so a route of the test's own hands their advice to
the page; everything else is the app as it runs.
"""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page, expect

from app.advice.case import parse
from app.advice.verdict import advise
from app.assessments import store
from app.economics import service as economics
from app.economics import views
from app.gate.routes import verdict_page
from app.users.deps import Me
from app.users.tables import UserRow
from app.web.deps import Db
from tests.support.browser import axe, fits, quiet_page, serving
from tests.support.factories import PASSWORD, Make
from tests.support.golden import GOLDEN

pytestmark = pytest.mark.browser

BY_NUMBER = {golden.number: golden for golden in GOLDEN}
HEADS = {
    2: "Fine-tune: the best prompt falls measurably short.",
    3: "Look things up; do not train.",
    9: "Keep the prompt: it meets the target.",
    18: "Use a prompt with well-chosen examples; do not train.",
    21: "Not yet: more test rows first.",
}
WITH_EVERYTHING = 18  # contradictions, open criteria of both kinds: where only colours or widths differ, axe looks here
VIEWS = [
    pytest.param({"color_scheme": "light"}, id="light"),
    pytest.param({"color_scheme": "dark"}, id="dark"),
    pytest.param({"viewport": {"width": 390, "height": 800}}, id="narrow"),
    pytest.param({"viewport": {"width": 390, "height": 800}, "color_scheme": "dark"}, id="narrow-dark"),
]


@pytest.fixture
def me(make: Make) -> UserRow:
    return make.author("Dana")


@pytest.fixture
def address(web: TestClient, make: Make, me: UserRow) -> Iterator[str]:
    app = cast("FastAPI", web.app)
    for number in HEADS:
        make.assessment(me, title=BY_NUMBER[number].title.capitalize(), team="Docs platform")

    @app.get("/golden/{number}")
    def golden(request: Request, number: int, db: Db, me: Me) -> Response:
        advice = advise(parse(BY_NUMBER[number].data))
        assessment = store.get(db, list(HEADS).index(number) + 1)
        worth = views.answer(economics.of(db, assessment))
        return verdict_page(request, assessment, advice, today=advice, worth=worth, review=None)

    with serving(app) as started:
        yield started


def sign_in(page: Page, user: UserRow) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("Assessments · Tunegate")


@pytest.mark.parametrize("view", VIEWS)
def test_five_golden_cases_read_well(chromium: Browser, me: UserRow, address: str, view: dict[str, Any]) -> None:
    with quiet_page(chromium, address, **view) as page:
        sign_in(page, me)
        for number, head in HEADS.items():
            page.goto(f"/golden/{number}")
            expect(page.locator(".head-line")).to_have_text(head)
            for folded in page.locator("details.rest, #reasons > details").all():
                folded.evaluate("one => one.open = true")
            fits(page)
            if view == {"color_scheme": "light"} or number == WITH_EVERYTHING:
                axe(page)


def test_it_prints_without_the_frame(chromium: Browser, me: UserRow, address: str) -> None:
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto("/golden/2")
        page.emulate_media(media="print")

        expect(page.locator(".bar")).to_be_hidden()
        expect(page.get_by_role("button", name="Print")).to_be_hidden()
        expect(page.locator(".head-line")).to_be_visible()
        assert page.pdf().startswith(b"%PDF")
