"""Whether these examples can teach anything at all, and how far a model without language gets. No LLM is asked.

Labels: TF-IDF of words and signs with logistic regression, cross-validated, against always saying the commonest label.
Anything else: the answer of the nearest other question, against the answer of a question drawn at random; how alike two
answers are is the cosine of their TF-IDF. If the better of the two guesses is no better, questions and answers have no
visible link: labels drawn at random, pairs that slipped by a line, or facts that no other row holds.

The curve shows what the last doubling of the rows was worth (decision-rules 4.3). The ceiling comes from questions that
stand there more than once: where people give one question different labels, no model can be right on both. With
independent slips two labels of one question agree in (1 - e)^2 of the pairs, so the best score to hope for is the root
of the agreement. What is one question is decided by the search for near-duplicates alone, which knows `switch on` from
`switch off` and `pause` from `unpause`; likeness of letters does not. A ceiling that lies below what was reached is
none: then the repeated questions are not like the others.

Test rows are not looked at. At most `ROWS` rows and `SECONDS` are spent; scikit-learn is loaded only here.
"""

import random
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log2, sqrt
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from app import intervals
from app.datasets.checks import learning_words
from app.datasets.checks.report_parts import LabelAgreement
from app.datasets.checks.report_trials import Baseline, CurvePoint, Learnability, Trivial

ROWS = 2000
SECONDS = 20.0
LEAST = 50  # rows below which nothing is said
LONGEST = 2000  # characters of a question or an answer that are looked at
FOLDS, CURVE_FOLDS = 4, 2  # parts held out in turn; with how many of them the curve is drawn
SHARES = (0.25, 0.5, 1.0)
FEATURES = 20_000  # n-grams of texts; a classifier needs fewer and is as many times faster
LABEL_FEATURES = 6000
WEIGHTS = 600_000  # labels times features at most: with 400 labels one fit takes 20 s otherwise
ROWS_A_LABEL = 1.6  # below which labels drawn by lot and real ones look the same: most labels stand there once
SCARCE = 250  # rows from which on a link would have been seen: below it "no link" is said only where one is excluded
SURE = 0.02  # by which the lower end of the classifier's interval may miss a target that it reaches (decision-rules G6)
PAIRS = 30  # repeated questions, below which there is no ceiling
LINK = 0.02  # by which the nearest answer has to beat a random one
MOST_AHEAD = 4  # times the rows that a curve is followed (decision-rules 4.3)

Verdict = Literal["learnable", "unlearnable", "too_few"]
Scores = npt.NDArray[np.float64]


def _unheard(done: int, total: int) -> None:
    """Tell nobody how far it is."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the result says about a target.

    reached: by the small classifier, so surely as a prompt's result would have to; above_ceiling: by more than the
    pairs leave open; rows: needed for it where the curve tells; guessed: by always saying the commonest label, so that
    who reaches it has shown nothing.
    """

    reached: bool
    above_ceiling: bool
    rows: int | None
    guessed: bool = False


def measure(
    pairs: Sequence[tuple[str, str]],
    *,
    labels: bool,
    seed: int,
    agreement: LabelAgreement | None = None,
    clock: Callable[[], float] = time.monotonic,
    tick: Callable[[int, int], None] = _unheard,
) -> Learnability:
    """How learnable the rows are. tick: told how much of the work is done, of how much; may raise to stop.

    pairs: question and answer of each row that may be learnt from. agreement: of questions that stand there more than
    once, where the answers are labels.
    """
    until = clock() + SECONDS
    chosen = list(pairs)
    if len(chosen) > ROWS:
        chosen = random.Random(seed).sample(chosen, ROWS)
    if len(chosen) < LEAST:
        return Learnability("too_few", len(chosen), text=learning_words.too_small(LEAST))
    questions = [f" {question[:LONGEST]} ." for question, _ in chosen]
    answers = [answer[:LONGEST] for _, answer in chosen]
    trial = _Labels(questions, answers) if labels else _Texts(questions, answers, seed)
    scores, curve = _curve(trial, len(chosen), seed, lambda: clock() < until, tick)
    repeated = (agreement or LabelAgreement()) if labels else None
    ceiling, ceiling_high = (
        ceiling_of(repeated.questions, 1.0 if repeated.agree is None else repeated.agree, float(scores.mean()))
        if repeated
        else (None, None)
    )
    verdict, baseline, trivial = _judged(trial, scores, len(chosen))
    # "of": which rows these are. Reports of earlier versions lack it, and what was approved with them stays as it is.
    return Learnability(
        verdict,
        len(chosen),
        baseline,
        trivial,
        ceiling,
        ceiling_high,
        repeated.questions if repeated else 0,
        curve,
        per_doubling(curve),
        of="train",
        text=learning_words.outcome(verdict, baseline.score, trivial.score, labels=labels),
    )


