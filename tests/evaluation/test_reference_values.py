"""What other programs and published tables say of the same numbers.

Values of statsmodels were worked out once with the version that is named, in an environment of its own; scipy is asked
anew. Complete response before and after consolidation therapy (Cavo et al. 2012), 59, 6, 16 and 80 patients, is the
example of Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables (2017), chapter 8; the values are
those of their R package contingencytables 3.
"""

import numpy as np
import pytest
from scipy import stats

from app.evaluation import grouped, statistics
from tests.evaluation.test_grouped import AFTER, BEFORE, GROUPS

CHANGES = [after - before for before, after in zip(BEFORE, AFTER, strict=True)]


def test_newcombes_interval_and_the_exact_test_are_those_of_the_published_example() -> None:
    difference = statistics.paired_rates(59, 6, 16, 80)

    assert (difference.delta, difference.low, difference.high) == pytest.approx((0.0621, 0.0046, 0.1186), abs=5e-5)
    assert statistics.mcnemar(6, 16) == pytest.approx(0.052479, abs=5e-7)


def test_the_test_by_group_is_that_of_scipy() -> None:
    sums = np.bincount(GROUPS, weights=CHANGES).astype(int)
    theirs = stats.permutation_test(
        (sums,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )

    assert grouped.flipped(sums.tolist()) == pytest.approx(theirs.pvalue, abs=1e-6)
