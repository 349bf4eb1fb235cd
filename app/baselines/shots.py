"""Which rows are shown as examples.

Only training rows are ever shown; dev and test rows stay unseen. Random examples are the same for every question, so
a model can keep what it worked out about them; nearest examples are chosen for each question and stand least alike
first, so that the most alike one is closest to the question (Liu et al. 2021, KATE). A row that is nearly the
question itself is never shown: the answer would be copied, not worked out.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from app.baselines.prompts import Shot, question
from app.text import normal_form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEAR = 0.8  # share of character 5-grams in common from which two questions are the same row (as in the data check)
POOL_LIMIT = 20_000  # training rows searched for the nearest; a larger set is sampled
TEXT_LIMIT = 4_000  # characters of a question that likeness looks at
REACH = 4  # so many times k rows are looked through for different answers


@lru_cache(maxsize=4096)
def _grams(text: str) -> frozenset[str]:
    folded = " ".join(normal_form("NFKC", text[: 4 * TEXT_LIMIT]).casefold().split())[:TEXT_LIMIT]
    return frozenset(folded[at : at + 5] for at in range(max(1, len(folded) - 4)))


def near(one: str, other: str) -> bool:
    """Whether two questions are so alike that one gives the other away (Jaccard of character 5-grams)."""
    first, second = _grams(one), _grams(other)
    smaller, larger = sorted((len(first), len(second)))
    if smaller < NEAR * larger:  # they cannot reach the share any more
        return False
    common = len(first & second)
    return common >= NEAR * (smaller + larger - common)


def _varied(candidates: Iterable[Shot], k: int) -> list[Shot]:
    """k of the candidates in their order, each new answer before a repeated one."""
    seen: set[str] = set()
    fresh: list[Shot] = []
    repeated: list[Shot] = []
    for shot in candidates:
        label = " ".join(shot.target.casefold().split())
        (repeated if label in seen else fresh).append(shot)
        seen.add(label)
        if len(fresh) == k:
            break
    return (fresh + repeated)[:k]


class Random:
    """The same k rows for every question, drawn with a seed; a stand-in where one gives the question away.

    room: characters that examples and question may have together; before a question that is longer than those they were
    counted for, the last ones are left out. None: however many.
    """

    def __init__(self, pool: Sequence[Shot], k: int, seed: int, room: float | None = None) -> None:
        self._room = room
        order = random.Random(seed).sample(range(len(pool)), min(len(pool), REACH * k + 20))
        drawn = [pool[at] for at in order]
        self._chosen = _varied(drawn[: REACH * k], k)
        taken = {shot.id for shot in self._chosen}
        self._spare = [shot for shot in drawn if shot.id not in taken]

    def pick(self, text: str) -> list[Shot]:
        """The examples for one question."""
        spare = (shot for shot in self._spare if not near(question(shot.messages), text))
        picked = []
        for shot in self._chosen:
            if not near(question(shot.messages), text):
                picked.append(shot)
            elif stand_in := next(spare, None):
                picked.append(stand_in)
        return picked if self._room is None else list(_fitting(picked, self._room - len(text)))


def _fitting(picked: Iterable[Shot], room: float) -> Iterator[Shot]:
    """The first ones that have so many characters together at most."""
    for shot in picked:
        room -= len(question(shot.messages)) + len(shot.target)
        if room < 0:
            return
        yield shot


class Ranked(Protocol):
    """A way to find the rows most like a question."""

    def alike(self, text: str, limit: int) -> list[Shot]:
        """Up to `limit` rows, most alike first, without those that give the question away."""
        ...


def pick_nearest(ranked: Ranked, text: str, k: int) -> list[Shot]:
    """The k examples for one question, least alike first; each new answer comes before a repeated one."""
    candidates = ranked.alike(text, REACH * k)
    rank = {shot.id: place for place, shot in enumerate(candidates)}
    return sorted(_varied(candidates, k), key=lambda shot: -rank[shot.id])


def searched(pool: Sequence[Shot], seed: int = 0) -> list[Shot]:
    """The training rows that are searched for the nearest: all, or a sample of very many."""
    return random.Random(seed).sample(list(pool), POOL_LIMIT) if len(pool) > POOL_LIMIT else list(pool)


def _most_alike(likeness: "NDArray[np.float32]", pool: Sequence[Shot], text: str, limit: int) -> list[Shot]:
    """The rows by falling likeness, without those that give the question away."""
    picked: list[Shot] = []
    for at in (-likeness).argsort(kind="stable"):
        shot = pool[int(at)]
        if not near(question(shot.messages), text):
            picked.append(shot)
            if len(picked) == limit:
                break
    return picked


def _countable(texts: Sequence[str]) -> list[str]:
    """A text without letters would leave nothing to count; the blank pair gives every text at least one n-gram."""
    return [f" {text[:TEXT_LIMIT]} ." for text in texts]


class Nearest:
    """The rows most like a question: cosine of TF-IDF weighted character n-grams (scikit-learn).

    texts: questions that will be asked, as far as they are known. They are read together, which takes a tenth of the
    time that one after the other does.
    """

    def __init__(self, pool: Sequence[Shot], texts: Sequence[str] = (), seed: int = 0) -> None:
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._pool = searched(pool, seed)
        self._vectorizer = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, max_features=200_000, dtype=np.float32
        )
        questions = [question(shot.messages) for shot in self._pool]
        self._matrix = self._vectorizer.fit_transform(_countable(questions)) if questions else None
        self._at = {text: at for at, text in enumerate(dict.fromkeys(texts))}
        self._asked = self._vectorizer.transform(_countable(list(self._at))) if questions and self._at else None

    def alike(self, text: str, limit: int) -> list[Shot]:
        """See `Ranked`."""
        if self._matrix is None:
            return []
        asked, known = self._asked, self._at.get(text)
        one = self._vectorizer.transform(_countable([text])) if asked is None or known is None else asked[known]
        return _most_alike((self._matrix @ one.T).toarray()[:, 0], self._pool, text, limit)

    def pick(self, text: str, k: int) -> list[Shot]:
        """The k examples for one question, least alike first."""
        return pick_nearest(self, text, k)


class NearestByMeaning:
    """The rows most like a question: cosine of sentence embeddings, which find other words for the same.

    embed: turns texts into vectors of length 1, one a row. texts: every question that will be asked, so that the model
    is needed once and for all of them together.
    """

    def __init__(
        self,
        pool: Sequence[Shot],
        texts: Sequence[str],
        embed: "Callable[[Sequence[str]], NDArray[np.float32]]",
        seed: int = 0,
    ) -> None:
        self._pool = searched(pool, seed)
        both = [question(shot.messages)[:TEXT_LIMIT] for shot in self._pool] + [text[:TEXT_LIMIT] for text in texts]
        vectors = embed(both)
        self._matrix = vectors[: len(self._pool)]
        self._of = dict(zip(texts, vectors[len(self._pool) :], strict=True))

    def alike(self, text: str, limit: int) -> list[Shot]:
        """See `Ranked`; the text is one of those it was made for."""
        return _most_alike(self._matrix @ self._of[text], self._pool, text, limit) if self._pool else []


@dataclass(frozen=True, slots=True)
class Picker:
    """Chooses the examples that stand before a question."""

    random: Random | None = None
    nearest: Ranked | None = None
    k: int = 0

    def pick(self, text: str) -> list[Shot]:
        if self.random:
            return self.random.pick(text)
        return pick_nearest(self.nearest, text, self.k) if self.nearest else []
