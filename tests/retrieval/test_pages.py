"""The page of retrieval and its API: every state, settings that cannot be used, questions tried by hand."""

import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from app.db import writing
from app.documents.tables import DocumentRow
from app.inference.tables import ModelRow
from app.jobs import store as job_store
from app.jobs.tables import Status
from app.retrieval import job
from app.retrieval.settings import IndexSettings
from app.users.tables import UserRow
from tests.support.indexed import Indexing
from tests.support.model_server import ModelServer


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


@pytest.fixture
def at(indexing: Indexing) -> str:
    return f"/assessments/{indexing.assessment.id}/retrieval"


def text(client: TestClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())


def test_the_page_says_where_retrieval_stands(client: TestClient, at: str, indexing: Indexing) -> None:
    assert "There are no documents to search." in text(client, at)
    (file,) = indexing.add(("a.md", b"# Hours\n\nThe shop opens at nine."))
    assert "The documents are not indexed yet." in text(client, at)
    assert client.post(at, data={"size": "100", "overlap": "10", "titles": "on", "embedder": ""}).status_code == 303
    assert "The index waits to be built" in text(client, at)
    row_id = client.get(f"/api/v1{at}").json()["newest"]["id"]
    claim = indexing.claim("index", row_id)
    with writing(indexing.engine) as session:
        failed = job_store.get(session, claim.job_id)
        failed.status, failed.failure = Status.FAILED, "The disk is full."
    assert "the job failed. The disk is full. Resume build" in text(client, at)
    assert client.post(f"/retrieval-indexes/{row_id}/build").status_code == 303
    indexing.do(indexing.claim("index", row_id), job.build)
    ready = text(client, at)
    assert "1 passage of 1 document can be searched." in ready
    assert "up to 100 tokens a passage, 10 repeated, headings searched" in ready
    (more,) = indexing.add(("b.md", b"# Refunds\n\nA refund takes two weeks."))
    assert "no new measurement uses it. Rebuild index" in text(client, at)  # one of words, without an embedding model
    for one in (file, more):
        client.post(f"/document-files/{one.id}/remove")
    assert "The documents changed since this index was built." in text(client, at)
    assert "There is no document" not in text(client, at)


def test_a_form_that_cannot_be_used_comes_back_filled(client: TestClient, at: str, corpus: Indexing) -> None:
    answer = client.post(at, data={"size": "7", "overlap": "x", "embedder": "minilm"})

    assert answer.status_code == 422
    assert 'value="7"' in answer.text
    assert "Type a whole number of tokens." in answer.text
    assert client.get(f"/api/v1{at}").json()["newest"] is None


def test_a_preview_shows_the_passages_and_builds_nothing(client: TestClient, at: str, corpus: Indexing) -> None:
    with writing(corpus.engine) as session:
        document = session.query(DocumentRow).filter_by(name="manual.md").one()
    sent = {"size": "40", "overlap": "0", "titles": "on", "embedder": "", "document": str(document.id)}

    page = client.post(f"{at}/preview", data=sent)
    by_api = client.get(f"/api/v1{at}/preview", params={"document_id": document.id, "size": 40, "overlap": 0}).json()

    assert page.status_code == 200
    assert "A refund is paid within fourteen days." in page.text
    assert [one["title"] for one in by_api["data"]][:2] == ["Shop manual", "Shop manual \u203a Opening hours"]
    assert client.get(f"/api/v1{at}").json()["newest"] is None
    assert client.get(f"/api/v1{at}/preview", params={"document_id": 9999}).status_code == 404
    assert client.get(f"/api/v1{at}/preview", params={"document_id": document.id, "size": 9}).status_code == 422


def test_a_question_is_tried_in_every_way(
    client: TestClient, at: str, corpus: Indexing, model: ModelRow, embeds: ModelServer
) -> None:
    assert client.get(f"/api/v1{at}/search", params={"query": "x"}).status_code == 409
    row = corpus.build(IndexSettings(embedder=f"endpoint:{model.id}"))

    page = client.get(at, params={"q": "When is a refund paid?", "k": 3}).text
    by_api = client.get(f"/api/v1{at}/search", params={"query": "When is a refund paid?", "k": 3}).json()

    assert [name in page for name in ("Lexical search", "Embedding search", "Hybrid search")] == [True] * 3
    assert '<mark class="sought">refund</mark>' in page
    assert by_api["sha256"] == row.sha256
    assert not by_api["stale"]
    assert by_api["ways"].keys() == {"lexical", "embedding", "hybrid"}
    assert {hits[0]["passage"]["title"] for hits in by_api["ways"].values()} == {"Shop manual \u203a Refunds"}
    for way, hits in by_api["ways"].items():
        alone = client.get(f"/api/v1{at}/search", params={"query": "When is a refund paid?", "way": way, "k": 3})
        assert alone.json()["ways"] == {way: hits}
    embeds.close()
    away = client.get(f"/api/v1{at}/search", params={"query": "printer"}).json()
    assert away["ways"].keys() == {"lexical"}
    assert away["against"]


def test_indexes_are_built_and_read_by_programs(client: TestClient, at: str, corpus: Indexing) -> None:
    address = f"/api/v1/assessments/{corpus.assessment.id}/retrieval-indexes"
    wrong = client.post(address, json={"size": 5, "embedder": "nonsense"})
    made = client.post(address, json={"size": 120})
    twice = client.post(address, json={})
    row = made.json()
    corpus.do(corpus.claim("index", row["id"]), job.build)

    assert wrong.status_code == 422
    assert {error["pointer"] for error in wrong.json()["errors"]} == {"#/size", "#/overlap", "#/embedder"}
    assert (made.status_code, row["state"], row["overlap"]) == (202, "building", 20)
    assert client.get(f"/api/v1/jobs/{row['job_id']}").json()["status"] == "done"
    assert twice.status_code == 409
    now = client.get(f"/api/v1{at}").json()
    assert (now["index"]["id"], now["index"]["passages"], now["stale"]) == (row["id"], 5, False)
    assert {choice["key"] for choice in now["embedders"]} >= {"minilm", "multilingual"}
    first = client.get(f"/api/v1/retrieval-indexes/{row['id']}/passages", params={"limit": 2}).json()
    rest = client.get(f"/api/v1/retrieval-indexes/{row['id']}/passages", params={"after": 2}).json()
    assert ([one["id"] for one in first["data"]], first["has_more"]) == ([1, 2], True)
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([3, 4, 5], False)
    assert client.get(address).json()["data"][0]["sha256"] == now["index"]["sha256"]
    assert client.post(f"/api/v1/retrieval-indexes/{row['id']}/build").status_code == 409
    assert "Passages 5" in text(client, f"/retrieval-indexes/{row['id']}/passages")
    assert "ordered a retrieval index" in text(client, f"/assessments/{corpus.assessment.id}")


def test_text_of_strangers_is_text(client: TestClient, at: str, indexing: Indexing) -> None:
    indexing.add(("x.md", b"# <img src=x onerror=alert(1)>\n\n<script>alert(2)</script> beans"))
    indexing.build()

    page = client.get(at, params={"q": "beans <script>"}).text

    assert "<img src=x" not in page
    assert "<script>alert(2)" not in page
    assert "&lt;" in page
