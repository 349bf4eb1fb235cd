"""Data in real Chromium: upload by button, drop, paste; progress, cancel; from a number to its rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.blobs import Blobs
from app.datasets import store
from app.datasets.tables import DatasetRow
from app.db import reading
from app.users.tables import UserRow
from tests.support.browser import axe, fits, quiet_page, serving
from tests.support.examples import Upload, pairs
from tests.support.factories import PASSWORD
from tests.support.processes import until

pytestmark = pytest.mark.browser


VIEWS = [
    pytest.param({"color_scheme": "light"}, id="light"),
    pytest.param({"color_scheme": "dark"}, id="dark"),
    pytest.param({"viewport": {"width": 390, "height": 800}}, id="narrow"),
    pytest.param({"java_script_enabled": False}, id="no-script"),
]
# A file as a drag from the desktop brings it. Chromium makes such an event only for a real drag, so it is made by hand;
# what the page does with it is the page's own.
DROP = """([selector, name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, { type: "text/plain" }));
  const target = document.querySelector(selector);
  for (const kind of ["dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}"""
PASTE = """(text) => {
  const data = new DataTransfer();
  data.setData("text/plain", text);
  document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}"""


@pytest.fixture
def address(web: TestClient) -> Iterator[str]:
    app: Any = web.app
    with serving(app) as started:
        yield started


def sign_in(page: Page, user: UserRow) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("Assessments · Tunegate")


def newest(engine: Engine, assessment: AssessmentRow) -> DatasetRow | None:
    with reading(engine) as session:
        return store.newest(session, assessment.id)


def many(number: int) -> bytes:
    """Rows of three labels, some repeated, one faulty, one contradiction."""
    labels = ("refund", "card lost", "exchange rate")
    words = ["river", "stone", "cloud", "engine", "paper", "violin", "market", "garden", "window", "castle"]
    rows = [
        f'{{"prompt": "{words[n % 10]} {words[n // 10 % 10]} {words[n // 100 % 10]} {n * 7919 % 100003}", '
        f'"completion": "{labels[n % 2 if n % 40 else 2]}"}}'
        for n in range(number)
    ]
    rows += [rows[3], rows[4], rows[5].replace("card lost", "refund"), "no JSON"]
    return "\n".join(rows).encode()


@pytest.mark.parametrize("view", VIEWS)
def test_report_rows_labels_and_groups_read_well(
    chromium: Browser, me: UserRow, checked: Upload, address: str, view: dict[str, Any]
) -> None:
    row = checked(many(160), many(40))
    script = view.get("java_script_enabled", True)
    with quiet_page(chromium, address, **view) as page:
        sign_in(page, me)
        for path in ("", "/rows", "/rows?status=leak", "/rows/4", "/labels", "/clusters"):
            page.goto(f"/datasets/{row.id}{path}")
            fits(page)
            if script:
                axe(page)


def test_every_number_leads_to_the_rows_that_it_counts(
    chromium: Browser, me: UserRow, checked: Upload, address: str
) -> None:
    row = checked(many(160))
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/datasets/{row.id}")
        numbers = page.locator("#short dd a, #waterfall tbody tr, #labels tbody tr")
        assert numbers.count() > 12
        told = page.locator("#short dd a, #waterfall tbody th a, #labels tbody th a")
        wanted = []
        for index in range(told.count()):
            link = told.nth(index)
            cell = link.locator("xpath=ancestor::tr").locator("td.num")
            number = cell.inner_text() if cell.count() else link.inner_text()
            wanted.append((link.get_attribute("href") or "", number.removeprefix("\N{MINUS SIGN}")))
        for url, number in wanted:
            page.goto(url)
            expect(page.locator("#total"), url).to_have_text(f"{number} row{'' if number == '1' else 's'}")


def test_from_a_number_to_one_row_and_its_twin_by_keyboard(
    chromium: Browser, me: UserRow, checked: Upload, address: str
) -> None:
    row = checked(many(160))
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/datasets/{row.id}")
        page.locator("#short dd a[href*='=duplicate']").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#total")).to_have_text("2 rows")
        page.locator("summary.row").first.focus()
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Open line 161").focus()
        page.keyboard.press("Enter")

        expect(page).to_have_url(f"{address}/datasets/{row.id}/rows/161")
        expect(page.get_by_text("Asks the same as line 4.").first).to_be_visible()
        expect(page.locator("#like")).to_contain_text("Line 4")
        page.get_by_role("link", name="Previous row").click()
        expect(page.get_by_role("heading", name="Line 160")).to_be_visible()


def test_a_link_opens_a_folded_part_and_no_detail_inside_another(
    chromium: Browser, me: UserRow, checked: Upload, address: str
) -> None:
    row = checked(many(160))
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/datasets/{row.id}#split")
        expect(page.locator("#split details.numbers")).to_have_count(1)
        expect(page.locator("#split details[open]")).to_have_count(0)
        page.get_by_role("link", name="Upload", exact=True).click()
        expect(page.locator("#upload > details")).to_have_attribute("open", "")


def test_a_dropped_file_is_uploaded(
    chromium: Browser, me: UserRow, assessment: AssessmentRow, engine: Engine, blobs: Blobs, address: str
) -> None:
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/assessments/{assessment.id}/data")
        page.evaluate(DROP, ["[data-drop=test]", "own test.jsonl", pairs(3, 900).decode()])
        page.evaluate(DROP, ["h1", "ten.jsonl", pairs(10).decode()])
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_text("Check ten.jsonl")).to_be_visible()

    row = newest(engine, assessment)
    assert row is not None
    assert (row.filename, row.test_filename) == ("ten.jsonl", "own test.jsonl")
    assert blobs.path(row.blob_sha256).read_bytes() == pairs(10)


def test_what_is_pasted_on_the_page_is_uploaded(
    chromium: Browser, me: UserRow, assessment: AssessmentRow, engine: Engine, blobs: Blobs, address: str
) -> None:
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/assessments/{assessment.id}/data")
        expect(page.get_by_label("Rows to paste")).to_be_hidden()
        page.evaluate(PASTE, "prompt\tcompletion\na question\tan answer\n")
        expect(page.get_by_label("Rows to paste")).to_be_focused()
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_text("Check pasted rows")).to_be_visible()

    row = newest(engine, assessment)
    assert row is not None
    assert blobs.path(row.blob_sha256).read_bytes().split() == b"prompt completion a question an answer".split()


