"""Documents, and how a file is read, in real Chromium: adding, looking, choosing columns; axe, small screens, dark."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.blobs import Blobs
from app.datasets import uploads_service
from app.db import reading, writing
from app.documents import store as documents
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.users.tables import UserRow
from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.examples import pairs
from tests.support.samples import Add, pdf, zipped

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser


@pytest.fixture
def german(engine: Engine, queue: job_engine.Client, blobs: Blobs, assessment: AssessmentRow, me: UserRow) -> int:
    """An upload whose keys say nothing to the app."""
    lines = [json.loads(one) for one in pairs(30).splitlines()]
    data = "\n".join(json.dumps({"frage": x["prompt"], "antwort": x["completion"], "kunde": "k1"}) for x in lines)
    with writing(engine) as session:
        jobs.bind(session, queue)
        uploaded = uploads_service.Uploaded(blobs.put_bytes(data.encode()), "fragen.jsonl")
        return uploads_service.upload(session, assessment.id, me, uploaded).id


def test_documents_read_well(visit: Visits, read: Add, me: UserRow, assessment: AssessmentRow) -> None:
    manual = zipped(
        ("manual/opening-hours.md", b"# Opening hours\n\n" + b"The shop opens at nine and closes at five. " * 40),
        ("manual/prices.pdf", pdf("Everything costs ten.", title="Prices")),
        ("manual/logo.png", b"\x89PNG\r\n"),
    )
    rows = read(
        ("manual-of-the-shop.zip", manual), ("old-notes.doc", b"\xd0\xcf\x11\xe0"), ("faq.txt", b"Ask us. " * 900)
    )

    with visit(me) as page:
        page.goto(f"/assessments/{assessment.id}/documents")
        expect(page.get_by_text("an old Office document")).to_be_visible()
        good(page)
        page.get_by_label("The answer").get_by_role("link", name="manual-of-the-shop.zip").click()
        expect(page.get_by_text("It is a picture.")).to_be_visible()
        good(page)
        page.get_by_role("link", name="Opening hours").click()
        expect(page.locator("pre")).to_contain_text("The shop opens at nine")
        good(page)
        page.goto(f"/document-files/{rows[1].id}")
        good(page)


def test_documents_are_added_and_taken_out(
    visit: Visits, me: UserRow, assessment: AssessmentRow, tmp_path: Path
) -> None:
    for name in ("a.txt", "b.md"):
        (tmp_path / name).write_text("some words")

    with visit(me) as page:
        page.goto(f"/assessments/{assessment.id}/data")
        page.get_by_role("link", name="Documents (RAG)").click()
        expect(page.get_by_role("heading", name="Documents (RAG)")).to_be_visible()
        good(page)
        page.get_by_label("Files", exact=True).set_input_files([tmp_path / "a.txt", tmp_path / "b.md"])
        page.get_by_role("button", name="Add documents").click()
        expect(page.get_by_text("Read 2 files")).to_be_visible()
        page.get_by_role("button", name="Remove a.txt").click()
        expect(page.get_by_role("link", name="a.txt")).to_have_count(0)
        expect(page.get_by_role("link", name="b.md")).to_be_visible()


def test_a_person_says_which_column_holds_what(visit: Visits, german: int, me: UserRow) -> None:
    with visit(me) as page:
        page.goto(f"/datasets/{german}/reading")
        expect(page.get_by_text("No known format was found")).to_be_visible()
        good(page)
        page.get_by_label("Each record is").select_option("columns")
        page.get_by_label("Prompt column optional", exact=True).select_option("frage")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_role("alert")).to_contain_text("Choose the column that holds the answer.")
        page.get_by_label("Completion column").select_option("antwort")
        page.get_by_label("Group column").select_option("kunde")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_role("heading", name="Expected answer")).to_have_count(3)
        good(page)
        page.get_by_role("button", name="Re-check").click()
        expect(page.get_by_text("Check fragen.jsonl")).to_be_visible()


def drag(page: Page, place: str, path: Path) -> None:
    """Drag a file or folder from the desktop, as the browser itself does it."""
    box = page.locator(place).bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": box["x"] + 20, "y": box["y"] + 20, "data": data})


def test_a_dropped_folder_is_added_with_all_that_is_in_it(
    visit: Visits, me: UserRow, assessment: AssessmentRow, engine: Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "manual"
    (folder / "part").mkdir(parents=True)
    (folder / "a.md").write_text("# First")
    (folder / "part" / "b.md").write_text("# Second")
    with visit(me) as page:
        page.goto(f"/assessments/{assessment.id}/documents")
        drag(page, "[data-drop=documents]", folder)
        expect(page.locator("#documents")).to_be_focused()  # once the folder has been read
        page.get_by_role("button", name="Add documents").click()
        expect(page.get_by_text("Read 2 files")).to_be_visible()

        page.goto(f"/assessments/{assessment.id}/data")
        drag(page, "[data-drop=file]", folder)
        expect(page.get_by_role("status")).to_have_text("manual is a folder. Drop the file itself.")
        assert page.evaluate("document.getElementById('file').files.length") == 0

    with reading(engine) as session:
        names = {row.filename for row in documents.files(session, assessment.id)}
    assert names == {"manual/a.md", "manual/part/b.md"}
