"""How well each way of searching finds the right passage: recall and rank, from stored hits. Pure.

Only dev rows come here: which way is best, and how many passages are handed on, is chosen by them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from app.evaluation import statistics
from app.intervals import Interval, wilson
from app.retrieval.settings import WAYS, Way

DEPTHS = (1, 3, 5, 10)
DEPTH = max(DEPTHS)
PASSAGES = 5  # that the RAG arm hands on unless the dev rows say more (decision rules, 4.5)

Hits = Mapping[Way, Sequence[int]]  # ids of passages of one row, the best first


class Judged(NamedTuple):
    """A row with known right passages, and what each way found for it."""

    row: int
    gold: Sequence[int]
    hits: Hits


@dataclass(frozen=True, slots=True)
class Recall:
    """Of how many rows a right passage is among the first k, with its 95 % interval (Wilson). Shares are 0 to 1.

    A row may have several right passages, since passages share their ends and answers stand in more than one; one of
    them is enough to answer from, so that is what is counted (top-k accuracy; Karpukhin et al. 2020).
    """

    k: int
    hits: int
    rows: int

    @property
    def share(self) -> float:
        return self.hits / self.rows if self.rows else 0.0

    @property
    def interval(self) -> Interval:
        return wilson(self.hits, self.rows)


@dataclass(frozen=True, slots=True)
class Ranking:
    """One way on all judged rows.

    reciprocals: of each row 1 / rank of the first right passage among the first ten, 0 where there is none.
    """

    way: Way
    recalls: tuple[Recall, ...]
    reciprocals: tuple[float, ...]

    @property
    def mrr(self) -> float:
        """The mean of the rows (Voorhees 1999)."""
        return sum(self.reciprocals) / len(self.reciprocals)

    @property
    def mrr_interval(self) -> Interval:
        """Its 95 % interval, by the bootstrap over rows."""
        return _interval(self.reciprocals)

    def at(self, k: int) -> Recall:
        return next(recall for recall in self.recalls if recall.k == k)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which way is best on dev, and which the rows can't tell from it."""

    way: Way
    tied: tuple[Way, ...]


def rank(gold: Sequence[int], hits: Sequence[int]) -> int | None:
    """The place of the first right passage, from 1; None where none is there."""
    right = set(gold)
    return next((place for place, passage in enumerate(hits, start=1) if passage in right), None)


@lru_cache(maxsize=64)
def _interval(values: tuple[float, ...]) -> Interval:
    return statistics.bootstrap_mean(values)


def rankings(rows: Sequence[Judged]) -> list[Ranking]:
    """Every way that was searched, in the order of `WAYS`; empty without rows."""
    return [_ranking(way, rows) for way in WAYS if rows and all(way in row.hits for row in rows)]


def _ranking(way: Way, rows: Sequence[Judged]) -> Ranking:
    ranks = [rank(row.gold, row.hits[way][:DEPTH]) for row in rows]
    recalls = tuple(Recall(k, sum(place is not None and place <= k for place in ranks), len(rows)) for k in DEPTHS)
    return Ranking(way, recalls, tuple(1 / place if place else 0.0 for place in ranks))


def best(rows: Sequence[Judged], k: int = PASSAGES) -> Choice | None:
    """The way with the most rows whose right passage is among the first k; on a tie by rank, then the cheaper one.

    tied: others whose difference at k the exact McNemar test does not see at 5 %. None without judged rows.
    """
    every = rankings(rows)
    if not every:
        return None
    first = max(every, key=lambda one: (one.at(k).hits, round(one.mrr, 9), -WAYS.index(one.way)))
    tied = tuple(one.way for one in every if one.way != first.way and not _told_apart(rows, first.way, one.way, k))
    return Choice(first.way, tied)


def _told_apart(rows: Sequence[Judged], one: Way, other: Way, k: int) -> bool:
    alone = [0, 0]
    for row in rows:
        first, second = (rank(row.gold, row.hits[way][:k]) is not None for way in (one, other))
        if first != second:
            alone[0 if first else 1] += 1
    return statistics.mcnemar(*alone) < statistics.ALPHA
