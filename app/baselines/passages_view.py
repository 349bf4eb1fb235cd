"""What is read of an arm with passages: how its failures came about, whether it refuses as it should, and the passages
of one answer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.baselines import answer_store, passage_use, standing, with_passages
from app.baselines.passage_use import Failure, Refusals
from app.baselines.tables import AnswerRow, ArmRow
from app.blobs import Blobs
from app.datasets import store as dataset_store
from app.relevance import service as relevance
from app.relevance import store as checks

LONGEST = 20_000  # characters of a passage on a page


@dataclass(frozen=True, slots=True)
class Summary:
    """How an arm with passages fails on one split.

    failures: wrong answers by how they came about, of `known` wrong answers whose right passage is known; `unknown`:
    wrong ones where it is not. refusals: of all its answers.
    """

    failures: Mapping[Failure, int]
    known: int
    unknown: int
    refusals: Refusals


def summary(session: Session, arm: ArmRow, split: str) -> Summary | None:
    """None for an arm without passages, and before it answered."""
    if not arm.settings.get("passages"):
        return None
    answers = [row for row in answer_store.answers(session, arm.id, split) if row.score is not None]
    if not answers:
        return None
    passing = standing.passing(arm.baseline)
    wrong = [
        passage_use.failure(row.details, row.finish) for row in answers if row.score is not None and row.score < passing
    ]
    counted = Counter(failure for failure in wrong if failure)
    targets = {row.id: row.target for row in dataset_store.rows(session, arm.baseline.dataset_id, split)}
    own = {passage_use.plain(text) for text in passage_use.own_refusals(targets.values())}
    absent = _absent(session, arm) if split == "dev" else frozenset()
    said = [
        (row.output, row.example_id in absent or passage_use.refuses(targets.get(row.example_id, ""), own))
        for row in answers
    ]
    return Summary(
        failures={failure: counted[failure] for failure in passage_use.FAILURES},
        known=sum(counted.values()),
        unknown=len(wrong) - sum(counted.values()),
        refusals=passage_use.refusals(said, own),
    )


def rows_failed(session: Session, arm: ArmRow, split: str, failure: Failure) -> frozenset[int]:
    """Ids of the rows that an arm got wrong in this way."""
    passing = standing.passing(arm.baseline)
    return frozenset(
        row.example_id
        for row in answer_store.answers(session, arm.id, split)
        if row.score is not None and row.score < passing and passage_use.failure(row.details, row.finish) == failure
    )


def _absent(session: Session, arm: ArmRow) -> frozenset[int]:
    """Dev rows whose answer is in none of the documents, people say."""
    settings = arm.settings["passages"]
    if "index" not in settings:
        return frozenset()
    check = checks.done(session, arm.baseline.assessment_id, int(settings["index"]), arm.baseline.dataset_id)
    return relevance.known(session, check).absent if check else frozenset()


@dataclass(frozen=True, slots=True)
class GivenPassage:
    """A passage that an answer was made with. right: None where no right passage of the row is known. score: as the way
    of searching gives it, comparable within one question."""

    number: int
    id: int
    title: str
    text: str
    score: float | None
    right: bool | None
    cited: bool


def given(session: Session, blobs: Blobs, arm: ArmRow, answer: AnswerRow) -> Sequence[GivenPassage]:
    """The passages of an answer in the order in which the model read them; right ones that it was not given come last,
    without a number (0)."""
    kept = answer.details or {}
    gold = set(kept.get("gold", ()))
    scores = dict(kept.get("passages", ()))
    cited = set(kept.get("cited", ()))
    passages = with_passages.given(session, blobs, arm, kept)
    listed = [
        GivenPassage(
            number,
            passage.id,
            passage.title,
            passage.text[:LONGEST],
            scores.get(passage.id),
            passage.id in gold if gold else None,
            number in cited,
        )
        for number, passage in enumerate(passages, start=1)
    ]
    left = gold - {passage.id for passage in passages}
    if left and "index" in arm.settings["passages"]:
        more = with_passages.passages_of(session, blobs, int(arm.settings["passages"]["index"]), left)
        listed += [
            GivenPassage(0, one.id, one.title, one.text[:LONGEST], None, right=True, cited=False)
            for one in more.values()
        ]
    return listed
