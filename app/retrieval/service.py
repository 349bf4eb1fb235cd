"""What people do with indexes, and how others ask them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from sqlalchemy.orm import Session

from app.assessments import own_servers
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.audit import service as audit
from app.blobs import Blobs
from app.db import utcnow
from app.documents import store as document_store
from app.documents.tables import DocumentRow
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.inference import embedding
from app.inference import service as models
from app.inference import store as model_store
from app.inference.embedding import Choice, Embedder
from app.inference.generator import Unusable
from app.inference.tables import ModelRow
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.privacy import decisions, masking
from app.retrieval import building, corpus, passage_file, splitting, store
from app.retrieval.lexical import Lexical
from app.retrieval.searching import Hit, Searcher
from app.retrieval.settings import WAYS, IndexSettings, Way, checked
from app.retrieval.splitting import Piece
from app.retrieval.tables import IndexRow
from app.retrieval.warm import WARM
from app.settings import Settings
from app.users.tables import UserRow

PREVIEWED = 200_000  # characters of a document that a preview splits
LONGEST_QUERY = 2000  # characters


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document. id: its number in the index, from 1. title: document and headings above it.

    start, end: characters of the document's text as it may be read, with values hidden that nobody decided to keep.
    """

    id: int
    document_id: int
    title: str
    text: str
    start: int
    end: int
    tokens: int = 0


# ---------------------------------------------------------------------- what others ask


def current(session: Session, assessment_id: int) -> IndexRow | None:
    """The newest ready index over the documents as they are today; None where there is none, or documents changed."""
    digest = corpus.digest(session, assessment_id)
    return store.ready(session, assessment_id, digest) if digest else None


@dataclass(frozen=True, slots=True)
class Hashes:
    """What passages come from now. corpus: of today's documents (`corpus.digest`); index: of the index over them, as
    `current` names it. None where there is none."""

    corpus: str | None = None
    index: str | None = None


def hashes(session: Session, assessment_ids: Collection[int]) -> dict[int, Hashes]:
    """The same for each of these assessments, in two queries for all of them."""
    corpora = corpus.digests(session, assessment_ids)
    indexes = store.ready_of(session, corpora) if corpora else {}
    return {one: Hashes(corpora.get(one), indexes.get(one)) for one in assessment_ids}


def searcher(
    settings: Settings,  # noqa: ARG001 - whoever opens an index has them, and a kept copy of its files would need them
    blobs: Blobs,
    index: IndexRow,
    embedder: Embedder | None = None,
) -> Searcher:
    """Open a ready index. embedder: needed for embedding and hybrid search, and has to be the one that built it.

    Raises:
        Conflict: the index is not ready, or the embedder is another one.
        Damaged: one of its files is missing.
    """
    _see_that_it_is_ready(index)
    files = {
        role.removeprefix(building.LEXICAL): _path(blobs, sha256)
        for role, sha256 in index.files.items()
        if role.startswith(building.LEXICAL)
    }
    lexical = Lexical(files)
    if index.embedder is None or embedder is None:
        return Searcher(lexical)
    if embedder.digest != index.embedder["digest"]:
        raise Conflict(
            f"The embedding model {index.embedder['name']} is another one now than when the index was built. "
            "Build the index again."
        )
    vectors = building.vectors(_path(blobs, index.files[building.VECTORS]), index.embedder["dimensions"])
    return Searcher(lexical, vectors, embedder)


def _see_that_it_is_ready(index: IndexRow) -> None:
    if index.state != "ready":
        raise Conflict("This index is not built yet.")


def _path(blobs: Blobs, sha256: str) -> Path:
    blobs.open(sha256).close()  # says so where it is missing
    return blobs.path(sha256)


def passages(session: Session, blobs: Blobs, index_id: int, ids: Iterable[int]) -> dict[int, Passage]:
    """Passages of a ready index by their ids; ids that it does not have are left out.

    Raises:
        NotFound: there is no such index.
        Conflict: it is not ready.
        Damaged: one of its files is missing.
    """
    index = store.get(session, index_id)
    _see_that_it_is_ready(index)
    with (
        blobs.open(index.files[building.LINES]) as lines,
        blobs.open(index.files[building.OFFSETS]) as offsets,
        blobs.open(index.files["documents"]) as of,
    ):
        document_ids: list[int] = orjson.loads(of.read())
        return {
            one.id: Passage(one.id, document_ids[one.document - 1], one.title, one.text, one.start, one.end, one.tokens)
            for one in passage_file.read(lines, offsets, ids)
        }