def test_a_refused_form_comes_back_with_the_fault_and_what_was_pasted(
    chromium: Browser, me: UserRow, assessment: AssessmentRow, engine: Engine, address: str
) -> None:
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/assessments/{assessment.id}/data")
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_role("alert")).to_be_focused()
        expect(page.get_by_role("alert")).to_contain_text("Choose a file with examples, or paste some.")
        expect(page).to_have_title("Error: Data · Code comments in our house style · Tunegate")
        axe(page)

        page.get_by_text("Paste rows instead").click()
        page.get_by_label("Rows to paste").fill("<b>typed</b> by hand")
        page.evaluate(DROP, ["[data-drop=file]", "too.jsonl", "{}"])
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.locator("#pasted-error")).to_contain_text("Send one of them")
        expect(page.get_by_label("Rows to paste")).to_have_value("<b>typed</b> by hand")

    assert newest(engine, assessment) is None


def test_a_file_over_the_limit_is_refused_before_it_is_sent(
    chromium: Browser, me: UserRow, assessment: AssessmentRow, address: str
) -> None:
    asked: list[str] = []
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/assessments/{assessment.id}/data")
        page.evaluate("document.getElementById('upload-form').dataset.limit = 1000")
        page.on("request", lambda request: asked.append(request.method))
        page.evaluate(DROP, ["[data-drop=file]", "big.jsonl", "x" * 5000])
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_role("status")).to_have_text("big.jsonl has 5 kB; the limit is 1 kB.")

    assert asked == []


def test_an_upload_shows_how_far_it_is_and_can_be_cancelled(
    chromium: Browser,
    me: UserRow,
    assessment: AssessmentRow,
    engine: Engine,
    blobs: Blobs,
    address: str,
    tmp_path: Path,
) -> None:
    big = tmp_path / "big.jsonl"
    big.write_bytes(pairs(2000) * 60)
    with quiet_page(chromium, address) as page:
        sign_in(page, me)
        page.goto(f"/assessments/{assessment.id}/data")
        slow = page.context.new_cdp_session(page)
        slow.send("Network.enable")
        conditions = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 1_500_000}
        slow.send("Network.emulateNetworkConditions", conditions)
        page.get_by_label("File with examples").set_input_files(big)
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.locator("[data-sent]")).to_contain_text(" of ")
        expect(page.get_by_role("button", name="Upload", exact=True)).to_be_disabled()
        expect(page.get_by_role("progressbar", name="Upload")).to_be_visible()
        axe(page)
        page.keyboard.press("Enter")  # the button to cancel has the focus
        expect(page.get_by_role("status")).to_have_text("The upload was cancelled. Nothing was kept.")
        expect(page.get_by_role("button", name="Upload", exact=True)).to_be_focused()
        expect(page.get_by_role("progressbar", name="Upload")).to_be_hidden()

    until(lambda: not list((blobs.root / "staging").glob("*")))
    assert newest(engine, assessment) is None


def test_without_scripts_one_uploads_and_pastes_all_the_same(
    chromium: Browser, me: UserRow, assessment: AssessmentRow, engine: Engine, address: str
) -> None:
    with quiet_page(chromium, address, java_script_enabled=False) as page:
        sign_in(page, me)
        page.goto(f"/assessments/{assessment.id}/data")
        expect(page.get_by_text("or drop it here").first).to_be_hidden()
        page.get_by_text("Paste rows instead").click()
        page.get_by_label("Rows to paste").fill(pairs(5).decode())
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_text("Uploaded. The check has started.")).to_be_visible()

    row = newest(engine, assessment)
    assert row is not None
    assert row.filename == "pasted rows"
