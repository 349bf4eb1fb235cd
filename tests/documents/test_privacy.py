"""Personal data in documents: told by line, hidden on pages, decided before training."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.blobs import Blobs
from app.db import reading
from app.documents import job, privacy, service, store
from app.documents.tables import DocumentFileRow, DocumentRow
from app.jobs.claims import Claim
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
        {"kind": "e-mail address", "count": 3, "lines": [1, 3, 6]},
        {"kind": "key or token", "count": 1, "lines": [5]},
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