def texts(session: Session, blobs: Blobs, document_ids: Iterable[int]) -> Iterator[tuple[DocumentRow, str]]:
    """Whole documents in this order, with values hidden that nobody decided to keep.

    Raises:
        NotFound: there is no such document.
        Damaged: a text is missing.
    """
    for number in document_ids:
        row, file = document_store.document(session, number)
        yield row, corpus.source_of(row, masking.masker(decisions.actions(file.decisions))).text(blobs)


# ---------------------------------------------------------------------- embedding models


def choices(session: Session, settings: Settings, assessment: AssessmentRow) -> list[Choice]:
    """The embedding models that an index can be built with; `missing` says why one cannot be used here."""
    offered = embedding.local_choices(settings)
    for model in model_store.for_embeddings(session):
        if model.kind == "endpoint":
            where = urlsplit(model.base_url).netloc
            why = f"{model.reference} at {where}: every passage is sent there, and every question."
            offered.append(
                Choice(f"endpoint:{model.id}", model.name, why, own_servers.against_sending(assessment, model))
            )
    return offered


def endpoint_model(session: Session, choice: str) -> ModelRow | None:
    """The row of the server that a choice names; None for models of this machine, and for none."""
    number = embedding.model_id(choice)
    return model_store.get(session, number) if number is not None else None


# ---------------------------------------------------------------------- building


def order(
    session: Session,
    settings: Settings,
    assessment_id: int,
    by: UserRow,
    wanted: IndexSettings,
    *,
    consent: bool = False,
) -> IndexRow:
    """Have an index built over the documents as they are. consent: that they may be sent to the chosen server.

    Raises:
        NotFound: there is no such assessment.
        Conflict: there is nothing to index, documents are still being read, or an index is being built.
        Invalid: the settings cannot be used, or a server was chosen without consent; all faults at once.
    """
    assessment = assessment_store.opened(session, assessment_id)
    faults: list[FieldError] = []
    try:
        checked(wanted)
    except Invalid as refusal:
        faults += refusal.errors
    model = _chosen(session, settings, assessment, wanted.embedder, consent, faults)
    if faults:
        raise Invalid("The index can't be built like this.", faults)
    if document_store.size(session, assessment_id).reading:
        raise Conflict("Documents are still being read. Build the index when all of them are.")
    digest = corpus.digest(session, assessment_id)
    if digest is None:
        raise Conflict("There are no documents with text. Add documents first.")
    before = store.newest(session, assessment_id)
    if before is not None and job_store.find_open(session, "index", before.id):
        raise Conflict("An index is being built. Wait until it is over, or cancel it.")
    row = IndexRow(
        assessment_id=assessment_id,
        settings=wanted,
        corpus_sha256=digest,
        created_by=by.id,
        created_at=utcnow(),
    )
    session.add(row)
    session.flush()
    assessments.contribute(session, assessment, by, "retrieval index", changed=False)
    detail = {"index": row.id, "settings": wanted.to_json()}
    if model is not None:
        detail["sent_to"] = model.base_url
    audit.record(session, by, "retrieval.build", "assessment", assessment_id, detail)
    _put_in_line(session, row, by)
    return row


def _chosen(
    session: Session,
    settings: Settings,
    assessment: AssessmentRow,
    choice: str,
    consent: bool,
    faults: list[FieldError],
) -> ModelRow | None:
    """The server that was chosen, if one was."""
    if not choice:
        return None
    offer = next((offer for offer in choices(session, settings, assessment) if offer.key == choice), None)
    if offer is None:
        faults.append(FieldError("#/embedder", "Choose one of the embedding models."))
        return None
    if offer.missing:
        faults.append(FieldError("#/embedder", offer.missing))
    model = endpoint_model(session, choice)
    if model is not None and not consent and not offer.missing:
        host = urlsplit(model.base_url).netloc
        faults.append(FieldError("#/consent", f"Confirm that the documents may be sent to {host}."))
    return model


def build_again(session: Session, index_id: int, by: UserRow) -> JobRow:
    """Go on with a build that was cancelled or failed; what is whole of it is not done again.

    Raises:
        NotFound: there is no such index.
        Conflict: it is built, or its build is under way.
    """
    row = store.get(session, index_id)
    assessment = assessment_store.opened(session, row.assessment_id)
    session.refresh(row)
    if row.state == "ready":
        raise Conflict("This index is built.")
    if row is not store.newest(session, row.assessment_id):
        raise Conflict("Another index was built since. Build a new one.")
    assessments.contribute(session, assessment, by, "retrieval index", changed=False)
    return _put_in_line(session, row, by)


