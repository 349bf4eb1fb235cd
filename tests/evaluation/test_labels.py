"""Precision, recall and F1 by label are scikit-learn's."""

import random

import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from app.evaluation import labels


def test_scores_by_label_are_those_of_scikit_learn() -> None:
    draw = random.Random(3)
    names = ["refund", "bug", "other", "rare"]
    wanted = draw.choices(names, weights=[6, 3, 2, 1], k=400)
    given = [label if draw.random() < 0.7 else draw.choice([*names, "It is a bug"]) for label in wanted]

    made = labels.scores(list(zip(wanted, given, strict=True)))

    assert made is not None
    order = [score.label for score in made.labels]
    theirs = precision_recall_fscore_support(wanted, given, labels=order, zero_division=0)
    for score, precision, recall, f1, n in zip(made.labels, *theirs, strict=True):
        assert (score.precision, score.recall, score.f1) == pytest.approx((precision, recall, f1))
        assert score.n == n
        assert score.recall_interval.low < score.recall < score.recall_interval.high
    assert made.accuracy == pytest.approx(accuracy_score(wanted, given))
    assert made.macro_f1 == pytest.approx(f1_score(wanted, given, labels=order, average="macro", zero_division=0))
    assert made.outside == given.count("It is a bug")


def test_a_label_that_is_never_given_has_no_precision_and_f1_of_nothing() -> None:
    made = labels.scores([("a", "a"), ("a", "a"), ("b", "a"), ("b", "c")], known=["a", "b", "c"])

    assert made is not None
    common, never = made.labels
    assert (common.label, common.right, common.named, common.recall) == ("a", 2, 3, 1.0)
    assert (never.precision, never.recall, never.f1, never.instead) == (None, 0.0, 0.0, "a")
    assert made.macro_f1 == pytest.approx(0.4)
    assert made.outside == 0
    assert labels.scores([]) is None