def _judged(trial: "_Labels | _Texts", scores: Scores, rows: int) -> tuple[Verdict, Baseline, Trivial]:
    """Whether the learner beats the guess. Surely better, or labels drawn by lot and shuffled answers would pass with
    few rows.
    """
    mean = float(scores.mean())
    count = len(scores)
    # Wilson's for counted answers; the normal one for likenesses, of which the spread is known.
    counted = isinstance(trial, _Labels)
    low, high = intervals.wilson(mean * count, count) if counted else intervals.normal(mean, float(scores.std()), count)
    guessed, doubt = trial.trivial()
    if isinstance(trial, _Labels):
        linked, scarce = low > guessed, rows < ROWS_A_LABEL * trial.different
    else:
        ahead, give = mean - guessed, intervals.z() * sqrt(float(scores.var()) / len(scores) + doubt**2)
        linked = ahead >= LINK and ahead > give
        scarce = ahead + give >= LINK and rows < SCARCE
    baseline = Baseline(trial.name, trial.metric, round(mean, 4), round(low, 4), round(high, 4), len(scores))
    verdict: Verdict = "learnable" if linked else "too_few" if scarce else "unlearnable"
    return verdict, baseline, Trivial(trial.guess, round(guessed, 4))


def ceiling_of(questions: int, agree: float, reached: float) -> tuple[float | None, float | None]:
    """The best score that the labels' own agreement allows, and the upper end of its 95 % interval; None for too few.

    reached: a score that was measured, 0 to 1. Never below it; None where even the upper end is.
    """
    if questions < PAIRS:
        return None, None
    most = sqrt(intervals.wilson(agree * questions, questions).high)
    if most < reached:
        return None, None
    return round(max(sqrt(agree), reached), 4), round(most, 4)


def per_doubling(curve: Sequence[CurvePoint]) -> float | None:
    """What doubling the rows added, by a line through the curve over the logarithm of the rows."""
    if len(curve) < 2:
        return None
    slope, _ = np.polyfit([log2(point.rows) for point in curve], [point.score for point in curve], 1)
    return round(float(slope), 4)


def outlook(measured: Learnability | None, target: float | None, reached: float = 0.0) -> Outlook | None:
    """What the result says about a target, None where it says nothing.

    reached: the best score that anything measured since had on rows of this data, 0 to 1: a ceiling below it, or below
    the classifier's own score (in reports of older checks), is none.
    """
    if measured is None or target is None or not measured.baseline or measured.baseline.metric != "accuracy":
        return None
    if measured.verdict == "too_few":
        return None
    score, slope, rows = measured.baseline.score, measured.per_doubling, measured.curve[-1].rows
    ceiling = measured.ceiling_high or measured.ceiling
    needed = None
    if score < target and slope and slope > 0:
        times = 2 ** min((target - score) / slope, 60.0)
        needed = round(rows * times) if times <= MOST_AHEAD else None
    if (measured.trivial or Trivial()).score >= target:
        return Outlook(reached=False, above_ceiling=False, rows=None, guessed=True)
    if ceiling is not None and ceiling < max(score, reached):
        ceiling = None
    low = score if measured.baseline.low is None else measured.baseline.low
    sure = score >= target and low >= target - SURE
    return Outlook(sure and measured.verdict != "unlearnable", ceiling is not None and ceiling < target, needed)