def _put_in_line(session: Session, row: IndexRow, by: UserRow) -> JobRow:
    choice = row.settings.embedder
    loads_weights = bool(choice) and embedding.model_id(choice) is None
    return jobs.add(
        session,
        "index",
        row.id,
        by.id,
        assessment_id=row.assessment_id,
        title="Build the retrieval index",
        queue="model" if loads_weights else "cpu",
    )


@dataclass(frozen=True, slots=True)
class Overview:
    """Where retrieval stands for an assessment.

    newest: the index ordered last, with its last job; index: the ready one that is searched, if any; stale: whether
    documents changed since it was built.
    """

    newest: IndexRow | None
    job: JobRow | None
    index: IndexRow | None
    stale: bool


def overview(session: Session, assessment_id: int) -> Overview:
    """Where retrieval stands: the index over today's documents, else the last one that was built."""
    newest = store.newest(session, assessment_id)
    job = job_store.latest(session, "index", newest.id) if newest else None
    index = current(session, assessment_id)
    if index is not None:
        return Overview(newest, job, index, stale=False)
    index = store.ready(session, assessment_id)
    return Overview(newest, job, index, stale=index is not None)


def preview(
    session: Session, blobs: Blobs, assessment_id: int, document_id: int, wanted: IndexSettings, most: int
) -> tuple[list[Piece], bool]:
    """The first passages that a document would make, and whether it would make more. Nothing is kept.

    Raises:
        NotFound: there is no such document with a text in this assessment.
        Invalid: the settings cannot be used.
    """
    checked(wanted)
    row, file = document_store.document(session, document_id)
    if file.assessment_id != assessment_id or row.text_sha256 is None:
        raise NotFound("There is no such document with a text here.")
    source = corpus.source_of(row, masking.masker(decisions.actions(file.decisions)))
    text = source.text(blobs, PREVIEWED)
    pieces = list(islice(splitting.split(text, source.kind, source.title, wanted), most + 1))
    return pieces[:most], len(pieces) > most or source.characters > PREVIEWED


# ---------------------------------------------------------------------- trying by hand


@dataclass(frozen=True, slots=True)
class Tried:
    """What each way finds for one question. marked: terms to mark in what was found.

    against: why only words are searched, empty where every way is.
    """

    hits: Mapping[Way, Sequence[Hit]]
    passages: Mapping[int, Passage]
    marked: frozenset[str]
    against: str = ""


def search(
    session: Session, settings: Settings, blobs: Blobs, index: IndexRow, query: str, ways: Sequence[Way], k: int
) -> Tried:
    """Look for one question in the given ways; where the embedding model cannot be had, by words alone.

    Raises:
        Conflict: the index is not ready.
        Invalid: the question is blank or too long.
    """
    if not query.strip() or len(query) > LONGEST_QUERY:
        text = f"Type a question of up to {LONGEST_QUERY:,} characters."
        raise Invalid("Nothing was searched for.", [FieldError("#/query", text)])
    ways = [way for way in WAYS if way in ways and way in index.ways]
    against = ""
    try:
        with _embedder(session, settings, index, ways) as embedder:
            opened = searcher(settings, blobs, index, embedder)
            hits = opened.every_way(query, ways, k)
    except (Unusable, Conflict) as error:
        _see_that_it_is_ready(index)
        against = str(error)
        opened = searcher(settings, blobs, index)
        hits = opened.every_way(query, ["lexical"], k)
    wanted = {hit.passage_id for listed in hits.values() for hit in listed}
    return Tried(hits, passages(session, blobs, index.id, sorted(wanted)), opened.telling(query), against)


@contextmanager
def _embedder(session: Session, settings: Settings, index: IndexRow, ways: Sequence[Way]) -> Iterator[Embedder | None]:
    if index.embedder is None or not {"embedding", "hybrid"}.intersection(ways):
        yield None
        return
    choice = index.settings.embedder
    model = endpoint_model(session, choice)
    if against := own_servers.against_sending(assessment_store.get(session, index.assessment_id), model):
        raise Conflict(against)
    if model is None:
        with WARM.embedder(choice, lambda: embedding.embedder(settings, choice)) as embedder:
            yield embedder
        return
    with closing(models.embedding_endpoint(settings, model, patient=False)) as embedder:  # a page does not wait
        yield embedder
