"""What the examples say, what can be learnt, personal data, the split and what changed, in real Chromium."""

import pytest
from playwright.sync_api import expect

from app.users.tables import UserRow
from tests.support.browser import Visits, address, app, engine, fits, good, make, settings, visit
from tests.support.depth import depth
from tests.support.examples import Upload
from tests.support.places import BAD_FILES, DATA

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def sample() -> bytes:
    rows = (DATA / "phpdoc" / "small_300.jsonl").read_bytes().splitlines(keepends=True)
    return b"".join(rows[: depth(120, 300)])


@pytest.fixture(scope="module")
def private() -> bytes:
    return (BAD_FILES / "files" / "pii_and_secrets.jsonl").read_bytes()


def test_the_meaning_of_a_file_reads_well(
    visit: Visits, me: UserRow, checked: Upload, sample: bytes, private: bytes
) -> None:
    checked(sample)
    row = checked(sample[len(sample.splitlines(keepends=True)[0]) :] + b"\n" + private)
    parts = (
        "",
        "?tab=learnability",
        "?tab=personal",
        "?tab=versions",
        "/changes",
        *depth((), ("?tab=split", "?tab=export")),
    )
    paths = [f"/datasets/{row.id}{part}" for part in parts]
    with visit(me) as page:
        for path in paths:
            page.goto(path)
            good(page)
    with visit(me, script=False) as page:
        for path in depth((), paths):
            page.goto(path)
            fits(page)


def test_a_decision_is_made_by_keyboard(
    visit: Visits, me: UserRow, checked: Upload, sample: bytes, private: bytes
) -> None:
    row = checked(sample + b"\n" + private)
    with visit(me) as page:
        page.goto(f"/datasets/{row.id}")
        page.get_by_role("link", name="Decide on personal data", exact=True).press("Enter")
        expect(page.locator("#personal")).to_contain_text("Training stays locked")
        page.get_by_label("What to do with each card number").select_option("attest")
        page.get_by_label("Justification for keeping").fill("A test number")
        page.get_by_label("Justification for keeping").press("Enter")

        expect(page.locator("#personal")).to_contain_text("A test number")
        expect(page.locator("#personal")).not_to_contain_text("4111")
