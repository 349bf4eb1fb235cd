"""Recall and rank by hand, and which way is best on dev."""

import pytest

from app.relevance.ranking import Judged, best, rank, rankings


def rows(lexical: list[int | None], embedding: list[int | None]) -> list[Judged]:
    """Rows whose right passage is 1, and stands at these places."""

    def hits(place: int | None) -> list[int]:
        found = [100 + at for at in range(10)]
        if place:
            found[place - 1] = 1
        return found

    pairs = zip(lexical, embedding, strict=True)
    return [Judged(number, [1], {"lexical": hits(a), "embedding": hits(b)}) for number, (a, b) in enumerate(pairs)]


def test_recall_and_mrr_are_what_they_are_by_hand() -> None:
    [lexical, embedding] = rankings(rows([1, 2, 4, None], [1, 1, 1, 7]))
    assert [at.hits for at in lexical.recalls] == [1, 2, 3, 3]
    assert lexical.mrr == pytest.approx((1 + 1 / 2 + 1 / 4) / 4)
    assert embedding.mrr == pytest.approx((3 + 1 / 7) / 4)
    low, high = lexical.at(5).interval
    assert (round(low, 3), round(high, 3)) == (0.301, 0.954)  # Wilson, 3 of 4
    assert lexical.mrr_interval.low < lexical.mrr < lexical.mrr_interval.high


def test_one_of_several_right_passages_is_enough() -> None:
    assert rank([7, 9], [1, 9, 7]) == 2
    assert rank([7], [1, 2]) is None


def test_the_best_way_is_told_apart_only_where_the_rows_can() -> None:
    clear = best(rows([None] * 12, [1] * 12))
    assert clear is not None
    assert (clear.way, clear.tied) == ("embedding", ())
    close = best(rows([1] * 11 + [None], [1] * 12))
    assert close is not None
    assert (close.way, close.tied) == ("embedding", ("lexical",))
    equal = best(rows([1] * 12, [1] * 12))
    assert equal is not None
    assert equal.way == "lexical"  # the cheaper one
    assert best([]) is None
