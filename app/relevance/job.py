"""The check of retrieval, as a job: right passages by program, and what each way finds for the dev rows.

What is found is written down as it is found, the right passages first and then some rows at a time, so that a killed
check goes on where it was. It counts from the transaction on that says that it is done.
"""

import hashlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy.orm import Session

from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.datasets.tables import DatasetRow
from app.db import utcnow
from app.errors import Conflict
from app.inference.generator import Unusable
from app.jobs.claims import Claim, Failed
from app.relevance import gold, service, sources, store
from app.relevance.gold import Gold, Piece, Row
from app.relevance.ranking import DEPTH
from app.relevance.tables import Hits, PassageMarkRow, RetrievalCheckRow, StoredGold
from app.retrieval.tables import IndexRow

MOST_ROWS = 500  # dev rows that are searched for: a recall to within 4 points
AT_ONCE = 50  # questions between two words on how far it is
PASSAGES_AT_ONCE = 1000
SPLITS = ("dev", "test", "train")


def check(claim: Claim) -> None:
    """Search for the dev rows in every way and look for right passages; the body of the job kind `check_retrieval`."""
    with claim.read() as session:
        row = store.check(session, claim.subject_id)
        index = session.get_one(IndexRow, row.index_id)
        dataset = dataset_store.get(session, row.dataset_id)
        examples = {split: dataset_store.rows(session, dataset.id, split) for split in SPLITS}
        places = dataset_store.places(session, dataset.id)
    if not row.gold:
        _find_gold(claim, row, index, dataset, examples, places)
    _search(claim, index, sampled(examples["dev"], dataset.seed), {int(one) for one in row.hits})
    with claim.write() as session:
        store.check(session, claim.subject_id).done_at = utcnow()


def _find_gold(
    claim: Claim,
    row: RetrievalCheckRow,
    index: IndexRow,
    dataset: DatasetRow,
    examples: Mapping[str, Sequence[Example]],
    places: Mapping[int, tuple[int, int]],
) -> None:
    """Look for the right passages of all rows by program, add what people marked, and write it down."""
    claim.report({"stage": "Reading where answers are from"}, now=True)
    named = _named(claim, dataset)
    rows = {
        split: [
            Row(each.id, question_of(each), each.target, tuple(named.get(places[each.id], ())))
            for each in examples[split]
        ]
        for split in SPLITS
    }
    claim.report({"stage": "Looking for the gold passages"}, now=True)
    with claim.read() as session:
        marks = store.marks(session, row.assessment_id)
        pieces = _Pieces(claim, session, index, marks)
        golds = gold.find([each for split in SPLITS for each in rows[split]], pieces)
    stored = {str(each.id): _stored(golds[each.id]) for s in ("dev", "test") for each in rows[s] if each.id in golds}
    stored |= _marked(examples["dev"], marks, pieces.of_mark)
    carried = gold.carried({each.id: golds[each.id] for each in rows["train"] if each.id in golds}, rows["train"])
    with claim.write() as session:
        kept = store.check(session, claim.subject_id)
        kept.gold, kept.carried = stored, carried
        kept.marks_up_to = max((mark.id for mark in marks.values()), default=0)


def question_of(example: Example) -> str:
    """What is asked, as one text: what an index is searched with."""
    return "\n".join(turn.content for turn in example.messages if turn.role != "system")


def sampled(examples: Sequence[Example], seed: int) -> list[Example]:
    """The dev rows that are searched for: all, or as many as tell enough, in an order that only seed and ids decide."""
    order = sorted(examples, key=lambda each: hashlib.sha256(f"{seed}/{each.id}".encode()).digest())
    return order[:MOST_ROWS]


def _named(claim: Claim, dataset: DatasetRow) -> dict[tuple[int, int], list[str]]:
    """What the upload's columns say where answers are from, by file and line."""
    report = dataset.report
    columns = frozenset(column.name for column in report.columns)
    named: dict[tuple[int, int], list[str]] = {}
    files = ((0, dataset.blob_sha256, dataset.filename), (1, dataset.test_blob_sha256, dataset.test_filename))
    for number, sha256, filename in files:
        if sha256:
            with claim.blobs.open(sha256) as file:
                by_line = sources.named(file, filename, dataset.read_as, report.layout, columns)
            named |= {(number, line): names for line, names in by_line.items()}
    return named


class _Pieces:
    """Every passage of an index, some at a time. of_mark: the passages that marks made in another index are about."""

    def __init__(self, claim: Claim, session: Session, index: IndexRow, marks: Mapping[int, PassageMarkRow]) -> None:
        self._claim, self._session, self._index = claim, session, index
        self.of_mark: dict[int, list[int]] = {}
        self._marks: dict[str, list[PassageMarkRow]] = {}
        for mark in marks.values():
            if mark.text_sha256:
                self._marks.setdefault(mark.text_sha256, []).append(mark)

    def __iter__(self) -> Iterator[Piece]:
        for piece, passage, text_sha256 in service.pieces(self._session, self._claim.blobs, self._index):
            if passage.id % PASSAGES_AT_ONCE == 0:
                self._claim.check()
            for mark in self._marks.get(text_sha256, ()):
                if _same_place(mark, passage.start, passage.end):
                    self.of_mark.setdefault(mark.id, []).append(passage.id)
            yield piece


def _same_place(mark: PassageMarkRow, start: int, end: int) -> bool:
    """Whether a passage holds most of a marked one, or lies mostly in it."""
    if mark.start is None or mark.end is None:
        return False
    common = min(end, mark.end) - max(start, mark.start)
    return 2 * common > min(end - start, mark.end - mark.start)


def _stored(one: Gold) -> StoredGold:
    return {"passages": list(one.passages), "how": one.how}


def _marked(
    dev: Sequence[Example], marks: Mapping[int, PassageMarkRow], of_mark: Mapping[int, list[int]]
) -> dict[str, StoredGold]:
    """What people said of dev rows, in the passages of this index; no passages: in none of the documents."""
    stored: dict[str, StoredGold] = {}
    for example in dev if marks else ():
        mark = marks.get(service.key_of(example))
        if mark is not None and (mark.passage_id is None or mark.id in of_mark):
            stored[str(example.id)] = {"passages": of_mark.get(mark.id, []), "how": "marked"}
    return stored


def _search(claim: Claim, index: IndexRow, dev: Sequence[Example], done: Collection[int]) -> None:
    """The ten best passages of each way for each row, written down some rows at a time. done: ids of rows that have
    theirs. Raises: Failed: the index or its model cannot be used."""
    waiting = [example for example in dev if example.id not in done]
    if not waiting:
        return
    try:
        with claim.read() as session, service.opened(claim.settings, session, claim.blobs, index) as searcher:
            for start in range(0, len(waiting), AT_ONCE):
                part, began = waiting[start : start + AT_ONCE], time.monotonic()
                at = len(dev) - len(waiting) + start
                claim.report({"stage": "Searching", "done": at, "total": len(dev), "unit": "rows"})
                questions = [question_of(example) for example in part]
                hits: dict[str, Hits] = {str(example.id): {} for example in part}
                for way in index.ways:
                    for example, ranked in zip(part, searcher.search(questions, way, DEPTH), strict=True):
                        hits[str(example.id)][way] = [hit.passage_id for hit in ranked]
                with claim.keep() as writing:
                    row = store.check(writing, claim.subject_id)
                    row.hits = {**row.hits, **hits}
                    row.seconds += time.monotonic() - began
    except (Unusable, Conflict) as error:
        claim.check()
        raise Failed(str(error)) from error
