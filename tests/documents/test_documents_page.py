"""What people see of their documents and do with them; and the same by API."""

import json
import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.db import reading
from app.documents import service, store
from app.jobs.tables import JobRow
from app.users.tables import UserRow
from tests.support import as_it_stands
from tests.support.samples import Add, zipped


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


def text(client: TestClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def test_documents_come_by_form_many_at_once(
    client: TestClient, assessment: AssessmentRow, session: Session, me: UserRow
) -> None:
    files = [("documents", (f"{n}.txt", f"text {n}".encode())) for n in range(40)]

    answer = client.post(f"/assessments/{assessment.id}/documents", files=[*files, ("documents", ("", b""))])

    assert answer.status_code == 303
    rows = store.files(session, assessment.id)
    assert [row.filename for row in rows] == [f"{n}.txt" for n in range(40)]
    assert {row.batch for row in rows} == {rows[0].id}
    assert [(one.kind, one.subject_id, one.title) for one in session.query(JobRow)] == [
        ("read", rows[0].id, "Read 40 files")
    ]
    assert [entry.act for entry in session.query(EntryRow)] == ["documents.add"]
    assert session.get_one(AssessmentRow, assessment.id).revision == assessment.revision + 1
    assert "Read 40 files" in text(client, f"/assessments/{assessment.id}/documents")


def test_pages_of_documents_are_part_of_their_assessment(client: TestClient, read: Add, session: Session) -> None:
    file = read(("note.md", b"# Bridges\n\nA bridge leads over a river."))[0]
    document = store.of_file(session, file.id)[0]

    for address in (f"/document-files/{file.id}", f"/documents/{document.id}"):
        assert '<a href="/" aria-current="page">Assessments</a>' in text(client, address)


def test_a_form_without_files_comes_back(client: TestClient, assessment: AssessmentRow) -> None:
    answer = client.post(f"/assessments/{assessment.id}/documents", files=[("documents", ("", b""))])

    assert answer.status_code == 422
    assert "Choose files with text in them." in answer.text


def test_the_page_says_how_much_there_is_and_what_could_not_be_read(
    client: TestClient, read: Add, assessment: AssessmentRow
) -> None:
    read(("all.zip", zipped(("a.md", b"# First\n\nwords here"), ("b.png", b"\x89PNG"))), ("x.txt", b"\xff"))

    page = text(client, f"/assessments/{assessment.id}/documents")

    assert "1 document with text, about" in page
    assert '<span class="how">estimated</span>' in page
    assert re.search(
        r'1 document that could not be read \(in <a href="\S+">all.zip</a>\), and 1 file that was refused', page
    )
    assert "not UTF-8" in page
    assert f'href="/assessments/{assessment.id}/documents"' in text(client, f"/assessments/{assessment.id}/data")


def test_a_text_that_came_twice_is_said_to_be_counted_twice(
    client: TestClient, read: Add, assessment: AssessmentRow
) -> None:
    first, _ = read(
        ("one.md", b"# Bridges\n\nmany words"), ("all.zip", zipped(("again.md", b"# Bridges\n\nmany words")))
    )
    address = f"/assessments/{assessment.id}/documents"

    said = "1 document has the same text as another one"
    assert said in text(client, address)
    client.post(f"/document-files/{first.id}/remove")
    assert said not in text(client, address)


def test_a_document_is_shown_as_text(client: TestClient, read: Add) -> None:
    (row,) = read(("<b>x</b>.md", b"# <script>alert(1)</script>\n\n<img src=x onerror=alert(2)> {{7*7}}"))

    listed = text(client, f"/document-files/{row.id}")
    address = listed.split('href="/documents/')[1].split('"')[0]
    page = text(client, f"/documents/{address}")

    for seen in (listed, page):
        assert "<script>alert" not in seen
        assert "<img src=x" not in seen
    assert "{{7*7}}" in page


def test_what_was_counted_is_what_the_advice_goes_by(
    client: TestClient, read: Add, assessment: AssessmentRow, engine: Engine
) -> None:
    rows = read(("a.txt", b"some words to count " * 500))
    with reading(engine) as session:
        assert as_it_stands.evidence(session, session.get_one(AssessmentRow, assessment.id))["corpus_tokens"] == 2000
        as_it_stands.advice(session, session.get_one(AssessmentRow, assessment.id))

    assert client.post(f"/document-files/{rows[0].id}/remove").status_code == 303

    with reading(engine) as session:
        assert service.measured(session, assessment.id).to_json() == {}
        acts = session.scalars(select(EntryRow.act)).all()
    assert acts.count("documents.remove") == 1
    assert "removed from the corpus" in text(client, f"/document-files/{rows[0].id}")


def test_the_texts_can_be_taken_along_and_brought_back(
    client: TestClient, read: Add, assessment: AssessmentRow
) -> None:
    read(("a.md", b"# A\n\none"), ("b.txt", b"two"))

    answer = client.get(f"/assessments/{assessment.id}/documents/export")

    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [(line["title"], line["source"], line["text"]) for line in lines] == [
        ("A", "a.md", "# A\n\none"),
        ("b", "b.txt", "two"),
    ]
    assert "attachment" in answer.headers["content-disposition"]
    (again,) = read(("corpus.jsonl", answer.content))
    assert again.state == "ready"


def test_the_same_by_api(client: TestClient, read: Add, assessment: AssessmentRow, engine: Engine) -> None:
    (row,) = read(("a.md", b"# A\n\none"))
    base = f"/api/v1/assessments/{assessment.id}/documents"
    with reading(engine) as session:
        assert service.measured(session, assessment.id).to_json() == {"corpus_tokens": 4}

    added = client.put(f"{base}?filename=more.txt", content=b"more")
    with reading(engine) as session:
        assert service.measured(session, assessment.id).to_json() == {}  # not before all of it is read
    corpus = client.get(base).json()
    inside = client.get(f"/api/v1/document-files/{row.id}/documents").json()["data"]
    removed = client.delete(f"/api/v1/document-files/{row.id}")

    assert (added.status_code, added.json()["state"]) == (201, "reading")
    assert [one["filename"] for one in corpus["data"]] == ["a.md", "more.txt"]
    assert (corpus["documents"], corpus["characters"]) == (1, 8)
    assert [(one["title"], one["kind"]) for one in inside] == [("A", "markdown")]
    assert removed.json()["removed_at"] is not None
    assert [one["filename"] for one in client.get(base).json()["data"]] == ["more.txt"]


def test_a_program_reads_a_document_with_its_values_hidden(client: TestClient, read: Add) -> None:
    (row,) = read(("a.md", b"# A\n\nWrite to kim.lee@example.org, please."))
    (listed,) = client.get(f"/api/v1/document-files/{row.id}/documents").json()["data"]

    found = client.get(f"/api/v1/documents/{listed['id']}").json()

    assert (found["title"], found["document_file_id"], found["cut"]) == ("A", row.id, False)
    assert found["text"] == "# A\n\nWrite to [e-mail address], please."
    assert client.get("/api/v1/documents/999").json()["status"] == 404


def test_files_of_nowhere_are_404(client: TestClient) -> None:
    for address in ("/document-files/99", "/documents/99", "/api/v1/document-files/99", "/assessments/99/documents"):
        assert client.get(address).status_code == 404
    assert client.post("/assessments/99/documents", files={"documents": ("a", b"b")}).status_code == 404
