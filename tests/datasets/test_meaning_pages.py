"""What the examples say, what can be learnt, personal data, the split and what changed, in real Chromium."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from app.users.tables import UserRow
from tests.datasets.test_browser import VIEWS, address, sign_in
from tests.support.browser import axe, fits, quiet_page
from tests.support.examples import Upload

pytestmark = pytest.mark.browser

__all__ = ["address"]  # a fixture


@pytest.mark.parametrize("view", VIEWS)
def test_the_meaning_of_a_file_reads_well(
    chromium: Browser,
    me: UserRow,
    checked: Upload,
    address: str,  # the fixture of that name
    shared: Path,
    view: dict[str, Any],
) -> None:
    private = (shared / "data" / "bad_files" / "files" / "pii_and_secrets.jsonl").read_bytes()
    sample = (shared / "data" / "phpdoc" / "small_300.jsonl").read_bytes()
    checked(sample)
    row = checked(sample[len(sample.splitlines(keepends=True)[0]) :] + b"\n" + private)
    with quiet_page(chromium, address, **view) as page:
        sign_in(page, me)
        for path in ("", "/changes"):
            page.goto(f"/datasets/{row.id}{path}")
            fits(page)
            if view.get("java_script_enabled", True):
                axe(page)


def test_a_decision_is_made_by_keyboard(
    chromium: Browser,
    me: UserRow,
    checked: Upload,
    address: str,  # the fixture of that name
    shared: Path,
) -> None:
    private = (shared / "data" / "bad_files" / "files" / "pii_and_secrets.jsonl").read_bytes()
    sample = (shared / "data" / "phpdoc" / "small_300.jsonl").read_bytes()
    row = checked(sample + b"\n" + private)
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/datasets/{row.id}")
        expect(page.locator("#personal")).to_contain_text("Training stays locked")
        page.get_by_label("What to do with each card number").select_option("attest")
        page.get_by_label("Why rows may be kept").fill("A test number")
        page.get_by_label("Why rows may be kept").press("Enter")

        expect(page.locator("#personal")).to_contain_text("A test number")
        expect(page.locator("#personal")).not_to_contain_text("4111")
