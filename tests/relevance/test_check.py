"""The check of retrieval on a real index: right passages, recall, marks, and what programs and pages get of it."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.audit.tables import EntryRow
from app.blobs import Blobs
from app.datasets import store as dataset_store
from app.db import reading, writing
from app.errors import Conflict, Invalid
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Stopping
from app.relevance import job, service, store
from app.relevance.job import question_of
from app.retrieval import service as retrieval
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.corpus import TOWNS, Corpus, a_corpus
from tests.support.factories import Make
from tests.support.indexed import by_words
from tests.support.model_server import Body, Raw, serving

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
    assert client.get(f"/api/v1/retrieval-checks/{check.id}").json()["marked"] == 1
    shown = client.get(f"/assessments/{corpus.assessment.id}/retrieval/quality").text.partition('id="consent"')[0]
    beside = " ".join(shown.partition("Among the first")[2].partition("</p>")[0].split())
    assert "1 of these 24 rows was marked among passages that search had found" in beside

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


def test_a_passage_that_no_way_found_is_sought_by_hand_and_counts_as_missed(corpus: Corpus, people: People) -> None:
    corpus.index()
    check = corpus.check()
    client = people(corpus.author)
    rows = client.get(f"/api/v1/retrieval-checks/{check.id}/rows").json()["data"]
    [row] = [row for row in rows if row["to_mark"]]
    page = client.get(f"/retrieval-checks/{check.id}/mark?row={row['id']}&q=market+of+{TOWNS[3]}").text
    found = page.partition("None of these?")[2]
    assert f"The market of {TOWNS[3]} is held" in found
    chosen = int(found.partition('name="passage" value="')[2].partition('"')[0])
    assert chosen not in row["hits"]["lexical"]

    client.post(f"/retrieval-checks/{check.id}/mark", data={"row": row["id"], "passage": str(chosen)})
    got = client.get(f"/api/v1/retrieval-checks/{check.id}").json()
    assert (got["judged"], got["known_by"]["marked"], got["marked"]) == (24, 1, 0)  # nothing is flattered
    assert got["ways"][0]["recall"][-1]["share"] == pytest.approx(23 / 24)
    nothing = client.get(f"/retrieval-checks/{check.id}/mark?row={row['id']}&q=zebra").text
    assert "No other passage has these words." in nothing


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


def test_rows_go_to_a_server_that_embeds_only_with_consent_of_their_own(
    corpus: Corpus, people: People, make: Make
) -> None:
    """That documents may be sent was said when the index was built. A kill costs no question that came back."""
    client = people(corpus.author)
    api, page = f"/api/v1/assessments/{corpus.assessment.id}", f"/assessments/{corpus.assessment.id}"
    with serving(by_words) as embeds:
        server = {"kind": "endpoint", "base_url": embeds.url, "reference": "words", "files": {}}
        corpus.index(embedder=f"endpoint:{make.model(name='Embeds', purpose='embeddings', **server).id}")
        embeds.calls.clear()

        refused = client.post(f"{api}/retrieval-checks", json={})
        assert refused.json()["errors"] == [
            {"pointer": "#/consent", "detail": f"Confirm that rows may be sent to {urlsplit(embeds.url).netloc}."}
        ]
        unticked = client.post(f"{page}/retrieval/quality")
        assert unticked.status_code == 422
        assert "I may send rows to 127.0.0.1" in unticked.text
        assert not embeds.calls
        assert client.post(f"{page}/retrieval/quality", data={"consent": "on"}).status_code == 303
    with reading(corpus.engine) as session:
        noted = session.query(EntryRow).filter_by(act="retrieval.check").one().detail
    assert noted["sent_to"] == embeds.url


def test_a_killed_check_goes_on_with_the_rows_that_are_left(
    corpus: Corpus, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "AT_ONCE", 10)
    with serving(by_words) as embeds:
        server = {"kind": "endpoint", "base_url": embeds.url, "reference": "words", "files": {}}
        corpus.index(embedder=f"endpoint:{make.model(name='Embeds', purpose='embeddings', **server).id}")
        embeds.calls.clear()

        asked: list[str] = []

        def dies(body: Body) -> Raw:
            asked.extend(body["input"])
            if len(asked) > 12:
                corpus.claims[-1].stopping.set()
            return by_words(body)

        embeds.reply = dies
        with pytest.raises(Stopping):
            corpus.check()
        with reading(corpus.engine) as session:
            half = store.newest(session, corpus.assessment.id)
            assert half is not None
            assert half.done_at is None
            done = set(half.hits)
        embeds.calls.clear()
        embeds.reply = by_words
        corpus.run("check_retrieval", half.id, job.check)
        again = {text for call in embeds.calls for text in call.body["input"]}

    assert 0 < len(done) < 24
    with reading(corpus.engine) as session:
        check = store.check(session, half.id)
        assert check.done_at is not None
        assert len(check.hits) == 24
        left = {
            question_of(one) for one in dataset_store.rows(session, check.dataset_id, "dev") if str(one.id) not in done
        }
    assert left <= again
    assert len(again - left) <= 1, "but for one question on how long vectors are"
