"""How far two people agree: kappa beside scikit-learn's, and what its interval covers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from app.evaluation.agreement import agreement, kappa_interval

WORDS = st.sampled_from(["behaviour", "facts", "instructions", "reference"])


@settings(max_examples=60)
@given(pairs=st.lists(st.tuples(WORDS, WORDS), min_size=2, max_size=60))
def test_it_is_what_scikit_learn_says(pairs: list[tuple[str, str]]) -> None:
    ours = agreement(pairs)
    words = sorted({word for pair in pairs for word in pair})
    if len(words) < 2:
        assert ours.kappa is None
        return
    theirs = cohen_kappa_score([one for one, _ in pairs], [other for _, other in pairs], labels=words)
    assert ours.kappa == pytest.approx(theirs, abs=1e-12)
    interval = kappa_interval(pairs)
    assert interval is not None
    assert ours.kappa is not None
    assert interval.low <= ours.kappa + 1e-9
    assert interval.high >= ours.kappa - 1e-9


def test_nothing_is_said_of_nothing_nor_of_one_word() -> None:
    assert agreement([]).kappa is None
    assert kappa_interval([]) is None
    assert agreement([("facts", "facts")] * 40) == agreement([("other", "other")] * 40)
    assert kappa_interval([("facts", "facts")] * 40) is None


def test_full_agreement_is_not_certain() -> None:
    pairs = [("a", "a")] * 25 + [("b", "b")] * 25

    interval = kappa_interval(pairs)

    assert agreement(pairs).kappa == 1
    assert interval is not None
    assert interval.high == 1
    assert 0.8 < interval.low < 0.9  # Wilson: 50 of 50 is 92.9 % or more, of which half is chance


def test_the_interval_covers_what_it_says() -> None:
    """200 samples of 50 rows from two people whose true kappa is 0.6: at least 92 % of the intervals hold it."""
    generator = np.random.default_rng(4)
    cells = [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]
    truth = 0.6  # observed 0.8, by chance 0.5
    held = 0
    for _ in range(200):
        counts = generator.multinomial(50, [0.4, 0.1, 0.1, 0.4])
        pairs = [pair for pair, count in zip(cells, counts, strict=True) for _ in range(count)]
        interval = kappa_interval(pairs)
        assert interval is not None
        held += interval.low <= truth <= interval.high
    assert held >= 184
