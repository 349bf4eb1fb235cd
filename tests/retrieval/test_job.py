"""Indexes built by the job over documents that were really read: what is in them, kills, changes, privacy."""

import hashlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest

from app.blobs import Damaged
from app.db import reading, writing
from app.documents import service as documents
from app.errors import Conflict, Invalid
from app.inference import embedding
from app.inference.tables import ModelRow
from app.jobs import service as jobs
from app.jobs.claims import Cancelled, Failed, Stopping
from app.jobs.progress import Progress
from app.jobs.tables import JobRow, Status
from app.retrieval import building, job, service, store
from app.retrieval.settings import IndexSettings
from app.retrieval.tables import IndexRow
from app.retrieval.warm import WARM
from tests.support.indexed import DIMENSIONS, Indexing, by_words
from tests.support.model_server import Body, ModelServer, Raw
from tests.support.processes import Process, until


def current(indexing: Indexing) -> IndexRow | None:
    with reading(indexing.engine) as session:
        return service.current(session, indexing.assessment.id)


def all_passages(indexing: Indexing, row: IndexRow) -> list[service.Passage]:
    with reading(indexing.engine) as session:
        return list(service.passages(session, indexing.blobs, row.id, range(1, row.passages + 1)).values())


def with_server(model: ModelRow, **more: Any) -> IndexSettings:
    return IndexSettings(embedder=f"endpoint:{model.id}", **more)


def test_an_index_names_everything_that_it_is_made_of(corpus: Indexing) -> None:
    row = corpus.build()

    assert (row.state, row.documents, row.passages, row.ways) == ("ready", 2, 5, ("lexical",))
    assert row.sha256 is not None
    manifest = corpus.blobs.path(row.sha256).read_bytes()
    assert hashlib.sha256(manifest).hexdigest() == row.sha256
    said = orjson.loads(manifest)
    assert said["settings"] == {"size": 200, "overlap": 20, "titles": True, "embedder": ""}
    assert said["passages"] == row.files["passages"]
    assert all(corpus.blobs.intact(sha256) for sha256 in row.files.values())
    made = all_passages(corpus, row)
    assert [one.title.rpartition("\u203a ")[2] for one in made] == [
        "Shop manual", "Opening hours", "Refunds", "Printer", "notes",
    ]  # fmt: skip
    assert sum(one.tokens for one in made) == row.tokens
    now = current(corpus)
    assert now is not None
    assert now.id == row.id
    (hits,) = service.searcher(corpus.settings, corpus.blobs, row).search(["When is a refund paid?"], "lexical", 5)
    assert made[hits[0].passage_id - 1].title == "Shop manual \u203a Refunds"
    # The same documents and settings make the same index; other settings another one.
    again, other = corpus.build(), corpus.build(IndexSettings(size=100))
    assert again.sha256 == row.sha256 != other.sha256
    with reading(corpus.engine) as session:
        assert service.passages(session, corpus.blobs, row.id, [0, 2, 99, -1]).keys() == {2}


def test_the_three_ways_over_a_server_that_embeds(corpus: Indexing, model: ModelRow, embeds: ModelServer) -> None:
    row = corpus.build(with_server(model))

    assert row.ways == ("lexical", "embedding", "hybrid")
    assert row.embedder is not None
    assert row.embedder["dimensions"] == DIMENSIONS
    sent = [text for call in embeds.calls for text in call.body["input"]]
    assert any(text.startswith("Shop manual \u203a Refunds\nA refund is paid") for text in sent)
    with reading(corpus.engine) as session:
        tried = service.search(session, corpus.settings, corpus.blobs, row, "closed on Sundays", row.ways, 3)
    assert not tried.against
    assert set(tried.hits) == {"lexical", "embedding", "hybrid"}
    assert {tried.passages[hits[0].passage_id].title for hits in tried.hits.values()} == {
        "Shop manual \u203a Opening hours"
    }
    # A server that is another one now is not searched with; words still are.
    with writing(corpus.engine) as session:
        session.get_one(ModelRow, model.id).reference = "another"
    with reading(corpus.engine) as session:
        tried = service.search(session, corpus.settings, corpus.blobs, row, "closed on Sundays", row.ways, 3)
    assert set(tried.hits) == {"lexical"}
    assert "Build the index again" in tried.against


@pytest.mark.deep  # 90 MB of weights are read and hashed in a process that loads torch, twice
@pytest.mark.torch
def test_the_bundled_model_finds_what_shares_no_word(indexing: Indexing, warm_children: None) -> None:
    indexing.add(
        ("a.md", b"## Account\n\nTo change a forgotten passphrase, follow the link.\n\n## Food\n\nBananas are yellow.")
    )
    row = indexing.build(IndexSettings(embedder="minilm"))

    with reading(indexing.engine) as session:
        tried = service.search(session, indexing.settings, indexing.blobs, row, "reset login secret", row.ways, 2)
    WARM.close()

    assert not tried.against
    assert tried.hits["lexical"] == []
    assert [tried.passages[tried.hits[way][0].passage_id].text[:9] for way in ("embedding", "hybrid")] == [
        "To change"
    ] * 2


