"""The verdict page of five golden cases in real Chromium: it reads well, fits, prints, and says what the case says.

The golden cases hold measurements that no short test could make, so a route of the test's own hands their advice to
the page; everything else is the app as it runs.
"""

import pytest
from fastapi import Request, Response
from playwright.sync_api import expect

from app.advice.case import parse
from app.advice.evidence import Evidence
from app.advice.verdict import advise
from app.assessments import store
from app.economics import service as economics
from app.gate import verdict_view
from app.gate.routes import verdict_page
from app.users.deps import Me
from app.users.tables import UserRow
from app.web.deps import Db
from app.web.security import Web
from tests.support.browser import Visits, address, app, engine, good, make, settings, sheets, visit
from tests.support.depth import DEEP
from tests.support.factories import Make
from tests.support.golden import GOLDEN

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser

BY_NUMBER = {golden.number: golden for golden in GOLDEN}
HEADS = {
    2: "Fine-tune is allowed.",
    3: "RAG; do not train.",
    9: "Keep the prompt: it meets the target.",
    18: "Use a prompt with well-chosen examples; do not train.",
    21: "Not yet: more test rows first.",
}
SAMPLED = (2, 18)  # one that is trained for and one that is not
WITH_EVERYTHING = 18  # contradictions, open criteria of both kinds: its colours are looked at in the dark


@pytest.fixture(scope="module")
def me(make: Make) -> UserRow:
    return make.author()


@pytest.fixture(scope="module", autouse=True)
def golden_pages(app: Web, make: Make, me: UserRow) -> None:
    """`/golden/{number}` in the app of this module, which nobody else has."""
    rows = {
        number: make.assessment(me, title=BY_NUMBER[number].title.capitalize(), team="Docs platform").id
        for number in HEADS
    }

    @app.get("/golden/{number}")
    def golden(request: Request, number: int, db: Db, me: Me) -> Response:
        data = BY_NUMBER[number].data
        advice = advise(parse(data))
        assessment = store.get(db, rows[number])
        evidence = Evidence.from_json(data["measured"])
        drawn = verdict_view.values(advice, evidence, economics.of(db, assessment))
        return verdict_page(request, assessment, drawn, today=advice)


@pytest.mark.parametrize(
    "number", [pytest.param(number, marks=() if number in SAMPLED else pytest.mark.deep) for number in HEADS]
)
def test_five_golden_cases_read_well(visit: Visits, me: UserRow, number: int) -> None:
    with visit(me) as page:
        page.goto(f"/golden/{number}")
        expect(page.locator(".head-line")).to_have_text(HEADS[number])
        for folded in page.locator("details.rest, details.folded, #reasons > details").all():
            folded.evaluate("one => one.open = true")
        good(page, dark=number == WITH_EVERYTHING or DEEP)


def test_it_prints_without_the_frame(visit: Visits, me: UserRow) -> None:
    with visit(me) as page:
        page.goto("/golden/2")
        page.emulate_media(media="print")

        expect(page.locator(".bar")).to_be_hidden()
        expect(page.get_by_role("button", name="Print")).to_be_hidden()
        expect(page.locator(".head-line")).to_be_visible()
        assert page.pdf().startswith(b"%PDF")
        assert sheets(page) <= 2
        page.emulate_media(media="screen")
