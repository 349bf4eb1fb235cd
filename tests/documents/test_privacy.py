"""Personal data in documents: told by line, hidden on pages, decided before training."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.blobs import Blobs
from app.db import reading, writing
from app.documents import job, privacy, service, store
from app.documents.tables import DocumentFileRow, DocumentRow
from app.jobs import store as job_store
from app.jobs.claims import Claim
from app.jobs.tables import Status
from app.users.tables import UserRow
from tests.support.samples import Add, zipped

MAIL, KEY = "ada@secretive-people.de", "ghp_" + "Zq8Xv1Nw7B" * 4
TEXT = f"# {MAIL}\n\nWrite to {MAIL}\nor use\n{KEY}\nor {MAIL}.\n".encode()


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


def open_kinds(engine: Engine, assessment: AssessmentRow) -> object:
    with reading(engine) as session:
        return service.measured(session, assessment.id).to_json().get("identifiers_decided")


def documents(engine: Engine, row: DocumentFileRow) -> list[DocumentRow]:
    with reading(engine) as session:
        return list(store.of_file(session, row.id))


def test_lines_are_those_of_the_text() -> None:
    assert privacy.held(TEXT.decode()) == [
        {"kind": "e-mail address", "count": 3, "lines": [1, 3, 6], "hints": [("a***@secretive-people.de", 3)]},
        {"kind": "key or token", "count": 1, "lines": [5], "hints": [("ghp_***", 1)]},
    ]
    assert privacy.held("nothing\nof that\nkind 12345") == []


def test_values_are_hidden_until_somebody_decides(
    client: TestClient,
    read: Add,
    engine: Engine,
    blobs: Blobs,
    assessment: AssessmentRow,
    claimed: Callable[[int], Claim],
) -> None:
    packed, plain = read(("all.zip", zipped(("a.md", TEXT), ("b.txt", b"clean"))), ("clean.txt", b"nothing"))
    pages = [f"/assessments/{assessment.id}/documents", f"/document-files/{packed.id}"]
    pages += [f"/api/v1{pages[0]}", f"/api/v1{pages[1]}", f"/api/v1{pages[1]}/documents"]
    pages += [f"/documents/{one.id}" for one in documents(engine, packed)]

    def seen() -> str:
        return "".join(client.get(one).text for one in pages)

    assert (packed.undecided, plain.undecided, open_kinds(engine, assessment)) == (2, 0, False)
    assert (MAIL in seen(), KEY in seen(), "Training stays locked" in seen()) == (False, False, True)
    for prefix in ("", "/api/v1"):
        assert client.get(f"{prefix}/assessments/{assessment.id}/documents/export").status_code == 409

    address = f"/document-files/{packed.id}/decide"
    refused = client.post(address, data={"kind-key or token": "attest"})
    assert (refused.status_code, "Say why they may be kept" in refused.text) == (422, True)
    assert all(part in refused.text for part in ("<title>Error: ", "data-focus", '<option value="attest" selected>'))
    assert client.post(address, data={}).status_code == 422
    assert client.post(address, data={"kind-card number": "mask"}).status_code == 422
    client.post(address, data={"kind-key or token": "attest", "reason": "Expired", "kind-e-mail address": "mask"})
    job.read(claimed(packed.batch))

    held = b"".join(blobs.path(one.text_sha256).read_bytes() for one in documents(engine, packed) if one.text_sha256)
    assert (MAIL.encode() in held, KEY.encode() in held, b"Write to [e-mail address]" in held) == (False, True, True)
    assert open_kinds(engine, assessment) is None
    pages[5:] = [f"/documents/{one.id}" for one in documents(engine, packed)]
    assert (MAIL in seen(), KEY in seen(), "Every kind is decided" in seen()) == (False, True, True)
    taken = client.get(f"/assessments/{assessment.id}/documents/export")
    assert (taken.status_code, MAIL in taken.text) == (200, False)
    with reading(engine) as session:
        said = session.scalars(select(EntryRow).where(EntryRow.act == "documents.decide")).one().detail
        assert said["decisions"] == {"key or token": "attest", "e-mail address": "mask"}


def test_the_api_decides_too(client: TestClient, read: Add, engine: Engine, assessment: AssessmentRow) -> None:
    (row,) = read(("a.txt", TEXT))
    address = f"/api/v1/document-files/{row.id}/decisions"

    kept = client.post(
        address, json={"decisions": {"e-mail address": "attest", "key or token": "attest"}, "reason": "Ours"}
    )

    assert (kept.status_code, kept.json()["state"]) == (200, "ready")
    assert open_kinds(engine, assessment) is None
    assert client.post(address, json={"decisions": {"e-mail address": "burn"}}).status_code == 422
    client.post(f"/document-files/{row.id}/remove")
    assert client.post(address, json={"decisions": {"e-mail address": "mask"}}).status_code == 409


def read_again(engine: Engine, claim: Claim) -> None:
    job.read(claim)
    with writing(engine) as session:
        job_store.get(session, claim.job_id).status = Status.DONE


def letters(number: int) -> list[tuple[str, bytes]]:
    return [(f"{n}.txt", f"Ask {MAIL} or user{n}@help.example\n".encode()) for n in range(number)]


def test_one_decision_is_made_for_all_files(
    client: TestClient, read: Add, engine: Engine, assessment: AssessmentRow, claimed: Callable[[int], Claim]
) -> None:
    rows = read(*letters(4), ("key.txt", f"Use {KEY}".encode()), ("clean.txt", b"nothing"))
    first_batch = rows[0].batch
    others = read(("late.txt", f"Ask {MAIL}".encode()))
    address = f"/assessments/{assessment.id}/documents"
    client.post(f"/document-files/{rows[0].id}/decide", data={"kind-e-mail address": "mask"})
    read_again(engine, claimed(first_batch))

    page = client.get(address).text
    assert "a***@secretive-people.de" in page
    assert ("mask each value in 4 files" in page, "4 open" in page, "1 masked" in page) == (True, True, True)
    assert (MAIL in page, KEY in page) == (False, False)
    refused = client.post(f"{address}/decide", data={"kind-e-mail address": "attest", "reason": " "})
    assert (refused.status_code, "Say why they may be kept" in refused.text) == (422, True)
    assert '<option value="attest" selected>' in refused.text
    assert client.post(f"{address}/decide", data={"kind-card number": "mask"}).status_code == 422
    assert client.post(f"{address}/decide", data={}).status_code == 422

    sent = {"kind-e-mail address": "attest", "kind-key or token": "mask", "reason": "Our help desk"}
    assert client.post(f"{address}/decide", data=sent).status_code == 303

    with reading(engine) as session:
        files = {row.filename: row for row in store.files(session, assessment.id)}
        made = {name: {kind: one.action for kind, one in row.decisions.items()} for name, row in files.items()}
        said = session.scalars(select(EntryRow).where(EntryRow.act == "documents.decide").order_by(EntryRow.id)).all()
    assert made == {
        "0.txt": {"e-mail address": "mask"},  # what somebody chose for it is not undone
        **{f"{n}.txt": {"e-mail address": "attest"} for n in (1, 2, 3)},
        "key.txt": {"key or token": "mask"}, "clean.txt": {}, "late.txt": {"e-mail address": "attest"},
    }  # fmt: skip
    assert files["late.txt"].decisions["e-mail address"].reason == "Our help desk"
    assert (files["key.txt"].state, files["late.txt"].state, others[0].batch == first_batch) == (
        "reading", "ready", False,
    )  # fmt: skip
    told: Any = said[-1].detail
    assert (len(said), told["count"], told["files"][0]) == (2, 5, "1.txt")
    read_again(engine, claimed(first_batch))
    assert open_kinds(engine, assessment) is None
    assert "Every kind is decided" in client.get(address).text


def test_with_nothing_open_one_decision_changes_all_files(
    client: TestClient, read: Add, engine: Engine, assessment: AssessmentRow
) -> None:
    read(*letters(3))
    api = f"/api/v1/assessments/{assessment.id}/documents/decisions"
    kept = client.post(api, json={"decisions": {"e-mail address": "attest"}, "reason": "Ours"})

    masked = client.post(api, json={"decisions": {"e-mail address": "mask"}})

    assert [one["state"] for one in kept.json()["data"]] == ["ready"] * 3
    assert [one["state"] for one in masked.json()["data"]] == ["reading"] * 3
    assert client.post(api, json={"decisions": {"e-mail address": "mask"}}).status_code == 422
    assert client.post(api, json={"decisions": {"e-mail address": "burn"}}).status_code == 422
    assert client.post(api.replace(f"/{assessment.id}/", "/999/"), json={"decisions": {}}).status_code == 404


def test_values_of_a_document_are_shown_to_whoever_is_on_record(
    client: TestClient, read: Add, engine: Engine, people: Callable[[UserRow], TestClient]
) -> None:
    (row,) = read(("a.txt", TEXT))
    (one,) = documents(engine, row)
    address = f"/documents/{one.id}"

    closed, opened = client.get(address).text, client.post(f"{address}/open").text
    program = client.post(f"/api/v1{address}/open").json()

    assert (MAIL in closed, "Show the values" in closed) == (False, True)
    assert (MAIL in opened, "That you looked is on record." in opened) == (True, True)
    assert MAIL in program["text"]
    assert MAIL not in client.get(address).text
    with reading(engine) as session:
        entries = session.scalars(select(EntryRow).where(EntryRow.act == "documents.open")).all()
    assert [(entry.detail["name"], entry.subject_id) for entry in entries] == [("a.txt", row.id)] * 2
    assert MAIL not in str([entry.detail for entry in entries])


def test_files_read_before_there_were_hints_are_decided_all_the_same() -> None:
    file = DocumentFileRow(state="ready", decisions={}, private=[{"kind": "e-mail address", "count": 2, "lines": [1]}])

    (held,) = privacy.by_kind([(7, file)])

    assert (held.count, list(held.concerned), list(held.hints)) == (2, [7], [])