def test_what_is_masked_is_masked_and_what_nobody_decided_on_is_hidden(indexing: Indexing) -> None:
    (file,) = indexing.add(("people.md", b"# Contact\n\nWrite to jane.doe@example.com or call the office."))

    def texts() -> tuple[str, bool]:
        row = indexing.build()
        return " ".join(one.text for one in all_passages(indexing, row)), row.passages == 1

    def decide(action: str) -> None:
        with writing(indexing.engine) as session:
            jobs.bind(session, indexing.queue)
            documents.decide(session, file.id, indexing.me, {"e-mail address": action}, "made up")
        with reading(indexing.engine) as session:
            waiting = session.get_one(type(file), file.id).state == "reading"
        if waiting:
            indexing.read(file.batch)

    hidden = texts()
    assert hidden == ("Write to [e-mail address] or call the office.", True)
    decide("attest")
    assert current(indexing) is None
    assert texts()[0] == "Write to jane.doe@example.com or call the office."
    kept = current(indexing)
    decide("mask")
    now = current(indexing)
    assert kept is not None
    assert now is None or now.id < kept.id  # over the very texts of the first one
    assert texts() == hidden


def test_documents_that_change_make_an_index_stale(corpus: Indexing) -> None:
    row = corpus.build()
    (added,) = corpus.add(("more.txt", b"One more."))

    assert current(corpus) is None
    with reading(corpus.engine) as session:
        now = service.overview(session, corpus.assessment.id)
    assert now.stale
    assert now.index is not None
    assert now.index.id == row.id
    with writing(corpus.engine) as session:
        documents.remove(session, added.id, corpus.me)
    again = current(corpus)
    assert again is not None
    assert again.id == row.id


class Killed(Exception):
    """The process is gone."""


@pytest.mark.parametrize("stage", [building.SPLITTING, building.WORDS, building.MEANING, building.STORING])
def test_a_killed_build_goes_on_and_is_never_half_ready(
    corpus: Indexing, model: ModelRow, embeds: ModelServer, stage: str
) -> None:
    """A process that ends at any stage leaves nothing that is ready; the next attempt ends with the very same index."""
    wanted = with_server(model)
    whole = corpus.build(wanted)
    embeds.calls.clear()
    row = corpus.order(wanted)
    claim = corpus.claim("index", row.id)
    report = claim.report

    def killed(progress: Progress, *, now: bool = False) -> None:
        report(progress, now=now)
        if progress["stage"] == stage:
            raise Killed

    claim.report = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        job.build(claim)
    with reading(corpus.engine) as session:
        assert store.get(session, row.id).state == "building"
        with pytest.raises(Conflict, match="not built yet"):
            service.passages(session, corpus.blobs, row.id, [1])
    embedded = sum(len(call.body["input"]) for call in embeds.calls)

    corpus.do(corpus.claim("index", row.id), job.build)

    with reading(corpus.engine) as session:
        again = store.get(session, row.id)
    assert (again.state, again.sha256, again.files) == ("ready", whole.sha256, whole.files)
    if stage == building.STORING:  # no passage was embedded twice; the server was only asked how long its vectors are
        assert sum(len(call.body["input"]) for call in embeds.calls) == embedded + 1
    assert not list((corpus.settings.data / job.FOLDER).iterdir())


def test_vectors_that_are_whole_are_kept_over_a_kill(
    corpus: Indexing, model: ModelRow, embeds: ModelServer, tmp_path: Any
) -> None:
    text = "\n\n".join(f"## Part {number}\n\nWords of number {number}." for number in range(building.AT_ONCE * 2 + 3))
    corpus.add(("long.md", text.encode()))
    row = corpus.order(with_server(model))
    claim = corpus.claim("index", row.id)
    asked: list[str] = []

    def reply(body: Body) -> Raw:
        asked.extend(body["input"])
        if len(asked) > building.AT_ONCE + 100:
            claim.stopping.set()
        return by_words(body)

    def reply_on(body: Body) -> Raw:
        asked.extend(body["input"])
        return by_words(body)

    embeds.reply = reply
    with pytest.raises(Stopping):
        job.build(claim)
    before = len(asked)
    folder = corpus.settings.data / job.FOLDER / str(row.id)
    done, _ = orjson.loads((folder / "embedded").read_bytes())
    embeds.reply = reply_on

    corpus.do(corpus.claim("index", row.id), job.build)

    assert done in (building.AT_ONCE, 2 * building.AT_ONCE)  # what was under way at the stop may come in time, whole
    with reading(corpus.engine) as session:
        ready = store.get(session, row.id)
    assert ready.passages == building.AT_ONCE * 2 + 8
    again = set(asked[before:])  # what was under way at the kill may come late, and is among them
    assert len(again) == ready.passages - done + 1  # and one question how long vectors are
    vectors = building.vectors(corpus.blobs.path(ready.files["vectors"]), DIMENSIONS)
    assert vectors.shape == (ready.passages, DIMENSIONS)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_cancelled_build_can_be_taken_up(corpus: Indexing) -> None:
    row = corpus.order()
    claim = corpus.claim("index", row.id)
    with writing(corpus.engine) as session:
        jobs.cancel(session, claim.job_id, corpus.me)
    with pytest.raises(Cancelled):
        job.build(claim)
    with writing(corpus.engine) as session:
        session.get_one(JobRow, claim.job_id).status = Status.CANCELLED
        jobs.bind(session, corpus.queue)
        service.build_again(session, row.id, corpus.me)
    corpus.do(corpus.claim("index", row.id), job.build)

    now = current(corpus)
    assert now is not None
    assert now.id == row.id
    with writing(corpus.engine) as session, pytest.raises(Conflict, match="is built"):
        service.build_again(session, row.id, corpus.me)


