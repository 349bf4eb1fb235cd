"""Data in real Chromium: upload by button, drop, paste; progress, cancel; from a number to its rows."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.blobs import Blobs
from app.datasets import job, store
from app.datasets.check_job.progress import Progress
from app.datasets.tables import DatasetRow
from app.db import reading, writing
from app.jobs import service as job_service
from app.jobs import store as job_store
from app.jobs.claims import Claim
from app.jobs.tables import Status
from app.users.tables import UserRow
from tests.support.browser import Visits, address, app, axe, engine, fits, good, make, settings, visit
from tests.support.depth import DEEP, depth
from tests.support.examples import Upload, pairs
from tests.support.processes import until

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser


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


# Where each link leads, and the number in its row, or in itself.
NUMBERS = """(links) => links.map((link) =>
  [link.href, (link.closest("tr")?.querySelector("td.num") ?? link).innerText])"""
# What each of these pages says that it counts: asked for by the page, which needs not draw them for that.
TOTALS = """(urls) => Promise.all(urls.map(async (url) => {
  const answer = await (await fetch(url)).text();
  return new DOMParser().parseFromString(answer, "text/html").getElementById("total").textContent;
}))"""


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


@pytest.mark.parametrize(
    "paths",
    [
        ("", "/labels", "/clusters", *depth((), ("?tab=split",))),
        ("/rows", "/rows/4", "/contradictions", *depth((), ("/rows?status=leak", "/rows?q=river"))),
    ],
    ids=["report", "rows"],
)
def test_report_rows_labels_and_groups_read_well(
    visit: Visits, me: UserRow, checked: Upload, paths: tuple[str, ...]
) -> None:
    row = checked(many(160), many(40))
    with visit(me) as page:
        for path in paths:
            page.goto(f"/datasets/{row.id}{path}")
            good(page, dark=DEEP or path == "")


@pytest.mark.deep
def test_every_page_of_a_version_fits_without_a_script(visit: Visits, me: UserRow, checked: Upload) -> None:
    row = checked(many(160), many(40))
    with visit(me, script=False) as page:
        for path in ("", "?tab=learnability", "/rows", "/rows?status=leak", "/rows/4", "/labels", "/clusters"):
            page.goto(f"/datasets/{row.id}{path}")
            fits(page)


def test_every_number_leads_to_the_rows_that_it_counts(visit: Visits, me: UserRow, checked: Upload) -> None:
    row = checked(many(160))
    with visit(me) as page:
        page.goto(f"/datasets/{row.id}")
        page.locator("details").evaluate_all("(all) => all.forEach((one) => { one.open = true; })")
        links = page.locator(".way-tiles a, #waterfall tbody th a, #lengths tbody td a")
        told: list[tuple[str, str]] = links.evaluate_all(NUMBERS)
        totals = page.evaluate(TOTALS, [url for url, _ in told])

    wanted = [(url, number.removeprefix("\N{MINUS SIGN}")) for url, number in told]
    assert len(wanted) > 8
    assert [(url, " ".join(total.split())) for (url, _), total in zip(wanted, totals, strict=True)] == [
        (url, f"{number} row{'' if number == '1' else 's'}") for url, number in wanted
    ]


def test_from_a_number_to_one_row_and_its_twin_by_keyboard(visit: Visits, me: UserRow, checked: Upload) -> None:
    row = checked(many(160))
    with visit(me) as page:
        page.goto(f"/datasets/{row.id}")
        page.locator(".way-tiles a[href*='=duplicate']").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#total")).to_have_text("2 rows")
        page.keyboard.press("j")
        expect(page.locator(".example > summary").first).to_be_focused()
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Open line 161").focus()
        page.keyboard.press("Enter")

        expect(page).to_have_url(f"{visit.address}/datasets/{row.id}/rows/161")
        expect(page.get_by_text("Asks the same as line 4.").first).to_be_visible()
        expect(page.locator("#like")).to_contain_text("Line 4")
        page.get_by_role("link", name="Previous row").click()
        expect(page.get_by_role("heading", name="Line 160")).to_be_visible()


def test_a_link_opens_a_folded_part_and_no_detail_inside_another(visit: Visits, me: UserRow, checked: Upload) -> None:
    row = checked(many(160))
    with visit(me) as page:
        page.goto(f"/datasets/{row.id}")
        expect(page.locator("#upload > details[open]")).to_have_count(0)
        page.get_by_role("link", name="Upload more").click()
        expect(page.locator("#upload > details")).to_have_attribute("open", "")
        expect(page.locator("#upload details[open]")).to_have_count(1)


def test_a_dropped_file_is_uploaded(
    visit: Visits, me: UserRow, assessment: AssessmentRow, engine: Engine, blobs: Blobs
) -> None:
    with visit(me) as page:
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
    visit: Visits, me: UserRow, assessment: AssessmentRow, engine: Engine, blobs: Blobs
) -> None:
    with visit(me) as page:
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
    visit: Visits, me: UserRow, assessment: AssessmentRow, engine: Engine
) -> None:
    with visit(me) as page:
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
    visit: Visits, me: UserRow, assessment: AssessmentRow
) -> None:
    asked: list[str] = []
    with visit(me) as page:
        page.goto(f"/assessments/{assessment.id}/data")
        page.evaluate("document.getElementById('upload-form').dataset.limit = 1000")
        page.on("request", lambda request: asked.append(request.method))
        page.evaluate(DROP, ["[data-drop=file]", "big.jsonl", "x" * 5000])
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_role("status")).to_have_text("big.jsonl has 5 kB; the limit is 1 kB.")
        assert "POST" not in asked


@pytest.mark.deep
def test_an_upload_shows_how_far_it_is_and_can_be_cancelled(
    visit: Visits,
    me: UserRow,
    assessment: AssessmentRow,
    engine: Engine,
    blobs: Blobs,
    tmp_path: Path,
) -> None:
    big = tmp_path / "big.jsonl"
    big.write_bytes(pairs(2000) * 60)
    with visit(me, own=True) as page:  # its network stays slow
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


@pytest.mark.deep
def test_from_an_idea_to_a_gate_that_stays_locked(
    visit: Visits, me: UserRow, engine: Engine, claimed: Callable[[DatasetRow], Claim], tmp_path: Path
) -> None:
    """In short what `stories/test_in_the_browser.py` walks at length, with a real worker."""
    file = tmp_path / "few.jsonl"
    file.write_bytes(pairs(60))
    with visit(me) as page:
        page.goto("/assessments/new")
        page.get_by_label("Name", exact=True).fill("Code comments in our house style")
        page.get_by_role("button", name="Create", exact=True).click()
        page.get_by_label("Match our tone and style").first.check()
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("link", name="Data").first.click()
        base = page.url.removesuffix("/data")
        page.get_by_label("File with examples").set_input_files(file)
        page.get_by_label("A person wrote or checked").check()
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_role("heading", name="few.jsonl")).to_be_visible()
        with reading(engine) as session:
            row = session.scalars(select(DatasetRow).where(DatasetRow.uploaded_by == me.id)).one()
        claim = claimed(row)
        job.check(claim)
        with writing(engine) as session:
            done = job_store.get(session, claim.job_id)
            done.status = Status.DONE
            job_service.say(session, done, "done", {"status": done.status})
            usable = store.get(session, row.id).usable_rows

        # The page loads itself anew; to go there would cross it on its way.
        expect(page.get_by_text(f"{usable} usable examples (1,000 needed)")).to_be_visible()
        page.goto(f"{base}/verdict")
        expect(page.locator("#G1")).to_contain_text("fail")
        expect(page.locator("#G1")).to_contain_text(f"{1000 - usable}")
        page.goto(f"{base}/run")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("button", name="Launch training")).to_have_count(0)


def test_without_scripts_one_uploads_and_pastes_all_the_same(
    visit: Visits, me: UserRow, assessment: AssessmentRow, engine: Engine
) -> None:
    with visit(me, script=False) as page:
        page.goto(f"/assessments/{assessment.id}/data")
        expect(page.get_by_text("or drop it here").first).to_be_hidden()
        page.get_by_text("Paste rows instead").click()
        page.get_by_label("Rows to paste").fill(pairs(5).decode())
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_text("Check pasted rows")).to_be_visible()

    row = newest(engine, assessment)
    assert row is not None
    assert row.filename == "pasted rows"


def test_a_filter_acts_at_once_and_words_are_found_while_one_types(visit: Visits, me: UserRow, checked: Upload) -> None:
    row = checked(many(160))
    with visit(me) as page:
        page.goto(f"/datasets/{row.id}/rows")
        expect(page.get_by_role("button", name="Show", exact=True)).to_be_hidden()
        page.get_by_label("Status").select_option("duplicate")
        expect(page.locator("#total")).to_have_text("2 rows")
        expect(page).to_have_url(f"{visit.address}/datasets/{row.id}/rows?status=duplicate")
        page.get_by_label("Status").select_option("")
        page.keyboard.press("Escape")
        page.get_by_label("Search").press_sequentially("river cloud r")
        expect(page.locator("mark.sought").first).to_have_text("river cloud r")
        expect(page.get_by_label("Search")).to_be_focused()
        expect(page.locator("#chosen")).to_contain_text("Only rows with river cloud r")
        axe(page)
        page.goto(f"/datasets/{row.id}/rows")
        page.keyboard.press("/")
        expect(page.get_by_label("Search")).to_be_focused()
        page.get_by_label("Go to page").fill("3")
        page.get_by_role("button", name="Go", exact=True).click()
        expect(page.get_by_text("3 of 7")).to_be_visible()


def test_without_scripts_one_freezes_with_a_word_on_the_test_answers(
    visit: Visits, me: UserRow, checked: Upload, engine: Engine
) -> None:
    row = checked(pairs(60))
    with visit(me, script=False) as page:
        page.goto(f"/datasets/{row.id}")
        page.get_by_label("Yes", exact=True).check()
        page.get_by_role("button", name="Freeze split").click()
        expect(page.get_by_text("Frozen: 42 usable examples")).to_be_visible()
        expect(page.get_by_text("test answers checked by people: yes")).to_be_visible()
        page.get_by_role("link", name="Split", exact=True).click()
        expect(page.get_by_label("Yes", exact=True)).to_be_checked()

    with reading(engine) as session:
        assert store.get(session, row.id).human_checked is True


def test_a_check_shows_its_stages_until_the_report_is_there(
    visit: Visits, me: UserRow, upload: Upload, claimed: Callable[[DatasetRow], Claim], engine: Engine
) -> None:
    """Without a reload: the page loads itself anew only when the job is over."""
    row = upload(pairs(60))
    with visit(me) as page:
        page.goto(f"/datasets/{row.id}")
        claim = claimed(row)
        progress = Progress(claim, ["Reading the file", "Comparing rows", "Writing the rows"])
        progress.came({"Rows read": 60})
        progress.tick("Comparing rows", 30, 60)
        expect(page.locator(".job-stages li")).to_have_count(3)
        expect(page.locator(".job-stages .done")).to_contain_text("Reading the file")
        expect(page.locator(".job-stages .now")).to_contain_text("30 of 60 rows")
        expect(page.get_by_role("progressbar", name="Comparing rows")).to_have_attribute("value", "30")
        expect(page.locator(".so-far")).to_contain_text("Rows read 60")
        axe(page)
        job.check(claim)
        with writing(engine) as session:
            done = job_store.get(session, claim.job_id)
            done.status = Status.DONE
            job_service.say(session, done, "done", {"status": done.status})
        expect(page.get_by_text("Ready to freeze for baselines")).to_be_visible()
