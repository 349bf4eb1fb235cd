"""Small classifiers as arms: what a model of a few weights reaches where answers are labels.

Multinomial logistic regression (scikit-learn), on TF-IDF of character n-grams inside words or on sentence embeddings,
trained on the training rows and on nothing else. It answers the very dev and test rows that the prompts answer, so the
two can be compared row by row, and says how likely each label is, so that unsure cases can be passed on.

Beside a linear support vector machine, which stood here before: on 3,079 questions of 77 kinds 91.1 % right instead of
90.6 % after 9,999 training rows and 74.7 % instead of 74.1 % after 1,000; it takes four times as long to learn (14 s),
and gives probabilities, which a support vector machine does not.
"""

import hashlib
import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from app.baselines.prompts import Shot, question
from app.baselines.shots import TEXT_LIMIT
from app.text import normal_form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

REPEATS = 4  # times that an answer has to stand there, on average, to be a label (as in the check of the data)
LONGEST_LABEL = 60  # characters; half of the answers have to be as short
ROWS = 20_000  # training rows; a larger set is sampled
FEATURES = 60_000  # n-grams that are told apart
WEIGHTS = 12_000_000  # labels times n-grams, 8 bytes each: 100 MB
# How much is learnt: numbers that are not 0, times labels, times passes. A billion takes a core a second or two.
WORK, PASSES, PASSES_LEAST = 60_000_000_000, 300, 30
EMBEDDED_ROWS = 5_000  # training rows that are turned into vectors: half a minute on one core
KEPT = 10  # chances that are kept of an answer: those of the likeliest labels


def labelled(targets: Sequence[str]) -> bool:
    """Whether these answers are labels: short, at least two, and the same ones again and again."""
    if not targets:
        return False
    names = [_name(target) for target in targets]
    short = sum(len(name) <= LONGEST_LABEL for name in names)
    return 2 <= len(set(names)) <= len(names) / REPEATS and short > len(names) / 2


def spellings(targets: Sequence[str]) -> dict[str, str]:
    """The labels among these answers, in the order in which they first stand there: blanks made alike -> as it is
    spelt most often."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for target in targets:
        counted[_name(target)][target] += 1
    return {name: spelt.most_common(1)[0][0] for name, spelt in counted.items()}


def label_set(targets: Sequence[str]) -> tuple[str, ...]:
    """The labels that may be answered: those of the training rows, in alphabetical order."""
    return tuple(sorted(spellings(targets).values()))


def label_set_sha256(labels: Sequence[str]) -> str:
    """Identity of a set of labels."""
    return hashlib.sha256("\n".join(labels).encode()).hexdigest()


def likeliest(chances: Mapping[str, float]) -> dict[str, float]:
    """The chances that are kept with an answer: of the `KEPT` likeliest labels, the likeliest first."""
    first = sorted(chances.items(), key=lambda pair: -pair[1])[:KEPT]
    return {label: round(chance, 5) for label, chance in first}


class Features(Protocol):
    """How a classifier reads texts. rows: training rows that it reads at most; strength: scikit-learn's C."""

    rows: int
    strength: float

    def learn(self, texts: Sequence[str], labels: int) -> "csr_matrix | NDArray[np.float32]":
        """A matrix with a row for each training text."""
        ...

    def read(self, texts: Sequence[str]) -> "csr_matrix | NDArray[np.float32]":
        """The same for texts that are to be answered."""
        ...


