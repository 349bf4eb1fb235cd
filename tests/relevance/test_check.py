"""The check of retrieval on a real index: right passages, recall, marks, and what programs and pages get of it."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.blobs import Blobs
from app.db import reading, writing
from app.errors import Conflict, Invalid
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.relevance import service
from app.retrieval import service as retrieval
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.corpus import TOWNS, Corpus, a_corpus
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]


@pytest.fixture
def corpus(make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, blobs: Blobs) -> Corpus:
    return a_corpus(make, engine, settings, queue, blobs, sources=[12], absent=[14])


def test_right_passages_are_found_and_each_way_is_judged(corpus: Corpus, people: People) -> None:
    with pytest.raises(Conflict, match="Build an index"):
        corpus.check()
    index = corpus.index()
    check = corpus.check()

    assert len(check.hits) == 24
    client = people(corpus.author)
    got = client.get(f"/api/v1/retrieval-checks/{check.id}").json()
    assert got["index_sha256"] == index.sha256
    assert (got["judged"], got["known_by"]) == (23, {"quotation": 22, "named": 1})  # the row without an answer is not
    [lexical] = got["ways"]
    assert lexical["recall"][2]["share"] == 1.0
    assert got["best"] == "lexical"
    page = client.get(f"/assessments/{corpus.assessment.id}/retrieval/quality").text
    assert "Lexical search finds a gold passage for 100 % of 23 dev rows" in page


def test_a_person_marks_what_no_program_found_and_it_holds_in_the_next_index(corpus: Corpus, people: People) -> None:
    corpus.index()
    check = corpus.check()
    client = people(corpus.author)
    page = client.get(f"/retrieval-checks/{check.id}/mark").text
    assert f"Who built the bridge of {TOWNS[14]}?" in page
    assert "0 of 1" in page
    rows = client.get(f"/api/v1/retrieval-checks/{check.id}/rows").json()["data"]
    [row] = [row for row in rows if row["to_mark"]]
    chosen = row["hits"]["lexical"][0]

    client.post(f"/retrieval-checks/{check.id}/mark", data={"row": row["id"], "passage": str(chosen)})
    assert "Every row here is marked" in client.get(f"/retrieval-checks/{check.id}/mark").text
    marked = client.get(f"/retrieval-checks/{check.id}/mark?row={row['id']}").text
    assert f"Marked by {corpus.author.name}" in marked
    assert client.get(f"/api/v1/retrieval-checks/{check.id}").json()["known_by"]["marked"] == 1

    other = corpus.index(size=60, titles=False)
    again = corpus.check()
    assert again.index_id == other.id
    gold = again.gold[str(row["id"])]
    assert gold["how"] == "marked"
    with reading(corpus.engine) as session:
        before = retrieval.passages(session, corpus.blobs, check.index_id, [chosen])[chosen]
        after = retrieval.passages(session, corpus.blobs, other.id, gold["passages"])[gold["passages"][0]]
    assert after.document_id == before.document_id
    assert before.text in after.text

    # Later words count: it is in none of the documents after all.
    path = f"/api/v1/retrieval-checks/{again.id}/rows/{row['id']}/gold"
    assert client.put(path, json={"passage_id": None}).status_code == 200
    assert client.get(f"/api/v1/retrieval-checks/{again.id}").json()["absent"] == 1


def test_only_dev_rows_can_be_marked(corpus: Corpus) -> None:
    corpus.index()
    check = corpus.check()
    test_row = max(int(row) for row in check.gold)
    assert str(test_row) not in check.hits
    with writing(corpus.engine) as session:
        jobs.bind(session, corpus.queue)
        with pytest.raises(Invalid):
            service.mark(session, corpus.blobs, check.id, test_row, 1, corpus.author)
        with pytest.raises(Invalid):
            service.mark(session, corpus.blobs, check.id, int(next(iter(check.hits))), 10_000, corpus.author)
