"""What can be learnt without a language model: true pairs from shuffled ones, labels from noise, within its time."""

import random
from pathlib import Path

import pytest

from app.chat import Record
from app.datasets.checks import learnability
from app.datasets.checks.report_trials import Baseline, CurvePoint, Learnability
from app.datasets.checks.working_rows import question
from app.datasets.reading.reader import read
from tests.support.places import DATA

Pairs = list[tuple[str, str]]


def accuracy(score: float, low: float | None = None) -> Baseline:
    """What a small classifier reached."""
    return Baseline("TF-IDF with logistic regression", "accuracy", score, low)


def load(path: Path, rows: int = 600) -> Pairs:
    with path.open("rb") as file:
        pairs = [(question(item), item.target) for item in read(file) if isinstance(item, Record)]
    return random.Random(1).sample(pairs, min(rows, len(pairs)))


def shuffled(pairs: Pairs) -> Pairs:
    answers = [answer for _, answer in pairs]
    random.Random(2).shuffle(answers)
    return [(asked, answer) for (asked, _), answer in zip(pairs, answers, strict=True)]


def twelve(pairs: Pairs) -> Pairs:
    """The rows of the twelve commonest labels: quick to learn."""
    labels = sorted({answer for _, answer in pairs}, key=lambda label: -sum(1 for _, one in pairs if one == label))
    return [pair for pair in pairs if pair[1] in labels[:12]]


SMALL = [
    "phpdoc/small_300.jsonl",
    "slots_snips/train_200.jsonl",
    "text2sql/wikisql_200.jsonl",
    "summarise_peps/summaries_60.jsonl",
]
LARGE = [
    "phpdoc/phpdoc.jsonl",
    "slots_snips/train.jsonl",
    "text2sql/advising_train.jsonl",
    "summarise_peps/summaries.jsonl",
]


@pytest.mark.parametrize("name", SMALL)
def test_true_pairs_are_learnable_and_shuffled_ones_are_not(name: str) -> None:
    told_apart(load(DATA / name))


@pytest.mark.deep
@pytest.mark.parametrize("name", LARGE)
def test_true_pairs_of_large_sets_are_learnable_and_shuffled_ones_are_not(sets: Path, name: str) -> None:
    told_apart(load(sets / name))


def told_apart(pairs: Pairs) -> None:
    true, false = (learnability.measure(one, labels=False, seed=7) for one in (pairs, shuffled(pairs)))

    assert (true.verdict, false.verdict) == ("learnable", "unlearnable")
    assert true.baseline is not None
    assert true.baseline.low is not None
    assert true.trivial is not None
    assert true.baseline.low > true.trivial.score
    assert "slipped" in false.text


def test_random_labels_are_called_unlearnable() -> None:
    labels_told_apart(load(DATA / "intent_banking77" / "train_700.jsonl", 400))


@pytest.mark.deep
def test_random_labels_of_a_large_set_are_called_unlearnable(sets: Path) -> None:
    labels_told_apart(twelve(load(sets / "intent_banking77" / "train.jsonl", 4000)))


def labels_told_apart(pairs: Pairs) -> None:
    true, false = (learnability.measure(one, labels=True, seed=7) for one in (pairs, shuffled(pairs)))

    assert true.verdict == "learnable"
    assert true.baseline is not None
    assert true.baseline.score > 0.85
    assert false.verdict == "unlearnable"
    assert "random" in false.text


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.deep) for seed in range(2, 8))])
def test_few_rows_with_labels_drawn_by_lot_are_not_called_learnable(seed: int) -> None:
    """With 300 rows a guess is a few points better than the commonest label every now and then."""
    asked = [question for question, _ in load(DATA / "intent_banking77" / "train_700.jsonl", 300)]
    lot = random.Random(seed)
    pairs = [(question, lot.choice(("refund", "invoice", "other"))) for question in asked]

    assert learnability.measure(pairs, labels=True, seed=7).verdict == "unlearnable"


def test_the_curve_rises_and_says_what_a_doubling_is_worth() -> None:
    rises(load(DATA / "phpdoc" / "small_300.jsonl"), [56, 112, 225])


@pytest.mark.deep
def test_the_curve_of_a_large_set_rises_and_says_what_a_doubling_is_worth(sets: Path) -> None:
    rises(load(sets / "phpdoc" / "phpdoc.jsonl", 1200), [225, 450, 900])


def rises(pairs: Pairs, rows: list[int]) -> None:
    found = learnability.measure(pairs, labels=False, seed=7)

    assert [one.share for one in found.curve] == [0.25, 0.5, 1.0]
    assert [one.rows for one in found.curve] == rows
    scores = [one.score for one in found.curve]
    assert scores == sorted(scores)
    assert found.per_doubling == pytest.approx((scores[2] - scores[0]) / 2, abs=0.01)