class Grams:
    """TF-IDF of pieces of words, 2 to 5 characters long."""

    rows = ROWS
    strength = 30.0  # tried from 1 to 30 on those 77 kinds; with less the probabilities are far too low

    _vectorizer: "TfidfVectorizer"  # once it has learnt

    def learn(self, texts: Sequence[str], labels: int) -> "csr_matrix | NDArray[np.float32]":
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=(2, 5),
            sublinear_tf=True,
            max_features=min(FEATURES, max(1, WEIGHTS // max(1, labels))),
            dtype=np.float32,
        )
        return self._vectorizer.fit_transform([_text(text) for text in texts])

    def read(self, texts: Sequence[str]) -> "csr_matrix | NDArray[np.float32]":
        return self._vectorizer.transform([_text(text) for text in texts])


class Meaning:
    """Sentence embeddings, each number brought to the same spread.

    embed: texts to vectors, a row each. questions: every text that will be read, so that the model is needed once.
    """

    rows = EMBEDDED_ROWS
    strength = 0.3  # tried from 0.003 to 0.3 on those 77 kinds: as often right as any, and the best probabilities

    def __init__(self, embed: "Callable[[Sequence[str]], NDArray[np.float32]]", questions: Sequence[str]) -> None:
        self._embed = embed
        self._questions = list(questions)
        self._scaled: Mapping[str, NDArray[np.float32]] = {}

    def learn(self, texts: Sequence[str], labels: int) -> "csr_matrix | NDArray[np.float32]":
        from sklearn.preprocessing import StandardScaler

        vectors = self._embed([text[:TEXT_LIMIT] for text in [*texts, *self._questions]])
        scaler = StandardScaler().fit(vectors[: len(texts)])
        scaled = scaler.transform(vectors)
        self._scaled = dict(zip(self._questions, scaled[len(texts) :], strict=True))
        return scaled[: len(texts)]

    def read(self, texts: Sequence[str]) -> "csr_matrix | NDArray[np.float32]":
        import numpy as np

        return np.stack([self._scaled[text] for text in texts])


@dataclass(frozen=True, slots=True)
class Labelled:
    """An answer of a classifier. chances: of the likeliest labels, see `likeliest`; empty where it knows only one."""

    label: str
    chances: Mapping[str, float]


class Classifier:
    """Learns the training rows' labels; a label is given in the spelling that is commonest among them."""

    def __init__(self, pool: Sequence[Shot], features: Features | None = None, seed: int = 0) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        self._features = features or Grams()
        if len(pool) > self._features.rows:
            pool = random.Random(seed).sample(list(pool), self._features.rows)
        self._spelling = spellings([shot.target for shot in pool])
        self._model: LogisticRegression | None = None
        if len(self._spelling) < 2:
            return
        matrix = self._features.learn([question(shot.messages) for shot in pool], len(self._spelling))
        names = [_name(shot.target) for shot in pool]
        each = _filled(matrix) * len(self._spelling)
        if each * PASSES_LEAST > WORK:  # long texts and many labels: fewer rows, rather than too few passes
            part = max(1, int(len(names) * WORK / (each * PASSES_LEAST)))
            taken = sorted(random.Random(seed).sample(range(len(names)), part))
            matrix, names = matrix[taken], [names[at] for at in taken]
            each = _filled(matrix) * len(self._spelling)
        if len(set(names)) < 2:
            return
        passes = int(min(PASSES, max(PASSES_LEAST, WORK // max(1, each))))
        self._model = LogisticRegression(C=self._features.strength, max_iter=passes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the passes are bounded, and enough for the order
            self._model.fit(matrix, names)

    def answer(self, questions: Sequence[str]) -> list[Labelled]:
        """A label for each question, in their order; empty ones where there is nothing to learn from."""
        if not questions:
            return []
        if self._model is None:
            return [Labelled(next(iter(self._spelling.values()), ""), {})] * len(questions)
        spelt = [self._spelling[str(name)] for name in self._model.classes_]
        answers = []
        for row in self._model.predict_proba(self._features.read(questions)):
            chances = likeliest(dict(zip(spelt, map(float, row), strict=True)))
            answers.append(Labelled(next(iter(chances)), chances))
        return answers


def _filled(matrix: "csr_matrix | NDArray[np.float32]") -> int:
    """Numbers of a matrix that are computed with."""
    return int(matrix.nnz if hasattr(matrix, "nnz") else matrix.size)


def _name(target: str) -> str:
    return " ".join(target.split())


def _text(text: str) -> str:
    """A text without letters would leave nothing to count; the blank pair gives every text at least one n-gram."""
    return f" {normal_form('NFKC', text[:TEXT_LIMIT])} ."