def _curve(
    trial: "_Labels | _Texts",
    rows: int,
    seed: int,
    more: Callable[[], bool],
    tick: Callable[[int, int], None],
) -> tuple[Scores, tuple[CurvePoint, ...]]:
    """Scores of the held-out rows with all others to learn from, and means with a part of them."""
    order = list(range(rows))
    random.Random(seed + 1).shuffle(order)
    held = [order[fold::FOLDS] for fold in range(FOLDS)]
    scores: list[Scores] = []
    means: dict[float, list[float]] = {share: [] for share in SHARES}
    sizes: dict[float, int] = {}
    # A fit takes as long as it has rows: what is done is counted in shares of the whole.
    every = CURVE_FOLDS * sum(SHARES) + (FOLDS - CURVE_FOLDS) * SHARES[-1]
    done = 0.0
    tick(0, rows)
    for number, test in enumerate(held):
        out = set(test)
        learn = [row for row in order if row not in out]
        for share in SHARES if number < CURVE_FOLDS else SHARES[-1:]:
            part = learn[: max(2, round(share * len(learn)))]
            fold_scores = trial.score(part, test)
            means[share].append(float(fold_scores.mean()))
            sizes[share] = len(part)
            done += share
            tick(round(rows * done / every), rows)
            if share == 1:
                scores.append(fold_scores)
        if not more():
            break
    curve = tuple(
        CurvePoint(share, sizes[share], round(float(np.mean(means[share][:CURVE_FOLDS])), 4)) for share in SHARES
    )
    return np.concatenate(scores), curve


Matrix = Any  # of scipy, which has no types


def _features(texts: Sequence[str], most: int = FEATURES) -> Matrix:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, max_features=most, dtype=np.float32
    )
    return vectorizer.fit_transform(texts)


class _Labels:
    """Tries to say the label."""

    name, metric, guess = "TF-IDF with logistic regression", "accuracy", "always the commonest label"

    def __init__(self, questions: Sequence[str], answers: Sequence[str]) -> None:
        numbers = {
            label: number for number, label in enumerate(sorted({" ".join(answer.split()) for answer in answers}))
        }
        self.different = len(numbers)
        self.labels = np.array([numbers[" ".join(answer.split())] for answer in answers])
        self.matrix = _features(questions, min(LABEL_FEATURES, WEIGHTS // self.different))

    def score(self, learn: Sequence[int], test: Sequence[int]) -> Scores:
        from sklearn.linear_model import LogisticRegression

        if len(set(self.labels[learn].tolist())) < 2:
            return np.asarray(self.labels[test] == self.labels[learn[0]], dtype=np.float64)
        # Strong weights suit short texts. A tenth of the usual tolerance costs a point of accuracy and saves half the
        # time; where the steps run out first, the model is as good as it is.
        model = LogisticRegression(C=20, max_iter=100, tol=1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(self.matrix[learn], self.labels[learn])
        return np.asarray(model.predict(self.matrix[test]) == self.labels[test], dtype=np.float64)

    def trivial(self) -> tuple[float, float]:
        return Counter(self.labels.tolist()).most_common(1)[0][1] / len(self.labels), 0.0


class _Texts:
    """Takes the answer of the nearest question."""

    name, metric, guess = "the nearest question's answer", "likeness", "the answer of any question"

    def __init__(self, questions: Sequence[str], answers: Sequence[str], seed: int) -> None:
        self.asked = _features(questions)
        self.answers = _features([f" {answer} ." for answer in answers])
        self.order = np.random.default_rng(seed).permutation(len(answers))

    def score(self, learn: Sequence[int], test: Sequence[int]) -> Scores:
        nearest = np.asarray((self.asked[test] @ self.asked[learn].T).toarray().argmax(axis=1))
        return self._alike(np.asarray(test), np.asarray(learn)[nearest])

    def trivial(self) -> tuple[float, float]:
        """The likeness of two answers drawn at random, and its standard error."""
        likeness = self._alike(self.order, np.roll(self.order, 1))
        return float(likeness.mean()), float(likeness.std()) / sqrt(len(likeness))

    def _alike(self, one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> Scores:
        return np.asarray(self.answers[one].multiply(self.answers[other]).sum(axis=1), dtype=np.float64).ravel()