@pytest.mark.parametrize("slips", [0.0, 0.1, 0.25])
def test_the_ceiling_is_what_the_labels_agree_on(slips: float) -> None:
    """Two labels of one question, each drawn by itself with so many slips, agree in about (1 - slips)^2 of them."""
    low, high = learnability.ceiling_of(300, (1 - slips) ** 2, 0.5)

    assert low == pytest.approx(1 - slips, abs=0.001)
    assert low is not None
    assert high is not None
    assert low <= high <= 1


def test_a_ceiling_never_lies_below_what_was_reached() -> None:
    low, high = learnability.ceiling_of(300, 0.81, 0.91)
    assert low == 0.91
    assert high == pytest.approx(0.923, abs=0.005)
    assert learnability.ceiling_of(300, 0.81, 0.96) == (None, None)
    assert learnability.ceiling_of(29, 0.81, 0.1) == (None, None)
    # The same where an arm that was measured later passed it.
    found = Learnability(
        "learnable", baseline=accuracy(0.6), curve=(CurvePoint(1.0, 100, 0.6),), ceiling=0.9, ceiling_high=0.92
    )
    said = [learnability.outlook(found, 0.95, reached) for reached in (0.0, 0.92, 0.93)]
    assert [one.above_ceiling if one else None for one in said] == [True, True, False]


def test_real_labels_that_stand_there_once_are_not_called_random() -> None:
    """Of 77 labels in 50 rows most stand there once: a classifier is no better than chance, and that says nothing."""
    asked = load(DATA / "intent_banking77" / "fifty.jsonl")

    found = [learnability.measure(one, labels=True, seed=7) for one in (asked, shuffled(asked))]

    assert "unlearnable" not in [one.verdict for one in found]
    assert learnability.outlook(found[1], 0.0) is None


def test_a_few_rows_of_prose_are_not_condemned() -> None:
    not_condemned([load(DATA / name, 60) for name in SMALL])


@pytest.mark.deep
def test_a_few_rows_of_large_sets_are_not_condemned(sets: Path) -> None:
    not_condemned([load(sets / name, 60) for name in LARGE])


def not_condemned(few: list[Pairs]) -> None:
    assert [learnability.measure(one, labels=False, seed=7).verdict for one in few] == ["learnable"] * 4
    assert "learnable" not in [learnability.measure(shuffled(one), labels=False, seed=7).verdict for one in few]


@pytest.mark.parametrize("low", [0.86, 0.89])
def test_a_target_is_reached_only_surely(low: float) -> None:
    found = Learnability(
        "learnable", baseline=accuracy(0.91, low), curve=(CurvePoint(1.0, 100, 0.91),), ceiling=0.91, ceiling_high=0.93
    )

    said = learnability.outlook(found, 0.9)

    assert said == learnability.Outlook(reached=low >= 0.88, above_ceiling=False, rows=None)


def test_a_target_that_a_guess_reaches_is_no_reason_for_a_classifier() -> None:
    pairs = [(f"Where is the {n} of {n * n % 97} and {n * 31 % 101}", "no" if n % 16 else "yes") for n in range(400)]

    found = learnability.measure(pairs, labels=True, seed=7)

    assert found.baseline is not None
    assert (found.verdict, found.baseline.score >= 0.9) == ("unlearnable", True)
    assert learnability.outlook(found, 0.9) == learnability.Outlook(False, False, None, guessed=True)
    assert learnability.outlook(found, 0.9375) == learnability.Outlook(False, False, None, guessed=True)
    assert learnability.outlook(found, 0.938) == learnability.Outlook(False, False, None)


def test_few_rows_say_nothing() -> None:
    found = learnability.measure([("a", "b")] * 49, labels=False, seed=7)

    assert (found.verdict, found.baseline, found.curve) == ("too_few", None, ())
    assert learnability.outlook(found, 0.9) is None


def test_it_stops_in_time() -> None:
    seconds = iter(range(0, 1000, 15))

    found = learnability.measure(
        load(DATA / "phpdoc" / "small_300.jsonl"), labels=False, seed=7, clock=lambda: next(seconds)
    )

    assert found.baseline is not None
    assert found.baseline.rows == 150  # two of four parts
    assert len(found.curve) == 3


def test_odd_rows_upset_nothing() -> None:
    for labels in (True, False):
        found = learnability.measure([("", "x")] * 60, labels=labels, seed=7)
        assert found.verdict == "unlearnable" if labels else found.baseline is not None


@pytest.mark.parametrize(("target", "reached", "rows"), [(0.75, True, None), (0.85, False, 2000), (0.99, False, None)])
def test_what_it_says_about_a_target(target: float, reached: bool, rows: int | None) -> None:
    curve = (CurvePoint(0.25, 250, 0.7), CurvePoint(0.5, 500, 0.75), CurvePoint(1.0, 1000, 0.8))
    found = Learnability("learnable", baseline=accuracy(0.8), curve=curve, per_doubling=0.05, ceiling=0.95)

    said = learnability.outlook(found, target)

    assert said == learnability.Outlook(reached, target > 0.95, rows)