@pytest.mark.parametrize(
    ("wanted", "consent", "fields"),
    [
        (IndexSettings(size=10, overlap=9), True, {"size", "overlap"}),
        (IndexSettings(embedder="endpoint:999"), True, {"embedder"}),
        (IndexSettings(embedder="nonsense"), True, {"embedder"}),
    ],
)
def test_orders_that_cannot_be_carried_out(
    corpus: Indexing, wanted: IndexSettings, consent: bool, fields: set[str]
) -> None:
    with pytest.raises(Invalid) as refused:
        corpus.order(wanted, consent=consent)

    assert {error.field for error in refused.value.errors} == fields


def test_a_server_gets_nothing_without_consent_or_against_the_answer(
    corpus: Indexing, model: ModelRow, make: Any
) -> None:
    with pytest.raises(Invalid) as refused:
        corpus.order(with_server(model), consent=False)
    away = {"base_url": "https://api.example.org/v1", "purpose": "embeddings"}
    elsewhere = make.model(kind="endpoint", reference="e", files={}, **away)
    with pytest.raises(Invalid, match="can't be built") as against:
        corpus.order(with_server(elsewhere))

    assert [error.field for error in refused.value.errors] == ["consent"]
    assert "may not leave your own servers" in against.value.errors[0].detail


def test_nothing_to_index_is_said(indexing: Indexing) -> None:
    with pytest.raises(Conflict, match="no documents with text"):
        indexing.order()
    indexing.add(("signs.txt", b"--- ... ---"))
    row = indexing.order(IndexSettings(titles=False))
    with pytest.raises(Failed, match="hold no words"):
        job.build(indexing.claim("index", row.id))
    with pytest.raises(Conflict, match="is being built"):
        indexing.order()


def test_a_file_that_went_missing_is_named(corpus: Indexing) -> None:
    row = corpus.build()
    corpus.blobs.path(row.files["lexical/data.csc.index.npy"]).unlink()

    with pytest.raises(Damaged, match="missing"):
        service.searcher(corpus.settings, corpus.blobs, row)


def test_another_embedder_than_the_one_that_built_it_is_refused(corpus: Indexing, model: ModelRow) -> None:
    row = corpus.build(with_server(model))
    with writing(corpus.engine) as session:
        session.get_one(ModelRow, model.id).reference = "another"
    with reading(corpus.engine) as session:
        embedder = embedding.embedder(
            corpus.settings, row.settings.embedder, service.endpoint_model(session, row.settings.embedder)
        )
    with pytest.raises(Conflict, match="another one now"):
        service.searcher(corpus.settings, corpus.blobs, row, embedder)
    embedder.close()


@pytest.mark.worker
@pytest.mark.deep
@pytest.mark.long("two real workers start, one after the other")
def test_kill_9_of_the_worker_that_builds_an_index_costs_what_was_in_flight(
    corpus: Indexing, model: ModelRow, embeds: ModelServer, worker: Callable[..., Process]
) -> None:
    whole = corpus.build(with_server(model))
    parts = [f"## Part {number}\n\nWords of number {number}." for number in range(building.AT_ONCE * 2 + 3)]
    corpus.add(("long.md", "\n\n".join(parts).encode()))
    row = corpus.order(with_server(model))
    asked: list[str] = []
    killed = threading.Event()

    def reply(body: Body) -> Raw:
        if len(asked) > building.AT_ONCE + 100:
            killed.wait(60)
        asked.extend(body["input"])
        return by_words(body)

    embeds.reply = reply
    first = worker(corpus.settings, slot="a")
    until(lambda: len(asked) > building.AT_ONCE + 100)
    folder = corpus.settings.data / job.FOLDER / str(row.id)
    until((folder / "embedded").exists)
    first.kill()
    before = len(asked)
    killed.set()
    with reading(corpus.engine) as session:
        assert store.get(session, row.id).state == "building"
        assert service.current(session, corpus.assessment.id) is None, "nothing half-done is searched"

    worker(corpus.settings, slot="b")

    def ready() -> bool:
        with reading(corpus.engine) as session:
            return store.get(session, row.id).state == "ready"

    until(ready, 90)
    with reading(corpus.engine) as session:
        made = store.get(session, row.id)
    assert made.passages == building.AT_ONCE * 2 + 8
    assert len(set(asked[before:])) <= made.passages - building.AT_ONCE + 1, "whole blocks of vectors are kept"
    assert made.sha256 != whole.sha256
