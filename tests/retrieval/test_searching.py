"""Terms, BM25, vectors and their fusion, without a database."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from app.errors import Conflict
from app.inference.embedding import Kind, Vectors
from app.retrieval import lexical
from app.retrieval.lexical import Lexical, marked, terms
from app.retrieval.searching import SCORES_AT_ONCE, Hit, Searcher, fused


class Letters:
    """An embedder that counts letters."""

    name, digest, dimensions, cut = "letters", "0" * 64, 26, 0

    def embed(self, texts: Sequence[str], *, kind: Kind, stop: Callable[[], bool]) -> Vectors:
        counts = np.array([[text.lower().count(chr(97 + at)) for at in range(26)] for text in texts], np.float32)
        vectors: Vectors = counts / np.linalg.norm(counts, axis=1, keepdims=True)
        return vectors

    def close(self) -> None:
        """Nothing is held."""


def opened(folder: Path, texts: Sequence[str]) -> Searcher:
    collected = lexical.Collected(folder / "terms")
    for text in texts:
        collected.add(text)
    collected.close()
    names = lexical.build(collected, folder / "index")
    vectors = Letters().embed(texts, kind="passage", stop=lambda: False)
    return Searcher(Lexical({name: folder / "index" / name for name in names}), vectors, Letters())


def test_terms_forgive_case_accents_and_plurals() -> None:
    assert terms("Policies, CAFÉS and buses") == ["policy", "cafe", "and", "buse"]
    assert terms("policy café bus") == ["policy", "cafe", "bus"]
    assert terms("退款政策 max_length 3.5") == ["退款", "款政", "政策", "max", "length", "3", "5"]


def test_words_of_the_question_are_marked_where_they_stand() -> None:
    wanted = frozenset(terms("refund policies"))

    assert list(marked("Our Policy on refunds.", wanted)) == [
        ("Our ", False), ("Policy", True), (" on ", False), ("refunds", True), (".", False),
    ]  # fmt: skip


def test_the_three_ways_rank_and_ties_go_to_the_earlier(tmp_path: Path) -> None:
    texts = ["zebra crossing", "apple pie", "apple tart", "apple pie", "quiz", "appel ipe"]
    searcher = opened(tmp_path, texts)

    by_words, by_meaning, both = (
        searcher.search(["apple pie"], way, 3)[0] for way in ("lexical", "embedding", "hybrid")
    )

    assert [hit.passage_id for hit in by_words] == [2, 4, 3]
    assert by_words[0].score == by_words[1].score > by_words[2].score > 0
    assert [hit.passage_id for hit in by_meaning] == [2, 4, 6]
    assert by_meaning[0].score == pytest.approx(1.0, abs=1e-3)
    assert [hit.passage_id for hit in both] == [2, 4, 3]
    assert both[0].score == pytest.approx(2 / 61)
    assert searcher.every_way("apple pie", ("lexical", "embedding", "hybrid"), 3) == {
        "lexical": by_words,
        "embedding": by_meaning,
        "hybrid": both,
    }
    assert searcher.search(["unheard", "  "], "lexical", 3) == [[], []]
    assert len(searcher.search(["quiz"], "embedding", 50)[0]) == len(texts)


def test_vectors_in_many_blocks_give_what_one_product_gives(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(20_000, 26)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    searcher = Searcher(opened(tmp_path, ["one"])._lexical, rows, Letters())
    questions = [f"some question {letter}" for letter in "abcdefghijklmnopqrstuvwxyz" * 10]
    assert len(rows) * len(questions) > SCORES_AT_ONCE

    found = searcher.search(questions, "embedding", 10)

    exact = Letters().embed(questions, kind="query", stop=lambda: False) @ rows.T
    scores = np.array([[hit.score for hit in hits] for hits in found])
    places = np.array([[hit.passage_id - 1 for hit in hits] for hits in found])
    assert np.allclose(scores, -np.sort(-exact, axis=1)[:, :10], atol=1e-6)
    assert np.allclose(scores, np.take_along_axis(exact, places, axis=1), atol=1e-6)


def test_fusion_is_the_sum_of_reciprocal_ranks() -> None:
    one, two = [Hit(5, 9.0), Hit(7, 8.0)], [Hit(7, 0.9), Hit(3, 0.8)]

    assert fused([one, two], 5) == [Hit(7, 1 / 62 + 1 / 61), Hit(5, 1 / 61), Hit(3, 1 / 62)]


def test_without_embeddings_only_words_are_searched(tmp_path: Path) -> None:
    searcher = Searcher(opened(tmp_path, ["apple"])._lexical)

    with pytest.raises(Conflict, match="no embeddings"):
        searcher.search(["apple"], "hybrid", 3)
