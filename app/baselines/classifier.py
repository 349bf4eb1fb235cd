"""A small classifier as an arm: what counting words and signs reaches where answers are labels.

TF-IDF of character n-grams inside words with a linear support vector machine (Joachims 1998; scikit-learn's
`LinearSVC`), one label against the others, trained on the training rows and on nothing else. It answers the very dev
and test rows that the prompts answer, so the two can be compared row by row.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from app.baselines.prompts import Shot, question
from app.baselines.shots import TEXT_LIMIT
from app.text import normal_form

REPEATS = 4  # times that an answer has to stand there, on average, to be a label (as in the check of the data)
LONGEST_LABEL = 60  # characters; half of the answers have to be as short
ROWS = 20_000  # training rows; a larger set is sampled
FEATURES = 60_000  # n-grams that are told apart
WEIGHTS = 12_000_000  # labels times n-grams, 8 bytes each: 100 MB


def labelled(targets: Sequence[str]) -> bool:
    """Whether these answers are labels: short, at least two, and the same ones again and again."""
    if not targets:
        return False
    names = [_name(target) for target in targets]
    short = sum(len(name) <= LONGEST_LABEL for name in names)
    return 2 <= len(set(names)) <= len(names) / REPEATS and short > len(names) / 2


class Classifier:
    """Learns the training rows' labels; a label is given in the spelling that is commonest among them."""

    def __init__(self, pool: Sequence[Shot], seed: int = 0) -> None:
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.svm import LinearSVC

        if len(pool) > ROWS:
            pool = random.Random(seed).sample(list(pool), ROWS)
        spellings: dict[str, Counter[str]] = defaultdict(Counter)
        for shot in pool:
            spellings[_name(shot.target)][shot.target] += 1
        self._spelling = {name: counted.most_common(1)[0][0] for name, counted in spellings.items()}
        self._vectorizer: Any = TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=(2, 5),
            sublinear_tf=True,
            max_features=min(FEATURES, max(1, WEIGHTS // max(1, len(spellings)))),
            dtype=np.float32,
        )
        self._model: Any = None
        if len(spellings) > 1:
            counted_texts = self._vectorizer.fit_transform([_text(question(shot.messages)) for shot in pool])
            self._model = LinearSVC(C=1.0, random_state=seed)
            self._model.fit(counted_texts, [_name(shot.target) for shot in pool])

    def answer(self, questions: Sequence[str]) -> list[str]:
        """A label for each question, in their order; empty where there is nothing to learn from."""
        if not questions:
            return []
        if self._model is None:
            return [next(iter(self._spelling.values()), "")] * len(questions)
        names = self._model.predict(self._vectorizer.transform([_text(text) for text in questions]))
        return [self._spelling[str(name)] for name in names]


def _name(target: str) -> str:
    return " ".join(target.split())


def _text(text: str) -> str:
    """A text without letters would leave nothing to count; the blank pair gives every text at least one n-gram."""
    return f" {normal_form('NFKC', text[:TEXT_LIMIT])} ."
