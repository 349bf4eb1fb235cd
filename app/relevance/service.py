"""Right passages of rows as they are known now, how well each way finds them, and what people mark."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from app.assessments import own_servers
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.audit import service as audit
from app.blobs import Blobs
from app.datasets import store as dataset_store
from app.datasets.checks import same_rows
from app.datasets.store import Example
from app.datasets.tables import DatasetRow
from app.db import utcnow
from app.documents import store as document_store
from app.errors import Conflict, FieldError, Invalid
from app.inference import embedding
from app.inference.tables import ModelRow
from app.jobs import service as jobs
from app.jobs.tables import JobRow
from app.relevance import ranking, store
from app.relevance.gold import Gold, Piece
from app.relevance.ranking import Choice, Judged, Ranking
from app.relevance.tables import PassageMarkRow, RetrievalCheckRow
from app.retrieval import service as retrieval
from app.retrieval.searching import Searcher
from app.retrieval.service import Passage
from app.retrieval.settings import Way
from app.retrieval.tables import IndexRow
from app.settings import Settings
from app.users.tables import UserRow

TO_MARK = 30  # dev rows that a person is asked to mark: tells 60 % from 85 %, and takes some ten minutes
PASSAGES_AT_ONCE = 1000  # that are held while all of an index are looked through
CANDIDATES = 5  # of each way that are put before a person
SOUGHT = 10  # passages of a person's own search


def key_of(example: Example) -> int:
    """What a row asks, by which a mark of it is known again."""
    return same_rows.key_of([turn.to_json() for turn in example.messages])


# ---------------------------------------------------------------------- searching


@contextmanager
def opened(
    settings: Settings, session: Session, blobs: Blobs, index: IndexRow, way: Way | None = None
) -> Iterator[Searcher]:
    """An index ready for all of its ways, or for one, with the model that made its vectors where that takes one; it is
    let go of at the end.

    Raises:
        Unusable: the model cannot be had.
        Conflict: the index is not ready, or its questions may not be sent to the server that embeds them.
    """
    choice = index.settings.embedder
    if not choice or way == "lexical":
        yield retrieval.searcher(settings, blobs, index)
        return
    model = retrieval.endpoint_model(session, choice)
    if against := own_servers.against_sending(assessment_store.get(session, index.assessment_id), model):
        raise Conflict(against)
    embedder = embedding.embedder(settings, choice, model)
    try:
        yield retrieval.searcher(settings, blobs, index, embedder)
    finally:
        embedder.close()


def pieces(session: Session, blobs: Blobs, index: IndexRow) -> Iterator[tuple[Piece, Passage, str]]:
    """Every passage of an index with what its document is called, and the hash of the document's text; some at a time.

    The hash is empty where the document is no part of the corpus any more.
    """
    documents = {row.id: row for row in document_store.corpus(session, index.assessment_id)}
    for start in range(1, index.passages + 1, PASSAGES_AT_ONCE):
        ids = range(start, min(start + PASSAGES_AT_ONCE, index.passages + 1))
        for passage in retrieval.passages(session, blobs, index.id, ids).values():
            document = documents.get(passage.document_id)
            names = (document.title, document.name) if document else ()
            piece = Piece(passage.id, passage.document_id, passage.text, names)
            yield piece, passage, str(document.text_sha256) if document else ""


def server(session: Session, index: IndexRow) -> ModelRow | None:
    """The model on a server that gets the question of every dev row; None where all are embedded on this machine."""
    return retrieval.endpoint_model(session, index.settings.embedder) if index.embedder else None


def start(session: Session, assessment_id: int, by: UserRow, *, consent: bool = False) -> RetrievalCheckRow:
    """Have the dev rows searched for in every way, and their right passages looked for.

    consent: that questions of dev rows may be sent to the server that embeds them. That documents may was said when the
    index was built, and is another thing.

    Raises:
        Conflict: there is no index over today's documents, no frozen split, it is under way, or the rows may not leave.
        Invalid: a server embeds the questions, and nobody agreed to that.
    """
    assessment = assessment_store.opened(session, assessment_id)
    index, dataset = _index(session, assessment_id), _frozen(session, assessment_id)
    model = server(session, index)
    _refuse_sending(assessment, model, consent=consent)
    row = RetrievalCheckRow(
        assessment_id=assessment_id,
        index_id=index.id,
        dataset_id=dataset.id,
        index_sha256=str(index.sha256),
        created_by=by.id,
        created_at=utcnow(),
    )
    last = store.newest(session, assessment_id)
    if last is not None and last.done_at is None and job_of(session, last) is not None:
        raise Conflict("A check of retrieval is waiting or running. Wait until it is over, or cancel it.")
    if last is not None and last.done_at is None and (last.index_id, last.dataset_id) == (index.id, dataset.id):
        row.hits, row.seconds = last.hits, last.seconds  # it was cancelled or failed: what was searched stays searched
    session.add(row)
    session.flush()
    job = jobs.add(
        session,
        "check_retrieval",
        row.id,
        by.id,
        assessment_id=assessment_id,
        title="Check retrieval on the dev rows",
        queue="model" if index.settings.embedder and embedding.model_id(index.settings.embedder) is None else None,
    )
    row.job_id = job.id
    assessments.contribute(session, assessment, by, "retrieval", changed=False)
    detail = {"check": row.id, "index": index.id, **({"sent_to": model.base_url} if model else {})}
    audit.record(session, by, "retrieval.check", "assessment", assessment_id, detail)
    return row


def _refuse_sending(assessment: AssessmentRow, model: ModelRow | None, *, consent: bool) -> None:
    """
    Raises:
        Conflict, Invalid: the questions may not go to the server that embeds them.
    """
    if against := own_servers.against_sending(assessment, model):
        raise Conflict(against)
    if model is not None and not consent:
        text = f"Confirm that rows may be sent to {urlsplit(model.base_url).netloc}."
        raise Invalid("Retrieval can't be checked like this.", [FieldError("#/consent", text)])


def job_of(session: Session, row: RetrievalCheckRow) -> JobRow | None:
    """The job that is still to end a check; None where it is over."""
    job = session.get(JobRow, row.job_id) if row.job_id else None
    return job if job is not None and not job.final else None


def _index(session: Session, assessment_id: int) -> IndexRow:
    index = retrieval.current(session, assessment_id)
    if index is None:
        raise Conflict("Build an index over today's documents first.")
    return index


def _frozen(session: Session, assessment_id: int) -> DatasetRow:
    dataset = dataset_store.current(session, assessment_id)
    if dataset is None or dataset.frozen_at is None:
        raise Conflict("Freeze the split first: retrieval is checked on its dev rows, and the test rows stay unseen.")
    return dataset


# ---------------------------------------------------------------------- what is known


@dataclass(frozen=True, slots=True)
class Known:
    """Right passages in one index. gold: by row; absent: rows whose answer is in none of the documents, people say.

    marked: rows of either that a person decided; marks_up_to: id of the newest mark that was looked at.
    """

    gold: Mapping[int, Gold] = field(default_factory=dict)
    absent: frozenset[int] = frozenset()
    marked: frozenset[int] = frozenset()
    marks_up_to: int = 0

    def count(self, how: str) -> int:
        """Rows whose right passage is known by this sign."""
        return sum(gold.how == how for gold in self.gold.values())


def known(session: Session, check: RetrievalCheckRow, marks_up_to: int | None = None) -> Known:
    """What is known of the rows of a finished check: by program, and what people marked before and since.

    marks_up_to: as it was at the mark with this id, for arms that were asked with it.
    """
    gold: dict[int, Gold] = {}
    absent: set[int] = set()
    marked: set[int] = set()
    for row, one in check.gold.items():
        if one["how"] == "marked":
            marked.add(int(row))
        if one["passages"]:
            gold[int(row)] = Gold(tuple(one["passages"]), one["how"])
        else:
            absent.add(int(row))
    latest = store.marks(session, check.assessment_id, marks_up_to)
    fresh = {key: mark for key, mark in latest.items() if mark.id > check.marks_up_to}
    if fresh:
        for example in dataset_store.rows(session, check.dataset_id, "dev"):
            mark = fresh.get(key_of(example))
            if mark is None or (mark.passage_id is not None and mark.index_id != check.index_id):
                continue
            marked.add(example.id)
            gold.pop(example.id, None)
            absent.discard(example.id)
            if mark.passage_id is None:
                absent.add(example.id)
            else:
                gold[example.id] = Gold((mark.passage_id,), "marked")
    newest = max((mark.id for mark in latest.values()), default=0)
    return Known(gold, frozenset(absent), frozenset(marked), max(newest, check.marks_up_to))


def judged(check: RetrievalCheckRow, what: Known) -> list[Judged]:
    """The dev rows that were searched for and whose right passages are known."""
    return [
        Judged(int(row), what.gold[int(row)].passages, hits)
        for row, hits in check.hits.items()
        if int(row) in what.gold
    ]


def marked_of(check: RetrievalCheckRow, what: Known) -> int:
    """How many of the judged rows a person marked, among passages that search had found.

    A passage that only a search in other words brought flatters nothing.
    """
    marked = [one for one in judged(check, what) if what.gold[one.row].how == "marked"]
    return sum(bool(_pool(one.hits) & set(one.gold)) for one in marked)


def _pool(hits: Mapping[Way, Sequence[int]]) -> set[int]:
    """The passages of a row that are put before a person."""
    return {passage for found_by in hits.values() for passage in found_by[:CANDIDATES]}


@dataclass(frozen=True, slots=True)
class Quality:
    """What a check comes to. rows: dev rows that were searched for; rankings: on those whose right passage is known."""

    check: RetrievalCheckRow
    known: Known
    rows: int
    rankings: Sequence[Ranking]
    best: Choice | None


def quality(session: Session, check: RetrievalCheckRow) -> Quality:
    """How well each way finds the right passage of dev rows."""
    what = known(session, check)
    rows = judged(check, what)
    return Quality(check, what, len(check.hits), ranking.rankings(rows), ranking.best(rows))


def current(session: Session, assessment_id: int) -> RetrievalCheckRow | None:
    """The finished check of the index and the data as they are today; None while there is none."""
    index = retrieval.current(session, assessment_id)
    dataset = dataset_store.current(session, assessment_id)
    if index is None or dataset is None:
        return None
    return store.done(session, assessment_id, index.id, dataset.id)


@dataclass(frozen=True, slots=True)
class Marker:
    """Who marked how many rows that count now, and when the last of them."""

    user_id: int
    rows: int
    last: datetime


def markers(session: Session, assessment_id: int) -> list[Marker]:
    """The people whose marks count, those with most rows first."""
    mine: dict[int, list[datetime]] = {}
    for one in store.marks(session, assessment_id).values():
        mine.setdefault(one.marked_by, []).append(one.marked_at)
    return sorted((Marker(who, len(at), max(at)) for who, at in mine.items()), key=lambda one: -one.rows)


# ---------------------------------------------------------------------- marking


def to_mark(session: Session, check: RetrievalCheckRow, what: Known) -> list[Example]:
    """The dev rows that a person is asked about: those whose right passage no program found, in a drawn order.

    The order is that of a measurement's sample (`baselines.arms.sample`), so a measurement on some of the dev rows asks
    the marked ones.
    """
    seed = dataset_store.get(session, check.dataset_id).seed
    by_program = {int(row) for row, one in check.gold.items() if one["how"] != "marked"} - what.marked
    rows = [
        example
        for example in dataset_store.rows(session, check.dataset_id, "dev")
        if str(example.id) in check.hits and example.id not in by_program
    ]
    rows.sort(key=lambda example: hashlib.sha256(f"{seed}/{example.id}".encode()).digest())
    return rows[:TO_MARK]


def candidates(session: Session, blobs: Blobs, check: RetrievalCheckRow, row: int) -> list[Passage]:
    """The best passages of all ways for a row, each once, in an order that tells nothing about way or rank."""
    order = sorted(
        _pool(check.hits.get(str(row), {})), key=lambda passage: hashlib.sha256(f"{row}/{passage}".encode()).digest()
    )
    passages = retrieval.passages(session, blobs, check.index_id, order)
    return [passages[passage] for passage in order if passage in passages]


def sought(session: Session, settings: Settings, blobs: Blobs, check: RetrievalCheckRow, query: str) -> list[Passage]:
    """What a person finds by words of their own, the best first: what no way found for a row can still be marked, and
    then counts as missed.

    Raises:
        Conflict: the index cannot be read any more.
    """
    index = session.get_one(IndexRow, check.index_id)
    [hits] = retrieval.searcher(settings, blobs, index).search([query], "lexical", SOUGHT)
    passages = retrieval.passages(session, blobs, check.index_id, [hit.passage_id for hit in hits])
    return [passages[hit.passage_id] for hit in hits if hit.passage_id in passages]


def mark(
    session: Session, blobs: Blobs, check_id: int, row: int, passage_id: int | None, by: UserRow
) -> PassageMarkRow:
    """Write down which passage answers a dev row; None: it is in none of the documents. Later words count.

    Raises:
        Conflict: the check is not through.
        Invalid: the row is no dev row that was searched for, or there is no such passage.
    """
    check = store.check(session, check_id)
    assessment = assessment_store.opened(session, check.assessment_id)
    if check.done_at is None:
        raise Conflict("The check of retrieval is not through yet.")
    if str(row) not in check.hits:
        raise _not_marked("#/row", "This is none of the dev rows that were searched for.")
    example = next(one for one in dataset_store.rows(session, check.dataset_id, "dev") if one.id == row)
    made = PassageMarkRow(
        assessment_id=check.assessment_id,
        key=key_of(example),
        index_id=check.index_id,
        passage_id=passage_id,
        marked_by=by.id,
        marked_at=utcnow(),
    )
    if passage_id is not None:
        passage = retrieval.passages(session, blobs, check.index_id, [passage_id]).get(passage_id)
        if passage is None:
            raise _not_marked("#/passage_id", "There is no such passage in this index.")
        document, _ = document_store.document(session, passage.document_id)
        made.text_sha256, made.start, made.end = document.text_sha256, passage.start, passage.end
    session.add(made)
    session.flush()
    assessments.contribute(session, assessment, by, "right passages")
    detail = {"assessment": check.assessment_id, "line": example.line, "passage": passage_id, "index": check.index_id}
    audit.record(session, by, "retrieval.mark", "assessment", check.assessment_id, detail)
    return made


def _not_marked(pointer: str, why: str) -> Invalid:
    return Invalid("The gold passage was not stored.", [FieldError(pointer, why)])
