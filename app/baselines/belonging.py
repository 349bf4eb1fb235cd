"""Which rows of a measurement belong together, and what two arms scored on the rows that both answered."""

from collections.abc import Mapping, Sequence

import orjson
from sqlalchemy.orm import Session

from app.baselines import answer_store, arms, deciding_judge, standing
from app.baselines.tables import BaselineRow
from app.datasets import group_store
from app.datasets import store as dataset_store
from app.evaluation import grouped, metrics
from app.evaluation.comparison import BEST_PROMPT, Comparison, Pair, by_judge, compare
from app.evaluation.statistics import Difference
from app.intervals import CONFIDENCE
from app.jobs.claims import Claim

ROWS_AT_ONCE = 1000  # in a transaction


def groups_of(session: Session, baseline: BaselineRow) -> Mapping[int, int]:
    """By row the number of its group, of dev and test rows that are not alone. Empty where none belong together, and
    for measurements that began under rules that did not look at it: their results stay what they were."""
    if standing.rules(baseline) < arms.GROUP_RULES:
        return {}
    return group_store.belonging(session, baseline.dataset_id)


def codes(groups: Mapping[int, int], rows: Sequence[int]) -> list[int] | None:
    """For each of these rows the number of its group; None where no two of them belong together."""
    numbers = [groups.get(row, -row) for row in rows]
    return numbers if groups and not grouped.alone(numbers) else None


def pairs(session: Session, first: int, second: int, split: str) -> tuple[list[Pair], int]:
    """What two arms, by their ids, scored on the rows of a split that both answered, and on how many rows that both
    were asked one of the two gave no answer."""
    asked = answer_store.pairs(session, first, second, split)
    answered = [
        Pair(row.example_id, row.before, row.after) for row in asked if row.before is not None and row.after is not None
    ]
    return answered, len(asked) - len(answered)


def difference(
    session: Session, baseline: BaselineRow, both: Sequence[Pair], *, confidence: float = CONFIDENCE
) -> Difference:
    """How much the second is better on these rows, as the rules of the measurement have it."""
    before, after = [pair.before for pair in both], [pair.after for pair in both]
    seen = grouped.paired(
        before,
        after,
        binary=metrics.get(baseline.metric).binary,
        confidence=confidence,
        groups=codes(groups_of(session, baseline), [pair.id for pair in both]),
    )
    labels = deciding_judge.labels_of(baseline.judge)
    return by_judge(seen, before, after, labels, confidence)[0] if labels is not None and both else seen


def compared(
    session: Session, baseline: BaselineRow, both: Sequence[Pair], *, against: str = BEST_PROMPT
) -> Comparison:
    """Two arms on rows that both answered, by the rules that the measurement began under. against: what the first
    is."""
    return compare(
        both,
        binary=metrics.get(baseline.metric).binary,
        groups=groups_of(session, baseline),
        assured=standing.rules(baseline) >= arms.GROUP_RULES,
        against=against,
        labels=deciding_judge.labels_of(baseline.judge),
    )


def take_over(claim: Claim, dataset_id: int) -> None:
    """Have the rows of a version that was checked by an earlier version of the app say which group they are of."""
    with claim.read() as session:
        dataset = dataset_store.get(session, dataset_id)
        if not group_store.lacks_keys(session, dataset) or not dataset.rows_sha256:
            return
    with claim.blobs.open(dataset.rows_sha256) as file:
        rows = (orjson.loads(line) for line in file)
        named = [(int(row["id"]), str(row["group"])) for row in rows if row.get("group")]
    for start in range(0, len(named), ROWS_AT_ONCE):
        with claim.write() as session:
            group_store.keep_keys(session, named[start : start + ROWS_AT_ONCE])
