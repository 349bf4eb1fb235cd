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
from app.intervals import wilson
from tests.support.in_groups import AFTER, BEFORE, GROUPS

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


def test_the_variance_of_groups_is_that_of_statsmodels() -> None:
    """statsmodels 0.15.0: OLS on a constant, cov_type="cluster" with use_correction: C / (C - 1)."""
    assert grouped.clustered_variance(CHANGES, GROUPS) == pytest.approx(0.018543602693602713, abs=1e-12)
    assert grouped.clustered_variance(AFTER, GROUPS) == pytest.approx(0.008024242424242435, abs=1e-12)
    assert grouped.clustered_variance(AFTER, range(60)) == pytest.approx(np.var(AFTER, ddof=1) / 60, abs=1e-12)


def test_p_values_adjusted_by_holm_are_those_of_statsmodels() -> None:
    """statsmodels 0.15.0: multipletests(method="holm")."""
    adjusted = statistics.holm([0.01, 0.04, 0.03, 0.005, 0.2, 0.03])

    assert adjusted == pytest.approx([0.05, 0.12, 0.12, 0.03, 0.2, 0.12], abs=1e-12)
    assert statistics.holm([]) == []


@pytest.mark.parametrize(
    ("passed", "rows", "low", "high"),
    [
        (45, 60, 0.6276792992295218, 0.8422347746994333),
        (0, 50, 0.0, 0.07134759913335874),
        (199, 200, 0.9722262956021069, 0.9991168312843989),
    ],
)
def test_wilsons_interval_is_that_of_statsmodels(passed: int, rows: int, low: float, high: float) -> None:
    """statsmodels 0.15.0: proportion_confint(method="wilson")."""
    assert tuple(wilson(passed, rows)) == pytest.approx((low, high), abs=1e-9)
